//! The schemas of answers against what the dialects write of tasks and streams that hold everything, and of every error.

use std::time::Duration;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{Object, served};
use crate::core::error::Error;
use crate::core::progress::Level;
use crate::core::task::Task;
use crate::edge::a2a_v1::V1;
use crate::edge::a2a_v03::V03;
use crate::edge::a2a_v03_http::{Once, V03Http};
use crate::edge::binding::Bindings;
use crate::edge::dialect::{Dialect, Page, StreamEnd};
use crate::edge::error::{EdgeError, WireError};
use crate::edge::legacy::Legacy;
use crate::edge::testing::{asking, completed, failed, streamed_as, submitted, text};
use crate::edge::view::View;

/// The schemas of the document, in which objects have no members but those that are described.
struct Schemas(Object);

impl Schemas {
    fn new() -> Self {
        let mut components = served("http://a.example", &Bindings::default()).remove("components").unwrap();
        close(&mut components);
        let mut root = Object::new();
        root.insert("components".to_owned(), components);
        Self(root)
    }

    fn validator(&self, name: &str) -> Validator {
        let mut root = self.0.clone();
        root.insert("$ref".to_owned(), format!("#/components/schemas/{name}").into());
        jsonschema::options().should_validate_formats(true).build(&root.into()).unwrap()
    }

    /// Whether all of these are what the schema of that name says.
    fn hold(&self, name: &str, lines: impl IntoIterator<Item = String>) {
        let validator = self.validator(name);
        let mut count = 0;
        for line in lines {
            let value: Value = serde_json::from_str(&line).unwrap();
            let wrong: Vec<String> = validator
                .iter_errors(&value)
                .map(|error| format!("{error} at {}", error.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}: {line}");
            count += 1;
        }
        assert!(count > 0, "{name}: nothing to look at");
    }
}

/// Closes every object that names its members and does not say that there may be others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && members.get("type") == Some(&json!("object")) {
                members.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(elements) => elements.iter_mut().for_each(close),
        _ => {}
    }
}

fn tasks() -> [Task; 4] {
    [submitted(), asking(), failed(), completed()]
}

fn views() -> [View; 2] {
    let plain = View { base: "https://a.example/x".to_owned(), progress: Level::Full, ..View::default() };
    let accepted = crate::core::accepted::Accepted::new(["text/plain", "image/png"].map(str::to_owned));
    [plain.clone(), View { accepted, ..plain }]
}

/// The names of the schemas of a dialect: what sending gives, a task, a list, an element of a stream.
type Names = [&'static str; 4];

const V03_HTTP: V03Http<Once> = V03Http::DIALECT;

static DIALECTS: [(&dyn Dialect, Names); 4] = [
    (&V1, ["V1SendMessageResponse", "V1Task", "V1ListTasksResponse", "V1StreamResponse"]),
    (&V03, ["V03Task", "V03Task", "", "V03StreamElement"]),
    (&V03_HTTP, ["V03RestSendMessageResponse", "V03RestTask", "V03RestTaskList", "V03RestStreamResponse"]),
    (&Legacy, ["LegacyTask", "LegacyTask", "LegacyTaskList", "LegacyStreamElement"]),
];

#[test]
fn everything_that_a_dialect_writes_is_what_its_schemas_say() {
    let schemas = Schemas::new();
    for (dialect, [sent, task, list, element]) in &DIALECTS {
        for view in views() {
            for one in tasks() {
                schemas.hold(sent, [text(|buf| dialect.send_result(buf, &one, &view))]);
                schemas.hold(task, [text(|buf| dialect.task(buf, &one, &view))]);
            }
            if !list.is_empty() {
                let page = Page { tasks: &tasks(), more: true, page_size: 4, total: 9 };
                schemas.hold(list, [text(|buf| dialect.list_result(buf, &page, &view))]);
            }
            for end in [StreamEnd::Turn, StreamEnd::Task] {
                schemas.hold(element, streamed_as(*dialect, end, view.clone()));
            }
        }
    }
}

fn errors() -> Vec<EdgeError> {
    vec![
        EdgeError::ContentType { given: "text/plain".to_owned() },
        EdgeError::ExtendedCardNotConfigured,
        EdgeError::ExtendedCardNotSupported,
        EdgeError::ExtensionRequired { uri: "urn:x".to_owned() },
        EdgeError::http_verb(&http::Method::PUT, "GET".to_owned()),
        EdgeError::InvalidRequest("x".to_owned()),
        EdgeError::method_not_found("x"),
        EdgeError::no_such_path("/x"),
        EdgeError::Parse("x".to_owned()),
        EdgeError::PayloadTooLarge { limit: 1 },
        EdgeError::VersionNotSupported { requested: "9".to_owned(), supported: "1.0" },
        Error::Busy { what: "x", retry_after: Duration::from_secs(1) }.into(),
        Error::ContentTypeNotSupported("x".to_owned()).into(),
        Error::Draining.into(),
        Error::Internal("x".to_owned()).into(),
        Error::invalid("message.parts", "x").into(),
        Error::PushNotSupported.into(),
        Error::TaskNotFound("t".into()).into(),
        Error::UnsupportedOperation("x".to_owned()).into(),
    ]
}

#[test]
fn every_error_is_what_its_schema_says() {
    let schemas = Schemas::new();
    for error in errors() {
        let error = WireError::from(error);
        schemas.hold("RestError", [text(|buf| error.write_http(buf))]);
        schemas.hold("V03RestError", [text(|buf| V03_HTTP.error(buf, &error))]);
        for dialect in [&V1 as &dyn Dialect, &V03, &Legacy] {
            let body = text(|buf| {
                buf.extend_from_slice(br#"{"jsonrpc":"2.0","id":null,"error":"#);
                dialect.error(buf, &error);
                buf.push(b'}');
            });
            schemas.hold("RpcFailure", [body]);
        }
    }
}

#[test]
fn a_schema_that_is_closed_refuses_what_it_does_not_name() {
    let schemas = Schemas::new();
    let mut task: Value =
        serde_json::from_str(&text(|buf| V1.task(buf, &completed(), &View::default()))).unwrap();
    let validator = schemas.validator("V1Task");
    assert!(validator.is_valid(&task));
    task["status"]["surprise"] = json!(1);
    assert!(!validator.is_valid(&task));
}
