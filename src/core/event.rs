//! What happens to a task: the events a backend reports, and the statuses, failures and facts that are kept of them.

use jiff::Timestamp;
use std::borrow::Cow;

use super::artifact::Whole;
use super::facts::{Facts, FactsUpdate};
use super::ids::MessageId;
use super::message::{Json, Part};
use super::progress::Progress;
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
    /// An artifact is there, in one piece. One of the same id takes the place of the earlier one.
    Artifact(Whole),
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

/// What a task that waits wants of its caller.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The parts of the message that asks: text for people, data for programs.
    pub parts: Vec<Part>,
}

/// A turn that waits.
#[derive(Clone, Debug)]
pub struct Parked {
    /// What is asked.
    pub ask: Ask,
    /// Whether something waits at the backend too, and goes on waiting when the task is cancelled.
    pub leaves_work: bool,
    /// What the backend must know to go on. Its own affair, and secret: it never leaves the gateway.
    pub memo: Json,
}

/// How a backend's turn ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Well.
    Completed,
    /// Badly.
    Failed(Failure),
    /// Not yet: it waits for the caller to say more.
    InputRequired(Parked),
    /// It was not begun: the app will not do it.
    Rejected(Failure),
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
    /// What the task wants of its caller.
    Ask(Ask),
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
            Some((_, StatusNote::Ask(_) | StatusNote::Progress(_))) | None => None,
        }
    }
}

/// One entry of a task's log as a reader sees it; neighbouring pieces of one text may come as one.
#[derive(Clone, Copy, Debug)]
pub enum LogEvent<'a> {
    /// An artifact in one piece.
    Artifact(&'a Whole),
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
