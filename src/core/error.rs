//! The one error of the core: what went wrong with a request, what the caller may read, whether trying again can help.
//!
//! Trouble inside a turn is not an error of this kind: it ends the task as failed, see [`super::event::Failure`].

use std::time::Duration;

use super::ids::TaskId;
use super::state::TaskState;

/// A field of the request that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldViolation {
    /// Path of the field in the caller's own spelling, such as `message.parts`.
    pub field: String,
    /// What is wrong with it and what is allowed.
    pub description: String,
}

impl FieldViolation {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }
}

/// Why a request was refused. Display is what the caller may read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// As many turns run as may (`MAX_CONCURRENT_TURNS`), or a queue is full.
    #[error("the gateway is busy: {what}; try again later")]
    Busy {
        /// Which ceiling was reached.
        what: &'static str,
        /// When another try makes sense.
        retry_after: Duration,
    },
    /// A part is of a kind that the app cannot take.
    #[error("{0}")]
    ContentTypeNotSupported(String),
    /// The gateway is shutting down.
    #[error("the gateway is shutting down; try again later")]
    Draining,
    /// Something broke in the gateway; the log has the rest.
    #[error("internal error")]
    Internal(String),
    /// The request itself is wrong.
    #[error("invalid parameters: {}", join(.0))]
    InvalidParams(Vec<FieldViolation>),
    /// Push notifications are off.
    #[error("push notifications are not supported by this agent")]
    PushNotSupported,
    /// The task has ended, so it cannot be cancelled.
    #[error("task {id} has already {}, so it cannot be canceled", ended(*.state))]
    TaskNotCancelable {
        /// The task.
        id: TaskId,
        /// How it ended.
        state: TaskState,
    },
    /// No such task, or another caller's.
    #[error("task not found: {0}")]
    TaskNotFound(TaskId),
    /// The operation does not fit the task's state or the agent's capabilities.
    #[error("{0}")]
    UnsupportedOperation(String),
}

impl Error {
    /// One wrong field.
    pub fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::InvalidParams(vec![FieldViolation::new(field, description)])
    }
}

/// How a task ended, after "has".
fn ended(state: TaskState) -> &'static str {
    match state {
        TaskState::Canceled => "been canceled",
        TaskState::Rejected => "been rejected",
        _ => state.as_str(),
    }
}

fn join(violations: &[FieldViolation]) -> String {
    let mut text = String::new();
    for violation in violations {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&violation.field);
        text.push_str(": ");
        text.push_str(&violation.description);
    }
    text
}
