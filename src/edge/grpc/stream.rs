//! Streams of updates that read a task's log, as messages of gRPC (A2A 1.0 §10.7).
//!
//! One stream is one reader, and holds no more than one batch of what is new: the next is taken when the client has
//! taken this. The status of the stream is that of its end: OK with the task, and nothing but the caller's own deadline
//! ends it before.

use std::collections::VecDeque;
use std::pin::Pin;

use a2a_pb::proto::{self as pb, stream_response::Payload};
use futures_util::stream::{self, BoxStream, StreamExt};
use prost_types::Struct;
use tokio::time::{Instant, Sleep};
use tonic::Status;

use super::deadline::Deadline;
use super::status::status;
use super::{encode, value};
use crate::core::event::{LogEvent, TextArtifact};
use crate::core::facts::Facts;
use crate::core::ids::{ContextId, TaskId};
use crate::core::reader::{Batch, Found, Reader};
use crate::core::task::Task;
use crate::edge::dialect::StreamEnd;
use crate::edge::error::EdgeError;
use crate::edge::extension::Metadata;
use crate::edge::pace::Pace;
use crate::edge::view::View;

/// What a stream sends.
pub type Updates<R> = BoxStream<'static, Result<R, Status>>;

/// What a log tells, as the messages of one service.
pub trait Encode: Send + 'static {
    /// What a stream of the service is made of.
    type Response: Send + 'static;

    /// The stream of one task.
    fn new(task: &TaskId, context: &ContextId, end: StreamEnd, view: View) -> Self;

    /// The task as it is.
    fn snapshot(&self, task: &Task) -> VecDeque<Self::Response>;

    /// What `event` tells, if this client gets to see it.
    fn event(&self, event: LogEvent<'_>) -> Option<Self::Response>;

    /// The status of a stream that breaks off.
    fn status(error: EdgeError) -> Status;
}

/// A stream that begins with the task as it is.
pub fn updates<E: Encode>(
    encoder: E,
    task: &Task,
    reader: Reader,
    deadline: Deadline,
) -> Updates<E::Response> {
    let follower = Follower {
        ready: encoder.snapshot(task),
        encoder,
        reader,
        batch: Batch::default(),
        pace: Pace::new(Instant::now()),
        deadline: deadline.at().map(|at| Box::pin(tokio::time::sleep_until(at))),
        is_over: false,
    };
    stream::unfold(follower, |mut follower| async move {
        follower.next().await.map(|response| (response, follower))
    })
    .boxed()
}

struct Follower<E: Encode> {
    encoder: E,
    reader: Reader,
    batch: Batch,
    /// What of the batch is not sent yet.
    ready: VecDeque<E::Response>,
    pace: Pace,
    deadline: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl<E: Encode> Follower<E> {
    /// The next response, or nothing when the stream is over.
    async fn next(&mut self) -> Option<Result<E::Response, Status>> {
        if self.is_over {
            return None;
        }
        loop {
            if self.deadline.as_ref().is_some_and(|deadline| deadline.is_elapsed()) {
                return Some(Err(self.late()));
            }
            if let Some(response) = self.ready.pop_front() {
                return Some(Ok(response));
            }
            self.pace.give_way().await;
            match self.reader.take(&mut self.batch) {
                Found::Over => return None,
                Found::Events => {
                    let events = self.batch.events();
                    self.ready.extend(events.filter_map(|(_, event)| self.encoder.event(event)));
                    self.pace.wrote();
                }
                Found::Nothing => {
                    if self.wait().await {
                        return Some(Err(self.late()));
                    }
                }
            }
        }
    }

    /// Waits for news. `true` when the deadline passed before there was any.
    async fn wait(&mut self) -> bool {
        let Some(deadline) = &mut self.deadline else {
            self.reader.wait().await;
            return false;
        };
        tokio::select! {
            biased;
            () = deadline => true,
            () = self.reader.wait() => false,
        }
    }

    fn late(&mut self) -> Status {
        self.is_over = true;
        E::status(EdgeError::DeadlineExceeded)
    }
}

/// Makes `StreamResponse` messages of what a log tells (A2A 1.0 §3.2.3). What every piece of a text repeats is made once.
pub struct Encoder {
    task: TaskId,
    context: ContextId,
    answer: Option<Struct>,
    reasoning: Option<Struct>,
    view: View,
}

impl Encode for Encoder {
    type Response = pb::StreamResponse;

    fn new(task: &TaskId, context: &ContextId, _: StreamEnd, view: View) -> Self {
        let metadata = |artifact| value::metadata(&Metadata::of_artifact(artifact, &Facts::default()));
        Self {
            task: task.clone(),
            context: context.clone(),
            answer: metadata(TextArtifact::Answer),
            reasoning: metadata(TextArtifact::Reasoning),
            view,
        }
    }

    fn snapshot(&self, task: &Task) -> VecDeque<pb::StreamResponse> {
        VecDeque::from([response(Payload::Task(encode::task(task, &self.view)))])
    }

    fn event(&self, event: LogEvent<'_>) -> Option<pb::StreamResponse> {
        if !self.view.shows(&event) {
            return None;
        }
        Some(match event {
            LogEvent::Artifact(whole) => self.update(encode::whole_artifact(whole, &self.view), false, true),
            LogEvent::Close { artifact, facts, whole } => {
                let citations = encode::citations(artifact, facts, &self.view);
                let metadata = value::metadata(&Metadata::of_artifact(artifact, facts));
                let text = whole.unwrap_or_default();
                self.update(encode::text_artifact(artifact, text, citations, metadata), whole.is_none(), true)
            }
            LogEvent::Status { facts, status } => {
                response(Payload::StatusUpdate(pb::TaskStatusUpdateEvent {
                    task_id: self.task.to_string(),
                    context_id: self.context.to_string(),
                    status: Some(encode::status(status, &self.task, &self.context, &self.view)),
                    metadata: value::metadata(&Metadata::of_status(status, facts, &self.view)),
                }))
            }
            LogEvent::Text { append, artifact, text } => {
                let metadata = match artifact {
                    TextArtifact::Answer => &self.answer,
                    TextArtifact::Reasoning => &self.reasoning,
                };
                self.update(encode::text_artifact(artifact, text, None, metadata.clone()), append, false)
            }
        })
    }

    fn status(error: EdgeError) -> Status {
        status(error)
    }
}

impl Encoder {
    fn update(&self, artifact: pb::Artifact, append: bool, last_chunk: bool) -> pb::StreamResponse {
        response(Payload::ArtifactUpdate(pb::TaskArtifactUpdateEvent {
            task_id: self.task.to_string(),
            context_id: self.context.to_string(),
            artifact: Some(artifact),
            append,
            last_chunk,
            metadata: None,
        }))
    }
}

fn response(payload: Payload) -> pb::StreamResponse {
    pb::StreamResponse { payload: Some(payload) }
}
