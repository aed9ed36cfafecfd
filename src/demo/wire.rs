//! Dify's JSON, as its service API 1.14 writes it: events, errors, answers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

/// Server version in the `X-Version` header.
pub(super) const VERSION: &str = "1.14.2";
/// A keep-alive: an event without data.
pub(super) const PING: Bytes = Bytes::from_static(b"event: ping\n\n");

/// What every event of a turn repeats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    /// The conversation.
    pub(super) conversation: Uuid,
    /// The message that the turn makes.
    pub(super) message: Uuid,
    /// The turn, for stopping it.
    pub(super) task: Uuid,
    /// When the message was made, Unix seconds.
    pub(super) created_at: i64,
}

/// One event of a chat stream.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// The answer goes on by this.
    Message(&'a str),
    /// The answer is complete, or was stopped.
    MessageEnd(&'a Usage),
    /// The model failed with this message.
    Error(&'a str),
}

/// Code that Dify gives when the call of the model failed.
pub(super) const MODEL_FAILED: &str = "completion_request_error";

#[derive(Serialize)]
struct Frame<'a> {
    event: &'static str,
    #[serde(serialize_with = "as_text")]
    conversation_id: Uuid,
    #[serde(serialize_with = "as_text")]
    message_id: Uuid,
    created_at: i64,
    #[serde(flatten)]
    rest: Rest<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Rest<'a> {
    Error {
        code: &'static str,
        status: u16,
        message: &'a str,
    },
    Message {
        #[serde(serialize_with = "as_text")]
        task_id: Uuid,
        #[serde(serialize_with = "as_text")]
        id: Uuid,
        answer: &'a str,
        from_variable_selector: (),
    },
    MessageEnd {
        #[serde(serialize_with = "as_text")]
        task_id: Uuid,
        #[serde(serialize_with = "as_text")]
        id: Uuid,
        metadata: Metadata<'a>,
        files: (),
    },
}

fn as_text<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// The `metadata` of a complete answer.
#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    annotation_reply: (),
    retriever_resources: [(); 0],
    usage: &'a Usage,
}

impl<'a> Metadata<'a> {
    /// With this usage and nothing else.
    pub(super) fn new(usage: &'a Usage) -> Self {
        Self { annotation_reply: (), retriever_resources: [], usage }
    }
}

/// The event as one SSE frame.
pub(super) fn frame(ids: Ids, event: &Event<'_>) -> Bytes {
    let (task_id, id) = (ids.task, ids.message);
    let (event, rest) = match event {
        Event::Message(answer) => {
            ("message", Rest::Message { task_id, id, answer, from_variable_selector: () })
        }
        Event::MessageEnd(usage) => {
            ("message_end", Rest::MessageEnd { task_id, id, metadata: Metadata::new(usage), files: () })
        }
        Event::Error(message) => ("error", Rest::Error { code: MODEL_FAILED, status: 400, message }),
    };
    let frame = Frame {
        event,
        conversation_id: ids.conversation,
        message_id: ids.message,
        created_at: ids.created_at,
        rest,
    };
    let mut bytes = b"data: ".to_vec();
    let written = serde_json::to_writer(&mut bytes, &frame);
    debug_assert!(written.is_ok(), "plain strings and numbers always serialize");
    bytes.extend_from_slice(b"\n\n");
    Bytes::from(bytes)
}

/// Token usage with its made-up prices.
#[derive(Debug, Serialize)]
pub(super) struct Usage {
    prompt_tokens: usize,
    prompt_unit_price: &'static str,
    prompt_price_unit: &'static str,
    prompt_price: String,
    completion_tokens: usize,
    completion_unit_price: &'static str,
    completion_price_unit: &'static str,
    completion_price: String,
    total_tokens: usize,
    total_price: String,
    currency: &'static str,
    latency: f64,
    time_to_first_token: Option<f64>,
    time_to_generate: Option<f64>,
}

impl Usage {
    /// What a complete answer used; times in seconds.
    pub(super) fn complete(prompt: usize, completion: usize, first_token: f64, latency: f64) -> Self {
        let prompt_micros = prompt;
        let completion_micros = completion.saturating_mul(2);
        Self {
            prompt_tokens: prompt,
            prompt_price: price(prompt_micros),
            completion_tokens: completion,
            completion_price: price(completion_micros),
            total_tokens: prompt.saturating_add(completion),
            total_price: price(prompt_micros.saturating_add(completion_micros)),
            time_to_first_token: Some(first_token),
            time_to_generate: Some(latency - first_token),
            ..Self::stopped(latency)
        }
    }

    /// What Dify says of a stopped answer: nothing was used.
    pub(super) fn stopped(latency: f64) -> Self {
        Self {
            prompt_tokens: 0,
            prompt_unit_price: "0.001",
            prompt_price_unit: "0.001",
            prompt_price: "0E-7".to_owned(),
            completion_tokens: 0,
            completion_unit_price: "0.002",
            completion_price_unit: "0.001",
            completion_price: "0E-7".to_owned(),
            total_tokens: 0,
            total_price: "0E-7".to_owned(),
            currency: "USD",
            latency,
            time_to_first_token: None,
            time_to_generate: None,
        }
    }
}

/// Millionths of a dollar with the seven digits that Dify prints.
fn price(micros: usize) -> String {
    format!("{}.{:06}0", micros / 1_000_000, micros % 1_000_000)
}

/// An error answer in Dify's envelope.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let status_number = status.as_u16();
    json_response(status, &json!({"code": code, "message": message, "status": status_number}))
}

/// A JSON answer the way Dify's framework prints it: slashes escaped, a newline at the end.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut text = body.to_string().replace('/', "\\/");
    text.push('\n');
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// An event stream.
pub(super) fn stream_response(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Ids = Ids {
        conversation: Uuid::from_u128(1),
        message: Uuid::from_u128(2),
        task: Uuid::from_u128(3),
        created_at: 1_795_310_829,
    };

    fn text(event: &Event<'_>) -> String {
        String::from_utf8(frame(IDS, event).to_vec()).unwrap()
    }

    #[test]
    fn events_are_spelled_as_dify_spells_them() {
        let head = r#""conversation_id":"00000000-0000-0000-0000-000000000001","message_id":"00000000-0000-0000-0000-000000000002","created_at":1795310829"#;
        let ids =
            r#""task_id":"00000000-0000-0000-0000-000000000003","id":"00000000-0000-0000-0000-000000000002""#;
        assert_eq!(
            text(&Event::Message("You ")),
            format!(
                "data: {{\"event\":\"message\",{head},{ids},\"answer\":\"You \",\"from_variable_selector\":null}}\n\n"
            )
        );
        assert_eq!(
            text(&Event::Error("gone")),
            format!(
                "data: {{\"event\":\"error\",{head},\"code\":\"completion_request_error\",\"status\":400,\"message\":\"gone\"}}\n\n"
            )
        );
        assert_eq!(
            text(&Event::MessageEnd(&Usage::complete(13, 5, 0.05, 0.25))),
            format!(
                "data: {{\"event\":\"message_end\",{head},{ids},\"metadata\":{{\"annotation_reply\":null,\"retriever_resources\":[],\"usage\":{{\"prompt_tokens\":13,\"prompt_unit_price\":\"0.001\",\"prompt_price_unit\":\"0.001\",\"prompt_price\":\"0.0000130\",\"completion_tokens\":5,\"completion_unit_price\":\"0.002\",\"completion_price_unit\":\"0.001\",\"completion_price\":\"0.0000100\",\"total_tokens\":18,\"total_price\":\"0.0000230\",\"currency\":\"USD\",\"latency\":0.25,\"time_to_first_token\":0.05,\"time_to_generate\":0.2}}}},\"files\":null}}\n\n"
            )
        );
    }
}
