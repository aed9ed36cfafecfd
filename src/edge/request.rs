//! What the requests of several dialects have in common where they are JSON: identifiers, lists, parts. What they must
//! be like is said in [`rules`].

use crate::core::ids::{ContextId, MessageId, TaskId};
use crate::core::message::{Content, Json, Message, Part, Role};

use super::json::{Field, Members};
use super::rules::{self, MAX_LIST};

/// The roles where they are words, as in all dialects but 1.0.
pub const ROLES: [(&str, Role); 2] = [("user", Role::User), ("agent", Role::Agent)];

/// What a part is, where a tag says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PartKind {
    /// An object.
    Data,
    /// A file, as bytes or by its address.
    File,
    /// Text.
    Text,
}

/// The tags of parts, in all dialects but 1.0.
pub const PART_KINDS: [(&str, PartKind); 3] =
    [("text", PartKind::Text), ("file", PartKind::File), ("data", PartKind::Data)];

/// An identifier: not empty, not too long, no control characters.
pub fn identifier(field: &Field<'_>) -> Option<String> {
    field.ruled(rules::identifier(field.string()?))
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
    field.ruled(rules::history_length(field.int32()?))
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
    field.ruled(rules::at_most(most, elements.len()))?;
    Some(elements)
}

/// A `metadata` object, verbatim.
pub fn metadata(members: &Members<'_>) -> Option<Json> {
    members.field("metadata")?.json_object()
}

/// A `Message`, whose role and parts each wire form reads in its own way.
pub fn message(
    members: &Members<'_>,
    role: impl FnOnce(&Field<'_>) -> Option<Role>,
    parts: impl FnOnce(&Members<'_>) -> Option<Vec<Part>>,
) -> Option<Message> {
    let id = members.required("messageId").and_then(|field| identifier(&field));
    let role = members.required("role").and_then(|field| role(&field));
    let parts = parts(members);
    let context_id = context_id(members, "contextId");
    let task_id = optional_task_id(members, "taskId");
    let metadata = metadata(members);
    let extensions = strings(members, "extensions");
    let reference_task_ids = strings(members, "referenceTaskIds").into_iter().map(TaskId::from).collect();
    Some(Message {
        id: MessageId::from(id?),
        role: role?,
        parts: parts?,
        context_id,
        task_id,
        metadata,
        extensions,
        reference_task_ids,
    })
}

/// A message's parts: at least one, each read by `part`.
pub fn parts(field: &Field<'_>, part: impl Fn(&Members<'_>) -> Option<Part>) -> Option<Vec<Part>> {
    let elements = field.array()?;
    field.ruled(rules::parts(elements.len()))?;
    // Every part is read before any is missed, so that all that is wrong gets reported.
    let parts: Vec<Option<Part>> = elements.iter().map(|field| part(&field.object()?)).collect();
    parts.into_iter().collect()
}

/// The content of a part tagged as data: an object, verbatim.
pub fn data_part(members: &Members<'_>) -> Option<Part> {
    let content = Content::Data(members.required("data")?.json_object()?);
    Some(Part { content, filename: None, media_type: None, metadata: None })
}

/// A file with `name`, `mimeType`, and exactly one of `bytes` and `uri`.
pub fn file_part(members: &Members<'_>) -> Option<Part> {
    let (filename, media_type) = (optional_text(members, "name"), optional_text(members, "mimeType"));
    let content = match (members.field("bytes"), members.field("uri")) {
        (Some(bytes), None) => Content::Raw(bytes.bytes()?),
        (None, Some(uri)) => Content::Url(non_empty(&uri)?),
        (Some(_), Some(_)) | (None, None) => {
            members.refuse_whole("must have exactly one of bytes, uri");
            return None;
        }
    };
    Some(Part { content, filename, media_type, metadata: None })
}

/// A text that may be absent; the empty text is absence too.
pub fn optional_text(members: &Members<'_>, name: &'static str) -> Option<String> {
    members.field(name).and_then(|field| field.string()).filter(|text| !text.is_empty())
}

/// A text that says something.
pub fn non_empty(field: &Field<'_>) -> Option<String> {
    field.ruled(rules::some_text(field.string()?))
}
