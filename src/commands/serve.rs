//! The seam between the command line and the gateway: each function takes finished settings.

use std::io::{self, Write};
use std::net::SocketAddr;

use secrecy::SecretString;
use url::Url;

use super::check::Report;
use crate::config::Settings;
use crate::demo;

/// Why a command ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A socket or the terminal failed.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What went wrong.
        cause: io::Error,
    },
    /// The gateway is not part of this build.
    #[error("the gateway is not part of this build")]
    NotJoined,
}

/// Runs the gateway until it is told to stop, and says on `out` where it listens.
///
/// # Errors
/// When it cannot listen.
pub async fn serve(settings: Settings, out: &mut (dyn Write + Send)) -> Result<(), ServeError> {
    gateway(settings, |addr| writeln!(out, "listening on http://{addr}").and_then(|()| out.flush())).await
}

/// Runs the gateway in front of the built-in demo app, and says on `out` how to talk to it.
///
/// # Errors
/// When either of the two cannot listen.
pub async fn demo(mut settings: Settings, out: &mut (dyn Write + Send)) -> Result<(), ServeError> {
    let fail = |cause| ServeError::Io { what: "cannot start the demo app", cause };
    let app = demo::Server::start(demo::Pace::default()).await.map_err(fail)?;
    let url = Url::parse(&format!("{}/", app.base_url()));
    settings.dify.url = url.map_err(|error| fail(io::Error::other(error)))?;
    settings.dify.key = SecretString::from(demo::KEY);
    let outcome = gateway(settings, |addr| out.write_all(demo::banner(addr).as_bytes())).await;
    app.stop().await;
    outcome
}

// JOIN: the three functions below are replaced by the composition.

async fn gateway(
    _settings: Settings,
    _listening: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> Result<(), ServeError> {
    std::future::ready(Err(ServeError::NotJoined)).await
}

/// Asks Dify about the app and reports what it would be as an agent.
///
/// # Errors
/// Never for trouble with Dify: that is in the report.
pub async fn check(_settings: &Settings) -> Result<Report, ServeError> {
    std::future::ready(Err(ServeError::NotJoined)).await
}

/// The Agent Card that would be served, as JSON for people to read.
///
/// # Errors
/// When Dify or the card file do not play along.
pub async fn card(_settings: &Settings, _extended: bool) -> Result<String, ServeError> {
    std::future::ready(Err(ServeError::NotJoined)).await
}
