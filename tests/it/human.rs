//! People's forms: a run that waits, as clients of 1.0 and 0.3 see it, before a Dify that follows recorded traffic.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dify_a2a::bridge::backend::Limits;
use serde_json::{Value, json};

use super::support::Gateway;
use super::support::client::PATIENCE;
use super::support::human_dify::{HumanDify, Script, Trouble};

/// How a client speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    V1,
    V03,
}

/// Both dialects, each with streams and without.
const WAYS: [(Way, bool); 4] = [(Way::V1, true), (Way::V1, false), (Way::V03, true), (Way::V03, false)];

/// A client that keeps every byte that it gets.
struct Walker {
    gateway: Gateway,
    way: Way,
    is_stream: bool,
    seen: String,
}

/// What came of one message.
#[derive(Debug)]
struct Heard {
    task: String,
    context: String,
    /// The last state.
    state: String,
    /// The states in order.
    states: Vec<String>,
    /// The deltas of the answer in this stream.
    deltas: Vec<String>,
    /// The answer as the client has it in the end, by the rules of append.
    text: String,
    /// The parts of the last status message.
    asked: Vec<Value>,
}

impl Heard {
    fn question(&self) -> &str {
        self.asked.first().and_then(|part| part["text"].as_str()).unwrap_or("")
    }

    fn data(&self) -> Vec<&Value> {
        self.asked.iter().filter_map(|part| part.get("data")).collect()
    }
}

/// The waits of a test that does not want to wait for a form to be looked at.
fn eager() -> Limits {
    Limits { look: (Duration::from_millis(5), Duration::from_millis(20)), ..Limits::default() }
}

impl Walker {
    async fn before(human: &HumanDify, (way, is_stream): (Way, bool)) -> Self {
        Self::with(human, (way, is_stream), Limits::default()).await
    }

    async fn with(human: &HumanDify, (way, is_stream): (Way, bool), limits: Limits) -> Self {
        // Nobody waits for a Dify that says nothing.
        let env = [("DIFY_FIRST_EVENT_TIMEOUT", "300ms")];
        let gateway = Gateway::with(&human.dify.url(), &env, limits).await;
        Self { gateway, way, is_stream, seen: String::new() }
    }

    async fn call(&mut self, method: &str, params: &Value) -> String {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let text = self.gateway.client.post(&body).await.text();
        let text = tokio::time::timeout(PATIENCE, text).await.expect("in time").expect("a body");
        self.seen.push_str(&text);
        text
    }

    fn params(&self, parts: &Value, to: Option<&Heard>) -> Value {
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

    fn method(&self) -> &'static str {
        match (self.way, self.is_stream) {
            (Way::V1, true) => "SendStreamingMessage",
            (Way::V1, false) => "SendMessage",
            (Way::V03, true) => "message/stream",
            (Way::V03, false) => "message/send",
        }
    }

    fn text_part(&self, text: &str) -> Value {
        match self.way {
            Way::V1 => json!([{"text": text}]),
            Way::V03 => json!([{"kind": "text", "text": text}]),
        }
    }

    fn data_part(&self, data: &Value) -> Value {
        match self.way {
            Way::V1 => json!([{"data": data}]),
            Way::V03 => json!([{"kind": "data", "data": data}]),
        }
    }

    async fn say(&mut self, parts: &Value, to: Option<&Heard>) -> Heard {
        let params = self.params(parts, to);
        let text = self.call(self.method(), &params).await;
        if self.is_stream { self.follow(&text) } else { Self::task(&text) }
    }

    async fn begin(&mut self) -> Heard {
        let parts = self.text_part("please ask");
        self.say(&parts, None).await
    }

    /// Says something that must be refused; gives the code and all that is said of it.
    async fn refused(&mut self, parts: &Value, to: &Heard) -> (i64, String) {
        let params = self.params(parts, Some(to));
        let text = self.call(self.method(), &params).await;
        let text = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text).to_owned();
        let answer: Value =
            serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let code = answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("not refused: {answer}"));
        (code, answer["error"].to_string())
    }

    async fn get(&mut self, of: &Heard) -> Heard {
        let method = if self.way == Way::V1 { "GetTask" } else { "tasks/get" };
        let text = self.call(method, &json!({"id": of.task})).await;
        Self::task(&text)
    }

    async fn cancel(&mut self, of: &Heard) -> Heard {
        let method = if self.way == Way::V1 { "CancelTask" } else { "tasks/cancel" };
        let text = self.call(method, &json!({"id": of.task})).await;
        Self::task(&text)
    }

    /// Follows the task to its end.
    async fn subscribe(&mut self, to: &Heard) -> Heard {
        let method = if self.way == Way::V1 { "SubscribeToTask" } else { "tasks/resubscribe" };
        let text = self.call(method, &json!({"id": to.task})).await;
        self.follow(&text)
    }

    /// A task as it is.
    fn task(text: &str) -> Heard {
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
    fn follow(&self, stream: &str) -> Heard {
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
    fn take(&mut self, task: &Value) {
        for artifact in task["artifacts"].as_array().into_iter().flatten() {
            if artifact["artifactId"] == "answer" {
                self.text = string(&artifact["parts"][0]["text"]);
            }
        }
        self.status(&task["status"]);
    }

    fn status(&mut self, status: &Value) {
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
fn check_secrets(script: &Script, walker: &Walker) {
    let secrets = script.secrets();
    assert!(secrets.len() >= 3 && secrets.iter().all(|secret| secret.len() > 16), "{secrets:?}");
    for secret in secrets {
        assert!(!walker.seen.contains(&secret), "{secret} is in {}", walker.seen);
    }
}

/// The one answer that was handed in: its body is these inputs, this action and the user of the run, and the run's
/// events had been joined before, by the same user.
fn check_submission(human: &HumanDify, inputs: &Value, action: &str) {
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

#[tokio::test]
async fn a_workflow_is_approved_and_rejected() {
    for way in WAYS {
        for (action, comment, text, states) in [
            ("approve", "yes", "yes\napprove", ["yes", "\n", "approve"].as_slice()),
            ("reject", "no", "no", &["no"]),
        ] {
            let script = Script::workflow();
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            assert_eq!(asked.state, "input-required", "{way:?}");
            assert!(asked.question().starts_with("Please approve: third\n\nComment: [comment: looks fine]"));
            assert_eq!(asked.data().len(), 1);
            let waiting = walker.get(&asked).await;
            assert_eq!((&waiting.state, &waiting.asked), (&asked.state, &asked.asked), "{way:?}");
            let answer = walker.data_part(&json!({"action": action, "inputs": {"comment": comment}}));
            let done = walker.say(&answer, Some(&asked)).await;
            assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", text), "{way:?}");
            assert_eq!(done.task, asked.task, "the same task");
            if way.1 {
                assert_eq!(done.deltas, states, "{way:?}");
                assert_eq!(done.states, ["working", "completed"], "{way:?}");
            }
            let outputs = match action {
                "approve" => r#"{"comment":"yes","action":"approve"}"#,
                _ => r#"{"rejected":"no"}"#,
            };
            assert!(walker.seen.contains(&format!("\"data\":{outputs}")), "{way:?}: {}", walker.seen);
            check_submission(&human, &json!({"comment": comment}), action);
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_chatflow_is_approved_and_rejected_and_only_new_text_is_streamed() {
    for way in WAYS {
        for (action, said) in [("approve", "Approved with: "), ("reject", "Rejected with: ")] {
            let script = Script::chatflow();
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            assert_eq!(
                (asked.state.as_str(), asked.text.as_str()),
                ("input-required", "Before the question. ")
            );
            if way.1 {
                assert_eq!(asked.deltas, ["Before the question. "]);
            }
            let answer = walker.text_part(&format!("{action}: enjoy"));
            let done = walker.say(&answer, Some(&asked)).await;
            assert_eq!(done.state, "completed", "{way:?}");
            assert_eq!(done.text, format!("Before the question. {said}enjoy"), "{way:?}");
            if way.1 {
                assert_eq!(done.deltas, [said, "enjoy"], "{way:?}");
            }
            assert_eq!(walker.get(&asked).await.text, done.text, "{way:?}");
            check_submission(&human, &json!({"comment": "enjoy"}), action);
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn an_answer_may_be_a_text_or_data() {
    enum Said {
        Data(Value),
        Text(&'static str),
    }
    for way in [(Way::V1, false), (Way::V03, true)] {
        for (said, action, comment) in [
            (Said::Text("Approve"), "approve", "looks fine"),
            (Said::Text(" reject. "), "reject", "looks fine"),
            (Said::Text("Reject: too dear"), "reject", "too dear"),
            (Said::Text("approve:a: b"), "approve", "a: b"),
            (Said::Data(json!({"action": "approve"})), "approve", "looks fine"),
            (Said::Data(json!({"action": "reject", "inputs": {}})), "reject", "looks fine"),
            (
                Said::Data(json!({"action": "Approve", "inputs": {"comment": "ü\n"}, "form": 1})),
                "approve",
                "ü\n",
            ),
        ] {
            let human = HumanDify::of(Script::workflow()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            let parts = match said {
                Said::Data(data) => walker.data_part(&data),
                Said::Text(text) => walker.text_part(text),
            };
            assert_eq!(walker.say(&parts, Some(&asked)).await.state, "completed", "{parts}");
            check_submission(&human, &json!({"comment": comment}), action);
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_refused_and_the_task_stays_open() {
    let no_default = r#""default":null"#;
    let default = r#""default":{"type":"constant","selector":[],"value":"looks fine"}"#;
    for way in WAYS {
        let script = Script::workflow().with(&[(default, no_default)]);
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        assert_eq!(asked.data()[0].get("defaults"), None);
        for (data, field) in [
            (json!({"action": "explode", "inputs": {"comment": "x"}}), "message.parts[0].data.action"),
            (json!({"inputs": {"comment": "x"}}), "message.parts[0].data.action"),
            (json!({"action": "approve"}), "message.parts[0].data.inputs.comment"),
            (json!({"action": "approve", "inputs": {"comment": 7}}), "message.parts[0].data.inputs.comment"),
            (json!({"action": "approve", "inputs": []}), "message.parts[0].data.inputs"),
            (
                json!({"action": "approve", "inputs": {"comment": "x"}, "form": 2}),
                "message.parts[0].data.form",
            ),
        ] {
            let (code, why) = walker.refused(&walker.data_part(&data), &asked).await;
            assert_eq!(code, -32602, "{way:?} {data}: {why}");
            assert!(why.contains(field), "{way:?} {data}: {why}");
        }
        for text in ["hm", "Approve", "approve reject: x", "  "] {
            let (code, why) = walker.refused(&walker.text_part(text), &asked).await;
            assert_eq!(code, -32602, "{way:?} {text}: {why}");
            assert!(why.contains("message.parts"), "{way:?} {text}: {why}");
        }
        let waiting = walker.get(&asked).await;
        assert_eq!((waiting.state.as_str(), &waiting.asked), ("input-required", &asked.asked));
        assert!(human.submissions().is_empty() && human.all("GET", "/v1/workflow/").is_empty());
        let done = walker.say(&walker.text_part("approve: yes"), Some(&asked)).await;
        assert_eq!(done.state, "completed");
        check_submission(&human, &json!({"comment": "yes"}), "approve");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn of_several_forms_each_is_asked_for_until_it_is_answered() {
    for way in WAYS {
        let script = Script::with_two_forms();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        let titles: Vec<&Value> = asked.data().into_iter().map(|data| &data["title"]).collect();
        assert_eq!(titles, ["Approve it", "Check it twice"], "{way:?}");
        assert!(asked.question().contains("Form 1: ") && asked.question().contains("Form 2: "));
        let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
        assert!(code == -32602 && why.contains("several forms"), "{why}");
        let (code, why) = walker.refused(&walker.data_part(&json!({"action": "approve"})), &asked).await;
        assert!(code == -32602 && why.contains("data.form"), "{why}");

        let answer = walker.data_part(&json!({"action": "approve", "form": 1}));
        let again = walker.say(&answer, Some(&asked)).await;
        assert_eq!(again.state, "input-required", "{way:?}");
        let left: Vec<&Value> = again.data().into_iter().map(|data| &data["form"]).collect();
        assert_eq!(left, [2], "{way:?}: {again:?}");
        assert!(again.question().starts_with("Please approve"), "{}", again.question());

        let done = walker.say(&walker.text_part("Approve: yes"), Some(&again)).await;
        assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", "yes\napprove"), "{way:?}");
        let tokens: Vec<String> =
            human.submissions().iter().map(|it| it.path.replace("/v1/form/human_input/", "")).collect();
        assert_eq!(tokens, script.tokens, "{way:?}");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn an_answer_that_dify_does_not_take_is_asked_for_again() {
    for way in WAYS {
        let script = Script::chatflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        human.refuse_next();
        let again = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
        assert_eq!(again.state, "input-required", "{way:?}");
        assert!(
            again.question().starts_with("Dify did not take the answer: Missing required inputs: comment."),
            "{}",
            again.question()
        );
        assert_eq!(again.data(), asked.data(), "{way:?}");
        assert_eq!(again.text, "Before the question. ");
        let done = walker.say(&walker.text_part("approve: enjoy"), Some(&again)).await;
        assert_eq!(done.text, "Before the question. Approved with: enjoy", "{way:?}");
        assert_eq!(human.submissions().len(), 2);
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_form_that_is_answered_elsewhere_lets_the_task_go_on_by_itself() {
    for way in [(Way::V1, true), (Way::V03, true)] {
        for (script, text) in [
            (Script::workflow(), "yes\napprove"),
            (Script::chatflow(), "Before the question. Approved with: enjoy"),
        ] {
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::with(&human, way, eager()).await;
            let asked = walker.begin().await;
            human.answer_elsewhere("approve");
            let done = walker.subscribe(&asked).await;
            assert_eq!(done.state, "completed", "{way:?}");
            if script.mode == "workflow" {
                // Nobody read the run when it spoke, and what it said is not told again; its outputs are.
                assert!(walker.seen.contains(r#""data":{"comment":"yes","action":"approve"}"#));
            } else {
                assert_eq!(done.text, text, "{way:?}");
            }
            assert!(human.submissions().is_empty() && human.dify.stops().is_empty());
            assert!(!human.all("GET", "/v1/form/human_input/").is_empty(), "it was looked at");
            let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
            assert_eq!(code, -32004, "{why}");
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn the_rest_of_several_forms_is_asked_for_when_one_is_answered_elsewhere() {
    let script = Script::with_two_forms();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::with(&human, (Way::V1, false), eager()).await;
    let asked = walker.begin().await;
    human.answer_elsewhere("approve");
    let waiting = async {
        loop {
            let now = walker.get(&asked).await;
            if now.state == "input-required" && now.data().len() == 1 {
                return now;
            }
        }
    };
    let again = tokio::time::timeout(PATIENCE, waiting).await.expect("asked again");
    assert_eq!(again.data()[0]["form"], 2);
    let done = walker.say(&walker.text_part("Approve: yes"), Some(&again)).await;
    assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", "yes\napprove"));
    assert_eq!(human.submissions().len(), 1);
    check_secrets(&script, &walker);
}

#[tokio::test]
async fn an_answer_that_comes_a_moment_late_loses_and_the_task_goes_on() {
    for way in WAYS {
        for (script, text) in [
            (Script::workflow(), "yes\napprove"),
            (Script::chatflow(), "Before the question. Approved with: enjoy"),
        ] {
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            human.steal_next();
            let done = walker.say(&walker.text_part("Reject"), Some(&asked)).await;
            assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", text), "{way:?}");
            assert_eq!(human.submissions().len(), 1);
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn an_answer_after_the_run_has_ended_is_not_handed_in() {
    for way in WAYS {
        let script = Script::chatflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        human.answer_elsewhere("approve");
        let done = walker.say(&walker.text_part("Reject"), Some(&asked)).await;
        // The text is what Dify has stored, and only its rest is new.
        assert_eq!(
            (done.state.as_str(), done.text.as_str()),
            ("completed", "Before the question. Approved with: enjoy"),
            "{way:?}"
        );
        if way.1 {
            assert_eq!(done.deltas, ["Approved with: enjoy"]);
        }
        assert!(human.submissions().is_empty());
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_form_whose_time_is_over_lets_the_run_take_its_way() {
    for (script, text) in [(Script::workflow(), ""), (Script::chatflow(), "Before the question. ")] {
        // Looked at, and by an answer that comes too late.
        for is_late in [false, true] {
            let human = HumanDify::of(script.clone()).await;
            let limits = if is_late { Limits::default() } else { eager() };
            let mut walker = Walker::with(&human, (Way::V1, true), limits).await;
            let asked = walker.begin().await;
            human.expire();
            let done = match is_late {
                true => walker.say(&walker.text_part("Approve"), Some(&asked)).await,
                false => walker.subscribe(&asked).await,
            };
            assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", text));
            assert!(human.submissions().is_empty());
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_form_that_expires_while_its_answer_is_handed_in_is_no_trouble() {
    for way in WAYS {
        let script = Script::workflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        human.expire_next();
        let done = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
        assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", ""), "{way:?}");
        assert!(walker.seen.contains(r#""data":{}"#), "its outputs are empty");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_form_without_a_token_waits_for_somebody_else() {
    for way in [(Way::V1, true), (Way::V03, true)] {
        let recorded = Script::chatflow();
        let token = format!("\"form_token\":\"{}\"", recorded.tokens[0]);
        let script = recorded.with(&[(&token, "\"form_token\":null")]);
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::with(&human, way, eager()).await;
        let asked = walker.begin().await;
        assert_eq!((asked.state.as_str(), asked.data().len()), ("input-required", 0), "{way:?}");
        assert!(asked.question().contains("outside of this channel"), "{}", asked.question());
        let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
        assert_eq!(code, -32004, "{way:?}: {why}");
        assert!(why.contains("outside of this channel") && why.contains("goes on by itself"), "{why}");
        assert_eq!(walker.get(&asked).await.state, "input-required");
        human.answer_elsewhere("approve");
        let done = walker.subscribe(&asked).await;
        assert_eq!(
            (done.state.as_str(), done.text.as_str()),
            ("completed", "Before the question. Approved with: enjoy"),
            "{way:?}"
        );
        assert!(human.submissions().is_empty());
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_cancel_while_it_waits_is_no_business_of_dify() {
    for way in [(Way::V1, true), (Way::V03, true)] {
        for script in [Script::workflow(), Script::chatflow()] {
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            let before = human.dify.received().len();
            let canceled = walker.cancel(&asked).await;
            assert_eq!(canceled.state, "canceled", "{way:?}");
            let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
            assert_eq!(code, -32004, "{way:?}: {why}");
            assert_eq!(walker.get(&asked).await.state, "canceled");
            assert_eq!(human.dify.received().len(), before, "{way:?}: nothing was asked of Dify");
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_cancel_after_the_answer_stops_the_run_where_it_belongs() {
    for way in [Way::V1, Way::V03] {
        for (mut script, stop, held) in [
            (Script::workflow(), "/v1/workflows/tasks/3cef3dd0-183e-4557-8c79-22aa554876ae/stop", 4),
            (Script::chatflow(), "/v1/chat-messages/015aef23-ed98-46ef-9788-519b4e51b07d/stop", 4),
        ] {
            script.holds_after = Some(held);
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, (way, false)).await;
            let asked = walker.begin().await;
            // The answer, without waiting for what comes of it.
            let mut params = walker.params(&walker.text_part("Approve"), Some(&asked));
            params["configuration"] = match way {
                Way::V1 => json!({"returnImmediately": true}),
                Way::V03 => json!({"blocking": false}),
            };
            walker.call(walker.method(), &params).await;
            let speaking = async {
                loop {
                    let now = walker.get(&asked).await;
                    if now.text.len() > asked.text.len() {
                        return now;
                    }
                }
            };
            let speaking = tokio::time::timeout(PATIENCE, speaking).await.expect("it goes on");
            assert_eq!(speaking.state, "working");
            let canceled = walker.cancel(&asked).await;
            assert_eq!((canceled.state.as_str(), &canceled.text), ("canceled", &speaking.text), "{way:?}");
            assert!(walker.seen.contains("\"stopConfirmed\":true"), "{way:?}");
            let stops = human.dify.stops();
            assert_eq!((stops.len(), stops[0].path.as_str()), (1, stop), "{way:?}");
            assert_eq!(stops[0].body, json!({"user": human.submissions()[0].user()}));
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_second_message_while_it_waits_is_a_task_of_its_own() {
    for way in WAYS {
        let script = Script::chatflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let first = walker.begin().await;
        let mut params = walker.params(&walker.text_part("are you there"), None);
        params["message"]["contextId"] = first.context.clone().into();
        let text = walker.call(walker.method(), &params).await;
        let second = if way.1 { walker.follow(&text) } else { Walker::task(&text) };
        assert_ne!(second.task, first.task);
        assert_eq!((second.state.as_str(), &second.context), ("input-required", &first.context), "{way:?}");
        let chats = human.dify.chats();
        let conversation = &script.secrets()[4];
        assert_eq!(
            chats[1].body["conversation_id"].as_str(),
            Some(conversation.as_str()),
            "one conversation"
        );
        // The first one waits as before, and can be answered.
        assert_eq!(walker.get(&first).await.state, "input-required");
        let done = walker.say(&walker.text_part("approve: enjoy"), Some(&first)).await;
        assert_eq!(done.text, "Before the question. Approved with: enjoy", "{way:?}");
        assert!(human.submissions()[0].path.ends_with(&script.tokens[0]));
        assert_eq!(walker.get(&second).await.state, "input-required", "{way:?}");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn who_subscribes_sees_the_whole_walk_in_order() {
    for way in [Way::V1, Way::V03] {
        let script = Script::chatflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, (way, true)).await;
        let asked = walker.begin().await;
        let method = if way == Way::V1 { "SubscribeToTask" } else { "tasks/resubscribe" };
        let mut stream = walker.gateway.client.stream(method, &json!({"id": asked.task})).await;
        let first = stream.next().await.expect("the task as it is");
        human.refuse_next();
        let again = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
        walker.say(&walker.text_part("approve: enjoy"), Some(&again)).await;
        let mut events = vec![first];
        events.extend(stream.all().await);
        let text: String = events.iter().map(|event| format!("data: {}\n", event.data)).collect();
        walker.seen.push_str(&text);
        let heard = walker.follow(&text);
        assert_eq!(
            heard.states,
            ["input-required", "working", "input-required", "working", "completed"],
            "{way:?}"
        );
        assert_eq!(heard.deltas, ["Approved with: ", "enjoy"], "{way:?}");
        assert_eq!(heard.text, "Before the question. Approved with: enjoy", "{way:?}");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_handed_in_is_asked_for_again() {
    for trouble in [Trouble::BadGateway, Trouble::Silent, Trouble::Ends] {
        for way in [(Way::V1, true), (Way::V03, false)] {
            let script = Script::chatflow();
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            human.trouble_next(trouble);
            let again = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
            assert_eq!(again.state, "input-required", "{trouble:?}");
            let why = again.question().lines().next().unwrap_or_default().to_owned();
            assert!(
                why.contains("could not be handed in") && why.contains("send it again"),
                "{trouble:?}: {why}"
            );
            assert!(human.submissions().is_empty(), "{trouble:?}");
            let done = walker.say(&walker.text_part("approve: enjoy"), Some(&again)).await;
            assert_eq!(done.text, "Before the question. Approved with: enjoy", "{trouble:?}");
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_run_that_dify_no_longer_has_fails() {
    let script = Script::workflow();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::before(&human, (Way::V1, true)).await;
    let asked = walker.begin().await;
    human.trouble_next(Trouble::Gone);
    let done = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
    assert_eq!(done.state, "failed");
    assert!(human.submissions().is_empty() && human.dify.stops().is_empty());
    check_secrets(&script, &walker);
}

#[tokio::test]
async fn a_run_that_goes_on_slowly_after_another_answered_is_heard_as_it_speaks() {
    let mut script = Script::chatflow();
    script.holds_after = Some(0);
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::with(&human, (Way::V1, true), eager()).await;
    let asked = walker.begin().await;
    human.answer_elsewhere("reject");
    let joined = async {
        while human.all("GET", "/v1/workflow/").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, joined).await.expect("joined");
    let mut stream = walker.gateway.client.stream("SubscribeToTask", &json!({"id": asked.task})).await;
    let mut events = vec![stream.next().await.expect("the task")];
    human.release();
    events.extend(stream.all().await);
    let text: String = events.iter().map(|event| format!("data: {}\n", event.data)).collect();
    walker.seen.push_str(&text);
    let heard = walker.follow(&text);
    assert_eq!(heard.state, "completed");
    assert_eq!(heard.text, "Before the question. Rejected with: enjoy");
    assert_eq!(heard.deltas, ["Rejected with: ", "enjoy"]);
    assert!(human.submissions().is_empty());
    check_secrets(&script, &walker);
}

#[tokio::test]
async fn a_shutdown_while_it_waits_ends_the_task_and_leaves_the_run_alone() {
    let script = Script::workflow();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::before(&human, (Way::V1, true)).await;
    let asked = walker.begin().await;
    let stream = walker.gateway.client.stream("SubscribeToTask", &json!({"id": asked.task})).await;
    let before = human.dify.received().len();
    walker.gateway.begin_shutdown();
    let events = stream.all().await;
    let text: String = events.iter().map(|event| format!("data: {}\n", event.data)).collect();
    let heard = walker.follow(&text);
    assert_eq!(heard.state, "failed");
    assert!(text.contains("\"retryable\":true"), "{text}");
    assert_eq!(human.dify.received().len(), before, "nothing was asked of Dify");
}

#[tokio::test]
async fn of_two_answers_at_once_one_counts() {
    let script = Script::chatflow();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::before(&human, (Way::V1, false)).await;
    let asked = walker.begin().await;
    let answers = ["Approve", "Reject"].map(|text| {
        let params = walker.params(&walker.text_part(text), Some(&asked));
        let client = walker.gateway.client.clone();
        async move { client.rpc("SendMessage", &params).await }
    });
    let answers = futures_util::future::join_all(answers).await;
    let codes: Vec<Option<i64>> = answers.iter().map(|answer| answer["error"]["code"].as_i64()).collect();
    assert!(codes == [None, Some(-32004)] || codes == [Some(-32004), None], "{answers:?}");
    assert_eq!(human.submissions().len(), 1);
    assert_eq!(walker.get(&asked).await.state, "completed");
    check_secrets(&script, &walker);
}
