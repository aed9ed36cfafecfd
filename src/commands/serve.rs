//! `serve` and `demo`: the gateway, before Dify or before the app that is built in.

use std::io::{self, Write};
use std::net::SocketAddr;

use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use url::Url;

use crate::config::Settings;
use crate::demo;
use crate::edge::binding::Binding;
use crate::serve::{ServeError, Server};

/// Why a command that serves ended badly.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The gateway cannot be started.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A socket or the terminal failed.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        cause: io::Error,
    },
}

fn io_error(what: &'static str) -> impl Fn(io::Error) -> CommandError {
    move |cause| CommandError::Io { what, cause }
}

/// Runs the gateway until it is told to stop, and says on `out` where it listens.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(settings: Settings, out: &mut (dyn Write + Send)) -> Result<(), CommandError> {
    gateway(settings, |addr| writeln!(out, "listening on http://{addr}").and_then(|()| out.flush())).await
}

/// Runs the gateway in front of one of the built-in demo apps, and says on `out` how to talk to it.
///
/// # Errors
/// When either of the two cannot listen.
pub async fn demo(
    which: demo::App,
    mut settings: Settings,
    out: &mut (dyn Write + Send),
) -> Result<(), CommandError> {
    let fail = io_error("cannot start the demo app");
    let app = demo::Server::start(which, demo::Pace::default()).await.map_err(&fail)?;
    let url = Url::parse(&format!("{}/", app.base_url()));
    settings.dify.url = url.map_err(|error| fail(io::Error::other(error)))?;
    settings.dify.key = SecretString::from(demo::KEY);
    let bindings = &settings.server.bindings;
    let way = match (bindings.has(Binding::JsonRpc), bindings.has(Binding::Http)) {
        (true, _) => demo::Way::Rpc,
        (false, true) => demo::Way::Http,
        (false, false) => demo::Way::Grpc,
    };
    let say = |addr| out.write_all(demo::banner(which, addr, way).as_bytes()).and_then(|()| out.flush());
    let outcome = gateway(settings, say).await;
    app.stop().await;
    outcome
}

async fn gateway(
    settings: Settings,
    listening: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> Result<(), CommandError> {
    let cannot_listen = io_error("cannot listen for signals");
    let mut terminate = signal(SignalKind::terminate()).map_err(&cannot_listen)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(&cannot_listen)?;
    let server = Server::bind(&settings).await?;
    tracing::info!(addr = %server.addr(), "listening");
    if let Some(addr) = server.grpc_addr() {
        tracing::info!(%addr, "listening for gRPC");
    }
    listening(server.addr()).map_err(io_error("cannot say where the gateway listens"))?;
    let (signals, mut first) = watch::channel(0_u32);
    let mut second = first.clone();
    let counting = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            signals.send_modify(|count| *count = count.saturating_add(1));
        }
    };
    // The counting goes on beside both waits, so they cannot miss it nor outlive it.
    let told_to_stop = async { drop(first.wait_for(|count| *count > 0).await) };
    let told_again = async { drop(second.wait_for(|count| *count > 1).await) };
    tokio::select! {
        ended = server.run(told_to_stop, told_again) => ended.map_err(io_error("the listener broke")),
        () = counting => Ok(()),
    }
}
