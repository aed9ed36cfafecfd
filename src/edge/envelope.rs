//! The JSON-RPC 2.0 envelope: bytes in, method and params out, or the error that fits.
//!
//! Reads without building a tree: `params` and `id` stay the text they came as, so the id goes back exactly so.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::error::EdgeError;

/// Longest id that is taken, in bytes of its JSON text: it is repeated in every event of a stream.
pub const MAX_RPC_ID: usize = 1024;

/// The id of answers to requests that had none, or none that could be read.
const NULL: &str = "null";

/// A request.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The id as JSON text: a string, an integer, or `null`.
    pub id: &'a str,
    /// The method's name; empty when the route names it and the body does not.
    pub method: Cow<'a, str>,
    /// The params.
    pub params: Option<&'a RawValue>,
}

/// A body that is no request, and the id that its answer shall have.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The id as JSON text.
    pub id: String,
    /// What is wrong.
    pub error: EdgeError,
}

/// How strictly the envelope is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strictness {
    /// `jsonrpc` and `method` must be there (A2A).
    Full,
    /// They may be missing: the route says it all (the old dialect's own routes).
    Loose,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// -32700 for what is no JSON, -32600 for what is no request (JSON-RPC 2.0 §5.1). A batch is one: A2A has none.
    pub fn read(body: &'a [u8], strictness: Strictness) -> Result<Self, Refused> {
        // Looked at before parsing, since serde would read an array as the struct's members in order.
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            let what = "batches are not supported; send one request object".to_owned();
            return Err(refused(NULL, EdgeError::InvalidRequest(what)));
        }
        let raw: Raw<'a> = serde_json::from_slice(body).map_err(|error| not_an_object(&error))?;
        let id = read_id(raw.id).map_err(|error| refused(NULL, error))?;
        let invalid = |what: &str| refused(id, EdgeError::InvalidRequest(what.to_owned()));
        match (raw.jsonrpc, strictness) {
            (Some(version), _) if version.get() == "\"2.0\"" => {}
            (None, Strictness::Loose) => {}
            (Some(_) | None, _) => return Err(invalid("jsonrpc must be \"2.0\"")),
        }
        let method = match raw.method {
            Some(method) => read_text(method).ok_or_else(|| invalid("method must be a string"))?,
            None if strictness == Strictness::Loose => Cow::Borrowed(""),
            None => return Err(invalid("method is missing")),
        };
        Ok(Self { id, method, params: raw.params })
    }
}

fn refused(id: &str, error: EdgeError) -> Refused {
    Refused { id: id.to_owned(), error }
}

fn not_an_object(error: &serde_json::Error) -> Refused {
    let error = match error.classify() {
        Category::Data => EdgeError::InvalidRequest(format!("not a request object: {error}")),
        Category::Eof | Category::Io | Category::Syntax => EdgeError::Parse(error.to_string()),
    };
    refused(NULL, error)
}

/// A string; some clients write every slash in one as `\/`.
fn read_text(json: &RawValue) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(json.get()) {
        Ok(plain) => Some(Cow::Borrowed(plain)),
        Err(_) => serde_json::from_str::<String>(json.get()).ok().map(Cow::Owned),
    }
}

fn read_id(id: Option<&RawValue>) -> Result<&str, EdgeError> {
    let Some(id) = id.map(RawValue::get) else { return Ok(NULL) };
    let fits = match id.as_bytes() {
        [b'"', ..] => true,
        [b'-' | b'0'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => id == NULL,
    };
    if !fits {
        return Err(EdgeError::InvalidRequest("id must be a string, an integer or null".to_owned()));
    }
    if id.len() > MAX_RPC_ID {
        return Err(EdgeError::InvalidRequest(format!("id must not be longer than {MAX_RPC_ID} bytes")));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::edge::error::WireError;

    fn code(body: &str) -> (i32, String) {
        let refused = Envelope::read(body.as_bytes(), Strictness::Full).expect_err(body);
        (WireError::from(refused.error).code, refused.id)
    }

    #[test]
    fn j02_ids_keep_value_and_type() {
        for id in ["\"a\"", "1", "-7", "12345678901234567890", "null", "\"\\u00e9\""] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"GetTask","params":{{"id":"t"}}}}"#);
            let envelope = Envelope::read(body.as_bytes(), Strictness::Full).expect("a request");
            assert_eq!((envelope.id, &*envelope.method), (id, "GetTask"));
            assert_eq!(envelope.params.map(RawValue::get), Some(r#"{"id":"t"}"#));
        }
        let without = Envelope::read(br#"{"jsonrpc":"2.0","method":"GetTask"}"#, Strictness::Full);
        assert_eq!(without.expect("a request").id, "null");
    }

    #[test]
    fn a_method_may_be_written_with_escapes() {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"message\/send"}"#;
        assert_eq!(Envelope::read(body, Strictness::Full).expect("a request").method, "message/send");
    }

    #[test]
    fn j01_jsonrpc_must_be_two() {
        assert_eq!(code(r#"{"jsonrpc":"1.0","id":1,"method":"GetTask"}"#), (-32600, "1".to_owned()));
        assert_eq!(code(r#"{"id":"x","method":"GetTask"}"#), (-32600, "\"x\"".to_owned()));
        assert_eq!(code(r#"{"jsonrpc":2.0,"id":1,"method":"GetTask"}"#).0, -32600);
    }

    #[test]
    fn j04_what_is_no_json_is_a_parse_error_with_a_null_id() {
        for body in
            ["", "{", "{\"jsonrpc\": }", "nul", "{\"a\":1} trailing", "{'jsonrpc': '2.0'}", "\u{feff}{}"]
        {
            assert_eq!(code(body), (-32700, "null".to_owned()), "{body:?}");
        }
        let refused = Envelope::read(b"{\"id\":\"\xff\"}", Strictness::Full).expect_err("not UTF-8");
        assert_eq!(WireError::from(refused.error).code, -32700);
    }

    #[test]
    fn j05_j12_what_is_no_request_is_invalid() {
        for body in [
            "[]",
            r#"["2.0",1,"GetTask",{"id":"t"}]"#,
            "1",
            "\"x\"",
            "null",
            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"GetTask\"}]",
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"GetTask"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"GetTask"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"GetTask"}"#,
            r#"{"jsonrpc":"2.0","id":[1],"method":"GetTask"}"#,
        ] {
            assert_eq!(code(body).0, -32600, "{body}");
        }
        let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"GetTask"}}"#, "x".repeat(MAX_RPC_ID));
        assert_eq!(code(&long).0, -32600);
    }

    #[test]
    fn deep_nesting_is_refused_without_running_out_of_stack() {
        let deep = "[".repeat(200_000);
        assert_eq!(code(&deep).0, -32600, "an array is no request, however deep");
        let params = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{deep}"#);
        assert_eq!(code(&params).0, -32700);
    }

    #[test]
    fn the_old_routes_name_the_method_themselves() {
        let envelope = Envelope::read(br#"{"params":{"taskId":"t"}}"#, Strictness::Loose).expect("enough");
        assert_eq!((envelope.id, &*envelope.method), ("null", ""));
        assert!(Envelope::read(br#"{"jsonrpc":"1.0"}"#, Strictness::Loose).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Envelope::read(&body, Strictness::Full);
            let _ = Envelope::read(&body, Strictness::Loose);
        }
    }
}
