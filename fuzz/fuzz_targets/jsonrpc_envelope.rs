//! JSON-RPC envelopes: what is read is what the JSON says, every answer has an id that is JSON, and a strict reading
//! never takes what a loose one refuses.
#![no_main]

use dify_a2a::edge::dialect::route;
use dify_a2a::edge::envelope::{Envelope, MAX_RPC_ID, Strictness};
use dify_a2a::edge::error::{EdgeError, WireError};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let strict = read(body, Strictness::Full);
    let loose = read(body, Strictness::Loose);
    assert!(!strict || loose, "a strict reading takes what a loose one refuses");
});

fn read(body: &[u8], strictness: Strictness) -> bool {
    let envelope = match Envelope::read(body, strictness) {
        Ok(envelope) => envelope,
        Err(refused) => {
            answers_to(&refused.id);
            let error = WireError::from(refused.error);
            assert!(matches!(error.code, -32700 | -32600), "{}", error.code);
            assert!(error.code != -32700 || refused.id == "null", "an id of what is no JSON");
            return false;
        }
    };
    answers_to(envelope.id);
    // A tree may be unable to hold what the envelope passes through unread, such as numbers beyond its range.
    if let Ok(tree) = serde_json::from_slice::<Value>(body) {
        let id: Value = serde_json::from_str(envelope.id).expect("the id is JSON");
        assert_eq!(tree.get("id").unwrap_or(&Value::Null), &id);
        assert_eq!(tree.get("method").and_then(Value::as_str).unwrap_or(""), envelope.method);
        let params =
            envelope.params.map(|params| serde_json::from_str(params.get()).expect("params are JSON"));
        assert_eq!(tree.get("params").filter(|value| !value.is_null()), params.as_ref());
    }
    match route(&envelope.method, envelope.params) {
        Some(route) => assert!(!route.dialect.name().is_empty()),
        None => {
            let error = WireError::from(EdgeError::method_not_found(&envelope.method));
            assert_eq!(error.code, -32601);
        }
    }
    true
}

/// The id can be put into an answer as it is.
fn answers_to(id: &str) {
    assert!(id.len() <= MAX_RPC_ID);
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    assert!(!answer.contains(['\n', '\r']), "an event of a stream is one line: {answer:?}");
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let id = answer.get("id");
    assert!(id.is_some_and(|id| id.is_string() || id.is_number() || id.is_null()), "{id:?}");
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(3), "the id is one value");
}
