//! The approval app: a chatflow that passes a request on to somebody, pauses at a form, and says what was decided.
//! Frames, their order and the refusals follow recordings of Dify 1.14.

pub(super) mod form;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use super::conversations::{Conversations, Message, Standing};
use super::frames::{End, Left, Node};
use super::history::{self, ChatRequest};
use super::request::{self, Faults, Mode};
use super::runs::{Run, Talk, now};
use super::skeleton::{self, About, Shared};
use super::stream::{Until, follow, silence};
use super::usage::metadata;
use super::wire::{self, Object, PING, dumped_response, object, ok};
use super::{Pace, rejoin};
use form::{Filled, Form};

const START: Node = Node { id: "start", kind: "start", title: "Start" };
const RECEIVED: Node = Node { id: "received", kind: "answer", title: "Say that it was received" };
const HUMAN: Node = Node { id: "human", kind: "human-input", title: "Decide" };
const APPROVED: Node = Node { id: "approved", kind: "answer", title: "Say that it is approved" };
const REJECTED: Node = Node { id: "rejected", kind: "answer", title: "Say that it is rejected" };

/// What it tells about itself.
pub(super) fn about() -> About {
    About {
        name: "Budget approval",
        description: "Passes a request for money on, waits for a decision, and tells it. Built into the gateway.",
        mode: "advanced-chat",
        icon: "✅",
        opening: "What do you want to spend money on?",
        suggested: &["Buy 3 laptops", "A team lunch on Friday"],
        form: Vec::new(),
        file_upload: object! {"enabled": false},
        moderation: object! {"enabled": false},
    }
}

/// Its own routes.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/chat-messages", post(chat))
        .route("/chat-messages/{task_id}/stop", post(stop))
        .route("/messages", get(history::messages))
        .route("/conversations", get(history::conversations))
        .route("/form/human_input/{token}", get(show_form).post(submit_form))
        .route("/workflows/run", skeleton::wrong_mode("not_workflow_app"))
        .merge(rejoin::routes())
}

async fn chat(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let request = request::json_object(&headers, &body).and_then(|body| ChatRequest::read(&body));
    let ChatRequest { user, query, conversation, mode } = match request {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let begun = state.conversations.begin(&user, conversation, now(), |conversation| {
        (conversation.messages.len() + 1, conversation.note.clone())
    });
    let Ok((conversation, (turns, last))) = begun else {
        return match mode {
            Mode::Blocking => request::no_conversation("/v1/chat-messages"),
            // Dify 1.14 finds it out when it has answered already.
            Mode::Streaming => silence(state.pace.ping),
        };
    };
    let talk = Talk { conversation, message: Uuid::new_v4(), query, turns };
    let run = Arc::new(Run::new(&user, Object::new(), Some(talk)));
    let live = run.story().subscribe();
    state.runs.keep(Arc::clone(&run));
    state.runs.work(ask(Arc::clone(&run), state.conversations.clone(), state.pace, last));
    match mode {
        Mode::Streaming => follow(state.pace.ping, [PING], live, Until::Paused),
        Mode::Blocking => {
            rejoin::settled(live).await;
            blocking_answer(&run)
        }
    }
}

/// From the request to the form.
async fn ask(run: Arc<Run>, conversations: Conversations, pace: Pace, last: Option<String>) {
    let Some(talk) = &run.talk else { return };
    let before = last.map_or_else(String::new, |last| format!(" Your last one was {last}."));
    let pieces = [
        ("I have passed on your request: ", [RECEIVED.id, "answer"]),
        (talk.query.as_str(), ["sys", "query"]),
        (&format!(".{before} Somebody has to decide. "), [RECEIVED.id, "answer"]),
    ];
    run.begin(false);
    run.enter(START);
    for (piece, selector) in pieces {
        if !run.goes_on_after(pace.word).await {
            return over(&run, &conversations, |answer| End::stopped(answer_outputs(answer)));
        }
        run.say(piece, selector);
    }
    run.leave(START, &Left::default());
    run.enter(RECEIVED);
    let outputs = answer_outputs(&run.story().answer);
    run.leave(RECEIVED, &Left { outputs, ..Left::default() });
    run.enter(HUMAN);
    let form = Form::about(&talk.query, now());
    let answer = run.story().answer.clone();
    keep(&run, &conversations, answer, Standing::Paused, Some(&form));
    run.pause(HUMAN, form);
}

/// From the form to the end. A stop that came while it waited bites only at the end, as in Dify.
async fn go_on(run: Arc<Run>, conversations: Conversations, pace: Pace, filled: Filled) {
    // Dify's worker takes the work from a queue.
    tokio::time::sleep(pace.word).await;
    let (node, sentence, decision) = match filled.action {
        "approve" => (APPROVED, "Approved. Go ahead. Comment: ", "approved"),
        _ => (REJECTED, "Rejected. Please do not spend it. Comment: ", "rejected"),
    };
    run.begin(true);
    run.enter(HUMAN);
    run.filled(HUMAN, &filled);
    for (piece, selector) in [(sentence, [node.id, "answer"]), (&filled.comment, [HUMAN.id, "comment"])] {
        tokio::time::sleep(pace.word).await;
        run.say(piece, selector);
    }
    let left = Left {
        inputs: object! {"comment": object! {"value_type": "string", "value": filled.comment}},
        outputs: object! {
            "comment": filled.comment, "__action_id": filled.action,
            "__rendered_content": filled.rendered, "__action_value": filled.title,
        },
        ..Left::default()
    };
    run.leave(HUMAN, &left);
    run.enter(node);
    let outputs = answer_outputs(&format!("{sentence}{}", filled.comment));
    run.leave(node, &Left { outputs, ..Left::default() });
    if run.stop.is_cancelled() {
        let error = Some("Aborted: User requested stop");
        return over(&run, &conversations, |answer| End {
            status: "failed",
            outputs: answer_outputs(answer),
            error,
            ..End::default()
        });
    }
    if let Some(talk) = &run.talk {
        conversations.note(talk.conversation, decision);
    }
    run.message_end();
    over(&run, &conversations, |answer| End {
        status: "succeeded",
        outputs: answer_outputs(answer),
        ..End::default()
    });
}

/// Ends a run, with its message kept before anybody can know of the end.
fn over(run: &Run, conversations: &Conversations, end: impl FnOnce(&str) -> End) {
    let (answer, form) = {
        let story = run.story();
        (story.answer.clone(), story.form.clone())
    };
    let end = end(&answer);
    keep(run, conversations, answer, Standing::Normal, form.as_ref());
    run.finish(end);
}

fn keep(run: &Run, conversations: &Conversations, answer: String, standing: Standing, form: Option<&Form>) {
    let Some(talk) = &run.talk else { return };
    let message = Message {
        id: talk.message,
        query: talk.query.clone(),
        answer,
        created_at: run.created_at,
        standing,
        extra: form.map(|form| form.extra(run.id, HUMAN)).into_iter().collect(),
    };
    conversations.keep(talk.conversation, message);
}

fn answer_outputs(answer: &str) -> Object {
    object! {"answer": answer, "files": [(); 0]}
}

/// The answer in one piece: what was said and, mostly, that the run has paused.
fn blocking_answer(run: &Run) -> Response {
    let story = run.story();
    let (Some(talk), paused) = (&run.talk, story.form.as_ref().filter(|_| story.status == "paused")) else {
        return wire::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_server_error",
            "Internal Server Error",
        );
    };
    let message = talk.message.to_string();
    let ids = object! {"conversation_id": talk.conversation.to_string(), "message_id": message};
    let said = object! {"answer": story.answer, "metadata": metadata(None), "created_at": run.created_at};
    let head = object! {
        "event": if paused.is_some() { "workflow_paused" } else { "message" },
        "task_id": run.task.to_string(), "id": message, "message_id": message,
        "conversation_id": talk.conversation.to_string(), "mode": "advanced-chat",
    };
    let Some(form) = paused else { return dumped_response(&head.and(&said)) };
    let run_id = object! {"workflow_run_id": run.id.to_string()};
    let data =
        object! {"id": message, "mode": "advanced-chat"}.and(&ids).and(&run_id).and(&said).and(&object! {
            "paused_nodes": [HUMAN.id], "reasons": [form.reason(HUMAN, &form.rendered)], "status": "paused",
            "elapsed_time": story.elapsed, "total_tokens": 0, "total_steps": story.steps.len(),
        });
    dumped_response(&head.and(&said).and(&run_id).with("data", &data))
}

async fn stop(
    State(state): State<Shared>,
    Path(task): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    rejoin::stop(&state, &task, false, &headers, &body)
}

/// The refusal of a form that nobody can fill in any more.
fn closed(form: &Form) -> Option<Response> {
    let (code, what) = if form.filled.is_some() {
        ("human_input_form_submitted", "This form has already been submitted by another user")
    } else if form.expires_at <= now() {
        ("human_input_form_expired", "This form has expired")
    } else {
        return None;
    };
    let message = format!("{what}, form_id={}", form.id);
    Some(wire::error(StatusCode::PRECONDITION_FAILED, code, &message))
}

fn no_form(token: &str) -> Response {
    let message = format!(
        "Form not found. You have requested this URI [/v1/form/human_input/{token}] but did you mean \
         /v1/form/human_input/<string:form_token> or /api/form/human_input/<string:form_token> or \
         /console/api/form/human_input/<string:form_token> ?"
    );
    wire::error(StatusCode::NOT_FOUND, "not_found", &message)
}

async fn show_form(State(state): State<Shared>, Path(token): Path<String>) -> Response {
    let run = state.runs.of_form(&token);
    let form = run.and_then(|run| run.story().form.clone());
    match form {
        None => no_form(&token),
        Some(form) => closed(&form).unwrap_or_else(|| dumped_response(&form.shown())),
    }
}

async fn submit_form(
    State(state): State<Shared>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = match request::json_object(&headers, &body) {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    if let Err(refusal) = request::user_of(&body) {
        return *refusal;
    }
    let mut faults = Faults::of("HumanInputFormSubmitPayload", &body);
    faults.inputs();
    let action = body.get("action").and_then(Value::as_str);
    if action.is_none() {
        faults.add("action", "Input should be a valid string", "string_type");
    }
    if let Err(refusal) = faults.end() {
        return *refusal;
    }
    let (Some(action), Some(inputs)) = (action, body.get("inputs").and_then(Value::as_object)) else {
        return *request::invalid("inputs and action are required");
    };
    let Some(run) = state.runs.of_form(&token) else { return no_form(&token) };
    // Checking and closing are one step: of two who answer at once, one is too late.
    let filled = {
        let mut story = run.story();
        let Some(form) = story.form.as_mut() else { return no_form(&token) };
        if let Some(refusal) = closed(form) {
            return refusal;
        }
        match form.fill(action, inputs) {
            Err(why) => return wire::error(StatusCode::BAD_REQUEST, "invalid_form_data", &why),
            Ok(filled) => form.filled.insert(filled).clone(),
        }
    };
    state.runs.work(go_on(run, state.conversations.clone(), state.pace, filled));
    ok(&Object::new())
}
