//! Forms that a run waits for people to fill in (Dify: Human Input, since 1.13). Dify's JSON of a form goes in, a
//! [`HumanForm`] comes out, and of that what people and programs are told: its text, its fields as a JSON Schema.
//!
//! Serialised, a form is JSON that reads back as the same form. It has the form's token in it, which lets anybody
//! answer: keep it where no caller sees it.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::lenient;
use super::reason::shorten;

/// Longest default that is shown inside of a form's text, characters.
const MAX_SHOWN_DEFAULT: usize = 80;

/// Longest placeholder in a form's text, bytes; what is longer is text that happens to look like one.
const MAX_SELECTOR: usize = 256;

/// What lets a form be read and answered. Never shown.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FormToken(String);

impl FormToken {
    /// The token itself, for the endpoint's path.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for FormToken {
    fn from(token: String) -> Self {
        Self(token)
    }
}

impl fmt::Debug for FormToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormToken(…)")
    }
}

/// A form that waits for a person.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct HumanForm {
    /// Its id; the same wherever the form is told of.
    #[serde(deserialize_with = "lenient::owned")]
    pub form_id: String,
    /// The node that asks.
    #[serde(deserialize_with = "lenient::owned")]
    pub node_id: String,
    /// That node's title.
    #[serde(deserialize_with = "lenient::owned")]
    pub node_title: String,
    /// What is asked, Markdown with placeholders; see [`HumanForm::text`].
    #[serde(deserialize_with = "lenient::owned")]
    pub form_content: String,
    /// What is to be filled in, in order.
    #[serde(rename = "inputs", deserialize_with = "lenient::list")]
    pub fields: Vec<Field>,
    /// What can be chosen; one of them has to be.
    #[serde(alias = "user_actions", deserialize_with = "lenient::list")]
    pub actions: Vec<Action>,
    /// Defaults that come from variables of the run, by field.
    #[serde(deserialize_with = "lenient::texts")]
    pub resolved_default_values: BTreeMap<String, String>,
    /// What answers it. `None` for a form that goes out by e-mail only, which the API cannot answer.
    #[serde(deserialize_with = "lenient::filled")]
    pub form_token: Option<FormToken>,
    /// Until when it can be answered, Unix seconds.
    #[serde(deserialize_with = "lenient::count")]
    pub expiration_time: Option<u64>,
    /// How else it reaches people, in Dify's words (1.16).
    #[serde(deserialize_with = "lenient::list")]
    pub approval_channels: Vec<String>,
    /// Whether it is meant to be shown to whoever began the run.
    #[serde(deserialize_with = "lenient::unless_false", default = "yes")]
    pub display_in_ui: bool,
}

/// Something to choose in a form.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Action {
    /// What is sent for it.
    #[serde(deserialize_with = "lenient::owned")]
    pub id: String,
    /// What its button says.
    #[serde(deserialize_with = "lenient::owned")]
    pub title: String,
}

/// Something to fill in in a form.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Field {
    /// Its name.
    #[serde(rename = "output_variable_name", deserialize_with = "lenient::owned")]
    pub name: String,
    /// Dify's type of it; see [`Field::kind`].
    #[serde(rename = "type", deserialize_with = "lenient::owned")]
    pub type_name: String,
    /// Its default, or where that comes from.
    #[serde(deserialize_with = "lenient::object")]
    pub default: Source,
    /// The options of a select, or where they come from.
    #[serde(deserialize_with = "lenient::object")]
    pub option_source: Options,
    /// Kinds of files that it takes.
    #[serde(deserialize_with = "lenient::list")]
    pub allowed_file_types: Vec<String>,
    /// Extensions that it takes, for files of the kind `custom`.
    #[serde(deserialize_with = "lenient::list")]
    pub allowed_file_extensions: Vec<String>,
    /// `local_file`, `remote_url`.
    #[serde(deserialize_with = "lenient::list")]
    pub allowed_file_upload_methods: Vec<String>,
    /// Most files that it takes.
    #[serde(deserialize_with = "lenient::count")]
    pub number_limits: Option<u64>,
}

/// Where a default comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Source {
    /// `constant` or `variable`; empty when there is no default.
    #[serde(rename = "type", deserialize_with = "lenient::owned")]
    pub source: String,
    /// The constant.
    #[serde(deserialize_with = "lenient::owned")]
    pub value: String,
}

/// Where the options of a select come from.
#[derive(Clone, Debug, Default, Eq, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Options {
    /// The options; empty when they come from a variable that was not told.
    #[serde(deserialize_with = "lenient::list")]
    pub value: Vec<String>,
}

/// The types of fields.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FieldKind {
    /// One file.
    File,
    /// Several files.
    FileList,
    /// Of a version that is not known here.
    Other,
    /// Text.
    Paragraph,
    /// One of some texts.
    Select,
}

fn yes() -> bool {
    true
}

impl Field {
    /// Its type.
    pub fn kind(&self) -> FieldKind {
        match self.type_name.as_str() {
            "file" => FieldKind::File,
            "file-list" => FieldKind::FileList,
            "paragraph" | "text-input" => FieldKind::Paragraph,
            "select" => FieldKind::Select,
            _ => FieldKind::Other,
        }
    }

    /// The options of a select; empty when any text goes.
    pub fn options(&self) -> &[String] {
        &self.option_source.value
    }
}

impl HumanForm {
    /// Whether it can be answered through the API: it is meant for whoever began the run, has a token, and something
    /// to choose, without which Dify takes no answer.
    pub fn is_answerable(&self) -> bool {
        self.display_in_ui && self.form_token.is_some() && !self.actions.is_empty()
    }

    /// Takes over what the form's own endpoint says of it. Its text is rendered there, which it is not in a snapshot
    /// of the run.
    pub fn update(&mut self, told: Self) {
        self.form_content = told.form_content;
        self.fields = told.fields;
        self.actions = told.actions;
        self.resolved_default_values = told.resolved_default_values;
        self.expiration_time = told.expiration_time.or(self.expiration_time);
    }

    /// A field's default, which Dify shows but does not fill in by itself. May be empty: that is what Dify's own form
    /// sends when nobody writes anything.
    pub fn default_of<'a>(&'a self, field: &'a Field) -> Option<&'a str> {
        match field.default.source.as_str() {
            "constant" => Some(&field.default.value),
            "variable" => self.resolved_default_values.get(&field.name).map(String::as_str),
            _ => None,
        }
    }

    /// What is asked, for people: where a field stands in the text, its name in brackets and its default; where a
    /// variable was not filled in, dots.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.form_content.len());
        let mut rest = self.form_content.as_str();
        while let Some((before, from)) = rest.split_once("{{#") {
            text.push_str(before);
            let Some((name, behind)) = from.split_once("#}}").filter(|(name, _)| is_selector(name)) else {
                text.push_str("{{#");
                rest = from;
                continue;
            };
            match name.strip_prefix("$output.") {
                Some(field) => text.push_str(&self.blank(field)),
                None => text.push('…'),
            }
            rest = behind;
        }
        text.push_str(rest);
        text.trim().to_owned()
    }

    /// What stands in a form's text for a field.
    fn blank(&self, name: &str) -> String {
        let field = self.fields.iter().find(|field| field.name == name);
        let default = field.and_then(|field| self.default_of(field)).unwrap_or_default();
        let default = default.split_whitespace().collect::<Vec<_>>().join(" ");
        if default.is_empty() {
            format!("[{name}]")
        } else {
            format!("[{name}: {}]", shorten(&default, MAX_SHOWN_DEFAULT))
        }
    }

    /// The JSON Schema (2020-12) of the form's fields, an object by their names.
    pub fn schema(&self) -> impl Serialize {
        Schema { form: self }
    }
}

/// Whether it is what stands between `{{#` and `#}}`.
fn is_selector(name: &str) -> bool {
    (1..=MAX_SELECTOR).contains(&name.len())
        && !name.contains(|c: char| c.is_whitespace() || c == '{' || c == '}')
}

struct Schema<'a> {
    form: &'a HumanForm,
}

impl Serialize for Schema<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = self.form;
        let is_required = |field: &&Field| form.default_of(field).is_none();
        let required: Vec<&str> =
            form.fields.iter().filter(is_required).map(|field| field.name.as_str()).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "object")?;
        map.serialize_entry("properties", &Properties { form })?;
        if !required.is_empty() {
            map.serialize_entry("required", &required)?;
        }
        map.end()
    }
}

/// In the form's own order.
struct Properties<'a> {
    form: &'a HumanForm,
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.form.fields.iter().map(|field| {
            (
                &field.name,
                Property { field, default: self.form.default_of(field).filter(|text| !text.is_empty()) },
            )
        }))
    }
}

struct Property<'a> {
    field: &'a Field,
    default: Option<&'a str>,
}

impl Serialize for Property<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let field = self.field;
        let mut map = serializer.serialize_map(None)?;
        match field.kind() {
            FieldKind::Paragraph => map.serialize_entry("type", "string")?,
            FieldKind::Select => {
                map.serialize_entry("type", "string")?;
                if !field.options().is_empty() {
                    map.serialize_entry("enum", field.options())?;
                }
            }
            FieldKind::File => {
                map.serialize_entry("type", "object")?;
                map.serialize_entry("description", &format!("a file{}", field.accepted_files()))?;
            }
            FieldKind::FileList => {
                map.serialize_entry("type", "array")?;
                map.serialize_entry("description", &format!("files{}", field.accepted_files()))?;
                if let Some(limit) = field.number_limits {
                    map.serialize_entry("maxItems", &limit)?;
                }
            }
            FieldKind::Other => {}
        }
        if let Some(default) = self.default {
            map.serialize_entry("default", default)?;
        }
        map.end()
    }
}

impl Field {
    /// ` (image, document, .md)`, or nothing where any file goes.
    fn accepted_files(&self) -> String {
        let kinds = self.allowed_file_types.iter().filter(|kind| *kind != "custom").cloned();
        // Extensions count for the kind that has no others.
        let has_custom = self.allowed_file_types.iter().any(|kind| kind == "custom");
        let extensions = self
            .allowed_file_extensions
            .iter()
            .filter(|_| has_custom)
            .map(|extension| format!(".{}", extension.trim_start_matches('.').to_lowercase()));
        let all: Vec<String> = kinds.chain(extensions).collect();
        if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
    }
}

#[cfg(test)]
#[path = "human_tests.rs"]
mod tests;
