//! The JSON of A2A 1.0 and 0.3 as a client needs it: requests from what is to be said, events from what comes
//! back. Reads tolerantly: agents differ.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Which version of the protocol an agent is spoken to in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    /// A2A 0.3.
    V03,
    /// A2A 1.0.
    V1,
}

/// What the user says.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// The message's id.
    pub(super) id: String,
    /// The conversation, once there is one.
    pub(super) context_id: Option<String>,
    /// The task that waits for this.
    pub(super) task_id: Option<String>,
    /// The words.
    pub(super) text: String,
    /// Files to go with them.
    pub(super) files: Vec<OutgoingFile>,
}

/// A file to send.
#[derive(Clone, Debug)]
pub(super) struct OutgoingFile {
    /// Its name without folders.
    pub(super) name: String,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Where a task stands, as far as a chat cares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// It ended because it was told to.
    Canceled,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It waits for the user; also for a permission given elsewhere.
    InputRequired,
    /// The agent will not do it.
    Rejected,
    /// It goes on.
    Working,
}

impl State {
    /// Whether the turn is over: nothing more comes unless the user says something.
    pub(super) fn ends_turn(self) -> bool {
        !matches!(self, Self::Working)
    }

    /// Whether the turn is over and nobody failed: also when the user is asked, or wanted no more.
    pub(super) fn is_good_end(self) -> bool {
        matches!(self, Self::Canceled | Self::Completed | Self::InputRequired)
    }

    fn read(value: Option<&Value>) -> Self {
        let name = value.and_then(Value::as_str).unwrap_or_default();
        match name.trim_start_matches("TASK_STATE_").to_ascii_lowercase().replace('_', "-").as_str() {
            "auth-required" | "input-required" => Self::InputRequired,
            "canceled" | "cancelled" => Self::Canceled,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "rejected" => Self::Rejected,
            _ => Self::Working,
        }
    }
}

/// What parts hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Parts {
    /// The text of all text parts.
    pub(super) text: String,
    /// One line for each part that is not text.
    pub(super) others: Vec<String>,
}

/// An artifact, or a piece of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Artifact {
    /// Its id, unique in its task.
    pub(super) id: String,
    /// What it holds.
    pub(super) parts: Parts,
}

/// One thing an agent says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// A piece of an artifact.
    Artifact {
        /// The piece.
        artifact: Artifact,
        /// Whether it goes on from the pieces before; else it replaces them.
        append: bool,
    },
    /// A message instead of a task.
    Message(Parts),
    /// The task's new status.
    Status(State, Parts),
    /// The task as it is.
    Task(State, Parts, Vec<Artifact>),
}

/// An event with the ids it belongs to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Tagged {
    /// The conversation.
    pub(super) context_id: Option<String>,
    /// The task.
    pub(super) task_id: Option<String>,
    /// The event.
    pub(super) event: Event,
}

/// A member of an object that is a string.
pub(super) fn str_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

impl Dialect {
    /// The value of the `A2A-Version` header.
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::V03 => "0.3",
            Self::V1 => "1.0",
        }
    }

    /// The method that sends and waits.
    pub(super) fn send(self) -> &'static str {
        match self {
            Self::V03 => "message/send",
            Self::V1 => "SendMessage",
        }
    }

    /// The method that sends and streams.
    pub(super) fn stream(self) -> &'static str {
        match self {
            Self::V03 => "message/stream",
            Self::V1 => "SendStreamingMessage",
        }
    }

    /// The method that ends a task.
    pub(super) fn cancel(self) -> &'static str {
        match self {
            Self::V03 => "tasks/cancel",
            Self::V1 => "CancelTask",
        }
    }

    /// The method that reads a task.
    pub(super) fn get(self) -> &'static str {
        match self {
            Self::V03 => "tasks/get",
            Self::V1 => "GetTask",
        }
    }

    /// The method that follows a task again.
    pub(super) fn subscribe(self) -> &'static str {
        match self {
            Self::V03 => "tasks/resubscribe",
            Self::V1 => "SubscribeToTask",
        }
    }

    /// A message as JSON.
    pub(super) fn message(self, message: &Outgoing) -> Value {
        let mut parts: Vec<Value> = message.files.iter().map(|file| self.file_part(file)).collect();
        if !message.text.is_empty() || parts.is_empty() {
            parts.insert(
                0,
                match self {
                    Self::V03 => json!({"kind": "text", "text": message.text}),
                    Self::V1 => json!({"text": message.text}),
                },
            );
        }
        let mut fields = Map::new();
        fields.insert("messageId".to_owned(), Value::from(message.id.as_str()));
        fields.insert("parts".to_owned(), Value::from(parts));
        let role = match self {
            Self::V03 => {
                fields.insert("kind".to_owned(), Value::from("message"));
                "user"
            }
            Self::V1 => "ROLE_USER",
        };
        fields.insert("role".to_owned(), Value::from(role));
        for (name, id) in [("contextId", &message.context_id), ("taskId", &message.task_id)] {
            if let Some(id) = id {
                fields.insert(name.to_owned(), Value::from(id.as_str()));
            }
        }
        Value::from(fields)
    }

    fn file_part(self, file: &OutgoingFile) -> Value {
        let bytes = STANDARD.encode(&file.bytes);
        match self {
            Self::V03 => json!({"kind": "file", "file": {
                "name": file.name, "mimeType": file.media_type, "bytes": bytes,
            }}),
            Self::V1 => json!({"raw": bytes, "mediaType": file.media_type, "filename": file.name}),
        }
    }

    /// Reads the result of [`Self::get`]: a task without a wrapper in either version.
    pub(super) fn decode_task(self, result: &Value) -> Result<Tagged, String> {
        match self {
            Self::V03 => self.decode(result),
            Self::V1 => self.decode(&json!({ "task": result })),
        }
    }

    /// Reads one result: of a stream's event, or of a send.
    pub(super) fn decode(self, result: &Value) -> Result<Tagged, String> {
        let (kind, body) = match self {
            Self::V03 => (str_of(result, "kind").unwrap_or_default(), result),
            Self::V1 => ["task", "message", "statusUpdate", "artifactUpdate"]
                .into_iter()
                .find_map(|kind| Some((kind, result.get(kind).filter(|body| body.is_object())?)))
                .unwrap_or(("", result)),
        };
        let id = |name: &str| str_of(body, name).filter(|id| !id.is_empty()).map(str::to_owned);
        let task_id = match kind {
            "task" => id("id"),
            _ => id("taskId"),
        };
        let event = match kind {
            "artifact-update" | "artifactUpdate" => Event::Artifact {
                artifact: artifact(body.get("artifact").unwrap_or(&Value::Null)),
                append: body.get("append").and_then(Value::as_bool).unwrap_or(false),
            },
            "message" => Event::Message(parts(body)),
            "status-update" | "statusUpdate" => {
                let (state, note) = status(body);
                Event::Status(state, note)
            }
            "task" => {
                let (state, note) = status(body);
                let list = body.get("artifacts").and_then(Value::as_array);
                Event::Task(state, note, list.into_iter().flatten().map(artifact).collect())
            }
            _ => return Err("an event is neither task, message, status nor artifact".to_owned()),
        };
        Ok(Tagged { context_id: id("contextId"), task_id, event })
    }
}

fn status(body: &Value) -> (State, Parts) {
    let message = body.pointer("/status/message");
    (State::read(body.pointer("/status/state")), message.map(parts).unwrap_or_default())
}

fn artifact(value: &Value) -> Artifact {
    Artifact { id: str_of(value, "artifactId").unwrap_or_default().to_owned(), parts: parts(value) }
}

/// The parts of a message or artifact of either version.
fn parts(holder: &Value) -> Parts {
    let mut parts = Parts::default();
    for part in holder.get("parts").and_then(Value::as_array).into_iter().flatten() {
        if let Some(text) = str_of(part, "text") {
            parts.text.push_str(text);
        } else if let Some(data) = part.get("data").filter(|data| !data.is_null()) {
            parts.others.push(format!("[data] {data}"));
        } else {
            parts.others.push(file_line(part));
        }
    }
    parts
}

fn file_line(part: &Value) -> String {
    let old = part.get("file").unwrap_or(&Value::Null);
    let either = |new: &str, in_file: &str| str_of(part, new).or_else(|| str_of(old, in_file));
    let name = either("filename", "name").unwrap_or("unnamed");
    let media_type = either("mediaType", "mimeType").unwrap_or("unknown type");
    match (either("url", "uri"), either("raw", "bytes")) {
        (Some(url), _) => format!("[file] {name} ({media_type}): {url}"),
        (None, Some(raw)) => format!("[file] {name} ({media_type}, about {} bytes)", raw.len() / 4 * 3),
        (None, None) => "[a part of an unknown kind]".to_owned(),
    }
}
