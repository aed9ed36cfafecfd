//! Dify's frames as tests need them, in the form of Dify 1.14.

use serde_json::{Value, json};

use super::fake_dify::Received;

/// Bytes of one frame.
pub fn frame(event: &Value) -> Vec<u8> {
    format!("data: {event}\n\n").into_bytes()
}

/// The conversation that the fake gives a new context of this user: one per user and turn count is enough.
pub fn conversation_of(received: &Received) -> String {
    match received.body["conversation_id"].as_str() {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("conv-{}", received.user()),
    }
}

/// A `message` frame.
pub fn message(received: &Received, task: &str, answer: &str) -> Vec<u8> {
    frame(&json!({
        "event": "message", "conversation_id": conversation_of(received), "message_id": "m", "created_at": 1,
        "task_id": task, "id": "m", "answer": answer, "from_variable_selector": null
    }))
}

/// A `message_end` frame.
pub fn message_end(received: &Received, task: &str) -> Vec<u8> {
    frame(&json!({
        "event": "message_end", "conversation_id": conversation_of(received), "message_id": "m",
        "created_at": 1, "task_id": task, "id": "m", "files": null,
        "metadata": {"annotation_reply": null, "retriever_resources": [], "usage": {
            "prompt_tokens": 13, "completion_tokens": 5, "total_tokens": 18, "total_price": "0.0000230",
            "currency": "USD", "latency": 0.12}}
    }))
}

/// An `error` frame.
pub fn error(received: &Received, code: &str, message: &str) -> Vec<u8> {
    frame(&json!({
        "event": "error", "conversation_id": conversation_of(received), "message_id": "m", "created_at": 1,
        "code": code, "status": 400, "message": message
    }))
}

/// A ping, as Dify writes it: without data.
pub fn ping() -> Vec<u8> {
    b"event: ping\n\n".to_vec()
}

/// The whole stream of an answer in these pieces.
pub fn answer(received: &Received, task: &str, pieces: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        bytes.extend(message(received, task, piece));
    }
    bytes.extend(message_end(received, task));
    bytes
}

/// The whole stream of an echo, word by word.
pub fn echo(received: &Received) -> Vec<u8> {
    let mut pieces = vec!["You said: "];
    pieces.extend(received.said().split_inclusive(' '));
    answer(received, &format!("task-{}", received.user()), &pieces)
}

/// `GET /info`.
pub fn info(mode: &str) -> Value {
    json!({"name": "Test app", "description": "Says what you said.", "tags": ["echo"], "mode": mode, "author_name": "Owner"})
}

/// `GET /parameters`.
pub fn parameters() -> Value {
    json!({
        "opening_statement": "Hello!", "suggested_questions": ["What can you do?"],
        "suggested_questions_after_answer": {"enabled": false}, "user_input_form": [],
        "file_upload": {"enabled": false},
        "system_parameters": {"image_file_size_limit": 10}
    })
}
