//! Dify's rules for the values of inputs: one value in, and out comes what Dify is to get, or what is wrong with it.
//!
//! Dify: `core/app/apps/base_app_generator.py` `_validate_inputs` and `factories/file_factory`. Where Dify lets values
//! pass that mean nothing (a checkbox that is `"maybe"`), they are refused here.

use std::collections::BTreeMap;

use jsonschema::PatternOptions;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;
use uuid::Uuid;

use crate::core::message::Json;
use crate::dify::file_kind::{self, FileKind};
use crate::dify::form::{Field, FileRules, Kind, Method};
use crate::dify::mend;
use crate::dify::reason::shorten;

/// Most characters of a schema's complaint that are repeated: it may quote the value.
const LONGEST_COMPLAINT: usize = 200;
/// Most bytes of memory for one compiled pattern of an app's schema.
const LARGEST_PATTERN: usize = 1 << 20;
/// Most options that are listed to a caller who chose another one.
const MOST_LISTED: usize = 20;

/// What is wrong with a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    /// Where inside the value, such as `[2].url`; empty for the whole of it.
    pub(super) at: String,
    /// What is wrong and what is allowed.
    pub(super) what: String,
}

impl Fault {
    fn whole(what: impl Into<String>) -> Self {
        Self { at: String::new(), what: what.into() }
    }

    fn inside(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

/// Checks a value for an input.
///
/// `None` is a value that counts as none: `null`, and `""` where the input takes no text. What is given back is
/// verbatim, except for the words for yes and no, which become `true` and `false`.
pub(super) fn check(field: &Field, value: &Json) -> Result<Option<Json>, Fault> {
    let raw = value.get();
    let takes_text = field.kind.is_text() || matches!(field.kind, Kind::Select { .. } | Kind::Other(_));
    let is_blank = || raw.starts_with('"') && read_text(value).is_some_and(|text| text.trim().is_empty());
    if raw == "null" || (!takes_text && is_blank()) {
        return Ok(None);
    }
    match &field.kind {
        Kind::Text { max_length } | Kind::Paragraph { max_length } => text(value, *max_length),
        Kind::Select { options } => select(value, options),
        Kind::Number => number(value),
        Kind::Checkbox => checkbox(value),
        Kind::JsonObject { schema } => object(value, schema.as_ref()),
        Kind::File(rules) => file(value, rules),
        Kind::FileList(rules) => file_list(value, rules),
        Kind::Other(_) => Ok(value.clone()),
    }
    .map(Some)
}

/// The text of a JSON string; lone halves of characters become U+FFFD.
fn read_text(value: &RawValue) -> Option<String> {
    mend::read(value.get())
}

fn text(value: &Json, max_length: Option<u64>) -> Result<Json, Fault> {
    let text = read_text(value).ok_or_else(|| Fault::whole("must be a string"))?;
    // Python's `len` counts code points. Dify says "less than", and means "at most".
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    match max_length {
        Some(most) if length > most => {
            Err(Fault::whole(format!("must have at most {most} characters, and has {length}")))
        }
        Some(_) | None => Ok(well_formed(value, &text)),
    }
}

/// The value itself, or the mended text where Dify could not keep what is in it.
fn well_formed(value: &Json, text: &str) -> Json {
    if serde_json::from_str::<String>(value.get()).is_ok() { value.clone() } else { json(text) }
}

fn select(value: &Json, options: &[String]) -> Result<Json, Fault> {
    let text = read_text(value).ok_or_else(|| Fault::whole("must be a string"))?;
    if options.contains(&text) {
        return Ok(value.clone());
    }
    let mut names: Vec<String> =
        options.iter().take(MOST_LISTED).map(|option| format!("{option:?}")).collect();
    if options.len() > MOST_LISTED {
        names.push("…".to_owned());
    }
    Err(Fault::whole(format!("must be one of: {}", names.join(", "))))
}

fn number(value: &Json) -> Result<Json, Fault> {
    let is_number = match value.get().as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => true,
        Some(b'"') => read_text(value).is_some_and(|text| is_python_number(text.trim())),
        _ => false,
    };
    if is_number { Ok(value.clone()) } else { Err(Fault::whole("must be a number")) }
}

/// Whether Python makes a number of the text as Dify asks it to: `float` if there is a point in it, else `int`.
fn is_python_number(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some((whole, rest)) = bare.split_once('.') else { return is_digits(bare) };
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let exponent_fits = exponent.is_none_or(|text| is_digits(text.strip_prefix(['+', '-']).unwrap_or(text)));
    let optional = |digits: &str| digits.is_empty() || is_digits(digits);
    exponent_fits && optional(whole) && optional(fraction) && !(whole.is_empty() && fraction.is_empty())
}

/// Digits, with single underscores between them.
fn is_digits(text: &str) -> bool {
    text.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()))
}

fn checkbox(value: &Json) -> Result<Json, Fault> {
    let is_on = match value.get() {
        "true" => Some(true),
        "false" => Some(false),
        raw if raw.starts_with('"') => {
            let word = read_text(value).unwrap_or_default().trim().to_lowercase();
            match word.as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            }
        }
        raw => match raw.parse::<f64>() {
            Ok(1.0) => Some(true),
            Ok(0.0) => Some(false),
            Ok(_) | Err(_) => None,
        },
    };
    match is_on {
        Some(true) => Ok(RawValue::TRUE.to_owned().into()),
        Some(false) => Ok(RawValue::FALSE.to_owned().into()),
        None => Err(Fault::whole("must be true or false")),
    }
}

fn object(value: &Json, schema: Option<&Json>) -> Result<Json, Fault> {
    if !value.get().starts_with('{') {
        return Err(Fault::whole("must be a JSON object"));
    }
    match schema {
        Some(schema) => matches_schema(value, schema).map(|()| value.clone()),
        None => Ok(value.clone()),
    }
}

/// Holds a value against the app's schema (Dify: draft 7, without formats). A schema that cannot be used, or refers to
/// other documents, is left to Dify.
fn matches_schema(value: &RawValue, schema: &RawValue) -> Result<(), Fault> {
    let Ok(schema) = serde_json::from_str::<Value>(schema.get()) else { return Ok(()) };
    let patterns = PatternOptions::regex().size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_PATTERN);
    let options = jsonschema::draft7::options().with_pattern_options(patterns).should_validate_formats(false);
    let Ok(validator) = options.build(&schema) else { return Ok(()) };
    let value: Value = serde_json::from_str(value.get())
        .map_err(|_| Fault::whole("has text or numbers that cannot be held against the app's schema"))?;
    let Err(error) = validator.validate(&value) else { return Ok(()) };
    let place = error.instance_path().to_string();
    let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
    let complaint = shorten(&error.to_string(), LONGEST_COMPLAINT);
    Err(Fault::whole(format!("does not match the app's schema{place}: {complaint}")))
}

fn file(value: &Json, rules: &FileRules) -> Result<Json, Fault> {
    if !value.get().starts_with('{') {
        return Err(Fault::whole(
            "must be one file: a file part, or an object such as \
             {\"type\":\"document\",\"transfer_method\":\"remote_url\",\"url\":\"https://…\"}",
        ));
    }
    mapping(value, rules, "").map(|()| value.clone())
}

fn file_list(value: &Json, rules: &FileRules) -> Result<Json, Fault> {
    let items: Option<Vec<&RawValue>> = serde_json::from_str(value.get()).ok();
    let items = items
        .filter(|items| items.iter().all(|item| item.get().starts_with('{')))
        .ok_or_else(|| Fault::whole("must be a list of files: file parts, or a list of objects"))?;
    if let Some(most) = rules.max_count
        && items.len() > usize::try_from(most).unwrap_or(usize::MAX)
    {
        return Err(Fault::whole(format!("must have at most {most} files, and has {}", items.len())));
    }
    for (index, item) in items.iter().enumerate() {
        mapping(item, rules, &format!("[{index}]"))?;
    }
    Ok(value.clone())
}

/// A file as Dify is told of it.
#[derive(Deserialize)]
struct Mapping {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    transfer_method: Option<String>,
    #[serde(default)]
    upload_file_id: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    remote_url: Option<String>,
}

/// The addresses of the files that a checked value describes. `None` if one of them is not an address but an upload.
pub(super) fn links(value: &RawValue) -> Option<Vec<String>> {
    let items: Vec<Box<RawValue>> = match value.get().starts_with('[') {
        true => mend::read(value.get())?,
        false => vec![value.to_owned()],
    };
    let link = |item: &RawValue| {
        let members = mend::read::<BTreeMap<String, Value>>(item.get())?;
        let mapping = serde_json::from_value::<Mapping>(Value::from_iter(members)).ok()?;
        let is_link = mapping.transfer_method.as_deref() == Some(Method::RemoteUrl.name());
        mapping.url.filter(|url| !url.is_empty()).or(mapping.remote_url).filter(|_| is_link)
    };
    items.iter().map(|item| link(item)).collect()
}

fn mapping(value: &RawValue, rules: &FileRules, at: &str) -> Result<(), Fault> {
    let fault = |member: &str, what: String| Err(Fault::inside(format!("{at}{member}"), what));
    let Some(members) = mend::read::<BTreeMap<String, Value>>(value.get())
        .and_then(|members| serde_json::from_value::<Mapping>(Value::from_iter(members)).ok())
    else {
        return fault("", "must be an object whose members are strings".to_owned());
    };
    let method = match members.transfer_method.as_deref().filter(|name| !name.is_empty()) {
        None => return fault(".transfer_method", "is required: local_file or remote_url".to_owned()),
        Some(name) => match Method::from_name(name) {
            Some(method) => method,
            None => return fault(".transfer_method", "must be local_file or remote_url".to_owned()),
        },
    };
    if !rules.allows(method) {
        return fault(".transfer_method", format!("{} is not allowed by the app", method.name()));
    }
    let mut ending = None;
    match method {
        Method::LocalFile => {
            if members.upload_file_id.is_none_or(|id| Uuid::parse_str(&id).is_err()) {
                return fault(".upload_file_id", "must be the id of an uploaded file".to_owned());
            }
        }
        Method::RemoteUrl => {
            let url = members.url.filter(|url| !url.is_empty()).or(members.remote_url).unwrap_or_default();
            match Url::parse(&url) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => {
                    ending = file_kind::ending(None, Some(url.path()));
                }
                Ok(_) | Err(_) => return fault(".url", "must be an http or https address".to_owned()),
            }
        }
    }
    let allowed = |kind: FileKind| rules.types.is_empty() || rules.types.contains(&kind);
    let name = members.kind.as_deref().unwrap_or("custom");
    let is_allowed = match FileKind::from_name(name) {
        None => false,
        // Dify knows the ending of what was uploaded; here it is not known.
        Some(FileKind::Custom) => {
            let listed = |ending: &String| rules.extensions.contains(ending);
            allowed(FileKind::Custom) && ending.as_ref().map_or(!rules.extensions.is_empty(), listed)
        }
        Some(kind) => allowed(kind),
    };
    if is_allowed {
        return Ok(());
    }
    fault(".type", format!("{} is not allowed by the app; allowed: {}", shorten(name, 40), rules.describe()))
}

/// A text as JSON.
pub(super) fn json(text: &str) -> Json {
    // A string always has a JSON form.
    serde_json::value::to_raw_value(text).unwrap_or_else(|_| RawValue::NULL.to_owned()).into()
}

#[cfg(test)]
#[path = "input_rules_tests.rs"]
mod tests;
