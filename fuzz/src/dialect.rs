//! A dialect's decoder, held against its own encoder.

use dify_a2a::core::error::Error;
use dify_a2a::core::ids::CountingIds;
use dify_a2a::core::message::Message;
use dify_a2a::edge::a2a_v1::V1;
use dify_a2a::edge::a2a_v03::V03;
use dify_a2a::edge::a2a_v03_http::{Once, V03Http};
use dify_a2a::edge::dialect::{Call, Dialect, Operation};
use dify_a2a::edge::error::{EdgeError, WireError};
use dify_a2a::edge::json::within_depth;
use dify_a2a::edge::legacy::Legacy;
use dify_a2a::edge::view::View;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What the first byte of an input says.
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

/// What a target knows of its dialect.
#[derive(Clone, Copy)]
pub struct Subject {
    /// The dialect.
    pub dialect: &'static dyn Dialect,
    /// Makes params of a message as the dialect shows it in a task's history.
    pub params: fn(&str) -> String,
    /// The largest page of a list.
    pub max_page: usize,
    /// Whether data can come out deeper than it came in, as where the object around it may be left away.
    pub deepens: bool,
}

/// Reads `data` as a request: the first byte says which, the rest is its params.
pub fn read(subject: Subject, data: &[u8]) {
    let Some((operation, params)) = data.split_first() else { return };
    let operation = OPERATIONS[usize::from(*operation) % OPERATIONS.len()];
    let Ok(params) = serde_json::from_slice::<&RawValue>(params) else { return };
    match subject.dialect.call(operation, Some(params), &CountingIds::default()) {
        Ok(request) => accepted(subject, operation, request.call),
        Err(error) => refused(subject.dialect, error),
    }
}

/// What the params ask for makes sense, and can be said again.
fn accepted(subject: Subject, operation: Operation, call: Call) {
    match call {
        Call::Send(send) | Call::SendStreaming(send) => {
            assert!(!send.message.id.as_str().is_empty());
            if let Some(metadata) = &send.metadata {
                assert!(metadata.get().starts_with('{'), "metadata is an object");
            }
            round_trip(subject, operation, send.message);
        }
        Call::Get(get) => assert!(!get.id.as_str().is_empty()),
        Call::Cancel(cancel) => assert!(!cancel.id.as_str().is_empty()),
        Call::Subscribe(subscribe) => assert!(!subscribe.id.as_str().is_empty()),
        Call::List(list) => {
            assert!((1..=subject.max_page).contains(&list.page_size), "a page of {}", list.page_size);
        }
        Call::ExtendedCard | Call::Push => {}
    }
}

/// A decoded message, encoded, decodes again, and is then encoded to the same bytes.
fn round_trip(subject: Subject, operation: Operation, message: Message) {
    let encoded = in_history(subject.dialect, message.clone());
    let params = (subject.params)(&encoded);
    shown_by_all(&message);
    if subject.deepens && !within_depth(params.as_bytes()) {
        return;
    }
    let raw: &RawValue = serde_json::from_str(&params).expect("what was encoded is JSON");
    let again = subject.dialect.call(operation, Some(raw), &CountingIds::default());
    let again = match again.map(|request| request.call) {
        Ok(Call::Send(send) | Call::SendStreaming(send)) => send.message,
        other => panic!("{params} of {message:?} reads as {other:?}"),
    };
    assert_eq!(in_history(subject.dialect, again), encoded, "{message:?}");
}

/// What one form of A2A took in, every other can show.
pub fn shown_by_all(message: &Message) {
    for dialect in [&V1 as &dyn Dialect, &V03, &V03Http::<Once>::DIALECT, &Legacy] {
        in_history(dialect, message.clone());
    }
}

/// The message as the dialect shows it in a task's history.
pub fn in_history(dialect: &dyn Dialect, message: Message) -> String {
    #[derive(Deserialize)]
    struct Shown<'a> {
        #[serde(borrow)]
        history: [&'a RawValue; 1],
    }
    let mut buf = Vec::new();
    dialect.task(&mut buf, &super::task(vec![message]), &View::default());
    let shown: Shown<'_> = serde_json::from_str(checked(&buf)).expect("a task with a history");
    shown.history[0].get().to_owned()
}

/// A refusal is JSON on one line in every dialect, and names what is wrong.
pub fn refused(dialect: &dyn Dialect, error: impl Into<EdgeError>) {
    let error = error.into();
    if let EdgeError::Core(Error::InvalidParams(violations)) = &error {
        assert!(!violations.is_empty(), "a refusal names at least one field");
    }
    let mut buf = Vec::new();
    dialect.error(&mut buf, &WireError::from(error));
    let error: Value = serde_json::from_str(checked(&buf)).expect("an error is JSON for everybody");
    assert!(error["code"].is_i64());
}

/// JSON that we wrote: whole, and on one line in every alphabet. Strings of callers may hold half a surrogate pair
/// as an escape, which is JSON, though not for everybody.
fn checked(json: &[u8]) -> &str {
    let text = std::str::from_utf8(json).expect("what we write is UTF-8");
    assert!(!text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "a line break in {text:?}");
    serde_json::from_str::<&RawValue>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    text
}
