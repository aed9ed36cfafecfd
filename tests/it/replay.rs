//! Every recorded stream of the chat modes, replayed through the whole gateway, in all three dialects.
//!
//! The snapshots show the order of events and how each ends; the text is compared byte for byte with a plain
//! reading of the recording, and between the dialects.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::client::{Event, send, send_03, send_old};
use super::support::{FakeDify, Gateway, Reply, Step};

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
    fn read(file: &Path) -> Option<Self> {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let raw = std::fs::read(file).expect("a recording");
        let at = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let (head, body) = raw.split_at(at);
        let is_stream = head.starts_with(b"HTTP/1.1 200 ")
            && String::from_utf8_lossy(head).contains("Content-Type: text/event-stream");
        // These are the rest of a run after a person's answer, read from another endpoint.
        if !is_stream || name.contains("_events") || is_of_other_apps(&name) {
            return None;
        }
        let pieces = if name.starts_with("raw_chunked") { chunks(body) } else { vec![body.to_vec()] };
        let only_pings = !body.windows(5).any(|five| five == b"data:");
        let stays_open = only_pings && !name.ends_with("_until_the_end");
        Some(Self { name, pieces, stays_open })
    }

    fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    fn reply(&self) -> Reply {
        let mut steps: Vec<Step> = self.pieces.iter().cloned().map(Step::Send).collect();
        if self.stays_open {
            steps.push(Step::Hang);
        }
        Reply::stream(steps)
    }
}

/// Workflows and text generators are begun by other requests than a chat message.
fn is_of_other_apps(name: &str) -> bool {
    ["completion_", "error_file_of_other_app", "human_input", "workflow_"]
        .iter()
        .any(|kind| name.starts_with(kind))
}

/// The pieces of a body that was recorded with its chunked coding (RFC 9112 §7.1).
fn chunks(mut coded: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    loop {
        let at = coded.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = std::str::from_utf8(&coded[..at]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size");
        coded = &coded[at + 2..];
        if size == 0 {
            assert_eq!(coded, b"\r\n", "nothing comes after the last chunk");
            return pieces;
        }
        pieces.push(coded[..size].to_vec());
        coded = coded[size..].strip_prefix(b"\r\n").expect("the end of a chunk");
    }
}

/// The recordings of one version that are streams in answer to chat messages.
fn recordings(version: &str) -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dify").join(version);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.iter().filter_map(|file| Recording::read(file)).collect()
}

/// What a person reads in Dify: deltas joined, rounds of an agent on lines of their own, replacements in their
/// place, thoughts apart; the run's own answer only where nothing was streamed.
fn plain_reading(body: &[u8]) -> String {
    let text = String::from_utf8(body.to_vec()).expect("UTF-8");
    let (mut answer, mut outputs) = (String::new(), String::new());
    let (mut round, mut streamed) = (0, false);
    let mut new_round = false;
    for line in text.split('\n').filter_map(|line| line.strip_prefix("data: ")) {
        let frame: Value = serde_json::from_str(line).expect("JSON");
        let said = frame["answer"].as_str().unwrap_or("");
        match frame["event"].as_str().expect("an event") {
            "agent_thought" => {
                let position = frame["position"].as_u64().unwrap_or(0);
                new_round |= position > round && !answer.is_empty();
                round = round.max(position);
            }
            "message" | "agent_message" if !said.is_empty() => {
                if std::mem::take(&mut new_round) {
                    answer.push('\n');
                }
                answer.push_str(said);
                streamed = true;
            }
            "message_replace" => {
                answer = said.to_owned();
                streamed = true;
            }
            "workflow_finished" => {
                outputs = frame["data"]["outputs"]["answer"].as_str().unwrap_or("").to_owned();
            }
            _ => {}
        }
    }
    if !streamed {
        answer = outputs;
    }
    match (answer.find("<think>"), answer.find("</think>")) {
        (Some(from), Some(to)) => {
            let after = answer[to + "</think>".len()..].trim_start();
            format!("{}{after}", &answer[..from])
        }
        _ => answer,
    }
}

/// What one dialect's client made of the stream.
#[derive(Default)]
struct Heard {
    order: Vec<String>,
    text: String,
    end: String,
}

impl Heard {
    fn note(&mut self, what: &str) {
        // How many pieces a text comes in depends on who is faster; that it comes there does not.
        if self.order.last().map(String::as_str) != Some(what) || !what.ends_with('+') {
            self.order.push(what.to_owned());
        }
    }

    fn update(&mut self, artifact: &str, text: &str, append: bool, last: bool) {
        if artifact == "answer" {
            if !append {
                self.text.clear();
            }
            self.text.push_str(text);
        }
        match (append, last) {
            (_, true) => self.note(&format!("close-{artifact}")),
            (true, false) => self.note(&format!("{artifact}+")),
            (false, false) => {
                self.note(artifact);
                self.note(&format!("{artifact}+"));
            }
        }
    }
}

fn hear(dialect: &str, events: &[Event]) -> Heard {
    let mut heard = Heard::default();
    for event in events {
        let result = &event.data["result"];
        assert!(result.is_object(), "{dialect}: {event:?}");
        match dialect {
            "1.0" => hear_v1(&mut heard, result),
            "0.3" => hear_v03(&mut heard, result),
            _ => hear_old(&mut heard, result),
        }
    }
    heard
}

fn part_text(artifact: &Value) -> &str {
    artifact["parts"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {artifact}"))
}

fn hear_v1(heard: &mut Heard, result: &Value) {
    if let Some(task) = result.get("task") {
        let state = task["status"]["state"].as_str().expect("a state");
        heard.note(&format!("task:{}", state.trim_start_matches("TASK_STATE_").to_lowercase()));
    } else if let Some(update) = result.get("artifactUpdate") {
        let artifact = &update["artifact"];
        let id = artifact["artifactId"].as_str().expect("an id");
        heard.update(id, part_text(artifact), update["append"] == true, update["lastChunk"] == true);
    } else {
        let status = &result["statusUpdate"]["status"];
        heard.end =
            status["state"].as_str().expect("a state").trim_start_matches("TASK_STATE_").to_lowercase();
        let note = status["message"]["parts"][0]["text"].as_str();
        let code = status["message"]["metadata"]["code"].as_str();
        let note = code.map(|code| format!("({code})")).or(note.map(|note| format!("({note})")));
        heard.note(&format!("{}{}", heard.end.clone(), note.unwrap_or_default()));
    }
}

fn hear_v03(heard: &mut Heard, result: &Value) {
    match result["kind"].as_str().expect("a kind") {
        "task" => heard.note(&format!("task:{}", result["status"]["state"].as_str().expect("a state"))),
        "artifact-update" => {
            let artifact = &result["artifact"];
            let id = artifact["artifactId"].as_str().expect("an id");
            heard.update(id, part_text(artifact), result["append"] == true, result["lastChunk"] == true);
        }
        "status-update" => {
            heard.end = result["status"]["state"].as_str().expect("a state").to_owned();
            let last = if result["final"] == true { "!" } else { "" };
            heard.note(&format!("{}{last}", heard.end.clone()));
        }
        other => panic!("{other}"),
    }
}

fn hear_old(heard: &mut Heard, result: &Value) {
    match result["type"].as_str().expect("a type") {
        "task_artifact_update" => {
            let artifact = &result["artifact"];
            let id = artifact["artifactId"].as_str().expect("an id");
            let (append, last) = (result["append"] == true, result["lastChunk"] == true);
            heard.update(id, part_text(artifact), append, last);
        }
        "task_status_update" => {
            heard.end = result["status"].as_str().expect("a state").to_owned();
            heard.note(&heard.end.clone());
        }
        other => panic!("{other}"),
    }
}

async fn replay(version: &'static str, expected: usize) -> String {
    let recordings = recordings(version);
    assert_eq!(recordings.len(), expected, "recordings of {version}");
    let bodies = recordings.clone();
    let dify = FakeDify::with(
        version,
        move |received| {
            bodies.iter().find(|recording| recording.name == received.said()).expect("a recording").reply()
        },
        |_| None,
    )
    .await;
    let usual = Gateway::before(&dify, &[]).await;
    let impatient = Gateway::before(&dify, &[("DIFY_FIRST_EVENT_TIMEOUT", "100ms")]).await;
    let mut shown = String::new();
    for recording in &recordings {
        let name = recording.name.as_str();
        let gateway = if recording.stays_open { &impatient } else { &usual };
        let expected = plain_reading(&recording.body());
        writeln!(shown, "{name}").expect("written");
        let mut ends = Vec::new();
        for (dialect, method, params) in [
            ("1.0", "SendStreamingMessage", send(name, Some(&format!("{name}-v1")))),
            ("0.3", "message/stream", send_03(name, Some(&format!("{name}-v03")))),
            ("message.send", "message.send", send_old(name, &format!("{name}-old"))),
        ] {
            let events = gateway.client.stream(method, &params).await.all().await;
            let heard = hear(dialect, &events);
            assert_eq!(heard.text, expected, "{version} {name} in {dialect}");
            writeln!(shown, "  {dialect}: {}", heard.order.join(" ")).expect("written");
            ends.push(heard.end);
        }
        assert!(ends.iter().all(|end| *end == ends[0]), "{version} {name}: {ends:?}");
        let blocking = gateway.client.send(name, Some(&format!("{name}-blocking"))).await;
        let answer = blocking["artifacts"].as_array().and_then(|all| {
            all.iter()
                .find(|artifact| artifact["artifactId"] == "answer")
                .map(|answer| part_text(answer).to_owned())
        });
        assert_eq!(answer.unwrap_or_default(), expected, "{version} {name} blocking");
        let cut: String = expected.chars().take(120).collect();
        writeln!(shown, "  {} bytes: {cut:?}\n", expected.len()).expect("written");
    }
    shown
}

#[tokio::test]
async fn every_recorded_stream_of_1_14_2() {
    insta::assert_snapshot!(replay("1.14.2", 68).await);
}

#[tokio::test]
async fn every_recorded_stream_of_0_15_3() {
    insta::assert_snapshot!(replay("0.15.3", 60).await);
}
