//! Writing JSON into a `Vec<u8>`.
//!
//! What is written never holds a line break of any alphabet: beside what JSON demands, U+0085, U+2028 and
//! U+2029 are escaped too, because widespread Python clients split the lines of an event stream at them.

use std::io::Write as _;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::value::RawValue;

/// Bytes looked at in one step while searching for something to escape; small enough to be one vector
/// register.
const BLOCK: usize = 16;

/// Appends `text` as a JSON string.
pub fn write_str(buf: &mut Vec<u8>, text: &str) {
    buf.reserve(text.len().saturating_add(2));
    buf.push(b'"');
    write_str_body(buf, text);
    buf.push(b'"');
}

/// Appends `text` escaped for the inside of a JSON string, without the quotes.
pub fn write_str_body(buf: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    loop {
        let (clean, special) = split_clean(rest, |byte| matches!(byte, 0..0x20 | b'"' | b'\\' | 0xC2 | 0xE2));
        buf.extend_from_slice(clean);
        rest = match special {
            [] => return,
            [b'"', tail @ ..] => escape(buf, b"\\\"", tail),
            [b'\\', tail @ ..] => escape(buf, b"\\\\", tail),
            [b'\n', tail @ ..] => escape(buf, b"\\n", tail),
            [b'\r', tail @ ..] => escape(buf, b"\\r", tail),
            [b'\t', tail @ ..] => escape(buf, b"\\t", tail),
            [byte @ 0..0x20, tail @ ..] => {
                put(buf, format_args!("\\u{byte:04x}"));
                tail
            }
            [byte, ..] => line_separator(buf, special, *byte),
        };
    }
}

/// Appends somebody else's JSON as it is. Only its line breaks change: between tokens they become spaces,
/// and inside strings (where JSON allows three exotic ones) they are escaped.
pub fn write_raw(buf: &mut Vec<u8>, json: &RawValue) {
    let mut rest = json.get().as_bytes();
    loop {
        let (clean, special) = split_clean(rest, |byte| matches!(byte, b'\n' | b'\r' | 0xC2 | 0xE2));
        buf.extend_from_slice(clean);
        rest = match special {
            [] => return,
            [b'\n' | b'\r', tail @ ..] => escape(buf, b" ", tail),
            [byte, ..] => line_separator(buf, special, *byte),
        };
    }
}

/// Splits `bytes` before the first one that `special` picks.
fn split_clean(bytes: &[u8], special: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let dirty = |block: &[u8; BLOCK]| block.iter().fold(false, |found, byte| found | special(*byte));
    let clean = blocks.iter().take_while(|block| !dirty(block)).count().saturating_mul(BLOCK);
    let rest = bytes.get(clean..).unwrap_or_default();
    let length = rest.iter().position(|byte| special(*byte)).unwrap_or(rest.len());
    bytes.split_at_checked(clean.saturating_add(length)).unwrap_or((bytes, &[]))
}

fn escape<'a>(buf: &mut Vec<u8>, escaped: &[u8], tail: &'a [u8]) -> &'a [u8] {
    buf.extend_from_slice(escaped);
    tail
}

/// Handles a character that begins with `first`, which may or may not be one of the three line separators.
fn line_separator<'a>(buf: &mut Vec<u8>, bytes: &'a [u8], first: u8) -> &'a [u8] {
    match bytes {
        [0xC2, 0x85, tail @ ..] => escape(buf, b"\\u0085", tail),
        [0xE2, 0x80, 0xA8, tail @ ..] => escape(buf, b"\\u2028", tail),
        [0xE2, 0x80, 0xA9, tail @ ..] => escape(buf, b"\\u2029", tail),
        [] => bytes,
        [_, tail @ ..] => escape(buf, &[first], tail),
    }
}

/// Appends formatted text. Writing to a vector cannot fail.
fn put(buf: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    drop(buf.write_fmt(text));
}

/// Appends a moment as a JSON string `YYYY-MM-DDTHH:mm:ss.sssZ`, always UTC and milliseconds (A2A 1.0
/// §5.6.1).
pub fn write_timestamp(buf: &mut Vec<u8>, at: Timestamp) {
    put(buf, format_args!("\"{at:.3}\""));
}

/// Appends bytes as a JSON string in standard base64 with padding.
pub fn write_base64(buf: &mut Vec<u8>, bytes: &[u8]) {
    put(buf, format_args!("\"{}\"", Base64Display::new(bytes, &STANDARD)));
}

/// Appends a JSON array with one item per element.
pub fn write_list<T>(
    buf: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    buf.push(b'[');
    for (index, element) in items.into_iter().enumerate() {
        if index > 0 {
            buf.push(b',');
        }
        item(buf, element);
    }
    buf.push(b']');
}

/// Writes one JSON object, member by member. Member names are ours and need no escaping.
#[derive(Debug)]
#[must_use = "an object that is not closed is not JSON"]
pub struct ObjectWriter<'b> {
    buf: &'b mut Vec<u8>,
    empty: bool,
}

impl<'b> ObjectWriter<'b> {
    /// Opens an object at the end of `buf`.
    pub fn open(buf: &'b mut Vec<u8>) -> Self {
        buf.push(b'{');
        Self { buf, empty: true }
    }

    /// Begins a member; the caller appends its value to the buffer.
    pub fn member(&mut self, name: &'static str) -> &mut Vec<u8> {
        if !self.empty {
            self.buf.push(b',');
        }
        self.empty = false;
        self.buf.push(b'"');
        self.buf.extend_from_slice(name.as_bytes());
        self.buf.extend_from_slice(b"\":");
        self.buf
    }

    /// A text member.
    pub fn str(&mut self, name: &'static str, value: &str) {
        write_str(self.member(name), value);
    }

    /// A text member, if there is a text.
    pub fn opt_str(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.str(name, value);
        }
    }

    /// A member that is somebody else's JSON, if there is any.
    pub fn opt_raw(&mut self, name: &'static str, value: Option<&RawValue>) {
        if let Some(value) = value {
            write_raw(self.member(name), value);
        }
    }

    /// A boolean member.
    pub fn boolean(&mut self, name: &'static str, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A member that is `null`.
    pub fn null(&mut self, name: &'static str) {
        self.member(name).extend_from_slice(b"null");
    }

    /// A number member.
    pub fn number(&mut self, name: &'static str, value: impl std::fmt::Display) {
        put(self.member(name), format_args!("{value}"));
    }

    /// A moment.
    pub fn timestamp(&mut self, name: &'static str, at: Timestamp) {
        write_timestamp(self.member(name), at);
    }

    /// Closes the object.
    pub fn close(self) {
        self.buf.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut buf = Vec::new();
        write_str(&mut buf, text);
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn every_line_separator_is_escaped_and_its_neighbours_are_not() {
        let text = "a\u{85}b\u{2028}c\u{2029}d\u{84}\u{2027}\u{201c}\u{a0}";
        assert_eq!(written(text), "\"a\\u0085b\\u2028c\\u2029d\u{84}\u{2027}\u{201c}\u{a0}\"");
    }

    #[test]
    fn control_characters_take_their_short_form_where_json_has_one() {
        assert_eq!(written("\"\\\n\r\t\0\u{1f}\u{7f}"), "\"\\\"\\\\\\n\\r\\t\\u0000\\u001f\u{7f}\"");
    }

    #[test]
    fn foreign_json_keeps_its_digits_and_loses_its_line_breaks() {
        let source = "{\n\t\"n\": [9007199254740993, 1.0,\r\n1e400], \"s\":\"a\u{2028}b\\n\"}";
        let raw: &RawValue = serde_json::from_str(source).unwrap();
        let mut buf = Vec::new();
        write_raw(&mut buf, raw);
        let text = String::from_utf8(buf).unwrap();
        assert_eq!(text, "{ \t\"n\": [9007199254740993, 1.0,  1e400], \"s\":\"a\\u2028b\\n\"}");
    }

    #[test]
    fn d09_timestamps_have_three_decimals_and_a_z() {
        for (given, expected) in [
            ("2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05.000Z\""),
            ("2026-01-02T03:04:05.6789+02:00", "\"2026-01-02T01:04:05.678Z\""),
        ] {
            let mut buf = Vec::new();
            write_timestamp(&mut buf, given.parse().unwrap());
            assert_eq!(String::from_utf8(buf).unwrap(), expected);
        }
    }

    proptest! {
            #[test]
            fn d16_any_text_survives_and_stays_on_one_line(text in "\\PC*|[\\x00-\\x20\"\\\\é\u{85}\u{2028}\u{2029}“漢😀]{0,80}") {
                let written = written(&text);
                prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    let breaks = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
                prop_assert!(!written.contains(breaks));
            }
        }
}
