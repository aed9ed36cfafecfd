//! A stand-in for Dify that does what the conformance kits of the A2A project ask of an agent.
//!
//! ```text
//! cargo run --example kit-dify -- [--listen 127.0.0.1:0] [--app chatflow|workflow] [--kit 1.0|0.3]
//! ```
//!
//! It prints its address on one line of stdout. It is one app of Dify 1.14 and takes any key. The kits steer an agent by
//! the beginning of the `messageId`, which the gateway hands to Dify as `trace_id`; what each of them sets off is in
//! `script`. An app of Dify is of one kind, and no kind can do all that the kit for A2A 1.0 asks for:
//!
//! | app | artifacts |
//! | --- | --- |
//! | `chatflow` | text and files, but no data |
//! | `workflow` | text, data, and files behind the data |
//!
//! With `--kit 0.3` whatever is not steered otherwise works for a moment and then asks, again and again, so that it can
//! be canceled and gone on with; with `--kit 1.0` it completes.
#![expect(clippy::print_stdout, reason = "the address on stdout is how a caller finds the server")]

mod app;
mod events;
mod frames;
mod run;
mod script;
mod turn;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::{get, post};
use clap::Parser;

use app::App;
use run::Run;
use script::Kit;

#[derive(Parser)]
#[command(about = "A Dify app that takes the steering of the A2A conformance kits")]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The kind of app.
    #[arg(long, value_enum, default_value_t)]
    app: App,
    /// The kit that will be run.
    #[arg(long, value_enum, default_value_t)]
    kit: Kit,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("{origin}");
    let dify = Arc::new(Dify { app: arguments.app, kit: arguments.kit, origin, runs: Mutex::default() });
    let routes = Router::new()
        .route("/v1/info", get(app::info))
        .route("/v1/parameters", get(app::parameters))
        .route("/v1/chat-messages", post(turn::chat))
        .route("/v1/chat-messages/{task_id}/stop", post(turn::stop))
        .route("/v1/workflows/run", post(turn::workflow))
        .route("/v1/workflows/tasks/{task_id}/stop", post(turn::stop))
        .route("/v1/workflows/run/{run_id}", get(events::detail))
        .route("/v1/workflow/{run_id}/events", get(events::join))
        .route("/v1/form/human_input/{token}", get(events::form).post(events::submit))
        .route("/files/tools/{name}", get(app::file))
        .with_state(dify);
    axum::serve(listener, routes).await?;
    Ok(())
}

/// The server.
struct Dify {
    app: App,
    kit: Kit,
    /// Where it is, without a slash at the end.
    origin: String,
    /// All runs, by their ids.
    runs: Mutex<HashMap<String, Arc<Run>>>,
}

impl Dify {
    fn keep(&self, run: &Arc<Run>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(run.ids.run.clone(), Arc::clone(run));
    }

    fn run(&self, id: &str) -> Option<Arc<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The run that this is true of.
    fn find(&self, is_meant: impl Fn(&Run) -> bool) -> Option<Arc<Run>> {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.values().find(|run| is_meant(run)).cloned()
    }
}
