//! A plain reading of recorded streams, which the gateway's is compared with.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What a recording says, plainly read.
pub struct Plain {
    /// What a person reads in Dify.
    pub text: String,
    /// A workflow's outputs, as they are written.
    pub outputs: Option<String>,
    /// The forms that it waits for.
    pub forms: Vec<Value>,
}

#[derive(Deserialize)]
struct Finished<'a> {
    #[serde(borrow)]
    data: Outputs<'a>,
}

#[derive(Deserialize)]
struct Outputs<'a> {
    #[serde(borrow)]
    pub outputs: &'a RawValue,
}

/// Deltas joined, rounds of an agent on lines of their own, replacements in their place, thoughts apart; the run's own
/// answer, or a workflow's only text, only where nothing was streamed.
pub fn plain_reading(body: Vec<u8>, mode: &str) -> Plain {
    let body = String::from_utf8(body).expect("UTF-8");
    let mut plain = Plain { text: String::new(), outputs: None, forms: Vec::new() };
    let (mut answer, mut fallback) = (String::new(), String::new());
    let (mut round, mut streamed) = (0, false);
    let mut new_round = false;
    for line in body.split('\n').filter_map(|line| line.strip_prefix("data: ")) {
        let frame: Value = serde_json::from_str(line).expect("JSON");
        let said = frame["answer"].as_str().or(frame["data"]["text"].as_str()).unwrap_or("");
        match frame["event"].as_str().expect("an event") {
            "agent_thought" => {
                let position = frame["position"].as_u64().unwrap_or(0);
                new_round |= position > round && !answer.is_empty();
                round = round.max(position);
            }
            "message" | "agent_message" | "text_chunk" if !said.is_empty() => {
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
            "human_input_required" => plain.forms.push(frame["data"].clone()),
            "workflow_finished" => {
                let outputs = &frame["data"]["outputs"];
                let texts: Vec<&str> = outputs
                    .as_object()
                    .into_iter()
                    .flat_map(|all| all.values().filter_map(Value::as_str))
                    .collect();
                fallback = match (mode, texts.as_slice()) {
                    ("workflow", [only]) => (*only).to_owned(),
                    ("workflow", _) => String::new(),
                    _ => outputs["answer"].as_str().unwrap_or("").to_owned(),
                };
                let succeeded = frame["data"]["status"].as_str().is_some_and(|it| it.ends_with("succeeded"));
                if mode == "workflow" && succeeded {
                    let finished: Finished<'_> = serde_json::from_str(line).expect("outputs");
                    plain.outputs = Some(finished.data.outputs.get().to_owned());
                }
            }
            _ => {}
        }
    }
    if !streamed {
        answer = fallback;
    }
    plain.text = match (answer.find("<think>"), answer.find("</think>")) {
        (Some(from), Some(to)) => {
            let after = answer[to + "</think>".len()..].trim_start();
            format!("{}{after}", &answer[..from])
        }
        _ => answer,
    };
    plain
}

/// The outputs with references in the place of files, plainly made.
pub fn referred(outputs: &Value, count: &mut usize) -> Value {
    match outputs {
        Value::Object(file) if file.contains_key("dify_model_identity") => {
            *count += 1;
            json!({"artifactId": format!("file-{count}"), "filename": file["filename"],
                "mediaType": file["mime_type"], "size": file["size"]})
        }
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), referred(value, count))).collect()
        }
        Value::Array(list) => list.iter().map(|value| referred(value, count)).collect(),
        other => other.clone(),
    }
}
