//! `/messages` and `/conversations`: pages of what was said, for their user only.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::response::Response;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::conversations::{Message, Standing};
use super::request::{self, no_conversation, suffixed};
use super::skeleton::Shared;
use super::wire::{Object, object, ok};

/// Items of a list unless the request says otherwise, and at most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// `GET /messages`.
pub(super) async fn messages(
    State(state): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let Some(id) = query.get("conversation_id").and_then(|id| id.parse::<Uuid>().ok()) else {
        return *request::invalid("conversation_id must be a valid UUID");
    };
    let Ok(conversation) = state.conversations.get(id, request::reader_of(&query)) else {
        return no_conversation("/v1/messages");
    };
    let limit = limit_of(&query);
    let before = match query.get("first_id").filter(|first| !first.is_empty()) {
        None => conversation.messages.len(),
        Some(first) => {
            let position = conversation.messages.iter().position(|message| message.id.to_string() == *first);
            let Some(position) = position else {
                return suffixed("First Message Not Exists.", "/v1/messages");
            };
            position
        }
    };
    let from = before.saturating_sub(limit);
    let page = conversation.messages.get(from..before).unwrap_or_default();
    let data: Vec<Object> = page.iter().map(|message| message_json(id, message)).collect();
    ok(&object! {"limit": limit, "has_more": from > 0, "data": data})
}

fn message_json(conversation: Uuid, message: &Message) -> Object {
    let (status, error) = match message.standing {
        Standing::Error(error) => ("error", Some(error)),
        Standing::Normal => ("normal", None),
        Standing::Paused => ("paused", None),
    };
    object! {
        "id": message.id.to_string(),
        "conversation_id": conversation.to_string(),
        "parent_message_id": Uuid::nil().to_string(),
        "inputs": Object::new(),
        "query": message.query,
        "answer": message.answer,
        "feedback": (),
        "retriever_resources": [(); 0],
        "created_at": message.created_at,
        "agent_thoughts": [(); 0],
        "message_files": [(); 0],
        "status": status,
        "error": error,
        "extra_contents": message.extra,
    }
}

/// `GET /conversations`.
pub(super) async fn conversations(
    State(state): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let all = state.conversations.list(request::reader_of(&query));
    let last = query.get("last_id").and_then(|last| last.parse::<Uuid>().ok());
    let start = last.and_then(|last| all.iter().position(|(id, _, _)| *id == last)).map_or(0, |at| at + 1);
    let limit = limit_of(&query);
    let rest = all.get(start..).unwrap_or_default();
    let page = rest.iter().take(limit).map(|(id, created_at, updated_at)| {
        object! {
            "id": id.to_string(),
            "name": "New conversation",
            "inputs": Object::new(),
            "status": "normal",
            "introduction": state.about.opening,
            "created_at": created_at,
            "updated_at": updated_at,
        }
    });
    let data: Vec<Object> = page.collect();
    ok(&object! {"limit": limit, "has_more": rest.len() > limit, "data": data})
}

fn limit_of(query: &HashMap<String, String>) -> usize {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok());
    limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE)
}

/// The body of `/chat-messages` as Dify reads it.
#[derive(Debug)]
pub(super) struct ChatRequest {
    /// Who asks.
    pub(super) user: String,
    /// What they say.
    pub(super) query: String,
    /// Where it belongs to, if not into a new conversation.
    pub(super) conversation: Option<Uuid>,
    /// How they want the answer.
    pub(super) mode: request::Mode,
}

impl ChatRequest {
    /// Reads it, with the complaints that Dify would have.
    pub(super) fn read(body: &Map<String, Value>) -> Result<Self, request::Refusal> {
        let user = request::user_of(body)?;
        let mut faults = request::Faults::of("ChatRequestPayload", body);
        faults.inputs();
        let query = body.get("query").and_then(Value::as_str);
        if query.is_none() {
            faults.add("query", "Input should be a valid string", "string_type");
        }
        let mode = faults.mode();
        let conversation = match body.get("conversation_id") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) if id.trim().is_empty() => Ok(None),
            Some(Value::String(id)) => id.parse().map(Some).map_err(drop),
            Some(_) => Err(()),
        };
        if conversation.is_err() {
            let wanted = "Value error, conversation_id must be a valid UUID";
            faults.add("conversation_id", wanted, "value_error");
        }
        let conversation = conversation.unwrap_or_default();
        faults.end()?;
        match query {
            Some(query) if !query.is_empty() => {
                Ok(Self { user, query: query.to_owned(), conversation, mode })
            }
            _ => Err(request::invalid("query is required")),
        }
    }
}
