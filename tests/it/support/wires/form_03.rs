//! The JSON form of A2A 0.3, from and to that of 1.0.

use serde_json::{Map, Value, json};

/// A request's params.
pub fn request(mut params: Value) -> Value {
    if let Some(message) = params.get_mut("message") {
        let message = message.as_object_mut().expect("a message");
        message.insert("kind".to_owned(), "message".into());
        if let Some(role) = message.get_mut("role") {
            *role = word("ROLE_", role);
        }
        if let Some(Value::Array(parts)) = message.get_mut("parts") {
            parts.iter_mut().for_each(|part| *part = to_part(part.take()));
        }
    }
    if let Some(configuration) = params.get_mut("configuration") {
        blocking(configuration);
    }
    params
}

/// 0.3 says whether to wait.
pub fn blocking(configuration: &mut Value) {
    let configuration = configuration.as_object_mut().expect("a configuration");
    if let Some(at_once) = configuration.remove("returnImmediately") {
        configuration.insert("blocking".to_owned(), (at_once != true).into());
    }
}

fn to_part(part: Value) -> Value {
    let Value::Object(mut part) = part else { return part };
    let mut file = Map::new();
    for (old, new) in [("raw", "bytes"), ("url", "uri")] {
        if let Some(content) = part.remove(old) {
            file.insert(new.to_owned(), content);
        }
    }
    if file.is_empty() {
        let kind = if part.contains_key("data") { "data" } else { "text" };
        part.insert("kind".to_owned(), kind.into());
        return part.into();
    }
    for (old, new) in [("filename", "name"), ("mediaType", "mimeType")] {
        if let Some(value) = part.remove(old) {
            file.insert(new.to_owned(), value);
        }
    }
    json!({"kind": "file", "file": file})
}

/// A task.
pub fn task(mut task: Value) -> Value {
    taken(&mut task, "kind", "task");
    from_status(&mut task["status"]);
    for artifact in list(&mut task, "artifacts") {
        list(artifact, "parts").iter_mut().for_each(from_part);
    }
    list(&mut task, "history").iter_mut().for_each(from_message);
    task
}

/// A stream's event. `final` is told by the state alone in 1.0, and must agree with it here.
pub fn event(mut event: Value) -> Value {
    match event["kind"].as_str().expect("a kind") {
        "task" => json!({"task": task(event)}),
        "artifact-update" => {
            taken(&mut event, "kind", "artifact-update");
            list(&mut event["artifact"], "parts").iter_mut().for_each(from_part);
            json!({"artifactUpdate": event})
        }
        _ => {
            taken(&mut event, "kind", "status-update");
            let last = event.as_object_mut().expect("an update").remove("final").expect("final");
            from_status(&mut event["status"]);
            check_final(&event, &last);
            json!({"statusUpdate": event})
        }
    }
}

/// Whether an update ends its stream must agree with its state.
pub fn check_final(update: &Value, last: &Value) {
    let ends = ["COMPLETED", "FAILED", "CANCELED", "REJECTED"];
    let state = update["status"]["state"].as_str().expect("a state");
    let is_end = ends.iter().any(|end| state.ends_with(end));
    assert!(*last == is_end || (state.ends_with("INPUT_REQUIRED") && *last == true), "{update}");
}

fn from_status(status: &mut Value) {
    let state = status["state"].as_str().expect("a state").to_uppercase().replace('-', "_");
    status["state"] = format!("TASK_STATE_{state}").into();
    if let Some(message) = status.get_mut("message") {
        from_message(message);
    }
}

fn from_message(message: &mut Value) {
    taken(message, "kind", "message");
    let role = message["role"].as_str().expect("a role").to_uppercase();
    message["role"] = format!("ROLE_{role}").into();
    list(message, "parts").iter_mut().for_each(from_part);
}

fn from_part(part: &mut Value) {
    let members = part.as_object_mut().expect("a part");
    match members.remove("kind").as_ref().and_then(Value::as_str).expect("a kind") {
        "text" => assert!(members["text"].is_string(), "{members:?}"),
        "data" => {
            // 0.3 has no media type for data; that of 1.0 is always this.
            members.insert("mediaType".to_owned(), "application/json".into());
        }
        "file" => {
            let mut file = members.remove("file").expect("a file");
            let file = file.as_object_mut().expect("a file");
            let names = [("bytes", "raw"), ("uri", "url"), ("name", "filename"), ("mimeType", "mediaType")];
            for (old, new) in names {
                if let Some(value) = file.remove(old) {
                    members.insert(new.to_owned(), value);
                }
            }
            assert!(file.is_empty(), "{file:?}");
        }
        other => panic!("a part of kind {other}"),
    }
}

/// Takes away a member that must be there with this value.
fn taken(object: &mut Value, name: &str, value: &str) {
    let found = object.as_object_mut().expect("an object").remove(name);
    assert_eq!(found.as_ref().and_then(Value::as_str), Some(value), "{name} of {object}");
}

/// The elements of a list that may be absent.
fn list<'v>(object: &'v mut Value, name: &str) -> &'v mut [Value] {
    match object.get_mut(name) {
        Some(Value::Array(list)) => list,
        _ => &mut [],
    }
}

/// `user` of `ROLE_USER`; what is none of 1.0's words stays as it is.
fn word(prefix: &str, value: &Value) -> Value {
    match value.as_str().and_then(|name| name.strip_prefix(prefix)) {
        Some(name) => name.to_lowercase().into(),
        None => value.clone(),
    }
}
