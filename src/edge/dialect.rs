//! What a wire form of A2A is to the rest of the gateway, and which one a request speaks.
//!
//! The method's name alone decides: `SendMessage` is A2A 1.0, `message/send` is 0.3, `message.send` is the
//! older dialect. Only `tasks/get` and `tasks/cancel` exist in two of them; there `params.taskId` (0.3 says
//! `id`) is what tells them apart. A version header never chooses a dialect, it can only contradict the
//! method.

use serde_json::value::RawValue;

use crate::core::command::{Cancel, Get, List, Send as SendMessage, Subscribe};
use crate::core::error::Error;
use crate::core::event::LogEvent;
use crate::core::ids::{ContextId, IdSource, TaskId};
use crate::core::state::TaskState;
use crate::core::task::Task;

use super::a2a_v1::V1;
use super::a2a_v03::V03;
use super::error::{EdgeError, WireError};
use super::json::Members;
use super::legacy::Legacy;
use super::view::View;

/// What a method asks for, before its params are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Stop a task.
    Cancel,
    /// Read the extended Agent Card.
    ExtendedCard,
    /// Read a task.
    Get,
    /// Read many tasks.
    List,
    /// Any of the push notification config methods.
    Push,
    /// Send a message and wait.
    Send,
    /// Send a message and follow.
    Stream,
    /// Follow a task.
    Subscribe,
}

/// A request as the core understands it.
#[derive(Clone, Debug)]
pub enum Call {
    /// Stop a task.
    Cancel(Cancel),
    /// Read the extended Agent Card.
    ExtendedCard,
    /// Read a task.
    Get(Get),
    /// Read many tasks.
    List(List),
    /// Any of the push notification config methods.
    Push,
    /// Send a message and wait.
    Send(SendMessage),
    /// Send a message and follow.
    SendStreaming(SendMessage),
    /// Follow a task.
    Subscribe(Subscribe),
}

/// A request, decoded.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tenant that it names: one part of a caller's tasks and contexts, apart from all others
    /// (A2A 1.0 §3.1, `tenant`).
    pub tenant: Option<String>,
    /// What it asks for.
    pub call: Call,
}

impl From<Call> for Request {
    fn from(call: Call) -> Self {
        Self { tenant: None, call }
    }
}

/// One page of a list of tasks.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The tasks, newest status first. Artifacts and history are already cut to what was asked for.
    pub tasks: &'a [Task],
    /// Whether tasks follow after the last one here.
    pub more: bool,
    /// The page size in force.
    pub page_size: usize,
    /// How many tasks match, on all pages together.
    pub total: usize,
}

/// When a stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamEnd {
    /// With the task: a subscription (A2A 1.0 §3.1.6).
    Task,
    /// With the task, or when it needs input: the stream of a sent message (A2A 1.0 §3.1.2, §11.7).
    Turn,
}

impl StreamEnd {
    /// Whether the stream closes after a status of this state (A2A 0.3 §7.2.2, `final`).
    pub fn is_at(self, state: TaskState) -> bool {
        state.is_terminal() || (state == TaskState::InputRequired && self == Self::Turn)
    }
}

/// How a request for a stream is refused before the first event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EarlyError {
    /// As the only event of a stream: clients of the dialect read nothing else there.
    Event,
    /// As a plain answer.
    Plain,
}

/// One wire form of A2A: decodes requests, encodes answers. Knows no HTTP and no JSON-RPC envelope.
pub trait Dialect: Send + Sync {
    /// A name for logs and metrics.
    fn name(&self) -> &'static str;

    /// Whether the dialect has extensions, so that a client can list those which the card demands.
    fn has_extensions(&self) -> bool {
        true
    }

    /// The `A2A-Version` that requests of the dialect may carry, and how to call it in an error.
    fn version(&self) -> &'static str;

    /// Reads a request's `params`. New ids, for messages that come without one, are drawn from `ids`.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] with every wrong field.
    fn call(
        &self,
        operation: Operation,
        params: Option<&RawValue>,
        ids: &dyn IdSource,
    ) -> Result<Request, Error>;

    /// The refusal of a request for the extended card, while there is none.
    fn no_extended_card(&self) -> EdgeError {
        EdgeError::ExtendedCardNotSupported
    }

    /// How requests for a stream with these `params` are refused.
    fn early_error(&self, params: Option<&RawValue>) -> EarlyError;

    /// Appends the result of sending without a stream.
    fn send_result(&self, buf: &mut Vec<u8>, task: &Task, view: &View);

    /// Appends the result of reading or cancelling a task.
    fn task(&self, buf: &mut Vec<u8>, task: &Task, view: &View);

    /// Appends the result of listing tasks.
    fn list_result(&self, buf: &mut Vec<u8>, page: &Page<'_>, view: &View);

    /// Appends a JSON-RPC error object.
    fn error(&self, buf: &mut Vec<u8>, error: &WireError);

    /// An encoder for one stream of one task.
    fn stream(
        &self,
        task: &TaskId,
        context: &ContextId,
        end: StreamEnd,
        view: View,
    ) -> Box<dyn StreamEncoder>;
}

/// Encodes what one stream says. What every event repeats is rendered once, when the stream begins.
pub trait StreamEncoder: Send {
    /// Renders the task as it is, with which every stream begins, and hands each result to `emit` in order.
    fn snapshot(&mut self, task: &Task, emit: &mut dyn FnMut(&[u8]));

    /// Appends the result that tells `event`. `false` if the dialect or the view says nothing of it; then nothing was
    /// appended.
    fn event(&mut self, buf: &mut Vec<u8>, event: LogEvent<'_>) -> bool;
}

/// Which dialect a method belongs to, and what it asks for there.
#[derive(Clone, Copy)]
pub struct Route {
    /// The dialect.
    pub dialect: &'static dyn Dialect,
    /// The operation.
    pub operation: Operation,
}

/// The route of a JSON-RPC method; `None` if no dialect knows it.
pub fn route(method: &str, params: Option<&RawValue>) -> Option<Route> {
    let (dialect, operation): (&'static dyn Dialect, Operation) = match method {
        "SendMessage" => (&V1, Operation::Send),
        "SendStreamingMessage" => (&V1, Operation::Stream),
        "GetTask" => (&V1, Operation::Get),
        "ListTasks" => (&V1, Operation::List),
        "CancelTask" => (&V1, Operation::Cancel),
        "SubscribeToTask" => (&V1, Operation::Subscribe),
        "CreateTaskPushNotificationConfig"
        | "GetTaskPushNotificationConfig"
        | "ListTaskPushNotificationConfigs"
        | "DeleteTaskPushNotificationConfig" => (&V1, Operation::Push),
        "GetExtendedAgentCard" => (&V1, Operation::ExtendedCard),
        "message/send" => (&V03, Operation::Send),
        "message/stream" => (&V03, Operation::Stream),
        "tasks/get" if names_task_the_old_way(params) => (&Legacy, Operation::Get),
        "tasks/get" => (&V03, Operation::Get),
        "tasks/cancel" if names_task_the_old_way(params) => (&Legacy, Operation::Cancel),
        "tasks/cancel" => (&V03, Operation::Cancel),
        "tasks/resubscribe" => (&V03, Operation::Subscribe),
        "tasks/pushNotificationConfig/set"
        | "tasks/pushNotificationConfig/get"
        | "tasks/pushNotificationConfig/list"
        | "tasks/pushNotificationConfig/delete" => (&V03, Operation::Push),
        "agent/getAuthenticatedExtendedCard" => (&V03, Operation::ExtendedCard),
        "message.send" => (&Legacy, Operation::Stream),
        _ => return None,
    };
    Some(Route { dialect, operation })
}

/// Whether params have `taskId` and no `id`, as only the `message.send` dialect has it.
fn names_task_the_old_way(params: Option<&RawValue>) -> bool {
    params.is_some_and(|raw| {
        super::json::read_params(Some(raw), |members: &Members<'_>| {
            Some(members.nullable("taskId").is_some() && members.nullable("id").is_none())
        })
        .unwrap_or(false)
    })
}

/// Checks the version a client asks for (header `A2A-Version`, else the query parameter of that name)
/// against the dialect its method belongs to (A2A 1.0 §3.6). Absent and empty are no obstacle; a patch
/// number is ignored.
///
/// # Errors
/// [`EdgeError::VersionNotSupported`].
pub fn check_version(dialect: &dyn Dialect, requested: Option<&str>) -> Result<(), EdgeError> {
    let requested = requested.unwrap_or_default().trim();
    if requested.is_empty() || major_minor(requested).is_some_and(|asked| asked == dialect.version()) {
        return Ok(());
    }
    // What is echoed is cut, since a header may be long.
    let requested = requested.chars().take(32).collect();
    Err(EdgeError::VersionNotSupported { requested, supported: dialect.version() })
}

/// `Major.Minor` of a version `Major.Minor` or `Major.Minor.Patch`.
fn major_minor(version: &str) -> Option<&str> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = version.split('.');
    let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next());
    let whole = is_number(major) && is_number(minor) && patch.is_none_or(is_number) && parts.next().is_none();
    if !whole {
        return None;
    }
    version.get(..major.len().saturating_add(1).saturating_add(minor.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: &str, params: &str) -> Option<(&'static str, Operation)> {
        let params: Option<Box<RawValue>> = serde_json::from_str(params).ok();
        route(method, params.as_deref()).map(|route| (route.dialect.name(), route.operation))
    }

    #[test]
    fn the_method_alone_picks_the_dialect() {
        let body = r#"{"message":{"kind":"message","messages":[]}}"#;
        assert_eq!(routed("SendMessage", body), Some(("1.0", Operation::Send)));
        assert_eq!(routed("message/send", body), Some(("0.3", Operation::Send)));
        assert_eq!(routed("message.send", body), Some(("message.send", Operation::Stream)));
        assert_eq!(routed("sendMessage", body), None);
        assert_eq!(routed("", body), None);
    }

    #[test]
    fn tasks_get_with_a_task_id_is_the_old_dialect() {
        assert_eq!(routed("tasks/get", r#"{"id":"t"}"#), Some(("0.3", Operation::Get)));
        assert_eq!(routed("tasks/get", r#"{"taskId":"t"}"#), Some(("message.send", Operation::Get)));
        assert_eq!(routed("tasks/cancel", r#"{"taskId":"t","id":"t"}"#), Some(("0.3", Operation::Cancel)));
        assert_eq!(routed("tasks/cancel", ""), Some(("0.3", Operation::Cancel)));
    }

    #[test]
    fn o09_tasks_list_over_json_rpc_is_no_method() {
        assert_eq!(routed("tasks/list", "{}"), None);
    }

    #[test]
    fn v02_v04_v07_only_the_dialects_own_version_passes() {
        let passes = |dialect: &dyn Dialect, version| check_version(dialect, version).is_ok();
        for version in [None, Some(""), Some(" "), Some("1.0"), Some(" 1.0 "), Some("1.0.1")] {
            assert!(passes(&V1, version), "{version:?}");
        }
        for version in ["0.3", "99.0", "1.7", "2.0", "1", "1.", "1.0.", "1.0.x", "v1.0", "1.0.0.0", "1.0,0.3"]
        {
            assert!(!passes(&V1, Some(version)), "{version}");
        }
        assert!(passes(&V03, Some("0.3")) && passes(&V03, Some("0.3.0")) && !passes(&V03, Some("1.0")));
        assert!(passes(&Legacy, None) && passes(&Legacy, Some("0.3")) && !passes(&Legacy, Some("1.0")));
        let error = WireError::from(check_version(&V1, Some("99.0")).unwrap_err());
        assert_eq!((error.code, error.reason), (-32009, "VERSION_NOT_SUPPORTED"));
    }
}
