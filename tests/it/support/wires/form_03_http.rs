//! The form that A2A 0.3 has over HTTP and gRPC, ProtoJSON of its package `a2a.v1`, from and to the form of 1.0. Names
//! that are not expected here fail, as they do in the clients that parse strictly.

use serde_json::{Map, Value, json};

use super::form_03;

/// A request's body.
pub fn request(mut params: Value) -> Value {
    if let Some(Value::Object(message)) = params.get_mut("message")
        && let Some(mut parts) = message.remove("parts")
    {
        if let Value::Array(parts) = &mut parts {
            parts.iter_mut().for_each(|part| *part = to_part(part.take()));
        }
        message.insert("content".to_owned(), parts);
    }
    // `false`, the default, is absent in ProtoJSON: a client that waits says so.
    let configuration = params.as_object_mut().expect("params").entry("configuration").or_insert(json!({}));
    if let Some(configuration) = configuration.as_object_mut() {
        configuration.entry("returnImmediately").or_insert(false.into());
    }
    form_03::blocking(configuration);
    params
}

fn to_part(part: Value) -> Value {
    let Value::Object(mut part) = part else { return part };
    let mut file = Map::new();
    for (old, new) in [("raw", "fileWithBytes"), ("url", "fileWithUri")] {
        if let Some(content) = part.remove(old) {
            file.insert(new.to_owned(), content);
        }
    }
    if file.is_empty() {
        if let Some(data) = part.get_mut("data") {
            *data = json!({"data": data.take()});
        }
        return part.into();
    }
    for (old, new) in [("filename", "name"), ("mediaType", "mimeType")] {
        if let Some(value) = part.remove(old) {
            file.insert(new.to_owned(), value);
        }
    }
    json!({"file": file})
}

/// A task.
pub fn task(task: Value) -> Value {
    members(task, "a task", |name, value| match name {
        "id" | "contextId" | "metadata" => Some(value),
        "status" => Some(status(value)),
        "artifacts" => Some(each(value, artifact)),
        "history" => Some(each(value, message)),
        _ => None,
    })
}

/// A stream's event.
pub fn event(event: Value) -> Value {
    members(event, "an event", |name, value| match name {
        "task" => Some(task(value)),
        "artifactUpdate" => Some(members(value, "an artifact's update", |name, value| match name {
            "taskId" | "contextId" | "append" | "lastChunk" | "metadata" => Some(value),
            "artifact" => Some(artifact(value)),
            _ => None,
        })),
        "statusUpdate" => Some(status_update(value)),
        _ => None,
    })
}

fn status_update(mut update: Value) -> Value {
    let last = update.as_object_mut().expect("an update").remove("final").unwrap_or(false.into());
    let update = members(update, "a status update", |name, value| match name {
        "taskId" | "contextId" | "metadata" => Some(value),
        "status" => Some(status(value)),
        _ => None,
    });
    form_03::check_final(&update, &last);
    update
}

fn status(value: Value) -> Value {
    members(value, "a status", |name, value| match name {
        "timestamp" => Some(value),
        "state" if value == "TASK_STATE_CANCELLED" => Some("TASK_STATE_CANCELED".into()),
        "state" if value == "TASK_STATE_CANCELED" => None,
        "state" => Some(value),
        "message" => Some(message(value)),
        _ => None,
    })
}

fn artifact(value: Value) -> Value {
    members(value, "an artifact", |name, value| match name {
        "artifactId" | "name" | "description" | "metadata" | "extensions" => Some(value),
        "parts" => Some(each(value, part)),
        _ => None,
    })
}

fn message(mut value: Value) -> Value {
    let content = value.as_object_mut().expect("a message").remove("content").expect("content");
    let mut said = members(value, "a message", |name, value| match name {
        "messageId" | "contextId" | "taskId" | "role" | "metadata" | "extensions" => Some(value),
        _ => None,
    });
    said["parts"] = each(content, part);
    said
}

fn part(value: Value) -> Value {
    let mut said = Map::new();
    for (name, mut value) in object(value) {
        match name.as_str() {
            "text" | "metadata" => drop(said.insert(name, value)),
            "data" => {
                said.insert(name, value["data"].take());
                said.insert("mediaType".to_owned(), "application/json".into());
            }
            "file" => {
                for (name, value) in object(value) {
                    let name = match name.as_str() {
                        "fileWithBytes" => "raw",
                        "fileWithUri" => "url",
                        "name" => "filename",
                        "mimeType" => "mediaType",
                        other => panic!("{other} in a file"),
                    };
                    said.insert(name.to_owned(), value);
                }
            }
            other => panic!("{other} in a part"),
        }
    }
    said.into()
}

/// The same object with each member read; a member that is not known fails.
fn members(value: Value, what: &str, read: impl Fn(&str, Value) -> Option<Value>) -> Value {
    let members = object(value).into_iter().map(|(name, value)| {
        let read = read(&name, value.clone()).unwrap_or_else(|| panic!("{name}: {value} in {what}"));
        (name, read)
    });
    Value::Object(members.collect())
}

fn each(list: Value, read: impl Fn(Value) -> Value) -> Value {
    let Value::Array(list) = list else { panic!("no list: {list}") };
    list.into_iter().map(read).collect()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("no object: {value}") };
    members
}
