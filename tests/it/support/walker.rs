//! A client of 1.0 or 0.3 that talks with a task that asks, with streams or without, and keeps every byte that it gets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dify_a2a::bridge::backend::Limits;
use serde_json::{Value, json};

use super::client::PATIENCE;
use super::gateway::Gateway;
use super::human_dify::HumanDify;
use super::human_script::Script;

/// How a client speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    V1,
    V03,
}

/// Both dialects, each with streams and without.
pub const WAYS: [(Way, bool); 4] = [(Way::V1, true), (Way::V1, false), (Way::V03, true), (Way::V03, false)];

/// A client that keeps every byte that it gets.
pub struct Walker {
    pub gateway: Gateway,
    pub way: Way,
    pub is_stream: bool,
    pub seen: String,
}

/// What came of one message.
#[derive(Debug)]
pub struct Heard {
    pub task: String,
    pub context: String,
    /// The last state.
    pub state: String,
    /// The states in order.
    pub states: Vec<String>,
    /// The deltas of the answer in this stream.
    pub deltas: Vec<String>,
    /// The answer as the client has it in the end, by the rules of append.
    pub text: String,
    /// The parts of the last status message.
    pub asked: Vec<Value>,
}

impl Heard {
    pub fn question(&self) -> &str {
        self.asked.first().and_then(|part| part["text"].as_str()).unwrap_or("")
    }

    pub fn data(&self) -> Vec<&Value> {
        self.asked.iter().filter_map(|part| part.get("data")).collect()
    }
}

/// The waits of a test that does not want to wait for a form to be looked at.
pub fn eager() -> Limits {
    Limits { look: (Duration::from_millis(5), Duration::from_millis(20)), ..Limits::default() }
}

impl Walker {
    pub async fn before(human: &HumanDify, (way, is_stream): (Way, bool)) -> Self {
        Self::with(human, (way, is_stream), Limits::default()).await
    }

    pub async fn with(human: &HumanDify, (way, is_stream): (Way, bool), limits: Limits) -> Self {
        // Nobody waits for a Dify that says nothing.
        let env = [("DIFY_FIRST_EVENT_TIMEOUT", "300ms")];
        let gateway = Gateway::with(&human.dify.url(), &env, limits).await;
        Self { gateway, way, is_stream, seen: String::new() }
    }

    pub async fn call(&mut self, method: &str, params: &Value) -> String {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let text = self.gateway.client.post(&body).await.text();
        let text = tokio::time::timeout(PATIENCE, text).await.expect("in time").expect("a body");
        self.seen.push_str(&text);
        text
    }

    pub fn params(&self, parts: &Value, to: Option<&Heard>) -> Value {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let id = format!("message-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut message = match self.way {
            Way::V1 => json!({"messageId": id, "role": "ROLE_USER", "parts": parts}),
            Way::V03 => json!({"kind": "message", "messageId": id, "role": "user", "parts": parts}),
        };
        if let Some(to) = to {
            message["taskId"] = to.task.clone().into();
            message["contextId"] = to.context.clone().into();
        }
        json!({ "message": message })
    }

    pub fn method(&self) -> &'static str {
        match (self.way, self.is_stream) {
            (Way::V1, true) => "SendStreamingMessage",
            (Way::V1, false) => "SendMessage",
            (Way::V03, true) => "message/stream",
            (Way::V03, false) => "message/send",
        }
    }

    pub fn text_part(&self, text: &str) -> Value {
        match self.way {
            Way::V1 => json!([{"text": text}]),
            Way::V03 => json!([{"kind": "text", "text": text}]),
        }
    }

    pub fn data_part(&self, data: &Value) -> Value {
        match self.way {
            Way::V1 => json!([{"data": data}]),
            Way::V03 => json!([{"kind": "data", "data": data}]),
        }
    }

    pub async fn say(&mut self, parts: &Value, to: Option<&Heard>) -> Heard {
        let params = self.params(parts, to);
        let text = self.call(self.method(), &params).await;
        if self.is_stream { self.follow(&text) } else { Self::task(&text) }
    }

    pub async fn begin(&mut self) -> Heard {
        let parts = self.text_part("please ask");
        self.say(&parts, None).await
    }

    /// Says something that must be refused; gives the code and all that is said of it.
    pub async fn refused(&mut self, parts: &Value, to: &Heard) -> (i64, String) {
        let params = self.params(parts, Some(to));
        let text = self.call(self.method(), &params).await;
        let text = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text).to_owned();
        let answer: Value =
            serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let code = answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("not refused: {answer}"));
        (code, answer["error"].to_string())
    }

    pub async fn get(&mut self, of: &Heard) -> Heard {
        let method = if self.way == Way::V1 { "GetTask" } else { "tasks/get" };
        let text = self.call(method, &json!({"id": of.task})).await;
        Self::task(&text)
    }

    pub async fn cancel(&mut self, of: &Heard) -> Heard {
        let method = if self.way == Way::V1 { "CancelTask" } else { "tasks/cancel" };
        let text = self.call(method, &json!({"id": of.task})).await;
        Self::task(&text)
    }

    /// Follows the task to its end.
    pub async fn subscribe(&mut self, to: &Heard) -> Heard {
        let method = if self.way == Way::V1 { "SubscribeToTask" } else { "tasks/resubscribe" };
        let text = self.call(method, &json!({"id": to.task})).await;
        self.follow(&text)
    }

    /// A task as it is.
    pub fn task(text: &str) -> Heard {
        let answer: Value =
            serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let task = answer["result"].get("task").unwrap_or(&answer["result"]);
        assert!(task.is_object(), "{answer}");
        let mut heard = Heard {
            task: string(&task["id"]),
            context: string(&task["contextId"]),
            state: String::new(),
            states: Vec::new(),
            deltas: Vec::new(),
            text: String::new(),
            asked: Vec::new(),
        };
        heard.take(task);
        heard
    }

    /// A stream that is over.
    pub fn follow(&self, stream: &str) -> Heard {
        let mut events = stream.lines().filter_map(|line| line.strip_prefix("data: ")).map(|data| {
            let event: Value = serde_json::from_str(data).expect("JSON");
            assert!(event["result"].is_object(), "{event}");
            event["result"].clone()
        });
        let first = events.next().expect("the task first");
        let task = if self.way == Way::V1 { &first["task"] } else { &first };
        let mut heard = Self::task(&json!({"result": task}).to_string());
        for event in events {
            let (update, status) = match self.way {
                Way::V1 => (event.get("artifactUpdate"), event.get("statusUpdate")),
                Way::V03 if event["kind"] == "artifact-update" => (Some(&event), None),
                Way::V03 => (None, Some(&event)),
            };
            if let Some(update) = update.filter(|update| update["artifact"]["artifactId"] == "answer") {
                let piece = string(&update["artifact"]["parts"][0]["text"]);
                if update["append"] != true {
                    heard.text.clear();
                }
                heard.text.push_str(&piece);
                if update["lastChunk"] != true {
                    heard.deltas.push(piece);
                }
            }
            if let Some(status) = status {
                heard.status(&status["status"]);
            }
        }
        heard
    }
}

impl Heard {
    pub fn take(&mut self, task: &Value) {
        for artifact in task["artifacts"].as_array().into_iter().flatten() {
            if artifact["artifactId"] == "answer" {
                self.text = string(&artifact["parts"][0]["text"]);
            }
        }
        self.status(&task["status"]);
    }

    pub fn status(&mut self, status: &Value) {
        let state = string(&status["state"]);
        self.state = state.trim_start_matches("TASK_STATE_").to_lowercase().replace('_', "-");
        if self.states.last() != Some(&self.state) {
            self.states.push(self.state.clone());
        }
        self.asked = status["message"]["parts"].as_array().cloned().unwrap_or_default();
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}")).to_owned()
}

/// No secret of the script was in what the client got.
pub fn check_secrets(script: &Script, walker: &Walker) {
    let secrets = script.secrets();
    assert!(secrets.len() >= 3 && secrets.iter().all(|secret| secret.len() > 16), "{secrets:?}");
    for secret in secrets {
        assert!(!walker.seen.contains(&secret), "{secret} is in {}", walker.seen);
    }
}

/// The one answer that was handed in: its body is these inputs, this action and the user of the run, and the run's
/// events had been joined before, by the same user.
pub fn check_submission(human: &HumanDify, inputs: &Value, action: &str) {
    let received = human.dify.received();
    let is_run = |path: &str| path == "/v1/workflows/run" || path == "/v1/chat-messages";
    let run = received.iter().find(|it| is_run(&it.path)).expect("a run");
    let posted = received
        .iter()
        .position(|it| it.method == "POST" && it.path.starts_with("/v1/form/"))
        .expect("an answer");
    assert_eq!(
        received[posted].body,
        json!({"inputs": inputs, "action": action, "user": run.user()}),
        "{received:?}"
    );
    let joined = received.iter().position(|it| it.path.ends_with("/events")).expect("joined");
    assert!(joined < posted, "the events are joined first");
    let query = &received[joined].query;
    for pair in [
        format!("user={}", run.user()),
        "include_state_snapshot=true".into(),
        "continue_on_pause=true".into(),
    ] {
        assert!(query.split('&').any(|it| it == pair), "{query}: {pair}");
    }
    assert_eq!(human.submissions().len(), 1);
    assert!(human.dify.stops().is_empty());
}
