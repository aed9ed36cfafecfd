//! Requests of A2A 1.0: `params` in, commands of the core out.

use crate::core::accepted::Accepted;
use crate::core::command::{Cancel, Get, List, Send, Subscribe};
use crate::core::message::{Content, Message, Part, Role};
use crate::core::state::TaskState;
use crate::edge::json::Members;
use crate::edge::page;
use crate::edge::request::{
    self, history_length, identifier, metadata, non_empty, optional_text, parts, strings, task_id,
};
use crate::edge::rules::ONE_CONTENT;

const ROLES: [(&str, i32, Role); 2] = [("ROLE_USER", 1, Role::User), ("ROLE_AGENT", 2, Role::Agent)];

/// `TASK_STATE_UNSPECIFIED` is proto3's way of saying nothing.
const STATES: [(&str, i32, Option<TaskState>); 9] = [
    ("TASK_STATE_UNSPECIFIED", 0, None),
    ("TASK_STATE_SUBMITTED", 1, Some(TaskState::Submitted)),
    ("TASK_STATE_WORKING", 2, Some(TaskState::Working)),
    ("TASK_STATE_COMPLETED", 3, Some(TaskState::Completed)),
    ("TASK_STATE_FAILED", 4, Some(TaskState::Failed)),
    ("TASK_STATE_CANCELED", 5, Some(TaskState::Canceled)),
    ("TASK_STATE_INPUT_REQUIRED", 6, Some(TaskState::InputRequired)),
    ("TASK_STATE_REJECTED", 7, Some(TaskState::Rejected)),
    ("TASK_STATE_AUTH_REQUIRED", 8, Some(TaskState::AuthRequired)),
];

/// The `tenant` of any request (A2A 1.0 §3.1); the empty one is none.
pub fn tenant(params: &Members<'_>) -> Option<String> {
    params.field("tenant").filter(|field| !field.is_empty_string()).and_then(|field| identifier(&field))
}

/// `SendMessageRequest` (A2A 1.0 §3.1.1, §3.1.2).
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
        let flag = configuration.field("returnImmediately");
        return_immediately = flag.and_then(|flag| flag.boolean()).unwrap_or(false);
        limit = history_length(&configuration);
        wants_push = configuration.field("taskPushNotificationConfig").is_some();
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

/// `Message` (A2A 1.0 §4.1.4). Both roles are accepted: some clients replay an agent's message.
fn message(members: &Members<'_>) -> Option<Message> {
    let parts = |members: &Members<'_>| parts(&members.required("parts")?, part);
    request::message(members, |role| role.enumeration(&ROLES), parts)
}

/// `Part` (A2A 1.0 §4.1.6): exactly one of `text`, `raw`, `url`, `data`.
///
/// `"data": null` is a value of its own where it stands alone; beside another content it is what
/// serializers write for an absent one.
fn part(members: &Members<'_>) -> Option<Part> {
    let others = [members.field("text"), members.field("raw"), members.field("url")];
    let mut given = others.iter().flatten().count();
    let data = members.nullable("data").filter(|_| given == 0 || members.field("data").is_some());
    given = given.saturating_add(usize::from(data.is_some()));
    let filename = optional_text(members, "filename");
    let media_type = optional_text(members, "mediaType");
    let metadata = metadata(members);
    if given != 1 {
        members.refuse_whole(ONE_CONTENT);
        return None;
    }
    let [text, raw, url] = others;
    let content = match (text, raw, url) {
        (Some(text), _, _) => Content::Text(text.string()?),
        (_, Some(raw), _) => Content::Raw(raw.bytes()?),
        (_, _, Some(url)) => Content::Url(non_empty(&url)?),
        (None, None, None) => Content::Data(data?.json()),
    };
    Some(Part { content, filename, media_type, metadata })
}

/// `GetTaskRequest` (A2A 1.0 §3.1.3).
pub fn get(params: &Members<'_>) -> Option<Get> {
    let history_length = history_length(params);
    Some(Get { id: task_id(params, "id")?, history_length })
}

/// `CancelTaskRequest` (A2A 1.0 §3.1.5).
pub fn cancel(params: &Members<'_>) -> Option<Cancel> {
    metadata(params);
    Some(Cancel { id: task_id(params, "id")? })
}

/// `SubscribeToTaskRequest` (A2A 1.0 §3.1.6).
pub fn subscribe(params: &Members<'_>) -> Option<Subscribe> {
    Some(Subscribe { id: task_id(params, "id")? })
}

/// `ListTasksRequest` (A2A 1.0 §3.1.4).
pub fn list(params: &Members<'_>) -> Option<List> {
    page::list(params, &STATES)
}
