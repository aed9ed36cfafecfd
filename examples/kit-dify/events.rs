//! Runs that wait: how one stands, its events for those who join it, and its form.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Dify;
use crate::app::{refusal, told};
use crate::frames::{ACTION, FIELD};
use crate::script::Script;
use crate::turn::event_stream;

fn no_run() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "Workflow run not found")
}

fn no_form() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "Form not found")
}

pub async fn detail(State(dify): State<Arc<Dify>>, Path(run_id): Path<String>) -> Response {
    let Some(run) = dify.run(&run_id) else { return no_run() };
    let status = run.story().status();
    told(StatusCode::OK, json!({"id": run_id, "workflow_id": run_id, "status": status, "outputs": {}}))
}

#[derive(Deserialize)]
pub struct Reader {
    user: String,
}

/// Everybody is told of the past, and stays beyond a pause.
pub async fn join(
    State(dify): State<Arc<Dify>>,
    Path(run_id): Path<String>,
    Query(reader): Query<Reader>,
) -> Response {
    match dify.run(&run_id).filter(|run| run.user == reader.user) {
        Some(run) => event_stream(run.join()),
        None => no_run(),
    }
}

pub async fn form(State(dify): State<Arc<Dify>>, Path(token): Path<String>) -> Response {
    let run = dify.find(|run| run.waits_for(&token));
    let Some(form) = run.and_then(|run| run.story().form.clone()) else { return no_form() };
    let mut asked = form.asked();
    let actions = asked.remove("actions").unwrap_or_default();
    asked.insert("user_actions".to_owned(), actions);
    told(StatusCode::OK, Value::Object(asked))
}

#[derive(Deserialize)]
pub struct Submission {
    action: String,
    inputs: serde_json::Map<String, Value>,
}

pub async fn submit(
    State(dify): State<Arc<Dify>>,
    Path(token): Path<String>,
    Json(submission): Json<Submission>,
) -> Response {
    if submission.action != ACTION {
        return refusal(StatusCode::BAD_REQUEST, "invalid_form_data", "Invalid action");
    }
    let Some(reply) = submission.inputs.get(FIELD).and_then(Value::as_str) else {
        let message = format!("Missing required inputs: {FIELD}");
        return refusal(StatusCode::BAD_REQUEST, "invalid_form_data", &message);
    };
    let script = Script::after(dify.kit, reply);
    match dify.find(|run| run.waits_for(&token)) {
        Some(run) if run.answer(&token, script) => told(StatusCode::OK, json!({})),
        Some(_) | None => no_form(),
    }
}
