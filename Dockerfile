# syntax=docker/dockerfile:1

# Both stages stand on Debian 12, so that the program finds the C library it was linked with.
# The TLS library has parts in C; the compiler that this image has for linking is enough for them.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin dify-a2a \
    && cp target/release/dify-a2a /dify-a2a

FROM debian:bookworm-slim
# Certificates to recognise Dify by.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /dify-a2a /usr/local/bin/dify-a2a
# gateway.toml and agentcard.json are looked for here; mount them if there are any.
WORKDIR /etc/dify-a2a
USER 65532:65532
EXPOSE 8080
# Probes of the platform use GET /health and GET /ready. SIGTERM ends running turns within SHUTDOWN_GRACE.
STOPSIGNAL SIGTERM
ENTRYPOINT ["dify-a2a"]
CMD ["serve"]
