//! Checks of requests, in Dify's order and with Dify's words: a request comes in, what it says or the refusal that
//! Dify would send goes out.

use std::collections::HashMap;

use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};

use super::wire;

/// Whom Dify takes a reader for that does not say who it is.
pub(super) const DEFAULT_USER: &str = "DEFAULT-USER";

/// A refusal, ready to be sent.
pub(super) type Refusal = Box<Response>;

/// How an answer is wanted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Mode {
    /// In one piece.
    #[default]
    Blocking,
    /// As it comes.
    Streaming,
}

/// A body that is a JSON object.
pub(super) fn json_object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        let message =
            "Did not attempt to load JSON data because the request Content-Type was not 'application/json'.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Box::new(wire::error(status, "unsupported_media_type", message)));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(_) => {
            let message = "The browser (or proxy) sent a request that this server could not understand.";
            Err(Box::new(wire::error(StatusCode::BAD_REQUEST, "bad_request", message)))
        }
    }
}

/// The user of a body that must have one.
pub(super) fn user_of(body: &Map<String, Value>) -> Result<String, Refusal> {
    let user = body.get("user").and_then(Value::as_str).filter(|user| !user.is_empty());
    user.map(str::to_owned).ok_or_else(no_user)
}

/// The refusal of a request without a user.
pub(super) fn no_user() -> Refusal {
    invalid("Arg user must be provided.")
}

/// The user of a query string, or the one that Dify takes instead.
pub(super) fn reader_of(query: &HashMap<String, String>) -> &str {
    query.get("user").filter(|user| !user.is_empty()).map_or(DEFAULT_USER, String::as_str)
}

/// Complaints of Dify's request models, in the words of its library.
pub(super) struct Faults<'a> {
    model: &'static str,
    body: &'a Map<String, Value>,
    texts: Vec<String>,
}

impl<'a> Faults<'a> {
    /// None yet.
    pub(super) fn of(model: &'static str, body: &'a Map<String, Value>) -> Self {
        Self { model, body, texts: Vec::new() }
    }

    /// One about a field.
    pub(super) fn add(&mut self, field: &str, wanted: &str, kind: &str) {
        let (message, kind) = match self.body.get(field) {
            None => ("Field required", "missing"),
            Some(_) => (wanted, kind),
        };
        self.texts.push(format!(
            "{field}\n  {message} [type={kind}]\n    For further information visit \
             https://errors.pydantic.dev/2.12/v/{kind}"
        ));
    }

    /// Wants `inputs` to be an object.
    pub(super) fn inputs(&mut self) {
        if !self.body.get("inputs").is_some_and(Value::is_object) {
            self.add("inputs", "Input should be a valid dictionary", "dict_type");
        }
    }

    /// Wants a good `response_mode`, or none.
    pub(super) fn mode(&mut self) -> Mode {
        match self.body.get("response_mode") {
            None | Some(Value::Null) => Mode::Blocking,
            Some(Value::String(mode)) if mode == "blocking" => Mode::Blocking,
            Some(Value::String(mode)) if mode == "streaming" => Mode::Streaming,
            Some(_) => {
                self.add("response_mode", "Input should be 'blocking' or 'streaming'", "literal_error");
                Mode::default()
            }
        }
    }

    /// The refusal, if there were any.
    pub(super) fn end(self) -> Result<(), Refusal> {
        if self.texts.is_empty() {
            return Ok(());
        }
        let noun = if self.texts.len() == 1 { "error" } else { "errors" };
        let (count, model) = (self.texts.len(), self.model);
        Err(invalid(&format!("{count} validation {noun} for {model}\n{}", self.texts.join("\n"))))
    }
}

/// 400 `invalid_param`.
pub(super) fn invalid(message: &str) -> Refusal {
    Box::new(wire::error(StatusCode::BAD_REQUEST, "invalid_param", message))
}

/// 404 of a conversation.
pub(super) fn no_conversation(path: &str) -> Response {
    suffixed("Conversation Not Exists.", path)
}

/// A 404 with the guess at the caller's typing that Dify's framework adds to most of them.
pub(super) fn suffixed(message: &str, path: &str) -> Response {
    let bare = path.trim_start_matches("/v1");
    let message = format!(
        "{message} You have requested this URI [{path}] but did you mean {path} or /api{bare} or \
         {path}/<string:task_id>/stop ?"
    );
    wire::error(StatusCode::NOT_FOUND, "not_found", &message)
}
