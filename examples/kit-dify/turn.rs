//! Turns: a request to begin one, or to stop it, comes in; the run's stream goes out.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::Dify;
use crate::app::{App, refusal, told};
use crate::run::Run;
use crate::script::Script;

#[derive(Deserialize)]
pub struct TurnRequest {
    user: String,
    response_mode: String,
    #[serde(default)]
    conversation_id: Option<String>,
    /// The `messageId`, where it can be one.
    #[serde(default)]
    trace_id: Option<String>,
}

pub async fn chat(State(dify): State<Arc<Dify>>, Json(request): Json<TurnRequest>) -> Response {
    match dify.app {
        App::Chatflow => begin(&dify, request),
        App::Workflow => wrong_app("not_chat_app"),
    }
}

pub async fn workflow(State(dify): State<Arc<Dify>>, Json(request): Json<TurnRequest>) -> Response {
    match dify.app {
        App::Chatflow => wrong_app("not_workflow_app"),
        App::Workflow => begin(&dify, request),
    }
}

fn wrong_app(code: &str) -> Response {
    let message = "Please check if your app mode matches the right API route.";
    refusal(StatusCode::BAD_REQUEST, code, message)
}

fn begin(dify: &Dify, request: TurnRequest) -> Response {
    let TurnRequest { user, response_mode, conversation_id, trace_id } = request;
    if response_mode != "streaming" {
        return refusal(StatusCode::BAD_REQUEST, "invalid_param", "this stand-in only streams");
    }
    let script = Script::of(dify.kit, trace_id.as_deref().unwrap_or_default());
    let conversation = conversation_id.filter(|id| !id.is_empty());
    let (run, frames) = Run::begin(dify, user, conversation, script);
    dify.keep(&run);
    event_stream(frames)
}

/// Dify answers every stop alike.
pub async fn stop(
    State(dify): State<Arc<Dify>>,
    Path(task_id): Path<String>,
    Json(request): Json<Value>,
) -> Response {
    let user = request.get("user").and_then(Value::as_str).unwrap_or_default();
    if let Some(run) = dify.find(|run| run.ids.task == task_id && run.user == user) {
        run.stop.cancel();
    }
    told(StatusCode::OK, json!({"result": "success"}))
}

pub fn event_stream(frames: UnboundedReceiver<Bytes>) -> Response {
    let frames = futures_util::stream::unfold(frames, |mut frames| async {
        let frame = frames.recv().await?;
        Some((Ok::<_, Infallible>(frame), frames))
    });
    let content_type = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    (content_type, Body::from_stream(frames)).into_response()
}
