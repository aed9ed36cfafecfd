//! What the run of an app that asks people says, and when: made of recorded traffic, parts of which are given the names
//! that the run has in another recording.

use serde_json::{Value, json};

use super::recorded::Recorded;

/// What a run of the app says, and when.
#[derive(Clone)]
pub struct Script {
    /// Dify's name of the app's mode.
    pub mode: &'static str,
    /// The answers to those who begin runs, one after the other.
    pub runs: Vec<Vec<u8>>,
    /// What is told of the first run while it waits.
    pub snapshot: Vec<u8>,
    /// The same once the first of several forms is answered.
    pub snapshot_after: Vec<u8>,
    /// What follows an approval of the last form.
    pub approved: Vec<u8>,
    /// What follows a rejection of the last form.
    pub rejected: Vec<u8>,
    /// What follows the answer of a form while others are open.
    pub answered: Vec<u8>,
    /// What follows when nobody answers.
    pub expired: Vec<u8>,
    /// How a stopped run ends.
    pub stopped: Vec<u8>,
    /// The tokens of the forms.
    pub tokens: Vec<String>,
    /// Of what follows an answer only so many frames come before the run is stopped.
    pub holds_after: Option<usize>,
}

/// The names that a run has at Dify.
const NAMES: [&str; 4] = ["workflow_run_id", "task_id", "conversation_id", "message_id"];

impl Script {
    /// A workflow that ends with the comment and the action.
    pub fn workflow() -> Self {
        let run = body("human_input_3");
        let joined = frames(&body("human_input_events_continue_on_pause"));
        let pause =
            joined.iter().position(|frame| frame.contains("\"workflow_paused\"")).expect("a pause") + 1;
        Self {
            mode: "workflow",
            snapshot: joined[..pause].concat().into_bytes(),
            approved: joined[pause..].concat().into_bytes(),
            rejected: live("human_input_events_no_snapshot", "human_input_plain_events", &run),
            answered: Vec::new(),
            snapshot_after: Vec::new(),
            expired: live("human_input_timeout_events", "human_input_timeout_run", &run),
            stopped: last(&live("human_input_events_after_stop", "human_input_stop_run", &run)),
            tokens: tokens(&run),
            runs: vec![run.into_bytes()],
            holds_after: None,
        }
    }

    /// A chatflow that says something before it asks and after it.
    pub fn chatflow() -> Self {
        let run = body("chatflow_human_input");
        let approved = live("chatflow_human_events_no_snapshot", "chatflow_human_input_2", &run);
        let second = body("chatflow_human_second_message_while_paused");
        Self {
            mode: "advanced-chat",
            snapshot: body("chatflow_human_events_after_submit").into_bytes(),
            rejected: edited(&approved, &[("Approved with", "Rejected with"), ("approve", "reject")]),
            approved,
            answered: Vec::new(),
            snapshot_after: Vec::new(),
            expired: live("chatflow_human_timeout_events", "chatflow_human_timeout_run", &run),
            stopped: last(&live("chatflow_human_events_after_stop", "chatflow_human_stop_run", &run)),
            tokens: [tokens(&run), tokens(&second)].concat(),
            runs: vec![run.into_bytes(), second.into_bytes()],
            holds_after: None,
        }
    }

    /// The same with other words in all that it says.
    #[must_use]
    pub fn with(mut self, words: &[(&str, &str)]) -> Self {
        for said in self.runs.iter_mut().chain([&mut self.snapshot]) {
            *said = edited(said, words);
        }
        self
    }

    /// A workflow that asks in two places at once; the second form is the recorded one under other names.
    pub fn with_two_forms() -> Self {
        let mut script = Self::workflow();
        let second = script.tokens[0].replace('n', "m");
        script.runs[0] = doubled(&script.runs[0], &script.tokens[0], &second, 2);
        let rest = doubled(&script.snapshot, &script.tokens[0], &second, 1);
        script.snapshot = doubled(&script.snapshot, &script.tokens[0], &second, 2);
        // The run goes on as far as the other form, and waits again.
        let again = frames(std::str::from_utf8(&rest).expect("UTF-8")).pop().expect("a pause");
        let mut answered = frames(std::str::from_utf8(&script.approved).expect("UTF-8"));
        answered.truncate(3);
        answered.push(again);
        script.answered = answered.concat().into_bytes();
        script.snapshot_after = rest;
        // What comes in the end is of the second form.
        for said in [&mut script.approved, &mut script.rejected] {
            *said = edited(said, &[("\"node_id\":\"human\"", "\"node_id\":\"human2\"")]);
        }
        script.tokens.push(second);
        script
    }

    /// What must never leave the gateway: the tokens of the forms, and Dify's names of runs.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets = self.tokens.clone();
        for run in &self.runs {
            secrets.extend(names(std::str::from_utf8(run).expect("UTF-8")));
        }
        secrets
    }
}

/// Says that a second form waits too: `count` forms, the second alone if it is one.
fn doubled(said: &[u8], token: &str, second: &str, count: usize) -> Vec<u8> {
    let said = std::str::from_utf8(said).expect("UTF-8");
    let other = |json: &Value| -> Value {
        let text = json.to_string().replace(token, second).replace("\"human\"", "\"human2\"");
        let mut form: Value = serde_json::from_str(&text).expect("JSON");
        form["form_id"] = "01a200dd-0000-7000-8000-000000000002".into();
        form["node_title"] = "Check it twice".into();
        form
    };
    let mut frames_out = Vec::new();
    for frame in frames(said) {
        let Some(mut json) = json_of(&frame) else {
            frames_out.push(frame);
            continue;
        };
        if json["event"] == "human_input_required" {
            if count > 1 {
                frames_out.push(frame);
            }
            json["data"] = other(&json["data"]);
            frames_out.push(framed(&json));
        } else if json["event"] == "workflow_paused" {
            let first = json["data"]["reasons"][0].clone();
            let second = other(&first);
            json["data"]["reasons"] = if count == 1 { json!([second]) } else { json!([first, second]) };
            json["data"]["paused_nodes"] =
                if count == 1 { json!(["human2"]) } else { json!(["human", "human2"]) };
            frames_out.push(framed(&json));
        } else {
            frames_out.push(frame);
        }
    }
    frames_out.concat().into_bytes()
}

fn body(name: &str) -> String {
    Recorded::of(&format!("1.14.2/{name}")).text()
}

/// What came live in one recording, as if it had come of the run that began with `run`.
fn live(events: &str, of: &str, run: &str) -> Vec<u8> {
    let mut said = body(events);
    said = said.trim_start_matches("event: ping\n\n").to_owned();
    for (theirs, ours) in names(&body(of)).iter().zip(names(run)) {
        said = said.replace(theirs, &ours);
    }
    said.into_bytes()
}

fn last(said: &[u8]) -> Vec<u8> {
    frames(std::str::from_utf8(said).expect("UTF-8")).pop().expect("an end").into_bytes()
}

/// The same with other words.
pub fn edited(said: &[u8], words: &[(&str, &str)]) -> Vec<u8> {
    let mut said = String::from_utf8(said.to_vec()).expect("UTF-8");
    for (old, new) in words {
        said = said.replace(old, new);
    }
    said.into_bytes()
}

/// The events of a stream, each with the empty line behind it.
pub fn frames(said: &str) -> Vec<String> {
    said.split_inclusive("\n\n").filter(|frame| frame.len() > 2).map(str::to_owned).collect()
}

fn framed(json: &Value) -> String {
    format!("data: {json}\n\n")
}

fn json_of(frame: &str) -> Option<Value> {
    serde_json::from_str(frame.strip_prefix("data: ")?).ok()
}

/// The names that the run of a recording has.
fn names(run: &str) -> Vec<String> {
    let first = frames(run).iter().find_map(|frame| json_of(frame)).expect("a frame");
    NAMES.iter().filter_map(|name| first[name].as_str().map(str::to_owned)).collect()
}

fn tokens(run: &str) -> Vec<String> {
    let frames = frames(run);
    let forms =
        frames.iter().filter_map(|frame| json_of(frame)).filter(|it| it["event"] == "human_input_required");
    forms.map(|form| form["data"]["form_token"].as_str().expect("a token").to_owned()).collect()
}
