//! The bodies that the gateway sends to Dify.

use serde::Serialize;

/// Body of `POST /chat-messages`. Always asks for a stream: blocking answers are cut by proxies, refused by agent
/// apps, and hide progress.
#[derive(Debug, Serialize)]
pub struct ChatRequest<'a> {
    /// Values of the app's variables. The key is required even when there are none.
    inputs: NoInputs,
    /// What the caller says.
    query: &'a str,
    /// On whose behalf; conversations belong to it.
    user: &'a str,
    response_mode: &'static str,
    /// The conversation to go on with; without one Dify begins a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<&'a str>,
    /// Off: Dify would spend a model call on a title that nobody sees.
    auto_generate_name: bool,
}

#[derive(Debug, Serialize)]
struct NoInputs {}

impl<'a> ChatRequest<'a> {
    /// A request that says `query` for `user`, in `conversation_id` if there is one.
    pub fn new(query: &'a str, user: &'a str, conversation_id: Option<&'a str>) -> Self {
        Self {
            inputs: NoInputs {},
            query,
            user,
            response_mode: "streaming",
            conversation_id,
            auto_generate_name: false,
        }
    }
}

/// Body of `POST /chat-messages/{task_id}/stop`.
#[derive(Debug, Serialize)]
pub struct StopRequest<'a> {
    /// The user that the turn was begun for; Dify ignores a stop of anybody else without saying so.
    pub user: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_request_has_exactly_the_fields_that_dify_wants() {
        let body = serde_json::to_string(&ChatRequest::new("hi", "alice", None)).unwrap();
        assert_eq!(
            body,
            r#"{"inputs":{},"query":"hi","user":"alice","response_mode":"streaming","auto_generate_name":false}"#
        );
        let body = serde_json::to_string(&ChatRequest::new("hi", "alice", Some("c1"))).unwrap();
        assert!(body.contains(r#""conversation_id":"c1""#));
    }
}
