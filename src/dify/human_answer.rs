//! Answers to a form: what a program or a person said goes in; out comes an answer that Dify takes, or what is wrong
//! with it.
//!
//! Dify requires every field and fills in no defaults; here defaults are filled in before anything is missed.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::human::{Action, Field, FieldKind, HumanForm};
use super::request::Inputs;

/// An answer that fits its form.
#[derive(Clone, Debug)]
pub struct FormAnswer {
    /// The id of the action.
    pub action: String,
    /// A value for each field, in the form's order.
    pub inputs: Vec<(String, Arc<RawValue>)>,
}

/// Body of `POST /form/human_input/{form_token}`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Submission<'a> {
    inputs: Inputs<'a>,
    action: &'a str,
    user: &'a str,
}

impl FormAnswer {
    /// The body that submits it in the name of `user`.
    pub fn body<'a>(&'a self, user: &'a str) -> Submission<'a> {
        Submission { inputs: Inputs(&self.inputs), action: &self.action, user }
    }
}

/// What is wrong with one member of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The member: `action` or `inputs.NAME`.
    pub field: String,
    /// What is wrong, for people; quotes nothing of the answer.
    pub problem: String,
}

/// Why a text is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Doubt {
    /// It could be meant for any of these actions, by title.
    Action(Vec<String>),
    /// It names an action, but these fields have no value.
    Fields(Vec<String>),
    /// A file is needed for this field.
    File(String),
    /// It is none of the options of the field.
    Option(String, Vec<String>),
    /// The form has too much to fill in for one text: these fields.
    TooMuch(Vec<String>),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(titles) => {
                write!(f, "it is not clear which of these is meant: {}", titles.join(", "))
            }
            Self::Fields(names) => write!(f, "a value is missing for: {}", names.join(", ")),
            Self::File(name) => write!(f, "a file is needed for: {name}"),
            Self::Option(name, options) => write!(f, "{name} has to be one of: {}", options.join(", ")),
            Self::TooMuch(names) => write!(f, "one text cannot fill in all of: {}", names.join(", ")),
        }
    }
}

impl HumanForm {
    /// Reads the answer of a program. An action may be named by its title, whatever its case; it may be left out
    /// when there is only one. A value that is `null` is none; a name that is no field's is wrong.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read_data(
        &self,
        action: Option<&str>,
        values: &[(String, Arc<RawValue>)],
    ) -> Result<FormAnswer, Vec<Violation>> {
        let mut violations = Vec::new();
        let action = match (action, self.actions.as_slice()) {
            (Some(named), _) => self.action(named),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        if action.is_none() {
            let ids: Vec<&str> = self.actions.iter().map(|action| action.id.as_str()).collect();
            violations.push(violation("action".to_owned(), format!("has to be one of: {}", ids.join(", "))));
        }
        let mut inputs = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let given =
                values.iter().rev().find(|(name, value)| *name == field.name && value.get() != "null");
            let value = match given {
                Some((_, value)) => field.problem(value).map_or_else(|| Ok(Arc::clone(value)), Err),
                None => self.default_value(field).ok_or_else(|| "is missing".to_owned()),
            };
            match value {
                Ok(value) => inputs.push((field.name.clone(), value)),
                Err(problem) => violations.push(violation(format!("inputs.{}", field.name), problem)),
            }
        }
        for (name, _) in values {
            if !self.fields.iter().any(|field| field.name == *name) {
                violations.push(violation(format!("inputs.{name}"), "is no field of the form".to_owned()));
            }
        }
        match action {
            Some(action) if violations.is_empty() => Ok(FormAnswer { action: action.id.clone(), inputs }),
            _ => Err(violations),
        }
    }

    /// Reads the answer of a person, where it can mean one thing only: the name of an action, once every field has a
    /// default; an action, a colon and the one field; or just the one field (or anything at all, when there is none)
    /// where there is one action.
    ///
    /// # Errors
    /// Why it could not be understood.
    pub fn read_text(&self, text: &str) -> Result<FormAnswer, Doubt> {
        let text = text.trim();
        let missing = self.fields_without_default();
        match (
            self.action(text.trim_end_matches(['.', '!'])),
            self.actions.as_slice(),
            self.fields.as_slice(),
        ) {
            (Some(action), _, fields) if missing.is_empty() => self.with_defaults(action, fields),
            (_, [only], [field]) => self.with_field(only, field, text),
            (_, [only], []) => self.with_defaults(only, &[]),
            (Some(_), ..) => Err(Doubt::Fields(missing)),
            (None, _, [field]) => {
                let Some((action, rest)) = self.action_and_rest(text) else {
                    return Err(self.which_action());
                };
                self.with_field(action, field, rest)
            }
            (None, [_], _) => {
                Err(Doubt::TooMuch(self.fields.iter().map(|field| field.name.clone()).collect()))
            }
            (None, ..) => Err(self.which_action()),
        }
    }

    /// The id of the action that a text means by itself, even where it does not give all that the form needs.
    pub fn action_of_text(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let named = || {
            let whole = self.action(text.trim_end_matches(['.', '!']));
            Some(whole.or_else(|| Some(self.action_and_rest(text)?.0))?.id.clone())
        };
        self.read_text(text).ok().map(|answer| answer.action).or_else(named)
    }

    /// How a person can answer by text, if that is possible.
    pub fn text_hint(&self) -> Option<String> {
        let titles = || self.actions.iter().map(Action::label).collect::<Vec<_>>().join(", ");
        let takes_text = |field: &Field| !matches!(field.kind(), FieldKind::File | FieldKind::FileList);
        match (self.actions.as_slice(), self.fields.as_slice()) {
            ([], _) => None,
            ([only], []) => Some(format!("any answer means: {}", only.label())),
            ([_], [field]) if takes_text(field) => Some(format!("answer with the text for {}", field.name)),
            ([_, _, ..], [field]) if takes_text(field) && self.fields_without_default().is_empty() => {
                Some(format!(
                    "answer with one of: {}; or with one of them, a colon and the text for {}",
                    titles(),
                    field.name
                ))
            }
            ([_, _, ..], [field]) if takes_text(field) => Some(format!(
                "answer with one of: {}; then a colon and the text for {}",
                titles(),
                field.name
            )),
            _ if self.fields_without_default().is_empty() => {
                Some(format!("answer with one of: {}", titles()))
            }
            _ => None,
        }
    }

    /// The action of this id, else the only one of this id or title in any case.
    fn action(&self, name: &str) -> Option<&Action> {
        let exact = self.actions.iter().find(|action| action.id == name);
        exact.or_else(|| {
            let name = name.to_lowercase();
            let is_meant = |action: &&Action| {
                !name.is_empty()
                    && [&action.id, &action.title].iter().any(|own| own.trim().to_lowercase() == name)
            };
            let mut meant = self.actions.iter().filter(is_meant);
            meant.next().filter(|_| meant.next().is_none())
        })
    }

    /// `approve: looks fine`.
    fn action_and_rest<'t>(&self, text: &'t str) -> Option<(&Action, &'t str)> {
        let (name, rest) = text.split_once([':', '\n'])?;
        Some((self.action(name.trim())?, rest.trim()))
    }

    fn which_action(&self) -> Doubt {
        Doubt::Action(self.actions.iter().map(|action| action.label().to_owned()).collect())
    }

    fn fields_without_default(&self) -> Vec<String> {
        let lacks = |field: &&Field| self.default_value(field).is_none();
        self.fields.iter().filter(lacks).map(|field| field.name.clone()).collect()
    }

    fn default_value(&self, field: &Field) -> Option<Arc<RawValue>> {
        let default = self.default_of(field)?;
        let value = match field.kind() {
            FieldKind::File | FieldKind::FileList => return None,
            FieldKind::Other | FieldKind::Paragraph | FieldKind::Select => string(default)?,
        };
        field.problem(&value).is_none().then_some(value)
    }

    fn with_defaults(&self, action: &Action, fields: &[Field]) -> Result<FormAnswer, Doubt> {
        let inputs = fields
            .iter()
            .map(|field| {
                let value =
                    self.default_value(field).ok_or_else(|| Doubt::Fields(vec![field.name.clone()]))?;
                Ok((field.name.clone(), value))
            })
            .collect::<Result<_, Doubt>>()?;
        Ok(FormAnswer { action: action.id.clone(), inputs })
    }

    fn with_field(&self, action: &Action, field: &Field, text: &str) -> Result<FormAnswer, Doubt> {
        let value = match field.kind() {
            FieldKind::File | FieldKind::FileList => None,
            FieldKind::Select if !field.options().is_empty() => {
                let is_meant = |option: &&String| option.trim().to_lowercase() == text.to_lowercase();
                let option = field.options().iter().find(|option| *option == text);
                let Some(option) = option.or_else(|| field.options().iter().find(is_meant)) else {
                    return Err(Doubt::Option(field.name.clone(), field.options().to_vec()));
                };
                string(option)
            }
            FieldKind::Other | FieldKind::Paragraph | FieldKind::Select => string(text),
        };
        let value = value.ok_or_else(|| Doubt::File(field.name.clone()))?;
        let inputs = vec![(field.name.clone(), value)];
        Ok(FormAnswer { action: action.id.clone(), inputs })
    }
}

impl Action {
    /// What people call it.
    pub fn label(&self) -> &str {
        if self.title.trim().is_empty() { &self.id } else { &self.title }
    }
}

impl Field {
    /// What is wrong with a value, if anything is.
    fn problem(&self, value: &RawValue) -> Option<String> {
        match self.kind() {
            FieldKind::Paragraph => text(value).is_none().then(|| "has to be a string".to_owned()),
            FieldKind::Select => match text(value) {
                None => Some("has to be a string".to_owned()),
                Some(text) if self.options().is_empty() || self.options().contains(&text) => None,
                Some(_) => Some(format!("has to be one of: {}", self.options().join(", "))),
            },
            FieldKind::File => self.problem_of_file(value),
            FieldKind::FileList => {
                let Ok(files) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else {
                    return Some("has to be an array of files".to_owned());
                };
                if let Some(limit) = self.number_limits.filter(|limit| is_more(files.len(), *limit)) {
                    return Some(format!("has to be at most {limit} files"));
                }
                files.into_iter().find_map(|file| self.problem_of_file(file))
            }
            FieldKind::Other => None,
        }
    }

    fn problem_of_file(&self, value: &RawValue) -> Option<String> {
        #[derive(Deserialize)]
        struct Mapping {
            transfer_method: String,
            #[serde(default)]
            upload_file_id: Option<String>,
            #[serde(default)]
            url: Option<String>,
        }
        let Some(mapping) = serde_json::from_str::<Mapping>(value.get()).ok().filter(|_| is_object(value))
        else {
            return Some("has to be a file".to_owned());
        };
        let source = match mapping.transfer_method.as_str() {
            "local_file" => mapping.upload_file_id,
            "remote_url" => mapping.url,
            _ => None,
        };
        if source.is_none_or(|source| source.is_empty()) {
            return Some("has to be a file".to_owned());
        }
        let methods = &self.allowed_file_upload_methods;
        let is_allowed = methods.is_empty() || methods.contains(&mapping.transfer_method);
        (!is_allowed).then(|| match mapping.transfer_method.as_str() {
            "remote_url" => "has to be an uploaded file, not an address".to_owned(),
            _ => "has to be the address of a file, not an upload".to_owned(),
        })
    }
}

impl Serialize for FormAnswer {
    /// As `{"action":…,"inputs":{…}}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("action", &self.action)?;
        map.serialize_entry("inputs", &Inputs(&self.inputs))?;
        map.end()
    }
}

fn violation(field: String, problem: String) -> Violation {
    Violation { field, problem }
}

fn is_more(count: usize, limit: u64) -> bool {
    u64::try_from(count).is_ok_and(|count| count > limit)
}

/// A struct also reads from an array, which is no file.
fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn string(text: &str) -> Option<Arc<RawValue>> {
    serde_json::value::to_raw_value(text).ok().map(Arc::from)
}

#[cfg(test)]
#[path = "human_answer_tests.rs"]
mod tests;
