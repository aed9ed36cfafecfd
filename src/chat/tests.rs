use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use super::card::Agent;
use super::wire::{Artifact, Dialect, Event, Outgoing, OutgoingFile, Parts, State as TaskState};
use super::*;

/// An agent that answers with what it was given, one answer a call, and remembers the calls.
struct FakeAgent {
    url: String,
    calls: Arc<Mutex<Vec<Value>>>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Script {
    card: Value,
    answers: Arc<Mutex<std::vec::IntoIter<Value>>>,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl FakeAgent {
    /// `answers`: a list is a stream of results, anything else one JSON-RPC body without its envelope.
    async fn start(card: Value, answers: Vec<Value>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::default();
        let script =
            Script { card, answers: Arc::new(Mutex::new(answers.into_iter())), calls: Arc::clone(&calls) };
        let app = Router::new()
            .route(
                "/.well-known/agent-card.json",
                get(|State(script): State<Script>| async move { script.card.to_string() }),
            )
            .route("/a2a", post(answer))
            .with_state(script);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, calls, _tasks: tasks }
    }

    /// Types `input` and gives what was printed to the output and to the notes.
    async fn chat(&self, input: &str) -> (String, String) {
        let (output, notes, _) = chat_at(&self.url, input).await;
        (output, notes)
    }

    fn call(&self, number: usize) -> Value {
        self.calls.lock().unwrap()[number].clone()
    }
}

/// As [`FakeAgent::chat`], at an address of one's own; gives whether it went well, too.
async fn chat_at(url: &str, input: &str) -> (String, String, bool) {
    let (mut output, mut notes) = (Vec::new(), Vec::new());
    let terminal = Terminal {
        input: input.as_bytes(),
        output: &mut output,
        notes: &mut notes,
        interactive: false,
        output_is_screen: false,
        notes_are_screen: false,
    };
    let went_well = run(url, terminal).await.unwrap();
    (String::from_utf8(output).unwrap(), String::from_utf8(notes).unwrap(), went_well)
}

async fn answer(State(script): State<Script>, body: String) -> Response {
    script.calls.lock().unwrap().push(serde_json::from_str(&body).unwrap());
    let Some(answer) = script.answers.lock().unwrap().next() else {
        return json!({"error": {"code": -32000, "message": "no more answers"}}).to_string().into_response();
    };
    match answer {
        Value::Array(results) => {
            let frame = |result| {
                format!("id: 1\ndata: {}\n\n: ping\n\n", json!({"jsonrpc": "2.0", "result": result}))
            };
            let text: String = results.iter().map(frame).collect();
            ([("content-type", "text/event-stream")], text).into_response()
        }
        body => ([("content-type", "application/json")], body.to_string()).into_response(),
    }
}

fn card_v1() -> Value {
    json!({
        "name": "New", "description": "An agent",
        "url": "/wrong", "preferredTransport": "JSONRPC", "protocolVersion": "0.3.0",
        "supportedInterfaces": [
            {"url": "/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
            {"url": "/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        ],
        "capabilities": {"streaming": true},
    })
}

fn card_v03() -> Value {
    json!({"name": "Old", "description": "An agent", "url": "/a2a", "capabilities": {"streaming": false}})
}

fn task(state: &str) -> Value {
    json!({"task": {"id": "t1", "contextId": "c1", "status": {"state": state}}})
}

fn status(state: &str) -> Value {
    json!({"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": {"state": state}}})
}

fn text(text: &str, append: bool) -> Value {
    json!({"artifactUpdate": {"taskId": "t1", "contextId": "c1", "append": append,
        "artifact": {"artifactId": "answer", "parts": [{"text": text}]}}})
}

#[tokio::test]
async fn a_streamed_answer_is_printed_once_and_the_context_is_kept() {
    let first = json!([
        task("TASK_STATE_SUBMITTED"),
        status("TASK_STATE_WORKING"),
        text("Nice ", false),
        text("to meet you.", true),
        text("Nice to meet you.", false),
        status("TASK_STATE_COMPLETED"),
    ]);
    let second = json!([task("TASK_STATE_WORKING"), text("Alice.", false), status("TASK_STATE_COMPLETED")]);
    let agent = FakeAgent::start(card_v1(), vec![first, second]).await;
    let (output, notes) = agent.chat("I am Alice\nWho am I?\n/quit\nnever said\n").await;
    assert_eq!((output.as_str(), notes.as_str()), ("Nice to meet you.\nAlice.\n", ""));
    assert_eq!(agent.call(0)["method"], "SendStreamingMessage");
    assert_eq!(agent.call(0)["params"]["message"].get("contextId"), None);
    assert_eq!(agent.call(1)["params"]["message"]["contextId"], "c1");
    assert_eq!(agent.call(1)["params"]["message"].get("taskId"), None);
    assert_eq!(agent.calls.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_question_of_the_agent_is_answered_in_its_task() {
    let asked = json!([json!({"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": {
        "state": "TASK_STATE_INPUT_REQUIRED", "message": {"parts": [{"text": "Which one?"}]}}}})]);
    let done = json!([text("Fine.", false), status("TASK_STATE_COMPLETED")]);
    let agent = FakeAgent::start(card_v1(), vec![asked, done]).await;
    let (output, _) = agent.chat("go\nthe first\n").await;
    assert_eq!(output, "Which one?\nFine.\n");
    assert_eq!(agent.call(1)["params"]["message"]["taskId"], "t1");
}

#[tokio::test]
async fn what_was_said_before_a_question_is_not_said_again_after_its_answer() {
    let ask = json!({"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": {
        "state": "TASK_STATE_INPUT_REQUIRED", "message": {"parts": [{"text": "Well?"}]}}}});
    let so_far = json!({"task": {"id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_WORKING"},
        "artifacts": [{"artifactId": "answer", "parts": [{"text": "Passed on. "}]}]}});
    let refused = json!({"error": {"code": -32602, "message": "that is no answer"}});
    let replies = vec![
        json!([text("Passed on. ", false), ask]),
        refused,
        json!([so_far, text("Approved.", true), status("TASK_STATE_COMPLETED")]),
    ];
    let agent = FakeAgent::start(card_v1(), replies).await;
    let (output, _) = agent.chat("buy\nhm\nyes\n").await;
    assert_eq!(output, "Passed on. \nWell?\nApproved.\n");
    assert_eq!(agent.call(2)["params"]["message"]["taskId"], "t1");
}

#[tokio::test]
async fn a_broken_stream_is_followed_and_an_ended_task_is_read() {
    let broken = json!([task("TASK_STATE_WORKING"), text("one ", false)]);
    let ended = json!({"error": {"code": -32004, "message": "it has ended"}});
    let read = json!({"result": {"id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"},
        "artifacts": [{"artifactId": "answer", "parts": [{"text": "one two"}]}]}});
    let agent = FakeAgent::start(card_v1(), vec![broken, ended, read]).await;
    assert_eq!(agent.chat("count\n").await.0, "one two\n");
    assert_eq!(
        (agent.call(1)["method"].as_str(), agent.call(2)["method"].as_str()),
        (Some("SubscribeToTask"), Some("GetTask"))
    );
}

#[tokio::test]
async fn an_old_agent_that_does_not_stream_is_understood() {
    let done = json!({"result": {"kind": "task", "id": "t1", "contextId": "c1", "status": {"state": "completed"},
        "artifacts": [{"artifactId": "a", "parts": [{"kind": "text", "text": "hi"}]}]}});
    let agent = FakeAgent::start(card_v03(), vec![done]).await;
    assert_eq!(agent.chat("hello\n").await.0, "hi\n");
    assert_eq!(agent.call(0)["method"], "message/send");
    assert_eq!(agent.call(0)["params"]["message"]["parts"][0]["kind"], "text");
}

#[tokio::test]
async fn trouble_in_a_turn_is_told_and_the_chat_goes_on() {
    let refused = json!({"error": {"code": -32602, "message": "no parts"}});
    let failed = json!([json!({"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": {
        "state": "TASK_STATE_FAILED", "message": {"parts": [{"text": "no model"}]}}}})]);
    let agent = FakeAgent::start(card_v1(), vec![refused, failed]).await;
    let (output, notes) = agent.chat("a\nb\n/file /no/such/file\n/what\n").await;
    assert_eq!(output, "");
    let lines: Vec<&str> = notes.lines().collect();
    assert_eq!(lines[0], "[the agent refused: no parts (code -32602)]");
    assert_eq!(lines[1], "[failed: no model]");
    assert!(lines[2].starts_with("[cannot read \"/no/such/file\""), "{notes}");
    assert!(lines[3].starts_with("[/what is not a command"), "{notes}");
}

#[tokio::test]
async fn the_last_turn_decides_whether_the_chat_went_well() {
    let done = || json!([status("TASK_STATE_COMPLETED")]);
    let failed = || json!([status("TASK_STATE_FAILED")]);
    let rejected = json!([status("TASK_STATE_REJECTED")]);
    let refused = json!({"error": {"code": -32602, "message": "no parts"}});
    for (answers, went_well) in [
        (vec![], true),
        (vec![failed(), done()], true),
        (vec![done(), failed()], false),
        (vec![rejected], false),
        (vec![refused], false),
        (vec![json!([status("TASK_STATE_CANCELED")])], true),
        (vec![json!([status("TASK_STATE_INPUT_REQUIRED")])], true),
    ] {
        let said = "a\n".repeat(answers.len());
        let shown = format!("{answers:?}");
        let agent = FakeAgent::start(card_v1(), answers).await;
        assert_eq!(chat_at(&agent.url, &format!("{said}/new\n")).await.2, went_well, "{shown}");
    }
}

#[tokio::test]
async fn the_address_of_the_interface_leads_to_the_card() {
    for path in ["/", "/a2a", "/a2a/", "/x/y/a2a", "/.well-known/agent-card.json"] {
        let agent =
            FakeAgent::start(card_v1(), vec![json!([text("hi", false), status("TASK_STATE_COMPLETED")])])
                .await;
        assert_eq!(chat_at(&format!("{}{path}", agent.url), "a\n").await.0, "hi\n", "{path}");
    }
}

#[tokio::test]
async fn a_file_goes_with_the_next_message_only() {
    let done = || json!([text("ok", false), status("TASK_STATE_COMPLETED")]);
    let agent = FakeAgent::start(card_v1(), vec![done(), done()]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("note.txt");
    std::fs::write(&path, "hello").unwrap();
    agent.chat(&format!("/file {}\nread this\nagain\n", path.display())).await;
    let part = &agent.call(0)["params"]["message"]["parts"][1];
    assert_eq!(part, &json!({"raw": "aGVsbG8=", "mediaType": "text/plain", "filename": "note.txt"}));
    assert_eq!(agent.call(1)["params"]["message"]["parts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_an_error() {
    let (mut output, mut notes) = (Vec::new(), Vec::new());
    let terminal = Terminal {
        input: [].as_slice(),
        output: &mut output,
        notes: &mut notes,
        interactive: false,
        output_is_screen: false,
        notes_are_screen: false,
    };
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let error = run(&format!("http://{closed}"), terminal).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot talk to http://127.0.0.1:"), "{error}");
}

#[test]
fn the_card_decides_the_version_and_the_address() {
    let base = Url::parse("http://h/x/.well-known/agent-card.json").unwrap();
    let agent = Agent::from_card(&card_v1(), &base).unwrap();
    assert_eq!((agent.endpoint.as_str(), agent.dialect), ("http://h/a2a", Dialect::V1));
    let agent = Agent::from_card(&card_v03(), &base).unwrap();
    assert_eq!((agent.endpoint.as_str(), agent.dialect), ("http://h/a2a", Dialect::V03));
    let more = json!({"url": "http://h/rest", "preferredTransport": "HTTP+JSON", "protocolVersion": "0.3.0",
        "additionalInterfaces": [{"transport": "JSONRPC", "url": "http://h/rpc"}]});
    assert_eq!(Agent::from_card(&more, &base).unwrap().endpoint.as_str(), "http://h/rpc");
    let grpc =
        json!({"supportedInterfaces": [{"url": "h:1", "protocolBinding": "GRPC", "protocolVersion": "1.0"}]});
    assert_eq!(Agent::from_card(&grpc, &base), Err("GRPC 1.0".to_owned()));
    let tenant = json!({"supportedInterfaces": [
        {"url": "http://h", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "me"}]});
    assert_eq!(
        Agent::from_card(&tenant, &base).unwrap().task_params("t"),
        json!({"id": "t", "tenant": "me"})
    );
}

#[test]
fn messages_have_the_form_of_their_version() {
    let file = OutgoingFile { name: "a.png".to_owned(), media_type: "image/png", bytes: vec![1, 2] };
    let message = Outgoing {
        id: "m".to_owned(),
        context_id: Some("c".to_owned()),
        task_id: None,
        text: "see".to_owned(),
        files: vec![file],
    };
    let base = Url::parse("http://h/").unwrap();
    let old = Agent::from_card(&card_v03(), &base).unwrap().send_params(&message);
    assert_eq!(
        old["message"],
        json!({"kind": "message", "role": "user", "messageId": "m", "contextId": "c", "parts": [
            {"kind": "text", "text": "see"},
            {"kind": "file", "file": {"name": "a.png", "mimeType": "image/png", "bytes": "AQI="}},
        ]})
    );
    let new = Agent::from_card(&card_v1(), &base).unwrap().send_params(&message);
    assert_eq!(
        new["message"],
        json!({"role": "ROLE_USER", "messageId": "m", "contextId": "c", "parts": [
            {"text": "see"}, {"raw": "AQI=", "mediaType": "image/png", "filename": "a.png"},
        ]})
    );
}

#[test]
fn events_of_both_versions_are_the_same_to_the_chat() {
    let said = |text: &str| Parts { text: text.to_owned(), others: Vec::new() };
    let piece =
        |append| Event::Artifact { artifact: Artifact { id: "answer".to_owned(), parts: said("x") }, append };
    let decode = |dialect: Dialect, value: Value| dialect.decode(&value).unwrap().event;
    assert_eq!(decode(Dialect::V1, text("x", true)), piece(true));
    let old = json!({"kind": "artifact-update", "taskId": "t1", "contextId": "c1", "append": true,
        "artifact": {"artifactId": "answer", "parts": [{"kind": "text", "text": "x"}]}});
    assert_eq!(decode(Dialect::V03, old), piece(true));

    let old = |state: &str| json!({"kind": "status-update", "taskId": "t1", "status": {"state": state}});
    for (new_name, old_name, state) in [
        ("TASK_STATE_WORKING", "working", TaskState::Working),
        ("TASK_STATE_SUBMITTED", "submitted", TaskState::Working),
        ("TASK_STATE_INPUT_REQUIRED", "input-required", TaskState::InputRequired),
        ("TASK_STATE_CANCELED", "canceled", TaskState::Canceled),
        ("TASK_STATE_COMPLETED", "completed", TaskState::Completed),
        ("TASK_STATE_FAILED", "failed", TaskState::Failed),
        ("TASK_STATE_REJECTED", "rejected", TaskState::Rejected),
    ] {
        let expected = Event::Status(state, Parts::default());
        assert_eq!(decode(Dialect::V1, status(new_name)), expected);
        assert_eq!(decode(Dialect::V03, old(old_name)), expected);
    }

    let tagged = Dialect::V1.decode(&task("TASK_STATE_WORKING")).unwrap();
    assert_eq!((tagged.task_id.as_deref(), tagged.context_id.as_deref()), (Some("t1"), Some("c1")));
    let message = json!({"kind": "message", "parts": [
        {"kind": "text", "text": "hi"},
        {"kind": "file", "file": {"uri": "http://f", "name": "f", "mimeType": "image/png"}},
        {"kind": "data", "data": {"a": 1}},
    ]});
    let others = vec!["[file] f (image/png): http://f".to_owned(), "[data] {\"a\":1}".to_owned()];
    assert_eq!(decode(Dialect::V03, message), Event::Message(Parts { text: "hi".to_owned(), others }));
    assert!(Dialect::V1.decode(&json!({"other": {}})).is_err());
    assert!(Dialect::V03.decode(&json!(null)).is_err());
}
