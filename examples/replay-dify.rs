//! A stand-in for Dify that replays what real Dify servers answered, for judging the gateway from outside.
//!
//! ```text
//! cargo run --example replay-dify -- fixtures/dify [--listen 127.0.0.1:0] [--delay-ms 15]
//! ```
//!
//! It prints its address on one line of stdout. The API key picks the app, as with Dify: `app-1.14.2-chat_basic` is the
//! app whose `info_chat_basic.http` and `parameters_chat_basic.http` lie in the folder `1.14.2`. The query picks what
//! the app says:
//!
//! | query | answer |
//! | --- | --- |
//! | `replay:CASE` | the recording `CASE.http` of the app's version, frame by frame |
//! | `hold TEXT` | TEXT, and then only pings until the turn is stopped |
//! | `slow MS TEXT` | nothing for MS milliseconds, then TEXT |
//! | `drip MS TEXT` | TEXT, a word each MS milliseconds |
//! | `My name is NAME.` | a greeting; the conversation remembers the name |
//! | `What is my name?` | the name, if this is the conversation that was told it |
//! | anything else | `You said: …` |
//!
//! `GET /replay/turns` tells what it was asked, and who stopped what.
#![expect(clippy::print_stdout, reason = "the address on stdout is how a caller finds the server")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Dify sends one after ten seconds of silence.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING: &str = "event: ping\n\n";

#[derive(Parser)]
#[command(about = "Replays recorded answers of Dify")]
struct Arguments {
    /// The folder that holds one folder of recordings for each version of Dify.
    recordings: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How long to wait between two frames.
    #[arg(long, default_value_t = 15)]
    delay_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let replay = Arc::new(Replay {
        recordings: arguments.recordings,
        delay: Duration::from_millis(arguments.delay_ms),
        memory: Mutex::default(),
    });
    let routes = Router::new()
        .route("/v1/info", get(info))
        .route("/v1/parameters", get(parameters))
        .route("/v1/site", get(site))
        .route("/v1/chat-messages", post(chat))
        .route("/v1/chat-messages/{task_id}/stop", post(stop))
        .route("/v1/messages", get(messages))
        .route("/v1/conversations", get(conversations))
        .route("/replay/turns", get(turns))
        .with_state(replay);
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

struct Replay {
    recordings: PathBuf,
    delay: Duration,
    memory: Mutex<Memory>,
}

impl Replay {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The app that the request's key belongs to.
    fn app(&self, headers: &HeaderMap) -> Result<App, Refusal> {
        let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (version, name) = key
            .and_then(|key| key.strip_prefix("Bearer app-"))
            .and_then(|key| key.split_once('-'))
            .filter(|(version, name)| is_plain(version) && is_plain(name))
            .ok_or(Refusal(StatusCode::UNAUTHORIZED, "unauthorized", "Access token is invalid"))?;
        let folder = self.recordings.join(version);
        if !folder.join(format!("info_{name}.http")).is_file() {
            return Err(Refusal(StatusCode::UNAUTHORIZED, "unauthorized", "Access token is invalid"));
        }
        Ok(App { folder, name: name.to_owned(), version: version.to_owned() })
    }
}

/// Whether a name is safe to be part of a path.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
}

/// One of the apps whose answers were recorded.
struct App {
    folder: PathBuf,
    name: String,
    version: String,
}

impl App {
    fn is_chatflow(&self) -> bool {
        self.name.starts_with("chatflow")
    }
}

/// What the stand-in remembers of its callers.
#[derive(Default)]
struct Memory {
    conversations: HashMap<String, Conversation>,
    turns: Vec<Turn>,
}

struct Conversation {
    user: String,
    name: Option<String>,
    messages: Vec<Value>,
}

struct Turn {
    query: String,
    user: String,
    conversation_id: String,
    task_id: String,
    stopped_by: Vec<String>,
    stopping: CancellationToken,
}

/// An error in Dify's form.
struct Refusal(StatusCode, &'static str, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        (status, Json(json!({"code": code, "message": message, "status": status.as_u16()}))).into_response()
    }
}

/// An answer of Dify as it came over the wire.
struct Recording {
    status: StatusCode,
    content_type: String,
    body: Bytes,
}

impl Recording {
    fn read(file: &Path) -> Option<Self> {
        let bytes = Bytes::from(std::fs::read(file).ok()?);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let status = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let content_type = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
        })?;
        Some(Self { status, content_type, body: bytes.slice(end + 4..) })
    }

    /// The body of a stream, cut after each frame.
    fn frames(&self) -> Vec<Bytes> {
        let mut frames = Vec::new();
        let mut rest = self.body.clone();
        while let Some(end) = rest.windows(2).position(|window| window == b"\n\n") {
            frames.push(rest.split_to(end + 2));
        }
        frames
    }

    fn respond(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

async fn info(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    Ok(recorded(&app, &format!("info_{}", app.name)))
}

async fn parameters(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    Ok(recorded(&app, &format!("parameters_{}", app.name)))
}

async fn site(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    Ok(recorded(&replay.app(&headers)?, "site_chatflow"))
}

fn recorded(app: &App, case: &str) -> Response {
    match Recording::read(&app.folder.join(format!("{case}.http"))) {
        Some(recording) => recording.respond(),
        // what Dify says of a path that its version does not have
        None => (StatusCode::NOT_FOUND, Html("<!doctype html><title>404 Not Found</title>")).into_response(),
    }
}

#[derive(Deserialize)]
struct ChatRequest {
    query: String,
    user: String,
    response_mode: String,
    conversation_id: Option<String>,
    #[serde(rename = "inputs")]
    _inputs: serde_json::Map<String, Value>,
}

async fn chat(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Json(request): Json<ChatRequest>,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    if request.response_mode != "streaming" {
        return Err(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "this stand-in only streams"));
    }
    if let Some(case) = request.query.trim().strip_prefix("replay:") {
        return replayed(&app, case, replay.delay);
    }
    let script = Script::of(&request.query);
    let says = Says::of(&request.query);
    let Begun { ids, answer, stopping } = replay.memory().begin(request, says)?;
    let voice = Voice { ids, chatflow: app.is_chatflow(), finished_first: app.version.starts_with("0.") };
    if !voice.chatflow {
        // a chat app's headers come with its first frame
        tokio::time::sleep(script.silence).await;
    }
    let (sender, receiver) = mpsc::channel(1);
    let delay = script.between.unwrap_or(replay.delay);
    // a reader that goes away ends the turn
    tokio::spawn(async move { voice.say(&sender, &answer, &script, delay, &stopping).await });
    Ok(event_stream(receiver))
}

fn replayed(app: &App, case: &str, delay: Duration) -> Result<Response, Refusal> {
    let file = app.folder.join(format!("{case}.http"));
    let recording = Some(case).filter(|case| is_plain(case)).and_then(|_| Recording::read(&file));
    let recording =
        recording.ok_or(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "there is no such recording"))?;
    if !recording.content_type.starts_with("text/event-stream") {
        return Ok(recording.respond());
    }
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for frame in recording.frames() {
            if sender.send(frame).await.is_err() {
                return;
            }
            tokio::time::sleep(delay).await;
        }
    });
    Ok(event_stream(receiver))
}

fn event_stream(frames: mpsc::Receiver<Bytes>) -> Response {
    let frames = futures_util::stream::unfold(frames, |mut frames| async {
        let frame = frames.recv().await?;
        Some((Ok::<_, Infallible>(frame), frames))
    });
    let content_type = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    (content_type, Body::from_stream(frames)).into_response()
}

/// How a turn goes that was not recorded.
#[derive(Default)]
struct Script {
    /// How long nothing is said at first.
    silence: Duration,
    /// The time between two words, if it is not the usual one.
    between: Option<Duration>,
    /// Whether the turn goes on until it is stopped.
    held: bool,
}

impl Script {
    fn of(query: &str) -> Self {
        Self {
            silence: timed(query, "slow ").map_or(Duration::ZERO, |(silence, _)| silence),
            between: timed(query, "drip ").map(|(between, _)| between),
            held: query.starts_with("hold "),
        }
    }
}

enum Says {
    Text(String),
    Greeting(String),
    NameOfCaller,
}

impl Says {
    fn of(query: &str) -> Self {
        if query == "What is my name?" {
            Self::NameOfCaller
        } else if let Some(name) = query.strip_prefix("My name is ") {
            Self::Greeting(name.trim_end_matches('.').to_owned())
        } else if let Some(text) = query.strip_prefix("hold ") {
            Self::Text(text.to_owned())
        } else if let Some((_, text)) = timed(query, "slow ").or_else(|| timed(query, "drip ")) {
            Self::Text(text.to_owned())
        } else {
            Self::Text(format!("You said: {query}"))
        }
    }
}

fn timed<'a>(query: &'a str, verb: &str) -> Option<(Duration, &'a str)> {
    let (pause, text) = query.strip_prefix(verb)?.split_once(' ')?;
    Some((Duration::from_millis(pause.parse().ok()?), text))
}

/// The ids that Dify gives to a turn.
struct Ids {
    conversation: String,
    message: String,
    task: String,
    run: String,
}

/// A turn that has begun.
struct Begun {
    ids: Ids,
    answer: String,
    stopping: CancellationToken,
}

impl Memory {
    /// Begins a turn in the conversation that the request names, or in a new one.
    fn begin(&mut self, request: ChatRequest, says: Says) -> Result<Begun, Refusal> {
        let ChatRequest { query, user, conversation_id, .. } = request;
        let named = conversation_id.filter(|id| !id.is_empty());
        let ids = Ids {
            conversation: named.clone().unwrap_or_else(|| Uuid::now_v7().to_string()),
            message: Uuid::now_v7().to_string(),
            task: Uuid::now_v7().to_string(),
            run: Uuid::now_v7().to_string(),
        };
        if named.is_none() {
            let conversation = Conversation { user: user.clone(), name: None, messages: Vec::new() };
            self.conversations.insert(ids.conversation.clone(), conversation);
        }
        // Dify hides a conversation from everybody but the user who began it
        let conversation = self
            .conversations
            .get_mut(&ids.conversation)
            .filter(|conversation| conversation.user == user)
            .ok_or(Refusal(StatusCode::NOT_FOUND, "not_found", "Conversation Not Exists."))?;
        let answer = match says {
            Says::Text(text) => text,
            Says::Greeting(name) => format!("Nice to meet you, {}.", conversation.name.insert(name)),
            Says::NameOfCaller => match &conversation.name {
                Some(name) => format!("Your name is {name}."),
                None => "I do not know your name.".to_owned(),
            },
        };
        conversation.messages.push(json!({
            "id": ids.message, "conversation_id": ids.conversation, "inputs": {}, "query": query,
            "answer": answer, "message_files": [], "feedback": null, "retriever_resources": [],
            "agent_thoughts": [], "status": "normal", "error": null,
        }));
        let stopping = CancellationToken::new();
        self.turns.push(Turn {
            query,
            user,
            conversation_id: ids.conversation.clone(),
            task_id: ids.task.clone(),
            stopped_by: Vec::new(),
            stopping: stopping.clone(),
        });
        Ok(Begun { ids, answer, stopping })
    }
}

/// Says one turn in Dify's form.
struct Voice {
    ids: Ids,
    chatflow: bool,
    /// Whether `workflow_finished` comes before `message_end`, as in the versions that run a chatflow in the API process.
    finished_first: bool,
}

impl Voice {
    /// Streams the whole turn; ends early when nobody reads it any more.
    async fn say(
        &self,
        frames: &mpsc::Sender<Bytes>,
        answer: &str,
        script: &Script,
        delay: Duration,
        stopping: &CancellationToken,
    ) -> Result<(), mpsc::error::SendError<Bytes>> {
        if self.chatflow {
            if !self.finished_first {
                frames.send(PING.into()).await?;
            }
            frames.send(self.workflow_started()).await?;
            tokio::time::sleep(script.silence).await;
        }
        for word in answer.split_inclusive(' ') {
            frames.send(self.frame("message", json!({"id": self.ids.message, "answer": word}))).await?;
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stopping.cancelled() => break,
            }
        }
        while script.held && !stopping.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(PING_EVERY) => frames.send(PING.into()).await?,
                () = stopping.cancelled() => {}
            }
        }
        for frame in self.ending(answer, stopping.is_cancelled()) {
            frames.send(frame).await?;
        }
        Ok(())
    }

    fn frame(&self, event: &str, extra: Value) -> Bytes {
        let mut frame = json!({
            "event": event, "conversation_id": self.ids.conversation, "message_id": self.ids.message,
            "created_at": 1_795_310_829, "task_id": self.ids.task,
        });
        if let (Value::Object(frame), Value::Object(extra)) = (&mut frame, extra) {
            frame.extend(extra);
        }
        format!("data: {frame}\n\n").into()
    }

    fn workflow_started(&self) -> Bytes {
        let run = &self.ids.run;
        let data = json!({"id": run, "workflow_id": run, "inputs": {}, "created_at": 1_795_310_829});
        self.frame("workflow_started", json!({"workflow_run_id": run, "data": data}))
    }

    fn workflow_finished(&self, answer: &str, stopped: bool) -> Bytes {
        let run = &self.ids.run;
        let (status, error, outputs) = match stopped {
            true => ("stopped", json!("Stopped by user."), json!({})),
            false => ("succeeded", Value::Null, json!({"answer": answer, "files": []})),
        };
        let data = json!({
            "id": run, "workflow_id": run, "status": status, "outputs": outputs, "error": error,
            "elapsed_time": 0.4, "total_tokens": 0, "total_steps": 2, "created_at": 1_795_310_829,
            "finished_at": 1_795_310_830, "exceptions_count": 0, "files": [],
        });
        self.frame("workflow_finished", json!({"workflow_run_id": run, "data": data}))
    }

    fn message_end(&self) -> Bytes {
        let usage = json!({"prompt_tokens": 13, "completion_tokens": 5, "total_tokens": 18, "latency": 0.1});
        let metadata = json!({"annotation_reply": null, "retriever_resources": [], "usage": usage});
        let files = if self.chatflow { json!([]) } else { Value::Null };
        self.frame("message_end", json!({"id": self.ids.message, "metadata": metadata, "files": files}))
    }

    fn ending(&self, answer: &str, stopped: bool) -> Vec<Bytes> {
        if !self.chatflow {
            return vec![self.message_end()];
        }
        let finished = self.workflow_finished(answer, stopped);
        match (self.finished_first, stopped) {
            (true, _) => vec![finished, self.message_end()],
            (false, true) => vec![finished],
            (false, false) => vec![self.message_end(), finished],
        }
    }
}

#[derive(Deserialize)]
struct StopRequest {
    user: String,
}

/// Dify answers every stop alike, but heeds only that of the user who began the turn.
async fn stop(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    UrlPath(task_id): UrlPath<String>,
    Json(request): Json<StopRequest>,
) -> Result<Json<Value>, Refusal> {
    replay.app(&headers)?;
    if let Some(turn) = replay.memory().turns.iter_mut().find(|turn| turn.task_id == task_id) {
        if turn.user == request.user {
            turn.stopping.cancel();
        }
        turn.stopped_by.push(request.user);
    }
    Ok(Json(json!({"result": "success"})))
}

#[derive(Deserialize)]
struct MessagesQuery {
    conversation_id: String,
    user: String,
}

async fn messages(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Value>, Refusal> {
    replay.app(&headers)?;
    let memory = replay.memory();
    let conversation = memory
        .conversations
        .get(&query.conversation_id)
        .filter(|conversation| conversation.user == query.user)
        .ok_or(Refusal(StatusCode::NOT_FOUND, "not_found", "Conversation Not Exists."))?;
    Ok(Json(json!({"limit": 20, "has_more": false, "data": conversation.messages})))
}

#[derive(Deserialize)]
struct ConversationsQuery {
    user: String,
}

async fn conversations(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Query(query): Query<ConversationsQuery>,
) -> Result<Json<Value>, Refusal> {
    replay.app(&headers)?;
    let memory = replay.memory();
    let theirs: Vec<Value> = memory
        .conversations
        .iter()
        .filter(|(_, conversation)| conversation.user == query.user)
        .map(|(id, _)| json!({"id": id, "name": "New conversation", "inputs": {}, "status": "normal"}))
        .collect();
    Ok(Json(json!({"limit": 20, "has_more": false, "data": theirs})))
}

async fn turns(State(replay): State<Arc<Replay>>) -> Json<Value> {
    let memory = replay.memory();
    let turns: Vec<Value> = memory
        .turns
        .iter()
        .map(|turn| {
            json!({
                "query": turn.query, "user": turn.user, "conversation_id": turn.conversation_id,
                "task_id": turn.task_id, "stopped_by": turn.stopped_by,
            })
        })
        .collect();
    Json(json!({"turns": turns}))
}
