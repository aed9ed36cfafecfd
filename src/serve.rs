//! Listening: a bound socket, connections with limits, and an end in order.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppError};
use crate::bridge::backend;
use crate::config::Settings;
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
    #[error("cannot listen on {host}:{port} (HOST, PORT): {error}")]
    Listen {
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
    addr: SocketAddr,
    listener: TcpListener,
    grace: Duration,
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
        let (host, port) = (settings.server.host.as_str(), settings.server.port);
        let (listener, addr) =
            listen(host, port).map_err(|error| ServeError::Listen { host: host.to_owned(), port, error })?;
        let app = App::with_limits(settings, addr, waits)?;
        app.begin().await;
        Ok(Self { app, addr, listener, grace: settings.server.shutdown_grace })
    }

    /// The address listened on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
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
        let mut server = axum_server::from_tcp(self.listener)?.acceptor(Guard).handle(handle.clone());
        let http = server.http_builder();
        http.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER);
        let router = self.app.router.clone();
        let serving = server.serve(router.into_make_service_with_connect_info::<SocketAddr>());
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
