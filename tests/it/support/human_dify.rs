//! A Dify whose app asks people, made of the traffic that a real one was recorded with: it knows who began a run, which
//! forms are open, and who has joined the run's events; what nobody has joined in time to hear is lost.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::fake_dify::{FakeDify, Received, Reply, Step};
use super::human_script::{Script, edited, frames};
use super::recorded::{self, Recorded};

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
    /// Dify no longer has the form.
    Forget,
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

    /// The next answer finds no form.
    pub fn forget_next(&self) {
        self.state.now.lock().expect("no panic").trick = Some(Trick::Forget);
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

    /// Whoever has joined the run is hung up on.
    pub fn hang_up(&self) {
        self.state.now.lock().expect("no panic").joined.clear();
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
            Some(Trick::Forget) => return recorded("human_input_form_unknown"),
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
