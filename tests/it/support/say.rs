//! What clients say beside plain text, and what of an answer tests look at.

use serde_json::{Value, json};

/// The key of the gateway's own metadata.
pub const URI: &str = "urn:dify-a2a-gateway:extension:dify:v1";

/// The params of `SendMessage` with these parts.
pub fn say(parts: Value) -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    json!({"message": {"messageId": id, "role": "ROLE_USER", "parts": parts}})
}

/// The same in a context.
pub fn say_in(context: &str, parts: Value) -> Value {
    let mut params = say(parts);
    params["message"]["contextId"] = context.into();
    params
}

/// The same to a task that waits.
pub fn say_to(task: &Value, parts: Value) -> Value {
    let mut params = say(parts);
    params["message"]["taskId"] = task["id"].clone();
    params
}

/// The params of `message/send` with these parts, to a task if there is one.
pub fn say_03(task: Option<&Value>, parts: Value) -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    let mut message = json!({"kind": "message", "messageId": id, "role": "user", "parts": parts});
    if let Some(task) = task {
        message["taskId"] = task["id"].clone();
    }
    json!({ "message": message })
}

/// The params of `message.send` with these parts.
pub fn say_old(stream: bool, parts: Value) -> Value {
    json!({"messages": [{"role": "user", "parts": parts}], "configuration": {"stream": stream}})
}

/// The state of a task, in the words of 1.0 without their beginning.
pub fn state(task: &Value) -> &str {
    task["status"]["state"].as_str().unwrap_or_else(|| panic!("{task}")).trim_start_matches("TASK_STATE_")
}

/// What the gateway tells of a task beside its answer.
pub fn facts(task: &Value) -> &Value {
    &task["metadata"][URI]
}

/// The artifact of that id.
pub fn artifact<'t>(task: &'t Value, id: &str) -> Option<&'t Value> {
    task["artifacts"].as_array()?.iter().find(|artifact| artifact["artifactId"] == id)
}

/// The ids of a task's artifacts.
pub fn artifact_ids(task: &Value) -> Vec<&str> {
    let artifacts = task["artifacts"].as_array().map(Vec::as_slice).unwrap_or_default();
    artifacts.iter().map(|artifact| artifact["artifactId"].as_str().expect("an id")).collect()
}

/// The fields that an error of 1.0 or 0.3 complains of.
pub fn violations(error: &Value) -> Vec<(String, String)> {
    let details = error["data"].as_array().unwrap_or_else(|| panic!("{error}"));
    let bad = details.iter().find(|detail| detail.get("fieldViolations").is_some());
    pairs(&bad.unwrap_or_else(|| panic!("no violations in {error}"))["fieldViolations"])
}

/// The same of an error of `message.send`.
pub fn violations_old(error: &Value) -> Vec<(String, String)> {
    pairs(&error["data"]["errors"])
}

fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let list = list.as_array().unwrap_or_else(|| panic!("{list}"));
    list.iter().map(|it| (text(&it["field"]), text(&it["description"]))).collect()
}
