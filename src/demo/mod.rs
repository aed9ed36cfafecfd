//! The built-in demo Dify app: a small chat app that speaks Dify 1.14's service API, for people who have no Dify
//! at hand and for tests. It remembers names, greets, and echoes; some words make it slow, long, thoughtful or
//! fail.
//!
//! `script` decides what is said, `state` remembers, `turn` says it piece by piece, `wire` has Dify's
//! JSON, `routes` the endpoints.

mod banner;
mod routes;
mod script;
mod state;
#[cfg(test)]
mod tests;
mod turn;
mod wire;

use std::io;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use banner::banner;

/// The key that the demo app accepts, and no other.
pub const KEY: &str = "app-demo";

/// How fast the demo app speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// Pause before each word.
    pub word: Duration,
    /// Pause before each word of a slow answer.
    pub slow_word: Duration,
    /// Time from one ping to the next.
    pub ping: Duration,
}

impl Default for Pace {
    /// About as fast as a model, with Dify's ten seconds between pings.
    fn default() -> Self {
        Self {
            word: Duration::from_millis(30),
            slow_word: Duration::from_secs(1),
            ping: Duration::from_secs(10),
        }
    }
}

impl Pace {
    /// No pauses at all, for tests.
    pub fn instant() -> Self {
        Self { word: Duration::ZERO, slow_word: Duration::ZERO, ..Self::default() }
    }
}

/// The demo app as a router, everything below `/v1`. Each call makes an app with a memory of its own.
pub fn app(pace: Pace) -> Router {
    routes::router(state::Memory::new(pace))
}

/// The demo app on a socket of its own. Dropping it ends it and all its streams.
#[derive(Debug)]
pub struct Server {
    base_url: String,
    tasks: JoinSet<io::Result<()>>,
}

impl Server {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(pace: Pace) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app(pace)).await });
        Ok(Self { base_url, tasks })
    }

    /// What would be its `DIFY_API_URL`, ending in `/v1`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Ends the server and waits until its listener is closed.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
