//! What the gateway sends to Dify: where a turn is begun and stopped, and the bodies of both. Everything is borrowed;
//! values of callers go into the body as the JSON text they came in.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::file_kind::FileKind;

/// The endpoints that begin a turn, by the app's mode.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Endpoint {
    /// `/chat-messages`: chatbots, agents and chatflows.
    Chat,
    /// `/completion-messages`: text generators.
    Completion,
    /// `/workflows/run`: workflows.
    Workflow,
}

/// A turn to begin. Always asks for a stream: blocking answers are cut by proxies, refused by agent apps, and hide
/// progress.
#[derive(Clone, Copy, Debug)]
pub struct TurnBody<'a> {
    /// On whose behalf; conversations and uploads belong to it.
    pub user: &'a str,
    /// Values of the app's variables.
    pub inputs: Inputs<'a>,
    /// The message's own files, beside those in `inputs`.
    pub files: &'a [FileMapping<'a>],
    /// An id for the traces of the app's author, `[A-Za-z0-9_-]{1,128}`; Dify ignores others, and all before 1.7.
    pub trace_id: Option<&'a str>,
    /// What depends on the mode.
    pub kind: TurnKind<'a>,
}

/// What a turn has beside what all turns have.
#[derive(Clone, Copy, Debug)]
pub enum TurnKind<'a> {
    /// For [`Endpoint::Chat`].
    Chat {
        /// What the caller says; not empty.
        query: &'a str,
        /// The conversation to go on with; without one Dify begins a new one.
        conversation_id: Option<&'a str>,
        /// The version of a chatflow to run (since 1.7.2), else the newest that is published.
        workflow_id: Option<&'a str>,
    },
    /// For [`Endpoint::Completion`].
    Completion {
        /// The text, for apps that take it here and not in `inputs`.
        query: Option<&'a str>,
    },
    /// For [`Endpoint::Workflow`].
    Workflow {
        /// The version to run (since 1.7.2), else the newest that is published.
        workflow_id: Option<&'a str>,
    },
}

/// Values of an app's variables, in order; each stands in the body as it is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a>(pub &'a [(String, Arc<RawValue>)]);

impl Serialize for Inputs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A file in a request, both in `files` and as the value of a file variable (Dify: "file mapping").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileMapping<'a> {
    /// What kind of file it is; must fit its extension and media type.
    pub kind: FileKind,
    /// Where Dify has it from.
    pub source: FileSource<'a>,
}

/// Where Dify has a file from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileSource<'a> {
    /// An address that Dify can reach by itself.
    Remote(&'a str),
    /// The id of an upload that was made for the same user.
    Upload(&'a str),
}

impl Serialize for FileMapping<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("type", self.kind.name())?;
        let (method, name, value) = match self.source {
            FileSource::Remote(url) => ("remote_url", "url", url),
            FileSource::Upload(id) => ("local_file", "upload_file_id", id),
        };
        map.serialize_entry("transfer_method", method)?;
        map.serialize_entry(name, value)?;
        map.end()
    }
}

impl<'a> TurnBody<'a> {
    /// A turn with nothing but its user and its kind.
    pub fn new(user: &'a str, kind: TurnKind<'a>) -> Self {
        Self { user, inputs: Inputs::default(), files: &[], trace_id: None, kind }
    }

    /// A chat message, in `conversation_id` if there is one.
    pub fn chat(query: &'a str, user: &'a str, conversation_id: Option<&'a str>) -> Self {
        Self::new(user, TurnKind::Chat { query, conversation_id, workflow_id: None })
    }

    /// The endpoint that takes it; also the one that stops it.
    pub fn endpoint(&self) -> Endpoint {
        match self.kind {
            TurnKind::Chat { .. } => Endpoint::Chat,
            TurnKind::Completion { .. } => Endpoint::Completion,
            TurnKind::Workflow { .. } => Endpoint::Workflow,
        }
    }

    /// The segments of its path.
    pub(super) fn path(&self) -> Vec<&'a str> {
        match self.kind {
            TurnKind::Chat { .. } => vec!["chat-messages"],
            TurnKind::Completion { .. } => vec!["completion-messages"],
            TurnKind::Workflow { workflow_id: None } => vec!["workflows", "run"],
            TurnKind::Workflow { workflow_id: Some(id) } => vec!["workflows", id, "run"],
        }
    }
}

impl Endpoint {
    /// The segments of the path that stops `task_id`.
    pub(super) fn stop_path(self, task_id: &str) -> Vec<&str> {
        match self {
            Self::Chat => vec!["chat-messages", task_id, "stop"],
            Self::Completion => vec!["completion-messages", task_id, "stop"],
            Self::Workflow => vec!["workflows", "tasks", task_id, "stop"],
        }
    }
}

impl Serialize for TurnBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (query, conversation_id, workflow_id) = match self.kind {
            TurnKind::Chat { query, conversation_id, workflow_id } => {
                (Some(query), conversation_id, workflow_id)
            }
            TurnKind::Completion { query } => (query, None, None),
            // The version to run stands in the path.
            TurnKind::Workflow { .. } => (None, None, None),
        };
        let body = Body {
            inputs: self.inputs,
            query,
            user: self.user,
            response_mode: "streaming",
            conversation_id,
            files: self.files,
            workflow_id,
            trace_id: self.trace_id,
            auto_generate_name: (self.endpoint() == Endpoint::Chat).then_some(false),
        };
        body.serialize(serializer)
    }
}

/// The body as it travels. What a mode does not know stays absent.
#[derive(Serialize)]
struct Body<'a> {
    /// Required even when there are none.
    inputs: Inputs<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    user: &'a str,
    response_mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [FileMapping<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    /// Off: Dify would spend a model call on a title that nobody sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_generate_name: Option<bool>,
}

/// Body of the stop endpoints.
#[derive(Debug, Serialize)]
pub struct StopRequest<'a> {
    /// The user that the turn was begun for; Dify ignores a stop of anybody else without saying so.
    pub user: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &TurnBody<'_>) -> String {
        serde_json::to_string(body).unwrap()
    }

    #[test]
    fn a_chat_message_has_exactly_the_fields_that_dify_wants() {
        assert_eq!(
            json(&TurnBody::chat("hi", "alice", None)),
            r#"{"inputs":{},"query":"hi","user":"alice","response_mode":"streaming","auto_generate_name":false}"#
        );
        assert!(
            json(&TurnBody::chat("hi", "alice", Some("c1"))).contains(r#","conversation_id":"c1","auto"#)
        );
        let pinned = TurnKind::Chat { query: "hi", conversation_id: None, workflow_id: Some("w1") };
        assert!(json(&TurnBody::new("alice", pinned)).contains(r#","workflow_id":"w1","auto"#));
    }

    #[test]
    fn the_other_modes_have_only_what_they_know() {
        let body = TurnBody::new("alice", TurnKind::Completion { query: None });
        assert_eq!(json(&body), r#"{"inputs":{},"user":"alice","response_mode":"streaming"}"#);
        let body = TurnBody::new("alice", TurnKind::Completion { query: Some("") });
        assert_eq!(json(&body), r#"{"inputs":{},"query":"","user":"alice","response_mode":"streaming"}"#);
        let body = TurnBody {
            trace_id: Some("t-1"),
            ..TurnBody::new("alice", TurnKind::Workflow { workflow_id: Some("w1") })
        };
        assert_eq!(
            json(&body),
            r#"{"inputs":{},"user":"alice","response_mode":"streaming","trace_id":"t-1"}"#
        );
    }

    #[test]
    fn inputs_keep_their_order_and_every_digit() {
        let inputs: Vec<(String, Arc<RawValue>)> =
            [("b", "1.50"), ("a\"", r#"{"z":1E400,"a":[ null ]}"#), ("t", r#""\u00e9""#)]
                .map(|(name, value)| {
                    (name.to_owned(), RawValue::from_string(value.to_owned()).unwrap().into())
                })
                .into();
        let body = TurnBody {
            inputs: Inputs(&inputs),
            ..TurnBody::new("alice", TurnKind::Workflow { workflow_id: None })
        };
        assert!(
            json(&body)
                .starts_with(r#"{"inputs":{"b":1.50,"a\"":{"z":1E400,"a":[ null ]},"t":"\u00e9"},"user""#)
        );
    }

    #[test]
    fn files_are_named_by_where_dify_has_them_from() {
        let files = [
            FileMapping { kind: FileKind::Document, source: FileSource::Upload("u1") },
            FileMapping { kind: FileKind::Image, source: FileSource::Remote("https://h/a.png") },
        ];
        let body = TurnBody { files: &files, ..TurnBody::chat("hi", "alice", None) };
        assert!(json(&body).contains(
            r#","files":[{"type":"document","transfer_method":"local_file","upload_file_id":"u1"},{"type":"image","transfer_method":"remote_url","url":"https://h/a.png"}],"#
        ));
    }

    #[test]
    fn every_mode_has_its_paths() {
        let path = |kind| TurnBody::new("u", kind).path().join("/");
        assert_eq!(
            path(TurnKind::Chat { query: "q", conversation_id: None, workflow_id: Some("w") }),
            "chat-messages"
        );
        assert_eq!(path(TurnKind::Completion { query: None }), "completion-messages");
        assert_eq!(path(TurnKind::Workflow { workflow_id: None }), "workflows/run");
        assert_eq!(path(TurnKind::Workflow { workflow_id: Some("w") }), "workflows/w/run");
        let stops = [Endpoint::Chat, Endpoint::Completion, Endpoint::Workflow]
            .map(|endpoint| endpoint.stop_path("t").join("/"));
        assert_eq!(stops, ["chat-messages/t/stop", "completion-messages/t/stop", "workflows/tasks/t/stop"]);
    }
}
