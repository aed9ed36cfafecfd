//! What clients of the three dialects make of an answer: the order of events, the text, the end, what is asked.

use serde_json::Value;

/// What one dialect's client made of the answer.
#[derive(Default)]
pub struct Heard {
    pub order: Vec<String>,
    pub text: String,
    pub end: String,
    /// A workflow's outputs.
    pub outputs: Value,
    /// The files, by name.
    pub files: Vec<String>,
    /// The data parts of what is asked.
    pub asked: Vec<Value>,
    /// The text of what is asked.
    pub question: String,
}

impl Heard {
    fn note(&mut self, what: &str) {
        // How many pieces a text comes in depends on who is faster; that it comes there does not.
        if self.order.last().map(String::as_str) != Some(what) || !what.ends_with('+') {
            self.order.push(what.to_owned());
        }
    }

    fn update(&mut self, update: &Value) {
        let (append, last) = (update["append"] == true, update["lastChunk"] == true);
        let artifact = &update["artifact"];
        let id = artifact["artifactId"].as_str().expect("an id");
        // Files come when they are fetched.
        if id.starts_with("file-") {
            self.files.push(format!("{id}:{}", artifact["name"].as_str().expect("a name")));
            self.files.sort();
            return;
        }
        if id == "outputs" {
            self.outputs = artifact["parts"][0]["data"].clone();
            return self.note("outputs");
        }
        if id == "answer" {
            if !append {
                self.text.clear();
            }
            self.text.push_str(part_text(artifact));
        }
        match (append, last) {
            (_, true) => self.note(&format!("close-{id}")),
            (true, false) => self.note(&format!("{id}+")),
            (false, false) => {
                self.note(id);
                self.note(&format!("{id}+"));
            }
        }
    }

    fn ask(&mut self, parts: &Value) {
        self.question = parts[0]["text"].as_str().expect("a question").to_owned();
        let data = parts.as_array().into_iter().flatten().skip(1);
        self.asked = data.map(|part| part["data"].clone()).collect();
    }

    /// The same of an answer over HTTP+JSON.
    pub fn of_task_over_http(dialect: &str, answer: &str) -> Self {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        Self::of_task(dialect, &as_v1(&answer["task"]))
    }

    /// A task as it is: the answer, the end, the question.
    pub fn of_task(dialect: &str, task: &Value) -> Self {
        let state = task["status"]["state"].as_str().or(task["status"].as_str()).expect("a state");
        let mut heard = Self { end: lower(state), ..Self::default() };
        for artifact in task["artifacts"].as_array().into_iter().flatten() {
            match artifact["artifactId"].as_str().expect("an id") {
                "answer" => heard.text = part_text(artifact).to_owned(),
                "outputs" => heard.outputs = artifact["parts"][0]["data"].clone(),
                id if id.starts_with("file-") => {
                    heard.files.push(format!("{id}:{}", artifact["name"].as_str().expect("a name")));
                }
                _ => {}
            }
        }
        if heard.end == "input-required" {
            match dialect {
                "message.send" => {
                    heard.ask(&task["history"].as_array().expect("said").last().expect("it")["parts"])
                }
                _ => heard.ask(&task["status"]["message"]["parts"]),
            }
        }
        heard.files.sort();
        heard
    }
}

/// A part of 0.3 over HTTP+JSON, a message, or whatever holds them, in the form of 1.0.
fn as_v1(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let one = object.get("data").and_then(|data| data.as_object()).filter(|data| data.len() == 1);
            let inner = one.and_then(|data| data.get("data"));
            let renamed = object.iter().map(|(name, value)| match (name.as_str(), inner) {
                ("content", _) => ("parts".to_owned(), as_v1(value)),
                ("data", Some(inner)) => (name.clone(), inner.clone()),
                _ => (name.clone(), as_v1(value)),
            });
            renamed.collect()
        }
        Value::Array(list) => list.iter().map(as_v1).collect(),
        other => other.clone(),
    }
}

/// `input-required` of `TASK_STATE_INPUT_REQUIRED`.
fn lower(state: &str) -> String {
    state.trim_start_matches("TASK_STATE_").to_lowercase().replace('_', "-")
}

fn part_text(artifact: &Value) -> &str {
    artifact["parts"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {artifact}"))
}

/// The same over HTTP+JSON. What a client of 0.3 hears is told in the words that 0.3 has over JSON-RPC.
pub fn hear_http(dialect: &str, stream: &str) -> Heard {
    let mut heard = Heard::default();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(data).expect("JSON");
        assert!(event.get("jsonrpc").is_none(), "{event}");
        if dialect == "1.0" {
            hear_v1(&mut heard, &event);
            continue;
        }
        let event = as_v1(&event);
        let (name, said) = event.as_object().and_then(|event| event.iter().next()).expect("one member");
        let mut said = said.clone();
        let kind = match name.as_str() {
            "statusUpdate" => "status-update",
            "artifactUpdate" => "artifact-update",
            other => other,
        };
        said["kind"] = kind.into();
        if let Some(state) = said["status"]["state"].as_str().map(lower) {
            said["status"]["state"] = state.into();
        }
        hear_v03(&mut heard, &said);
    }
    heard
}

pub fn hear(dialect: &str, stream: &str) -> Heard {
    let mut heard = Heard::default();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(data).expect("JSON");
        let result = &event["result"];
        assert!(result.is_object(), "{dialect}: {event:?}");
        match dialect {
            "1.0" => hear_v1(&mut heard, result),
            "0.3" => hear_v03(&mut heard, result),
            _ => hear_old(&mut heard, result),
        }
    }
    heard
}

fn hear_v1(heard: &mut Heard, result: &Value) {
    if let Some(task) = result.get("task") {
        heard.note(&format!("task:{}", lower(task["status"]["state"].as_str().expect("a state"))));
    } else if let Some(update) = result.get("artifactUpdate") {
        heard.update(update);
    } else {
        let status = &result["statusUpdate"]["status"];
        heard.end = lower(status["state"].as_str().expect("a state"));
        if heard.end == "input-required" {
            heard.ask(&status["message"]["parts"]);
            return heard.note("input-required");
        }
        let note = status["message"]["parts"][0]["text"].as_str();
        let code = status["message"]["metadata"]["code"].as_str();
        let note = code.map(|code| format!("({code})")).or(note.map(|note| format!("({note})")));
        heard.note(&format!("{}{}", heard.end.clone(), note.unwrap_or_default()));
    }
}

fn hear_v03(heard: &mut Heard, result: &Value) {
    match result["kind"].as_str().expect("a kind") {
        "task" => heard.note(&format!("task:{}", result["status"]["state"].as_str().expect("a state"))),
        "artifact-update" => heard.update(result),
        "status-update" => {
            heard.end = result["status"]["state"].as_str().expect("a state").to_owned();
            if heard.end == "input-required" {
                heard.ask(&result["status"]["message"]["parts"]);
            }
            let last = if result["final"] == true { "!" } else { "" };
            heard.note(&format!("{}{last}", heard.end.clone()));
        }
        other => panic!("{other}"),
    }
}

fn hear_old(heard: &mut Heard, result: &Value) {
    match result["type"].as_str().expect("a type") {
        "task_artifact_update" => heard.update(result),
        "task_status_update" => {
            heard.end = result["status"].as_str().expect("a state").to_owned();
            if heard.end == "input-required" {
                heard.ask(&result["message"]["parts"]);
            }
            heard.note(&heard.end.clone());
        }
        other => panic!("{other}"),
    }
}
