//! The objects that A2A 1.0 and 0.3 write with the same members in the same order: a task comes in, JSON goes out, in the
//! words of one of them.

use crate::core::artifact::Whole;
use crate::core::event::{Status, StatusNote, TextArtifact};
use crate::core::facts::Facts;
use crate::core::ids::{ContextId, TaskId};
use crate::core::message::{Message, Part, Role};
use crate::core::state::TaskState;
use crate::core::task::{Artifact, Task};
use crate::edge::extension::{self, Metadata};
use crate::edge::json::{ObjectWriter, write_list, write_str};
use crate::edge::text_frame::{DataPart, write_citations_part};
use crate::edge::view::View;

/// What differs between the wire forms.
pub trait Words {
    /// What stands around the value of a data part.
    const DATA_PART: DataPart;

    /// Whether a status update says that its stream ends with it (A2A 0.3 §7.2.2).
    const FINAL: bool;

    /// What a message calls its parts.
    const MESSAGE_PARTS: &'static str = "parts";

    /// Whether what is sent or streamed is the member of an object, which is named for it (A2A 1.0 §3.2.3).
    const NAMED: bool;

    /// Whether messages tell the tasks that they refer to.
    const REFERENCES: bool = true;

    /// What stands before the text of a text part without media type and metadata; a brace stands after it.
    const TEXT_PART: &'static [u8];

    /// Says what kind of object this is, where objects say so.
    fn kind(object: &mut ObjectWriter<'_>, name: &str);

    /// Appends a `Part`.
    fn part(buf: &mut Vec<u8>, part: &Part, view: &View);

    /// The name of a role.
    fn role(role: Role) -> &'static str;

    /// The name of a state.
    fn state(state: TaskState) -> &'static str;
}

/// Appends what comes before an object that has a name where objects are [`Words::NAMED`].
pub fn open_named<W: Words>(buf: &mut Vec<u8>, name: &'static str) {
    if W::NAMED {
        buf.extend_from_slice(b"{\"");
        buf.extend_from_slice(name.as_bytes());
        buf.extend_from_slice(b"\":");
    }
}

/// Appends what comes after it.
pub fn close_named<W: Words>(buf: &mut Vec<u8>) {
    if W::NAMED {
        buf.push(b'}');
    }
}

/// Appends a `Task` as the result of sending a message, and as what every stream begins with.
pub fn named_task<W: Words>(buf: &mut Vec<u8>, item: &Task, view: &View) {
    open_named::<W>(buf, "task");
    task::<W>(buf, item, view);
    close_named::<W>(buf);
}

fn text_part<W: Words>(buf: &mut Vec<u8>, text: &str) {
    buf.extend_from_slice(W::TEXT_PART);
    write_str(buf, text);
    buf.push(b'}');
}

/// Appends a `Task` (A2A 1.0 §4.1.1, 0.3 §6.1).
pub fn task<W: Words>(buf: &mut Vec<u8>, task: &Task, view: &View) {
    let mut object = ObjectWriter::open(buf);
    W::kind(&mut object, "task");
    object.str("id", task.id.as_str());
    object.str("contextId", task.context_id.as_str());
    status::<W>(object.member("status"), &task.status, &task.id, &task.context_id, view);
    let artifacts = view.artifacts(task);
    if !artifacts.is_empty() {
        let facts = &task.facts;
        write_list(object.member("artifacts"), artifacts, |buf, item| artifact::<W>(buf, item, facts, view));
    }
    if !task.history.is_empty() {
        write_list(object.member("history"), &task.history, |buf, item| message::<W>(buf, item, view));
    }
    Metadata::of_task(&task.facts).write_into(&mut object);
    object.close();
}

/// Appends an `Artifact` (A2A 1.0 §4.1.7, 0.3 §6.7).
fn artifact<W: Words>(buf: &mut Vec<u8>, artifact: &Artifact, facts: &Facts, view: &View) {
    let (kind, text) = match artifact {
        Artifact::Text { kind, text } => (*kind, text),
        Artifact::Whole(whole) => return whole_artifact::<W>(buf, whole, view),
    };
    let mut object = ObjectWriter::open(buf);
    object.str("artifactId", kind.name());
    object.str("name", kind.name());
    let parts = object.member("parts");
    parts.push(b'[');
    text_part::<W>(parts, text);
    if kind == TextArtifact::Answer {
        write_citations_part(parts, facts, view.accepted.takes_data().then_some(W::DATA_PART));
    }
    parts.push(b']');
    Metadata::of_artifact(kind, facts).write_into(&mut object);
    object.close();
}

/// Appends an artifact that came in one piece.
pub fn whole_artifact<W: Words>(buf: &mut Vec<u8>, whole: &Whole, view: &View) {
    let mut object = ObjectWriter::open(buf);
    object.str("artifactId", &whole.id);
    object.str("name", &whole.name);
    write_list(object.member("parts"), view.parts(whole), |buf, item| W::part(buf, item, view));
    object.close();
}

/// Appends a `TaskStatus` (A2A 1.0 §4.1.2, 0.3 §6.2).
pub fn status<W: Words>(buf: &mut Vec<u8>, status: &Status, task: &TaskId, context: &ContextId, view: &View) {
    let mut object = ObjectWriter::open(buf);
    object.str("state", W::state(status.state));
    if let Some((id, note)) = view.note(status) {
        let mut message = ObjectWriter::open(object.member("message"));
        W::kind(&mut message, "message");
        message.str("messageId", id.as_str());
        message.str("contextId", context.as_str());
        message.str("taskId", task.as_str());
        message.str("role", W::role(Role::Agent));
        let parts = message.member(W::MESSAGE_PARTS);
        match note {
            StatusNote::Ask(ask) => write_list(parts, &ask.parts, |buf, item| W::part(buf, item, view)),
            StatusNote::Failure(failure) => {
                write_list(parts, [&failure.message], |buf, text| text_part::<W>(buf, text));
                extension::write_failure(message.member("metadata"), failure);
            }
            StatusNote::Progress(progress) => {
                write_list(parts, [extension::step_text(progress)], |buf, text| text_part::<W>(buf, &text));
            }
        }
        message.close();
    }
    object.timestamp("timestamp", status.at);
    object.close();
}

/// Appends a `Message` (A2A 1.0 §4.1.4, 0.3 §6.4).
fn message<W: Words>(buf: &mut Vec<u8>, message: &Message, view: &View) {
    let mut object = ObjectWriter::open(buf);
    W::kind(&mut object, "message");
    object.str("messageId", message.id.as_str());
    object.opt_str("contextId", message.context_id.as_ref().map(ContextId::as_str));
    object.opt_str("taskId", message.task_id.as_ref().map(TaskId::as_str));
    object.str("role", W::role(message.role));
    write_list(object.member(W::MESSAGE_PARTS), &message.parts, |buf, item| W::part(buf, item, view));
    object.opt_raw("metadata", message.metadata.as_deref());
    if !message.extensions.is_empty() {
        write_list(object.member("extensions"), &message.extensions, |buf, uri| write_str(buf, uri));
    }
    if W::REFERENCES && !message.reference_task_ids.is_empty() {
        let ids = &message.reference_task_ids;
        write_list(object.member("referenceTaskIds"), ids, |buf, id| write_str(buf, id.as_str()));
    }
    object.close();
}
