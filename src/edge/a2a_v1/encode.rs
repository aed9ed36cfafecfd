//! Answers of A2A 1.0: REQUIRED fields always, others when they say something (A2A 1.0 §5.7).

use crate::core::artifact::Whole;
use crate::core::event::{LogEvent, TextArtifact};
use crate::core::ids::{ContextId, TaskId};
use crate::core::message::{Content, Part, Role};
use crate::core::state::TaskState;
use crate::core::task::Task;
use crate::edge::dialect::StreamEncoder;
use crate::edge::extension::Metadata;
use crate::edge::json::{ObjectWriter, write_base64, write_raw, write_str};
use crate::edge::objects;
use crate::edge::text_frame::{DataPart, Flags, TextFrame};
use crate::edge::view::View;

/// The words of A2A 1.0.
pub(super) struct Words;

impl objects::Words for Words {
    const DATA_PART: DataPart = (b"{\"data\":", b",\"mediaType\":\"application/json\"}");

    fn kind(_: &mut ObjectWriter<'_>, _: &str) {}

    fn part(buf: &mut Vec<u8>, item: &Part, view: &View) {
        part(buf, item, view);
    }

    fn role(role: Role) -> &'static str {
        match role {
            Role::Agent => "ROLE_AGENT",
            Role::User => "ROLE_USER",
        }
    }

    fn state(state: TaskState) -> &'static str {
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

    fn text_part(buf: &mut Vec<u8>, text: &str) {
        buf.extend_from_slice(b"{\"text\":");
        write_str(buf, text);
        buf.push(b'}');
    }
}

/// Appends a `Task` (A2A 1.0 §4.1.1).
pub fn task(buf: &mut Vec<u8>, task: &Task, view: &View) {
    objects::task::<Words>(buf, task, view);
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
        let data_part = view.accepted.takes_data().then_some(<Words as objects::Words>::DATA_PART);
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
        objects::whole_artifact::<Words>(update.member("artifact"), whole, &self.view);
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
                objects::status::<Words>(update.member("status"), new, &self.task, &self.context, &self.view);
                Metadata::of_status(new, facts, &self.view).write_into(&mut update);
                update.close();
                response.close();
            }
            LogEvent::Text { append, artifact, text } => self.frame(artifact).delta(buf, text, append),
        }
        true
    }
}
