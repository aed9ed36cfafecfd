//! What the app tells about itself, how it refuses, and its one file.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::Dify;

/// The version that it is.
const VERSION: &str = "1.14.2";

/// What is in the file that the app gives.
const FILE: &str = "tck";

/// The kind of app.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum App {
    /// A chatflow.
    #[default]
    Chatflow,
    /// A workflow.
    Workflow,
}

/// An answer in the version's name.
pub fn told(status: StatusCode, body: Value) -> Response {
    (status, [("x-version", VERSION)], Json(body)).into_response()
}

/// An error in Dify's form.
pub fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    told(status, json!({"code": code, "message": message, "status": status.as_u16()}))
}

pub async fn info(State(dify): State<Arc<Dify>>) -> Response {
    let mode = match dify.app {
        App::Chatflow => "advanced-chat",
        App::Workflow => "workflow",
    };
    let description = "Does what the conformance kits of A2A ask for.";
    told(
        StatusCode::OK,
        json!({"name": "Kit", "description": description, "tags": ["conformance"], "mode": mode}),
    )
}

pub async fn parameters(State(dify): State<Arc<Dify>>) -> Response {
    let text = |variable: &str| {
        let body = json!({"variable": variable, "label": variable, "type": "paragraph", "required": false});
        json!({"paragraph": body})
    };
    // The first text of a workflow takes what the caller says.
    let form = match dify.app {
        App::Chatflow => json!([text("note")]),
        App::Workflow => json!([text("query")]),
    };
    let off = json!({"enabled": false});
    told(
        StatusCode::OK,
        json!({
            "opening_statement": "", "suggested_questions": [], "suggested_questions_after_answer": off,
            "speech_to_text": off, "text_to_speech": off, "retriever_resource": off, "annotation_reply": off,
            "more_like_this": off, "sensitive_word_avoidance": off, "user_input_form": form, "file_upload": off,
            "system_parameters": {"file_size_limit": 15, "workflow_file_upload_limit": 10},
        }),
    )
}

/// The file `output.txt` as Dify names it in an answer.
pub fn named_file(origin: &str) -> Value {
    let id = "6f1a3f0e-5d1c-4f57-9c55-2b5e0c6f5a10";
    json!({
        "dify_model_identity": "__dify__file__", "id": null, "type": "document",
        "transfer_method": "tool_file", "remote_url": "", "filename": "output.txt", "extension": ".txt",
        "mime_type": "text/plain", "size": FILE.len(), "related_id": id,
        "url": format!("{origin}/files/tools/{id}.txt?timestamp=1795310672&nonce=0&sign=0"),
    })
}

pub async fn file() -> Response {
    ([(header::CONTENT_TYPE, "text/plain")], FILE).into_response()
}
