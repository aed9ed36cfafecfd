//! Requests of A2A 0.3: `params` in, commands of the core out.

use crate::core::accepted::Accepted;
use crate::core::command::{Cancel, Get, Send, Subscribe};
use crate::core::message::{Message, Part};
use crate::edge::json::Members;
use crate::edge::request::{
    self, PART_KINDS, PartKind, ROLES, data_part, file_part, history_length, metadata, parts, strings,
    task_id,
};

/// `MessageSendParams` (A2A 0.3 §7.1.1). Sending waits unless `blocking` is false, and a `historyLength` of
/// 0 means all of it, both as the official server has them.
pub fn send(params: &Members<'_>) -> Option<Send> {
    let message = params.required("message").and_then(|field| message(&field.object()?));
    let mut return_immediately = false;
    let mut limit = None;
    let mut wants_push = false;
    let mut accepted = Accepted::default();
    if let Some(field) = params.field("configuration")
        && let Some(configuration) = field.object()
    {
        accepted = Accepted::new(strings(&configuration, "acceptedOutputModes"));
        return_immediately = configuration.field("blocking").and_then(|flag| flag.boolean()) == Some(false);
        limit = history(&configuration);
        wants_push = configuration.field("pushNotificationConfig").is_some();
    }
    let metadata = metadata(params);
    Some(Send {
        message: message?,
        return_immediately,
        history_length: limit,
        metadata,
        accepted,
        trace_id: None,
        wants_push,
    })
}

fn history(members: &Members<'_>) -> Option<u32> {
    history_length(members).filter(|length| *length > 0)
}

/// `Message` (A2A 0.3 §6.4). Its `kind` may be missing but not be another.
fn message(members: &Members<'_>) -> Option<Message> {
    if let Some(kind) = members.field("kind") {
        kind.choice(&[("message", ())]);
    }
    let parts = |members: &Members<'_>| parts(&members.required("parts")?, part);
    request::message(members, |role| role.choice(&ROLES), parts)
}

/// `Part` (A2A 0.3 §6.5). A missing `kind` is read from `type`, its name before 0.2, or else inferred from the
/// member of that name.
fn part(members: &Members<'_>) -> Option<Part> {
    let metadata = metadata(members);
    let kind = match members.field("kind").or_else(|| members.field("type")) {
        Some(kind) => kind.choice(&PART_KINDS)?,
        None => inferred_kind(members)?,
    };
    let mut part = match kind {
        PartKind::Data => data_part(members)?,
        PartKind::File => file_part(&members.required("file")?.object()?)?,
        PartKind::Text => Part::text(members.required("text")?.string()?),
    };
    part.metadata = metadata;
    Some(part)
}

fn inferred_kind(members: &Members<'_>) -> Option<PartKind> {
    let mut given = PART_KINDS.iter().filter(|(name, _)| members.field(name).is_some());
    match (given.next(), given.next()) {
        (Some((_, kind)), None) => Some(*kind),
        _ => {
            members.refuse("kind", "is required: text, file or data");
            None
        }
    }
}

/// `TaskQueryParams` (A2A 0.3 §7.3.1).
pub fn get(params: &Members<'_>) -> Option<Get> {
    let history_length = history(params);
    Some(Get { id: task_id(params, "id")?, history_length })
}

/// `TaskIdParams` of `tasks/cancel` (A2A 0.3 §7.4.1).
pub fn cancel(params: &Members<'_>) -> Option<Cancel> {
    metadata(params);
    Some(Cancel { id: task_id(params, "id")? })
}

/// `TaskIdParams` of `tasks/resubscribe` (A2A 0.3 §7.9).
pub fn subscribe(params: &Members<'_>) -> Option<Subscribe> {
    metadata(params);
    Some(Subscribe { id: task_id(params, "id")? })
}
