//! What the core asks of whoever does the work. Dify implements it; the core never learns more of Dify than this.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::accepted::Accepted;
use super::error::Error;
use super::event::{Outcome, Parked, TaskEvent};
use super::ids::{Caller, ContextId, MessageId, TaskId};
use super::message::{Json, Message, Served};

/// What a caller says, as the backend looks at it before anything is begun.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The message.
    pub message: &'a Message,
    /// The metadata of its request, a JSON object.
    pub metadata: Option<&'a Json>,
    /// What the caller accepts for an answer.
    pub accepted: &'a Accepted,
    /// What is known of the context it goes to.
    pub context: Known<'a>,
}

/// What is known of a context before a turn of it.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    /// Nothing: it is new, or its record was forgotten.
    Nothing,
    /// Earlier turns are under way; what they leave is not known yet.
    NotYet,
    /// The inputs that its caller has given, if any, a JSON object.
    Record(Option<&'a Json>),
}

/// One turn to run.
#[derive(Clone, Debug)]
pub struct TurnRequest {
    /// The task it is for.
    pub task_id: TaskId,
    /// The context it belongs to.
    pub context_id: ContextId,
    /// Whose task it is.
    pub caller: Caller,
    /// What the caller said to begin with.
    pub message: Arc<Message>,
    /// The metadata of that request, a JSON object.
    pub metadata: Option<Json>,
    /// What the caller accepts for an answer.
    pub accepted: Accepted,
    /// The caller's id of the trace that the turn belongs to, or of the message.
    pub trace_id: Option<Arc<str>>,
    /// For whom the backend works: the same for every call of one conversation.
    pub user: String,
    /// The backend's own id of the conversation, from an earlier turn.
    pub conversation_id: Option<Arc<str>>,
    /// The inputs that the caller gave in earlier turns of the context, a JSON object.
    pub inputs: Option<Json>,
    /// What the caller has said since, whenever the task asked; oldest first.
    pub answers: Vec<Told>,
    /// The turn goes on where it was parked.
    pub resume: Option<Resume>,
    /// Fires when the turn shall stop.
    pub stop: CancellationToken,
}

/// What a caller said to a task that asked.
#[derive(Clone, Debug)]
pub struct Told {
    /// The message.
    pub message: Arc<Message>,
    /// The metadata of its request, a JSON object.
    pub metadata: Option<Json>,
}

/// How a parked turn goes on.
#[derive(Clone, Debug)]
pub struct Resume {
    /// What it was parked with.
    pub parked: Arc<Parked>,
    /// Why it goes on.
    pub cause: Cause,
    /// The answer's text so far.
    pub answer_so_far: String,
}

/// Why a parked turn goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The caller has answered: the last of [`TurnRequest::answers`].
    Answered,
    /// [`Backend::watch`] found that there is nothing to wait for any more.
    Moved,
}

/// Where a running turn reports what happens.
pub trait Sink: Send {
    /// Takes one event, at once and in order.
    fn emit(&mut self, event: TaskEvent<'_>);

    /// Keeps the conversation's id for the next turn. It is kept when the future is done, and the backend
    /// reports nothing of the turn to anybody before that.
    fn conversation<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// Keeps the inputs for the next turn, a JSON object. They are kept with the conversation's id, at the latest at
    /// the end of the turn.
    fn remember(&mut self, inputs: Json);

    /// The answer's text so far.
    fn answer(&self) -> String;

    /// A file of one of the caller's messages is on the gateway's shelf: from now on the history names it instead of
    /// holding its bytes. `part` counts the message's parts from 0.
    fn shelve(&mut self, message: &MessageId, part: usize, served: Served);
}

/// Whether the backend could serve a turn now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Readiness {
    /// It could not, and why, for the operator.
    NotReady(String),
    /// It could.
    Ready,
}

/// What the backend says of the app behind it. What is not known yet is as callers would have it.
#[derive(Clone, Debug, Eq, PartialEq)]
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
    /// What to say to it for a beginning: questions it suggests, and a data part with its inputs as JSON text.
    pub examples: Vec<String>,
    /// The inputs that callers may set, a JSON Schema of an object; `None` if there are none, or too much of them.
    pub inputs: Option<String>,
    /// The same inputs for people, a line for each; may be fewer.
    pub input_lines: Vec<String>,
    /// How many inputs callers may set.
    pub input_count: usize,
    /// The input that takes the caller's text, where the app has no other place for it.
    pub text_input: Option<String>,
    /// Whether the app has any use for the caller's text.
    pub takes_text: bool,
    /// Whether a message is understood in the light of the context's earlier ones.
    pub has_memory: bool,
    /// Media types that messages may have; empty while they are not known.
    pub input_modes: Vec<String>,
    /// Media types that answers may have; empty while they are not known.
    pub output_modes: Vec<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: None,
            description: None,
            tags: Vec::new(),
            icon_url: None,
            opening_statement: None,
            examples: Vec::new(),
            inputs: None,
            input_lines: Vec::new(),
            input_count: 0,
            text_input: None,
            takes_text: true,
            has_memory: true,
            input_modes: Vec::new(),
            output_modes: Vec::new(),
        }
    }
}

/// Does the work of turns.
pub trait Backend: Send + Sync + 'static {
    /// Whether a message can be worked on at all, before a task is made of it. Its waiting is bounded.
    ///
    /// # Errors
    /// What is wrong with the message; nothing was begun.
    fn accept<'a>(&'a self, said: Said<'a>) -> BoxFuture<'a, Result<(), Error>>;

    /// Whether a message answers what a parked turn asks.
    ///
    /// # Errors
    /// What is wrong with the answer; the turn stays parked.
    fn accept_answer<'a>(&'a self, parked: &'a Parked, said: Said<'a>) -> BoxFuture<'a, Result<(), Error>>;

    /// Runs one turn to its end, reporting to `sink` on the way. When `turn.stop` fires it stops the work
    /// and ends with [`Outcome::Stopped`] in bounded time. All of its waiting is bounded. A turn that ends with
    /// [`Outcome::InputRequired`] is run again, with `turn.resume`, when it is to go on.
    fn run<'a>(&'a self, turn: TurnRequest, sink: &'a mut dyn Sink) -> BoxFuture<'a, Outcome>;

    /// Done when there is nothing more to wait for, although the caller has not answered: what the turn waits for
    /// was done elsewhere, or its time is over. The turn is then run again.
    fn watch<'a>(&'a self, parked: &'a Parked) -> BoxFuture<'a, ()>;

    /// Whether it could run a turn now.
    fn readiness(&self) -> BoxFuture<'_, Readiness>;

    /// What is known of the app so far. Never waits.
    fn profile(&self) -> Arc<Profile>;
}
