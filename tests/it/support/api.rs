//! A client that holds every answer against the gateway's own OpenAPI document: status, headers, media type and body.

use http::Method;
use jsonschema::Validator;
use reqwest::Response;
use serde_json::{Map, Value, json};

use super::Gateway;
use super::client::{Client, Event, PATIENCE, Stream};

/// The document of one gateway.
pub struct Api {
    pub client: Client,
    pub document: Value,
    /// The same, in which objects have no members but those that are described.
    closed: Value,
}

/// An answer that is as described.
#[derive(Debug)]
pub struct Checked {
    pub status: u16,
    pub headers: http::HeaderMap,
    /// The body, if it is no stream.
    pub body: Value,
    /// The data of a stream.
    pub events: Vec<Event>,
}

impl Api {
    pub async fn of(gateway: &Gateway) -> Self {
        let client = gateway.client.clone();
        let url = format!("{}/openapi.json", client.base);
        let response = client.http.get(url).send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "application/json");
        let document: Value =
            serde_json::from_str(&response.text().await.expect("a body")).expect("a document in JSON");
        let mut closed = document.clone();
        close(&mut closed);
        Self { client, document, closed }
    }

    /// Every operation: verb, path, and what is said of it.
    pub fn operations(&self) -> Vec<(Method, &str, &Value)> {
        let paths = self.document["paths"].as_object().expect("paths");
        let all = paths.iter().flat_map(|(path, item)| {
            let item = item.as_object().expect("a path");
            item.iter().map(move |(verb, operation)| {
                let verb = verb.to_ascii_uppercase().parse().expect("a verb");
                (verb, path.as_str(), operation)
            })
        });
        all.collect()
    }

    /// A value or what it refers to.
    pub fn followed<'d>(&'d self, value: &'d Value) -> &'d Value {
        self.followed_in(&self.document, value)
    }

    fn followed_in<'d>(&self, document: &'d Value, value: &'d Value) -> &'d Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("a reference within the document");
                let target = document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
                self.followed_in(document, target)
            }
            None => value,
        }
    }

    /// A validator of a schema that stands somewhere in the document.
    pub fn validator(&self, schema: &Value) -> Validator {
        let mut root = Map::new();
        root.insert("components".to_owned(), self.closed["components"].clone());
        root.insert("allOf".to_owned(), json!([schema]));
        let built = jsonschema::options().should_validate_formats(true).build(&root.into());
        built.unwrap_or_else(|error| panic!("{error}: {schema}"))
    }

    /// Sends a request to a path of the document, in which `{name}` is replaced, and holds the answer against it.
    pub async fn ask(
        &self,
        method: Method,
        template: &str,
        values: &[(&str, &str)],
        given: Given<'_>,
    ) -> Checked {
        let mut path = template.to_owned();
        for (name, value) in values {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let url = format!("{}{path}{}", self.client.base, given.query);
        let mut request = self.client.http.request(method.clone(), url);
        for (name, value) in given.headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = given.body {
            request = request.header("content-type", given.content_type).body(body.clone());
        }
        let sent = tokio::time::timeout(PATIENCE, request.send()).await;
        self.check(&method, template, sent.expect("in time").expect("an answer")).await
    }

    async fn check(&self, method: &Method, template: &str, response: Response) -> Checked {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let verb = method.as_str().to_ascii_lowercase();
        let operation = self.closed["paths"][template].get(&verb);
        let operation = operation.unwrap_or_else(|| panic!("{method} {template} is not described"));
        let place = format!("{method} {template}: {status}");
        let described = operation["responses"].get(status.to_string());
        let described = described.unwrap_or_else(|| panic!("{place} is not described"));
        let described = self.followed_in(&self.closed, described);
        for (name, header) in described["headers"].as_object().into_iter().flatten() {
            let header = self.followed_in(&self.closed, header);
            let Some(value) = headers.get(name) else {
                assert_ne!(header["required"], true, "{place} has no {name}");
                continue;
            };
            let text = value.to_str().expect("text");
            let number = header["schema"]["type"] == "integer";
            let value = if number { text.parse::<i64>().expect("a number").into() } else { text.into() };
            self.hold(&header["schema"], &value, &place);
        }
        let content_type = headers.get("content-type").map(|value| value.to_str().expect("text"));
        let contents = described["content"].as_object();
        let content = content_type.and_then(|media_type| {
            let media_type = media_type.split(';').next().unwrap_or_default();
            contents.and_then(|contents| contents.get(media_type).or_else(|| contents.get("*/*")))
        });
        let Some(content) = content else {
            assert!(
                contents.is_none() && content_type.is_none(),
                "{place}: {content_type:?} is not described"
            );
            return Checked { status, headers, body: Value::Null, events: Vec::new() };
        };
        if content_type == Some("text/event-stream") {
            let events = Stream::of(response).all().await;
            self.hold_events(&content["schema"], &events, &place);
            return Checked { status, headers, body: Value::Null, events };
        }
        let text = tokio::time::timeout(PATIENCE, response.text()).await.expect("in time").expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if content.get("schema").is_some() {
            self.hold(&content["schema"], &body, &place);
        }
        Checked { status, headers, body, events: Vec::new() }
    }

    fn hold(&self, schema: &Value, value: &Value, place: &str) {
        let validator = self.validator(schema);
        let errors = validator.iter_errors(value);
        let wrong: Vec<String> =
            errors.map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{place}: {wrong:?}: {value}");
    }

    /// The schema is that of one event, and of what its data says.
    fn hold_events(&self, schema: &Value, events: &[Event], place: &str) {
        assert!(!events.is_empty(), "{place} has no events");
        let (event, described) = (self.validator(schema), self.followed_in(&self.closed, schema));
        let data = &described["properties"]["data"];
        assert_eq!(data["contentMediaType"], "application/json", "{place}");
        let content = self.validator(&data["contentSchema"]);
        for Event { id, data } in events {
            let mut whole = json!({"event": "message", "data": data.to_string()});
            if !id.is_empty() {
                whole["id"] = id.as_str().into();
            }
            assert!(event.is_valid(&whole), "{place}: {whole}");
            let wrong: Vec<String> = content.iter_errors(data).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{place}: {wrong:?}: {data}");
        }
    }

    /// Whether a request body is what the document says of an operation's.
    pub fn takes(&self, method: &str, template: &str, body: &Value) -> bool {
        let operation = &self.document["paths"][template][method];
        let request = self.followed(&operation["requestBody"]);
        self.validator(&request["content"]["application/json"]["schema"]).is_valid(body)
    }
}

/// What a request brings beside its path.
#[derive(Clone, Copy)]
pub struct Given<'g> {
    pub query: &'g str,
    pub headers: &'g [(&'g str, &'g str)],
    pub content_type: &'g str,
    pub body: Option<&'g String>,
}

/// Nothing.
pub const NOTHING: Given<'static> =
    Given { query: "", headers: &[], content_type: "application/json", body: None };

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
