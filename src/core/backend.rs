//! What the core asks of whoever does the work. Dify implements it; the core never learns more of Dify than this.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::event::{Outcome, TaskEvent};
use super::ids::{ContextId, TaskId};
use super::message::Message;

/// One turn to run.
#[derive(Clone, Debug)]
pub struct TurnRequest {
    /// The task it is for.
    pub task_id: TaskId,
    /// The context it belongs to.
    pub context_id: ContextId,
    /// What the caller said.
    pub message: Arc<Message>,
    /// For whom the backend works: the same for every call of one conversation.
    pub user: String,
    /// The backend's own id of the conversation, from an earlier turn.
    pub conversation_id: Option<Arc<str>>,
    /// Fires when the turn shall stop.
    pub stop: CancellationToken,
}

/// Where a running turn reports what happens.
pub trait Sink: Send {
    /// Takes one event, at once and in order.
    fn emit(&mut self, event: TaskEvent<'_>);

    /// Keeps the conversation's id for the next turn. It is kept when the future is done, and the backend
    /// reports nothing of the turn to anybody before that.
    fn conversation<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), Error>>;
}

/// Whether the backend could serve a turn now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// It could not, and why, for the operator.
    NotReady(String),
    /// It could.
    Ready,
}

/// What the backend says of the app behind it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Profile {
    /// The app's name.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The address of its icon.
    pub icon_url: Option<String>,
    /// How it greets people.
    pub opening_statement: Option<String>,
    /// Questions it suggests to begin with.
    pub suggested_questions: Vec<String>,
}

/// Does the work of turns.
pub trait Backend: Send + Sync + 'static {
    /// Whether a message can be worked on at all, before a task is made of it.
    ///
    /// # Errors
    /// What is wrong with the message; nothing was begun.
    fn accept(&self, message: &Message) -> Result<(), Error>;

    /// Runs one turn to its end, reporting to `sink` on the way. When `turn.stop` fires it stops the work
    /// and ends with [`Outcome::Stopped`] in bounded time. All of its waiting is bounded.
    fn run<'a>(&'a self, turn: TurnRequest, sink: &'a mut dyn Sink) -> BoxFuture<'a, Outcome>;

    /// Whether it could run a turn now.
    fn readiness(&self) -> BoxFuture<'_, Readiness>;

    /// What is known of the app so far. Never waits.
    fn profile(&self) -> Arc<Profile>;
}
