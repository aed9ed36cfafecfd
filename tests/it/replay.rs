//! Every recorded stream of every kind of app, replayed through the whole gateway, in all three dialects, over JSON-RPC,
//! HTTP+JSON and gRPC in both versions, streamed and blocking.
//!
//! The snapshots show the order of events and how each ends; the text is compared byte for byte with a plain
//! reading of the recording, and between the dialects; so are outputs and what a run that waits asks.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::support::client::{send, send_03, send_old};
use super::support::heard::{Heard, hear, hear_http};
use super::support::plain::{plain_reading, referred};
use super::support::rest::send_03_http;
use super::support::wires::{Method, Wire, plain};
use super::support::{FakeDify, Gateway, Received, Recorded, Reply, Rest, Step, recorded};

const GRPC: &str = "gRPC";
const GRPC_03: &str = "gRPC 0.3";

/// One recorded stream.
#[derive(Clone)]
struct Recording {
    name: String,
    /// The body in the pieces that it is sent in: those of the server, where they were recorded.
    pieces: Vec<Vec<u8>>,
    /// The server neither said more nor ended the stream.
    stays_open: bool,
}

impl Recording {
    fn read(file: &std::path::Path) -> Option<Self> {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let Recorded { status, head, body } = Recorded::read(file);
        let is_stream = status == 200 && head.contains("Content-Type: text/event-stream");
        // These are the rest of a run after a person's answer, read from another endpoint; see the module `human`.
        let is_joined =
            name.contains("human") && (name.contains("_events_") || name.ends_with("timeout_events"));
        if !is_stream || is_joined {
            return None;
        }
        let pieces =
            if name.starts_with("raw_chunked") { recorded::chunks(&body) } else { vec![body.clone()] };
        let only_pings = !body.windows(5).any(|five| five == b"data:");
        let stays_open = only_pings && !name.ends_with("_until_the_end");
        Some(Self { name, pieces, stays_open })
    }

    /// The mode of the app that it is of.
    fn mode(&self) -> &'static str {
        let begins = |beginnings: &[&str]| beginnings.iter().any(|it| self.name.starts_with(it));
        if begins(&["completion_"]) {
            "completion"
        } else if begins(&["error_file_of_other_app", "human_input", "workflow_"]) {
            "workflow"
        } else if begins(&["agent_"]) {
            "agent-chat"
        } else if begins(&["chatflow_", "error_", "raw_chunked_chatflow"]) {
            "advanced-chat"
        } else {
            "chat"
        }
    }

    /// The pieces as a Dify at this address says them: its files are there.
    fn pieces_at(&self, host: &str) -> Vec<Vec<u8>> {
        let local = |piece: &Vec<u8>| match std::str::from_utf8(piece) {
            Ok(text) => {
                let address = format!("http://{host}/files/");
                let text = text.replace("http://127.0.0.1:5001/files/", &address);
                text.replace("http://127.0.0.1:5015/files/", &address).into_bytes()
            }
            Err(_) => piece.clone(),
        };
        self.pieces.iter().map(local).collect()
    }

    fn reply(&self, host: &str) -> Reply {
        let mut steps: Vec<Step> = self.pieces_at(host).into_iter().map(Step::Send).collect();
        if self.stays_open {
            steps.push(Step::Hang);
        }
        Reply::stream(steps)
    }
}

/// The recordings of one version that are streams in answer to messages.
fn recordings(version: &str) -> Vec<Recording> {
    recorded::all(version).iter().filter_map(|file| Recording::read(file)).collect()
}

/// Whether the outputs that a client got, in a text of JSON, are those of the recording.
fn check_outputs(what: &str, heard: &Heard, text: &str, expected: &str) {
    let whole: Value = serde_json::from_str(expected).expect("JSON");
    if what.contains("gRPC") && !expected.contains("__dify__file__") {
        // Its numbers are doubles.
        assert_eq!(plain(&heard.outputs), plain(&whole), "{what}");
    } else if expected.contains("__dify__file__") {
        let mut count = 0;
        let expected = referred(&serde_json::from_str(expected).expect("JSON"), &mut count);
        assert_eq!(plain(&heard.outputs), plain(&expected), "{what}");
        assert_eq!(heard.files.len(), count, "{what}");
    } else {
        assert!(text.contains(&format!("\"data\":{expected}")), "{what}: {expected} is not in {text}");
    }
}

/// Whether what is asked is what the recorded forms say, without their secrets.
fn check_asked(what: &str, heard: &Heard, forms: &[Value]) {
    let asked: Vec<Value> = forms
        .iter()
        .zip(1..)
        .map(|(form, number)| {
            let fields = form["inputs"].as_array().expect("fields");
            let names: Vec<&Value> = fields.iter().map(|field| &field["output_variable_name"]).collect();
            let defaults: serde_json::Map<String, Value> = fields
                .iter()
                .map(|field| (field["output_variable_name"].as_str().expect("a name").to_owned(), field["default"]["value"].clone()))
                .collect();
            let actions: Vec<Value> = form["actions"]
                .as_array()
                .expect("actions")
                .iter()
                .map(|action| json!({"id": action["id"], "title": action["title"]}))
                .collect();
            json!({"form": number, "title": form["node_title"], "names": names, "actions": actions, "defaults": defaults})
        })
        .collect();
    let got: Vec<Value> = heard
        .asked
        .iter()
        .map(|data| {
            let names: Vec<&String> = data["inputs"]["properties"].as_object().expect("a schema").keys().collect();
            json!({"form": data["form"], "title": data["title"], "names": names, "actions": data["actions"], "defaults": data["defaults"]})
        })
        .collect();
    assert_eq!(plain(&json!(got)), plain(&json!(asked)), "{what}");
}

/// A Dify of this version with an app of this mode, for which the recordings' names are what is said to it.
async fn dify_of(version: &'static str, mode: &'static str, recordings: Vec<Recording>) -> FakeDify {
    let recordings: HashMap<String, Recording> =
        recordings.into_iter().map(|recording| (recording.name.clone(), recording)).collect();
    let recordings = std::sync::Arc::new(recordings);
    let replay = move |received: &Received| {
        let recording = recordings.get(recorded::said(received)).expect("a recording");
        recording.reply(&received.headers["host"])
    };
    let others = replay.clone();
    FakeDify::with(version, replay, move |received| {
        match (received.method.as_str(), received.path.as_str()) {
            ("POST", "/v1/workflows/run" | "/v1/completion-messages") => Some(others(received)),
            ("GET", path) if path.starts_with("/files/") => {
                Some(Reply::bytes(path.as_bytes()).of_type("application/octet-stream"))
            }
            _ => recorded::describe(version, mode, received),
        }
    })
    .await
}

/// A Dify with an app of one mode, and two gateways before it: one that is not patient.
struct Place {
    dify: FakeDify,
    usual: Gateway,
    impatient: Gateway,
}

impl Place {
    async fn of(version: &'static str, mode: &'static str, recordings: Vec<Recording>) -> Self {
        let dify = dify_of(version, mode, recordings).await;
        let usual = Gateway::before(&dify, &[]).await;
        let impatient = Gateway::before(&dify, &[("DIFY_FIRST_EVENT_TIMEOUT", "100ms")]).await;
        Self { dify, usual, impatient }
    }
}

/// Calls by gRPC and gives what it says as the JSON-RPC of 1.0 would have said it.
async fn called_by_grpc(gateway: &Gateway, wire: Wire, is_stream: bool, params: &Value) -> String {
    let wrapped = |result: &Value| json!({ "result": result }).to_string();
    if !is_stream {
        let answer = wire.ask(gateway, Method::Send, params.clone()).await.expect("a task");
        return wrapped(&answer);
    }
    let events = wire.stream(gateway, Method::Stream, params.clone()).await.expect("a stream");
    events.iter().map(|event| format!("data: {}\n\n", wrapped(event))).collect()
}

/// Calls a method, or posts to a path of HTTP+JSON, and gives the whole body as text.
async fn called(gateway: &Gateway, method: &str, params: &Value) -> String {
    if method.starts_with('/') {
        let post = Rest::of(gateway).request(reqwest::Method::POST, method).json(params);
        return post.send().await.expect("an answer").text().await.expect("a body");
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    gateway.client.post(&body).await.text().await.expect("a body")
}

async fn replay(version: &'static str, expected: usize) -> String {
    let recordings = recordings(version);
    assert_eq!(recordings.len(), expected, "recordings of {version}");
    let mut places: HashMap<&'static str, Place> = HashMap::new();
    let mut shown = String::new();
    for recording in &recordings {
        let mode = recording.mode();
        if !places.contains_key(mode) {
            let of_mode = recordings.iter().filter(|it| it.mode() == mode).cloned().collect();
            places.insert(mode, Place::of(version, mode, of_mode).await);
        }
        replay_one(version, &places[mode], recording, &mut shown).await;
    }
    shown
}

async fn replay_one(version: &str, place: &Place, recording: &Recording, shown: &mut String) {
    let name = recording.name.as_str();
    let gateway = if recording.stays_open { &place.impatient } else { &place.usual };
    let body = recording.pieces_at(&place.dify.addr.to_string()).concat();
    let plain = plain_reading(body, recording.mode());
    writeln!(shown, "{name}").expect("written");
    let mut ends = Vec::new();
    let mut question = String::new();
    let mut orders: HashMap<&str, Vec<String>> = HashMap::new();
    for (dialect, stream, block) in [
        ("1.0", "SendStreamingMessage", "SendMessage"),
        ("0.3", "message/stream", "message/send"),
        ("message.send", "message.send", "message.send"),
        ("1.0", "/message:stream", "/message:send"),
        ("0.3", "/v1/message:stream", "/v1/message:send"),
        ("1.0", GRPC, GRPC),
        // Of 0.3 too the client here tells everything in the form of 1.0.
        ("1.0", GRPC_03, GRPC_03),
    ] {
        let is_rest = stream.starts_with('/');
        for is_stream in [true, false] {
            let method = if is_stream { stream } else { block };
            let context = format!("{name}-{method}-{is_stream}");
            let mut params = match dialect {
                "1.0" => send(name, Some(&context)),
                "0.3" if is_rest => send_03_http(name, &context),
                "0.3" => send_03(name, Some(&context)),
                _ => send_old(name, &context),
            };
            if dialect == "message.send" {
                params["configuration"]["stream"] = is_stream.into();
            }
            let text = match method {
                GRPC => called_by_grpc(gateway, Wire::GrpcV1, is_stream, &params).await,
                GRPC_03 => called_by_grpc(gateway, Wire::GrpcV03, is_stream, &params).await,
                _ => called(gateway, method, &params).await,
            };
            let what = format!("{version} {name} with {method}, stream: {is_stream}");
            let heard = match (is_stream, is_rest) {
                (true, false) => hear(dialect, &text),
                (true, true) => hear_http(dialect, &text),
                (false, true) => Heard::of_task_over_http(dialect, &text),
                (false, false) => {
                    let answer: Value = serde_json::from_str(&text).expect("JSON");
                    Heard::of_task(dialect, answer["result"].get("task").unwrap_or(&answer["result"]))
                }
            };
            assert_eq!(heard.text, plain.text, "{what}");
            check_asked(&what, &heard, &plain.forms);
            match &plain.outputs {
                Some(outputs) => check_outputs(&what, &heard, &text, outputs),
                None => assert!(!text.contains("\"artifactId\":\"outputs\""), "{what}: {text}"),
            }
            if let Some(order) = orders.get(dialect).filter(|_| is_stream) {
                assert_eq!(&heard.order, order, "{what}: as over JSON-RPC");
            } else if is_stream {
                let files = if heard.files.is_empty() {
                    String::new()
                } else {
                    format!(" [{}]", heard.files.join(" "))
                };
                writeln!(shown, "  {dialect}: {}{files}", heard.order.join(" ")).expect("written");
                orders.insert(dialect, heard.order);
            }
            ends.push((heard.end, heard.files));
            question = heard.question;
        }
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{version} {name}: {ends:?}");
    if !question.is_empty() {
        writeln!(shown, "  asks: {question:?}").expect("written");
    }
    let text = plain.text.replace(&place.dify.addr.to_string(), "DIFY");
    let cut: String = text.chars().take(120).collect();
    writeln!(shown, "  {} bytes: {cut:?}\n", text.len()).expect("written");
}

#[tokio::test]
async fn every_recorded_stream_of_1_14_2() {
    insta::assert_snapshot!(replay("1.14.2", 91).await);
}

#[tokio::test]
async fn every_recorded_stream_of_0_15_3() {
    insta::assert_snapshot!(replay("0.15.3", 76).await);
}

/// The runs that waited, each with what was recorded of it later.
const WAYS_ON: [(&str, &str); 11] = [
    ("chatflow_human_input", "chatflow_human_events_after_submit"),
    ("chatflow_human_input_2", "chatflow_human_events_no_snapshot"),
    ("chatflow_human_stop_run", "chatflow_human_events_after_stop"),
    ("chatflow_human_timeout_run", "chatflow_human_timeout_events"),
    ("human_input", "human_input_events_after_submit"),
    ("human_input", "human_input_events_finished"),
    ("human_input", "human_input_events_other_user"),
    ("human_input_3", "human_input_events_continue_on_pause"),
    ("human_input_plain_events", "human_input_events_no_snapshot"),
    ("human_input_stop_run", "human_input_events_after_stop"),
    ("human_input_timeout_run", "human_input_timeout_events"),
];

/// A Dify whose one run waits, and is then found as it was recorded.
async fn waiting_dify(run: &str, events: &str, mode: &'static str) -> FakeDify {
    let recorded = |name: &str| Recorded::of(&format!("1.14.2/{name}"));
    let (begin, other) = (recorded(run), recorded(run));
    let (events, form, taken) =
        (recorded(events), recorded("human_input_form_get"), recorded("human_input_submit"));
    FakeDify::with(
        "1.14.2",
        move |_| begin.reply(),
        move |received| match (received.method.as_str(), received.path.as_str()) {
            ("POST", "/v1/workflows/run") => Some(other.reply()),
            ("GET", path) if path.starts_with("/v1/workflow/") => Some(events.reply()),
            ("GET", path) if path.starts_with("/v1/form/") => Some(form.reply()),
            ("POST", path) if path.starts_with("/v1/form/") => Some(taken.reply()),
            _ => recorded::describe("1.14.2", mode, received),
        },
    )
    .await
}

#[tokio::test]
async fn every_recorded_way_on_of_a_run_that_waited() {
    let mut shown = String::new();
    for (run, events) in WAYS_ON {
        let mode = if run.starts_with("chatflow") { "advanced-chat" } else { "workflow" };
        let dify = waiting_dify(run, events, mode).await;
        let gateway = Gateway::before(&dify, &[]).await;
        let recorded = |name: &str| Recorded::of(&format!("1.14.2/{name}"));
        let mut body = recorded(run).body;
        if recorded(events).status == 200 {
            body.extend(recorded(events).body);
        }
        let plain = plain_reading(body, mode);
        writeln!(shown, "{run}, {events}").expect("written");
        for (dialect, method) in [("1.0", "SendStreamingMessage"), ("0.3", "message/stream")] {
            let context = format!("{run}-{events}-{dialect}");
            let say = |text: &str| match dialect {
                "1.0" => send(text, Some(&context)),
                _ => send_03(text, Some(&context)),
            };
            let asked = called(&gateway, method, &say("go")).await;
            assert_eq!(hear(dialect, &asked).end, "input-required", "{run}");
            let mut answer = say("Approve");
            let first: Value = asked
                .lines()
                .find_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
                .expect("the task");
            let task = first["result"].get("task").unwrap_or(&first["result"]);
            answer["message"]["taskId"] = task["id"].clone();
            let text = called(&gateway, method, &answer).await;
            let heard = hear(dialect, &text);
            writeln!(shown, "  {dialect}: {}", heard.order.join(" ")).expect("written");
            if let Some(outputs) = &plain.outputs {
                check_outputs(&format!("{run} in {dialect}"), &heard, &text, outputs);
            }
            // Of one that failed only what was said is left; one that ended unheard does not say it again.
            let get = if dialect == "1.0" { "GetTask" } else { "tasks/get" };
            let task: Value =
                serde_json::from_str(&called(&gateway, get, &json!({"id": task["id"]})).await).expect("JSON");
            assert_eq!(
                Heard::of_task(dialect, &task["result"]).text,
                plain.text,
                "{run}, {events} in {dialect}"
            );
        }
        let handed_in =
            dify.received().iter().filter(|it| it.method == "POST" && it.path.contains("form")).count();
        writeln!(shown, "  answers handed in: {handed_in}, stops: {}\n", dify.stops().len())
            .expect("written");
    }
    insta::assert_snapshot!(shown);
}
