//! What callers can ask for, in the gateway's own form. Every dialect decodes to these.

use std::sync::Arc;

use jiff::Timestamp;

use super::accepted::Accepted;
use super::ids::{ContextId, TaskId};
use super::message::{Json, Message};
use super::state::TaskState;

/// Send a message (A2A 1.0 §3.1.1, §3.1.2).
#[derive(Clone, Debug)]
pub struct Send {
    /// What is said.
    pub message: Message,
    /// Answer at once with the task as it is, instead of waiting for its end. Streams ignore it.
    pub return_immediately: bool,
    /// How much history the answer may have; `None` is all.
    pub history_length: Option<u32>,
    /// The request's own metadata, a JSON object.
    pub metadata: Option<Json>,
    /// What the caller accepts for an answer.
    pub accepted: Accepted,
    /// The id of the trace that the request belongs to, if the caller told one.
    pub trace_id: Option<Arc<str>>,
    /// Whether a webhook was asked for.
    pub wants_push: bool,
}

/// Read a task (A2A 1.0 §3.1.3).
#[derive(Clone, Debug)]
pub struct Get {
    /// Which task.
    pub id: TaskId,
    /// How much history; `None` is all.
    pub history_length: Option<u32>,
}

/// Where a page of a list begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PageStart {
    /// Right after this task in the list's order.
    After {
        /// The task's status time.
        at: Timestamp,
        /// The task.
        id: TaskId,
    },
    /// After so many tasks.
    Offset(usize),
}

/// Read many tasks, newest status first (A2A 1.0 §3.1.4).
#[derive(Clone, Debug)]
pub struct List {
    /// Only tasks of this context.
    pub context_id: Option<ContextId>,
    /// Only tasks in this state.
    pub state: Option<TaskState>,
    /// Only tasks whose status is not older than this.
    pub status_after: Option<Timestamp>,
    /// How many tasks at most.
    pub page_size: usize,
    /// Where to begin.
    pub start: PageStart,
    /// How much history; `None` is all.
    pub history_length: Option<u32>,
    /// Whether the artifacts are wanted.
    pub include_artifacts: bool,
}

/// Stop a task (A2A 1.0 §3.1.5).
#[derive(Clone, Debug)]
pub struct Cancel {
    /// Which task.
    pub id: TaskId,
}

/// Follow a task (A2A 1.0 §3.1.6).
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Which task.
    pub id: TaskId,
}
