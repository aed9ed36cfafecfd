//! Mends the JSON of a frame that the parser refuses although its sense is plain: escapes of lone surrogates, which a
//! model's broken emoji leave behind, become U+FFFD; of members with one name the last one counts.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// How deep members with one name are looked for: in the frame and in the objects in it. What is deeper is not read
/// with the frame.
const DEPTH: u8 = 2;

/// How long an escape such as `\ud83d` is.
const ESCAPE: usize = 6;

/// Reads JSON, mended if it must be.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok().or_else(|| serde_json::from_str(&mended(json)?).ok())
}

/// The text mended, if that makes JSON of it. Numbers keep their digits.
pub(super) fn mended(json: &str) -> Option<String> {
    let json = without_lone_surrogates(json);
    let mut whole = String::with_capacity(json.len());
    write_unique(&json, DEPTH, &mut whole)?;
    Some(whole)
}

/// The text with U+FFFD for each escape of a surrogate that is not one of a pair.
fn without_lone_surrogates(json: &str) -> String {
    let mut whole = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, from)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        whole.push_str(before);
        let (escape, behind) = match (surrogate(from), from.get(ESCAPE..).and_then(surrogate)) {
            (Some(Half::High), Some(Half::Low)) => split(from, 2 * ESCAPE),
            (Some(_), _) => ("\\ufffd", split(from, ESCAPE).1),
            // An escaped backslash hides what is behind it.
            (None, _) => split(from, 2),
        };
        whole.push_str(escape);
        rest = behind;
    }
    whole.push_str(rest);
    whole
}

/// Half of a character beyond the first 65536.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Half {
    High,
    Low,
}

/// Which half the text begins with the escape of, if it does.
fn surrogate(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xD800..=0xDBFF => Some(Half::High),
        0xDC00..=0xDFFF => Some(Half::Low),
        _ => None,
    }
}

fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// Writes the JSON; of members with one name, the last one.
fn write_unique(json: &str, depth: u8, to: &mut String) -> Option<()> {
    if depth == 0 || !json.trim_start().starts_with('{') {
        to.push_str(json);
        return Some(());
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    to.push('{');
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            to.push(',');
        }
        to.push_str(&serde_json::to_string(name).ok()?);
        to.push(':');
        write_unique(value.get(), depth - 1, to)?;
    }
    to.push('}');
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(json: &str, mended_json: &str) {
        assert_eq!(mended(json).as_deref(), Some(mended_json), "{json}");
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        check(r#"{"a":"x\ud800y"}"#, r#"{"a":"x\ufffdy"}"#);
        check(r#"{"a":"\uDC00\uD83D\uDE00\ud83d"}"#, r#"{"a":"\ufffd\uD83D\uDE00\ufffd"}"#);
        check(r#"{"a":"\ud83d\ud83d\ude00\n"}"#, r#"{"a":"\ufffd\ud83d\ude00\n"}"#);
        check(r#"{"a":"\\ud800 \"\\\ud800"}"#, r#"{"a":"\\ud800 \"\\\ufffd"}"#);
        check(r#"{"a\ud800":1.50}"#, "{\"a\u{fffd}\":1.50}");
    }

    #[test]
    fn the_last_of_members_with_one_name_counts() {
        check(r#"{"b":1,"a":{"x":1,"x":0E-7},"b":[2]}"#, r#"{"a":{"x":0E-7},"b":[2]}"#);
        check(r#"{"b":1,"\u0062":2}"#, r#"{"b":2}"#);
    }

    #[test]
    fn what_is_no_json_stays_so() {
        for json in ["{", "{\"a\":\"\\ud8", "{\"a\":\\", "{\"a\":\"\\ud8é0\"}", "{,}"] {
            assert_eq!(mended(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_tried(json in r#"[{}"\\ud8c0é:,]{0,40}"#) {
            let _ = mended(&json);
        }

        #[test]
        fn what_was_right_keeps_its_sense(name in ".{0,8}", text in ".{0,40}", number in any::<i64>()) {
            let value = serde_json::json!({"a": {"b": text, name: [number]}, "c": null});
            let again: serde_json::Value = serde_json::from_str(&mended(&value.to_string()).unwrap()).unwrap();
            prop_assert_eq!(again, value);
        }
    }
}
