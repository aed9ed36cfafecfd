//! What a workflow gave: the JSON of its outputs goes in; out come the files that are named anywhere in it, the same
//! JSON with something else in their places, and the text, if it gave just one.
//!
//! The JSON is never rebuilt: what is not a file stays as it was written, to the byte. It is walked without recursion,
//! for its depth is up to the app.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memchr2;
use serde_json::value::RawValue;

use super::files::{FILE_MARK, FileObject};
use super::mend;

/// How deep outputs may be nested. Dify's own encoder gives up before; more would only cost memory.
const MAX_DEPTH: usize = 1024;

/// The member that has [`FILE_MARK`] in it, as Dify writes its name.
const MARK_MEMBER: &str = "\"dify_model_identity\"";

/// Outputs that are nested too deep.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the outputs are nested too deep")]
pub struct TooDeep;

/// The files that are named in the outputs, in the order of the document. A file inside of a file is part of it.
///
/// # Errors
/// [`TooDeep`].
pub fn files(outputs: &RawValue) -> Result<Vec<FileObject>, TooDeep> {
    let json = outputs.get();
    Ok(places(json)?.into_iter().filter_map(|place| json.get(place)).map(read).collect())
}

/// The outputs with something else in the place of each file; all the rest is verbatim.
///
/// # Errors
/// [`TooDeep`].
pub fn rewrite(
    outputs: &RawValue,
    replacement: &mut dyn FnMut(FileObject) -> Box<RawValue>,
) -> Result<Box<RawValue>, TooDeep> {
    let json = outputs.get();
    let places = places(json)?;
    if places.is_empty() {
        return Ok(outputs.to_owned());
    }
    let mut text = String::with_capacity(json.len());
    let mut from = 0;
    for place in places {
        text.push_str(json.get(from..place.start).unwrap_or_default());
        from = place.end;
        let file = read(json.get(place).unwrap_or_default());
        text.push_str(replacement(file).get());
    }
    text.push_str(json.get(from..).unwrap_or_default());
    // One value in the place of another leaves it valid.
    RawValue::from_string(text).map_err(|_| TooDeep)
}

/// The only string among the outputs, whatever else is among them. `None` when there are more, or none.
pub fn only_text(outputs: &RawValue) -> Option<String> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(outputs.get()).ok()?;
    let mut texts = members.into_values().filter(|value| value.get().starts_with('"'));
    let text = texts.next().filter(|_| texts.next().is_none())?;
    mend::read(text.get())
}

/// What the object says of its file; nothing, if it cannot be read although it is marked as one.
fn read(json: &str) -> FileObject {
    FileObject::marked(json).or_else(|| FileObject::marked(&mend::mended(json)?)).unwrap_or_default()
}

/// An object or array that is open.
struct Open {
    start: usize,
    is_file: bool,
}

/// Where the objects are that are files.
fn places(json: &str) -> Result<Vec<Range<usize>>, TooDeep> {
    let mut places: Vec<Range<usize>> = Vec::new();
    if !json.contains(FILE_MARK) {
        return Ok(places);
    }
    let bytes = json.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                if is_mark(json, at)
                    && let Some(object) = open.last_mut()
                {
                    object.is_file = true;
                }
                at = end_of_string(bytes, at + 1);
                continue;
            }
            b'{' | b'[' if open.len() >= MAX_DEPTH => return Err(TooDeep),
            b'{' | b'[' => open.push(Open { start: at, is_file: false }),
            b'}' | b']' => {
                if let Some(Open { start, is_file: true }) = open.pop() {
                    // Those inside of it were found before.
                    while places.last().is_some_and(|inner| inner.start > start) {
                        places.pop();
                    }
                    places.push(start..at + 1);
                }
            }
            _ => {}
        }
        at = next_of_interest(bytes, at + 1);
    }
    Ok(places)
}

/// Whether the member that marks a file begins here.
fn is_mark(json: &str, at: usize) -> bool {
    let value = json.get(at..).and_then(|rest| rest.strip_prefix(MARK_MEMBER));
    let value = value.and_then(|rest| rest.trim_start().strip_prefix(':')).map(str::trim_start);
    value
        .and_then(|value| value.strip_prefix('"')?.strip_prefix(FILE_MARK))
        .is_some_and(|rest| rest.starts_with('"'))
}

/// What is behind the string whose text begins here.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The next quote or bracket.
fn next_of_interest(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| b"\"[]{}".contains(byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn file(name: &str) -> String {
        format!(r#"{{"a":[{{}}], "dify_model_identity" : "__dify__file__","filename":"{name}","url":"u"}}"#)
    }

    /// The outputs with the files' names in angle brackets.
    fn rewritten(json: &str) -> String {
        let mut name = |file: FileObject| raw(&format!("\"<{}>\"", file.filename.unwrap_or_default()));
        rewrite(&raw(json), &mut name).unwrap().get().to_owned()
    }

    #[test]
    fn files_are_replaced_wherever_they_are_and_the_rest_stays() {
        let (a, b) = (file("a"), file("b"));
        for (json, result) in [
            (format!("{{\"x\" : {a} , \"n\":1.50e2}}"), "{\"x\" : \"<a>\" , \"n\":1.50e2}"),
            (format!("[{a},{b}]"), "[\"<a>\",\"<b>\"]"),
            (a.clone(), "\"<a>\""),
            (format!("{{\"y\":[[{{\"z\":{b}}}],0E-7],\"y\":{a},\"t\":\"{{[\\\"\\\\\"}}"), "{\"y\":[[{\"z\":\"<b>\"}],0E-7],\"y\":\"<a>\",\"t\":\"{[\\\"\\\\\"}"),
            // A file in a file is part of it.
            (r#"{"f":{"in":{"dify_model_identity":"__dify__file__","filename":"i"},"dify_model_identity":"__dify__file__","filename":"o"}}"#.to_owned(), r#"{"f":"<o>"}"#),
            // Members with one name do not make it less of a file.
            (r#"{"f":{"dify_model_identity":"__dify__file__","filename":"1","filename":"2"}}"#.to_owned(), r#"{"f":"<2>"}"#),
            (r#"{"f":{"dify_model_identity":"__dify__file__","dify_model_identity":1}}"#.to_owned(), r#"{"f":"<>"}"#),
        ] {
            assert_eq!(rewritten(&json), result, "{json}");
        }
    }

    #[test]
    fn what_only_speaks_of_files_is_none() {
        for json in [
            r#"{"a":"__dify__file__"}"#,
            r#"{"a":["dify_model_identity","__dify__file__"]}"#,
            r#"{"dify_model_identity":"__dify__file__x"}"#,
            r#"{"dify_model_identity":["__dify__file__"]}"#,
            r#"{"x_dify_model_identity":"__dify__file__"}"#,
            r#"{"a":"\"dify_model_identity\":\"__dify__file__\""}"#,
            r#""__dify__file__""#,
            "{\"b\":1,\"a\":[ 0E-7 ,1.50],\"a\":null,\"__dify__file__\":\"\\ud800\"}",
        ] {
            assert_eq!(rewritten(json), json);
            assert!(files(&raw(json)).unwrap().is_empty());
        }
    }

    #[test]
    fn recorded_outputs_name_two_files_in_order() {
        let body = crate::dify::fixture::recording("1.14.2/workflow_file_ok").body;
        let frames = crate::dify::fixture::frames(&body);
        let frame: Value = serde_json::from_str(frames.last().unwrap()).unwrap();
        let outputs = raw(&frame["data"]["outputs"].to_string());
        let names: Vec<_> = files(&outputs).unwrap().into_iter().filter_map(|file| file.filename).collect();
        assert_eq!(names, ["hello.txt", "dot.png"]);
        assert_eq!(rewritten(outputs.get()), r#"{"file":"<hello.txt>","files":["<dot.png>"]}"#);
    }

    #[test]
    fn depth_costs_no_stack_and_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &file("a") + &"]".repeat(depth);
        // The file and what is in it take three levels.
        assert!(rewritten(&nested(MAX_DEPTH - 3)).contains("<a>"));
        assert_eq!(files(&raw(&nested(MAX_DEPTH))), Err(TooDeep));
        let plain = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(rewritten(&plain), plain);
    }

    #[test]
    fn the_only_text_is_found_among_other_outputs() {
        for (json, text) in [
            (r#"{"a":"x"}"#, Some("x")),
            (r#"{"n":12,"a":"x\ud83d","l":["y"]}"#, Some("x\u{fffd}")),
            (r#"{"a":""}"#, Some("")),
            (r#"{"a":"x","b":"y"}"#, None),
            (r#"{"a":"x","a":"y"}"#, Some("y")),
            (r#"{"a":1}"#, None),
            ("{}", None),
            ("[\"x\"]", None),
            ("\"x\"", None),
        ] {
            assert_eq!(only_text(&raw(json)).as_deref(), text, "{json}");
        }
    }

    /// Any JSON, with files here and there when they are wanted.
    fn tree(with_files: bool) -> impl Strategy<Value = Value> {
        let marked = json!({"dify_model_identity": FILE_MARK, "url": "u", "x": [{"y": "}"}]});
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            r#"[a-c{}\[\]"\\:,é ]{0,12}"#.prop_map(Value::from),
            prop::sample::select(vec!["dify_model_identity", FILE_MARK]).prop_map(Value::from),
            Just(if with_files { marked } else { Value::Bool(true) }),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let name = prop_oneof![r#"[a-c"\\{]{0,3}"#, Just(FILE_MARK.to_owned())];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same by the plain way.
    fn replaced(value: Value) -> Value {
        match value {
            Value::Object(map) if map.get("dify_model_identity") == Some(&json!(FILE_MARK)) => json!("<>"),
            Value::Object(map) => map.into_iter().map(|(name, value)| (name, replaced(value))).collect(),
            Value::Array(list) => list.into_iter().map(replaced).collect(),
            other => other,
        }
    }

    proptest! {
        #[test]
        fn without_files_the_text_is_the_same(value in tree(false), pretty in any::<bool>()) {
            let json = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            prop_assert_eq!(rewritten(&json), json);
        }

        #[test]
        fn with_files_it_is_what_the_plain_way_gives(value in tree(true), pretty in any::<bool>()) {
            let json = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
            let again: Value = serde_json::from_str(&rewritten(&json)).unwrap();
            prop_assert_eq!(again, replaced(value));
        }
    }
}
