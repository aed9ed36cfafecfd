//! What the requests of all dialects have in common: identifiers, lists, history lengths, and their limits.

use crate::core::ids::{ContextId, TaskId};
use crate::core::message::Json;

use super::json::{Field, Members};

/// Longest identifier a client may choose, in bytes. UUIDs have 36; 512 leaves room for composed ones and keeps keys
/// of stores small.
pub const MAX_ID_BYTES: usize = 512;

/// Most parts of one message. Dify takes far fewer files; more than this is no message but an attack.
pub const MAX_PARTS: usize = 100;

/// Most elements of any other list in a request, such as `extensions`.
pub const MAX_LIST: usize = 100;

/// An identifier: not empty, not too long, no control characters.
pub fn identifier(field: &Field<'_>) -> Option<String> {
    let text = field.string()?;
    let problem = if text.is_empty() {
        "must not be empty".to_owned()
    } else if text.len() > MAX_ID_BYTES {
        format!("must not be longer than {MAX_ID_BYTES} bytes")
    } else if text.chars().any(char::is_control) {
        "must not contain control characters".to_owned()
    } else {
        return Some(text);
    };
    field.refuse(problem);
    None
}

/// An identifier that may be absent; the empty text is absence too, as proto3 has it.
fn optional_identifier(members: &Members<'_>, name: &'static str) -> Option<String> {
    members.field(name).filter(|field| !field.is_empty_string()).and_then(|field| identifier(&field))
}

/// The context a request names.
pub fn context_id(members: &Members<'_>, name: &'static str) -> Option<ContextId> {
    optional_identifier(members, name).map(ContextId::from)
}

/// The task a request may name.
pub fn optional_task_id(members: &Members<'_>, name: &'static str) -> Option<TaskId> {
    optional_identifier(members, name).map(TaskId::from)
}

/// The task a request must name.
pub fn task_id(members: &Members<'_>, name: &'static str) -> Option<TaskId> {
    identifier(&members.required(name)?).map(TaskId::from)
}

/// `historyLength` (A2A 1.0 §3.2.4): not negative.
pub fn history_length(members: &Members<'_>) -> Option<u32> {
    let field = members.field("historyLength")?;
    let length = u32::try_from(field.int32()?).ok();
    if length.is_none() {
        field.refuse("must not be negative");
    }
    length
}

/// A list of texts, empty if absent.
pub fn strings(members: &Members<'_>, name: &'static str) -> Vec<String> {
    let Some(field) = members.field(name) else { return Vec::new() };
    let Some(elements) = bounded_array(&field, MAX_LIST) else { return Vec::new() };
    elements.iter().filter_map(Field::string).collect()
}

/// The elements of a list that has at most `most`.
pub fn bounded_array<'f>(field: &'f Field<'_>, most: usize) -> Option<Vec<Field<'f>>> {
    let elements = field.array()?;
    if elements.len() > most {
        field.refuse(format!("must not have more than {most} elements"));
        return None;
    }
    Some(elements)
}

/// A `metadata` object, verbatim.
pub fn metadata(members: &Members<'_>) -> Option<Json> {
    members.field("metadata")?.json_object()
}
