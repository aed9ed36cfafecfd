//! The demo app's endpoints: checks requests as Dify does, in Dify's order and with Dify's words.

use std::collections::HashMap;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::state::{Memory, Message};
use super::turn::Turn;
use super::{KEY, wire};

/// Whom Dify takes a reader for that does not say who it is.
const DEFAULT_USER: &str = "DEFAULT-USER";
/// Items of a list unless the request says otherwise, and at most.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

/// A refusal, ready to be sent.
type Refusal = Box<Response>;

/// All routes over one memory.
pub(super) fn router(memory: Memory) -> Router {
    let api = Router::new()
        .route("/info", get(info))
        .route("/parameters", get(parameters))
        .route("/site", get(site))
        .route("/chat-messages", post(chat))
        .route("/chat-messages/{task_id}/stop", post(stop))
        .route("/messages", get(messages))
        .route("/conversations", get(conversations))
        .layer(from_fn(check_key))
        .method_not_allowed_fallback(method_not_allowed);
    Router::new().nest("/v1", api).fallback(not_found).layer(map_response(version_headers)).with_state(memory)
}

async fn version_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    headers.insert("access-control-expose-headers", HeaderValue::from_static("X-Env, X-Trace-Id, X-Version"));
    headers.insert("x-version", HeaderValue::from_static(wire::VERSION));
    headers.insert("x-env", HeaderValue::from_static("PRODUCTION"));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie"));
    response
}

async fn check_key(request: Request, next: Next) -> Response {
    match key_trouble(request.headers()) {
        None => next.run(request).await,
        Some(message) => {
            let mut refusal = wire::error(StatusCode::UNAUTHORIZED, "unauthorized", message);
            let realm = HeaderValue::from_static("Bearer realm=\"api\"");
            refusal.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
            refusal
        }
    }
}

fn key_trouble(headers: &HeaderMap) -> Option<&'static str> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, key)) = sent.and_then(|sent| sent.split_once(' ')) else {
        return Some("Authorization header must be provided and start with 'Bearer'");
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Some("Authorization scheme must be 'Bearer'");
    }
    (key.trim() != KEY).then_some("Access token is invalid")
}

async fn not_found() -> Response {
    let page = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The \
                requested URL was not found on the server. If you entered the URL manually please check your \
                spelling and try again.</p>\n";
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

async fn method_not_allowed() -> Response {
    let message = "The method is not allowed for the requested URL.";
    wire::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

async fn info() -> Response {
    ok(&json!({
        "name": "Demo",
        "description": "A small chat app that is built into the gateway: it remembers your name.",
        "tags": ["demo"],
        "mode": "chat",
        "author_name": "dify-a2a-gateway",
    }))
}

async fn parameters() -> Response {
    ok(&json!({
        "opening_statement": "Hello! Tell me your name and I will remember it.",
        "suggested_questions": ["My name is Alice", "What is my name?", "Count slowly"],
        "suggested_questions_after_answer": {"enabled": false},
        "speech_to_text": {"enabled": false},
        "text_to_speech": {"enabled": false, "language": "", "voice": ""},
        "retriever_resource": {"enabled": true},
        "annotation_reply": {"enabled": false},
        "more_like_this": {"enabled": false},
        "user_input_form": [],
        "sensitive_word_avoidance": {"enabled": false, "type": "", "configs": []},
        "file_upload": {"image": {
            "enabled": false, "number_limits": 3, "detail": "high",
            "transfer_methods": ["remote_url", "local_file"],
        }},
        "system_parameters": {
            "image_file_size_limit": 10, "video_file_size_limit": 100, "audio_file_size_limit": 50,
            "file_size_limit": 15, "workflow_file_upload_limit": 10,
        },
    }))
}

async fn site() -> Response {
    ok(&json!({
        "title": "Demo",
        "chat_color_theme": null,
        "chat_color_theme_inverted": false,
        "icon_type": "emoji",
        "icon": "🤖",
        "icon_background": "#FFEAD5",
        "description": null,
        "copyright": null,
        "privacy_policy": null,
        "custom_disclaimer": "",
        "default_language": "en-US",
        "show_workflow_steps": true,
        "use_icon_as_answer_icon": false,
        "icon_url": null,
    }))
}

async fn chat(State(memory): State<Memory>, headers: HeaderMap, body: Bytes) -> Response {
    let request = match ChatRequest::read(&headers, &body) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let now = jiff::Timestamp::now().as_second();
    let begun = memory.begin(&request.user, request.conversation, &request.query, now);
    let Ok(begun) = begun else { return no_conversation("/v1/chat-messages") };
    let turn = Turn::new(memory, begun, request.query, now);
    match request.mode {
        Mode::Blocking => turn.blocking().await,
        Mode::Streaming => wire::stream_response(Body::from_stream(turn.frames())),
    }
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    Blocking,
    Streaming,
}

/// A chat request that Dify would take.
#[derive(Debug)]
struct ChatRequest {
    user: String,
    query: String,
    conversation: Option<Uuid>,
    mode: Mode,
}

impl ChatRequest {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        let body = json_object(headers, body)?;
        let user = user_of(&body)?;
        let mut faults = Vec::new();
        if !body.get("inputs").is_some_and(Value::is_object) {
            faults.push(fault(&body, "inputs", "Input should be a valid dictionary", "dict_type"));
        }
        let query = body.get("query").and_then(Value::as_str);
        if query.is_none() {
            faults.push(fault(&body, "query", "Input should be a valid string", "string_type"));
        }
        let mode = match body.get("response_mode") {
            None | Some(Value::Null) => Some(Mode::Blocking),
            Some(Value::String(mode)) if mode == "blocking" => Some(Mode::Blocking),
            Some(Value::String(mode)) if mode == "streaming" => Some(Mode::Streaming),
            Some(_) => None,
        };
        if mode.is_none() {
            let wanted = "Input should be 'blocking' or 'streaming'";
            faults.push(fault(&body, "response_mode", wanted, "literal_error"));
        }
        let conversation = match body.get("conversation_id") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) if id.trim().is_empty() => Ok(None),
            Some(Value::String(id)) => id.parse().map(Some).map_err(drop),
            Some(_) => Err(()),
        };
        if conversation.is_err() {
            let wanted = "Value error, conversation_id must be a valid UUID";
            faults.push(fault(&body, "conversation_id", wanted, "value_error"));
        }
        let (Some(query), Some(mode), Ok(conversation), true) =
            (query, mode, conversation, faults.is_empty())
        else {
            return Err(validation(&faults));
        };
        if query.is_empty() {
            return Err(invalid("query is required"));
        }
        Ok(Self { user, query: query.to_owned(), conversation, mode })
    }
}

async fn stop(
    State(memory): State<Memory>,
    Path(task): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let user = match json_object(&headers, &body).and_then(|body| user_of(&body)) {
        Ok(user) => user,
        Err(refusal) => return *refusal,
    };
    if let Ok(task) = task.parse() {
        memory.stop(task, &user);
    }
    ok(&json!({"result": "success"}))
}

async fn messages(State(memory): State<Memory>, Query(query): Query<HashMap<String, String>>) -> Response {
    let Some(id) = query.get("conversation_id").and_then(|id| id.parse::<Uuid>().ok()) else {
        return *invalid("conversation_id must be a valid UUID");
    };
    let Ok(conversation) = memory.conversation(id, reader_of(&query)) else {
        return no_conversation("/v1/messages");
    };
    let limit = limit_of(&query);
    let before = match query.get("first_id").filter(|first| !first.is_empty()) {
        None => conversation.messages.len(),
        Some(first) => {
            let position = conversation.messages.iter().position(|message| message.id.to_string() == *first);
            let Some(position) = position else {
                return suffixed("First Message Not Exists.", "/v1/messages");
            };
            position
        }
    };
    let from = before.saturating_sub(limit);
    let page = conversation.messages.get(from..before).unwrap_or_default();
    let data: Vec<Value> = page.iter().map(|message| message_json(id, message)).collect();
    ok(&json!({"limit": limit, "has_more": from > 0, "data": data}))
}

fn message_json(conversation: Uuid, message: &Message) -> Value {
    json!({
        "id": message.id.to_string(),
        "conversation_id": conversation.to_string(),
        "parent_message_id": Uuid::nil().to_string(),
        "inputs": {},
        "query": message.query,
        "answer": message.answer,
        "feedback": null,
        "retriever_resources": [],
        "created_at": message.created_at,
        "agent_thoughts": [],
        "message_files": [],
        "status": if message.error.is_some() { "error" } else { "normal" },
        "error": message.error,
        "extra_contents": [],
    })
}

async fn conversations(
    State(memory): State<Memory>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let all = memory.conversations(reader_of(&query));
    let last = query.get("last_id").and_then(|last| last.parse::<Uuid>().ok());
    let start = last.and_then(|last| all.iter().position(|(id, _, _)| *id == last)).map_or(0, |at| at + 1);
    let limit = limit_of(&query);
    let rest = all.get(start..).unwrap_or_default();
    let page = rest.iter().take(limit).map(|(id, created_at, updated_at)| {
        json!({
            "id": id.to_string(),
            "name": "New conversation",
            "inputs": {},
            "status": "normal",
            "introduction": "Hello! Tell me your name and I will remember it.",
            "created_at": created_at,
            "updated_at": updated_at,
        })
    });
    let data: Vec<Value> = page.collect();
    ok(&json!({"limit": limit, "has_more": rest.len() > limit, "data": data}))
}

fn reader_of(query: &HashMap<String, String>) -> &str {
    query.get("user").filter(|user| !user.is_empty()).map_or(DEFAULT_USER, String::as_str)
}

fn limit_of(query: &HashMap<String, String>) -> usize {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok());
    limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE)
}

fn json_object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
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

fn user_of(body: &Map<String, Value>) -> Result<String, Refusal> {
    let user = body.get("user").and_then(Value::as_str).filter(|user| !user.is_empty());
    user.map(str::to_owned).ok_or_else(|| invalid("Arg user must be provided."))
}

/// One complaint of Dify's request model, in the words of its library.
fn fault(body: &Map<String, Value>, field: &str, wanted: &str, kind: &str) -> String {
    let (message, kind) = match body.get(field) {
        None => ("Field required", "missing"),
        Some(_) => (wanted, kind),
    };
    format!(
        "{field}\n  {message} [type={kind}]\n    For further information visit \
         https://errors.pydantic.dev/2.12/v/{kind}"
    )
}

fn validation(faults: &[String]) -> Refusal {
    let noun = if faults.len() == 1 { "error" } else { "errors" };
    let text = faults.join("\n");
    invalid(&format!("{} validation {noun} for ChatRequestPayload\n{text}", faults.len()))
}

fn invalid(message: &str) -> Refusal {
    Box::new(wire::error(StatusCode::BAD_REQUEST, "invalid_param", message))
}

fn no_conversation(path: &str) -> Response {
    suffixed("Conversation Not Exists.", path)
}

/// A 404 with the guess at the caller's typing that Dify's framework adds to each of them.
fn suffixed(message: &str, path: &str) -> Response {
    let bare = path.trim_start_matches("/v1");
    let message = format!(
        "{message} You have requested this URI [{path}] but did you mean {path} or /api{bare} or \
         {path}/<string:task_id>/stop ?"
    );
    wire::error(StatusCode::NOT_FOUND, "not_found", &message)
}

fn ok(body: &Value) -> Response {
    wire::json_response(StatusCode::OK, body)
}
