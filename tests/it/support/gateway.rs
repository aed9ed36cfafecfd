//! A gateway in this process, on a real socket, in front of a given Dify.

use std::ffi::OsString;
use std::net::SocketAddr;

use dify_a2a::bridge::backend::Limits;
use dify_a2a::config::{CommandLine, Purpose, Settings};
use dify_a2a::serve::Server;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Client;
use super::fake_dify::{FakeDify, KEY};

/// A running gateway; it is told to stop when this is dropped.
pub struct Gateway {
    pub addr: SocketAddr,
    /// The port that gRPC has for itself.
    pub grpc_addr: Option<SocketAddr>,
    pub client: Client,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// In front of `dify`, with these settings over quick ones for tests.
    pub async fn before(dify: &FakeDify, env: &[(&str, &str)]) -> Self {
        Self::at(&dify.url(), env).await
    }

    /// In front of whatever listens at `url`.
    pub async fn at(url: &str, env: &[(&str, &str)]) -> Self {
        Self::with(url, env, Limits::default()).await
    }

    /// As [`Gateway::at`], with other bounds of waiting than the usual ones.
    pub async fn with(url: &str, env: &[(&str, &str)], limits: Limits) -> Self {
        let server = Server::bind_with(&settings(url, env), limits).await.expect("a server");
        let (addr, grpc_addr) = (server.addr(), server.grpc_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            server.run(shutdown, std::future::pending()).await.expect("served to the end");
        });
        Self { addr, grpc_addr, client: Client::new(format!("http://{addr}")), stop: Some(stop), serving }
    }

    /// Begins an orderly shutdown and waits for its end.
    pub async fn shut_down(mut self) {
        self.begin_shutdown();
        (&mut self.serving).await.expect("no panic");
    }

    /// Begins an orderly shutdown.
    pub fn begin_shutdown(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.begin_shutdown();
        self.serving.abort();
    }
}

/// Settings as the program would read them, quick where tests wait.
pub fn settings(url: &str, env: &[(&str, &str)]) -> Settings {
    let quick = [
        ("DIFY_API_URL", url),
        ("DIFY_API_KEY", KEY),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("SHUTDOWN_GRACE", "200ms"),
    ];
    let env: Vec<(OsString, OsString)> =
        quick.iter().chain(env).map(|(name, value)| (name.into(), value.into())).collect();
    let empty = tempfile::tempdir().expect("a directory");
    let loaded = Settings::load(Purpose::Dify, &CommandLine::default(), env, empty.path());
    loaded.unwrap_or_else(|problems| panic!("{problems}")).settings
}
