//! The chat app: remembers names, greets, and echoes; some words make it slow, long, thoughtful or fail.
//!
//! `script` decides what is said, `turn` says it piece by piece.

mod script;
#[cfg(test)]
mod tests;
mod turn;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderMap;

use super::conversations;
use super::history::{self, ChatRequest};
use super::request::{self, Mode};
use super::skeleton::{self, About, Shared};
use super::stream::stream_response;
use super::wire::{object, ok};
use turn::{Begun, Turn};

/// What it tells about itself.
pub(super) fn about() -> About {
    About {
        name: "Demo",
        description: "A small chat app that is built into the gateway: it remembers your name.",
        mode: "chat",
        icon: "🤖",
        opening: "Hello! Tell me your name and I will remember it.",
        suggested: &["My name is Alice", "What is my name?", "Count slowly"],
        form: Vec::new(),
        file_upload: object! {"image": object! {
            "enabled": false, "number_limits": 3, "detail": "high",
            "transfer_methods": ["remote_url", "local_file"],
        }},
        moderation: object! {"enabled": false, "type": "", "configs": [(); 0]},
    }
}

/// Its own routes.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/chat-messages", post(chat))
        .route("/chat-messages/{task_id}/stop", post(stop))
        .route("/messages", get(history::messages))
        .route("/conversations", get(history::conversations))
        .route("/workflows/run", skeleton::wrong_mode("not_workflow_app"))
}

async fn chat(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let request = request::json_object(&headers, &body).and_then(|body| ChatRequest::read(&body));
    let ChatRequest { user, query, conversation, mode } = match request {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let now = jiff::Timestamp::now().as_second();
    let begun = state.conversations.begin(&user, conversation, now, |conversation| {
        let script = script::answer(&query, conversation.note.as_deref());
        conversation.note = script::name_in(&query).or_else(|| conversation.note.take());
        (script, conversation.words() + conversations::words(&query))
    });
    let Ok((conversation, (script, prompt_words))) = begun else {
        return request::no_conversation("/v1/chat-messages");
    };
    let (task, stop) = state.stops.register(&user);
    let begun = Begun { conversation, task, stop, script, prompt_words };
    let turn = Turn::new(state, begun, query, now);
    match mode {
        Mode::Blocking => turn.blocking().await,
        Mode::Streaming => stream_response(Body::from_stream(turn.frames())),
    }
}

async fn stop(
    State(state): State<Shared>,
    Path(task): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let user = match request::json_object(&headers, &body).and_then(|body| request::user_of(&body)) {
        Ok(user) => user,
        Err(refusal) => return *refusal,
    };
    if let Ok(task) = task.parse() {
        state.stops.stop(task, &user);
    }
    ok(&object! {"result": "success"})
}
