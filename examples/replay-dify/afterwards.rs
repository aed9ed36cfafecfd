//! What can be asked and done beside and after a turn: stops, runs, messages, conversations, and what was asked.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Replay;
use crate::app::{Kind, Refusal};
use crate::recording::recorded;

/// What a run came to; there is none that is remembered.
pub async fn run_detail(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect(&[Kind::Workflow, Kind::Chatflow], "not_workflow_app")?;
    Ok(recorded(&app, "workflow_run_detail_unknown"))
}

#[derive(Deserialize)]
pub struct StopRequest {
    user: String,
}

/// Dify answers every stop alike, but heeds only that of the user who began the turn.
pub async fn stop(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    UrlPath(task_id): UrlPath<String>,
    Json(request): Json<StopRequest>,
) -> Result<Json<Value>, Refusal> {
    replay.app(&headers)?;
    if let Some(turn) = replay.memory().turns.iter_mut().find(|turn| turn.task_id == task_id) {
        if turn.user == request.user {
            turn.stopping.cancel();
        }
        turn.stopped_by.push(request.user);
    }
    Ok(Json(json!({"result": "success"})))
}

#[derive(Deserialize)]
pub struct MessagesQuery {
    conversation_id: String,
    user: String,
}

pub async fn messages(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Value>, Refusal> {
    replay.app(&headers)?.expect_chat()?;
    let memory = replay.memory();
    let conversation = memory
        .conversations
        .get(&query.conversation_id)
        .filter(|conversation| conversation.user == query.user)
        .ok_or(Refusal(StatusCode::NOT_FOUND, "not_found", "Conversation Not Exists."))?;
    Ok(Json(json!({"limit": 20, "has_more": false, "data": conversation.messages})))
}

#[derive(Deserialize)]
pub struct ConversationsQuery {
    user: String,
}

pub async fn conversations(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Query(query): Query<ConversationsQuery>,
) -> Result<Json<Value>, Refusal> {
    replay.app(&headers)?.expect_chat()?;
    let memory = replay.memory();
    let theirs: Vec<Value> = memory
        .conversations
        .iter()
        .filter(|(_, conversation)| conversation.user == query.user)
        .map(|(id, _)| json!({"id": id, "name": "New conversation", "inputs": {}, "status": "normal"}))
        .collect();
    Ok(Json(json!({"limit": 20, "has_more": false, "data": theirs})))
}

pub async fn turns(State(replay): State<Arc<Replay>>) -> Json<Value> {
    let memory = replay.memory();
    let turns: Vec<Value> = memory
        .turns
        .iter()
        .map(|turn| {
            json!({
                "query": turn.query, "user": turn.user, "conversation_id": turn.conversation_id,
                "task_id": turn.task_id, "stopped_by": turn.stopped_by,
            })
        })
        .collect();
    Json(json!({"turns": turns}))
}
