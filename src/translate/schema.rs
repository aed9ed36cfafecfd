//! An app's inputs described to clients: fields in, a JSON Schema (2020-12) for programs and sentences for people out.
//!
//! The same fields give the same text each time, in the order of the form.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::input_rules;
use crate::core::message::Json;
use crate::dify::form::{Field, FileRules, Kind, Method};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of an object that holds these inputs.
pub fn object<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Json {
    let fields: Vec<&Field> = fields.into_iter().collect();
    let mut properties = Members::new();
    for (index, field) in fields.iter().enumerate() {
        properties.raw(&field.variable, &property(index, field));
    }
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.variable.as_str()).collect();
    let mut whole = Members::new();
    whole.put("$schema", DIALECT);
    whole.put("type", "object");
    whole.raw("properties", &properties.close());
    if !required.is_empty() {
        whole.put("required", &required);
    }
    raw(whole.close())
}

fn property(index: usize, field: &Field) -> String {
    let mut members = Members::new();
    members.put("title", &field.label);
    if field.kind.files().is_none()
        && let Some(description) = &field.description
    {
        members.put("description", description);
    }
    match &field.kind {
        Kind::Text { max_length } | Kind::Paragraph { max_length } => {
            members.put("type", "string");
            if let Some(most) = max_length {
                members.put("maxLength", most);
            }
        }
        Kind::Select { options } => {
            members.put("type", "string");
            members.put("enum", options);
        }
        Kind::Number => members.put("type", "number"),
        Kind::Checkbox => members.put("type", "boolean"),
        Kind::JsonObject { schema } => {
            members.put("type", "object");
            if let Some(schema) = schema {
                members.raw("allOf", &format!("[{}]", embedded(index, schema)));
            }
        }
        Kind::File(rules) => files(&mut members, field, rules),
        Kind::FileList(rules) => files(&mut members, field, rules),
        Kind::Other(_) => {}
    }
    if let Some(default) = fitting_default(field) {
        members.raw("default", default.get());
    }
    members.put("x-dify-type", field.kind.name());
    members.close()
}

/// An app's own schema inside of ours. One that refers to its own parts gets a name, without which its references would
/// be looked up in ours.
fn embedded(index: usize, schema: &Json) -> String {
    let text = schema.get();
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_str(text).unwrap_or_default();
    match text.strip_prefix('{') {
        Some(rest) if text.contains("\"$ref\"") && !members.contains_key("$id") => {
            format!("{{\"$id\":\"urn:dify-a2a-gateway:input:{index}\",{rest}")
        }
        _ => text.to_owned(),
    }
}

/// The default as a value of the property's own type.
fn fitting_default(field: &Field) -> Option<Json> {
    let checked = input_rules::check(field, field.default.as_ref()?).ok()??;
    match field.kind {
        Kind::File(_) | Kind::FileList(_) => None,
        // A form keeps the numbers that people type as texts.
        Kind::Number => {
            let text: Option<String> = serde_json::from_str(checked.get()).ok();
            text.map_or(Some(checked), |text| {
                RawValue::from_string(text.trim().to_owned()).ok().map(Json::from)
            })
        }
        _ => Some(checked),
    }
}

/// Files travel as parts of their own; the object stands for one that Dify has or can fetch.
fn files(members: &mut Members, field: &Field, rules: &FileRules) {
    let how = how_to_send(field, rules);
    let description =
        field.description.as_ref().map_or_else(|| how.clone(), |text| format!("{text} ({how})"));
    members.put("description", &description);
    if matches!(field.kind, Kind::FileList(_)) {
        members.put("type", "array");
        members.raw("items", r#"{"type":"object"}"#);
        if let Some(most) = rules.max_count {
            members.put("maxItems", &most);
        }
    } else {
        members.put("type", "object");
    }
    let kinds: Vec<&str> = rules.types.iter().map(|kind| kind.name()).collect();
    if !kinds.is_empty() {
        members.put("x-dify-file-types", &kinds);
    }
    if !rules.extensions.is_empty() {
        members.put("x-dify-file-extensions", &rules.extensions);
    }
    let methods: Vec<&str> = rules.methods.iter().map(|method| method.name()).collect();
    if !methods.is_empty() {
        members.put("x-dify-transfer-methods", &methods);
    }
}

fn how_to_send(field: &Field, rules: &FileRules) -> String {
    let what = match (&field.kind, rules.max_count) {
        (Kind::FileList(_), Some(most)) => format!("up to {most} file parts"),
        (Kind::FileList(_), None) => "file parts".to_owned(),
        _ => "a file part".to_owned(),
    };
    let way = if rules.allows(Method::LocalFile) { "" } else { " by URL" };
    format!("send {what}{way}: {}", rules.describe())
}

/// One line about an input for people, such as `topic (Topic): text of at most 200 characters`.
pub fn sentence(field: &Field) -> String {
    let mut line = field.variable.clone();
    if field.label != field.variable {
        line = format!("{line} ({})", field.label);
    }
    let most = |max_length: &Option<u64>| {
        max_length.map(|most| format!(" of at most {most} characters")).unwrap_or_default()
    };
    let what = match &field.kind {
        Kind::Text { max_length } | Kind::Paragraph { max_length } => format!("text{}", most(max_length)),
        Kind::Select { options } => {
            let options: Vec<String> = options.iter().map(|option| format!("{option:?}")).collect();
            format!("one of {}", options.join(", "))
        }
        Kind::Number => "a number".to_owned(),
        Kind::Checkbox => "true or false".to_owned(),
        Kind::JsonObject { .. } => "a JSON object".to_owned(),
        Kind::File(rules) | Kind::FileList(rules) => how_to_send(field, rules),
        Kind::Other(name) => format!("a value of Dify's type {name}"),
    };
    match &field.description {
        Some(description) => format!("{line}: {what}. {description}"),
        None => format!("{line}: {what}"),
    }
}

/// What to say to a person when inputs are missing: a sentence, and a line for each.
pub fn ask(missing: &[&Field]) -> String {
    let mut text = match missing.len() {
        1 => "The app needs one more input:".to_owned(),
        _ => "The app needs more inputs:".to_owned(),
    };
    for field in missing {
        text.push_str("\n- ");
        text.push_str(&sentence(field));
    }
    text
}

/// The members of a JSON object, in the order in which they are put in.
struct Members(String);

impl Members {
    fn new() -> Self {
        Self("{".to_owned())
    }

    /// Adds a value; one that has no JSON form is left out.
    fn put(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if let Ok(json) = serde_json::to_string(value) {
            self.raw(name, &json);
        }
    }

    /// Adds JSON as it is.
    fn raw(&mut self, name: &str, json: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(input_rules::json(name).get());
        self.0.push(':');
        self.0.push_str(json);
    }

    fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn raw(text: String) -> Json {
    // Made of pieces of JSON, so it is JSON.
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::dify::form::Form;

    fn schema(form: &Form) -> Value {
        let schema: Value = serde_json::from_str(object(&form.fields).get()).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        schema
    }

    #[test]
    fn a_recorded_form_is_a_schema_in_its_order() {
        let form = Form::of_recording("1.14.2/parameters_chatflow_inputs");
        assert_eq!(
            object(&form.fields).get(),
            concat!(
                r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"#,
                r#""topic":{"title":"Topic","type":"string","maxLength":200,"x-dify-type":"text-input"},"#,
                r#""tone":{"title":"tone","type":"string","enum":["formal","casual"],"x-dify-type":"select"},"#,
                r#""words":{"title":"words","type":"number","x-dify-type":"number"},"#,
                r#""notes":{"title":"notes","type":"string","maxLength":2000,"x-dify-type":"paragraph"}},"#,
                r#""required":["topic"]}"#
            )
        );
        schema(&form);
        let missing = [&form.fields[0]];
        assert_eq!(object(missing).get().matches("title").count(), 1);
        assert_eq!(
            ask(&missing),
            "The app needs one more input:\n- topic (Topic): text of at most 200 characters"
        );
        assert!(!object([]).get().contains("required"));
    }

    #[test]
    fn files_are_described_as_parts_to_send() {
        let form = Form::of_recording("1.14.2/parameters_workflow_file");
        let schema = schema(&form);
        let (doc, more) = (&schema["properties"]["doc"], &schema["properties"]["more"]);
        assert_eq!(doc["description"], "send a file part: image, document, or files that end in .txt, .bin");
        assert_eq!(
            (&doc["type"], &doc["x-dify-file-types"]),
            (&json!("object"), &json!(["image", "document", "custom"]))
        );
        assert_eq!(doc["x-dify-file-extensions"], json!(["txt", "bin"]));
        assert_eq!(
            (&more["type"], &more["maxItems"], &more["x-dify-type"]),
            (&json!("array"), &json!(3), &json!("file-list"))
        );
        let fields: Vec<&Field> = form.fields.iter().collect();
        assert_eq!(
            ask(&fields),
            "The app needs more inputs:\n- doc: send a file part: image, document, or files that end in .txt, .bin\n\
             - more: send up to 3 file parts: image, document"
        );
    }

    #[test]
    fn an_apps_own_schema_may_refer_to_its_parts() {
        let form = Form::of_items(
            r##"[{"json_object":{"variable":"o","json_schema":{"properties":{"a":{"$ref":"#/definitions/A"}},
                "definitions":{"A":{"type":"integer"}}}}}]"##,
        );
        let validator = jsonschema::draft202012::new(&schema(&form)).unwrap();
        assert!(validator.is_valid(&json!({"o":{"a":1}})) && !validator.is_valid(&json!({"o":{"a":"x"}})));
    }

    #[test]
    fn every_type_has_its_schema_and_its_sentence() {
        let form = Form::of_items(
            r#"[{"checkbox":{"variable":"ok","default":"yes","description":"Agreed?"}},
                {"number":{"variable":"n","default":" 5 "}},{"number":{"variable":"m","default":"007"}},
                {"text-input":{"variable":"t","default":"too long","max_length":3}},
                {"select":{"variable":"s","options":["a\"b"],"default":"a\"b"}},
                {"json_object":{"variable":"o","json_schema":{"type":"object","required":["x"],"minProperties":1.0}}},
                {"json_object":{"variable":"p"}},{"colour":{"variable":"c"}},
                {"file":{"variable":"f","description":"The plan","allowed_file_upload_methods":["remote_url"]}}]"#,
        );
        let text = object(&form.fields);
        assert!(text.get().contains(r#""allOf":[{"type":"object","required":["x"],"minProperties":1.0}]"#));
        let schema = schema(&form);
        let property = |name: &str| &schema["properties"][name];
        assert_eq!(
            property("ok"),
            &json!({"title":"ok","description":"Agreed?","type":"boolean","default":true,"x-dify-type":"checkbox"})
        );
        assert_eq!((&property("n")["default"], &property("m")["default"]), (&json!(5), &Value::Null));
        assert_eq!((&property("t")["default"], &property("s")["default"]), (&Value::Null, &json!("a\"b")));
        assert!(property("c")["type"].is_null());
        assert_eq!(
            property("f")["description"],
            "The plan (send a file part by URL: image, document, audio, video)"
        );
        let lines: Vec<String> = form.fields.iter().map(sentence).collect();
        assert_eq!(lines[0], "ok: true or false. Agreed?");
        assert_eq!(lines[4], r#"s: one of "a\"b""#);
        assert_eq!(
            (lines[5].as_str(), lines[7].as_str()),
            ("o: a JSON object", "c: a value of Dify's type colour")
        );
    }
}
