//! HTTP+JSON.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::form_03_http;
use super::{Events, Method, Refusal, Told, Wire};
use crate::support::Gateway;
use crate::support::client::Stream;

/// The verb, the path, and whether the params are a body.
fn route(wire: Wire, method: Method, params: &mut Value) -> (reqwest::Method, String, bool) {
    use reqwest::Method as M;
    let mut taken = |name: &str| match params.as_object_mut().and_then(|params| params.remove(name)) {
        Some(Value::String(text)) => encoded(&text),
        _ => String::new(),
    };
    let (verb, path, is_body) = match method {
        Method::Send => (M::POST, "/message:send".to_owned(), true),
        Method::Stream => (M::POST, "/message:stream".to_owned(), true),
        Method::Get => (M::GET, format!("/tasks/{}", taken("id")), false),
        Method::List => (M::GET, "/tasks".to_owned(), false),
        Method::Cancel => (M::POST, format!("/tasks/{}:cancel", taken("id")), true),
        Method::Subscribe => (M::POST, format!("/tasks/{}:subscribe", taken("id")), false),
        Method::ExtendedCard if wire.is_03() => (M::GET, "/card".to_owned(), false),
        Method::ExtendedCard => (M::GET, "/extendedAgentCard".to_owned(), false),
        Method::PushCreate => (M::POST, format!("/tasks/{}/pushNotificationConfigs", taken("taskId")), true),
        Method::PushList => (M::GET, format!("/tasks/{}/pushNotificationConfigs", taken("taskId")), false),
        Method::PushGet | Method::PushDelete => {
            let verb = if method == Method::PushGet { M::GET } else { M::DELETE };
            (verb, format!("/tasks/{}/pushNotificationConfigs/{}", taken("taskId"), taken("id")), false)
        }
    };
    let tenant = taken("tenant");
    let prefix = match (wire.is_03(), tenant.as_str()) {
        (true, _) => "/v1".to_owned(),
        (false, "") => String::new(),
        (false, tenant) => format!("/{tenant}"),
    };
    (verb, format!("{prefix}{path}"), is_body)
}

fn encoded(segment: &str) -> String {
    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn request(
    wire: Wire,
    gateway: &Gateway,
    method: Method,
    mut params: Value,
    headers: &[(&str, &str)],
) -> reqwest::Response {
    let (verb, path, is_body) = route(wire, method, &mut params);
    let mut request = gateway.client.http.request(verb, format!("{}{path}", gateway.client.base));
    if is_body {
        let is_message = matches!(method, Method::Send | Method::Stream);
        let body = if wire.is_03() && is_message { form_03_http::request(params) } else { params };
        request = request.json(&body);
    } else {
        let query = params.as_object().expect("params").iter().map(|(name, value)| match value {
            Value::String(text) => (name.clone(), text.clone()),
            other => (name.clone(), other.to_string()),
        });
        request = request.query(&query.collect::<Vec<_>>());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

/// The extensions that an answer says were used.
pub fn extensions(response: &reqwest::Response) -> Option<String> {
    let headers = response.headers();
    let named = headers.get("a2a-extensions").or_else(|| headers.get("x-a2a-extensions"));
    named.map(|value| value.to_str().expect("text").to_owned())
}

/// Whether an answer is a stream of events.
pub fn is_stream(response: &reqwest::Response) -> bool {
    response.headers()["content-type"].to_str().expect("text").starts_with("text/event-stream")
}

fn read(wire: Wire, method: Method, answer: Value) -> Value {
    match method {
        _ if !wire.is_03() => answer,
        Method::Send | Method::Stream | Method::Subscribe => form_03_http::event(answer),
        _ => form_03_http::task(answer),
    }
}

async fn refusal(wire: Wire, response: reqwest::Response) -> Refusal {
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    let answer: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {status} {text}"));
    if wire.is_03() {
        assert!(answer["code"].is_i64() && answer["type"].is_string(), "{answer}");
        return Refusal::of_details(&answer["message"], &answer["data"]);
    }
    let error = &answer["error"];
    assert_eq!(error["code"], status, "{answer}");
    assert!(error["status"].as_str().expect("a status").bytes().all(|b| b == b'_' || b.is_ascii_uppercase()));
    Refusal::of_details(&error["message"], &error["details"])
}

pub async fn ask(
    wire: Wire,
    gateway: &Gateway,
    method: Method,
    params: Value,
    headers: &[(&str, &str)],
) -> Result<Told<Value>, Refusal> {
    let response = request(wire, gateway, method, params, headers).await;
    if !response.status().is_success() {
        return Err(refusal(wire, response).await);
    }
    let extensions = extensions(&response);
    let answer: Value = response.json().await.expect("JSON");
    assert!(answer.get("error").is_none(), "{answer}");
    Ok(Told { result: read(wire, method, answer), extensions })
}

pub async fn open(wire: Wire, gateway: &Gateway, method: Method, params: Value) -> Result<Events, Refusal> {
    let response = request(wire, gateway, method, params, &[("accept", "text/event-stream")]).await;
    if !response.status().is_success() {
        return Err(refusal(wire, response).await);
    }
    assert!(is_stream(&response), "{response:?}");
    let mut stream = Stream::of(response);
    let (sender, events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(event) = stream.next().await {
            assert_ne!(event.data, json!(null));
            if sender.send(read(wire, method, event.data)).is_err() {
                return;
            }
        }
    });
    Ok(events)
}
