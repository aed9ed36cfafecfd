//! The form of the report writer: what a caller sends as `inputs` comes in, its values or Dify's complaint go out.

use serde_json::{Map, Value};

use crate::demo::files::{self, Files};
use crate::demo::wire::{Object, object};

/// Longest topic, characters.
const TOPIC_CHARS: usize = 200;
const TONES: [&str; 2] = ["formal", "casual"];
const FILE_KINDS: [&str; 2] = ["document", "image"];
const METHODS: [&str; 2] = ["local_file", "remote_url"];

/// Values that are as the form wants them.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    /// What to write about.
    pub(super) topic: String,
    /// How.
    pub(super) tone: Option<&'static str>,
    /// How much at most; a whole number as it was given, or none.
    pub(super) words: Option<serde_json::Number>,
    /// Upon what.
    pub(super) source: Option<Source>,
}

/// A file that was given.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Its name.
    pub(super) name: String,
    /// Its size in bytes, if it is known.
    pub(super) size: Option<usize>,
    /// As Dify tells it.
    pub(super) object: Object,
}

/// The form as `/parameters` has it.
pub(super) fn form() -> Vec<Object> {
    let field =
        |kind: &str, variable: &str, label: &str, required: bool, max_length: usize, options: &[&str]| {
            object! {
                "variable": variable, "label": label, "type": kind, "required": required,
                "max_length": max_length, "options": options,
            }
        };
    let source = field("file", "source", "Source", false, TOPIC_CHARS, &[]).and(&object! {
        "allowed_file_types": FILE_KINDS, "allowed_file_extensions": [(); 0],
        "allowed_file_upload_methods": METHODS,
    });
    vec![
        object! {"text-input": field("text-input", "topic", "Topic", true, TOPIC_CHARS, &[])},
        object! {"select": field("select", "tone", "Tone", false, TOPIC_CHARS, &TONES)},
        object! {"number": field("number", "words", "Words", false, TOPIC_CHARS, &[])},
        object! {"file": source},
    ]
}

impl Inputs {
    /// Reads what this user sent.
    pub(super) fn read(sent: &Map<String, Value>, user: &str, files: &Files) -> Result<Self, String> {
        let given = |name: &str| sent.get(name).filter(|value| !value.is_null());
        let topic = match given("topic") {
            None => return Err("topic is required in input form".to_owned()),
            Some(value) => text("topic", "text-input", value)?,
        };
        if topic.chars().count() > TOPIC_CHARS {
            return Err(format!("topic in input form must be less than {TOPIC_CHARS} characters"));
        }
        let tone = given("tone").map(tone).transpose()?;
        let words = given("words").map(number).transpose()?.flatten();
        let source = given("source").map(|value| source(value, user, files)).transpose()?;
        Ok(Self { topic: topic.to_owned(), tone, words, source })
    }

    /// The values as the run has them.
    pub(super) fn object(&self) -> Object {
        object! {
            "topic": self.topic, "tone": self.tone, "words": self.words,
            "source": self.source.as_ref().map(|source| &source.object),
        }
    }
}

fn text<'a>(name: &str, kind: &str, value: &'a Value) -> Result<&'a str, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Array(_) | Value::Object(_) => Err(format!("Invalid input type for ['{name}']")),
        _ => Err(format!("(type '{kind}') {name} in input form must be a string")),
    }
}

fn tone(value: &Value) -> Result<&'static str, String> {
    let asked = text("tone", "select", value)?;
    TONES.into_iter().find(|tone| *tone == asked).ok_or_else(|| {
        format!("tone in input form must be one of the following: ['{}', '{}']", TONES[0], TONES[1])
    })
}

fn number(value: &Value) -> Result<Option<serde_json::Number>, String> {
    let wrong = || "words in input form must be a valid number".to_owned();
    match value {
        Value::Number(number) => Ok(Some(number.clone())),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => text.trim().parse().map(Some).map_err(|_| wrong()),
        Value::Array(_) | Value::Object(_) => Err("Invalid input type for ['words']".to_owned()),
        _ => Err(wrong()),
    }
}

fn source(value: &Value, user: &str, files: &Files) -> Result<Source, String> {
    let Value::Object(mapping) = value else { return Err("source in input form must be a file".to_owned()) };
    let told = |name: &str| mapping.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let source = match told("transfer_method") {
        None => return Err("transfer_method is required in file mapping".to_owned()),
        Some("local_file") => {
            let file = told("upload_file_id").and_then(|id| files.upload_of(id, user));
            let file = file.ok_or_else(|| "Invalid upload file".to_owned())?;
            let object = files.object(&file);
            Source { name: file.name, size: Some(file.bytes.len()), object }
        }
        Some("remote_url") => {
            let url = told("url").and_then(|url| url::Url::parse(url).ok());
            let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
            let url = url.ok_or_else(|| "Invalid file url".to_owned())?;
            let last = url.path_segments().and_then(|mut segments| segments.next_back());
            let name = last.filter(|name| !name.is_empty()).unwrap_or("file").to_owned();
            let object = files::remote_object(url.as_str(), &name);
            Source { name, size: None, object }
        }
        Some(other) => return Err(format!("'{other}' is not a valid FileTransferMethod")),
    };
    let kind = told("type").unwrap_or("custom");
    if source.size.is_some() && kind != files::kind(&source.name) {
        return Err(
            "Detected file type does not match the specified type. Please verify the file.".to_owned()
        );
    }
    if !FILE_KINDS.contains(&kind) {
        return Err(format!("File validation failed for file: {}", source.name));
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::demo::files::File;

    #[test]
    fn inputs_are_checked_with_the_words_of_dify() {
        let files = Files::new("http://demo");
        let keep = |name: &str| {
            let id = Uuid::new_v4();
            let (user, mime) = (Some("alice".to_owned()), "text/plain".to_owned());
            files.keep(File { id, user, name: name.to_owned(), mime, bytes: Bytes::from_static(b"hello") });
            id.to_string()
        };
        let (text, sound) = (keep("a.txt"), keep("a.mp3"));
        let read = |sent: Value, user: &str| Inputs::read(sent.as_object().unwrap(), user, &files);
        let local = |id: &str, kind: &str| json!({"topic": "x", "source": {"type": kind, "transfer_method": "local_file", "upload_file_id": id}});
        let remote = |url: &str| json!({"topic": "x", "source": {"type": "image", "transfer_method": "remote_url", "url": url}});
        for (sent, complaint) in [
            (json!({}), "topic is required in input form"),
            (json!({"topic": null}), "topic is required in input form"),
            (json!({"topic": 3}), "(type 'text-input') topic in input form must be a string"),
            (json!({"topic": {}}), "Invalid input type for ['topic']"),
            (json!({"topic": "ä".repeat(201)}), "topic in input form must be less than 200 characters"),
            (
                json!({"topic": "x", "tone": "rude"}),
                "tone in input form must be one of the following: ['formal', 'casual']",
            ),
            (json!({"topic": "x", "words": "many"}), "words in input form must be a valid number"),
            (json!({"topic": "x", "source": "a.txt"}), "source in input form must be a file"),
            (json!({"topic": "x", "source": {}}), "transfer_method is required in file mapping"),
            (local("5b0a1d1e-1111-4222-8333-444455556666", "document"), "Invalid upload file"),
            (
                local(&text, "image"),
                "Detected file type does not match the specified type. Please verify the file.",
            ),
            (local(&sound, "audio"), "File validation failed for file: a.mp3"),
            (remote("ftp://x/y.png"), "Invalid file url"),
        ] {
            assert_eq!(read(sent.clone(), "alice").unwrap_err(), complaint, "{sent}");
        }
        assert_eq!(read(local(&text, "document"), "mallory").unwrap_err(), "Invalid upload file");

        let source = read(local(&text, "document"), "alice").unwrap().source.unwrap();
        assert_eq!((source.name.as_str(), source.size), ("a.txt", Some(5)));
        let source = read(remote("https://example.org/a/dot.png?x=1"), "alice").unwrap().source.unwrap();
        assert_eq!((source.name.as_str(), source.size), ("dot.png", None));
        let sent = json!({"topic": "ä".repeat(200), "tone": "casual", "words": "12", "more": [1]});
        let inputs = read(sent, "alice").unwrap();
        assert_eq!((inputs.tone, inputs.words.unwrap().as_u64()), (Some("casual"), Some(12)));
        let inputs = read(json!({"topic": "", "words": ""}), "alice").unwrap();
        assert_eq!(inputs.object().text(), r#"{"topic":"","tone":null,"words":null,"source":null}"#);
    }
}
