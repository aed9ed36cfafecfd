//! Turns: a request of any kind of app comes in, a stream of events goes out, recorded or made up.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::Replay;
use crate::app::{App, Kind, Refusal, is_plain};
use crate::memory::Begun;
use crate::recording::Recording;
use crate::script::{Says, Script};
use crate::voice::Voice;

#[derive(Deserialize)]
pub struct TurnRequest {
    query: Option<String>,
    pub user: String,
    response_mode: String,
    pub conversation_id: Option<String>,
    inputs: serde_json::Map<String, Value>,
}

impl TurnRequest {
    /// What the caller says to an app of this kind, if it can be told anything.
    fn said(&self, kind: Kind) -> Option<String> {
        let input = |name: &str| self.inputs.get(name).and_then(Value::as_str).map(str::to_owned);
        match kind {
            Kind::Chat | Kind::Chatflow => self.query.clone(),
            Kind::Completion => input("query"),
            Kind::Workflow => input("text"),
        }
    }

    /// The ids of the uploads that the inputs name.
    fn uploads(&self) -> impl Iterator<Item = &str> {
        let files = self.inputs.values().flat_map(|value| match value {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        });
        files.filter_map(|file| file.get("upload_file_id")?.as_str())
    }
}

pub async fn chat(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Json(request): Json<TurnRequest>,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect_chat()?;
    turn(&replay, &app, request).await
}

pub async fn completion(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Json(request): Json<TurnRequest>,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect(&[Kind::Completion], "app_unavailable")?;
    turn(&replay, &app, request).await
}

pub async fn workflow(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Json(request): Json<TurnRequest>,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect(&[Kind::Workflow], "not_workflow_app")?;
    turn(&replay, &app, request).await
}

async fn turn(replay: &Replay, app: &App, request: TurnRequest) -> Result<Response, Refusal> {
    if request.response_mode != "streaming" {
        return Err(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "this stand-in only streams"));
    }
    let kind = app.kind();
    let Some(query) = request.said(kind) else {
        return replayed(replay, app, &format!("{}_ok", app.name), &request);
    };
    if let Some(case) = query.trim().strip_prefix("replay:") {
        return replayed(replay, app, case, &request);
    }
    let script = Script::of(&query);
    let says = Says::of(&query);
    let Begun { ids, answer, stopping } = replay.memory().begin(kind, query, request, says)?;
    let voice = Voice { ids, kind, is_old: app.version.starts_with("0.") };
    if !kind.is_workflow() {
        // a chat app's headers come with its first frame
        tokio::time::sleep(script.silence).await;
    }
    let (sender, receiver) = mpsc::channel(1);
    let delay = script.between.unwrap_or(replay.delay);
    // a reader that goes away ends the turn
    tokio::spawn(async move { voice.say(&sender, &answer, &script, delay, &stopping).await });
    Ok(event_stream(receiver))
}

fn replayed(replay: &Replay, app: &App, case: &str, request: &TurnRequest) -> Result<Response, Refusal> {
    let file = app.folder.join(format!("{case}.http"));
    let recording = Some(case).filter(|case| is_plain(case)).and_then(|_| Recording::read(&file));
    let recording =
        recording.ok_or(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "there is no such recording"))?;
    if !recording.content_type.starts_with("text/event-stream") {
        return Ok(recording.respond());
    }
    let frames = recording.frames(&replay.origin);
    let told = frames.concat();
    let is_told = |id: &str| told.windows(id.len()).any(|window| window == id.as_bytes());
    if !request.uploads().all(|id| !id.is_empty() && is_told(id)) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "Invalid upload file"));
    }
    let delay = replay.delay;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for frame in frames {
            if sender.send(frame).await.is_err() {
                return;
            }
            tokio::time::sleep(delay).await;
        }
    });
    Ok(event_stream(receiver))
}

fn event_stream(frames: mpsc::Receiver<Bytes>) -> Response {
    let frames = futures_util::stream::unfold(frames, |mut frames| async {
        let frame = frames.recv().await?;
        Some((Ok::<_, Infallible>(frame), frames))
    });
    let content_type = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    (content_type, Body::from_stream(frames)).into_response()
}
