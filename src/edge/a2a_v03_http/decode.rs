//! Requests of A2A 0.3 over HTTP+JSON: `params` in, commands of the core out. They are in the ProtoJSON form of package
//! `a2a.v1`, in which the official clients write them; what is in the form that 0.3 has over JSON-RPC is read as well.

use crate::core::accepted::Accepted;
use crate::core::command::{Cancel, Get, List, Send, Subscribe};
use crate::core::ids::TaskId;
use crate::core::message::{Content, Message, Part, Role};
use crate::core::state::TaskState;
use crate::edge::json::{Field, Members};
use crate::edge::page;
use crate::edge::request::{
    self, PART_KINDS, PartKind, history_length, identifier, metadata, non_empty, optional_text, parts,
    strings,
};

use super::file_bytes::FileBytes;

/// What is wrong with a part that does not have one content.
pub const ONE_KIND: &str = "must have exactly one of text, file, data";

/// What is wrong with a file that is not in one place.
pub const ONE_FILE: &str = "must have exactly one of fileWithBytes, fileWithUri";

const ROLES: [(&str, i32, Role); 4] = [
    ("ROLE_USER", 1, Role::User),
    ("ROLE_AGENT", 2, Role::Agent),
    ("user", 1, Role::User),
    ("agent", 2, Role::Agent),
];

const STATES: [(&str, i32, Option<TaskState>); 10] = [
    ("TASK_STATE_UNSPECIFIED", 0, None),
    ("TASK_STATE_SUBMITTED", 1, Some(TaskState::Submitted)),
    ("TASK_STATE_WORKING", 2, Some(TaskState::Working)),
    ("TASK_STATE_COMPLETED", 3, Some(TaskState::Completed)),
    ("TASK_STATE_FAILED", 4, Some(TaskState::Failed)),
    ("TASK_STATE_CANCELLED", 5, Some(TaskState::Canceled)),
    ("TASK_STATE_CANCELED", 5, Some(TaskState::Canceled)),
    ("TASK_STATE_INPUT_REQUIRED", 6, Some(TaskState::InputRequired)),
    ("TASK_STATE_REJECTED", 7, Some(TaskState::Rejected)),
    ("TASK_STATE_AUTH_REQUIRED", 8, Some(TaskState::AuthRequired)),
];

/// `SendMessageRequest`. It waits where nothing is said of that, as over JSON-RPC (A2A 0.3 §3.4.1). But ProtoJSON leaves
/// false away, so that a configuration without `blocking` says false; beside a message in the form of JSON-RPC it says
/// what it does there.
pub fn send<F: FileBytes>(params: &Members<'_>) -> Option<Send> {
    let read = message_field(params).and_then(|field| {
        let members = field.object()?;
        Some((message::<F>(&members), members.field("content").is_none()))
    });
    let is_rpc_form = read.as_ref().is_some_and(|(_, is_rpc_form)| *is_rpc_form);
    let mut waits = true;
    let mut limit = None;
    let mut wants_push = false;
    let mut accepted = Accepted::default();
    if let Some(field) = params.field("configuration")
        && let Some(configuration) = field.object()
    {
        accepted = Accepted::new(strings(&configuration, "acceptedOutputModes"));
        waits = configuration.field("blocking").and_then(|flag| flag.boolean()).unwrap_or(is_rpc_form);
        limit = history(&configuration);
        wants_push = configuration.field("pushNotification").is_some()
            || configuration.field("pushNotificationConfig").is_some();
    }
    let metadata = metadata(params);
    Some(Send {
        message: read?.0?,
        return_immediately: !waits,
        history_length: limit,
        metadata,
        accepted,
        trace_id: None,
        wants_push,
    })
}

/// The message: `message` in JSON, `request` where names of the package are kept as they are.
fn message_field<'m>(params: &'m Members<'_>) -> Option<Field<'m>> {
    match (params.field("message"), params.field("request")) {
        (Some(_), Some(other)) => {
            other.refuse("is another name of message, which is given too");
            None
        }
        (None, Some(field)) => Some(field),
        (Some(_), None) | (None, None) => params.required("message"),
    }
}

fn message<F: FileBytes>(members: &Members<'_>) -> Option<Message> {
    if let Some(kind) = members.field("kind") {
        kind.choice(&[("message", ())]);
    }
    let parts = |members: &Members<'_>| {
        let content = members.field("content").or_else(|| members.field("parts"));
        parts(&content.or_else(|| members.required("content"))?, part::<F>)
    };
    request::message(members, |role| role.enumeration(&ROLES), parts)
}

/// `Part`: exactly one of `text`, `file`, `data`. A `kind` says that it is in the form of JSON-RPC.
fn part<F: FileBytes>(members: &Members<'_>) -> Option<Part> {
    let metadata = metadata(members);
    let kind = members.field("kind");
    let is_tagged = kind.is_some();
    let kind = match kind {
        Some(kind) => kind.choice(&PART_KINDS)?,
        None => only_kind(members)?,
    };
    let mut part = match kind {
        PartKind::Data => data(&members.required("data")?, is_tagged)?,
        PartKind::File => file::<F>(&members.required("file")?.object()?)?,
        PartKind::Text => Part::text(members.required("text")?.string()?),
    };
    part.metadata = metadata;
    Some(part)
}

fn only_kind(members: &Members<'_>) -> Option<PartKind> {
    let mut given = PART_KINDS.iter().filter(|(name, _)| members.field(name).is_some());
    match (given.next(), given.next()) {
        (Some((_, kind)), None) => Some(*kind),
        _ => {
            members.refuse_whole(ONE_KIND);
            None
        }
    }
}

/// `DataPart`: the object `data` within the object `data`. Where that is missing, the outer object is meant.
fn data(field: &Field<'_>, is_tagged: bool) -> Option<Part> {
    let outer = field.object()?;
    let inner = outer.field("data").filter(|_| !is_tagged && outer.names().count() == 1);
    let json = inner.as_ref().unwrap_or(field).json_object()?;
    Some(Part { content: Content::Data(json), filename: None, media_type: None, metadata: None })
}

/// `FilePart`: a file with `mimeType`, `name`, and its bytes or its address.
fn file<F: FileBytes>(members: &Members<'_>) -> Option<Part> {
    let (filename, media_type) = (optional_text(members, "name"), optional_text(members, "mimeType"));
    let [packed, bytes, address, uri] =
        ["fileWithBytes", "bytes", "fileWithUri", "uri"].map(|name| members.field(name));
    let content = match (packed, bytes, address.or(uri)) {
        (Some(packed), None, None) => Content::Raw(F::read(packed.bytes()?)),
        (None, Some(bytes), None) => Content::Raw(bytes.bytes()?),
        (None, None, Some(uri)) => Content::Url(non_empty(&uri)?),
        _ => {
            members.refuse_whole(ONE_FILE);
            return None;
        }
    };
    Some(Part { content, filename, media_type, metadata: None })
}

/// As over JSON-RPC, 0 is all of it.
fn history(members: &Members<'_>) -> Option<u32> {
    history_length(members).filter(|length| *length > 0)
}

/// `GetTaskRequest`.
pub fn get(params: &Members<'_>) -> Option<Get> {
    let history_length = history(params);
    Some(Get { id: task(params)?, history_length })
}

/// `CancelTaskRequest`.
pub fn cancel(params: &Members<'_>) -> Option<Cancel> {
    metadata(params);
    Some(Cancel { id: task(params)? })
}

/// `TaskSubscriptionRequest`.
pub fn subscribe(params: &Members<'_>) -> Option<Subscribe> {
    Some(Subscribe { id: task(params)? })
}

/// The list of tasks, asked for as in 1.0.
pub fn list(params: &Members<'_>) -> Option<List> {
    let mut list = page::list(params, &STATES)?;
    list.history_length = list.history_length.filter(|length| *length > 0);
    Some(list)
}

/// The task that a request names: as `id` from its path, and maybe as the resource `tasks/{id}` in its body.
fn task(params: &Members<'_>) -> Option<TaskId> {
    let id = identifier(&params.required("id")?)?;
    if let Some(name) = params.field("name")
        && let Some(text) = name.text()
        && text.strip_prefix("tasks/") != Some(&id)
    {
        name.refuse(format!("contradicts the path, which names tasks/{id}"));
    }
    Some(TaskId::from(id))
}
