//! The data of one frame in, a typed [`Frame`] out, borrowing its text from the input.
//!
//! Knows every event of Dify up to 1.17. Names that it does not know are data ([`DifyEvent::Unknown`]), and so are
//! fields that are null, missing, of another type or in another order: versions differ in all of that. What nobody
//! reads (inputs and outputs of nodes, prompts) is skipped without being built.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient;

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
    /// The message that is being answered. Chat family only.
    pub message_id: Option<Cow<'a, str>>,
    /// The run of the graph, for chatflows and workflows.
    pub workflow_run_id: Option<Cow<'a, str>>,
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
    HumanInputFormFilled,
    /// A human form was not answered in time, the run goes on.
    HumanInputFormTimeout,
    /// A human form has to be answered.
    HumanInputRequired,
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
    TtsMessage,
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
    WorkflowPaused,
    /// The run of the graph begins, or goes on after a pause.
    WorkflowStarted,
}

/// A step inside an Agent node.
#[derive(Debug)]
pub struct AgentLog<'a> {
    /// The step's id.
    pub id: Cow<'a, str>,
    /// Its label, such as `CALL current_time`.
    pub label: Cow<'a, str>,
    /// `start`, `success` or `error`.
    pub status: Cow<'a, str>,
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

/// The end of an answer.
#[derive(Debug, Default)]
pub struct MessageEnd<'a> {
    /// Dify's usage object: token counts are numbers, money is in decimal strings.
    pub usage: Option<&'a RawValue>,
    /// The sources, an array.
    pub retriever_resources: Option<&'a RawValue>,
    /// Whether an annotation gave the answer.
    pub annotated: bool,
}

/// A file that the app produced.
#[derive(Debug)]
pub struct MessageFile<'a> {
    /// Its id.
    pub id: Cow<'a, str>,
    /// `image`, `document`, `audio`, `video` or `custom`.
    pub kind: Cow<'a, str>,
    /// Whose it is: `assistant` or `user`.
    pub belongs_to: Cow<'a, str>,
    /// Its signed address, good for some minutes.
    pub url: Cow<'a, str>,
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
}

/// How a run ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RunStatus<'a> {
    /// Badly.
    Failed,
    /// A status of a version that is not known here.
    Other(Cow<'a, str>),
    /// Well, although some nodes failed.
    PartialSucceeded,
    /// It was stopped: by its caller, in the console, or by a time limit.
    Stopped,
    /// Well.
    Succeeded,
}

impl<'a> Frame<'a> {
    /// Decodes a frame's data.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no event of Dify at all.
    pub fn decode(data: &'a str) -> Result<Self, DecodeError> {
        let wire: Wire<'a> = serde_json::from_str(data).map_err(|_| DecodeError::NotJson)?;
        wire.into_frame().ok_or(DecodeError::NoName)
    }
}

impl WorkflowFinished<'_> {
    /// The answer as the graph sees it (`outputs.answer`), if it has one.
    pub fn answer(&self) -> Option<String> {
        #[derive(Default, Deserialize)]
        struct Outputs<'a> {
            #[serde(default, borrow, deserialize_with = "lenient::text")]
            answer: Option<Cow<'a, str>>,
        }
        let outputs: Outputs<'_> = serde_json::from_str(self.outputs?.get()).ok()?;
        outputs.answer.map(Cow::into_owned)
    }
}

/// The union of all events' fields. Their names never clash in meaning within one level.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    event: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    task_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    conversation_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    message_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    workflow_run_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    answer: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    tool: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::count")]
    position: Option<u64>,
    #[serde(default, borrow, deserialize_with = "lenient::text", rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    belongs_to: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    url: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    code: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::count")]
    status: Option<u64>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    message: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    metadata: Metadata<'a>,
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    data: Payload<'a>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    retriever_resources: Option<&'a RawValue>,
    #[serde(default, borrow)]
    annotation_reply: Option<&'a RawValue>,
}

/// The fields of `data`, again of all events.
#[derive(Default, Deserialize)]
struct Payload<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    title: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    node_type: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    status: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    label: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    error: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    text: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    reasoning: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    outputs: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient::real")]
    elapsed_time: Option<f64>,
    #[serde(default, deserialize_with = "lenient::count")]
    exceptions_count: Option<u64>,
}

impl<'a> Wire<'a> {
    fn into_frame(mut self) -> Option<Frame<'a>> {
        let name = self.event.take().filter(|name| !name.is_empty())?;
        Some(Frame {
            task_id: self.task_id.take(),
            conversation_id: self.conversation_id.take().filter(|id| !id.is_empty()),
            message_id: self.message_id.take(),
            workflow_run_id: self.workflow_run_id.take(),
            event: self.into_event(name),
        })
    }

    fn into_event(self, name: Cow<'a, str>) -> DifyEvent<'a> {
        let data = self.data;
        match name.as_ref() {
            "agent_log" => DifyEvent::AgentLog(AgentLog {
                id: data.id.unwrap_or_default(),
                label: data.label.unwrap_or_default(),
                status: data.status.unwrap_or_default(),
            }),
            "agent_message" => DifyEvent::AgentMessage { answer: self.answer.unwrap_or_default() },
            "agent_thought" => DifyEvent::AgentThought(AgentThought {
                id: self.id.unwrap_or_default(),
                position: self.position,
                tool: self.tool.unwrap_or_default(),
            }),
            "error" => DifyEvent::Error(StreamError {
                code: self.code,
                status: self.status,
                message: self.message.unwrap_or_default(),
            }),
            "human_input_form_filled" => DifyEvent::HumanInputFormFilled,
            "human_input_form_timeout" => DifyEvent::HumanInputFormTimeout,
            "human_input_required" => DifyEvent::HumanInputRequired,
            "iteration_completed" => DifyEvent::IterationCompleted(data.into_node()),
            "iteration_next" => DifyEvent::IterationNext(data.into_node()),
            "iteration_started" => DifyEvent::IterationStarted(data.into_node()),
            "loop_completed" => DifyEvent::LoopCompleted(data.into_node()),
            "loop_next" => DifyEvent::LoopNext(data.into_node()),
            "loop_started" => DifyEvent::LoopStarted(data.into_node()),
            "message" => DifyEvent::Message { answer: self.answer.unwrap_or_default() },
            "message_end" => DifyEvent::MessageEnd(MessageEnd {
                usage: self.metadata.usage,
                retriever_resources: self.metadata.retriever_resources,
                annotated: self.metadata.annotation_reply.is_some(),
            }),
            // Once a message has a file, chat apps send its text under this name too.
            "message_file" => match self.answer {
                Some(answer) => DifyEvent::Message { answer },
                None => DifyEvent::MessageFile(MessageFile {
                    id: self.id.unwrap_or_default(),
                    kind: self.kind.unwrap_or_default(),
                    belongs_to: self.belongs_to.unwrap_or_default(),
                    url: self.url.unwrap_or_default(),
                }),
            },
            "message_replace" => DifyEvent::MessageReplace {
                answer: self.answer.unwrap_or_default(),
                reason: self.reason.unwrap_or_default(),
            },
            "node_finished" => DifyEvent::NodeFinished(data.into_node()),
            "node_retry" => DifyEvent::NodeRetry(data.into_node()),
            "node_started" => DifyEvent::NodeStarted(data.into_node()),
            "parallel_branch_finished" => DifyEvent::ParallelBranchFinished,
            "parallel_branch_started" => DifyEvent::ParallelBranchStarted,
            "ping" => DifyEvent::Ping,
            "reasoning_chunk" => DifyEvent::ReasoningChunk { reasoning: data.reasoning.unwrap_or_default() },
            "text_chunk" => DifyEvent::TextChunk { text: data.text.unwrap_or_default() },
            "text_replace" => DifyEvent::TextReplace {
                text: data.text.unwrap_or_default(),
                reason: data.reason.unwrap_or_default(),
            },
            "tts_message" => DifyEvent::TtsMessage,
            "tts_message_end" => DifyEvent::TtsMessageEnd,
            "workflow_finished" => DifyEvent::WorkflowFinished(data.into_finished()),
            "workflow_paused" => DifyEvent::WorkflowPaused,
            "workflow_started" => DifyEvent::WorkflowStarted,
            _ => DifyEvent::Unknown { name },
        }
    }
}

impl<'a> Payload<'a> {
    fn into_node(self) -> Node<'a> {
        Node {
            title: self.title.unwrap_or_default(),
            node_type: self.node_type.unwrap_or_default(),
            status: self.status.unwrap_or_default(),
        }
    }

    fn into_finished(self) -> WorkflowFinished<'a> {
        let status = self.status.unwrap_or_default();
        WorkflowFinished {
            status: match status.as_ref() {
                "failed" => RunStatus::Failed,
                "partial-succeeded" => RunStatus::PartialSucceeded,
                "stopped" => RunStatus::Stopped,
                "succeeded" => RunStatus::Succeeded,
                _ => RunStatus::Other(status),
            },
            error: self.error.filter(|error| !error.is_empty()),
            outputs: self.outputs,
            elapsed_time: self.elapsed_time,
            exceptions_count: self.exceptions_count,
        }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
