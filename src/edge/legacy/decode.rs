//! Requests of the `message.send` dialect: `params` in, commands of the core out.

use crate::core::accepted::Accepted;
use crate::core::command::{Cancel, Get, List, PageStart, Send};
use crate::core::ids::{IdSource, MessageId};
use crate::core::message::{Message, Part};
use crate::core::state::TaskState;
use serde_json::value::RawValue;

use crate::edge::json::{Field, Members, read_params};
use crate::edge::request::{
    self, PART_KINDS, PartKind, ROLES, bounded_array, context_id, data_part, file_part, identifier, metadata,
    optional_task_id, strings, task_id,
};

/// Most messages of one request. Only the last is read; the others are what such clients replay of the past.
const MAX_MESSAGES: usize = 1000;

/// How many tasks a list has unless it says, and at most.
const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: i32 = 1000;

const STATES: [(&str, TaskState); 7] = [
    ("pending", TaskState::Submitted),
    ("running", TaskState::Working),
    ("completed", TaskState::Completed),
    ("failed", TaskState::Failed),
    ("canceled", TaskState::Canceled),
    ("input-required", TaskState::InputRequired),
    ("auth-required", TaskState::AuthRequired),
];

/// `message.send`: the message, and whether the answer is a stream (it is, unless the request says no).
///
/// Messages here have no id of their own, so each gets a fresh one; two equal messages are two messages.
pub fn send(params: &Members<'_>, ids: &dyn IdSource) -> Option<(Send, bool)> {
    let mut message = last_message(params, ids);
    let context_id = context_id(params, "contextId");
    let task_id = optional_task_id(params, "taskId");
    let stream = stream(params);
    let metadata = metadata(params);
    if let Some(message) = &mut message {
        message.context_id = context_id;
        message.task_id = task_id;
    }
    let send = Send {
        message: message?,
        return_immediately: false,
        history_length: None,
        metadata,
        accepted: accepted(params),
        trace_id: None,
        wants_push: false,
    };
    Some((send, stream))
}

/// Whether the answer to these params is a stream, however wrong the rest of them is.
pub fn wants_stream(params: Option<&RawValue>) -> bool {
    let mut wish = true;
    // Only the flag is looked at; what is wrong with it is told when the params are read for good.
    let _ = read_params(params, |members| {
        wish = stream(members);
        Some(())
    });
    wish
}

/// `configuration.acceptedOutputModes`, as in A2A.
fn accepted(params: &Members<'_>) -> Accepted {
    let configuration = params.field("configuration");
    let inner = configuration.as_ref().and_then(Field::object);
    Accepted::new(inner.map(|inner| strings(&inner, "acceptedOutputModes")).unwrap_or_default())
}

fn stream(params: &Members<'_>) -> bool {
    let configuration = params.field("configuration");
    let inner = configuration.as_ref().and_then(Field::object);
    let flag = inner.as_ref().and_then(|inner| inner.field("stream")).or_else(|| params.field("stream"));
    flag.and_then(|flag| flag.boolean()).unwrap_or(true)
}

fn last_message(params: &Members<'_>, ids: &dyn IdSource) -> Option<Message> {
    let field = params.required("messages")?;
    let elements = bounded_array(&field, MAX_MESSAGES)?;
    let Some(last) = elements.last() else {
        field.refuse("at least one message is required");
        return None;
    };
    let members = last.object()?;
    let role = members.required("role").and_then(|field| field.choice(&ROLES));
    let id = match members.field("messageId") {
        Some(field) => identifier(&field),
        None => Some(ids.draw().to_string()),
    };
    let parts = parts(&members);
    let metadata = metadata(&members);
    Some(Message {
        id: MessageId::from(id?),
        role: role?,
        parts: parts?,
        context_id: None,
        task_id: None,
        metadata,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    })
}

/// A message's parts, or the one text of the still older `content`.
fn parts(message: &Members<'_>) -> Option<Vec<Part>> {
    if let Some(field) = message.field("parts") {
        return request::parts(&field, part);
    }
    let Some(content) = message.field("content") else {
        message.refuse("parts", "is required");
        return None;
    };
    Some(vec![Part::text(content.string()?)])
}

fn part(members: &Members<'_>) -> Option<Part> {
    match members.required("type")?.choice(&PART_KINDS)? {
        PartKind::Data => data_part(members),
        PartKind::File => file_part(members),
        PartKind::Text => Some(Part::text(members.required("text")?.string()?)),
    }
}

/// `tasks/get`.
pub fn get(params: &Members<'_>) -> Option<Get> {
    Some(Get { id: task_id(params, "taskId")?, history_length: None })
}

/// `tasks/cancel`.
pub fn cancel(params: &Members<'_>) -> Option<Cancel> {
    Some(Cancel { id: task_id(params, "taskId")? })
}

/// `tasks/list`: newest first, by `limit` and `offset`.
pub fn list(params: &Members<'_>) -> Option<List> {
    let offset = number(params, "offset", 0, i32::MAX).unwrap_or(0);
    Some(List {
        context_id: context_id(params, "contextId"),
        state: params.field("status").and_then(|field| field.choice(&STATES)),
        status_after: None,
        page_size: number(params, "limit", 1, MAX_LIMIT).unwrap_or(DEFAULT_LIMIT),
        start: PageStart::Offset(offset),
        history_length: None,
        include_artifacts: true,
    })
}

fn number(params: &Members<'_>, name: &'static str, least: i32, most: i32) -> Option<usize> {
    let field = params.field(name)?;
    let number = field.int32()?;
    if !(least..=most).contains(&number) {
        field.refuse(format!("must be from {least} to {most}"));
    }
    usize::try_from(number).ok()
}
