# The commands of this project. `make` alone lists them.
#
# All cargo commands use the default features and the lock file, so that nothing is built twice and everybody builds
# the same. What is missing is installed by `.ci/need`, on Debian and as root only; elsewhere it says what to install.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help test check fmt clippy doc requirements bench interop api-check fuzz c-compiler rust-tools

# How long `make api-check` works.
export API_SECONDS ?= 60

# How long `make fuzz` works on each target.
FUZZ_SECONDS ?= 60

help:
	@echo "make test      the tests; they need no network, no Dify and no key"
	@echo "make check     formatting, lints and documentation; warnings are errors"
	@echo "make requirements   writes the table of requirements in docs/conformance.md anew, from the names of the tests"
	@echo "make interop   A2A clients of others against recorded answers of Dify and the demo apps; writes the table in README.md"
	@echo "make api-check schemathesis against the OpenAPI document, for API_SECONDS=$(API_SECONDS) (fetches schemathesis)"
	@echo "make bench     the gateway beside nginx"
	@echo "make fuzz      the decoders against random input, FUZZ_SECONDS=$(FUZZ_SECONDS) for each"

# With cargo-nextest if it is there; it leaves out the examples in the documentation, which come first.
test: c-compiler
	@if cargo nextest --version >/dev/null 2>&1; then \
		echo "cargo test --locked --doc" && cargo test --locked --doc; \
		echo "cargo nextest run --locked" && cargo nextest run --locked; \
	else \
		echo "cargo test --locked" && cargo test --locked; \
	fi

check: fmt clippy doc

fmt: rust-tools
	cargo fmt --check

clippy: rust-tools c-compiler
	cargo clippy --locked --all-targets -- -D warnings

doc: c-compiler
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib --document-private-items

# `make test` fails when the table is not up to date, or a requirement has no test.
requirements: c-compiler
	UPDATE_REQUIREMENTS=1 cargo test --locked --test it -- the_table_of_requirements

interop: c-compiler
	@.ci/need python3 python3
	interop/run

api-check: c-compiler
	@.ci/need python3 python3
	interop/api/run

bench: c-compiler
	@.ci/need nginx nginx-light
	cargo build --release --locked
	cargo bench --locked --bench hop

fuzz: c-compiler
	@.ci/need c++ g++
	@cargo fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2; exit 1; }
	fuzz/run $(FUZZ_SECONDS)

# The TLS library has parts in C. Nothing else but the Rust toolchain is needed to build.
c-compiler:
	@.ci/need c-compiler gcc libc6-dev

# Minimal installations of the toolchain come without these.
rust-tools:
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 || rustup component add rustfmt clippy
