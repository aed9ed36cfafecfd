//! What an app asks of whoever uses it: Dify's `user_input_form` in, a [`Form`] out.
//!
//! Items are objects of one member named after the type (`{"text-input": {…}}`). A graph's items repeat the type
//! inside; those of the older apps leave out whatever is not set.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::file_kind::FileKind;
use super::lenient;
use crate::core::message::Json;

/// The inputs of an app, in its order.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Each input; no two have the same variable.
    pub fields: Vec<Field>,
}

impl Form {
    /// The input of that variable.
    pub fn field(&self, variable: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.variable == variable)
    }

    /// The inputs that callers are told of: not those that are the operator's alone, and not those that the app's
    /// author hides, unless the app needs them.
    pub fn shown<'a>(&'a self, locked: &'a [String]) -> impl Iterator<Item = &'a Field> {
        self.fields
            .iter()
            .filter(|field| !locked.contains(&field.variable) && (field.required || !field.hidden))
    }
}

/// One input.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name that values are given under.
    pub variable: String,
    /// Its name for people; the variable where it has none.
    pub label: String,
    /// What the author says of it.
    pub description: Option<String>,
    /// Which values it takes.
    pub kind: Kind,
    /// Whether the app refuses to run without it.
    pub required: bool,
    /// What Dify uses where nothing is given and it is not required; `null` and `""` count as none.
    pub default: Option<Json>,
    /// Whether the app's own page does not show it.
    pub hidden: bool,
}

/// The types of inputs.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A line of text (`text-input`).
    Text {
        /// Most Unicode code points, if bounded.
        max_length: Option<u64>,
    },
    /// A longer text (`paragraph`).
    Paragraph {
        /// Most Unicode code points, if bounded.
        max_length: Option<u64>,
    },
    /// One of a list (`select`).
    Select {
        /// What can be chosen.
        options: Vec<String>,
    },
    /// A number (`number`).
    Number,
    /// Yes or no (`checkbox`, Dify 1.8).
    Checkbox,
    /// A JSON object (`json_object`, Dify 1.11).
    JsonObject {
        /// The JSON Schema (draft 7) that it has to match.
        schema: Option<Json>,
    },
    /// One file (`file`).
    File(FileRules),
    /// Some files (`file-list`).
    FileList(FileRules),
    /// Of a later version; its values pass unchecked.
    Other(String),
}

impl Kind {
    /// Dify's name of the type.
    pub fn name(&self) -> &str {
        match self {
            Self::Text { .. } => "text-input",
            Self::Paragraph { .. } => "paragraph",
            Self::Select { .. } => "select",
            Self::Number => "number",
            Self::Checkbox => "checkbox",
            Self::JsonObject { .. } => "json_object",
            Self::File(_) => "file",
            Self::FileList(_) => "file-list",
            Self::Other(name) => name,
        }
    }

    /// Whether it takes free text.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Paragraph { .. })
    }

    /// What files it takes, if it takes any.
    pub fn files(&self) -> Option<&FileRules> {
        match self {
            Self::File(rules) | Self::FileList(rules) => Some(rules),
            _ => None,
        }
    }
}

/// Which files may be given.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FileRules {
    /// The kinds; none means any.
    pub types: Vec<FileKind>,
    /// Endings that [`FileKind::Custom`] is allowed for: small letters, without a dot.
    pub extensions: Vec<String>,
    /// How they may come; none means both ways.
    pub methods: Vec<Method>,
    /// Most of them, if bounded.
    pub max_count: Option<u32>,
}

/// How a file comes to Dify (Dify: `transfer_method`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// It is uploaded first.
    LocalFile,
    /// Dify fetches it.
    RemoteUrl,
}

impl Method {
    /// Reads Dify's name of it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "local_file" => Some(Self::LocalFile),
            "remote_url" => Some(Self::RemoteUrl),
            _ => None,
        }
    }

    /// Dify's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LocalFile => "local_file",
            Self::RemoteUrl => "remote_url",
        }
    }
}

impl FileRules {
    /// Whether files may come that way.
    pub fn allows(&self, method: Method) -> bool {
        self.methods.is_empty() || self.methods.contains(&method)
    }

    /// The type that a file of `kind` with `ending` is to be given to Dify as: its own where that is allowed, else
    /// [`FileKind::Custom`] where its ending is; `None` where the file is not allowed.
    pub fn fit(&self, kind: FileKind, ending: Option<&str>) -> Option<FileKind> {
        let allowed = |kind| self.types.is_empty() || self.types.contains(&kind);
        if kind != FileKind::Custom && allowed(kind) {
            return Some(kind);
        }
        let listed = ending.is_some_and(|ending| self.extensions.iter().any(|listed| listed == ending));
        (allowed(FileKind::Custom) && listed).then_some(FileKind::Custom)
    }

    /// What is allowed, for people: `image, document, or files that end in .txt, .bin`.
    pub fn describe(&self) -> String {
        let mut kinds: Vec<&str> =
            self.types.iter().filter(|kind| **kind != FileKind::Custom).map(|kind| kind.name()).collect();
        if self.types.is_empty() {
            kinds = vec!["image", "document", "audio", "video"];
        }
        let custom = self.types.is_empty() || self.types.contains(&FileKind::Custom);
        let mut text = kinds.join(", ");
        if custom && !self.extensions.is_empty() {
            let endings: Vec<String> = self.extensions.iter().map(|ending| format!(".{ending}")).collect();
            let or = if text.is_empty() { "" } else { ", or " };
            text = format!("{text}{or}files that end in {}", endings.join(", "));
        }
        if text.is_empty() { "no kind of file".to_owned() } else { text }
    }
}

/// The members that tell what files are allowed, in a field and in `file_upload` alike.
#[derive(Default, Deserialize)]
pub(super) struct RuleMembers {
    #[serde(default, deserialize_with = "lenient::list")]
    allowed_file_types: Vec<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    allowed_file_extensions: Vec<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    allowed_file_upload_methods: Vec<String>,
}

impl RuleMembers {
    pub(super) fn into_rules(self, max_count: Option<u64>) -> FileRules {
        let ending = |text: &String| text.trim().trim_start_matches('.').to_ascii_lowercase();
        FileRules {
            types: self.allowed_file_types.iter().filter_map(|name| FileKind::from_name(name)).collect(),
            extensions: self.allowed_file_extensions.iter().map(ending).collect(),
            methods: methods(&self.allowed_file_upload_methods),
            max_count: limit(max_count),
        }
    }
}

pub(super) fn methods(names: &[String]) -> Vec<Method> {
    names.iter().filter_map(|name| Method::from_name(name)).collect()
}

/// A bound; 0 is none.
pub(super) fn limit(count: Option<u64>) -> Option<u32> {
    count.filter(|count| *count > 0).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

#[derive(Deserialize)]
struct Body<'a> {
    variable: String,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    label: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    description: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    required: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient::count")]
    max_length: Option<u64>,
    #[serde(default, deserialize_with = "lenient::list")]
    options: Vec<String>,
    #[serde(default, borrow)]
    default: Option<&'a RawValue>,
    #[serde(default, borrow)]
    hide: Option<&'a RawValue>,
    #[serde(default, borrow)]
    json_schema: Option<&'a RawValue>,
}

/// An item of the form as it travels.
pub(super) type Item = BTreeMap<String, Box<RawValue>>;

impl Form {
    /// Reads the items; those that are not a caller's to give, or that cannot be read, are left out.
    pub(super) fn read(items: &[Item]) -> Self {
        let mut fields: Vec<Field> = Vec::new();
        for field in items.iter().filter_map(read_item) {
            if !fields.iter().any(|known| known.variable == field.variable) {
                fields.push(field);
            }
        }
        Self { fields }
    }
}

#[cfg(test)]
impl Form {
    /// The form of these items, as they stand in `user_input_form`.
    pub(crate) fn of_items(json: &str) -> Self {
        let items: Vec<Item> = serde_json::from_str(json).unwrap();
        Self::read(&items)
    }

    /// The form in a recorded answer of `/parameters`, such as `1.14.2/parameters_completion`.
    pub(crate) fn of_recording(name: &str) -> Self {
        #[derive(Deserialize)]
        struct Parameters {
            user_input_form: Vec<Item>,
        }
        let body = super::fixture::recording(name).body;
        let parameters: Parameters = serde_json::from_slice(&body).unwrap();
        Self::read(&parameters.user_input_form)
    }
}

fn read_item(item: &Item) -> Option<Field> {
    let (name, raw) = item.first_key_value()?;
    let body: Body<'_> = serde_json::from_str(raw.get()).ok()?;
    let rules = |max_count| {
        let members: RuleMembers = serde_json::from_str(raw.get()).unwrap_or_default();
        members.into_rules(max_count)
    };
    let max_length = body.max_length.filter(|length| *length > 0);
    let kind = match name.as_str() {
        // The app asks another server for it.
        "external_data_tool" => return None,
        "text-input" => Kind::Text { max_length },
        "paragraph" => Kind::Paragraph { max_length },
        "select" => Kind::Select { options: body.options },
        "number" => Kind::Number,
        "checkbox" => Kind::Checkbox,
        "json_object" => Kind::JsonObject { schema: body.json_schema.and_then(schema) },
        // Its `max_length` is that of a text that it once was.
        "file" => Kind::File(rules(Some(1))),
        "file-list" => Kind::FileList(rules(body.max_length)),
        other => Kind::Other(other.to_owned()),
    };
    let filled =
        |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).filter(|text| !text.trim().is_empty());
    Some(Field {
        label: filled(body.label).unwrap_or_else(|| body.variable.clone()),
        description: filled(body.description),
        kind,
        required: is_true(body.required),
        default: body.default.filter(|value| !matches!(value.get(), "null" | "\"\"")).map(own),
        hidden: is_true(body.hide),
        variable: body.variable,
    })
}

pub(super) fn is_true(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| value.get() == "true")
}

fn own(value: &RawValue) -> Json {
    value.to_owned().into()
}

/// The schema: an object, or the text of one, as some versions keep it.
fn schema(value: &RawValue) -> Option<Json> {
    let object = |value: &RawValue| value.get().starts_with('{').then(|| own(value));
    object(value).or_else(|| {
        let text: String = serde_json::from_str(value.get()).ok()?;
        serde_json::from_str::<&RawValue>(text.trim()).ok().and_then(object)
    })
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
