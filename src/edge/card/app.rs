//! What the card says of the app itself: its inputs and its memory, as the parameters of our extension for programs and
//! in words for people. A [`Profile`] in.

use serde_json::value::RawValue;

use crate::core::backend::Profile;
use crate::core::message::Json;
use crate::edge::json::{ObjectWriter, write_raw};

/// The parameters of our extension (A2A 1.0 `AgentExtension.params`): `{"inputs": JSON Schema, "textInput": name,
/// "text": false, "memory": false}`, of which only what applies is there; `None` if nothing does.
/// `docs/extensions/dify-v1.md` describes them to clients.
pub(super) fn params(profile: &Profile) -> Option<Json> {
    let mut buf = Vec::new();
    let mut object = ObjectWriter::open(&mut buf);
    let schema = profile.inputs.as_deref().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    if let Some(schema) = schema {
        write_raw(object.member("inputs"), schema);
    }
    object.opt_str("textInput", profile.text_input.as_deref());
    for (name, has) in [("text", profile.takes_text), ("memory", profile.has_memory)] {
        if !has {
            object.boolean(name, false);
        }
    }
    object.close();
    let text = String::from_utf8(buf).ok().filter(|text| text != "{}")?;
    RawValue::from_string(text).ok().map(Json::from)
}

/// What the app does, and what a caller has to know to use it.
pub(super) fn how_to_use(description: &str, profile: &Profile) -> String {
    let mut paragraphs = vec![description.to_owned()];
    if !profile.has_memory {
        paragraphs.push(
            "Each message is a run of its own: the app remembers nothing of earlier ones, and a context only groups \
             its tasks."
                .to_owned(),
        );
    }
    if let Some(name) = &profile.text_input {
        paragraphs.push(format!("The text of a message is the input {name}."));
    } else if !profile.takes_text {
        paragraphs.push("The app takes no text; it works on its inputs alone.".to_owned());
    }
    if !profile.input_lines.is_empty() {
        paragraphs.push(inputs(profile));
    }
    paragraphs.join("\n\n")
}

fn inputs(profile: &Profile) -> String {
    let mut text = "Inputs, as the members of a data part:".to_owned();
    for line in &profile.input_lines {
        text.push_str("\n- ");
        text.push_str(line);
    }
    let more = profile.input_count.saturating_sub(profile.input_lines.len());
    if more > 0 {
        text.push_str(&format!("\n- and {more} more"));
    }
    text
}
