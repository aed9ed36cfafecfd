//! Streams of A2A 1.0 and 0.3: the task first, then its updates, in the words of one of them.

use std::marker::PhantomData;

use super::dialect::{StreamEncoder, StreamEnd};
use super::extension::Metadata;
use super::json::ObjectWriter;
use super::objects::{self, Words};
use super::text_frame::{Flags, TextFrame};
use super::view::View;
use crate::core::artifact::Whole;
use crate::core::event::{LogEvent, Status, TextArtifact};
use crate::core::facts::Facts;
use crate::core::ids::{ContextId, TaskId};
use crate::core::task::Task;

/// Encodes one stream: the task first, then its updates; never a second task, since clients of 0.3 refuse one.
#[derive(Debug)]
pub struct Updates<W> {
    task: TaskId,
    context: ContextId,
    end: StreamEnd,
    answer: TextFrame,
    reasoning: TextFrame,
    view: View,
    words: PhantomData<W>,
}

impl<W: Words> Updates<W> {
    /// The stream of one task.
    pub fn new(task: &TaskId, context: &ContextId, end: StreamEnd, view: View) -> Self {
        let data_part = view.accepted.takes_data().then_some(W::DATA_PART);
        let frame = |artifact: TextArtifact| {
            let mut head = Vec::new();
            objects::open_named::<W>(&mut head, "artifactUpdate");
            let mut update = open_update::<W>(&mut head, "artifact-update", task, context);
            let mut object = ObjectWriter::open(update.member("artifact"));
            object.str("artifactId", artifact.name());
            object.str("name", artifact.name());
            let parts = object.member("parts");
            parts.push(b'[');
            parts.extend_from_slice(W::TEXT_PART);
            let close: &[u8] = if W::NAMED { b"}}" } else { b"}" };
            TextFrame::new(artifact, head, Flags::WhenTrue, close, data_part)
        };
        let (answer, reasoning) = (frame(TextArtifact::Answer), frame(TextArtifact::Reasoning));
        let (task, context) = (task.clone(), context.clone());
        Self { task, context, end, answer, reasoning, view, words: PhantomData }
    }

    fn whole(&self, buf: &mut Vec<u8>, whole: &Whole) {
        objects::open_named::<W>(buf, "artifactUpdate");
        let mut update = open_update::<W>(buf, "artifact-update", &self.task, &self.context);
        objects::whole_artifact::<W>(update.member("artifact"), whole, &self.view);
        update.boolean("lastChunk", true);
        update.close();
        objects::close_named::<W>(buf);
    }

    fn frame(&self, artifact: TextArtifact) -> &TextFrame {
        match artifact {
            TextArtifact::Answer => &self.answer,
            TextArtifact::Reasoning => &self.reasoning,
        }
    }

    fn status_update(&self, buf: &mut Vec<u8>, new: &Status, facts: &Facts) {
        objects::open_named::<W>(buf, "statusUpdate");
        let mut update = open_update::<W>(buf, "status-update", &self.task, &self.context);
        objects::status::<W>(update.member("status"), new, &self.task, &self.context, &self.view);
        if W::FINAL {
            update.boolean("final", self.end.is_at(new.state));
        }
        Metadata::of_status(new, facts, &self.view).write_into(&mut update);
        update.close();
        objects::close_named::<W>(buf);
    }
}

fn open_update<'b, W: Words>(
    buf: &'b mut Vec<u8>,
    kind: &str,
    task: &TaskId,
    context: &ContextId,
) -> ObjectWriter<'b> {
    let mut update = ObjectWriter::open(buf);
    W::kind(&mut update, kind);
    update.str("taskId", task.as_str());
    update.str("contextId", context.as_str());
    update
}

impl<W: Words + Send> StreamEncoder for Updates<W> {
    fn snapshot(&mut self, snapshot: &Task, emit: &mut dyn FnMut(&[u8])) {
        let mut buf = Vec::new();
        objects::named_task::<W>(&mut buf, snapshot, &self.view);
        emit(&buf);
        // Where `final` is all that ends a stream, one that is over with its snapshot still has to say so. An
        // interrupted task does not end it here, since the message that opened the stream may be what it waited for.
        if W::FINAL && snapshot.status.state.is_terminal() {
            buf.clear();
            self.status_update(&mut buf, &snapshot.status, &snapshot.facts);
            emit(&buf);
        }
    }

    fn event(&mut self, buf: &mut Vec<u8>, event: LogEvent<'_>) -> bool {
        if !self.view.shows(&event) {
            return false;
        }
        match event {
            LogEvent::Artifact(whole) => self.whole(buf, whole),
            LogEvent::Close { artifact, facts, whole } => self.frame(artifact).last(buf, whole, facts),
            LogEvent::Status { facts, status } => self.status_update(buf, status, facts),
            LogEvent::Text { append, artifact, text } => self.frame(artifact).delta(buf, text, append),
        }
        true
    }
}
