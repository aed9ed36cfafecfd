//! Dify's JSON, as its service API 1.14 writes it: objects that keep their order, event frames, answers, errors.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Server version in the `X-Version` header.
pub(super) const VERSION: &str = "1.14.2";
/// A keep-alive: an event without data.
pub(super) const PING: Bytes = Bytes::from_static(b"event: ping\n\n");

/// A JSON object that keeps the order of its members, as readers of the recorded traffic expect it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Object(String);

impl Object {
    /// `{}`.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// With one more member at the end.
    pub(super) fn with<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let (Ok(name), Ok(value)) = (serde_json::to_string(name), serde_json::to_string(value)) else {
            debug_assert!(false, "strings, numbers and objects always serialize");
            return self;
        };
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&name);
        self.0.push(':');
        self.0.push_str(&value);
        self
    }

    /// With all members of another one at the end.
    pub(super) fn and(mut self, other: &Self) -> Self {
        if !self.0.is_empty() && !other.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&other.0);
        self
    }

    /// Its text without spaces.
    pub(super) fn text(&self) -> String {
        format!("{{{}}}", self.0)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.text()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// An [`Object`] from members in their order.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {
        $crate::demo::wire::Object::new()$(.with($name, &$value))*
    };
}
pub(super) use object;

/// The event as one SSE frame.
pub(super) fn frame(event: &Object) -> Bytes {
    Bytes::from(format!("data: {}\n\n", event.text()))
}

/// The event as one SSE frame in the style of Python's `json.dumps`, as Dify tells the end of an old run.
pub(super) fn dumped_frame(event: &Object) -> Bytes {
    Bytes::from(format!("data: {}\n\n", dumps(&event.text())))
}

/// JSON without spaces as Python's `json.dumps` writes it: a space behind each comma and colon, ASCII only.
pub(super) fn dumps(json: &str) -> String {
    let mut out = String::with_capacity(json.len().saturating_add(json.len() / 8));
    let (mut quoted, mut escaped) = (false, false);
    for letter in json.chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            ',' | ':' if !quoted => out.push(' '),
            _ => {}
        }
    }
    out
}

/// An error answer in Dify's envelope.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    json_response(status, &object! {"code": code, "message": message, "status": status.as_u16()})
}

/// A JSON answer the way Dify's framework prints it: slashes escaped, a newline at the end.
pub(super) fn json_response<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let written = serde_json::to_string(body);
    debug_assert!(written.is_ok(), "strings, numbers and objects always serialize");
    let mut text = written.unwrap_or_default().replace('/', "\\/");
    text.push('\n');
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// A JSON answer of a handler that does not leave the printing to the framework.
pub(super) fn dumped_response(body: &Object) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], dumps(&body.text())).into_response()
}

/// A plain 200 in the framework's print.
pub(super) fn ok<T: Serialize>(body: &T) -> Response {
    json_response(StatusCode::OK, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_at_every_depth() {
        let inner = object! {"z": 1, "a": ()};
        let outer = object! {"b": inner, "a": [object! {"y": "\"", "x": true}]}.and(&object! {"0": 0.5});
        assert_eq!(outer.text(), r#"{"b":{"z":1,"a":null},"a":[{"y":"\"","x":true}],"0":0.5}"#);
        assert_eq!(frame(&outer), format!("data: {}\n\n", outer.text()));
        assert_eq!(Object::new().and(&Object::new()).text(), "{}");
        assert_eq!(serde_json::to_string(&outer).unwrap(), outer.text());
    }

    #[test]
    fn dumps_is_the_print_of_python() {
        assert_eq!(dumps(r#"{"a,b":"c:d\",e:","f":[1,2]}"#), r#"{"a,b": "c:d\",e:", "f": [1, 2]}"#);
        assert_eq!(dumps("{\"é\":\"🤖\"}"), r#"{"\u00e9": "\ud83e\udd16"}"#);
        assert_eq!(dumps(r#"["\\",1]"#), r#"["\\", 1]"#);
    }
}
