//! Messages and their parts, in the gateway's own form. JSON that belongs to users passes through verbatim.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::ids::{ContextId, FileId, MessageId, TaskId};

/// A piece of somebody else's JSON, kept as the text it arrived in: numbers keep their digits, keys their order.
pub type Json = Arc<RawValue>;

/// Who wrote a message (A2A 1.0 `Role`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// The agent's side.
    Agent,
    /// The client's side.
    User,
}

/// A file that the gateway keeps and serves by itself. On the wire it is an address, or its bytes.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its id.
    pub id: FileId,
    /// Its size, bytes.
    pub size: u64,
    /// The file itself, if it is small enough to travel within an answer.
    pub small: Option<Bytes>,
}

/// What a part carries: exactly one of four kinds (A2A 1.0 `Part`), one of them in two forms.
#[derive(Clone, Debug)]
pub enum Content {
    /// Any JSON value.
    Data(Json),
    /// The bytes of a file.
    Raw(Bytes),
    /// A file that the gateway serves. Never in a message of a caller.
    Served(Served),
    /// Text.
    Text(String),
    /// The address of a file.
    Url(String),
}

/// One part of a message or artifact.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it carries.
    pub content: Content,
    /// File name, if told.
    pub filename: Option<String>,
    /// Media type, if told.
    pub media_type: Option<String>,
    /// The author's own metadata, a JSON object.
    pub metadata: Option<Json>,
}

impl Part {
    /// A plain text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: Content::Text(text.into()), filename: None, media_type: None, metadata: None }
    }

    /// A part of JSON.
    pub fn data(json: Json) -> Self {
        Self {
            content: Content::Data(json),
            filename: None,
            media_type: Some("application/json".to_owned()),
            metadata: None,
        }
    }

    /// The text, if this is a text part.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Data(_) | Content::Raw(_) | Content::Served(_) | Content::Url(_) => None,
        }
    }
}

/// One message (A2A 1.0 `Message`).
#[derive(Clone, Debug)]
pub struct Message {
    /// The author's id for it.
    pub id: MessageId,
    /// Who wrote it.
    pub role: Role,
    /// What it says, at least one part.
    pub parts: Vec<Part>,
    /// The context it belongs to; always set on messages of the gateway.
    pub context_id: Option<ContextId>,
    /// The task it belongs to.
    pub task_id: Option<TaskId>,
    /// The author's own metadata, a JSON object.
    pub metadata: Option<Json>,
    /// URIs of the extensions it uses.
    pub extensions: Vec<String>,
    /// Other tasks it refers to.
    pub reference_task_ids: Vec<TaskId>,
}
