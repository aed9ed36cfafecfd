//! What the stand-in remembers: conversations, turns and files.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::{Kind, Refusal};
use crate::script::Says;
use crate::turn::TurnRequest;

/// What the stand-in remembers of its callers.
#[derive(Default)]
pub struct Memory {
    pub conversations: HashMap<String, Conversation>,
    pub turns: Vec<Turn>,
    /// By their ids.
    pub uploads: HashMap<String, Upload>,
}

/// A file that somebody sent.
#[derive(Clone)]
pub struct Upload {
    pub media_type: String,
    pub bytes: Bytes,
}

pub struct Conversation {
    pub user: String,
    pub name: Option<String>,
    pub messages: Vec<Value>,
}

pub struct Turn {
    pub query: String,
    pub user: String,
    pub conversation_id: String,
    pub task_id: String,
    pub stopped_by: Vec<String>,
    pub stopping: CancellationToken,
}

/// The ids that Dify gives to a turn.
pub struct Ids {
    pub conversation: String,
    pub message: String,
    pub task: String,
    pub run: String,
}

/// A turn that has begun.
pub struct Begun {
    pub ids: Ids,
    pub answer: String,
    pub stopping: CancellationToken,
}

impl Memory {
    /// Begins a turn: of a chat in the conversation that the request names, or in a new one.
    pub fn begin(
        &mut self,
        kind: Kind,
        query: String,
        request: TurnRequest,
        says: Says,
    ) -> Result<Begun, Refusal> {
        let TurnRequest { user, conversation_id, .. } = request;
        let named = conversation_id.filter(|id| !id.is_empty());
        let is_chat = matches!(kind, Kind::Chat | Kind::Chatflow);
        let ids = Ids {
            conversation: named.clone().unwrap_or_else(|| Uuid::now_v7().to_string()),
            message: Uuid::now_v7().to_string(),
            task: Uuid::now_v7().to_string(),
            run: Uuid::now_v7().to_string(),
        };
        // an app that is no chat remembers nothing
        let mut alone = Conversation { user: user.clone(), name: None, messages: Vec::new() };
        if is_chat && named.is_none() {
            let conversation = Conversation { user: user.clone(), name: None, messages: Vec::new() };
            self.conversations.insert(ids.conversation.clone(), conversation);
        }
        // Dify hides a conversation from everybody but the user who began it
        let theirs =
            self.conversations.get_mut(&ids.conversation).filter(|conversation| conversation.user == user);
        let conversation = if is_chat { theirs } else { Some(&mut alone) };
        let conversation =
            conversation.ok_or(Refusal(StatusCode::NOT_FOUND, "not_found", "Conversation Not Exists."))?;
        let answer = match says {
            Says::Text(text) => text,
            Says::Greeting(name) => format!("Nice to meet you, {}.", conversation.name.insert(name)),
            Says::NameOfCaller => match &conversation.name {
                Some(name) => format!("Your name is {name}."),
                None => "I do not know your name.".to_owned(),
            },
        };
        conversation.messages.push(json!({
            "id": ids.message, "conversation_id": ids.conversation, "inputs": {}, "query": query,
            "answer": answer, "message_files": [], "feedback": null, "retriever_resources": [],
            "agent_thoughts": [], "status": "normal", "error": null,
        }));
        let stopping = CancellationToken::new();
        self.turns.push(Turn {
            query,
            user,
            conversation_id: ids.conversation.clone(),
            task_id: ids.task.clone(),
            stopped_by: Vec::new(),
            stopping: stopping.clone(),
        });
        Ok(Begun { ids, answer, stopping })
    }
}
