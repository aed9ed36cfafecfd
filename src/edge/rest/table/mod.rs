//! Every route of the HTTP+JSON binding, and which one a path is.
//!
//! axum's own router is not used for them: it takes whole segments, and `/tasks/{id}:cancel` is half of one. Paths are
//! matched segment by segment, each decoded for itself, so that a task's id may have any character, a slash among them.
//! What follows the last colon of a segment is its action where it is one of those in the table.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::edge::dialect::Operation;

/// Which protocol a route belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// A2A 0.3, below `/v1` (A2A 0.3 §3.5.6).
    V03,
    /// A2A 1.0, at the base or below a tenant's name (A2A 1.0 §11.3).
    V1,
}

/// What the value of a query parameter is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number,
    /// Text.
    Text,
}

/// A query parameter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parameter {
    /// Its name, which is that of a field of the request.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
}

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The verb. `GET` takes `HEAD` as well.
    pub method: Method,
    /// The path: segments are literal, or `{name}`, or `{name}` and an action. Names are those of fields of the request.
    pub template: &'static str,
    /// What it asks for.
    pub operation: Operation,
    /// Which protocol it belongs to.
    pub version: Version,
    /// The query parameters that it reads; all others are ignored.
    pub query: &'static [Parameter],
}

impl Route {
    /// The templates that it has: its own, and for 1.0 the same below a tenant's name.
    pub fn templates(&self) -> impl Iterator<Item = Cow<'static, str>> {
        let tenants = (self.version == Version::V1).then(|| format!("/{{{TENANT_NAME}}}{}", self.template));
        [Cow::Borrowed(self.template)].into_iter().chain(tenants.map(Cow::Owned))
    }
}

/// The first segment of all paths of 0.3. No tenant of 1.0 can have this name over HTTP+JSON.
const PREFIX_03: &str = "v1";

/// What may follow a colon.
const ACTIONS: [&str; 2] = ["cancel", "subscribe"];

const TENANT_NAME: &str = "tenant";

const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind }
}

const HISTORY_LENGTH: Parameter = parameter("historyLength", Kind::Number);
const PAGE_SIZE: Parameter = parameter("pageSize", Kind::Number);
const PAGE_TOKEN: Parameter = parameter("pageToken", Kind::Text);
const TENANT: Parameter = parameter(TENANT_NAME, Kind::Text);
const CONTEXT_ID: Parameter = parameter("contextId", Kind::Text);
const STATUS: Parameter = parameter("status", Kind::Text);
const AFTER: Parameter = parameter("statusTimestampAfter", Kind::Text);
const ARTIFACTS: Parameter = parameter("includeArtifacts", Kind::Boolean);

const GET_TASK: &[Parameter] = &[HISTORY_LENGTH, TENANT];
const LIST_TASKS: &[Parameter] =
    &[CONTEXT_ID, STATUS, PAGE_SIZE, PAGE_TOKEN, HISTORY_LENGTH, AFTER, ARTIFACTS, TENANT];
const LIST_CONFIGS: &[Parameter] = &[PAGE_SIZE, PAGE_TOKEN, TENANT];
const ONLY_TENANT: &[Parameter] = &[TENANT];
const GET_TASK_03: &[Parameter] = &[HISTORY_LENGTH];
const LIST_TASKS_03: &[Parameter] =
    &[CONTEXT_ID, STATUS, PAGE_SIZE, PAGE_TOKEN, HISTORY_LENGTH, AFTER, ARTIFACTS];
const LIST_CONFIGS_03: &[Parameter] = &[PAGE_SIZE, PAGE_TOKEN];

const fn route(
    version: Version,
    method: Method,
    template: &'static str,
    operation: Operation,
    query: &'static [Parameter],
) -> Route {
    Route { method, template, operation, version, query }
}

/// The table (A2A 1.0 §11.3, 0.3 §3.5.6). A stream is followed by either verb: the specifications say `POST`, the
/// protocol definitions `GET`, and each has clients. `/tasks/{id}/subscribe` is where the official Rust client looks
/// when `:subscribe` says that there is no such task, and takes the answer from there.
pub static ROUTES: [Route; 25] = {
    use Operation as O;
    use Version::{V1, V03};
    const CONFIGS: &str = "/tasks/{taskId}/pushNotificationConfigs";
    const CONFIG: &str = "/tasks/{taskId}/pushNotificationConfigs/{id}";
    const CONFIGS_03: &str = "/v1/tasks/{taskId}/pushNotificationConfigs";
    const CONFIG_03: &str = "/v1/tasks/{taskId}/pushNotificationConfigs/{id}";
    [
        route(V1, Method::POST, "/message:send", O::Send, &[]),
        route(V1, Method::POST, "/message:stream", O::Stream, &[]),
        route(V1, Method::GET, "/tasks", O::List, LIST_TASKS),
        route(V1, Method::GET, "/tasks/{id}", O::Get, GET_TASK),
        route(V1, Method::POST, "/tasks/{id}:cancel", O::Cancel, &[]),
        route(V1, Method::POST, "/tasks/{id}:subscribe", O::Subscribe, &[]),
        route(V1, Method::GET, "/tasks/{id}:subscribe", O::Subscribe, ONLY_TENANT),
        route(V1, Method::GET, "/tasks/{id}/subscribe", O::Subscribe, ONLY_TENANT),
        route(V1, Method::POST, CONFIGS, O::Push, &[]),
        route(V1, Method::GET, CONFIGS, O::Push, LIST_CONFIGS),
        route(V1, Method::GET, CONFIG, O::Push, ONLY_TENANT),
        route(V1, Method::DELETE, CONFIG, O::Push, ONLY_TENANT),
        route(V1, Method::GET, "/extendedAgentCard", O::ExtendedCard, ONLY_TENANT),
        route(V03, Method::POST, "/v1/message:send", O::Send, &[]),
        route(V03, Method::POST, "/v1/message:stream", O::Stream, &[]),
        route(V03, Method::GET, "/v1/tasks", O::List, LIST_TASKS_03),
        route(V03, Method::GET, "/v1/tasks/{id}", O::Get, GET_TASK_03),
        route(V03, Method::POST, "/v1/tasks/{id}:cancel", O::Cancel, &[]),
        route(V03, Method::POST, "/v1/tasks/{id}:subscribe", O::Subscribe, &[]),
        route(V03, Method::GET, "/v1/tasks/{id}:subscribe", O::Subscribe, &[]),
        route(V03, Method::POST, CONFIGS_03, O::Push, &[]),
        route(V03, Method::GET, CONFIGS_03, O::Push, LIST_CONFIGS_03),
        route(V03, Method::GET, CONFIG_03, O::Push, &[]),
        route(V03, Method::DELETE, CONFIG_03, O::Push, &[]),
        route(V03, Method::GET, "/v1/card", O::ExtendedCard, &[]),
    ]
};

/// What a path came to.
#[derive(Clone, Debug)]
pub enum Looked {
    /// A route.
    Found(Found),
    /// There is such a path, but for other verbs.
    OtherVerbs {
        /// These, as in the header `Allow`.
        allow: String,
        /// Which protocol the path belongs to.
        version: Version,
    },
    /// No route, in the part of that protocol.
    Nothing(Version),
}

/// A route that was found, and the values that its path gives to fields of the request.
#[derive(Clone, Debug)]
pub struct Found {
    /// The route.
    pub route: &'static Route,
    /// The fields.
    pub fields: Vec<(&'static str, String)>,
}

impl Looked {
    /// Which protocol the path belongs to.
    pub fn version(&self) -> Version {
        match self {
            Self::Found(found) => found.route.version,
            Self::OtherVerbs { version, .. } | Self::Nothing(version) => *version,
        }
    }
}

/// The route of a path (percent-encoded, as it came).
pub fn find(method: &Method, path: &str) -> Looked {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let Some(segments) = segments(path) else { return Looked::Nothing(Version::V1) };
    let is_03 = segments.first().is_some_and(|first| first == PREFIX_03);
    let version = if is_03 { Version::V03 } else { Version::V1 };
    let mut others: Vec<&Method> = Vec::new();
    for below_tenant in [false, true] {
        for route in ROUTES.iter().filter(|route| route.version == version) {
            match matched(route, &segments, below_tenant) {
                Some(fields) if route.method == *method => return Looked::Found(Found { route, fields }),
                Some(_) if !others.contains(&&route.method) => others.push(&route.method),
                Some(_) | None => {}
            }
        }
    }
    if others.is_empty() {
        return Looked::Nothing(version);
    }
    let verbs =
        others.iter().map(|method| if **method == Method::GET { "GET, HEAD" } else { method.as_str() });
    Looked::OtherVerbs { allow: verbs.collect::<Vec<_>>().join(", "), version }
}

/// The segments of a path, decoded; `None` for what is no text.
fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let segments = path.strip_prefix('/')?.split('/');
    segments.map(|segment| percent_decode_str(segment).decode_utf8().ok()).collect()
}

/// The fields that a path gives, if it is one of this route's.
fn matched(
    route: &Route,
    segments: &[Cow<'_, str>],
    below_tenant: bool,
) -> Option<Vec<(&'static str, String)>> {
    let mut fields = Vec::new();
    let mut segments = segments.iter();
    if below_tenant {
        let tenant = segments.next().filter(|tenant| route.version == Version::V1 && !tenant.is_empty())?;
        fields.push((TENANT_NAME, tenant.to_string()));
    }
    for pattern in route.template.strip_prefix('/')?.split('/') {
        let segment = segments.next()?;
        match pattern.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((name, action)) => fields.push((name, value(segment, action)?.to_owned())),
            None if pattern == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(fields)
}

/// What a segment gives where the template has a name and `action`, which begins with a colon or is empty.
fn value<'s>(segment: &'s str, action: &str) -> Option<&'s str> {
    let split = segment.rsplit_once(':').filter(|(_, last)| ACTIONS.contains(last));
    let (value, given) = split.map_or((segment, ""), |(value, last)| (value, last));
    (given == action.trim_start_matches(':') && !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests;
