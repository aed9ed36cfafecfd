//! Answers of A2A 1.0 over gRPC (A2A 1.0 §10.3): tasks and pages of the core in, messages out. They say what JSON says.

use a2a_pb::proto::{self as pb, part};
use jiff::Timestamp;
use prost_types::Struct;

use super::value;
use crate::core::artifact::Whole;
use crate::core::event::{Status, StatusNote, TextArtifact};
use crate::core::facts::Facts;
use crate::core::ids::{ContextId, TaskId};
use crate::core::message::{Content, Message, Part, Role};
use crate::core::state::TaskState;
use crate::core::task::{Artifact, Task};
use crate::edge::dialect::Page;
use crate::edge::extension::{self, Metadata};
use crate::edge::page::next_token;
use crate::edge::view::View;

/// A `Task` (A2A 1.0 §4.1.1).
pub fn task(task: &Task, view: &View) -> pb::Task {
    pb::Task {
        id: task.id.to_string(),
        context_id: task.context_id.to_string(),
        status: Some(status(&task.status, &task.id, &task.context_id, view)),
        artifacts: view.artifacts(task).into_iter().map(|item| artifact(item, &task.facts, view)).collect(),
        history: task.history.iter().map(|item| message(item, view)).collect(),
        metadata: value::metadata(&Metadata::of_task(&task.facts)),
    }
}

/// A `ListTasksResponse` (A2A 1.0 §3.1.4).
pub fn page(page: &Page<'_>, view: &View) -> pb::ListTasksResponse {
    let Page { tasks, page_size, total, .. } = *page;
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    pb::ListTasksResponse {
        tasks: tasks.iter().map(|item| task(item, view)).collect(),
        next_page_token: next_token(page),
        page_size: count(page_size),
        total_size: count(total),
    }
}

/// An `Artifact` (A2A 1.0 §4.1.7).
fn artifact(artifact: &Artifact, facts: &Facts, view: &View) -> pb::Artifact {
    match artifact {
        Artifact::Text { kind, text } => {
            let metadata = value::metadata(&Metadata::of_artifact(*kind, facts));
            text_artifact(*kind, text, citations(*kind, facts, view), metadata)
        }
        Artifact::Whole(whole) => whole_artifact(whole, view),
    }
}

/// A text as an artifact, with the sources of an answer after it.
pub fn text_artifact(
    kind: TextArtifact,
    text: &str,
    citations: Option<pb::Part>,
    metadata: Option<Struct>,
) -> pb::Artifact {
    let mut parts = vec![text_part(text)];
    parts.extend(citations);
    let name = kind.name().to_owned();
    pb::Artifact { artifact_id: name.clone(), name, parts, metadata, ..pb::Artifact::default() }
}

/// The sources of an answer as a part, if there are any and the client takes data.
pub fn citations(kind: TextArtifact, facts: &Facts, view: &View) -> Option<pb::Part> {
    if kind != TextArtifact::Answer || facts.citations.is_empty() || !view.accepted.takes_data() {
        return None;
    }
    let data = value::written(|buf| extension::write_citations(buf, &facts.citations))?;
    let data = prost_types::Value { kind: Some(prost_types::value::Kind::StructValue(data)) };
    Some(pb::Part {
        content: Some(part::Content::Data(data)),
        media_type: "application/json".to_owned(),
        ..pb::Part::default()
    })
}

/// An artifact that came in one piece.
pub fn whole_artifact(whole: &Whole, view: &View) -> pb::Artifact {
    pb::Artifact {
        artifact_id: whole.id.clone(),
        name: whole.name.clone(),
        parts: view.parts(whole).map(|item| part(item, view)).collect(),
        ..pb::Artifact::default()
    }
}

/// A `TaskStatus` (A2A 1.0 §4.1.2).
pub fn status(status: &Status, task: &TaskId, context: &ContextId, view: &View) -> pb::TaskStatus {
    let message = view.note(status).map(|(id, note)| {
        let (parts, metadata) = match note {
            StatusNote::Ask(ask) => (ask.parts.iter().map(|item| part(item, view)).collect(), None),
            StatusNote::Failure(failure) => {
                let metadata = value::written(|buf| extension::write_failure(buf, failure));
                (vec![text_part(&failure.message)], metadata)
            }
            StatusNote::Progress(progress) => (vec![text_part(&extension::step_text(progress))], None),
        };
        pb::Message {
            message_id: id.to_string(),
            context_id: context.to_string(),
            task_id: task.to_string(),
            role: role(Role::Agent),
            parts,
            metadata,
            ..pb::Message::default()
        }
    });
    pb::TaskStatus { state: state(status.state), message, timestamp: Some(timestamp(status.at)) }
}

/// A `Message` (A2A 1.0 §4.1.4).
fn message(message: &Message, view: &View) -> pb::Message {
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    pb::Message {
        message_id: message.id.to_string(),
        context_id: text(message.context_id.as_ref().map(ContextId::as_str)),
        task_id: text(message.task_id.as_ref().map(TaskId::as_str)),
        role: role(message.role),
        parts: message.parts.iter().map(|item| part(item, view)).collect(),
        metadata: message.metadata.as_ref().and_then(|json| value::object(json.get())),
        extensions: message.extensions.clone(),
        reference_task_ids: message.reference_task_ids.iter().map(TaskId::to_string).collect(),
    }
}

/// A `Part` (A2A 1.0 §4.1.6).
fn part(part: &Part, view: &View) -> pb::Part {
    let content = match &part.content {
        Content::Data(json) => part::Content::Data(value::value(json)),
        Content::Raw(bytes) => part::Content::Raw(bytes.to_vec()),
        Content::Served(served) => match view.inline(part, served) {
            Some(bytes) => part::Content::Raw(bytes.to_vec()),
            None => part::Content::Url(view.address(served)),
        },
        Content::Text(text) => part::Content::Text(text.clone()),
        Content::Url(url) => part::Content::Url(url.clone()),
    };
    pb::Part {
        content: Some(content),
        filename: part.filename.clone().unwrap_or_default(),
        media_type: part.media_type.clone().unwrap_or_default(),
        metadata: part.metadata.as_ref().and_then(|json| value::object(json.get())),
    }
}

fn text_part(text: &str) -> pb::Part {
    pb::Part { content: Some(part::Content::Text(text.to_owned())), ..pb::Part::default() }
}

fn role(role: Role) -> i32 {
    let role = match role {
        Role::Agent => pb::Role::Agent,
        Role::User => pb::Role::User,
    };
    role.into()
}

fn state(state: TaskState) -> i32 {
    let state = match state {
        TaskState::Submitted => pb::TaskState::Submitted,
        TaskState::Working => pb::TaskState::Working,
        TaskState::Completed => pb::TaskState::Completed,
        TaskState::Failed => pb::TaskState::Failed,
        TaskState::Canceled => pb::TaskState::Canceled,
        TaskState::InputRequired => pb::TaskState::InputRequired,
        TaskState::Rejected => pb::TaskState::Rejected,
        TaskState::AuthRequired => pb::TaskState::AuthRequired,
    };
    state.into()
}

/// A moment, in milliseconds as everywhere (A2A 1.0 §5.6.1).
fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let millis = at.as_millisecond();
    let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or_default().saturating_mul(1_000_000);
    prost_types::Timestamp { seconds: millis.div_euclid(1000), nanos }
}
