//! Requests of A2A 1.0 over gRPC (A2A 1.0 §10.3): messages in, commands of the core out. Fields obey the same rules as in
//! JSON and are named as there when they do not; proto3 has no other absence of a text than the empty one.

use a2a_pb::proto::{self as pb, part};
use bytes::Bytes;
use jiff::Timestamp;
use prost_types::Struct;

use super::value;
use crate::core::accepted::Accepted;
use crate::core::command::{Cancel, Get, List, PageStart, Send, Subscribe};
use crate::core::error::Error;
use crate::core::ids::{ContextId, MessageId, TaskId};
use crate::core::message::{Content, Json, Message, Part, Role};
use crate::core::state::TaskState;
use crate::edge::dialect::{Call, Request};
use crate::edge::rules::{self, DEFAULT_PAGE, MAX_LIST, ONE_CONTENT, REQUIRED};
use crate::edge::violations::{Place, Violations};

/// `SendMessageRequest` (A2A 1.0 §3.1.1, §3.1.2), for the one or the other rpc.
///
/// # Errors
/// [`Error::InvalidParams`] with every wrong field.
pub fn send(request: pb::SendMessageRequest, call: impl FnOnce(Send) -> Call) -> Result<Request, Error> {
    let pb::SendMessageRequest { tenant, message: said, configuration, metadata: told } = request;
    read(tenant, |root| {
        let place = root.member("message");
        let message = match said {
            Some(said) => message(&place, said),
            None => refused(&place, REQUIRED),
        };
        let mut send_limit = None;
        let mut accepted = Accepted::default();
        let (mut return_immediately, mut wants_push) = (false, false);
        if let Some(configuration) = configuration {
            let place = root.member("configuration");
            accepted = Accepted::new(strings(
                &place.member("acceptedOutputModes"),
                configuration.accepted_output_modes,
            ));
            return_immediately = configuration.return_immediately;
            send_limit = history_length(&place, configuration.history_length);
            wants_push = configuration.task_push_notification_config.is_some();
        }
        let metadata = metadata(root, told);
        Some(call(Send {
            message: message?,
            return_immediately,
            history_length: send_limit,
            metadata,
            accepted,
            trace_id: None,
            wants_push,
        }))
    })
}

/// `GetTaskRequest` (A2A 1.0 §3.1.3).
///
/// # Errors
/// [`Error::InvalidParams`] with every wrong field.
pub fn get(request: pb::GetTaskRequest) -> Result<Request, Error> {
    let pb::GetTaskRequest { tenant, id, history_length: length } = request;
    read(tenant, |root| {
        let history_length = history_length(root, length);
        Some(Call::Get(Get { id: task_id(root, id)?, history_length }))
    })
}

/// `ListTasksRequest` (A2A 1.0 §3.1.4).
///
/// # Errors
/// [`Error::InvalidParams`] with every wrong field.
pub fn list(request: pb::ListTasksRequest) -> Result<Request, Error> {
    read(request.tenant, |root| {
        let size = request.page_size.map(|size| root.member("pageSize").ruled(rules::page_size(size)));
        Some(Call::List(List {
            context_id: context_id(root, request.context_id),
            state: state(&root.member("status"), request.status),
            status_after: request.status_timestamp_after.and_then(|at| timestamp(root, &at)),
            page_size: size.flatten().unwrap_or(DEFAULT_PAGE),
            start: page_start(root, &request.page_token),
            history_length: history_length(root, request.history_length),
            include_artifacts: request.include_artifacts.unwrap_or(false),
        }))
    })
}

/// `CancelTaskRequest` (A2A 1.0 §3.1.5).
///
/// # Errors
/// [`Error::InvalidParams`] with every wrong field.
pub fn cancel(request: pb::CancelTaskRequest) -> Result<Request, Error> {
    read(request.tenant, |root| {
        metadata(root, request.metadata);
        Some(Call::Cancel(Cancel { id: task_id(root, request.id)? }))
    })
}

/// `SubscribeToTaskRequest` (A2A 1.0 §3.1.6).
///
/// # Errors
/// [`Error::InvalidParams`] with every wrong field.
pub fn subscribe(request: pb::SubscribeToTaskRequest) -> Result<Request, Error> {
    read(request.tenant, |root| Some(Call::Subscribe(Subscribe { id: task_id(root, request.id)? })))
}

/// Reads a request with `call`, which returns `None` only for what it has reported, and the tenant that all may name.
fn read(tenant: String, call: impl FnOnce(&Place<'_>) -> Option<Call>) -> Result<Request, Error> {
    let violations = Violations::default();
    let root = Place::root(&violations);
    let tenant = optional_identifier(&root.member("tenant"), tenant);
    let request = call(&root).map(|call| Request { tenant, call });
    violations.finish(request)
}

/// `Message` (A2A 1.0 §4.1.4). Both roles are accepted: some clients replay an agent's message.
fn message(place: &Place<'_>, message: pb::Message) -> Option<Message> {
    let id = required_identifier(&place.member("messageId"), message.message_id);
    let role = role(&place.member("role"), message.role);
    let parts = parts(&place.member("parts"), message.parts, part);
    let context_id = context_id(place, message.context_id);
    let task_id = optional_identifier(&place.member("taskId"), message.task_id).map(TaskId::from);
    let metadata = metadata(place, message.metadata);
    let extensions = strings(&place.member("extensions"), message.extensions);
    let referred = strings(&place.member("referenceTaskIds"), message.reference_task_ids);
    Some(Message {
        id: MessageId::from(id?),
        role: role?,
        parts: parts?,
        context_id,
        task_id,
        metadata,
        extensions,
        reference_task_ids: referred.into_iter().map(TaskId::from).collect(),
    })
}

/// The parts of a message, each read by `part`.
pub(super) fn parts<P>(
    place: &Place<'_>,
    parts: Vec<P>,
    part: impl Fn(&Place<'_>, P) -> Option<Part>,
) -> Option<Vec<Part>> {
    place.ruled(rules::parts(parts.len()))?;
    // Every part is read before any is missed, so that all that is wrong gets reported.
    let read = parts.into_iter().enumerate().map(|(index, given)| part(&place.element(index), given));
    let read: Vec<Option<Part>> = read.collect();
    read.into_iter().collect()
}

/// `Part` (A2A 1.0 §4.1.6).
fn part(place: &Place<'_>, part: pb::Part) -> Option<Part> {
    let metadata = metadata(place, part.metadata);
    let content = match part.content {
        Some(part::Content::Data(data)) => Content::Data(place.member("data").ruled(value::json(&data))?),
        Some(part::Content::Raw(bytes)) => Content::Raw(Bytes::from(bytes)),
        Some(part::Content::Text(text)) => Content::Text(text),
        Some(part::Content::Url(url)) => Content::Url(place.member("url").ruled(rules::some_text(url))?),
        None => return refused(place, ONE_CONTENT),
    };
    Some(Part { content, filename: said(part.filename), media_type: said(part.media_type), metadata })
}

/// A role by its number.
pub(super) fn role(place: &Place<'_>, role: i32) -> Option<Role> {
    match pb::Role::try_from(role) {
        Ok(pb::Role::User) => Some(Role::User),
        Ok(pb::Role::Agent) => Some(Role::Agent),
        Ok(pb::Role::Unspecified) => refused(place, REQUIRED),
        Err(_) => refused(place, "must be one of ROLE_USER, ROLE_AGENT"),
    }
}

/// A state to look for; `TASK_STATE_UNSPECIFIED` is proto3's way of saying nothing.
fn state(place: &Place<'_>, state: i32) -> Option<TaskState> {
    match pb::TaskState::try_from(state) {
        Ok(pb::TaskState::Unspecified) => None,
        Ok(pb::TaskState::Submitted) => Some(TaskState::Submitted),
        Ok(pb::TaskState::Working) => Some(TaskState::Working),
        Ok(pb::TaskState::Completed) => Some(TaskState::Completed),
        Ok(pb::TaskState::Failed) => Some(TaskState::Failed),
        Ok(pb::TaskState::Canceled) => Some(TaskState::Canceled),
        Ok(pb::TaskState::InputRequired) => Some(TaskState::InputRequired),
        Ok(pb::TaskState::Rejected) => Some(TaskState::Rejected),
        Ok(pb::TaskState::AuthRequired) => Some(TaskState::AuthRequired),
        Err(_) => refused(place, "must be a state of a task, from 0 to 8"),
    }
}

fn timestamp(root: &Place<'_>, at: &prost_types::Timestamp) -> Option<Timestamp> {
    let read = Timestamp::new(at.seconds, at.nanos).ok().filter(|_| (0..1_000_000_000).contains(&at.nanos));
    read.or_else(|| refused(&root.member("statusTimestampAfter"), "must be a time from the years 1 to 9999"))
}

fn page_start(root: &Place<'_>, token: &str) -> PageStart {
    let first = PageStart::Offset(0);
    if token.is_empty() {
        return first;
    }
    root.member("pageToken").ruled(rules::page_start(token)).unwrap_or(first)
}

/// `historyLength`, not negative.
pub(super) fn history_length(place: &Place<'_>, length: Option<i32>) -> Option<u32> {
    place.member("historyLength").ruled(rules::history_length(length?))
}

fn task_id(root: &Place<'_>, id: String) -> Option<TaskId> {
    required_identifier(&root.member("id"), id).map(TaskId::from)
}

/// The context that a message may name.
pub(super) fn context_id(place: &Place<'_>, id: String) -> Option<ContextId> {
    optional_identifier(&place.member("contextId"), id).map(ContextId::from)
}

/// An identifier that must be there.
pub(super) fn required_identifier(place: &Place<'_>, text: String) -> Option<String> {
    if text.is_empty() { refused(place, REQUIRED) } else { place.ruled(rules::identifier(text)) }
}

/// An identifier that may be absent.
pub(super) fn optional_identifier(place: &Place<'_>, text: String) -> Option<String> {
    said(text).and_then(|text| place.ruled(rules::identifier(text)))
}

/// A list of texts, not too long.
pub(super) fn strings(place: &Place<'_>, list: Vec<String>) -> Vec<String> {
    if place.ruled(rules::at_most(MAX_LIST, list.len())).is_some() { list } else { Vec::new() }
}

/// What a message tells beyond A2A.
pub(super) fn metadata(place: &Place<'_>, metadata: Option<Struct>) -> Option<Json> {
    place.member("metadata").ruled(value::json_object(&metadata?))
}

/// A text that says something.
pub(super) fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Reports what is wrong, where a value would be.
pub(super) fn refused<T>(place: &Place<'_>, description: &str) -> Option<T> {
    place.refuse(description);
    None
}
