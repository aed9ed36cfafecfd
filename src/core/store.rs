//! What the core asks of whoever keeps tasks. Running tasks live in their logs; a store keeps records of them.
//!
//! Promises of every store: what was put is what is read, whole; the newest put of a task wins; a list is in
//! the order of status time, newest first, ties by id; a task is visible to its caller alone when listed
//! (reading by id is the core's to check). The suite in `store::contract` holds every store to this.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::command::{List, PageStart};
use super::ids::{Caller, ContextId, TaskId};
use super::message::Json;
use super::task::Task;

/// A context as its owner knows it: two callers with the same `contextId` have two contexts.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ContextKey {
    /// Whose it is.
    pub caller: Caller,
    /// The caller's name for it.
    pub id: ContextId,
}

/// What is kept of a context between turns.
#[derive(Clone, Debug)]
pub struct ContextRecord {
    /// The backend's id of the conversation, if the app has conversations and one has begun.
    pub conversation_id: Option<Arc<str>>,
    /// The user the conversation was begun for; the backend gives it to nobody else.
    pub user: Arc<str>,
    /// The inputs that the caller has given, a JSON object: they go with every turn.
    pub inputs: Option<Json>,
    /// When it was last used.
    pub used_at: Timestamp,
}

impl PartialEq for ContextRecord {
    fn eq(&self, other: &Self) -> bool {
        let inputs = |record: &Self| record.inputs.as_ref().map(|inputs| inputs.get().to_owned());
        (&self.conversation_id, &self.user, self.used_at)
            == (&other.conversation_id, &other.user, other.used_at)
            && inputs(self) == inputs(other)
    }
}

/// One page of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The tasks of this page.
    pub tasks: Vec<Arc<Task>>,
    /// How many tasks match in all.
    pub total: usize,
    /// Where the next page begins, if there is one.
    pub next: Option<PageStart>,
}

/// Why a store could not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// It holds as many tasks as it may, and none of them has ended.
    #[error("the store is full of running tasks")]
    Full,
    /// It is out of reach or broken; for the operator.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// The result of asking a store.
pub type Stored<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps tasks and contexts.
pub trait Store: Send + Sync + 'static {
    /// Keeps a task, replacing an earlier record of it.
    fn put_task(&self, task: Arc<Task>) -> Stored<'_, ()>;

    /// The record of a task.
    fn task<'a>(&'a self, id: &'a TaskId) -> Stored<'a, Option<Arc<Task>>>;

    /// A page of one caller's tasks.
    fn list<'a>(&'a self, caller: &'a Caller, query: &'a List) -> Stored<'a, Page>;

    /// Keeps a context, replacing an earlier record of it.
    fn put_context(&self, key: ContextKey, record: ContextRecord) -> Stored<'_, ()>;

    /// The record of a context.
    fn context<'a>(&'a self, key: &'a ContextKey) -> Stored<'a, Option<ContextRecord>>;

    /// Forgets what is older than it may be, as of `now`.
    fn sweep(&self, now: Timestamp) -> Stored<'_, ()>;

    /// Whether the store could serve now.
    fn check(&self) -> Stored<'_, ()>;
}
