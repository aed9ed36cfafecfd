//! A stand-in for Dify that replays what real Dify servers answered, for judging the gateway from outside.
//!
//! ```text
//! cargo run --example replay-dify -- fixtures/dify [--listen 127.0.0.1:0] [--delay-ms 15]
//! ```
//!
//! It prints its address on one line of stdout. The API key picks the app, as with Dify: `app-1.14.2-chat_basic` is the
//! app whose `info_chat_basic.http` and `parameters_chat_basic.http` lie in the folder `1.14.2`. The query (of a text
//! generator its input `query`, of a workflow its input `text`) picks what the app says:
//!
//! | query | answer |
//! | --- | --- |
//! | `replay:CASE` | the recording `CASE.http` of the app's version, frame by frame |
//! | `hold TEXT` | TEXT, and then only pings until the turn is stopped |
//! | `slow MS TEXT` | nothing for MS milliseconds, then TEXT |
//! | `drip MS TEXT` | TEXT, a word each MS milliseconds |
//! | `My name is NAME.` | a greeting; the conversation remembers the name |
//! | `What is my name?` | the name, if this is the conversation that was told it |
//! | anything else | `You said: …` |
//!
//! A workflow that takes no text gives its recording `APP_ok.http`, if the uploads it is given are those of the
//! recording. An upload gets the answer that Dify gave to a file of that name; its bytes can be fetched where the
//! recordings say, but for the host, which is this server instead of the one that was recorded.
//!
//! `GET /replay/turns` tells what it was asked, and who stopped what.
#![expect(clippy::print_stdout, reason = "the address on stdout is how a caller finds the server")]

mod afterwards;
mod app;
mod files;
mod memory;
mod recording;
mod script;
mod turn;
mod voice;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use clap::Parser;

use app::{App, Refusal, is_plain};
use memory::Memory;

#[derive(Parser)]
#[command(about = "Replays recorded answers of Dify")]
struct Arguments {
    /// The folder that holds one folder of recordings for each version of Dify.
    recordings: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long to wait between two frames.
    #[arg(long, default_value_t = 15)]
    delay_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("{origin}");
    let replay = Arc::new(Replay {
        recordings: arguments.recordings,
        delay: Duration::from_millis(arguments.delay_ms),
        origin,
        memory: Mutex::default(),
    });
    let routes = Router::new()
        .route("/v1/info", get(recording::info))
        .route("/v1/parameters", get(recording::parameters))
        .route("/v1/site", get(recording::site))
        .route("/v1/chat-messages", post(turn::chat))
        .route("/v1/chat-messages/{task_id}/stop", post(afterwards::stop))
        .route("/v1/completion-messages", post(turn::completion))
        .route("/v1/completion-messages/{task_id}/stop", post(afterwards::stop))
        .route("/v1/workflows/run", post(turn::workflow))
        .route("/v1/workflows/run/{run_id}", get(afterwards::run_detail))
        .route("/v1/workflows/tasks/{task_id}/stop", post(afterwards::stop))
        .route("/v1/files/upload", post(files::upload))
        .route("/files/{id}/file-preview", get(files::preview))
        .route("/v1/messages", get(afterwards::messages))
        .route("/v1/conversations", get(afterwards::conversations))
        .route("/replay/turns", get(afterwards::turns))
        .with_state(replay);
    axum::serve(listener, routes).await?;
    Ok(())
}

struct Replay {
    recordings: PathBuf,
    delay: Duration,
    /// Where this server is, without a slash at the end.
    origin: String,
    memory: Mutex<Memory>,
}

impl Replay {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The app that the request's key belongs to.
    fn app(&self, headers: &HeaderMap) -> Result<App, Refusal> {
        let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (version, name) = key
            .and_then(|key| key.strip_prefix("Bearer app-"))
            .and_then(|key| key.split_once('-'))
            .filter(|(version, name)| is_plain(version) && is_plain(name))
            .ok_or(Refusal(StatusCode::UNAUTHORIZED, "unauthorized", "Access token is invalid"))?;
        let folder = self.recordings.join(version);
        if !folder.join(format!("info_{name}.http")).is_file() {
            return Err(Refusal(StatusCode::UNAUTHORIZED, "unauthorized", "Access token is invalid"));
        }
        Ok(App { folder, name: name.to_owned(), version: version.to_owned() })
    }
}
