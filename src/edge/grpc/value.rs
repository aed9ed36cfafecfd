//! JSON of users and `google.protobuf.Value`, in both directions. The core keeps JSON as text; gRPC has trees, in which
//! every number is a double and the members of an object have no order (protobuf `struct.proto`). So what travels this
//! way may change where JSON bindings change nothing; `docs/grpc.md` says how.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::Number;
use serde_json::value::RawValue;

use crate::core::message::Json;
use crate::edge::extension::Metadata;
use crate::edge::json::{ObjectWriter, write_str};
use crate::edge::rules::Ruled;

/// How deep JSON of an answer may nest as a tree. What lies deeper becomes a text of JSON: the decoders of protobuf take
/// no more than 100 levels of messages, an object costs three of them, and some are around it.
const MAX_NESTING: usize = 30;

/// Whole numbers up to this one are doubles without loss, and written without a fraction.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// JSON as a value.
pub fn value(json: &RawValue) -> Value {
    nested(json.get(), 0)
}

/// A JSON object as a struct; nothing for other JSON.
pub fn object(json: &str) -> Option<Struct> {
    match nested(json, 0).kind {
        Some(Kind::StructValue(object)) => Some(object),
        _ => None,
    }
}

/// What is told beyond A2A, if there is anything.
pub fn metadata(metadata: &Metadata<'_>) -> Option<Struct> {
    let holder = written(|buf| {
        let mut holder = ObjectWriter::open(buf);
        metadata.write_into(&mut holder);
        holder.close();
    });
    match holder?.fields.remove("metadata")?.kind? {
        Kind::StructValue(object) => Some(object),
        _ => None,
    }
}

/// The object that `write` appends as JSON.
pub fn written(write: impl FnOnce(&mut Vec<u8>)) -> Option<Struct> {
    let mut buf = Vec::new();
    write(&mut buf);
    object(std::str::from_utf8(&buf).ok()?)
}

/// The text of one value, without space around it.
fn nested(text: &str, depth: usize) -> Value {
    let kind = match text.as_bytes().first() {
        Some(b'{') if depth < MAX_NESTING => members(text, depth),
        Some(b'[') if depth < MAX_NESTING => elements(text, depth),
        Some(b'{' | b'[') => None,
        Some(b'"') => serde_json::from_str(text).ok().map(Kind::StringValue),
        Some(b't') => Some(Kind::BoolValue(true)),
        Some(b'f') => Some(Kind::BoolValue(false)),
        Some(b'n') => Some(Kind::NullValue(0)),
        Some(_) | None => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Kind::NumberValue),
    };
    // What a tree cannot hold is told as the text that it was: too deep, too large a number, half a character.
    Value { kind: Some(kind.unwrap_or_else(|| Kind::StringValue(text.to_owned()))) }
}

fn members(text: &str, depth: usize) -> Option<Kind> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let inner = depth.saturating_add(1);
    let fields = members.into_iter().map(|(name, json)| (name, nested(json.get(), inner))).collect();
    Some(Kind::StructValue(Struct { fields }))
}

fn elements(text: &str, depth: usize) -> Option<Kind> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let inner = depth.saturating_add(1);
    let values = elements.into_iter().map(|json| nested(json.get(), inner)).collect();
    Some(Kind::ListValue(ListValue { values }))
}

/// A value as JSON.
///
/// # Errors
/// When it holds a number that JSON has not.
pub fn json(value: &Value) -> Ruled<Json> {
    let mut buf = Vec::new();
    write(&mut buf, value)?;
    kept(buf)
}

/// A struct as a JSON object.
///
/// # Errors
/// When it holds a number that JSON has not.
pub fn json_object(object: &Struct) -> Ruled<Json> {
    let mut buf = Vec::new();
    write_members(&mut buf, object)?;
    kept(buf)
}

fn kept(buf: Vec<u8>) -> Ruled<Json> {
    let json = String::from_utf8(buf).ok().and_then(|text| RawValue::from_string(text).ok());
    json.map(Arc::from).ok_or_else(|| "cannot be told in JSON".into())
}

/// Appends a value as JSON. How deep it nests, the decoder has bounded.
fn write(buf: &mut Vec<u8>, value: &Value) -> Ruled<()> {
    match &value.kind {
        Some(Kind::BoolValue(true)) => buf.extend_from_slice(b"true"),
        Some(Kind::BoolValue(false)) => buf.extend_from_slice(b"false"),
        Some(Kind::ListValue(list)) => {
            buf.push(b'[');
            for (index, element) in list.values.iter().enumerate() {
                if index > 0 {
                    buf.push(b',');
                }
                write(buf, element)?;
            }
            buf.push(b']');
        }
        Some(Kind::NullValue(_)) | None => buf.extend_from_slice(b"null"),
        Some(Kind::NumberValue(number)) => buf.extend_from_slice(digits(*number)?.as_bytes()),
        Some(Kind::StringValue(text)) => write_str(buf, text),
        Some(Kind::StructValue(object)) => write_members(buf, object)?,
    }
    Ok(())
}

fn write_members(buf: &mut Vec<u8>, object: &Struct) -> Ruled<()> {
    buf.push(b'{');
    for (index, (name, value)) in object.fields.iter().enumerate() {
        if index > 0 {
            buf.push(b',');
        }
        write_str(buf, name);
        buf.push(b':');
        write(buf, value)?;
    }
    buf.push(b'}');
    Ok(())
}

/// A number as JSON: a whole one without a fraction, since nobody can tell 1 from 1.0 here.
fn digits(number: f64) -> Ruled<String> {
    if number.fract() == 0.0 && number.abs() <= MAX_WHOLE {
        return Ok(format!("{number:.0}"));
    }
    let number = Number::from_f64(number).ok_or("must not hold a number that is not finite")?;
    Ok(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::testing;

    fn there_and_back(text: &str) -> String {
        json(&value(&testing::raw(text))).unwrap().get().to_owned()
    }

    #[test]
    fn json_comes_back_but_for_order_and_digits() {
        for text in [
            "null",
            "true",
            "[]",
            "{}",
            "[1,-2,0.5,1e+300,-0]",
            r#"{"a":{"b":[false,"x\n\"é"]},"c":null}"#,
            "9007199254740992",
        ] {
            assert_eq!(there_and_back(text), text);
        }
        for (text, back) in [
            (r#" { "b" : 1.0 , "a" : 2 } "#, r#"{"a":2,"b":1}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            ("9007199254740993", "9007199254740992"),
            ("18446744073709551615", "1.8446744073709552e+19"),
            ("0.10000000000000000055", "0.1"),
            ("1e-400", "0"),
            ("1e400", r#""1e400""#),
            ("[-12345678901234567890e999]", r#"["-12345678901234567890e999"]"#),
            (r#""\ud800""#, r#""\"\\ud800\"""#),
            (r#"[{"\ud800":1}]"#, r#"["{\"\\ud800\":1}"]"#),
        ] {
            assert_eq!(there_and_back(text), back, "{text}");
        }
    }

    #[test]
    fn a_number_that_json_has_not_is_refused() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let list = ListValue { values: vec![Value { kind: Some(Kind::NumberValue(number)) }] };
            assert!(json(&Value { kind: Some(Kind::ListValue(list)) }).is_err(), "{number}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_a_text_of_json() {
        let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
        let back: serde_json::Value = serde_json::from_str(&there_and_back(&deep)).unwrap();
        let mut inner = &back;
        for _ in 0..MAX_NESTING {
            inner = &inner["a"];
        }
        let rest = format!("{}1{}", "{\"a\":".repeat(70), "}".repeat(70));
        assert_eq!(inner.as_str(), Some(rest.as_str()));
    }
}
