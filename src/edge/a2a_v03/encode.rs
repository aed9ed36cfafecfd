//! Answers of A2A 0.3: every object says its `kind`, every status update whether it is `final`.

use serde_json::value::RawValue;

use crate::core::artifact::Whole;
use crate::core::event::{LogEvent, Status, TextArtifact};
use crate::core::facts::Facts;
use crate::core::ids::{ContextId, TaskId};
use crate::core::message::{Content, Part, Role};
use crate::core::state::TaskState;
use crate::core::task::Task;
use crate::edge::dialect::{StreamEncoder, StreamEnd};
use crate::edge::extension::Metadata;
use crate::edge::json::{ObjectWriter, write_base64, write_raw, write_str};
use crate::edge::objects;
use crate::edge::text_frame::{DataPart, Flags, TextFrame};
use crate::edge::view::View;

/// The words of A2A 0.3.
pub(super) struct Words;

impl objects::Words for Words {
    const DATA_PART: DataPart = (b"{\"kind\":\"data\",\"data\":", b"}");

    fn kind(object: &mut ObjectWriter<'_>, name: &str) {
        object.str("kind", name);
    }

    fn part(buf: &mut Vec<u8>, item: &Part, view: &View) {
        part(buf, item, view);
    }

    fn role(role: Role) -> &'static str {
        match role {
            Role::Agent => "agent",
            Role::User => "user",
        }
    }

    fn state(state: TaskState) -> &'static str {
        match state {
            TaskState::Submitted => "submitted",
            TaskState::Working => "working",
            TaskState::Completed => "completed",
            TaskState::Failed => "failed",
            TaskState::Canceled => "canceled",
            TaskState::InputRequired => "input-required",
            TaskState::Rejected => "rejected",
            TaskState::AuthRequired => "auth-required",
        }
    }

    fn text_part(buf: &mut Vec<u8>, text: &str) {
        buf.extend_from_slice(b"{\"kind\":\"text\",\"text\":");
        write_str(buf, text);
        buf.push(b'}');
    }
}

/// Appends a `Task` (A2A 0.3 §6.1).
pub fn task(buf: &mut Vec<u8>, task: &Task, view: &View) {
    objects::task::<Words>(buf, task, view);
}

/// Appends a `Part` (A2A 0.3 §6.5). Text parts have no media type and no file name there; they are left out.
fn part(buf: &mut Vec<u8>, part: &Part, view: &View) {
    let mut object = ObjectWriter::open(buf);
    let mut metadata = part.metadata.as_deref();
    match &part.content {
        Content::Data(json) if json.get().starts_with('{') => {
            object.str("kind", "data");
            write_raw(object.member("data"), json);
        }
        Content::Data(json) => {
            object.str("kind", "data");
            let mut wrapped = ObjectWriter::open(object.member("data"));
            wrapped.opt_raw("value", Some(json));
            wrapped.close();
            write_marked(object.member("metadata"), metadata.take());
        }
        Content::Raw(bytes) => {
            let mut file = open_file(&mut object, part);
            write_base64(file.member("bytes"), bytes);
            file.close();
        }
        Content::Served(served) => {
            let mut file = open_file(&mut object, part);
            match view.inline(part, served) {
                Some(bytes) => write_base64(file.member("bytes"), bytes),
                None => file.str("uri", &view.address(served)),
            }
            file.close();
        }
        Content::Text(text) => {
            object.str("kind", "text");
            object.str("text", text);
        }
        Content::Url(url) => {
            let mut file = open_file(&mut object, part);
            file.str("uri", url);
            file.close();
        }
    }
    object.opt_raw("metadata", metadata);
    object.close();
}

fn open_file<'b>(object: &'b mut ObjectWriter<'_>, part: &Part) -> ObjectWriter<'b> {
    object.str("kind", "file");
    let mut file = ObjectWriter::open(object.member("file"));
    file.opt_str("name", part.filename.as_deref());
    file.opt_str("mimeType", part.media_type.as_deref());
    file
}

/// Appends the part's own metadata with the mark that its data was wrapped, since data is an object in 0.3.
fn write_marked(buf: &mut Vec<u8>, metadata: Option<&RawValue>) {
    buf.extend_from_slice(b"{\"data_part_compat\":true");
    if let Some(metadata) = metadata {
        let start = buf.len();
        write_raw(buf, metadata);
        // The author's object goes on where ours stands: its opening brace becomes the comma, unless it is
        // empty.
        let inside = metadata.get().trim_start_matches('{').trim_end_matches('}');
        match buf.get_mut(start) {
            Some(brace) if !inside.trim().is_empty() => {
                *brace = b',';
                return;
            }
            _ => buf.truncate(start),
        }
    }
    buf.push(b'}');
}

/// Encodes one stream: the task first, then its updates; never a second task, since clients of 0.3 refuse
/// one.
#[derive(Debug)]
pub struct Stream {
    task: TaskId,
    context: ContextId,
    end: StreamEnd,
    answer: TextFrame,
    reasoning: TextFrame,
    view: View,
}

impl Stream {
    /// The stream of one task.
    pub fn new(task: &TaskId, context: &ContextId, end: StreamEnd, view: View) -> Self {
        let data_part = view.accepted.takes_data().then_some(<Words as objects::Words>::DATA_PART);
        let frame = |artifact: TextArtifact| {
            let mut head = Vec::new();
            let mut update = ObjectWriter::open(&mut head);
            update.str("kind", "artifact-update");
            update.str("taskId", task.as_str());
            update.str("contextId", context.as_str());
            let mut object = ObjectWriter::open(update.member("artifact"));
            object.str("artifactId", artifact.name());
            object.str("name", artifact.name());
            object.member("parts").extend_from_slice(b"[{\"kind\":\"text\",\"text\":");
            TextFrame::new(artifact, head, Flags::WhenTrue, b"}", data_part)
        };
        Self {
            task: task.clone(),
            context: context.clone(),
            end,
            answer: frame(TextArtifact::Answer),
            reasoning: frame(TextArtifact::Reasoning),
            view,
        }
    }

    fn whole(&self, buf: &mut Vec<u8>, whole: &Whole) {
        let mut update = ObjectWriter::open(buf);
        update.str("kind", "artifact-update");
        update.str("taskId", self.task.as_str());
        update.str("contextId", self.context.as_str());
        objects::whole_artifact::<Words>(update.member("artifact"), whole, &self.view);
        update.boolean("lastChunk", true);
        update.close();
    }

    fn frame(&self, artifact: TextArtifact) -> &TextFrame {
        match artifact {
            TextArtifact::Answer => &self.answer,
            TextArtifact::Reasoning => &self.reasoning,
        }
    }

    /// Whether the stream closes after a status of this state (A2A 0.3 §7.2.2, `final`).
    fn is_final(&self, state: TaskState) -> bool {
        state.is_terminal() || (state == TaskState::InputRequired && self.end == StreamEnd::Turn)
    }

    fn status_update(&self, buf: &mut Vec<u8>, new: &Status, facts: &Facts) {
        let mut update = ObjectWriter::open(buf);
        update.str("kind", "status-update");
        update.str("taskId", self.task.as_str());
        update.str("contextId", self.context.as_str());
        objects::status::<Words>(update.member("status"), new, &self.task, &self.context, &self.view);
        update.boolean("final", self.is_final(new.state));
        Metadata::of_status(new, facts, &self.view).write_into(&mut update);
        update.close();
    }
}

impl StreamEncoder for Stream {
    fn snapshot(&mut self, snapshot: &Task, emit: &mut dyn FnMut(&[u8])) {
        let mut buf = Vec::new();
        task(&mut buf, snapshot, &self.view);
        emit(&buf);
        // A stream that is over with its snapshot still has to say so: `final` is all that ends one. An
        // interrupted task does not end it here, since the message that opened the stream may be what it
        // waited for.
        if snapshot.status.state.is_terminal() {
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
