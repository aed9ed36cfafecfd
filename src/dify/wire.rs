//! The JSON of a frame as it travels: one flat set of fields for all events, since the name of the event may stand
//! behind the fields that depend on it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::{
    AgentLog, AgentThought, DifyEvent, Frame, MessageEnd, Node, RunStatus, StreamError, WorkflowFinished,
};
use super::lenient;

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
    /// The frame, if it has an event's name.
    pub(super) fn into_frame(mut self) -> Option<Frame<'a>> {
        let name = self.event.take().filter(|name| !name.is_empty())?;
        Some(Frame {
            task_id: self.task_id.take(),
            conversation_id: self.conversation_id.take().filter(|id| !id.is_empty()),
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
            "message_file" => match self.answer {
                Some(answer) => DifyEvent::MessageFileText { answer },
                None => DifyEvent::MessageFile,
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
