//! Reading requests field by field, with the tolerance of a ProtoJSON parser (A2A 1.0 §5.5):
//!
//! - `null` is the same as absent;
//! - `messageId` and `message_id` name the same field;
//! - an enum is its name or its number, a whole number may be `5`, `5.0` or `"5"`;
//! - base64 may be of either alphabet, with or without padding;
//! - members that nobody asked for are ignored (§5.7).
//!
//! Stricter than that in one thing: a field that is given twice is refused, since two readers could each take
//! another one of the two. Every wrong field of a request is reported, not just the first.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::core::error::Error;
use crate::core::message::Json;
use crate::edge::rules::{REQUIRED, Ruled};
use crate::edge::violations::{Path, Step, Violations};

use super::depth::{MAX_DEPTH, within_depth};

const INDIFFERENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, INDIFFERENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, INDIFFERENT);

/// Reads a request's `params` with `read`, which returns `None` only for what it has reported as a violation.
/// Absent and `null` params read as an empty object.
///
/// # Errors
/// [`Error::InvalidParams`] with every violation.
pub fn read_params<T>(
    params: Option<&RawValue>,
    read: impl FnOnce(&Members<'_>) -> Option<T>,
) -> Result<T, Error> {
    let violations = Violations::default();
    let path = Path { parent: None, step: Step::Root };
    let value = match params {
        Some(raw) if !within_depth(raw.get().as_bytes()) => {
            violations.add(&path, format!("nested deeper than {MAX_DEPTH} levels"));
            None
        }
        Some(raw) if raw.get() != "null" => {
            Field { raw, path, violations: &violations }.object().and_then(|members| read(&members))
        }
        Some(_) | None => read(&Members { members: Vec::new(), path, violations: &violations }),
    };
    violations.finish(value)
}

/// A JSON string, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object in their order, values unread.
struct RawMembers<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawMembers<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = RawMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(RawMembers(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// An object of the request.
#[derive(Debug)]
pub struct Members<'a> {
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    path: Path<'a>,
    violations: &'a Violations,
}

impl Members<'_> {
    /// The field `name` (camelCase), unless it is absent or `null`.
    pub fn field(&self, name: &'static str) -> Option<Field<'_>> {
        self.nullable(name).filter(|field| field.raw.get() != "null")
    }

    /// The field `name`, also when it is `null`. A value beats a `null` under the other spelling of the name.
    pub fn nullable(&self, name: &'static str) -> Option<Field<'_>> {
        let mut found: Option<Field<'_>> = None;
        for (given, raw) in self.members.iter().filter(|(given, _)| same_name(name, given)) {
            let path = Path { parent: Some(&self.path), step: Step::Member(given) };
            if found.as_ref().is_some_and(|earlier| earlier.raw.get() != "null") {
                self.violations.add(&path, "is given more than once");
                continue;
            }
            found = Some(Field { raw, path, violations: self.violations });
        }
        found
    }

    /// The field `name`; its absence is a violation.
    pub fn required(&self, name: &'static str) -> Option<Field<'_>> {
        let field = self.field(name);
        if field.is_none() {
            self.refuse(name, REQUIRED);
        }
        field
    }

    /// Reports that the member `name` is wrong.
    pub fn refuse(&self, name: &str, description: impl Into<String>) {
        self.violations.add(&Path { parent: Some(&self.path), step: Step::Member(name) }, description);
    }

    /// Reports that the object as a whole is wrong.
    pub fn refuse_whole(&self, description: impl Into<String>) {
        self.violations.add(&self.path, description);
    }

    /// The names of all members that are not `null`, as they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().filter(|(_, raw)| raw.get() != "null").map(|(name, _)| name.as_ref())
    }
}

/// Whether `given` is the camelCase name `camel` or its snake_case form.
pub fn same_name(camel: &str, given: &str) -> bool {
    if camel == given {
        return true;
    }
    let mut given = given.bytes();
    camel.bytes().all(|byte| match byte {
        b'A'..=b'Z' => given.next() == Some(b'_') && given.next() == Some(byte.to_ascii_lowercase()),
        _ => given.next() == Some(byte),
    }) && given.next().is_none()
}

/// One value of the request, not `null` unless it was asked for so.
#[derive(Debug)]
pub struct Field<'a> {
    raw: &'a RawValue,
    path: Path<'a>,
    violations: &'a Violations,
}

impl<'a> Field<'a> {
    /// Reports that this field is wrong.
    pub fn refuse(&self, description: impl Into<String>) {
        self.violations.add(&self.path, description);
    }

    /// The value that obeys its rule; what is wrong with another one is reported.
    pub fn ruled<T>(&self, ruled: Ruled<T>) -> Option<T> {
        ruled.map_err(|problem| self.refuse(problem)).ok()
    }

    fn refused<T>(&self, description: impl Into<String>) -> Option<T> {
        self.refuse(description);
        None
    }

    /// Whether the value is an array.
    pub fn is_array(&self) -> bool {
        self.raw.get().starts_with('[')
    }

    /// The value as text that may borrow from the request.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match serde_json::from_str::<Text<'a>>(self.raw.get()) {
            Ok(Text(text)) => Some(text),
            Err(_) => self.refused("must be a string of valid Unicode"),
        }
    }

    /// Whether the value is the empty string.
    pub fn is_empty_string(&self) -> bool {
        self.raw.get() == "\"\""
    }

    /// The value as a string.
    pub fn string(&self) -> Option<String> {
        self.text().map(Cow::into_owned)
    }

    /// The value as a boolean.
    pub fn boolean(&self) -> Option<bool> {
        match self.raw.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.refused("must be true or false"),
        }
    }

    /// The value as a whole number.
    pub fn int32(&self) -> Option<i32> {
        match whole_number(self.raw.get()) {
            Some(number) => Some(number),
            None => self.refused("must be a whole number of 32 bits"),
        }
    }

    /// The value as one of `table`'s names.
    pub fn choice<T: Copy>(&self, table: &[(&str, T)]) -> Option<T> {
        let name = serde_json::from_str::<Text<'_>>(self.raw.get()).ok();
        let found = table.iter().find(|(known, _)| name.as_ref().is_some_and(|Text(name)| name == known));
        match found {
            Some((_, value)) => Some(*value),
            None => self.refused(one_of(table.iter().map(|(name, _)| *name))),
        }
    }

    /// The value as a ProtoJSON enum: one of `table`'s names or numbers.
    pub fn enumeration<T: Copy>(&self, table: &[(&str, i32, T)]) -> Option<T> {
        let name = serde_json::from_str::<Text<'_>>(self.raw.get()).ok();
        let number = whole_number(self.raw.get());
        let found = table.iter().find(|(known, value, _)| {
            name.as_ref().is_some_and(|Text(name)| name == known) || number == Some(*value)
        });
        match found {
            Some((_, _, value)) => Some(*value),
            None => self.refused(one_of(table.iter().map(|(name, _, _)| *name))),
        }
    }

    /// The value as a moment: an ISO 8601 text with an offset.
    pub fn timestamp(&self) -> Option<Timestamp> {
        match self.text()?.parse() {
            Ok(at) => Some(at),
            Err(_) => self.refused("must be an ISO 8601 time with an offset, such as 2026-01-31T12:00:00Z"),
        }
    }

    /// The value as bytes in base64.
    pub fn bytes(&self) -> Option<Bytes> {
        let text = self.text()?;
        let engine = match memchr::memchr2(b'-', b'_', text.as_bytes()) {
            Some(_) => &URL_SAFE,
            None => &STANDARD,
        };
        match engine.decode(text.as_bytes()) {
            Ok(bytes) => Some(Bytes::from(bytes)),
            Err(_) => self.refused("must be base64"),
        }
    }

    /// The value as it is, whatever it is.
    pub fn json(&self) -> Json {
        Json::from(self.raw.to_owned())
    }

    /// The value as it is, if it is an object.
    pub fn json_object(&self) -> Option<Json> {
        match self.raw.get().starts_with('{') {
            true => Some(self.json()),
            false => self.refused("must be an object"),
        }
    }

    /// The value's members.
    pub fn object(&self) -> Option<Members<'_>> {
        match serde_json::from_str::<RawMembers<'_>>(self.raw.get()) {
            Ok(RawMembers(members)) => {
                Some(Members { members, path: self.path.clone(), violations: self.violations })
            }
            Err(_) => self.refused("must be an object"),
        }
    }

    /// The value's elements.
    pub fn array(&self) -> Option<Vec<Field<'_>>> {
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(self.raw.get()) else {
            return self.refused("must be an array");
        };
        let element = |(index, raw)| {
            let path = Path { parent: Some(&self.path), step: Step::Index(index) };
            Field { raw, path, violations: self.violations }
        };
        Some(elements.into_iter().enumerate().map(element).collect())
    }
}

fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    format!("must be one of {}", names.collect::<Vec<_>>().join(", "))
}

/// A whole number in any of its JSON forms: `5`, `5.0`, `5e0`, `"5"`.
fn whole_number(json: &str) -> Option<i32> {
    let digits = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json);
    if let Ok(number) = digits.parse::<i32>() {
        return Some(number);
    }
    let number: f64 = digits.parse().ok()?;
    if number.fract() != 0.0 { None } else { format!("{number:.0}").parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::FieldViolation;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    fn read<T>(text: &str, read: impl FnOnce(&Members<'_>) -> Option<T>) -> Result<T, Vec<FieldViolation>> {
        match read_params(Some(&raw(text)), read) {
            Ok(value) => Ok(value),
            Err(Error::InvalidParams(list)) => Err(list),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hundred_thousand_levels_are_an_error_and_not_an_overflow() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{{\"d\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
            let violations = read(&deep, |members| Some(members.field("d")?.json())).unwrap_err();
            assert_eq!(violations[0].description, "nested deeper than 128 levels");
        }
    }

    #[test]
    fn j15_a_whole_number_has_four_forms() {
        for text in ["5", "5.0", "5e0", "\"5\"", "\"5.0\""] {
            assert_eq!(read(&format!("{{\"n\":{text}}}"), |m| m.field("n")?.int32()), Ok(5), "{text}");
        }
        for text in ["5.5", "2147483648", "1e40", "\"\"", "\"x\"", "true", "[]", "\"NaN\"", "\"inf\""] {
            assert!(read(&format!("{{\"n\":{text}}}"), |m| m.field("n")?.int32()).is_err(), "{text}");
        }
    }

    #[test]
    fn d06_base64_comes_in_four_forms() {
        for text in ["+/8=", "+/8", "-_8=", "-_8"] {
            let bytes = read(&format!("{{\"b\":\"{text}\"}}"), |m| m.field("b")?.bytes());
            assert_eq!(bytes.as_deref(), Ok(&[0xfb, 0xff][..]), "{text}");
        }
        assert!(read("{\"b\":\"a b\"}", |m| m.field("b")?.bytes()).is_err());
    }

    #[test]
    fn both_spellings_name_one_field_and_null_yields_to_a_value() {
        let id = |text| read(text, |m| m.required("messageId")?.string());
        assert_eq!(id(r#"{"message_id":"a"}"#).as_deref(), Ok("a"));
        assert_eq!(id(r#"{"messageId":null,"message_id":"a"}"#).as_deref(), Ok("a"));
        assert_eq!(id(r#"{"messageId":"a","message_id":"b"}"#).unwrap_err()[0].field, "message_id");
        assert_eq!(id(r#"{"messageId":"a","messageId":"a"}"#).unwrap_err().len(), 1);
        assert!(id(r#"{"MessageId":"a"}"#).is_err());
        assert!(id(r#"{"messageid":"a"}"#).is_err());
    }

    #[test]
    fn every_wrong_field_is_reported_with_its_path() {
        let violations = read::<()>(r#"{"a":{"b":[1,"x"]},"c":3}"#, |members| {
            let a = members.field("a")?;
            let list = a.object()?.field("b")?.array()?.iter().map(Field::boolean).count();
            members.field("c")?.string();
            members.required("d");
            (list == 2).then_some(())
        })
        .unwrap_err();
        let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["a.b[0]", "a.b[1]", "c", "d"]);
    }

    #[test]
    fn a_lone_surrogate_is_a_violation_and_not_a_panic() {
        assert!(read(r#"{"s":"\ud800"}"#, |m| m.field("s")?.string()).is_err());
    }
}
