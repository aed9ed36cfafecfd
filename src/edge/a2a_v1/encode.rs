//! Answers of A2A 1.0: REQUIRED fields always, others when they say something (A2A 1.0 §5.7).

use crate::core::event::{Facts, LogEvent, Status, StatusNote, TextArtifact};
use crate::core::ids::{ContextId, TaskId};
use crate::core::message::{Content, Message, Part, Role};
use crate::core::state::TaskState;
use crate::core::task::{Artifact, Task};
use crate::edge::dialect::StreamEncoder;
use crate::edge::extension::{self, Metadata};
use crate::edge::json::{ObjectWriter, write_base64, write_list, write_raw, write_str};
use crate::edge::text_frame::{Flags, TextFrame};

fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Submitted => "TASK_STATE_SUBMITTED",
        TaskState::Working => "TASK_STATE_WORKING",
        TaskState::Completed => "TASK_STATE_COMPLETED",
        TaskState::Failed => "TASK_STATE_FAILED",
        TaskState::Canceled => "TASK_STATE_CANCELED",
        TaskState::InputRequired => "TASK_STATE_INPUT_REQUIRED",
        TaskState::Rejected => "TASK_STATE_REJECTED",
        TaskState::AuthRequired => "TASK_STATE_AUTH_REQUIRED",
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Agent => "ROLE_AGENT",
        Role::User => "ROLE_USER",
    }
}

/// Appends a `Task` (A2A 1.0 §4.1.1).
pub fn task(buf: &mut Vec<u8>, task: &Task) {
    let mut object = ObjectWriter::open(buf);
    object.str("id", task.id.as_str());
    object.str("contextId", task.context_id.as_str());
    status(object.member("status"), &task.status, &task.id, &task.context_id);
    if !task.artifacts.is_empty() {
        write_list(object.member("artifacts"), &task.artifacts, |buf, item| artifact(buf, item, &task.facts));
    }
    if !task.history.is_empty() {
        write_list(object.member("history"), &task.history, |buf, item| message(buf, item));
    }
    Metadata::of_task(&task.facts).write_into(&mut object);
    object.close();
}

/// Appends an `Artifact` (A2A 1.0 §4.1.7).
fn artifact(buf: &mut Vec<u8>, artifact: &Artifact, facts: &Facts) {
    let mut object = ObjectWriter::open(buf);
    object.str("artifactId", artifact.kind.name());
    object.str("name", artifact.kind.name());
    text_parts(object.member("parts"), &artifact.text);
    Metadata::of_artifact(artifact.kind, facts).write_into(&mut object);
    object.close();
}

fn text_parts(buf: &mut Vec<u8>, text: &str) {
    buf.extend_from_slice(b"[{\"text\":");
    write_str(buf, text);
    buf.extend_from_slice(b"}]");
}

/// Appends a `TaskStatus` (A2A 1.0 §4.1.2).
fn status(buf: &mut Vec<u8>, status: &Status, task: &TaskId, context: &ContextId) {
    let mut object = ObjectWriter::open(buf);
    object.str("state", state_name(status.state));
    if let Some((id, note)) = &status.note {
        let mut message = ObjectWriter::open(object.member("message"));
        message.str("messageId", id.as_str());
        message.str("contextId", context.as_str());
        message.str("taskId", task.as_str());
        message.str("role", role_name(Role::Agent));
        text_parts(message.member("parts"), &extension::note_text(note));
        if let StatusNote::Failure(failure) = note {
            extension::write_failure(message.member("metadata"), failure);
        }
        message.close();
    }
    object.timestamp("timestamp", status.at);
    object.close();
}

/// Appends a `Message` (A2A 1.0 §4.1.4).
fn message(buf: &mut Vec<u8>, message: &Message) {
    let mut object = ObjectWriter::open(buf);
    object.str("messageId", message.id.as_str());
    object.opt_str("contextId", message.context_id.as_ref().map(ContextId::as_str));
    object.opt_str("taskId", message.task_id.as_ref().map(TaskId::as_str));
    object.str("role", role_name(message.role));
    write_list(object.member("parts"), &message.parts, part);
    object.opt_raw("metadata", message.metadata.as_deref());
    if !message.extensions.is_empty() {
        write_list(object.member("extensions"), &message.extensions, |buf, uri| write_str(buf, uri));
    }
    if !message.reference_task_ids.is_empty() {
        let ids = &message.reference_task_ids;
        write_list(object.member("referenceTaskIds"), ids, |buf, id| write_str(buf, id.as_str()));
    }
    object.close();
}

/// Appends a `Part` (A2A 1.0 §4.1.6).
fn part(buf: &mut Vec<u8>, part: &Part) {
    let mut object = ObjectWriter::open(buf);
    match &part.content {
        Content::Data(json) => write_raw(object.member("data"), json),
        Content::Raw(bytes) => write_base64(object.member("raw"), bytes),
        Content::Text(text) => object.str("text", text),
        Content::Url(url) => object.str("url", url),
    }
    object.opt_str("mediaType", part.media_type.as_deref());
    object.opt_str("filename", part.filename.as_deref());
    object.opt_raw("metadata", part.metadata.as_deref());
    object.close();
}

/// Encodes one stream as `StreamResponse` values (A2A 1.0 §3.2.3).
#[derive(Debug)]
pub struct Stream {
    task: TaskId,
    context: ContextId,
    answer: TextFrame,
    reasoning: TextFrame,
}

impl Stream {
    /// The stream of one task.
    pub fn new(task: &TaskId, context: &ContextId) -> Self {
        let frame = |artifact: TextArtifact| {
            let mut head = b"{\"artifactUpdate\":".to_vec();
            let mut update = ObjectWriter::open(&mut head);
            update.str("taskId", task.as_str());
            update.str("contextId", context.as_str());
            let mut object = ObjectWriter::open(update.member("artifact"));
            object.str("artifactId", artifact.name());
            object.str("name", artifact.name());
            object.member("parts").extend_from_slice(b"[{\"text\":");
            TextFrame::new(artifact, head, Flags::WhenTrue, b"}}")
        };
        Self {
            task: task.clone(),
            context: context.clone(),
            answer: frame(TextArtifact::Answer),
            reasoning: frame(TextArtifact::Reasoning),
        }
    }

    fn frame(&self, artifact: TextArtifact) -> &TextFrame {
        match artifact {
            TextArtifact::Answer => &self.answer,
            TextArtifact::Reasoning => &self.reasoning,
        }
    }
}

impl StreamEncoder for Stream {
    fn snapshot(&mut self, snapshot: &Task, emit: &mut dyn FnMut(&[u8])) {
        let mut buf = Vec::new();
        let mut response = ObjectWriter::open(&mut buf);
        task(response.member("task"), snapshot);
        response.close();
        emit(&buf);
    }

    fn event(&mut self, buf: &mut Vec<u8>, event: LogEvent<'_>) -> bool {
        match event {
            LogEvent::Close { artifact, facts, whole } => self.frame(artifact).last(buf, whole, facts),
            LogEvent::Status { facts, status: new } => {
                let mut response = ObjectWriter::open(buf);
                let mut update = ObjectWriter::open(response.member("statusUpdate"));
                update.str("taskId", self.task.as_str());
                update.str("contextId", self.context.as_str());
                status(update.member("status"), new, &self.task, &self.context);
                Metadata::of_status(new, facts).write_into(&mut update);
                update.close();
                response.close();
            }
            LogEvent::Text { append, artifact, text } => self.frame(artifact).delta(buf, text, append),
        }
        true
    }
}
