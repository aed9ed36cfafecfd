//! Which app is asked, by its key, and how it refuses.

use std::path::PathBuf;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Whether a name is safe to be part of a path.
pub fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
}

/// One of the apps whose answers were recorded.
pub struct App {
    pub folder: PathBuf,
    pub name: String,
    pub version: String,
}

impl App {
    pub fn kind(&self) -> Kind {
        let kinds =
            [("chatflow", Kind::Chatflow), ("completion", Kind::Completion), ("workflow", Kind::Workflow)];
        let kind = kinds.into_iter().find(|(prefix, _)| self.name.starts_with(prefix));
        kind.map_or(Kind::Chat, |(_, kind)| kind)
    }

    /// Refuses an endpoint of other kinds of apps, with Dify's code for it.
    pub fn expect(&self, kinds: &[Kind], code: &'static str) -> Result<(), Refusal> {
        if kinds.contains(&self.kind()) {
            return Ok(());
        }
        let message = "Please check if your app mode matches the right API route.";
        Err(Refusal(StatusCode::BAD_REQUEST, code, message))
    }

    pub fn expect_chat(&self) -> Result<(), Refusal> {
        self.expect(&[Kind::Chat, Kind::Chatflow], "not_chat_app")
    }
}

/// What kind of app it is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Kind {
    /// Chatbots and agents.
    Chat,
    Chatflow,
    Completion,
    Workflow,
}

impl Kind {
    pub fn is_workflow(self) -> bool {
        matches!(self, Self::Chatflow | Self::Workflow)
    }
}

/// An error in Dify's form.
pub struct Refusal(pub StatusCode, pub &'static str, pub &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({"code": code, "message": message, "status": status.as_u16()}))).into_response()
    }
}
