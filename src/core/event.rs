//! What happens to a task: the events a backend reports, and the statuses, failures and facts that are kept of them.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::ids::MessageId;
use super::message::Json;
use super::state::TaskState;

/// The text artifacts a task can have, by their public names.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TextArtifact {
    /// What the agent says.
    Answer,
    /// What the model thought before it said it.
    Reasoning,
}

impl TextArtifact {
    /// The artifact's id and name on the wire, unique in its task.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Reasoning => "reasoning",
        }
    }
}

/// One thing a backend reports about a running turn. Text is borrowed from the backend's own buffer.
#[derive(Clone, Debug)]
pub enum TaskEvent<'a> {
    /// Something is known about the answer: usage, citations, and the like.
    Facts(FactsUpdate),
    /// The turn takes a step that people may want to see.
    Progress(Progress),
    /// The artifact's text so far is void; this is its text now.
    Replace {
        /// Which artifact.
        artifact: TextArtifact,
        /// The whole new text.
        text: &'a str,
    },
    /// The artifact goes on by this text.
    Text {
        /// Which artifact.
        artifact: TextArtifact,
        /// The next piece, never the whole.
        delta: &'a str,
    },
    /// The backend has begun to work: its first sign that the request was accepted.
    Working,
}

/// A step of a turn, brief: a name and how it stands, never a prompt or a payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// What kind of step it is.
    pub kind: ProgressKind,
    /// The step's title as its author wrote it.
    pub title: String,
    /// The step's type in the backend's own words, such as `llm` or `code`.
    pub step_type: Option<String>,
    /// How the step stands.
    pub state: ProgressState,
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgressKind {
    /// One round of an iteration or loop.
    Iteration,
    /// A node of a graph.
    Node,
    /// A tool call of an agent.
    Tool,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgressState {
    /// It failed, and the turn goes on.
    Failed,
    /// It is done.
    Finished,
    /// It is tried again.
    Retrying,
    /// It has begun.
    Started,
}

/// How a backend's turn ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Well.
    Completed,
    /// Badly.
    Failed(Failure),
    /// By our own request to stop.
    Stopped {
        /// Whether the backend showed that it really stopped.
        confirmed: bool,
    },
}

/// Who is the cause of a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureSource {
    /// The caller's message.
    Caller,
    /// Dify, its app or its model.
    Dify,
    /// This gateway.
    Gateway,
}

impl FailureSource {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Dify => "dify",
            Self::Gateway => "gateway",
        }
    }
}

/// Why a task failed: a code for programs, a sentence for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Dify's code where Dify gave one, else one of ours; snake_case.
    pub code: Cow<'static, str>,
    /// A sentence that a person can act on, without secrets, addresses or traces.
    pub message: String,
    /// Whether the same message may succeed later.
    pub retryable: bool,
    /// Who is the cause.
    pub source: FailureSource,
}

impl Failure {
    /// A failure of the gateway itself.
    pub fn internal() -> Self {
        Self {
            code: Cow::Borrowed("internal_error"),
            message: "the gateway failed while it worked on this task; its log has the details".to_owned(),
            retryable: true,
            source: FailureSource::Gateway,
        }
    }

    /// The gateway was shut down before the turn was over.
    pub fn shutdown() -> Self {
        Self {
            code: Cow::Borrowed("gateway_shutdown"),
            message: "the gateway was shut down before the answer was complete; send the message again"
                .to_owned(),
            retryable: true,
            source: FailureSource::Gateway,
        }
    }
}

/// What a status tells beside its state.
#[derive(Clone, Debug)]
pub enum StatusNote {
    /// The task failed, and why.
    Failure(Failure),
    /// A step of the running turn.
    Progress(Progress),
}

/// A task's status at one moment (A2A 1.0 `TaskStatus`).
#[derive(Clone, Debug)]
pub struct Status {
    /// The state.
    pub state: TaskState,
    /// Since when, UTC.
    pub at: Timestamp,
    /// What there is to tell, with the id of the message that tells it.
    pub note: Option<(MessageId, StatusNote)>,
}

impl Status {
    /// A status without a note.
    pub fn plain(state: TaskState, at: Timestamp) -> Self {
        Self { state, at, note: None }
    }

    /// The failure, if that is what the status tells.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.note {
            Some((_, StatusNote::Failure(failure))) => Some(failure),
            Some((_, StatusNote::Progress(_))) | None => None,
        }
    }
}

/// Token usage of a turn.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Dify's own usage object with its members named as A2A names members; money is in decimal strings there.
    pub json: Json,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
    /// Both together.
    pub total_tokens: Option<u64>,
}

/// Where a piece of the answer came from (Dify: `retriever_resources`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// The number by which the answer may refer to it.
    pub position: Option<u64>,
    /// Name of the knowledge base.
    pub dataset_name: Option<String>,
    /// Name of the document.
    pub document_name: Option<String>,
    /// The passage, cut to a few hundred characters.
    pub excerpt: Option<String>,
    /// How well it fits, 0 to 1.
    pub score: Option<f64>,
}

/// What is known about a task and its answer beside the text.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether an annotation of the app's owner gave the answer instead of the model.
    pub annotated: bool,
    /// Sources of the answer.
    pub citations: Vec<Citation>,
    /// Dify's id of the conversation. Leaves the gateway in the `message.send` dialect alone.
    pub conversation_id: Option<Arc<str>>,
    /// Dify had lost the conversation, so it was begun anew: earlier turns are forgotten.
    pub conversation_restarted: bool,
    /// How long Dify worked, milliseconds.
    pub elapsed_ms: Option<u64>,
    /// How many nodes failed in a run that went on without them (Dify: `partial-succeeded`).
    pub exceptions: Option<u64>,
    /// Why the text was replaced, if it was (Dify: `message_replace.reason`); may be empty.
    pub replaced: Option<String>,
    /// After a cancel: whether Dify showed that it stopped.
    pub stop_confirmed: Option<bool>,
    /// Token usage.
    pub usage: Option<Usage>,
}

/// One addition to the [`Facts`].
#[derive(Clone, Debug)]
pub enum FactsUpdate {
    /// See [`Facts::annotated`].
    Annotated,
    /// See [`Facts::citations`].
    Citations(Vec<Citation>),
    /// See [`Facts::conversation_restarted`].
    ConversationRestarted,
    /// See [`Facts::elapsed_ms`].
    ElapsedMs(u64),
    /// See [`Facts::exceptions`].
    Exceptions(u64),
    /// See [`Facts::replaced`].
    Replaced(String),
    /// See [`Facts::usage`].
    Usage(Usage),
}

impl Facts {
    /// Takes an addition in.
    pub fn apply(&mut self, update: FactsUpdate) {
        match update {
            FactsUpdate::Annotated => self.annotated = true,
            FactsUpdate::Citations(citations) => self.citations = citations,
            FactsUpdate::ConversationRestarted => self.conversation_restarted = true,
            FactsUpdate::ElapsedMs(elapsed) => self.elapsed_ms = Some(elapsed),
            FactsUpdate::Exceptions(count) => self.exceptions = Some(count),
            FactsUpdate::Replaced(reason) => self.replaced = Some(reason),
            FactsUpdate::Usage(usage) => self.usage = Some(usage),
        }
    }
}

/// One entry of a task's log as a reader sees it; neighbouring pieces of one text may come as one.
#[derive(Clone, Copy, Debug)]
pub enum LogEvent<'a> {
    /// The artifact is complete.
    Close {
        /// Which artifact.
        artifact: TextArtifact,
        /// What is known beside the text.
        facts: &'a Facts,
        /// Its whole text, for readers that asked for it and when it is not too large; else the text
        /// that this reader has been given is all of it.
        whole: Option<&'a str>,
    },
    /// The task has a new status. A terminal one is the last event of a log.
    Status {
        /// What is known beside the status.
        facts: &'a Facts,
        /// The status.
        status: &'a Status,
    },
    /// Text of an artifact.
    Text {
        /// `true`: it goes on by this. `false`: the artifact begins with this, or begins anew.
        append: bool,
        /// Which artifact.
        artifact: TextArtifact,
        /// The piece, never empty unless it voids earlier text.
        text: &'a str,
    },
}
