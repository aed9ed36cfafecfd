//! What a task that waits asks of its caller: missing inputs or people's forms in, the parts of a status message out.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::schema;
use crate::core::event::Ask;
use crate::core::message::{Json, Part};
use crate::dify::form::Field;
use crate::dify::human::HumanForm;

/// A form with the number that callers know it by.
#[derive(Clone, Debug, serde::Deserialize, Serialize)]
pub struct Numbered {
    /// From 1, the same for as long as the task lives.
    pub number: u32,
    /// The form.
    pub form: HumanForm,
}

/// Asks for inputs that the app needs and nobody has given: a text, and `{"inputs": JSON Schema}`.
pub fn for_inputs(missing: &[&Field]) -> Ask {
    #[derive(Serialize)]
    struct Data<'a> {
        inputs: &'a RawValue,
    }
    let schema = schema::object(missing.iter().copied());
    let text = format!("{}\n\n{}", schema::ask(missing), how_to_give(missing));
    let mut parts = vec![Part::text(text)];
    parts.extend(data(&Data { inputs: &schema }));
    Ask { parts }
}

fn how_to_give(missing: &[&Field]) -> String {
    let files = missing.iter().filter(|field| field.kind.files().is_some()).count();
    let whole = "Answer with a message that names this task and has a data part with these values";
    match (missing, files) {
        ([only], 0) => format!("{whole}, or just the text for {}.", only.variable),
        ([_], _) => "Answer with a message that names this task and has the file as a part.".to_owned(),
        (_, 0) => format!("{whole}."),
        (_, _) => format!("{whole}, and the files as parts of their own."),
    }
}

/// Asks for answers to forms: the text of each with a hint how to answer, and for each a data part `{"form", "title",
/// "inputs": JSON Schema, "actions", "defaults", "expiresAt"}`. `before` is said first.
pub fn for_forms(forms: &[Numbered], before: Option<&str>) -> Ask {
    let is_one = forms.len() == 1;
    let mut text = before.map(|before| format!("{before}\n\n")).unwrap_or_default();
    for (index, numbered) in forms.iter().enumerate() {
        if index > 0 {
            text.push_str("\n\n");
        }
        if !is_one {
            text.push_str(&format!("Form {}: ", numbered.number));
        }
        text.push_str(&numbered.form.text());
        text.push_str("\n\n");
        text.push_str(&how_to_answer(numbered, is_one));
    }
    let mut parts = vec![Part::text(text)];
    parts.extend(forms.iter().filter(|numbered| numbered.form.is_answerable()).filter_map(form_data));
    Ask { parts }
}

/// Asks for nothing that the caller could give: the run waits for people elsewhere.
pub fn for_others(reasons: &[String]) -> Ask {
    let mut text = "The run is paused and waits for something outside of this channel".to_owned();
    if !reasons.is_empty() {
        text.push_str(&format!(" ({})", reasons.join(", ")));
    }
    text.push_str(". It goes on by itself when that has happened.");
    Ask { parts: vec![Part::text(text)] }
}

fn how_to_answer(numbered: &Numbered, is_one: bool) -> String {
    let form = &numbered.form;
    if form.actions.is_empty() {
        return "This form has no action to choose, so it cannot be answered here; the task goes on by itself once the \
                form is closed."
            .to_owned();
    }
    if !form.is_answerable() {
        return "This is answered by a person outside of this channel, such as by e-mail; the task goes on by itself \
                then."
            .to_owned();
    }
    let actions: Vec<&str> = form.actions.iter().map(|action| action.id.as_str()).collect();
    let mut example = format!("{{\"action\": {:?}, \"inputs\": {{…}}", actions.first().unwrap_or(&""));
    if form.fields.is_empty() {
        example = format!("{{\"action\": {:?}", actions.first().unwrap_or(&""));
    }
    if !is_one {
        example.push_str(&format!(", \"form\": {}", numbered.number));
    }
    let mut hint = format!(
        "To answer, send a message that names this task and has a data part {example}}} (actions: {})",
        actions.join(", ")
    );
    match form.text_hint().filter(|_| is_one) {
        Some(text) => hint.push_str(&format!(", or {text}.")),
        None => hint.push('.'),
    }
    hint
}

fn form_data(numbered: &Numbered) -> Option<Part> {
    #[derive(Serialize)]
    struct Action<'a> {
        id: &'a str,
        title: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Data<'a, S> {
        form: u32,
        title: &'a str,
        inputs: S,
        actions: Vec<Action<'a>>,
        #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
        defaults: serde_json::Map<String, serde_json::Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
    }
    let form = &numbered.form;
    let defaults = form.fields.iter().filter_map(|field| {
        let default = form.default_of(field)?;
        Some((field.name.clone(), default.into()))
    });
    let actions = form.actions.iter().map(|action| Action { id: &action.id, title: &action.title });
    let expires = form.expiration_time.and_then(|seconds| i64::try_from(seconds).ok());
    let expires = expires.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    data(&Data {
        form: numbered.number,
        title: &form.node_title,
        inputs: form.schema(),
        actions: actions.collect(),
        defaults: defaults.collect(),
        expires_at: expires.map(|at| format!("{at:.3}")),
    })
}

/// A data part. What is written here always has a JSON form.
fn data(value: &impl Serialize) -> Option<Part> {
    to_raw_value(value).ok().map(|json| Part::data(Json::from(json)))
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
