//! What is left of an answer once all that differs from call to call is named anew.

use std::collections::HashMap;

use serde_json::{Value, json};

/// The answer with ids in order of appearance, without times, and with all numbers as doubles, since gRPC has no others.
pub fn plain(answer: &Value) -> Value {
    Plain::default().of("", answer)
}

/// The same of a stream, pieces of one text joined.
pub fn plain_stream(events: &[Value]) -> Vec<Value> {
    let mut plain = Plain::default();
    joined(events).iter().map(|event| plain.of("", event)).collect()
}

/// The events with neighbouring pieces of one text as one: how many there are depends on who is faster.
fn joined(events: &[Value]) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for event in events {
        let update = &event["artifactUpdate"];
        let is_piece = update["append"] == true && update["lastChunk"] != true;
        let id = &update["artifact"]["artifactId"];
        if is_piece
            && let Some(before) = all.last_mut().map(|before| &mut before["artifactUpdate"])
            && before["artifact"]["artifactId"] == *id
            && before["lastChunk"] != true
        {
            let text = [&before["artifact"]["parts"][0]["text"], &update["artifact"]["parts"][0]["text"]];
            let text: String = text.map(|text| text.as_str().expect("text")).concat();
            before["artifact"]["parts"][0]["text"] = text.into();
            continue;
        }
        all.push(event.clone());
    }
    all
}

/// Where two values differ first, and how.
pub fn difference(at: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
            names.sort();
            let null = Value::Null;
            names.into_iter().find_map(|name| {
                let values = [one, other].map(|object| object.get(name).unwrap_or(&null));
                difference(&format!("{at}/{name}"), values[0], values[1])
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(index, (one, other))| difference(&format!("{at}/{index}"), one, other))
        }
        _ => (one != other).then(|| format!("at {at}\n{one}\ninstead of\n{other}")),
    }
}

#[derive(Default)]
struct Plain {
    names: HashMap<String, String>,
}

impl Plain {
    fn of(&mut self, name: &str, value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                // In order of their names, so that ids are met in the same order everywhere.
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_by_key(|(name, _)| *name);
                // A part with data is of one media type, and 0.3 does not say so.
                let is_data = members.contains_key("data");
                let kept = sorted.into_iter().filter(|(_, value)| !value.is_null());
                let kept = kept.filter(|(name, _)| !(is_data && *name == "mediaType"));
                kept.map(|(name, value)| (name.clone(), self.of(name, value))).collect()
            }
            Value::Array(list) => list.iter().map(|value| self.of(name, value)).collect(),
            Value::String(text) if is_id(text) => self.named(text).into(),
            Value::String(_) if matches!(name, "timestamp" | "expiresAt" | "nextPageToken") => json!("…"),
            Value::String(text) if name == "url" => {
                let id = text.rsplit('/').next().unwrap_or_default().to_owned();
                text.replace(&id, &self.named(&id)).replace(char::is_numeric, "#").into()
            }
            Value::Number(_) if matches!(name, "elapsedMs" | "latency" | "timeToFirstToken") => json!("…"),
            Value::Number(number) => json!(number.as_f64().expect("a number")),
            other => other.clone(),
        }
    }

    fn named(&mut self, id: &str) -> String {
        let next = format!("id-{}", self.names.len() + 1);
        self.names.entry(id.to_owned()).or_insert(next).clone()
    }
}

/// Whether a text is an id that somebody drew.
fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok()
}
