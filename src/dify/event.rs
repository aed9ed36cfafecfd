//! The data of one frame in, a typed [`Frame`] out, borrowing its text from the input.
//!
//! Knows every event of Dify up to 1.17. Names that it does not know are data ([`DifyEvent::Unknown`]), and so are
//! fields that are null, missing, of another type or in another order: versions differ in all of that. What nobody
//! reads (inputs and outputs of nodes, prompts) is skipped without being built.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::delta;
use super::files::FileObject;
use super::human::HumanForm;
use super::mend;
use super::wire::{self, Wire};

/// Why a frame is no event. The JSON parser's own words are left out, for they may quote the frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// It has no `event` field with a name in it.
    #[error("the frame has no event name")]
    NoName,
    /// It is not a JSON object.
    #[error("the frame is not a JSON object")]
    NotJson,
}

/// One frame of a stream: its event and the handles it carries.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Handle for the stop endpoints. Not on `error`.
    pub task_id: Option<Cow<'a, str>>,
    /// The conversation, assigned by Dify. Chat family only.
    pub conversation_id: Option<Cow<'a, str>>,
    /// The run of the graph, for chatflows and workflows.
    pub workflow_run_id: Option<Cow<'a, str>>,
    /// The message that is being answered. Chat family and text generators.
    pub message_id: Option<Cow<'a, str>>,
    /// What happened.
    pub event: DifyEvent<'a>,
}

/// What a frame reports.
#[derive(Debug)]
pub enum DifyEvent<'a> {
    /// A step inside an Agent node; sent again with the same id when it is done.
    AgentLog(AgentLog<'a>),
    /// A piece of an agent's answer.
    AgentMessage {
        /// The piece, may be empty.
        answer: Cow<'a, str>,
    },
    /// A round of an agent; sent several times with the same id as it grows.
    AgentThought(AgentThought<'a>),
    /// The turn failed, although its HTTP status is 200.
    Error(StreamError<'a>),
    /// A human form was answered, the run goes on.
    HumanInputFormFilled(FormFilled<'a>),
    /// A human form was not answered in time, the run goes on.
    HumanInputFormTimeout(FormTimeout<'a>),
    /// A human form has to be answered.
    HumanInputRequired(Box<HumanForm>),
    /// An iteration node is done.
    IterationCompleted(Node<'a>),
    /// A round of an iteration begins.
    IterationNext(Node<'a>),
    /// An iteration node begins.
    IterationStarted(Node<'a>),
    /// A loop node is done.
    LoopCompleted(Node<'a>),
    /// Another round of a loop begins.
    LoopNext(Node<'a>),
    /// A loop node begins.
    LoopStarted(Node<'a>),
    /// A piece of the answer; in a New Agent's stream, after `agent_message`, the whole of it.
    Message {
        /// The piece, may be empty.
        answer: Cow<'a, str>,
    },
    /// The answer is complete.
    MessageEnd(MessageEnd<'a>),
    /// The app produced a file.
    MessageFile(MessageFile<'a>),
    /// A piece of the answer under the name of `message_file`: chat apps do that once the message has a file.
    MessageFileText {
        /// The piece, may be empty.
        answer: Cow<'a, str>,
    },
    /// The text so far is void.
    MessageReplace {
        /// The whole text now.
        answer: Cow<'a, str>,
        /// Why; may be empty, and is on versions that do not tell.
        reason: Cow<'a, str>,
    },
    /// A node is done.
    NodeFinished(Node<'a>),
    /// A node failed and is tried again.
    NodeRetry(Node<'a>),
    /// A node begins.
    NodeStarted(Node<'a>),
    /// A parallel branch is done (0.8 to 1.8).
    ParallelBranchFinished,
    /// A parallel branch begins (0.8 to 1.8).
    ParallelBranchStarted,
    /// A sign of life.
    Ping,
    /// A piece of a model's reasoning, kept out of the text by Dify itself (1.15).
    ReasoningChunk {
        /// The piece, may be empty.
        reasoning: Cow<'a, str>,
    },
    /// A piece of a workflow's text output.
    TextChunk {
        /// The piece, may be empty.
        text: Cow<'a, str>,
    },
    /// A workflow's text output so far is void.
    TextReplace {
        /// The whole text now.
        text: Cow<'a, str>,
        /// Why, if told; may be empty.
        reason: Cow<'a, str>,
    },
    /// A piece of speech.
    TtsMessage {
        /// The piece, Base64 of a part of an MP3.
        audio: Cow<'a, str>,
    },
    /// The end of speech.
    TtsMessageEnd,
    /// An event of a version that is not known here.
    Unknown {
        /// Its name.
        name: Cow<'a, str>,
    },
    /// The run of the graph is over.
    WorkflowFinished(WorkflowFinished<'a>),
    /// The run waits for people. The stream ends here.
    WorkflowPaused(WorkflowPaused),
    /// The run of the graph begins, or goes on after a pause.
    WorkflowStarted(WorkflowStarted<'a>),
}

/// A step inside an Agent node.
#[derive(Debug)]
pub struct AgentLog<'a> {
    /// The step's id.
    pub id: Cow<'a, str>,
    /// Its label, such as `CALL current_time`.
    pub label: Cow<'a, str>,
    /// The id of the step that it is part of.
    pub parent_id: Option<Cow<'a, str>>,
    /// How it stands: `start`, `success`, `error`.
    pub status: Cow<'a, str>,
    /// How long it took, seconds.
    pub elapsed_time: Option<f64>,
}

/// A round of an agent.
#[derive(Debug)]
pub struct AgentThought<'a> {
    /// The round's id.
    pub id: Cow<'a, str>,
    /// Its number, from 1.
    pub position: Option<u64>,
    /// Names of the tools it calls, joined by `;`. Empty before the model has chosen one.
    pub tool: Cow<'a, str>,
}

/// An `error` event.
#[derive(Debug)]
pub struct StreamError<'a> {
    /// Dify's code. Missing in a variant of 1.15.
    pub code: Option<Cow<'a, str>>,
    /// The HTTP status it would have had.
    pub status: Option<u64>,
    /// Dify's own words, as raw as they come.
    pub message: Cow<'a, str>,
}

/// A human form that was answered.
#[derive(Debug)]
pub struct FormFilled<'a> {
    /// The node that asked.
    pub node_id: Cow<'a, str>,
    /// That node's title.
    pub node_title: Cow<'a, str>,
    /// The id of the action that was chosen.
    pub action_id: Cow<'a, str>,
    /// What that action's button says.
    pub action_text: Cow<'a, str>,
}

/// A human form that nobody answered in time.
#[derive(Debug)]
pub struct FormTimeout<'a> {
    /// The node that asked.
    pub node_id: Cow<'a, str>,
    /// That node's title.
    pub node_title: Cow<'a, str>,
    /// Until when it could be answered, Unix seconds.
    pub expiration_time: Option<u64>,
}

/// A file that the app or one of its tools produced.
#[derive(Debug)]
pub struct MessageFile<'a> {
    /// Its id among the message's files.
    pub id: Cow<'a, str>,
    /// Dify's kind of it, such as `image`.
    pub kind: Cow<'a, str>,
    /// Whose it is: `assistant` or `user`.
    pub belongs_to: Cow<'a, str>,
    /// Where it is for now; may be relative, and is empty if it was not told.
    pub url: Cow<'a, str>,
}

/// The end of an answer.
#[derive(Debug, Default)]
pub struct MessageEnd<'a> {
    /// Dify's usage object: token counts are numbers, money is in decimal strings.
    pub usage: Option<&'a RawValue>,
    /// The sources, an array.
    pub retriever_resources: Option<&'a RawValue>,
    /// Whether an annotation gave the answer.
    pub annotated: bool,
    /// The files of the answer, an array; see [`MessageEnd::files`].
    pub files: Option<&'a RawValue>,
}

/// A node of a graph, or a round of one.
#[derive(Debug)]
pub struct Node<'a> {
    /// The title its author gave it.
    pub title: Cow<'a, str>,
    /// Its type, such as `llm`.
    pub node_type: Cow<'a, str>,
    /// How it ended: `succeeded`, `failed`, `exception`, `stopped`, `retry`, `paused`. Empty when it begins.
    pub status: Cow<'a, str>,
    /// The id of this execution of it, the same from its beginning to its end.
    pub id: Cow<'a, str>,
    /// Its id in the graph.
    pub node_id: Cow<'a, str>,
    /// Of a round, its number: from 0 in an iteration, from 1 in a loop. Says nothing elsewhere.
    pub index: Option<u64>,
    /// How many rounds there will be, at the beginning of an iteration; at most, of a loop.
    pub rounds: Option<u64>,
    /// How long it took, seconds.
    pub elapsed_time: Option<f64>,
    /// The how manieth try failed, from 1.
    pub retry_index: Option<u64>,
    /// The node of the iteration that it is in.
    pub iteration_id: Option<Cow<'a, str>>,
    /// The node of the loop that it is in.
    pub loop_id: Option<Cow<'a, str>>,
}

/// The beginning of a run, or of a part of it.
#[derive(Debug)]
pub struct WorkflowStarted<'a> {
    /// The run's id.
    pub id: Cow<'a, str>,
    /// Whether it goes on after a pause. Never before 1.13.
    pub is_resumption: bool,
}

/// Why a run waits.
#[derive(Debug, Default)]
pub struct WorkflowPaused {
    /// The forms that wait for people, each of which is also told of by its own event.
    pub forms: Vec<HumanForm>,
    /// Other things that it waits for, by the names of their types; nobody but Dify can do these.
    pub other_reasons: Vec<String>,
    /// The nodes that wait, by their ids in the graph.
    pub paused_nodes: Vec<String>,
}

/// The end of a run.
#[derive(Debug)]
pub struct WorkflowFinished<'a> {
    /// How it ended.
    pub status: RunStatus<'a>,
    /// Dify's own words for a failure, as raw as they come; may be a traceback.
    pub error: Option<Cow<'a, str>>,
    /// What it produced, an object.
    pub outputs: Option<&'a RawValue>,
    /// How long it took, seconds.
    pub elapsed_time: Option<f64>,
    /// How many nodes failed without failing the run.
    pub exceptions_count: Option<u64>,
    /// The files among its outputs, an array; see [`WorkflowFinished::files`].
    pub files: Option<&'a RawValue>,
    /// How many nodes ran.
    pub total_steps: Option<u64>,
    /// How many tokens its models used.
    pub total_tokens: Option<u64>,
}

/// How a run ended, or how it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RunStatus<'a> {
    /// Badly.
    Failed,
    /// A status of a version that is not known here.
    Other(Cow<'a, str>),
    /// Well, although some nodes failed.
    PartialSucceeded,
    /// It waits for people.
    Paused,
    /// It is at work.
    Running,
    /// It was stopped: by its caller, in the console, or by a time limit.
    Stopped,
    /// Well.
    Succeeded,
}

impl<'a> RunStatus<'a> {
    /// Reads Dify's name of a status.
    pub fn from_name(name: Cow<'a, str>) -> Self {
        match name.as_ref() {
            "failed" => Self::Failed,
            "partial-succeeded" => Self::PartialSucceeded,
            "paused" => Self::Paused,
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            "succeeded" => Self::Succeeded,
            _ => Self::Other(name),
        }
    }
}

impl<'a> Frame<'a> {
    /// Decodes a frame's data.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no event of Dify at all.
    pub fn decode(data: &'a str) -> Result<Self, DecodeError> {
        if let Some(frame) = delta::frame(data) {
            return Ok(frame);
        }
        let wire: Wire<'a> = serde_json::from_str(data).map_err(|_| DecodeError::NotJson)?;
        let mut frame = wire.into_frame().ok_or(DecodeError::NoName)?;
        // These are rare and deep, so they are read by themselves.
        match &mut frame.event {
            DifyEvent::HumanInputRequired(form) => **form = wire::form(data),
            DifyEvent::WorkflowPaused(paused) => *paused = wire::paused(data),
            _ => {}
        }
        Ok(frame)
    }

    /// The same, and what is wrong only in form (a lone surrogate, two members with one name) is put right: the
    /// mended text goes into `spare`, and the frame borrows from there.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no event of Dify even so.
    pub fn decode_or_mend(data: &'a str, spare: &'a mut String) -> Result<Self, DecodeError> {
        match Self::decode(data) {
            Err(error @ DecodeError::NotJson) => {
                *spare = mend::mended(data).ok_or(error)?;
                Self::decode(spare)
            }
            decoded => decoded,
        }
    }
}

impl MessageEnd<'_> {
    /// The files of the answer.
    pub fn files(&self) -> Vec<FileObject> {
        self.files.map(|files| FileObject::list(files.get())).unwrap_or_default()
    }
}

impl WorkflowFinished<'_> {
    /// The files among its outputs, as Dify found them.
    pub fn files(&self) -> Vec<FileObject> {
        self.files.map(|files| FileObject::list(files.get())).unwrap_or_default()
    }

    /// The answer as the graph sees it (`outputs.answer`), if it has one.
    pub fn answer(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Outputs {
            #[serde(default)]
            answer: Option<serde_json::Value>,
        }
        // What stands inside of a frame that is well so far may still have to be mended.
        let outputs: Outputs = mend::read(self.outputs?.get())?;
        match outputs.answer {
            Some(serde_json::Value::String(answer)) => Some(answer),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
