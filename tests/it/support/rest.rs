//! A client of the HTTP+JSON binding that shows everything.

use http::{HeaderMap, Method};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::client::{PATIENCE, Stream};
use super::{Client, Gateway};

/// A request of 0.3 that waits, as the official clients write it.
pub fn send_03_http(text: &str, context: &str) -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    let message =
        json!({"messageId": id, "contextId": context, "role": "ROLE_USER", "content": [{"text": text}]});
    json!({"message": message, "configuration": {"blocking": true}})
}

/// An answer that is no stream.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body; text that is no JSON as a string.
    pub body: Value,
}

impl Answer {
    /// The status and the reason of a refusal, in either protocol's form.
    pub fn refusal(&self) -> (u16, &str) {
        let details = self.body.pointer("/error/details").or_else(|| self.body.get("data"));
        let info = details.and_then(|details| details.get(0));
        let reason = info.and_then(|info| info["reason"].as_str()).unwrap_or_else(|| panic!("{self:?}"));
        (self.status, reason)
    }

    /// The fields that a refusal complains of.
    pub fn violations(&self) -> Vec<&str> {
        let details = self.body.pointer("/error/details").or_else(|| self.body.get("data"));
        let details = details.and_then(Value::as_array).unwrap_or_else(|| panic!("{self:?}"));
        let bad = details.iter().filter_map(|detail| detail["fieldViolations"].as_array());
        bad.flatten().map(|violation| violation["field"].as_str().expect("a field")).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// A client of one gateway.
#[derive(Clone)]
pub struct Rest(pub Client);

impl Rest {
    pub fn of(gateway: &Gateway) -> Self {
        Self(gateway.client.clone())
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.0.http.request(method, format!("{}{path}", self.0.base))
    }

    /// Sends it and reads the whole answer.
    pub async fn answer(request: RequestBuilder) -> Answer {
        let response =
            tokio::time::timeout(PATIENCE, request.send()).await.expect("in time").expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = tokio::time::timeout(PATIENCE, response.text()).await.expect("in time").expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, headers, body }
    }

    /// Sends it and gives the stream.
    pub async fn stream(request: RequestBuilder) -> Stream {
        let response =
            tokio::time::timeout(PATIENCE, request.send()).await.expect("in time").expect("an answer");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().expect("a value"))
        );
        Stream::of(response)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Self::answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Self::answer(self.request(Method::POST, path).json(body)).await
    }

    /// What a request that must succeed gives.
    pub async fn given(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// What a request that must succeed gives.
    pub async fn posted(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }
}
