//! Runs that are asked about later: their events from now on or from the beginning, how they stand, and stopping
//! them.

use std::collections::HashMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONNECTION};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::approval::form::Form;
use super::request;
use super::runs::{Run, Step, Story, WORKFLOW_ID};
use super::skeleton::Shared;
use super::stream::{After, Frame, Until, follow};
use super::wire::{self, Object, PING, dumped_frame, dumps, frame, object, ok};

/// The routes that apps with runs have.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/workflow/{run_id}/events", get(events))
        .route("/workflows/run/{run_id}", get(detail))
}

/// `GET /workflow/{run_id}/events`. What was told already is one step with listening to what is to come, so that
/// nothing is lost between them.
async fn events(
    State(state): State<Shared>,
    Path(run): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let Some(user) = query.get("user").filter(|user| !user.is_empty()) else { return *request::no_user() };
    let Some(run) = state.runs.get(&run).filter(|run| run.user == *user) else {
        return wire::error(StatusCode::NOT_FOUND, "not_found", "Workflow run not found");
    };
    let asked = |name| query.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let (snapshot, goes_on) = (asked("include_state_snapshot"), asked("continue_on_pause"));
    let story = run.story();
    let (told, live, until) = if story.finished_at.is_some() {
        (vec![run.old_end(&story)], None, Until::Told)
    } else {
        let mut told = vec![PING];
        let mut until = match (snapshot, goes_on) {
            (true, true) => Until::Finished,
            (false, true) => Until::Silence,
            (_, false) => Until::Paused,
        };
        if snapshot {
            told.extend(run.told(&story));
            if story.status == "paused" && !goes_on {
                until = Until::Told;
            }
        }
        (told, story.subscribe(), until)
    };
    drop(story);
    let mut response = follow(state.pace.ping, told, live, until);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    response
}

impl Run {
    /// The one frame that Dify sends of a run that is over.
    fn old_end(&self, story: &Story) -> Bytes {
        let run = self.id.to_string();
        let data = self.finished_data(story, self.created_at);
        dumped_frame(
            &object! {"event": "workflow_finished", "task_id": run, "workflow_run_id": run, "data": data},
        )
    }

    /// All frames of a snapshot, without the ping.
    fn told(&self, story: &Story) -> Vec<Bytes> {
        let mut told = Vec::new();
        let mut tell = |event: &str, data: Object| {
            let event = object! {
                "event": event, "task_id": self.task.to_string(), "workflow_run_id": self.id.to_string(),
                "data": data,
            };
            told.push(frame(&event.and(&self.message_ids().unwrap_or_default())));
        };
        tell("workflow_started", self.started_data(false, self.created_at, true));
        for (index, step) in (1..).zip(&story.steps) {
            tell("node_started", step_started(step, index));
            if step.status != "running" {
                tell("node_finished", step_finished(step, index));
            }
        }
        let paused = story.steps.iter().find(|step| step.status == "paused");
        if let (Some(step), Some(form)) = (paused, &story.form) {
            tell("human_input_required", form.required(step.node, Form::template()));
            let reason = form.reason(step.node, Form::template());
            let outputs = self.outputs_so_far(story);
            let data = self.paused_data(story, step.node, &outputs, &reason, self.created_at, 0.0);
            tell("workflow_paused", data);
        }
        if self.talk.is_some() {
            let said = object! {
                "event": "message_replace", "task_id": self.task.to_string(), "answer": story.answer,
                "reason": "",
            };
            told.insert(1, frame(&said.and(&self.message_ids().unwrap_or_default())));
        }
        told
    }

    /// What came out until now.
    fn outputs_so_far(&self, story: &Story) -> Object {
        if self.talk.is_none() || story.finished_at.is_some() {
            return story.outputs.clone();
        }
        let files = object! {"value_type": "array[file]", "value": [(); 0]};
        object! {"answer": story.answer, "files": files}
    }
}

fn step_started(step: &Step, index: usize) -> Object {
    step.head(index).and(&object! {
        "inputs": (), "created_at": step.began.1, "extras": Object::new(), "iteration_id": (), "loop_id": (),
    })
}

fn step_finished(step: &Step, index: usize) -> Object {
    step.head(index).and(&object! {
        "inputs": (), "process_data": (), "outputs": (), "status": step.status, "error": (),
        "elapsed_time": step.elapsed, "execution_metadata": (), "created_at": step.began.1,
        "finished_at": step.finished_at, "files": [(); 0], "iteration_id": (), "loop_id": (),
    })
}

/// `GET /workflows/run/{run_id}`. Whose run it is does not matter to Dify.
async fn detail(State(state): State<Shared>, Path(run): Path<String>) -> Response {
    let Some(run) = state.runs.get(&run) else {
        return wire::error(StatusCode::NOT_FOUND, "not_found", "Workflow run not found.");
    };
    let inputs = run.inputs.clone().and(&run.system_inputs(false, true));
    let story = run.story();
    ok(&object! {
        "id": run.id.to_string(), "workflow_id": WORKFLOW_ID.to_string(), "status": story.status,
        "inputs": dumps(&inputs.text()), "outputs": run.outputs_so_far(&story), "error": story.error,
        "total_steps": story.steps.len(), "total_tokens": story.tokens, "created_at": run.created_at,
        "finished_at": story.finished_at, "elapsed_time": story.elapsed,
    })
}

/// What a handler for stopping does: a success whatever it was asked for. `anybody` need not be the run's user.
pub(super) fn stop(state: &Shared, task: &str, anybody: bool, headers: &HeaderMap, body: &Bytes) -> Response {
    let user = match request::json_object(headers, body).and_then(|body| request::user_of(&body)) {
        Ok(user) => user,
        Err(refusal) => return *refusal,
    };
    if let Some(run) = state.runs.of_task(task).filter(|run| anybody || run.user == user) {
        run.stop.cancel();
    }
    ok(&object! {"result": "success"})
}

/// Waits until a run is over or pauses, for an answer in one piece.
pub(super) async fn settled(live: Option<Receiver<Frame>>) {
    let Some(mut live) = live else { return };
    loop {
        match live.recv().await {
            Ok(frame) if frame.after == After::Going => {}
            Err(RecvError::Lagged(_)) => {}
            Ok(_) | Err(RecvError::Closed) => return,
        }
    }
}
