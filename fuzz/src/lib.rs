//! What the fuzz targets share.

pub mod chop;
pub mod dialect;
pub mod standard;
pub mod values;

use std::sync::Arc;

use dify_a2a::core::event::Status;
use dify_a2a::core::facts::Facts;
use dify_a2a::core::ids::Caller;
use dify_a2a::core::message::Message;
use dify_a2a::core::state::TaskState;
use dify_a2a::core::task::Task;
use jiff::Timestamp;

/// A task that has just been accepted, with these messages.
pub fn task(history: Vec<Message>) -> Task {
    Task {
        id: "task-1".into(),
        context_id: "context-1".into(),
        caller: Caller::anonymous(),
        created_at: Timestamp::UNIX_EPOCH,
        status: Arc::new(Status::plain(TaskState::Submitted, Timestamp::UNIX_EPOCH)),
        history: history.into_iter().map(Arc::new).collect(),
        artifacts: Vec::new(),
        facts: Arc::new(Facts::default()),
    }
}
