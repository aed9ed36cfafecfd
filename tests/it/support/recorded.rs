//! Recorded traffic of real Difys, and how a Dify of some version describes an app of some mode.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::dify_frames;
use super::fake_dify::{Received, Reply};

/// One recorded answer: its status, head and body.
#[derive(Clone)]
pub struct Recorded {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Recorded {
    /// Reads a recording such as `1.14.2/human_input`.
    pub fn of(name: &str) -> Self {
        Self::read(&folder().join(format!("{name}.http")))
    }

    /// Reads a recording.
    pub fn read(file: &Path) -> Self {
        let raw = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let at = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let (head, body) = raw.split_at(at);
        let head = String::from_utf8(head.to_vec()).expect("a head of ASCII");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head, body: body.to_vec() }
    }

    /// Its body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    /// The same answer.
    pub fn reply(&self) -> Reply {
        let kind = if self.body.first() == Some(&b'{') { "application/json" } else { "text/event-stream" };
        Reply { status: self.status, ..Reply::bytes(self.body.clone()).of_type(kind) }
    }
}

/// All recordings of one version, by name.
pub fn all(version: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder().join(version)).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// The pieces of a body that was recorded with its chunked coding (RFC 9112 §7.1).
pub fn chunks(mut coded: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    loop {
        let at = coded.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = std::str::from_utf8(&coded[..at]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size");
        coded = &coded[at + 2..];
        if size == 0 {
            assert_eq!(coded, b"\r\n", "nothing comes after the last chunk");
            return pieces;
        }
        pieces.push(coded[..size].to_vec());
        coded = coded[size..].strip_prefix(b"\r\n").expect("the end of a chunk");
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dify")
}

/// What a Dify of this version answers when it is asked what its app of this mode is. Apps without conversations take
/// a text.
pub fn describe(version: &str, mode: &str, received: &Received) -> Option<Reply> {
    let tells_mode = version != "0.15.3";
    let has_conversations = !matches!(mode, "completion" | "workflow");
    Some(match (received.method.as_str(), received.path.as_str()) {
        ("GET", "/v1/info") if tells_mode => Reply::json(200, &dify_frames::info(mode)),
        ("GET", "/v1/info") => Reply::json(200, &json!({"name": "Test app", "description": "", "tags": []})),
        ("GET", "/v1/parameters") => Reply::json(200, &parameters(mode)),
        ("GET", "/v1/conversations") if !has_conversations => {
            Reply::error(400, "not_chat_app", "Please check if your app mode matches the right API route.")
        }
        ("GET", "/v1/workflows/run/00000000-0000-0000-0000-000000000000") if mode != "workflow" => {
            Reply::error(
                400,
                "not_workflow_app",
                "Please check if your app mode matches the right API route.",
            )
        }
        _ => return None,
    })
}

fn parameters(mode: &str) -> Value {
    let variable = match mode {
        "completion" => "query",
        "workflow" => "text",
        _ => return dify_frames::parameters(),
    };
    let mut parameters = dify_frames::parameters();
    parameters["user_input_form"] =
        json!([{"paragraph": {"label": variable, "variable": variable, "required": true, "default": ""}}]);
    parameters
}

/// What was said to an app that [`describe`] has described.
pub fn said(received: &Received) -> &str {
    let inputs = &received.body["inputs"];
    let texts = [&received.body["query"], &inputs["query"], &inputs["text"]];
    texts.into_iter().find_map(Value::as_str).unwrap_or("")
}
