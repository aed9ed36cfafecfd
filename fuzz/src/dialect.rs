//! A dialect's decoder, held against its own encoder.

use dify_a2a::core::error::Error;
use dify_a2a::core::ids::CountingIds;
use dify_a2a::core::message::Message;
use dify_a2a::edge::a2a_v03::V03;
use dify_a2a::edge::a2a_v1::V1;
use dify_a2a::edge::dialect::{Call, Dialect, Operation};
use dify_a2a::edge::error::{EdgeError, WireError};
use dify_a2a::edge::legacy::Legacy;
use serde_json::Value;
use serde_json::value::RawValue;

const OPERATIONS: [Operation; 8] = [
    Operation::Send,
    Operation::Stream,
    Operation::Get,
    Operation::List,
    Operation::Cancel,
    Operation::Subscribe,
    Operation::Push,
    Operation::ExtendedCard,
];

/// Reads `data` as a request of `dialect`: the first byte says which, the rest is its params.
pub fn read(dialect: &dyn Dialect, data: &[u8], params_of: fn(Value) -> Value) {
    let Some((operation, params)) = data.split_first() else { return };
    let operation = OPERATIONS[usize::from(*operation) % OPERATIONS.len()];
    let Ok(params) = serde_json::from_slice::<&RawValue>(params) else { return };
    match dialect.call(operation, Some(params), &CountingIds::default()) {
        Ok(call) => accepted(dialect, operation, call, params_of),
        Err(error) => refused(dialect, error),
    }
}

/// What the params ask for can be said again, and then says the same.
fn accepted(dialect: &dyn Dialect, operation: Operation, call: Call, params_of: fn(Value) -> Value) {
    match call {
        Call::Send(send) | Call::SendStreaming(send) => {
            assert!(!send.message.id.as_str().is_empty());
            if let Some(metadata) = &send.metadata {
                assert!(value(metadata.get().as_bytes()).is_object(), "metadata is an object");
            }
            round_trip(dialect, operation, send.message, params_of);
        }
        Call::Get(get) => assert!(!get.id.as_str().is_empty()),
        Call::Cancel(cancel) => assert!(!cancel.id.as_str().is_empty()),
        Call::Subscribe(subscribe) => assert!(!subscribe.id.as_str().is_empty()),
        Call::List(list) => assert!((1..=100).contains(&list.page_size), "a page of {}", list.page_size),
        Call::ExtendedCard | Call::Push => {}
    }
}

/// A decoded message, encoded, decodes again, and is then encoded to the same bytes.
fn round_trip(dialect: &dyn Dialect, operation: Operation, message: Message, params_of: fn(Value) -> Value) {
    let encoded = in_history(dialect, message.clone());
    let params = params_of(value(&encoded)).to_string();
    let raw: &RawValue = serde_json::from_str(&params).expect("what was encoded is JSON");
    let again = match dialect.call(operation, Some(raw), &CountingIds::default()) {
        Ok(Call::Send(send) | Call::SendStreaming(send)) => send.message,
        other => panic!("{params} of {message:?} reads as {other:?}"),
    };
    let encoded_again = in_history(dialect, again);
    assert_eq!(value(&encoded), value(&encoded_again), "{message:?}");
    // What one dialect took in, every other can show.
    for other in [&V1 as &dyn Dialect, &V03, &Legacy] {
        value(&in_history(other, message.clone()));
    }
}

/// The message as the dialect shows it in a task's history.
fn in_history(dialect: &dyn Dialect, message: Message) -> Vec<u8> {
    let mut buf = Vec::new();
    dialect.task(&mut buf, &super::task(vec![message]));
    let task = value(&buf);
    task["history"][0].to_string().into_bytes()
}

/// A refusal is JSON on one line in every dialect, and names what is wrong.
fn refused(dialect: &dyn Dialect, error: Error) {
    if let Error::InvalidParams(violations) = &error {
        assert!(!violations.is_empty(), "a refusal names at least one field");
    }
    let mut buf = Vec::new();
    dialect.error(&mut buf, &WireError::from(EdgeError::from(error)));
    assert!(value(&buf)["code"].is_i64());
}

/// JSON that we wrote: whole, and on one line in every alphabet.
pub fn value(json: &[u8]) -> Value {
    let text = std::str::from_utf8(json).expect("what we write is UTF-8");
    assert!(!text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "a line break in {text:?}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
