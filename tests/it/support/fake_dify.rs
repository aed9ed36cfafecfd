//! A Dify made of scripts: each answer is a list of steps, sent chunk by chunk, held back or cut as told.
//!
//! It speaks HTTP/1.1 by hand, since no server library sends half a chunk and hangs up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::dify_frames;

/// The key that the fake accepts.
pub const KEY: &str = "app-test";

/// A request as the fake got it.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub path: String,
    /// What stands behind the `?`, as it came.
    pub query: String,
    pub headers: HashMap<String, String>,
    pub body: Value,
}

impl Received {
    /// The `query` of a chat message, or nothing.
    pub fn said(&self) -> &str {
        self.body["query"].as_str().unwrap_or("")
    }

    /// The `user` in the body.
    pub fn user(&self) -> &str {
        self.body["user"].as_str().unwrap_or("")
    }
}

/// One step of an answer.
pub enum Step {
    /// Send these bytes as one chunk.
    Send(Vec<u8>),
    /// Go on when this is notified.
    Wait(Arc<Notify>),
    /// Go on when the stop endpoint was called for this Dify task.
    WaitForStop(String),
    /// Send what comes this way, until it is closed.
    Relay(UnboundedReceiver<Vec<u8>>),
    /// Never go on.
    Hang,
    /// Hang up in the middle of the body.
    Cut,
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub steps: Vec<Step>,
}

impl Reply {
    /// A stream of events, told in steps.
    pub fn stream(steps: Vec<Step>) -> Self {
        let content_type = ("Content-Type".to_owned(), "text/event-stream; charset=utf-8".to_owned());
        Self { status: 200, headers: vec![content_type], steps }
    }

    /// A stream of events that comes as these bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::stream(vec![Step::Send(bytes.into())])
    }

    /// The same answer of another media type.
    #[must_use]
    pub fn of_type(mut self, kind: &str) -> Self {
        self.headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        self
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        let content_type = ("Content-Type".to_owned(), "application/json".to_owned());
        Self { status, headers: vec![content_type], steps: vec![Step::Send(body.to_string().into_bytes())] }
    }

    /// Dify's error envelope.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"code": code, "message": message, "status": status}))
    }

    /// A proxy's error page.
    pub fn html(status: u16) -> Self {
        let content_type = ("Content-Type".to_owned(), "text/html".to_owned());
        let page = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>".to_vec();
        Self { status, headers: vec![content_type], steps: vec![Step::Send(page)] }
    }
}

type Chat = Box<dyn Fn(&Received) -> Reply + Send + Sync>;
type Other = Box<dyn Fn(&Received) -> Option<Reply> + Send + Sync>;

struct State {
    chat: Chat,
    other: Other,
    received: Mutex<Vec<Received>>,
    stops: Mutex<HashMap<String, Arc<Notify>>>,
    version: &'static str,
}

/// The fake, listening until it is dropped.
pub struct FakeDify {
    pub addr: SocketAddr,
    state: Arc<State>,
    _serving: JoinSet<()>,
}

impl FakeDify {
    /// Answers chat messages as told, and everything else as Dify 1.14.2 does for a chat app.
    pub async fn chat(chat: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::with("1.14.2", chat, |_| None).await
    }

    /// As [`FakeDify::chat`], and asks `other` first about every other request.
    pub async fn with(
        version: &'static str,
        chat: impl Fn(&Received) -> Reply + Send + Sync + 'static,
        other: impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            chat: Box::new(chat),
            other: Box::new(other),
            received: Mutex::default(),
            stops: Mutex::default(),
            version,
        });
        let mut serving = JoinSet::new();
        let accepting = Arc::clone(&state);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&accepting)));
            }
        });
        Self { addr, state, _serving: serving }
    }

    /// Says one word and goes on only when its task, `run`, is stopped, as Dify does: with an ordinary end.
    pub async fn until_stopped() -> Self {
        Self::chat(|received| {
            Reply::stream(vec![
                Step::Send(dify_frames::message(received, "run", "so far")),
                Step::WaitForStop("run".to_owned()),
                Step::Send(dify_frames::message_end(received, "run")),
            ])
        })
        .await
    }

    /// Echoes what was said, word by word, as a chat app.
    pub async fn echo() -> Self {
        Self::chat(|received| Reply::bytes(dify_frames::echo(received))).await
    }

    /// The base URL for the gateway.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Everything that came so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.lock().expect("no panic").clone()
    }

    /// The chat messages that came so far.
    pub fn chats(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.path == "/v1/chat-messages").collect()
    }

    /// The stop calls that came so far.
    pub fn stops(&self) -> Vec<Received> {
        self.received().into_iter().filter(|received| received.path.ends_with("/stop")).collect()
    }
}

impl State {
    fn stop(&self, task: &str) -> Arc<Notify> {
        Arc::clone(self.stops.lock().expect("no panic").entry(task.to_owned()).or_default())
    }

    fn reply(&self, received: &Received) -> Reply {
        // Files are read by their signed addresses.
        let is_file = received.path.starts_with("/files/");
        if !is_file && received.headers.get("authorization").map(String::as_str) != Some("Bearer app-test") {
            return Reply::error(401, "unauthorized", "Access token is invalid");
        }
        if received.path == "/v1/chat-messages" && received.method == "POST" {
            return (self.chat)(received);
        }
        if let Some(reply) = (self.other)(received) {
            return reply;
        }
        if let Some(task) =
            received.path.strip_prefix("/v1/chat-messages/").and_then(|rest| rest.strip_suffix("/stop"))
        {
            self.stop(task).notify_one();
            return Reply::json(200, &serde_json::json!({"result": "success"}));
        }
        match received.path.as_str() {
            "/v1/info" => Reply::json(200, &dify_frames::info("chat")),
            "/v1/parameters" => Reply::json(200, &dify_frames::parameters()),
            "/v1/messages" => {
                Reply::json(200, &serde_json::json!({"limit": 1, "has_more": false, "data": []}))
            }
            "/v1/conversations" => {
                Reply::json(200, &serde_json::json!({"limit": 1, "has_more": false, "data": []}))
            }
            _ => Reply::html(404),
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    stream.set_nodelay(true).expect("a socket");
    let mut stream = BufReader::new(stream);
    while let Some(received) = read_request(&mut stream).await {
        let reply = state.reply(&received);
        state.received.lock().expect("no panic").push(received);
        if write_reply(&mut stream, reply, &state).await.is_none() {
            return;
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Some(Received { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

async fn write_chunk(stream: &mut BufReader<TcpStream>, bytes: &[u8]) -> Option<()> {
    if bytes.is_empty() {
        return Some(());
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(&chunk).await.ok()?;
    stream.flush().await.ok()
}

/// Sends the reply. `None` when the connection is not to be used again.
async fn write_reply(stream: &mut BufReader<TcpStream>, reply: Reply, state: &State) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} X\r\nX-Version: {}\r\n", reply.status, state.version);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("Transfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    for step in reply.steps {
        match step {
            Step::Send(bytes) => write_chunk(stream, &bytes).await?,
            Step::Relay(mut coming) => {
                while let Some(bytes) = coming.recv().await {
                    write_chunk(stream, &bytes).await?;
                }
            }
            Step::Wait(gate) => gate.notified().await,
            Step::WaitForStop(task) => state.stop(&task).notified().await,
            Step::Hang => std::future::pending().await,
            Step::Cut => return None,
        }
    }
    stream.write_all(b"0\r\n\r\n").await.ok()?;
    stream.flush().await.ok()
}
