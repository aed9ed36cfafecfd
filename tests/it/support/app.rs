//! A Dify app that answers whole: its recorded description, whatever a test wants of its turns, and all that it was
//! asked, byte for byte.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{Gateway, Recorded};

/// The id of the conversation that every turn belongs to.
pub const CONVERSATION: &str = "5272a92a-bea6-44d1-aaaf-8dc7c8362176";

/// The body of a recorded answer, such as `1.14.2/parameters_workflow_ok`.
pub fn recorded(name: &str) -> Vec<u8> {
    Recorded::of(name).body
}

/// The same, of JSON.
pub fn recorded_json(name: &str) -> Value {
    serde_json::from_slice(&recorded(name)).expect("JSON")
}

/// A turn that was asked for.
#[derive(Debug)]
pub struct Turn {
    pub path: String,
    pub body: Value,
    /// The body to the letter.
    pub text: String,
}

/// An upload, taken apart.
#[derive(Debug)]
pub struct Upload {
    pub user: String,
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

type Answers = Box<dyn Fn(&Request) -> Option<ResponseTemplate> + Send + Sync>;

/// The app.
pub struct App {
    pub server: MockServer,
    parameters: Arc<Mutex<Value>>,
}

impl App {
    /// A recorded app, such as `workflow_ok` of `1.14.2`, that does what it is told.
    pub async fn recorded(version: &'static str, name: &str) -> Self {
        Self::answering(version, name, |_| None).await
    }

    /// The same; `answers` is asked first about every request.
    pub async fn answering(
        version: &'static str,
        name: &str,
        answers: impl Fn(&Request) -> Option<ResponseTemplate> + Send + Sync + 'static,
    ) -> Self {
        let info = recorded_json(&format!("{version}/info_{name}"));
        let parameters = recorded_json(&format!("{version}/parameters_{name}"));
        Self::of(version, info, parameters, answers).await
    }

    /// An app that describes itself like this.
    pub async fn of(
        version: &'static str,
        info: Value,
        parameters: Value,
        answers: impl Fn(&Request) -> Option<ResponseTemplate> + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::start().await;
        let parameters = Arc::new(Mutex::new(parameters));
        let (told, answers): (_, Answers) = (Arc::clone(&parameters), Box::new(answers));
        let uploads = AtomicUsize::new(0);
        let respond = move |request: &Request| {
            let reply = answers(request).unwrap_or_else(|| match request.url.path() {
                "/v1/info" => ResponseTemplate::new(200).set_body_json(&info),
                "/v1/parameters" => {
                    ResponseTemplate::new(200).set_body_json(&*told.lock().expect("no panic"))
                }
                "/v1/conversations" => page(),
                "/v1/files/upload" => taken(uploads.fetch_add(1, Ordering::SeqCst)),
                path if path.ends_with("/stop") => {
                    ResponseTemplate::new(200).set_body_json(json!({"result": "success"}))
                }
                "/v1/chat-messages" | "/v1/completion-messages" => events(&said("done")),
                path if is_turn(path) => events(&ran(&json!({"text": "done"}))),
                _ => refusal(404, "not_found", "no such thing"),
            });
            reply.append_header("X-Version", version)
        };
        Mock::given(any()).respond_with(respond).mount(&server).await;
        Self { server, parameters }
    }

    /// The base URL for the gateway.
    pub fn url(&self) -> String {
        format!("{}/v1", self.server.uri())
    }

    /// A gateway in front of it.
    pub async fn gateway(&self, env: &[(&str, &str)]) -> Gateway {
        Gateway::at(&self.url(), env).await
    }

    /// The author publishes it anew.
    pub fn publish(&self, parameters: Value) {
        *self.parameters.lock().expect("no panic") = parameters;
    }

    /// Everything that came so far.
    pub async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.expect("recorded")
    }

    /// The turns that were asked for.
    pub async fn turns(&self) -> Vec<Turn> {
        let turn = |request: Request| {
            let text = String::from_utf8(request.body).expect("UTF-8");
            let body = serde_json::from_str(&text).expect("JSON");
            Turn { path: request.url.path().to_owned(), body, text }
        };
        let posts = self.requests().await.into_iter().filter(|request| request.method.as_str() == "POST");
        posts.filter(|request| is_turn(request.url.path())).map(turn).collect()
    }

    /// The `inputs` of the turns that were asked for.
    pub async fn inputs(&self) -> Vec<Value> {
        self.turns().await.into_iter().map(|turn| turn.body["inputs"].clone()).collect()
    }

    /// The uploads that came so far.
    pub async fn uploads(&self) -> Vec<Upload> {
        let requests = self.requests().await;
        requests.iter().filter(|request| request.url.path() == "/v1/files/upload").map(upload).collect()
    }
}

fn is_turn(path: &str) -> bool {
    let is_run = path.starts_with("/v1/workflows/") && path.ends_with("/run");
    matches!(path, "/v1/chat-messages" | "/v1/completion-messages") || is_run
}

fn page() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"limit": 1, "has_more": false, "data": []}))
}

/// The id of the upload of that number, from 0.
pub fn upload_id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn taken(number: usize) -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({
        "id": upload_id(number), "name": "f", "size": 1, "extension": "txt", "mime_type": "text/plain",
        "created_by": "u", "created_at": 1
    }))
}

/// Takes apart a multipart body (RFC 7578) of `user` and `file`.
fn upload(request: &Request) -> Upload {
    let content_type = request.headers["content-type"].to_str().expect("ASCII");
    let boundary = content_type.split("boundary=").nth(1).expect("a boundary").trim_matches('"');
    let (mut user, mut file) = (String::new(), None);
    let mut rest = request.body.as_slice();
    let find = |haystack: &[u8], needle: &str| {
        haystack.windows(needle.len()).position(|window| window == needle.as_bytes())
    };
    while let Some(at) = find(rest, &format!("--{boundary}\r\n")) {
        let part = &rest[at + boundary.len() + 4..];
        let head_end = find(part, "\r\n\r\n").expect("a head");
        let end = find(part, &format!("\r\n--{boundary}")).expect("an end");
        let head = String::from_utf8(part[..head_end].to_vec()).expect("UTF-8");
        let bytes = part[head_end + 4..end].to_vec();
        let value = |name: &str| {
            let after = head.split(&format!("{name}=\"")).nth(1)?;
            Some(after.split('"').next()?.to_owned())
        };
        match value("; name").as_deref() {
            Some("user") => user = String::from_utf8(bytes).expect("UTF-8"),
            Some("file") => {
                let kind = head.to_ascii_lowercase().find("content-type: ").expect("a media type");
                let media_type = head[kind + "content-type: ".len()..].lines().next().expect("a line");
                file = Some((value("filename").expect("a name"), media_type.to_owned(), bytes));
            }
            other => panic!("{other:?}"),
        }
        rest = &part[end..];
    }
    let (name, media_type, bytes) = file.expect("a file");
    Upload { user, name, media_type, bytes }
}

/// A stream of these events.
pub fn events(events: &[Value]) -> ResponseTemplate {
    let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    stream(text)
}

/// A stream of these bytes.
pub fn stream(bytes: impl Into<Vec<u8>>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(bytes, "text/event-stream; charset=utf-8")
}

/// Dify's error envelope.
pub fn refusal(status: u16, code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"code": code, "message": message, "status": status}))
}

/// An event of a chat message.
pub fn chat_event(event: &str, members: Value) -> Value {
    let mut whole = json!({
        "event": event, "conversation_id": CONVERSATION, "message_id": "m-1", "id": "m-1", "task_id": "t-1",
        "created_at": 1
    });
    for (name, value) in members.as_object().expect("an object") {
        whole[name] = value.clone();
    }
    whole
}

/// A whole answer.
pub fn said(answer: &str) -> Vec<Value> {
    vec![chat_event("message", json!({"answer": answer})), chat_event("message_end", json!({"metadata": {}}))]
}

/// An event of a workflow's run.
pub fn run_event(event: &str, data: Value) -> Value {
    json!({"event": event, "workflow_run_id": "r-1", "task_id": "t-1", "data": data})
}

/// A whole run with these outputs.
pub fn ran(outputs: &Value) -> Vec<Value> {
    finished("succeeded", outputs)
}

/// A whole run that ends with this status.
pub fn finished(status: &str, outputs: &Value) -> Vec<Value> {
    let data = json!({
        "id": "r-1", "workflow_id": "w-1", "status": status, "outputs": outputs, "error": null,
        "elapsed_time": 0.5, "total_tokens": 0, "total_steps": 2, "created_at": 1, "finished_at": 2,
        "exceptions_count": if status == "partial-succeeded" { 2 } else { 0 }, "files": []
    });
    vec![
        run_event("workflow_started", json!({"id": "r-1", "workflow_id": "w-1", "inputs": {}})),
        run_event("workflow_finished", data),
    ]
}
