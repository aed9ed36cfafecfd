//! Requests of A2A 0.3 over gRPC: messages in, commands of the core out. Fields obey the rules of all bindings and are
//! named as in JSON when they do not.

use prost_types::Struct;

use super::messages::{
    CancelTaskRequest, Content as PartContent, File, FilePart, GetTaskRequest, Message as Said,
    Part as PartSaid, SendMessageRequest, TaskSubscriptionRequest,
};
use crate::core::accepted::Accepted;
use crate::core::command::{Cancel, Get, Send, Subscribe};
use crate::core::error::Error;
use crate::core::ids::{MessageId, TaskId};
use crate::core::message::{Content, Message, Part};
use crate::edge::a2a_v03_http::{FileBytes, ONE_FILE, ONE_KIND};
use crate::edge::dialect::{Call, Request};
use crate::edge::grpc::decode::{
    context_id, history_length, metadata, optional_identifier, parts, refused, required_identifier, role,
    said, strings,
};
use crate::edge::grpc::value;
use crate::edge::rules::{self, REQUIRED};
use crate::edge::violations::{Place, Violations};

/// What stands before the id of a task in its name.
const TASKS: &str = "tasks/";

/// `SendMessageRequest`, for the one or the other rpc. As over HTTP+JSON it waits where nothing is said of that, and a
/// configuration that does not say `blocking` says false.
///
/// # Errors
/// [`Error::InvalidParams`] with every wrong field.
pub fn send<F: FileBytes>(
    request: SendMessageRequest,
    call: impl FnOnce(Send) -> Call,
) -> Result<Request, Error> {
    let SendMessageRequest { request: said, configuration, metadata: told } = request;
    read(|root| {
        let place = root.member("message");
        let message = match said {
            Some(said) => message::<F>(&place, said),
            None => refused(&place, REQUIRED),
        };
        let waits = configuration.as_ref().is_none_or(|configuration| configuration.blocking);
        let configuration = configuration.unwrap_or_default();
        let place = root.member("configuration");
        let modes = strings(&place.member("acceptedOutputModes"), configuration.accepted_output_modes);
        let limit = history(&place, configuration.history_length);
        let metadata = metadata(root, told);
        Some(call(Send {
            message: message?,
            return_immediately: !waits,
            history_length: limit,
            metadata,
            accepted: Accepted::new(modes),
            trace_id: None,
            wants_push: configuration.push_notification.is_some(),
        }))
    })
}

/// `GetTaskRequest`.
///
/// # Errors
/// [`Error::InvalidParams`] with every wrong field.
pub fn get(request: GetTaskRequest) -> Result<Request, Error> {
    read(|root| {
        let history_length = history(root, request.history_length);
        Some(Call::Get(Get { id: task(root, &request.name)?, history_length }))
    })
}

/// `CancelTaskRequest`.
///
/// # Errors
/// [`Error::InvalidParams`] for a name that is none.
pub fn cancel(request: CancelTaskRequest) -> Result<Request, Error> {
    read(|root| Some(Call::Cancel(Cancel { id: task(root, &request.name)? })))
}

/// `TaskSubscriptionRequest`.
///
/// # Errors
/// [`Error::InvalidParams`] for a name that is none.
pub fn subscribe(request: TaskSubscriptionRequest) -> Result<Request, Error> {
    read(|root| Some(Call::Subscribe(Subscribe { id: task(root, &request.name)? })))
}

/// Reads a request with `call`, which returns `None` only for what it has reported.
fn read(call: impl FnOnce(&Place<'_>) -> Option<Call>) -> Result<Request, Error> {
    let violations = Violations::default();
    let request = call(&Place::root(&violations)).map(Request::from);
    violations.finish(request)
}

/// The task that a name is of: `tasks/{id}`.
fn task(root: &Place<'_>, name: &str) -> Option<TaskId> {
    let place = root.member("name");
    let id = match name.strip_prefix(TASKS) {
        Some(id) => id.to_owned(),
        None if name.is_empty() => return refused(&place, REQUIRED),
        None => return refused(&place, "must be the name of a task, tasks/{id}"),
    };
    place.ruled(rules::identifier(id)).map(TaskId::from)
}

/// As everywhere in 0.3, 0 is all of it.
fn history(place: &Place<'_>, length: i32) -> Option<u32> {
    history_length(place, Some(length)).filter(|length| *length > 0)
}

fn message<F: FileBytes>(place: &Place<'_>, message: Said) -> Option<Message> {
    let id = required_identifier(&place.member("messageId"), message.message_id);
    let role = role(&place.member("role"), message.role);
    let parts = parts(&place.member("content"), message.content, part::<F>);
    let context_id = context_id(place, message.context_id);
    let task_id = optional_identifier(&place.member("taskId"), message.task_id).map(TaskId::from);
    let metadata = metadata(place, message.metadata);
    let extensions = strings(&place.member("extensions"), message.extensions);
    Some(Message {
        id: MessageId::from(id?),
        role: role?,
        parts: parts?,
        context_id,
        task_id,
        metadata,
        extensions,
        reference_task_ids: Vec::new(),
    })
}

fn part<F: FileBytes>(place: &Place<'_>, part: PartSaid) -> Option<Part> {
    let metadata = metadata(place, part.metadata);
    let plain = |content| Part { content, filename: None, media_type: None, metadata: None };
    let part = match part.part {
        Some(PartContent::Data(outer)) => plain(data(&place.member("data"), outer.data)?),
        Some(PartContent::File(given)) => file::<F>(&place.member("file"), given)?,
        Some(PartContent::Text(text)) => plain(Content::Text(text)),
        None => return refused(place, ONE_KIND),
    };
    Some(Part { metadata, ..part })
}

fn data(place: &Place<'_>, object: Option<Struct>) -> Option<Content> {
    let place = place.member("data");
    let Some(object) = object else { return refused(&place, REQUIRED) };
    place.ruled(value::json_object(&object)).map(Content::Data)
}

fn file<F: FileBytes>(place: &Place<'_>, file: FilePart) -> Option<Part> {
    let content = match file.file {
        Some(File::FileWithBytes(bytes)) => Content::Raw(F::read(bytes)),
        Some(File::FileWithUri(uri)) => {
            Content::Url(place.member("fileWithUri").ruled(rules::some_text(uri))?)
        }
        None => return refused(place, ONE_FILE),
    };
    Some(Part { content, filename: said(file.name), media_type: said(file.mime_type), metadata: None })
}
