//! A stand-in for Dify that replays what real Dify servers answered, for judging the gateway from outside.
//!
//! ```text
//! cargo run --example replay-dify -- fixtures/dify [--listen 127.0.0.1:0] [--delay-ms 15]
//! ```
//!
//! It prints its address on one line of stdout. The API key picks the app, as with Dify: `app-1.14.2-chat_basic` is the
//! app whose `info_chat_basic.http` and `parameters_chat_basic.http` lie in the folder `1.14.2`. The query (of a text
//! generator its input `query`, of a workflow its input `text`) picks what the app says:
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
//! A workflow that takes no text gives its recording `APP_ok.http`, if the uploads it is given are those of the
//! recording. An upload gets the answer that Dify gave to a file of that name; its bytes can be fetched where the
//! recordings say, but for the host, which is this server instead of the one that was recorded.
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
/// Where the recorded servers were.
const RECORDED_ORIGINS: [&str; 2] = ["http://127.0.0.1:5001", "http://127.0.0.1:5015"];
/// The uploads that were recorded: the file's name and the recording.
const RECORDED_UPLOADS: [(&str, &str); 2] =
    [("hello.txt", "file_upload_workflow"), ("dot.png", "file_upload_workflow_image")];

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
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("{origin}");
    let replay = Arc::new(Replay {
        recordings: arguments.recordings,
        delay: Duration::from_millis(arguments.delay_ms),
        origin,
        memory: Mutex::default(),
    });
    let routes = Router::new()
        .route("/v1/info", get(info))
        .route("/v1/parameters", get(parameters))
        .route("/v1/site", get(site))
        .route("/v1/chat-messages", post(chat))
        .route("/v1/chat-messages/{task_id}/stop", post(stop))
        .route("/v1/completion-messages", post(completion))
        .route("/v1/completion-messages/{task_id}/stop", post(stop))
        .route("/v1/workflows/run", post(workflow))
        .route("/v1/workflows/run/{run_id}", get(run_detail))
        .route("/v1/workflows/tasks/{task_id}/stop", post(stop))
        .route("/v1/files/upload", post(upload))
        .route("/files/{id}/file-preview", get(preview))
        .route("/v1/messages", get(messages))
        .route("/v1/conversations", get(conversations))
        .route("/replay/turns", get(turns))
        .with_state(replay);
    axum::serve(listener, routes).await?;
    Ok(())
}

struct Replay {
    recordings: PathBuf,
    delay: Duration,
    /// Where this server is, without a slash at the end.
    origin: String,
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
    fn kind(&self) -> Kind {
        let kinds =
            [("chatflow", Kind::Chatflow), ("completion", Kind::Completion), ("workflow", Kind::Workflow)];
        let kind = kinds.into_iter().find(|(prefix, _)| self.name.starts_with(prefix));
        kind.map_or(Kind::Chat, |(_, kind)| kind)
    }

    /// Refuses an endpoint of other kinds of apps, with Dify's code for it.
    fn expect(&self, kinds: &[Kind], code: &'static str) -> Result<(), Refusal> {
        if kinds.contains(&self.kind()) {
            return Ok(());
        }
        let message = "Please check if your app mode matches the right API route.";
        Err(Refusal(StatusCode::BAD_REQUEST, code, message))
    }

    fn expect_chat(&self) -> Result<(), Refusal> {
        self.expect(&[Kind::Chat, Kind::Chatflow], "not_chat_app")
    }
}

/// What kind of app it is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// Chatbots and agents.
    Chat,
    Chatflow,
    Completion,
    Workflow,
}

impl Kind {
    fn is_workflow(self) -> bool {
        matches!(self, Self::Chatflow | Self::Workflow)
    }
}

/// What the stand-in remembers of its callers.
#[derive(Default)]
struct Memory {
    conversations: HashMap<String, Conversation>,
    turns: Vec<Turn>,
    /// By their ids.
    uploads: HashMap<String, Upload>,
}

/// A file that somebody sent.
#[derive(Clone)]
struct Upload {
    media_type: String,
    bytes: Bytes,
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

    /// The body of a stream, cut after each frame, with files that lie at `origin`.
    fn frames(&self, origin: &str) -> Vec<Bytes> {
        let mut frames = Vec::new();
        let mut rest = match std::str::from_utf8(&self.body) {
            Ok(text) => {
                RECORDED_ORIGINS.iter().fold(text.to_owned(), |text, old| text.replace(old, origin)).into()
            }
            Err(_) => self.body.clone(),
        };
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
struct TurnRequest {
    query: Option<String>,
    user: String,
    response_mode: String,
    conversation_id: Option<String>,
    inputs: serde_json::Map<String, Value>,
}

impl TurnRequest {
    /// What the caller says to an app of this kind, if it can be told anything.
    fn said(&self, kind: Kind) -> Option<String> {
        let input = |name: &str| self.inputs.get(name).and_then(Value::as_str).map(str::to_owned);
        match kind {
            Kind::Chat | Kind::Chatflow => self.query.clone(),
            Kind::Completion => input("query"),
            Kind::Workflow => input("text"),
        }
    }

    /// The ids of the uploads that the inputs name.
    fn uploads(&self) -> impl Iterator<Item = &str> {
        let files = self.inputs.values().flat_map(|value| match value {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        });
        files.filter_map(|file| file.get("upload_file_id")?.as_str())
    }
}

async fn chat(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Json(request): Json<TurnRequest>,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect_chat()?;
    turn(&replay, &app, request).await
}

async fn completion(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Json(request): Json<TurnRequest>,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect(&[Kind::Completion], "app_unavailable")?;
    turn(&replay, &app, request).await
}

async fn workflow(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    Json(request): Json<TurnRequest>,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect(&[Kind::Workflow], "not_workflow_app")?;
    turn(&replay, &app, request).await
}

async fn turn(replay: &Replay, app: &App, request: TurnRequest) -> Result<Response, Refusal> {
    if request.response_mode != "streaming" {
        return Err(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "this stand-in only streams"));
    }
    let kind = app.kind();
    let Some(query) = request.said(kind) else {
        return replayed(replay, app, &format!("{}_ok", app.name), &request);
    };
    if let Some(case) = query.trim().strip_prefix("replay:") {
        return replayed(replay, app, case, &request);
    }
    let script = Script::of(&query);
    let says = Says::of(&query);
    let Begun { ids, answer, stopping } = replay.memory().begin(kind, query, request, says)?;
    let voice = Voice { ids, kind, is_old: app.version.starts_with("0.") };
    if !kind.is_workflow() {
        // a chat app's headers come with its first frame
        tokio::time::sleep(script.silence).await;
    }
    let (sender, receiver) = mpsc::channel(1);
    let delay = script.between.unwrap_or(replay.delay);
    // a reader that goes away ends the turn
    tokio::spawn(async move { voice.say(&sender, &answer, &script, delay, &stopping).await });
    Ok(event_stream(receiver))
}

fn replayed(replay: &Replay, app: &App, case: &str, request: &TurnRequest) -> Result<Response, Refusal> {
    let file = app.folder.join(format!("{case}.http"));
    let recording = Some(case).filter(|case| is_plain(case)).and_then(|_| Recording::read(&file));
    let recording =
        recording.ok_or(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "there is no such recording"))?;
    if !recording.content_type.starts_with("text/event-stream") {
        return Ok(recording.respond());
    }
    let frames = recording.frames(&replay.origin);
    let told = frames.concat();
    let is_told = |id: &str| told.windows(id.len()).any(|window| window == id.as_bytes());
    if !request.uploads().all(|id| !id.is_empty() && is_told(id)) {
        return Err(Refusal(StatusCode::BAD_REQUEST, "invalid_param", "Invalid upload file"));
    }
    let delay = replay.delay;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for frame in frames {
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
    /// Begins a turn: of a chat in the conversation that the request names, or in a new one.
    fn begin(
        &mut self,
        kind: Kind,
        query: String,
        request: TurnRequest,
        says: Says,
    ) -> Result<Begun, Refusal> {
        let TurnRequest { user, conversation_id, .. } = request;
        let named = conversation_id.filter(|id| !id.is_empty());
        let is_chat = matches!(kind, Kind::Chat | Kind::Chatflow);
        let ids = Ids {
            conversation: named.clone().unwrap_or_else(|| Uuid::now_v7().to_string()),
            message: Uuid::now_v7().to_string(),
            task: Uuid::now_v7().to_string(),
            run: Uuid::now_v7().to_string(),
        };
        // an app that is no chat remembers nothing
        let mut alone = Conversation { user: user.clone(), name: None, messages: Vec::new() };
        if is_chat && named.is_none() {
            let conversation = Conversation { user: user.clone(), name: None, messages: Vec::new() };
            self.conversations.insert(ids.conversation.clone(), conversation);
        }
        // Dify hides a conversation from everybody but the user who began it
        let theirs =
            self.conversations.get_mut(&ids.conversation).filter(|conversation| conversation.user == user);
        let conversation = if is_chat { theirs } else { Some(&mut alone) };
        let conversation =
            conversation.ok_or(Refusal(StatusCode::NOT_FOUND, "not_found", "Conversation Not Exists."))?;
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
    kind: Kind,
    /// Whether it is a version that runs workflows in the API process: no ping comes first, and `workflow_finished`
    /// comes before `message_end`.
    is_old: bool,
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
        if self.kind.is_workflow() {
            if !self.is_old {
                frames.send(PING.into()).await?;
            }
            frames.send(self.workflow_started()).await?;
            tokio::time::sleep(script.silence).await;
        }
        for word in answer.split_inclusive(' ') {
            frames.send(self.word(word)).await?;
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

    fn word(&self, word: &str) -> Bytes {
        if self.kind == Kind::Workflow {
            let data = json!({"text": word, "from_variable_selector": ["llm", "text"]});
            return self.frame("text_chunk", json!({"workflow_run_id": self.ids.run, "data": data}));
        }
        self.frame("message", json!({"id": self.ids.message, "answer": word}))
    }

    fn frame(&self, event: &str, extra: Value) -> Bytes {
        let mut frame = json!({"event": event, "task_id": self.ids.task});
        let message = json!({"message_id": self.ids.message, "created_at": 1_795_310_829});
        let conversation = json!({"conversation_id": self.ids.conversation});
        let head = match self.kind {
            Kind::Chat | Kind::Chatflow => vec![message, conversation],
            Kind::Completion => vec![message],
            Kind::Workflow => vec![],
        };
        for more in head.into_iter().chain([extra]) {
            if let (Value::Object(frame), Value::Object(more)) = (&mut frame, more) {
                frame.extend(more);
            }
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
            false if self.kind == Kind::Workflow => ("succeeded", Value::Null, json!({"text": answer})),
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
        let files = if self.kind == Kind::Chatflow { json!([]) } else { Value::Null };
        self.frame("message_end", json!({"id": self.ids.message, "metadata": metadata, "files": files}))
    }

    fn ending(&self, answer: &str, stopped: bool) -> Vec<Bytes> {
        let finished = self.workflow_finished(answer, stopped);
        match (self.kind, self.is_old, stopped) {
            (Kind::Chat | Kind::Completion, _, _) => vec![self.message_end()],
            (Kind::Workflow, _, _) | (Kind::Chatflow, false, true) => vec![finished],
            (Kind::Chatflow, true, _) => vec![finished, self.message_end()],
            (Kind::Chatflow, false, false) => vec![self.message_end(), finished],
        }
    }
}

/// What a run came to; there is none that is remembered.
async fn run_detail(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    app.expect(&[Kind::Workflow, Kind::Chatflow], "not_workflow_app")?;
    Ok(recorded(&app, "workflow_run_detail_unknown"))
}

async fn upload(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    let unknown = Refusal(StatusCode::BAD_REQUEST, "no_file_uploaded", "Please upload your file.");
    let Some((name, upload)) = file_of(&form) else { return Err(unknown) };
    let case = RECORDED_UPLOADS.iter().find(|(recorded, _)| *recorded == name).map(|(_, case)| *case);
    let Some(recording) = case.and_then(|case| Recording::read(&app.folder.join(format!("{case}.http"))))
    else {
        return Err(unknown);
    };
    let told: Value = serde_json::from_slice(&recording.body).unwrap_or_default();
    if let Some(id) = told.get("id").and_then(Value::as_str) {
        replay.memory().uploads.insert(id.to_owned(), upload);
    }
    Ok(recording.respond())
}

/// The one file in a form (RFC 7578), and its name.
fn file_of(form: &Bytes) -> Option<(String, Upload)> {
    let find = |from: usize, what: &[u8]| {
        let rest = form.get(from..)?;
        Some(from + rest.windows(what.len()).position(|window| window == what)?)
    };
    let boundary = form.get(..find(0, b"\r\n")?)?;
    let begin = find(find(0, b"filename=\"")?, b"\r\n\r\n")? + 4;
    let end = find(begin, &[b"\r\n", boundary].concat())?;
    let before = std::str::from_utf8(form.get(..begin)?).ok()?;
    let (_, head) = before.rsplit_once(std::str::from_utf8(boundary).ok()?)?;
    let (name, _) = head.split_once("filename=\"")?.1.split_once('"')?;
    let media_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    Some((name.to_owned(), Upload { media_type, bytes: form.slice(begin..end) }))
}

async fn preview(
    State(replay): State<Arc<Replay>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Response, Refusal> {
    let upload = replay.memory().uploads.get(&id).cloned();
    let Upload { media_type, bytes } =
        upload.ok_or(Refusal(StatusCode::NOT_FOUND, "not_found", "File not found"))?;
    Ok(([(header::CONTENT_TYPE, media_type)], bytes).into_response())
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
    replay.app(&headers)?.expect_chat()?;
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
    replay.app(&headers)?.expect_chat()?;
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
