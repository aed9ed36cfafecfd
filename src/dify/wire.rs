//! The JSON of a frame as it travels: one flat set of fields for all events, since the name of the event may stand
//! behind the fields that depend on it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::{
    AgentLog, AgentThought, DifyEvent, FormFilled, FormTimeout, Frame, MessageEnd, MessageFile, Node,
    RunStatus, StreamError, WorkflowFinished, WorkflowPaused, WorkflowStarted,
};
use super::human::HumanForm;
use super::{lenient, mend};

/// The union of all events' fields. Their names never clash in meaning within one level.
#[derive(Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    event: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    task_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    conversation_id: Option<Cow<'a, str>>,
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
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    code: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::count")]
    status: Option<u64>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    message: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    message_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text", rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    belongs_to: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    url: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    audio: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    files: Option<&'a RawValue>,
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
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    parent_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    node_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    node_title: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    action_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    action_text: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    iteration_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    loop_id: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::count")]
    index: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    retry_index: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    expiration_time: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    total_steps: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    total_tokens: Option<u64>,
    #[serde(default, borrow)]
    files: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient::object")]
    metadata: StepMetadata,
}

/// Of an iteration, a loop, or a step of an Agent node.
#[derive(Default, Deserialize)]
struct StepMetadata {
    #[serde(default, deserialize_with = "lenient::real")]
    elapsed_time: Option<f64>,
    #[serde(default, deserialize_with = "lenient::count")]
    iteration_length: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    loop_length: Option<u64>,
}

impl<'a> Wire<'a> {
    /// The frame, if it has an event's name.
    pub(super) fn into_frame(mut self) -> Option<Frame<'a>> {
        let name = self.event.take().filter(|name| !name.is_empty())?;
        Some(Frame {
            task_id: self.task_id.take(),
            conversation_id: self.conversation_id.take().filter(|id| !id.is_empty()),
            workflow_run_id: self.workflow_run_id.take(),
            message_id: self.message_id.take().filter(|id| !id.is_empty()),
            event: self.into_event(name),
        })
    }

    fn into_event(self, name: Cow<'a, str>) -> DifyEvent<'a> {
        let data = self.data;
        match name.as_ref() {
            "agent_log" => DifyEvent::AgentLog(AgentLog {
                id: data.id.unwrap_or_default(),
                label: data.label.unwrap_or_default(),
                parent_id: data.parent_id.filter(|id| !id.is_empty()),
                status: data.status.unwrap_or_default(),
                elapsed_time: data.metadata.elapsed_time.or(data.elapsed_time),
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
            "human_input_form_filled" => DifyEvent::HumanInputFormFilled(FormFilled {
                node_id: data.node_id.unwrap_or_default(),
                node_title: data.node_title.unwrap_or_default(),
                action_id: data.action_id.unwrap_or_default(),
                action_text: data.action_text.unwrap_or_default(),
            }),
            "human_input_form_timeout" => DifyEvent::HumanInputFormTimeout(FormTimeout {
                node_id: data.node_id.unwrap_or_default(),
                node_title: data.node_title.unwrap_or_default(),
                expiration_time: data.expiration_time,
            }),
            "human_input_required" => DifyEvent::HumanInputRequired(Box::default()),
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
                files: self.files,
            }),
            "message_file" => match self.answer {
                Some(answer) => DifyEvent::MessageFileText { answer },
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
            "tts_message" => DifyEvent::TtsMessage { audio: self.audio.unwrap_or_default() },
            "tts_message_end" => DifyEvent::TtsMessageEnd,
            "workflow_finished" => DifyEvent::WorkflowFinished(data.into_finished()),
            "workflow_paused" => DifyEvent::WorkflowPaused(WorkflowPaused::default()),
            "workflow_started" => DifyEvent::WorkflowStarted(WorkflowStarted {
                id: data.id.unwrap_or_default(),
                is_resumption: data.reason.as_deref() == Some("resumption"),
            }),
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
            id: self.id.unwrap_or_default(),
            node_id: self.node_id.unwrap_or_default(),
            index: self.index,
            rounds: self.metadata.iteration_length.or(self.metadata.loop_length),
            elapsed_time: self.elapsed_time,
            retry_index: self.retry_index,
            iteration_id: self.iteration_id.filter(|id| !id.is_empty()),
            loop_id: self.loop_id.filter(|id| !id.is_empty()),
        }
    }

    fn into_finished(self) -> WorkflowFinished<'a> {
        WorkflowFinished {
            status: RunStatus::from_name(self.status.unwrap_or_default()),
            error: self.error.filter(|error| !error.is_empty()),
            outputs: self.outputs,
            elapsed_time: self.elapsed_time,
            exceptions_count: self.exceptions_count,
            files: self.files,
            total_steps: self.total_steps,
            total_tokens: self.total_tokens,
        }
    }
}

/// The `data` of a frame, read by itself.
#[derive(Deserialize)]
struct Only<T> {
    data: T,
}

/// The form of a `human_input_required` frame; an empty one, if it cannot be read.
pub(super) fn form(frame: &str) -> HumanForm {
    mend::read(frame).map(|only: Only<HumanForm>| only.data).unwrap_or_default()
}

/// What a `workflow_paused` frame says.
pub(super) fn paused(frame: &str) -> WorkflowPaused {
    #[derive(Deserialize)]
    struct Paused {
        #[serde(default, deserialize_with = "lenient::list")]
        reasons: Vec<Box<RawValue>>,
        #[serde(default, deserialize_with = "lenient::list")]
        paused_nodes: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Kind {
        #[serde(default, rename = "TYPE", deserialize_with = "lenient::owned")]
        kind: String,
    }
    let Some(Only { data }) = mend::read::<Only<Paused>>(frame) else { return WorkflowPaused::default() };
    let mut paused = WorkflowPaused { paused_nodes: data.paused_nodes, ..WorkflowPaused::default() };
    for reason in data.reasons {
        let kind = mend::read(reason.get()).map(|kind: Kind| kind.kind).unwrap_or_default();
        match mend::read(reason.get()) {
            Some(form) if kind == "human_input_required" => paused.forms.push(form),
            _ => paused.other_reasons.push(kind),
        }
    }
    paused
}
