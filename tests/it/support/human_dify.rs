//! A Dify whose app asks people, made of the traffic that a real one was recorded with: it knows who began a run, which
//! forms are open, and who has joined the run's events; what nobody has joined in time to hear is lost.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::fake_dify::{FakeDify, Received, Reply, Step};
use super::recorded::{self, Recorded};

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

fn edited(said: &[u8], words: &[(&str, &str)]) -> Vec<u8> {
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

#[derive(Clone, Copy, Eq, PartialEq)]
enum Form {
    Answered,
    Expired,
    Open,
}

/// What stands between a program and a form, once.
enum Trick {
    /// Its time is over.
    Expire,
    /// Dify does not take the answer.
    Refuse,
    /// Somebody else is faster.
    Steal,
}

/// What whoever joins the run finds instead, once.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// A proxy's page.
    BadGateway,
    /// A stream that ends before it tells anything.
    Ends,
    /// Dify no longer has the run.
    Gone,
    /// A stream that tells nothing.
    Silent,
}

struct Now {
    begun: usize,
    user: Option<String>,
    forms: Vec<Form>,
    joined: Vec<UnboundedSender<Vec<u8>>>,
    /// How the first run has ended.
    end: Option<String>,
    trick: Option<Trick>,
    trouble: Option<Trouble>,
    /// What is not said yet.
    held: Vec<String>,
}

struct State {
    script: Script,
    now: Mutex<Now>,
}

/// The Dify.
pub struct HumanDify {
    pub dify: FakeDify,
    state: Arc<State>,
}

impl HumanDify {
    /// One that follows the script.
    pub async fn of(script: Script) -> Self {
        let now = Now {
            begun: 0,
            user: None,
            forms: vec![Form::Open; script.tokens.len()],
            joined: Vec::new(),
            end: None,
            trick: None,
            trouble: None,
            held: Vec::new(),
        };
        let state = Arc::new(State { script, now: Mutex::new(now) });
        let (chat, other) = (Arc::clone(&state), Arc::clone(&state));
        let dify = FakeDify::with(
            "1.14.2",
            move |received| chat.begin(received),
            move |received| other.reply(received),
        )
        .await;
        Self { dify, state }
    }

    /// A person answers the first form on Dify's own page.
    pub fn answer_elsewhere(&self, action: &str) {
        self.state.close(0, action);
    }

    /// The time for the forms is over.
    pub fn expire(&self) {
        self.state.close(0, "");
    }

    /// The next answer is not taken, as if it lacked its comment.
    pub fn refuse_next(&self) {
        self.state.now.lock().expect("no panic").trick = Some(Trick::Refuse);
    }

    /// A moment before the next answer comes, a person approves.
    pub fn steal_next(&self) {
        self.state.now.lock().expect("no panic").trick = Some(Trick::Steal);
    }

    /// A moment before the next answer comes, the time for it is over.
    pub fn expire_next(&self) {
        self.state.now.lock().expect("no panic").trick = Some(Trick::Expire);
    }

    /// Whoever joins next has this trouble.
    pub fn trouble_next(&self, trouble: Trouble) {
        self.state.now.lock().expect("no panic").trouble = Some(trouble);
    }

    /// The run says what was held back.
    pub fn release(&self) {
        let mut now = self.state.now.lock().expect("no panic");
        let held = std::mem::take(&mut now.held);
        now.say(&held);
        now.end = held.last().cloned();
        now.joined.clear();
    }

    /// The answers that were handed in.
    pub fn submissions(&self) -> Vec<Received> {
        self.all("POST", "/v1/form/human_input/")
    }

    /// The requests of this method whose path begins so.
    pub fn all(&self, method: &str, path: &str) -> Vec<Received> {
        let received = self.dify.received().into_iter();
        received.filter(|it| it.method == method && it.path.starts_with(path)).collect()
    }
}

impl Now {
    fn say(&self, frames: &[String]) {
        for joined in &self.joined {
            for frame in frames {
                // Who has gone does not hear it.
                let _ = joined.send(frame.clone().into_bytes());
            }
        }
    }
}

impl State {
    fn begin(&self, received: &Received) -> Reply {
        let mut now = self.now.lock().expect("no panic");
        now.user.get_or_insert_with(|| received.user().to_owned());
        let run = self.script.runs[now.begun.min(self.script.runs.len() - 1)].clone();
        now.begun += 1;
        Reply::bytes(run)
    }

    fn reply(&self, received: &Received) -> Option<Reply> {
        let path = received.path.strip_prefix("/v1/")?;
        let segments: Vec<&str> = path.split('/').collect();
        match (received.method.as_str(), segments.as_slice()) {
            ("POST", ["workflows", "run"]) => Some(self.begin(received)),
            ("GET", ["form", "human_input", token]) => Some(self.form(token)),
            ("POST", ["form", "human_input", token]) => Some(self.submit(token, &received.body)),
            ("GET", ["workflow", _, "events"]) => Some(self.events(received)),
            ("GET", ["workflows", "run", id]) if !id.starts_with("0000") => Some(self.detail()),
            ("POST", ["workflows", "tasks", _, "stop"] | ["chat-messages", _, "stop"]) => Some(self.stop()),
            ("GET", ["messages"]) if received.query.contains("limit=20") => {
                let mut stored = Recorded::of("1.14.2/chatflow_human_messages");
                if self.now.lock().expect("no panic").forms[0] == Form::Expired {
                    stored.body =
                        edited(&stored.body, &[("Approved with: enjoy\",\"feedback", "\",\"feedback")]);
                }
                Some(stored.reply())
            }
            _ => recorded::describe("1.14.2", self.script.mode, received),
        }
    }

    /// The recorded answer of a form that is closed or unknown.
    fn closed(&self, token: &str) -> Result<usize, Reply> {
        let recorded = |name: &str| Recorded::of(&format!("1.14.2/{name}")).reply();
        let Some(index) = self.script.tokens.iter().position(|it| it == token) else {
            return Err(recorded("human_input_form_unknown"));
        };
        match self.now.lock().expect("no panic").forms[index] {
            Form::Answered => Err(recorded("human_input_submit_twice")),
            Form::Expired => Err(recorded("human_input_timeout_form_get")),
            Form::Open => Ok(index),
        }
    }

    fn form(&self, token: &str) -> Reply {
        match self.closed(token) {
            Ok(_) => Recorded::of("1.14.2/human_input_form_get").reply(),
            Err(reply) => reply,
        }
    }

    fn submit(&self, token: &str, body: &Value) -> Reply {
        let recorded = |name: &str| Recorded::of(&format!("1.14.2/{name}")).reply();
        let trick = self.now.lock().expect("no panic").trick.take();
        match trick {
            Some(Trick::Refuse) => return recorded("human_input_submit_missing_input"),
            Some(Trick::Expire) => self.close(0, ""),
            Some(Trick::Steal) => self.close(0, "approve"),
            None => {}
        }
        let index = match self.closed(token) {
            Ok(index) => index,
            Err(reply) => return reply,
        };
        let action = body["action"].as_str().unwrap_or("");
        if !["approve", "reject"].contains(&action) {
            return recorded("human_input_submit_bad_action");
        }
        if body["inputs"]["comment"].as_str().is_none() {
            return recorded("human_input_submit_missing_input");
        }
        self.close(index, action);
        recorded("human_input_submit")
    }

    /// A form is closed, and whoever has joined hears what follows.
    fn close(&self, index: usize, action: &str) {
        let script = &self.script;
        let mut now = self.now.lock().expect("no panic");
        now.forms[index] = if action.is_empty() { Form::Expired } else { Form::Answered };
        // The forms of the first run; a second run has its own.
        let is_last = script.answered.is_empty() || now.forms.iter().all(|form| *form != Form::Open);
        let said = match action {
            _ if !is_last => &script.answered,
            "" => &script.expired,
            "reject" => &script.rejected,
            _ => &script.approved,
        };
        let frames = frames(std::str::from_utf8(said).expect("UTF-8"));
        let count = script.holds_after.unwrap_or(frames.len()).min(frames.len());
        now.say(&frames[..count]);
        now.held = frames[count..].to_vec();
        if is_last && script.holds_after.is_none() {
            now.end = frames.last().cloned();
            now.joined.clear();
        }
    }

    fn stop(&self) -> Reply {
        let mut now = self.now.lock().expect("no panic");
        for joined in now.joined.drain(..) {
            let _ = joined.send(self.script.stopped.clone());
        }
        Recorded::of("1.14.2/human_input_stop_while_paused").reply()
    }

    fn events(&self, received: &Received) -> Reply {
        let mut now = self.now.lock().expect("no panic");
        let given = |name: &str, value: &str| {
            received.query.split('&').any(|pair| pair.split_once('=') == Some((name, value)))
        };
        if now.user.as_deref().is_none_or(|user| !given("user", user)) {
            return Recorded::of("1.14.2/human_input_events_other_user").reply();
        }
        let ping = || Step::Send(b"event: ping\n\n".to_vec());
        match now.trouble.take() {
            Some(Trouble::BadGateway) => return Reply::html(502),
            Some(Trouble::Ends) => return Reply::stream(vec![ping()]),
            Some(Trouble::Gone) => return Recorded::of("1.14.2/human_input_events_other_user").reply(),
            Some(Trouble::Silent) => return Reply::stream(vec![ping(), Step::Hang]),
            None => {}
        }
        if let Some(end) = &now.end {
            return Reply::bytes(end.clone());
        }
        let (snapshot, goes_on) =
            (given("include_state_snapshot", "true"), given("continue_on_pause", "true"));
        let mut steps = vec![ping()];
        if snapshot {
            let is_first_open = now.forms[0] == Form::Open || self.script.answered.is_empty();
            let said = if is_first_open { &self.script.snapshot } else { &self.script.snapshot_after };
            let said = std::str::from_utf8(said).expect("UTF-8");
            steps.push(Step::Send(said.trim_start_matches("event: ping\n\n").as_bytes().to_vec()));
        }
        if !snapshot || goes_on {
            let (joined, coming) = unbounded_channel();
            now.joined.push(joined);
            steps.push(Step::Relay(coming));
        }
        Reply::stream(steps)
    }

    fn detail(&self) -> Reply {
        let is_over = self.now.lock().expect("no panic").end.is_some();
        let name = if is_over { "human_input_run_detail_done" } else { "human_input_run_detail_paused" };
        Recorded::of(&format!("1.14.2/{name}")).reply()
    }
}
