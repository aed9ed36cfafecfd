//! Listening: a bound socket, connections with limits, and an end in order.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppError, Listening};
use crate::bridge::backend;
use crate::config::Settings;
use crate::edge::binding::Binding;
use crate::guard::Guard;

/// How long a client may take to send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Streams that one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 1024;

/// How often an HTTP/2 client is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);

/// How long it may take to say so.
const PING_ANSWER: Duration = Duration::from_secs(20);

/// How long clients may take to read what is left once all turns have ended.
const LAST_BYTES: Duration = Duration::from_secs(5);

/// Why the gateway cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The gateway cannot be put together.
    #[error(transparent)]
    App(#[from] AppError),
    /// The address cannot be listened on.
    #[error("cannot listen on {host}:{port} (HOST, {setting}): {error}")]
    Listen {
        /// The setting that the port is of.
        setting: &'static str,
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: u16,
        /// What the system says.
        error: io::Error,
    },
}

/// A gateway that listens and is about to serve.
pub struct Server {
    app: App,
    main: Bound,
    /// The port that gRPC has for itself.
    grpc: Option<Bound>,
    grace: Duration,
}

/// A socket that is listened on.
struct Bound {
    addr: SocketAddr,
    listener: TcpListener,
}

impl Server {
    /// Binds the address and puts the gateway together.
    ///
    /// # Errors
    /// [`ServeError`] when the address is taken or a setting cannot be used.
    pub async fn bind(settings: &Settings) -> Result<Self, ServeError> {
        Self::bind_with(settings, backend::Limits::default()).await
    }

    /// As [`Server::bind`], with other bounds of waiting for Dify than the usual ones.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind_with(settings: &Settings, waits: backend::Limits) -> Result<Self, ServeError> {
        let server = &settings.server;
        let main = bind(&server.host, server.port, "PORT")?;
        let own_port = server.grpc_port.filter(|_| server.bindings.has(Binding::Grpc));
        let grpc = own_port.map(|port| bind(&server.host, port, "GRPC_PORT")).transpose()?;
        let listening = Listening { main: main.addr, grpc: grpc.as_ref().map(|bound| bound.addr) };
        let app = App::with_limits(settings, listening, waits)?;
        app.begin().await;
        Ok(Self { app, main, grpc, grace: server.shutdown_grace })
    }

    /// The address listened on.
    pub fn addr(&self) -> SocketAddr {
        self.main.addr
    }

    /// The address listened on for gRPC alone, if it has one.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(|bound| bound.addr)
    }

    /// Serves until `shutdown` is done, then ends in order: takes no more connections, lets running turns end for
    /// the grace, or until `hurry` is done, ends the rest as failed, and gives clients a moment to read that.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()>,
        hurry: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let handle = Handle::new();
        let main = serving(self.main.listener, self.app.router.clone(), &handle)?;
        let grpc = match (self.grpc, &self.app.grpc_router) {
            (Some(bound), Some(router)) => Some(serving(bound.listener, router.clone(), &handle)?),
            _ => None,
        };
        let serving = async {
            match grpc {
                Some(grpc) => tokio::try_join!(main, grpc).map(|((), ())| ()),
                None => main.await,
            }
        };
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended,
            () = shutdown => {}
        }
        tracing::info!(grace = ?self.grace, "shutting down");
        handle.graceful_shutdown(None);
        let clients_gone = CancellationToken::new();
        let (served, ()) = tokio::join!(
            async {
                let served = serving.await;
                clients_gone.cancel();
                served
            },
            async {
                let grace = async {
                    tokio::select! {
                        () = tokio::time::sleep(self.grace) => {}
                        () = hurry => tracing::info!("told again to stop; not waiting for the grace to end"),
                    }
                };
                self.app.end(grace).await;
                // All turns have ended; clients get a moment to read that, unless they are gone already.
                let _ = tokio::time::timeout(LAST_BYTES, clients_gone.cancelled()).await;
                handle.shutdown();
            }
        );
        served
    }
}

/// Serves `router` on a socket until `handle` says otherwise.
fn serving(
    listener: TcpListener,
    router: Router,
    handle: &Handle<SocketAddr>,
) -> io::Result<impl Future<Output = io::Result<()>> + use<>> {
    let mut server = axum_server::from_tcp(listener)?.acceptor(Guard).handle(handle.clone());
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER);
    Ok(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()))
}

/// Listens on a port that is of this setting.
fn bind(host: &str, port: u16, setting: &'static str) -> Result<Bound, ServeError> {
    let bound = listen(host, port);
    let (listener, addr) =
        bound.map_err(|error| ServeError::Listen { setting, host: host.to_owned(), port, error })?;
    Ok(Bound { addr, listener })
}

fn listen(host: &str, port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for addr in (host, port).to_socket_addrs()? {
        match TcpListener::bind(addr) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                let addr = listener.local_addr()?;
                return Ok((listener, addr));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
