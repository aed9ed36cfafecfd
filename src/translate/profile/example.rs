//! An example of the inputs of an app: fields in, the JSON text of a data part that the app would take out.
//!
//! It is made of defaults, options and labels, and the same each time.

use super::super::input_rules;
use super::super::inputs;
use crate::core::message::Json;
use crate::dify::file_kind::FileKind;
use crate::dify::form::{Field, FileRules, Kind, Method};

/// Longest example, bytes; a longer one shows nothing any more.
const MAX_EXAMPLE: usize = 2048;
/// Most characters of a text in it.
const MAX_TEXT: usize = 60;
/// Where the example's files are: a host that is nobody's (RFC 2606).
const FILES: &str = "https://example.com/file.";

/// An example that holds what is required, and what has a default or options; none if a message without one does as
/// well, or if there is no telling what the app would take.
pub(super) fn of(fields: &[Field], text_input: Option<&str>) -> Option<String> {
    let is_telling = |field: &&Field| {
        field.required || field.default.is_some() || matches!(field.kind, Kind::Select { .. })
    };
    let is_said = |field: &&Field| text_input == Some(&field.variable);
    let mut told: Vec<&Field> = fields.iter().filter(is_telling).collect();
    if told.iter().all(is_said) {
        told = fields.iter().filter(|field| field.required || field.kind.files().is_none()).collect();
    }
    // All that it would show goes into a text part.
    if told.iter().all(is_said) {
        return None;
    }
    let mut members = Vec::new();
    for field in told {
        match value(field) {
            Some(json) => members.push((field.variable.clone(), json)),
            None if field.required => return None,
            None => {}
        }
    }
    let text = inputs::to_object(&members).get().to_owned();
    (!members.is_empty() && text.len() <= MAX_EXAMPLE).then_some(text)
}

/// A value that Dify takes and that is of the property's own type in the schema.
fn value(field: &Field) -> Option<Json> {
    let own = match &field.kind {
        Kind::Text { max_length } | Kind::Paragraph { max_length } => {
            field.default.clone().or_else(|| Some(input_rules::json(&words(field, *max_length))))
        }
        Kind::Select { options } => {
            let default = field.default.clone().filter(|default| input_rules::check(field, default).is_ok());
            default.or_else(|| options.first().map(|option| input_rules::json(option)))
        }
        Kind::Number => {
            let given = field.default.as_ref().map(|default| default.get());
            given.filter(|text| !text.starts_with('"')).or(Some("1")).and_then(raw)
        }
        Kind::Checkbox => {
            let given = field.default.as_ref().map(|default| default.get());
            given.filter(|text| matches!(*text, "true" | "false")).or(Some("true")).and_then(raw)
        }
        Kind::JsonObject { .. } => field.default.clone().or_else(|| raw("{}")),
        Kind::File(rules) => file(rules),
        Kind::FileList(rules) => raw(&format!("[{}]", file(rules)?.get())),
        Kind::Other(_) => field.default.clone(),
    };
    own.filter(|json| matches!(input_rules::check(field, json), Ok(Some(_))))
}

/// The label, as much of it as the input takes.
fn words(field: &Field, max_length: Option<u64>) -> String {
    let most =
        max_length.and_then(|most| usize::try_from(most).ok()).map_or(MAX_TEXT, |most| most.min(MAX_TEXT));
    field.label.chars().take(most).collect()
}

/// A file by its address, where the input takes such.
fn file(rules: &FileRules) -> Option<Json> {
    let (kind, ending) = [
        (FileKind::Document, "pdf"),
        (FileKind::Image, "png"),
        (FileKind::Audio, "mp3"),
        (FileKind::Video, "mp4"),
    ]
    .into_iter()
    .map(|(kind, ending)| (kind, ending.to_owned()))
    .chain(rules.extensions.first().map(|ending| (FileKind::Custom, ending.clone())))
    .find(|(kind, ending)| rules.fit(*kind, Some(ending)) == Some(*kind))?;
    let url = input_rules::json(&format!("{FILES}{ending}"));
    let (kind, method) = (kind.name(), Method::RemoteUrl.name());
    raw(&format!(r#"{{"type":"{kind}","transfer_method":"{method}","url":{}}}"#, url.get()))
}

fn raw(text: &str) -> Option<Json> {
    serde_json::value::RawValue::from_string(text.to_owned()).ok().map(Json::from)
}
