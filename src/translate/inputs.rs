//! From what callers give to the `inputs` of a run: values from several places in, checked ones in the order of the
//! app's form out, with what is missing and what the app does not know.
//!
//! Later wins: the operator's defaults, what the context remembers, the request's metadata, the message's metadata, its
//! data parts. Values are passed on as they were written; a number keeps all its digits.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::input_rules::{self, Fault};
use super::text_slot::TextSlot;
use crate::core::error::FieldViolation;
use crate::core::extension::URI;
use crate::core::message::{Content, Json, Message};
use crate::dify::form::{Field, Form, Kind};
use crate::dify::mend;
use crate::dify::reason::shorten;

/// The member that holds values, in metadata and in data parts.
const INPUTS: &str = "inputs";
/// Most violations that are told of one request, and most names that the app does not know.
const MOST_TOLD: usize = 20;
/// Longest name that is repeated, characters.
const LONGEST_NAME: usize = 100;

type Object = BTreeMap<String, Box<RawValue>>;

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Origin {
    /// The operator's defaults.
    Configured,
    /// Earlier turns of the context.
    Remembered,
    /// This request, at that path.
    Caller(String),
}

#[derive(Clone, Debug)]
struct Value {
    json: Json,
    origin: Origin,
}

/// The values for an app's inputs, gathered from the least to the most important place.
#[derive(Clone, Debug)]
pub struct Given<'f> {
    form: &'f Form,
    values: BTreeMap<String, Value>,
    violations: Vec<FieldViolation>,
    /// Addresses of files that the caller described, each with its place in the request.
    links: Vec<(String, String)>,
}

impl<'f> Given<'f> {
    /// No values yet.
    pub fn new(form: &'f Form) -> Self {
        Self { form, values: BTreeMap::new(), violations: Vec::new(), links: Vec::new() }
    }

    /// Adds the operator's defaults. Those that the app cannot take count as not given; see [`problems`].
    pub fn configured(&mut self, defaults: &[(String, Json)]) {
        for (name, value) in defaults {
            self.add_quietly(name, value, Origin::Configured);
        }
    }

    /// Adds what [`Resolved::to_remember`] gave in an earlier turn. What the app cannot take any more is forgotten, and
    /// so is what is in `locked` by now: it is the operator's alone.
    pub fn remembered(&mut self, object: &Json, locked: &[String]) {
        let members = mend::read::<Object>(object.get()).unwrap_or_default().into_iter();
        for (name, value) in members.filter(|(name, _)| !locked.contains(name)) {
            self.add_quietly(&name, &value.into(), Origin::Remembered);
        }
    }

    fn add_quietly(&mut self, name: &str, json: &Json, origin: Origin) {
        let fits = |field| input_rules::check(field, json).is_ok();
        if self.form.field(name).is_some_and(fits) {
            self.values.insert(name.to_owned(), Value { json: json.clone(), origin });
        }
    }

    /// Adds what stands in the metadata at `path` (`metadata`, `message.metadata`): the member `inputs` of the object
    /// under the gateway's extension, or a plain member `inputs`.
    pub fn metadata(&mut self, path: &str, metadata: Option<&Json>) {
        let Some(members) = metadata.and_then(|json| mend::read::<Object>(json.get())) else { return };
        // A plain member of that name that is no object is somebody else's.
        if let Some(values) = members.get(INPUTS).and_then(|raw| object(raw)) {
            self.add(&format!("{path}.{INPUTS}"), values);
        }
        let Some(ours) = members.get(URI).and_then(|raw| object(raw)) else { return };
        if let Some(raw) = ours.get(INPUTS).filter(|raw| raw.get() != "null") {
            let path = format!("{path}.{URI}.{INPUTS}");
            match object(raw) {
                Some(values) => self.add(&path, values),
                None => self.violate(path, "must be an object of the app's inputs"),
            }
        }
    }

    /// Adds what a message gives: its metadata, then its data parts in their order.
    pub fn message(&mut self, message: &Message) {
        self.metadata("message.metadata", message.metadata.as_ref());
        for (index, part) in message.parts.iter().enumerate() {
            if let Content::Data(json) = &part.content {
                self.data(&format!("message.parts[{index}].data"), json);
            }
        }
    }

    fn data(&mut self, path: &str, json: &RawValue) {
        let Some(mut values) = object(json) else {
            return self.violate(path, "must be a JSON object of the app's inputs");
        };
        let is_wrapped = self.form.field(INPUTS).is_none();
        if let Some(inner) = values.get(INPUTS).filter(|_| is_wrapped).and_then(|raw| object(raw)) {
            values.remove(INPUTS);
            self.add(path, values);
            return self.add(&format!("{path}.{INPUTS}"), inner);
        }
        self.add(path, values);
    }

    fn add(&mut self, path: &str, values: Object) {
        for (name, value) in values {
            let origin = Origin::Caller(format!("{path}.{}", shorten(&name, LONGEST_NAME)));
            self.values.insert(name, Value { json: value.into(), origin });
        }
    }

    /// Adds texts that answered the question for one input, by that input.
    pub fn texts(&mut self, texts: &BTreeMap<String, String>) {
        for (name, text) in texts {
            let Some(field) = self.form.field(name) else { continue };
            let object = matches!(field.kind, Kind::JsonObject { .. });
            let object = object.then(|| RawValue::from_string(text.trim().to_owned()).ok()).flatten();
            let json = object.map_or_else(|| input_rules::json(text), Json::from);
            let origin = Origin::Caller("message.parts".to_owned());
            self.values.insert(name.clone(), Value { json, origin });
        }
    }

    /// Notes the addresses of files that a caller described. Ids of uploads are not taken: Dify before 1.13 gives any
    /// caller's file for one.
    fn described(&mut self, path: &str, json: &RawValue) {
        let links = match input_rules::links(json) {
            Some(links) => links,
            None => return self.violate(path, "names an upload; send the file as a file part instead"),
        };
        self.links.extend(links.into_iter().map(|url| (path.to_owned(), url)));
    }

    fn violate(&mut self, field: impl Into<String>, what: impl Into<String>) {
        if self.violations.len() < MOST_TOLD {
            self.violations.push(FieldViolation::new(field, what));
        }
    }

    /// How many files this request gives for an input by description instead of by file parts.
    pub fn described_files(&self, variable: &str) -> usize {
        match self.values.get(variable) {
            Some(Value { json, origin: Origin::Caller(_) }) => match json.get().as_bytes().first() {
                Some(b'{') => 1,
                Some(b'[') => serde_json::from_str(json.get()).map_or(0, |items: Vec<&RawValue>| items.len()),
                _ => 0,
            },
            Some(_) | None => 0,
        }
    }

    /// Checks the values by Dify's rules.
    ///
    /// # Errors
    /// What is wrong with the values of this request, each with its path in the caller's spelling.
    pub fn resolve(mut self, beside: &Beside<'_>) -> Result<Resolved<'f>, Vec<FieldViolation>> {
        let form = self.form;
        let unused_text = self.place_text(beside);
        let mut resolved = Resolved { form, unused_text, ..Resolved::empty(form) };
        for field in &form.fields {
            let given = self.values.remove(&field.variable);
            let is_locked = beside.locked.contains(&field.variable);
            let has_files = beside.files.contains(&field.variable);
            let checked = match given {
                Some(Value { origin: Origin::Caller(path), .. }) if is_locked => {
                    self.violate(path, "is set by the operator of this agent; leave it out");
                    continue;
                }
                // Files that are given take the place of the operator's.
                Some(Value { origin: Origin::Configured, .. }) if has_files => None,
                Some(value) => self.check(field, value),
                None => None,
            };
            match checked {
                Some((json, origin)) => resolved.put(field, json, &origin, beside),
                None if !field.required || has_files => {}
                None if is_locked => self.violate(
                    "message",
                    format!(
                        "cannot be worked on: the app needs {:?}, which the operator has not set",
                        field.variable
                    ),
                ),
                None => resolved.missing.push(field),
            }
        }
        let left = self.values.into_iter().filter(|(_, value)| matches!(value.origin, Origin::Caller(_)));
        resolved.links = self.links;
        resolved.unused = left.map(|(name, _)| shorten(&name, LONGEST_NAME)).take(MOST_TOLD).collect();
        if self.violations.is_empty() { Ok(resolved) } else { Err(self.violations) }
    }

    /// Puts the caller's text where it belongs; `true` if there is a text and no place for it.
    fn place_text(&mut self, beside: &Beside<'_>) -> bool {
        let has_text = !beside.text.trim().is_empty();
        match beside.slot {
            TextSlot::Query => false,
            TextSlot::Nowhere | TextSlot::Ambiguous(_) => has_text,
            TextSlot::Input(variable) if has_text => {
                let by_data = self.values.get(variable).filter(|value| value.json.get() != "null");
                if by_data.is_some_and(|value| matches!(value.origin, Origin::Caller(_))) {
                    return true;
                }
                let origin = Origin::Caller("message.parts".to_owned());
                let json = input_rules::json(beside.text);
                self.values.insert(variable.clone(), Value { json, origin });
                false
            }
            TextSlot::Input(_) => false,
        }
    }

    /// The value as Dify is to get it, unless it counts as none or is wrong.
    fn check(&mut self, field: &Field, value: Value) -> Option<(Json, Origin)> {
        match input_rules::check(field, &value.json) {
            Ok(Some(json)) => {
                if let (Origin::Caller(path), true) = (&value.origin, field.kind.files().is_some()) {
                    self.described(path, &json);
                }
                Some((json, value.origin))
            }
            Ok(None) => None,
            Err(Fault { at, what }) => {
                if let Origin::Caller(path) = value.origin {
                    self.violate(format!("{path}{at}"), what);
                }
                None
            }
        }
    }
}

fn object(json: &RawValue) -> Option<Object> {
    mend::read(json.get())
}

/// What decides on a turn's inputs beside the values that were given.
#[derive(Clone, Debug)]
pub struct Beside<'a> {
    /// Inputs that only the operator sets.
    pub locked: &'a [String],
    /// Where the caller's text goes.
    pub slot: &'a TextSlot,
    /// The caller's text; blank if there is none.
    pub text: &'a str,
    /// Inputs that get files from file parts.
    pub files: &'a BTreeSet<String>,
}

/// Checked inputs.
#[derive(Clone, Debug)]
pub struct Resolved<'f> {
    form: &'f Form,
    /// The values for Dify, in the order of the form; without the files of file parts, see [`Resolved::complete`].
    pub inputs: Vec<(String, Json)>,
    /// What the app needs and nobody has given, in the order of the form.
    pub missing: Vec<&'f Field>,
    /// What this request gives and the app does not know, by name, at most 20.
    pub unused: Vec<String>,
    /// Whether the caller's text has no place in the app's inputs.
    pub unused_text: bool,
    /// Addresses of files that this request describes instead of sending file parts, each with its place in the request.
    pub links: Vec<(String, String)>,
    /// What is worth remembering of `inputs`.
    remembered: Vec<(String, Json)>,
}

impl<'f> Resolved<'f> {
    fn empty(form: &'f Form) -> Self {
        Self {
            form,
            inputs: Vec::new(),
            missing: Vec::new(),
            unused: Vec::new(),
            unused_text: false,
            links: Vec::new(),
            remembered: Vec::new(),
        }
    }

    fn put(&mut self, field: &Field, json: Json, origin: &Origin, beside: &Beside<'_>) {
        // The operator's defaults are looked up anew each time. Files belong to one turn, and so does what was said.
        let is_said = matches!(beside.slot, TextSlot::Input(variable) if *variable == field.variable);
        if *origin != Origin::Configured && field.kind.files().is_none() && !is_said {
            self.remembered.push((field.variable.clone(), json.clone()));
        }
        self.inputs.push((field.variable.clone(), json));
    }

    /// What the context is to remember for its next turn, a JSON object: what callers gave in this turn and before;
    /// no files, no defaults, and not the input that takes the caller's text.
    pub fn to_remember(&self) -> Json {
        to_object(&self.remembered)
    }

    /// The inputs with the files of file parts, each an input's name with Dify's description of the file.
    pub fn complete(&self, files: &[(String, Json)]) -> Vec<(String, Json)> {
        let mut whole = Vec::new();
        for field in &self.form.fields {
            let given = self.inputs.iter().find(|(name, _)| *name == field.variable).map(|(_, json)| json);
            let mut own =
                files.iter().filter(|(name, _)| *name == field.variable).map(|(_, json)| json).peekable();
            let value = match (&field.kind, own.peek().is_some()) {
                (Kind::FileList(_), true) => {
                    let described = given.and_then(|json| serde_json::from_str(json.get()).ok());
                    let mut list: Vec<&RawValue> = described.unwrap_or_default();
                    list.extend(own.map(|json| &**json));
                    serde_json::value::to_raw_value(&list).ok().map(Json::from)
                }
                (_, true) => own.next().cloned(),
                (_, false) => given.cloned(),
            };
            whole.extend(value.map(|value| (field.variable.clone(), value)));
        }
        whole
    }
}

/// Named values as one JSON object, in their order and verbatim.
pub fn to_object(entries: &[(String, Json)]) -> Json {
    struct Entries<'a>(&'a [(String, Json)]);
    impl Serialize for Entries<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(name, value)| (name, &**value)))
        }
    }
    // Names and raw JSON always have a JSON form.
    serde_json::value::to_raw_value(&Entries(entries)).unwrap_or_else(|_| RawValue::NULL.to_owned()).into()
}

/// What is wrong with the operator's settings for this app, in sentences for the operator.
pub fn problems(form: &Form, defaults: &[(String, Json)], locked: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, value) in defaults {
        match form.field(name).map(|field| input_rules::check(field, value)) {
            None => problems.push(format!("the app has no input {name:?}, for which a value is configured")),
            Some(Err(Fault { at, what })) => {
                problems
                    .push(format!("the configured value of the input {name:?} is wrong: {name}{at} {what}"));
            }
            Some(Ok(_)) => {}
        }
    }
    for name in locked {
        let is_set = defaults.iter().any(|(set, value)| set == name && value.get() != "null");
        match form.field(name) {
            None => problems.push(format!("the app has no input {name:?}, which callers are not to set")),
            Some(field) if field.required && !is_set => problems.push(format!(
                "the app needs the input {name:?}, which callers may not set and which has no configured value"
            )),
            Some(_) => {}
        }
    }
    problems
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
