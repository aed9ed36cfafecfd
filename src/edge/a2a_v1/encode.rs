//! Answers of A2A 1.0: REQUIRED fields always, others when they say something (A2A 1.0 §5.7).

use crate::core::artifact::Whole;
use crate::core::event::{LogEvent, Status, StatusNote, TextArtifact};
use crate::core::facts::Facts;
use crate::core::ids::{ContextId, TaskId};
use crate::core::message::{Content, Message, Part, Role};
use crate::core::state::TaskState;
use crate::core::task::{Artifact, Task};
use crate::edge::dialect::StreamEncoder;
use crate::edge::extension::{self, Metadata};
use crate::edge::json::{ObjectWriter, write_base64, write_list, write_raw, write_str};
use crate::edge::text_frame::{DataPart, Flags, TextFrame, write_citations_part};
use crate::edge::view::View;

/// What stands around the value of a data part.
const DATA_PART: DataPart = (b"{\"data\":", b",\"mediaType\":\"application/json\"}");

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
pub fn task(buf: &mut Vec<u8>, task: &Task, view: &View) {
    let mut object = ObjectWriter::open(buf);
    object.str("id", task.id.as_str());
    object.str("contextId", task.context_id.as_str());
    status(object.member("status"), &task.status, &task.id, &task.context_id, view);
    let artifacts = view.artifacts(task);
    if !artifacts.is_empty() {
        let facts = &task.facts;
        write_list(object.member("artifacts"), artifacts, |buf, item| artifact(buf, item, facts, view));
    }
    if !task.history.is_empty() {
        write_list(object.member("history"), &task.history, |buf, item| message(buf, item, view));
    }
    Metadata::of_task(&task.facts).write_into(&mut object);
    object.close();
}

/// Appends an `Artifact` (A2A 1.0 §4.1.7).
fn artifact(buf: &mut Vec<u8>, artifact: &Artifact, facts: &Facts, view: &View) {
    let (kind, text) = match artifact {
        Artifact::Text { kind, text } => (*kind, text),
        Artifact::Whole(whole) => return whole_artifact(buf, whole, view),
    };
    let mut object = ObjectWriter::open(buf);
    object.str("artifactId", kind.name());
    object.str("name", kind.name());
    let parts = object.member("parts");
    parts.push(b'[');
    text_part(parts, text);
    if kind == TextArtifact::Answer {
        write_citations_part(parts, facts, view.accepted.takes_data().then_some(DATA_PART));
    }
    parts.push(b']');
    Metadata::of_artifact(kind, facts).write_into(&mut object);
    object.close();
}

/// Appends an artifact that came in one piece.
fn whole_artifact(buf: &mut Vec<u8>, whole: &Whole, view: &View) {
    let mut object = ObjectWriter::open(buf);
    object.str("artifactId", &whole.id);
    object.str("name", &whole.name);
    write_list(object.member("parts"), view.parts(whole), |buf, item| part(buf, item, view));
    object.close();
}

fn text_part(buf: &mut Vec<u8>, text: &str) {
    buf.extend_from_slice(b"{\"text\":");
    write_str(buf, text);
    buf.push(b'}');
}

/// Appends a `TaskStatus` (A2A 1.0 §4.1.2).
fn status(buf: &mut Vec<u8>, status: &Status, task: &TaskId, context: &ContextId, view: &View) {
    let mut object = ObjectWriter::open(buf);
    object.str("state", state_name(status.state));
    if let Some((id, note)) = view.note(status) {
        let mut message = ObjectWriter::open(object.member("message"));
        message.str("messageId", id.as_str());
        message.str("contextId", context.as_str());
        message.str("taskId", task.as_str());
        message.str("role", role_name(Role::Agent));
        let parts = message.member("parts");
        match note {
            StatusNote::Ask(ask) => write_list(parts, &ask.parts, |buf, item| part(buf, item, view)),
            StatusNote::Failure(failure) => {
                write_list(parts, [&failure.message], |buf, text| text_part(buf, text));
                extension::write_failure(message.member("metadata"), failure);
            }
            StatusNote::Progress(progress) => {
                write_list(parts, [extension::step_text(progress)], |buf, text| text_part(buf, &text));
            }
        }
        message.close();
    }
    object.timestamp("timestamp", status.at);
    object.close();
}

/// Appends a `Message` (A2A 1.0 §4.1.4).
fn message(buf: &mut Vec<u8>, message: &Message, view: &View) {
    let mut object = ObjectWriter::open(buf);
    object.str("messageId", message.id.as_str());
    object.opt_str("contextId", message.context_id.as_ref().map(ContextId::as_str));
    object.opt_str("taskId", message.task_id.as_ref().map(TaskId::as_str));
    object.str("role", role_name(message.role));
    write_list(object.member("parts"), &message.parts, |buf, item| part(buf, item, view));
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
fn part(buf: &mut Vec<u8>, part: &Part, view: &View) {
    let mut object = ObjectWriter::open(buf);
    match &part.content {
        Content::Data(json) => write_raw(object.member("data"), json),
        Content::Raw(bytes) => write_base64(object.member("raw"), bytes),
        Content::Served(served) => match view.inline(part, served) {
            Some(bytes) => write_base64(object.member("raw"), bytes),
            None => object.str("url", &view.address(served)),
        },
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
    view: View,
}

impl Stream {
    /// The stream of one task.
    pub fn new(task: &TaskId, context: &ContextId, view: View) -> Self {
        let data_part = view.accepted.takes_data().then_some(DATA_PART);
        let frame = |artifact: TextArtifact| {
            let mut head = b"{\"artifactUpdate\":".to_vec();
            let mut update = ObjectWriter::open(&mut head);
            update.str("taskId", task.as_str());
            update.str("contextId", context.as_str());
            let mut object = ObjectWriter::open(update.member("artifact"));
            object.str("artifactId", artifact.name());
            object.str("name", artifact.name());
            object.member("parts").extend_from_slice(b"[{\"text\":");
            TextFrame::new(artifact, head, Flags::WhenTrue, b"}}", data_part)
        };
        Self {
            task: task.clone(),
            context: context.clone(),
            answer: frame(TextArtifact::Answer),
            reasoning: frame(TextArtifact::Reasoning),
            view,
        }
    }

    fn whole(&self, buf: &mut Vec<u8>, whole: &Whole) {
        let mut response = ObjectWriter::open(buf);
        let mut update = ObjectWriter::open(response.member("artifactUpdate"));
        update.str("taskId", self.task.as_str());
        update.str("contextId", self.context.as_str());
        whole_artifact(update.member("artifact"), whole, &self.view);
        update.boolean("lastChunk", true);
        update.close();
        response.close();
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
        task(response.member("task"), snapshot, &self.view);
        response.close();
        emit(&buf);
    }

    fn event(&mut self, buf: &mut Vec<u8>, event: LogEvent<'_>) -> bool {
        if !self.view.shows(&event) {
            return false;
        }
        match event {
            LogEvent::Artifact(whole) => self.whole(buf, whole),
            LogEvent::Close { artifact, facts, whole } => self.frame(artifact).last(buf, whole, facts),
            LogEvent::Status { facts, status: new } => {
                let mut response = ObjectWriter::open(buf);
                let mut update = ObjectWriter::open(response.member("statusUpdate"));
                update.str("taskId", self.task.as_str());
                update.str("contextId", self.context.as_str());
                status(update.member("status"), new, &self.task, &self.context, &self.view);
                Metadata::of_status(new, facts, &self.view).write_into(&mut update);
                update.close();
                response.close();
            }
            LogEvent::Text { append, artifact, text } => self.frame(artifact).delta(buf, text, append),
        }
        true
    }
}
