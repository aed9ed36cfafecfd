//! What a card tells of an app: what Dify says of it and what the operator has settled in, a [`Profile`] out.
//!
//! The same app gives the same profile each time, to the letter: the card's entity tag hangs on it. An app's form can be
//! large, so what is told of it is bounded.

use super::operator::Operator;
use super::schema;
use super::text_slot::TextSlot;
use crate::core::accepted::{JSON, TEXT};
use crate::core::backend::Profile;
use crate::dify::app_info::{AppInfo, AppMode};
use crate::dify::file_kind::{self, FileKind};
use crate::dify::form::{Field, FileRules, Kind};
use crate::dify::reason::shorten;

mod example;

/// Most questions taken for examples; a card is no catalogue.
const MAX_QUESTIONS: usize = 10;
/// Longest of these, bytes; longer ones are left out, for a part of a question is none.
const MAX_QUESTION: usize = 2048;
/// Longest description of an input that is told, characters.
const MAX_DESCRIPTION: usize = 500;
/// Longest default that is told, bytes.
const MAX_DEFAULT: usize = 1024;
/// Longest schema of an input's own that is told, bytes.
const MAX_OWN_SCHEMA: usize = 16 * 1024;
/// Longest schema of all inputs, bytes. Clients load a card before each conversation.
const MAX_SCHEMA: usize = 64 * 1024;
/// Most inputs that are told in words.
const MAX_LINES: usize = 40;
/// Longest of these lines, characters.
const MAX_LINE: usize = 300;
/// What Dify's speech is (Dify: `/text-to-audio`).
const SPEECH: &str = "audio/mpeg";
/// What a file is called whose ending has no usual media type.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The app as callers get to see it.
pub fn of(app: &AppInfo, operator: &Operator) -> Profile {
    let slot = operator.slot(app).unwrap_or(TextSlot::Nowhere);
    let text_input = match &slot {
        TextSlot::Input(name) => Some(name.clone()),
        TextSlot::Query | TextSlot::Nowhere | TextSlot::Ambiguous(_) => None,
    };
    let shown = app.form.shown(&operator.locked_inputs);
    let fields: Vec<Field> = shown.map(|field| as_told(field, operator)).collect();
    let words = app.about.suggested_questions.iter().map(|text| text.trim());
    let questions = words
        .filter(|text| !text.is_empty() && text.len() <= MAX_QUESTION)
        .take(MAX_QUESTIONS)
        .map(str::to_owned);
    Profile {
        name: app.about.name.clone(),
        description: app.about.description.clone(),
        tags: app.about.tags.clone(),
        icon_url: app.about.icon_url.clone(),
        opening_statement: app.about.opening_statement.clone(),
        examples: questions.chain(example::of(&fields, text_input.as_deref())).collect(),
        inputs: inputs(&fields),
        input_lines: fields.iter().take(MAX_LINES).map(line).collect(),
        input_count: fields.len(),
        // Nothing is said of a form that Dify has not told.
        takes_text: !app.has_parameters || matches!(slot, TextSlot::Query | TextSlot::Input(_)),
        text_input,
        has_memory: app.mode.has_conversation(),
        input_modes: input_modes(app, &fields),
        output_modes: output_modes(app),
    }
}

/// An input as it is told: nothing has to be given, and Dify's own default does not count, where the operator has set
/// a value.
fn as_told(field: &Field, operator: &Operator) -> Field {
    let is_set = operator.provides(field);
    let kind = match &field.kind {
        Kind::JsonObject { schema } => {
            Kind::JsonObject { schema: schema.clone().filter(|own| own.get().len() <= MAX_OWN_SCHEMA) }
        }
        other => other.clone(),
    };
    Field {
        description: field.description.as_deref().map(|text| shorten(text, MAX_DESCRIPTION)),
        kind,
        required: field.required && !is_set,
        default: field.default.clone().filter(|default| !is_set && default.get().len() <= MAX_DEFAULT),
        ..field.clone()
    }
}

fn inputs(fields: &[Field]) -> Option<String> {
    if fields.is_empty() {
        return None;
    }
    let schema = schema::object(fields);
    (schema.get().len() <= MAX_SCHEMA).then(|| schema.get().to_owned())
}

fn line(field: &Field) -> String {
    let sentence = schema::sentence(field);
    let plain = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    let need = if field.required { " (required)" } else { "" };
    format!("{}{need}", shorten(&plain, MAX_LINE))
}

fn input_modes(app: &AppInfo, fields: &[Field]) -> Vec<String> {
    let mut modes = vec![TEXT.to_owned()];
    if !fields.is_empty() {
        modes.push(JSON.to_owned());
    }
    let of_inputs = fields.iter().filter_map(|field| field.kind.files());
    for rules in app.upload.iter().chain(of_inputs) {
        for media_type in media_types(rules) {
            if !modes.iter().any(|known| known == media_type) {
                modes.push(media_type.to_owned());
            }
        }
    }
    modes
}

/// The media types of the files that these rules let in, as far as they have usual ones.
fn media_types(rules: &FileRules) -> Vec<&'static str> {
    let fits = |name: &str, ending: &str| rules.fit(FileKind::of(Some(name), None), Some(ending)).is_some();
    let mut types: Vec<&str> =
        file_kind::usual().filter(|(name, ending)| fits(name, ending)).map(|(name, _)| name).collect();
    let is_named = |ending: &String| file_kind::usual().any(|(_, usual)| usual == ending);
    let takes_custom = rules.types.is_empty() || rules.types.contains(&FileKind::Custom);
    if takes_custom && !rules.extensions.iter().all(is_named) {
        types.push(UNKNOWN_TYPE);
    }
    types
}

fn output_modes(app: &AppInfo) -> Vec<String> {
    let mut modes = vec![TEXT];
    if app.mode == AppMode::Workflow || app.features.retriever_resource {
        modes.push(JSON);
    }
    if app.features.text_to_speech.is_some() {
        modes.push(SPEECH);
    }
    modes.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
