//! The built-in demo Dify apps, for people who have no Dify at hand and for tests: each speaks Dify 1.14's service
//! API over HTTP, and the gateway before it cannot tell it from the real one.
//!
//! `chat` remembers names, greets and echoes. `workflow` writes a report from a form and gives a file back.
//! `approval` stops at a form until somebody has decided. Under them, for all: `skeleton` has the router, the key
//! and what the apps tell about themselves, `request` the checks, `wire` Dify's JSON, `conversations` and `history`
//! what was said, `runs`, `frames` and `rejoin` the runs of workflows, `files` uploads and files made.

mod approval;
mod banner;
mod chat;
mod conversations;
mod files;
mod frames;
mod history;
mod rejoin;
mod request;
mod runs;
mod skeleton;
mod stream;
#[cfg(test)]
mod testing;
mod usage;
mod wire;
mod workflow;

use std::io;
use std::time::Duration;

use axum::Router;
use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use banner::{Way, banner};

/// The key that a demo app accepts, and no other.
pub const KEY: &str = "app-demo";

/// Which of the demo apps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum App {
    /// A chat that remembers your name (mode `chat`).
    #[default]
    Chat,
    /// Writes a report from a form, a file if there is one, and gives a file back (mode `workflow`).
    Workflow,
    /// Asks for a decision before it goes on (mode `advanced-chat` with a Human Input node).
    Approval,
}

/// How fast a demo app speaks.
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

/// A demo app as a router: the API below `/v1`, its files below `/files`. Each call makes an app with a memory of
/// its own. `origin` is what the addresses of its files begin with, such as `http://127.0.0.1:5001`.
pub fn app(app: App, pace: Pace, origin: &str) -> Router {
    let state = skeleton::state(app, pace, origin);
    match app {
        App::Chat => skeleton::router(chat::routes(), state),
        App::Workflow => skeleton::router(workflow::routes(), state),
        App::Approval => skeleton::router(approval::routes(), state),
    }
}

/// A demo app on a socket of its own. Dropping it ends it and all its streams.
#[derive(Debug)]
pub struct Server {
    base_url: String,
    tasks: JoinSet<io::Result<()>>,
}

impl Server {
    /// Starts an app on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub async fn start(app: App, pace: Pace) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let base_url = format!("{origin}/v1");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, self::app(app, pace, &origin)).await });
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
