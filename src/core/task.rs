//! A task as it is at one moment: what a client reads, what a store keeps.

use std::sync::Arc;

use jiff::Timestamp;

use super::artifact::Whole;
use super::event::{Status, StatusNote, TextArtifact};
use super::facts::Facts;
use super::ids::{Caller, ContextId, TaskId};
use super::message::{Message, Role};

/// One artifact of a task.
#[derive(Clone, Debug)]
pub enum Artifact {
    /// A text that has grown to this.
    Text {
        /// Which one.
        kind: TextArtifact,
        /// Its text so far.
        text: String,
    },
    /// One that came in one piece.
    Whole(Arc<Whole>),
}

impl Artifact {
    /// The text, if it is this text artifact.
    pub fn as_text(&self, wanted: TextArtifact) -> Option<&str> {
        match self {
            Self::Text { kind, text } if *kind == wanted => Some(text),
            Self::Text { .. } | Self::Whole(_) => None,
        }
    }
}

/// A snapshot of a task (A2A 1.0 `Task`).
#[derive(Clone, Debug)]
pub struct Task {
    /// The task's id.
    pub id: TaskId,
    /// The context it belongs to.
    pub context_id: ContextId,
    /// Whose task it is.
    pub caller: Caller,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Where it stands.
    pub status: Arc<Status>,
    /// What was said, oldest first: the message that began the task, then questions of the task and their answers.
    pub history: Vec<Arc<Message>>,
    /// What the agent has produced so far: the answer first, what came in one piece last.
    pub artifacts: Vec<Artifact>,
    /// What is known beside the text.
    pub facts: Arc<Facts>,
}

impl Task {
    /// Keeps only the newest `limit` messages of the history (A2A 1.0 §3.2.4); `None` keeps all.
    pub fn limit_history(&mut self, limit: Option<u32>) {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { return };
        let surplus = self.history.len().saturating_sub(limit);
        self.history.drain(..surplus);
    }

    /// The answer's text so far.
    pub fn answer(&self) -> Option<&str> {
        self.text(TextArtifact::Answer)
    }

    /// The text of an artifact so far.
    pub fn text(&self, wanted: TextArtifact) -> Option<&str> {
        self.artifacts.iter().find_map(|artifact| artifact.as_text(wanted))
    }

    /// What the task asks, if it does, as a message of its own.
    pub fn question(&self) -> Option<Message> {
        let Some((id, StatusNote::Ask(ask))) = &self.status.note else { return None };
        Some(Message {
            id: id.clone(),
            role: Role::Agent,
            parts: ask.parts.clone(),
            context_id: Some(self.context_id.clone()),
            task_id: Some(self.id.clone()),
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        })
    }
}
