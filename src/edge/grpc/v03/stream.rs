//! Streams of 0.3: what a stream of 1.0 tells, in messages of 0.3, which say where it ends.

use std::collections::VecDeque;
use std::marker::PhantomData;

use a2a_pb::proto as v1;
use tonic::Status;

use super::encode;
use super::messages::{Payload, StreamResponse, TaskStatusUpdateEvent};
use crate::core::event::LogEvent;
use crate::core::ids::{ContextId, TaskId};
use crate::core::task::Task;
use crate::edge::a2a_v03_http::FileBytes;
use crate::edge::dialect::StreamEnd;
use crate::edge::error::EdgeError;
use crate::edge::grpc::stream::{Encode, Encoder as EncoderV1};
use crate::edge::view::View;

/// Makes `StreamResponse` messages of what a log tells.
pub struct Encoder<F> {
    v1: EncoderV1,
    end: StreamEnd,
    files: PhantomData<F>,
}

impl<F: FileBytes> Encode for Encoder<F> {
    type Response = StreamResponse;

    fn new(task: &TaskId, context: &ContextId, end: StreamEnd, view: View) -> Self {
        Self { v1: EncoderV1::new(task, context, end, view), end, files: PhantomData }
    }

    /// As over JSON, a stream that is over with its task says so once more, since `final` is all that clients go by.
    fn snapshot(&self, task: &Task) -> VecDeque<StreamResponse> {
        let is_over = task.status.state.is_terminal();
        let end = LogEvent::Status { facts: &task.facts, status: &task.status };
        let end = is_over.then(|| self.event(end)).flatten();
        let responses = self.v1.snapshot(task).into_iter();
        responses.filter_map(|told| response::<F>(told, false)).chain(end).collect()
    }

    fn event(&self, event: LogEvent<'_>) -> Option<StreamResponse> {
        let is_final = match &event {
            LogEvent::Status { status, .. } => self.end.is_at(status.state),
            LogEvent::Artifact(_) | LogEvent::Close { .. } | LogEvent::Text { .. } => false,
        };
        response::<F>(self.v1.event(event)?, is_final)
    }

    fn status(error: EdgeError) -> Status {
        super::status::status(error)
    }
}

/// The same in the form of 0.3. Messages without a task there are none.
fn response<F: FileBytes>(told: v1::StreamResponse, is_final: bool) -> Option<StreamResponse> {
    use v1::stream_response::Payload as V1;
    let payload = match told.payload? {
        V1::ArtifactUpdate(update) => Payload::ArtifactUpdate(encode::artifact_update::<F>(update)),
        V1::Message(_) => return None,
        V1::StatusUpdate(update) => {
            let v1::TaskStatusUpdateEvent { task_id, context_id, status, metadata } = update;
            let status = status.map(encode::status::<F>);
            Payload::StatusUpdate(TaskStatusUpdateEvent {
                task_id,
                context_id,
                status,
                r#final: is_final,
                metadata,
            })
        }
        V1::Task(task) => Payload::Task(encode::task::<F>(task)),
    };
    Some(StreamResponse { payload: Some(payload) })
}
