//! An A2A client that shows everything: raw JSON in, raw JSON out, streams event by event.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};

/// The longest that any test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A client of one gateway.
#[derive(Clone)]
pub struct Client {
    pub base: String,
    pub http: reqwest::Client,
}

impl Client {
    pub fn new(base: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE * 3).build().expect("a client");
        Self { base, http }
    }

    /// Posts a JSON-RPC request to `/a2a` and gives the response as it is.
    pub async fn post(&self, body: &Value) -> Response {
        let request = self.http.post(format!("{}/a2a", self.base)).json(body);
        tokio::time::timeout(PATIENCE, request.send()).await.expect("in time").expect("an answer")
    }

    /// Calls a method and gives the whole JSON-RPC response.
    pub async fn rpc(&self, method: &str, params: &Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let response = self.post(&body).await;
        let text = tokio::time::timeout(PATIENCE, response.text()).await.expect("in time").expect("a body");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Calls a method and gives its result.
    pub async fn result(&self, method: &str, params: &Value) -> Value {
        let answer = self.rpc(method, params).await;
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    /// Calls a method that must fail and gives the error.
    pub async fn error(&self, method: &str, params: &Value) -> Value {
        let answer = self.rpc(method, params).await;
        assert!(answer.get("result").is_none(), "{answer}");
        answer["error"].clone()
    }

    /// Calls a streaming method.
    pub async fn stream(&self, method: &str, params: &Value) -> Stream {
        self.stream_from(method, params, None).await
    }

    /// Calls a streaming method with a `Last-Event-ID`.
    pub async fn stream_from(&self, method: &str, params: &Value, last: Option<&str>) -> Stream {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = self.http.post(format!("{}/a2a", self.base)).json(&body);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response =
            tokio::time::timeout(PATIENCE, request.send()).await.expect("in time").expect("an answer");
        Stream::of(response)
    }

    /// Sends a text in 1.0 and waits for the task.
    pub async fn send(&self, text: &str, context: Option<&str>) -> Value {
        self.result("SendMessage", &send(text, context)).await["task"].clone()
    }

    /// Reads a task in 1.0 until it is in this state.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        let waiting = async {
            loop {
                let task = self.task(id).await;
                if task["status"]["state"] == state {
                    return task;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{id} is never {state}"))
    }

    /// Reads a task in 1.0.
    pub async fn task(&self, id: &str) -> Value {
        self.result("GetTask", &json!({"id": id})).await
    }
}

/// The params of `SendMessage`.
pub fn send(text: &str, context: Option<&str>) -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    let mut message = json!({"messageId": id, "role": "ROLE_USER", "parts": [{"text": text}]});
    if let Some(context) = context {
        message["contextId"] = context.into();
    }
    json!({ "message": message })
}

/// The params of `message/send`.
pub fn send_03(text: &str, context: Option<&str>) -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    let mut message = json!({"kind": "message", "messageId": id, "role": "user", "parts": [{"kind": "text", "text": text}]});
    if let Some(context) = context {
        message["contextId"] = context.into();
    }
    json!({ "message": message })
}

/// The params of `message.send`.
pub fn send_old(text: &str, context: &str) -> Value {
    json!({
        "contextId": context, "messages": [{"role": "user", "parts": [{"type": "text", "text": text}]}],
        "configuration": {"stream": true}
    })
}

/// One event of a stream.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub data: Value,
}

/// An open stream of events.
pub struct Stream {
    pub response: Response,
    buffer: Vec<u8>,
    /// How many keep-alive comments came.
    pub comments: usize,
}

impl Stream {
    pub fn of(response: Response) -> Self {
        Self { response, buffer: Vec::new(), comments: 0 }
    }

    /// The next event, or nothing at the end of the stream.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("an event in time")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let block = String::from_utf8(block).expect("UTF-8");
                if block.starts_with(':') {
                    self.comments += 1;
                    continue;
                }
                return Some(event(&block));
            }
            let chunk = self.response.chunk().await.expect("a whole stream")?;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// All events to the end.
    pub async fn all(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        assert!(self.buffer.is_empty(), "a stream ends after a whole event");
        events
    }
}

fn event(block: &str) -> Event {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
    let data = field("data: ");
    let data = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {block:?}"));
    Event { id: field("id: ").to_owned(), data }
}
