//! What a run says in Dify's form: what happens goes in, a frame comes out.

use axum::body::Bytes;
use serde_json::{Map, Value, json};

use crate::app::App;

/// When everything happens, Unix seconds.
const AT: u64 = 1_795_310_829;

/// Until when forms can be filled in.
const UNTIL: u64 = 4_102_444_800;

/// The one thing that is to be filled in in a form.
pub const FIELD: &str = "reply";

/// The one thing that can be chosen.
pub const ACTION: &str = "go_on";

pub const PING: &str = "event: ping\n\n";

/// The names that a run has.
pub struct Ids {
    pub run: String,
    pub task: String,
    pub message: String,
    pub conversation: String,
}

/// A form that waits.
#[derive(Clone)]
pub struct Form {
    pub id: String,
    pub token: String,
}

impl Form {
    /// What it asks.
    pub fn asked(&self) -> Map<String, Value> {
        let field = json!({"output_variable_name": FIELD, "type": "paragraph", "default": null});
        let action = json!({"id": ACTION, "title": "Go on", "button_style": "primary"});
        let form = json!({
            "form_content": format!("What next? {{{{#$output.{FIELD}#}}}}"), "inputs": [field],
            "resolved_default_values": {}, "expiration_time": UNTIL, "actions": [action],
        });
        members(form)
    }

    fn of_node(&self) -> Value {
        let names = json!({
            "form_id": self.id, "form_token": self.token, "node_id": "human", "node_title": "Ask",
            "display_in_ui": true, "TYPE": "human_input_required",
        });
        joined([members(names), self.asked()])
    }
}

/// A frame of the run.
fn frame(app: App, ids: &Ids, event: &str, more: Value) -> Bytes {
    let mut head = members(json!({"event": event, "task_id": ids.task, "workflow_run_id": ids.run}));
    if app == App::Chatflow {
        let of_message =
            json!({"conversation_id": ids.conversation, "message_id": ids.message, "created_at": AT});
        head.extend(members(of_message));
    }
    format!("data: {}\n\n", joined([head, members(more)])).into()
}

pub fn started(app: App, ids: &Ids, reason: &str) -> Bytes {
    let data =
        json!({"id": ids.run, "workflow_id": ids.run, "inputs": {}, "created_at": AT, "reason": reason});
    frame(app, ids, "workflow_started", json!({ "data": data }))
}

pub fn piece(app: App, ids: &Ids, text: &str) -> Bytes {
    match app {
        App::Chatflow => frame(app, ids, "message", json!({"id": ids.message, "answer": text})),
        App::Workflow => {
            let data = json!({"text": text, "from_variable_selector": ["answer", "text"]});
            frame(app, ids, "text_chunk", json!({ "data": data }))
        }
    }
}

/// What was said so far, for those who join later. There is none for workflows.
pub fn so_far(ids: &Ids, answer: &str) -> Bytes {
    frame(App::Chatflow, ids, "message_replace", json!({"answer": answer, "reason": ""}))
}

/// The two frames with which a run begins to wait.
pub fn paused(app: App, ids: &Ids, form: &Form) -> [Bytes; 2] {
    let data = json!({
        "workflow_run_id": ids.run, "paused_nodes": ["human"], "outputs": {}, "reasons": [form.of_node()],
        "status": "paused", "created_at": AT, "elapsed_time": 0.2, "total_tokens": 0, "total_steps": 2,
    });
    [
        frame(app, ids, "human_input_required", json!({ "data": form.of_node() })),
        frame(app, ids, "workflow_paused", json!({ "data": data })),
    ]
}

pub fn filled(app: App, ids: &Ids) -> Bytes {
    let data = json!({
        "node_id": "human", "node_title": "Ask", "rendered_content": "What next?", "action_id": ACTION,
        "action_text": "Go on",
    });
    frame(app, ids, "human_input_form_filled", json!({ "data": data }))
}

pub fn message_end(ids: &Ids, files: &[Value]) -> Bytes {
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8});
    let metadata = json!({"annotation_reply": null, "retriever_resources": [], "usage": usage});
    frame(App::Chatflow, ids, "message_end", json!({"id": ids.message, "metadata": metadata, "files": files}))
}

pub fn finished(
    app: App,
    ids: &Ids,
    (status, error): (&str, Option<&str>),
    outputs: &Value,
    files: &[Value],
) -> Bytes {
    let data = json!({
        "id": ids.run, "workflow_id": ids.run, "status": status, "outputs": outputs, "error": error,
        "elapsed_time": 0.4, "total_tokens": 8, "total_steps": 2, "created_at": AT, "finished_at": AT,
        "exceptions_count": 0, "files": files,
    });
    frame(app, ids, "workflow_finished", json!({ "data": data }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn joined<const N: usize>(objects: [Map<String, Value>; N]) -> Value {
    Value::Object(objects.into_iter().flatten().collect())
}
