//! Answers of the `message.send` dialect.

use jiff::Timestamp;

use crate::core::artifact::Whole;
use crate::core::event::{Ask, LogEvent, Status, StatusNote, TextArtifact};
use crate::core::ids::{ContextId, TaskId};
use crate::core::message::{Content, Message, Part, Role};
use crate::core::state::TaskState;
use crate::core::task::{Artifact, Task};
use crate::edge::dialect::StreamEncoder;
use crate::edge::json::{ObjectWriter, write_base64, write_list, write_raw, write_str};
use crate::edge::text_frame::{Flags, TextFrame};
use crate::edge::view::View;

/// The dialect has no `rejected`; such a task failed.
fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Submitted => "pending",
        TaskState::Working => "running",
        TaskState::Completed => "completed",
        TaskState::Failed | TaskState::Rejected => "failed",
        TaskState::Canceled => "canceled",
        TaskState::InputRequired => "input-required",
        TaskState::AuthRequired => "auth-required",
    }
}

/// Why a task failed, as the one sentence that these clients expect in `error`.
fn error_text(status: &Status) -> Option<&str> {
    match status.state {
        TaskState::Failed | TaskState::Rejected => {
            Some(status.failure().map_or("the task failed", |failure| failure.message.as_str()))
        }
        _ => None,
    }
}

/// What a task that waits asks.
fn ask(status: &Status) -> Option<&Ask> {
    match &status.note {
        Some((_, StatusNote::Ask(ask))) => Some(ask),
        Some((_, StatusNote::Failure(_) | StatusNote::Progress(_))) | None => None,
    }
}

/// Appends a task. The answer of one that has ended is also the last message of its history, likewise what one that
/// waits asks.
///
/// Messages and artifacts have no times of their own in the gateway: what the caller said is as old as the
/// task, what the agent said as its status.
pub fn task(buf: &mut Vec<u8>, task: &Task, view: &View) {
    let ended = task.status.state.is_terminal();
    let mut object = ObjectWriter::open(buf);
    object.str("id", task.id.as_str());
    object.str("contextId", task.context_id.as_str());
    object.str("kind", "task");
    object.str("status", state_name(task.status.state));
    let answer = task.answer().filter(|answer| ended && !answer.is_empty());
    let history = task.history.iter().map(|message| Said::ByCaller(message));
    let by_agent = answer.map(Said::ByAgent).into_iter().chain(ask(&task.status).map(Said::Asked));
    write_list(object.member("history"), history.chain(by_agent), |buf, said| match said {
        Said::Asked(ask) => {
            said_by(buf, "agent", task.status.at, |buf| write_parts(buf, &ask.parts, view));
        }
        Said::ByAgent(text) => said_by(buf, "agent", task.status.at, |buf| text_parts(buf, text)),
        Said::ByCaller(message) => said_by_caller(buf, message, task.created_at, view),
    });
    let artifacts = view.artifacts(task).into_iter().filter(|artifact| match artifact {
        Artifact::Text { kind, .. } => *kind == TextArtifact::Answer,
        Artifact::Whole(_) => true,
    });
    write_list(object.member("artifacts"), artifacts, |buf, item| artifact(buf, item, task.created_at, view));
    metadata(object.member("metadata"), task);
    match error_text(&task.status) {
        Some(text) => object.str("error", text),
        None => object.null("error"),
    }
    object.timestamp("createdAt", task.created_at);
    object.timestamp("updatedAt", task.status.at);
    match ended {
        true => object.timestamp("completedAt", task.status.at),
        false => object.null("completedAt"),
    }
    object.close();
}

/// One entry of a history.
enum Said<'a> {
    Asked(&'a Ask),
    ByAgent(&'a str),
    ByCaller(&'a Message),
}

fn metadata(buf: &mut Vec<u8>, task: &Task) {
    let facts = &task.facts;
    let mut object = ObjectWriter::open(buf);
    object.opt_str("dify_conversation_id", facts.conversation_id.as_deref());
    if let Some(usage) = &facts.usage {
        let mut tokens = ObjectWriter::open(object.member("tokens"));
        for (name, count) in [
            ("prompt", usage.prompt_tokens),
            ("completion", usage.completion_tokens),
            ("total", usage.total_tokens),
        ] {
            if let Some(count) = count {
                tokens.number(name, count);
            }
        }
        tokens.close();
    }
    if let Some(elapsed) = facts.elapsed_ms {
        object.number("execution_time_ms", elapsed);
    }
    if let Some(failure) = task.status.failure() {
        object.str("error_code", &failure.code);
    }
    if facts.conversation_restarted {
        object.boolean("conversation_restarted", true);
    }
    object.opt_str("reasoning", task.text(TextArtifact::Reasoning));
    object.close();
}

fn artifact(buf: &mut Vec<u8>, artifact: &Artifact, at: Timestamp, view: &View) {
    let mut object = ObjectWriter::open(buf);
    match artifact {
        Artifact::Text { kind, text } => {
            object.str("artifactId", kind.name());
            object.str("name", kind.name());
            text_parts(object.member("parts"), text);
        }
        Artifact::Whole(whole) => whole_members(&mut object, whole, view),
    }
    ObjectWriter::open(object.member("metadata")).close();
    object.timestamp("createdAt", at);
    object.close();
}

/// The members of an artifact that came in one piece.
fn whole_members(object: &mut ObjectWriter<'_>, whole: &Whole, view: &View) {
    object.str("artifactId", &whole.id);
    object.str("name", &whole.name);
    write_list(object.member("parts"), view.parts(whole), |buf, item| part(buf, item, view));
}

fn write_parts(buf: &mut Vec<u8>, parts: &[Part], view: &View) {
    write_list(buf, parts, |buf, item| part(buf, item, view));
}

fn text_parts(buf: &mut Vec<u8>, text: &str) {
    buf.extend_from_slice(b"[{\"type\":\"text\",\"text\":");
    write_str(buf, text);
    buf.extend_from_slice(b"}]");
}

fn said_by_caller(buf: &mut Vec<u8>, message: &Message, at: Timestamp, view: &View) {
    let role = match message.role {
        Role::Agent => "agent",
        Role::User => "user",
    };
    said_by(buf, role, at, |buf| write_parts(buf, &message.parts, view));
}

/// Appends an entry of a history.
fn said_by(buf: &mut Vec<u8>, role: &str, at: Timestamp, parts: impl FnOnce(&mut Vec<u8>)) {
    let mut object = ObjectWriter::open(buf);
    object.str("role", role);
    parts(object.member("parts"));
    object.timestamp("timestamp", at);
    object.close();
}

/// Appends a part. Data is an object in this dialect, anything else becomes `{"value": …}`; files have a
/// name.
fn part(buf: &mut Vec<u8>, part: &Part, view: &View) {
    let mut object = ObjectWriter::open(buf);
    match &part.content {
        Content::Data(json) => {
            object.str("type", "data");
            let buf = object.member("data");
            if json.get().starts_with('{') {
                write_raw(buf, json);
            } else {
                let mut wrapped = ObjectWriter::open(buf);
                wrapped.opt_raw("value", Some(json));
                wrapped.close();
            }
        }
        Content::Raw(bytes) => {
            file(&mut object, part);
            write_base64(object.member("bytes"), bytes);
        }
        Content::Served(served) => {
            file(&mut object, part);
            match view.inline(part, served) {
                Some(bytes) => write_base64(object.member("bytes"), bytes),
                None => object.str("uri", &view.address(served)),
            }
        }
        Content::Text(text) => {
            object.str("type", "text");
            object.str("text", text);
        }
        Content::Url(url) => {
            file(&mut object, part);
            object.str("uri", url);
        }
    }
    object.close();
}

fn file(object: &mut ObjectWriter<'_>, part: &Part) {
    object.str("type", "file");
    object.str("name", part.filename.as_deref().unwrap_or("file"));
    object.opt_str("mimeType", part.media_type.as_deref());
}

/// Encodes one stream: a status, the answer as deltas, the last status. Progress and reasoning are silent,
/// and the answer closes with an empty `lastChunk`, for these clients join all text they are given.
#[derive(Debug)]
pub struct Stream {
    task: TaskId,
    context: ContextId,
    answer: TextFrame,
    told: Option<TaskState>,
    view: View,
}

impl Stream {
    /// The stream of one task.
    pub fn new(task: &TaskId, context: &ContextId, view: View) -> Self {
        let artifact = TextArtifact::Answer;
        let mut head = Vec::new();
        let mut update = ObjectWriter::open(&mut head);
        update.str("type", "task_artifact_update");
        update.str("taskId", task.as_str());
        update.str("contextId", context.as_str());
        let mut object = ObjectWriter::open(update.member("artifact"));
        object.str("artifactId", artifact.name());
        object.str("name", artifact.name());
        object.member("parts").extend_from_slice(b"[{\"type\":\"text\",\"text\":");
        Self {
            task: task.clone(),
            context: context.clone(),
            answer: TextFrame::new(artifact, head, Flags::Written, b"}", None),
            told: None,
            view,
        }
    }

    fn whole(&self, buf: &mut Vec<u8>, whole: &Whole) {
        let mut update = ObjectWriter::open(buf);
        update.str("type", "task_artifact_update");
        update.str("taskId", self.task.as_str());
        update.str("contextId", self.context.as_str());
        let mut artifact = ObjectWriter::open(update.member("artifact"));
        whole_members(&mut artifact, whole, &self.view);
        artifact.close();
        update.boolean("append", false);
        update.boolean("lastChunk", true);
        update.close();
    }

    /// Appends a status update, unless it would only repeat the state that was told last.
    fn status_update(&mut self, buf: &mut Vec<u8>, status: &Status) -> bool {
        if self.told == Some(status.state) {
            return false;
        }
        self.told = Some(status.state);
        let mut update = ObjectWriter::open(buf);
        update.str("type", "task_status_update");
        update.str("taskId", self.task.as_str());
        update.str("contextId", self.context.as_str());
        update.str("status", state_name(status.state));
        update.opt_str("error", error_text(status));
        if let Some(ask) = ask(status) {
            let mut message = ObjectWriter::open(update.member("message"));
            message.str("role", "agent");
            write_parts(message.member("parts"), &ask.parts, &self.view);
            message.close();
        }
        if let Some(failure) = status.failure() {
            let mut metadata = ObjectWriter::open(update.member("metadata"));
            metadata.str("error_code", &failure.code);
            metadata.close();
        }
        update.close();
        true
    }
}

impl StreamEncoder for Stream {
    /// The status, then what the answer has so far; of a task that is over, the status comes last.
    fn snapshot(&mut self, task: &Task, emit: &mut dyn FnMut(&[u8])) {
        let mut buf = Vec::new();
        let over = task.status.state.is_terminal() || task.status.state.is_interrupted();
        if !over && self.status_update(&mut buf, &task.status) {
            emit(&buf);
        }
        for artifact in self.view.artifacts(task) {
            buf.clear();
            match artifact {
                Artifact::Text { kind: TextArtifact::Answer, text } if !text.is_empty() => {
                    self.answer.delta(&mut buf, text, false);
                }
                Artifact::Text { .. } => continue,
                Artifact::Whole(whole) => self.whole(&mut buf, whole),
            }
            emit(&buf);
        }
        buf.clear();
        if over && self.status_update(&mut buf, &task.status) {
            emit(&buf);
        }
    }

    fn event(&mut self, buf: &mut Vec<u8>, event: LogEvent<'_>) -> bool {
        if !self.view.shows(&event) {
            return false;
        }
        match event {
            LogEvent::Artifact(whole) => self.whole(buf, whole),
            LogEvent::Close { artifact: TextArtifact::Answer, .. } => self.answer.last_bare(buf),
            LogEvent::Text { append, artifact: TextArtifact::Answer, text } => {
                self.answer.delta(buf, text, append);
            }
            LogEvent::Status { status, .. } => return self.status_update(buf, status),
            LogEvent::Close { artifact: TextArtifact::Reasoning, .. }
            | LogEvent::Text { artifact: TextArtifact::Reasoning, .. } => return false,
        }
        true
    }
}
