//! What a request says beside its body: protocol version, extensions, the place to go on from.

use http::{HeaderMap, HeaderValue, Uri};

use super::discovery::Cards;
use super::error::EdgeError;
use super::extension;
use crate::core::error::Error;
use crate::core::log::Seq;

/// The version header (A2A 1.0 §3.6); also the name of the query parameter in its place.
pub const VERSION: &str = "a2a-version";
/// The extensions header (A2A 1.0 §3.2.6).
pub const EXTENSIONS: &str = "a2a-extensions";
/// The same header as 0.3 clients call it.
pub const EXTENSIONS_03: &str = "x-a2a-extensions";
/// The id of the last event that a client has seen of a stream it follows again.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// The trace that a request belongs to (W3C Trace Context §3.2).
pub const TRACEPARENT: &str = "traceparent";

/// Most extensions that are read from one request.
const MAX_EXTENSIONS: usize = 64;

/// What a request's headers ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    /// The version, from the header or else the query.
    pub version: Option<String>,
    /// The extensions that the client named, as it wrote them.
    pub extensions: Vec<String>,
    /// Whether the client named extensions in the header of 1.0.
    pub extensions_10: bool,
    /// Whether the client named its extensions in the header of 0.3.
    pub extensions_03: bool,
    /// The id of the trace that the request belongs to: 32 hexadecimal digits, not all zero.
    pub trace_id: Option<String>,
    last_event_id: Option<String>,
}

impl Asked {
    /// Reads headers and query. Nothing here fails: what is wrong is said where it is used.
    pub fn read(headers: &HeaderMap, uri: &Uri) -> Self {
        let named = listed(headers, EXTENSIONS).chain(listed(headers, EXTENSIONS_03));
        Self {
            version: text(headers, VERSION).or_else(|| query(uri, VERSION)),
            extensions: named.take(MAX_EXTENSIONS).map(str::to_owned).collect(),
            extensions_10: headers.contains_key(EXTENSIONS),
            extensions_03: headers.contains_key(EXTENSIONS_03),
            trace_id: text(headers, TRACEPARENT).and_then(|parent| trace_id(&parent)),
            last_event_id: text(headers, LAST_EVENT_ID),
        }
    }

    /// Of the extensions that the client named, the one that this gateway has.
    pub fn activated(&self) -> Option<&'static str> {
        self.extensions.iter().any(|uri| uri == extension::URI).then_some(extension::URI)
    }

    /// The place in a task's log that the client has reached, if it says so.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] for what is no place.
    pub fn resume_after(&self) -> Result<Option<Seq>, EdgeError> {
        match self.last_event_id.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(id) => id.parse().map(Some).map_err(|_| {
                Error::invalid("Last-Event-ID", "must be the id of an event of this task").into()
            }),
        }
    }
}

/// Tells a client which of the extensions it named are active, in the header that it named them in; in both if it used
/// both. gRPC has the same as metadata, under the names of 1.0 (A2A 1.0 §10.2).
pub fn echo_extensions(asked: &Asked, cards: &Cards, headers: &mut HeaderMap) {
    let activated = cards.activated(&asked.extensions);
    let Ok(value) = HeaderValue::from_str(&activated.join(",")) else { return };
    for (name, is_used) in [(EXTENSIONS, asked.extensions_10), (EXTENSIONS_03, asked.extensions_03)] {
        if is_used && !activated.is_empty() {
            headers.insert(name, value.clone());
        }
    }
}

/// The trace id of a `traceparent`: `version-traceid-parentid-flags`. A header that is none is as good as absent.
fn trace_id(parent: &str) -> Option<String> {
    let fields: Vec<&str> = parent.trim().split('-').collect();
    let [version, trace, parent, flags, ..] = fields[..] else { return None };
    let is_hex = |field: &str, length: usize| {
        field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let fits = is_hex(version, 2) && version != "ff" && (version != "00" || fields.len() == 4);
    let is_id = is_hex(trace, 32) && trace.bytes().any(|byte| byte != b'0');
    (fits && is_id && is_hex(parent, 16) && is_hex(flags, 2)).then(|| trace.to_owned())
}

/// A header's value as text; unreadable bytes make it a value that fits nothing.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?").to_owned())
}

/// The members of a comma-separated header, which may come several times.
fn listed<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|uri| !uri.is_empty())
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    let mut named = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)], uri: &'static str) -> Asked {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header value"));
        }
        Asked::read(&map, &Uri::from_static(uri))
    }

    #[test]
    fn v05_v06_the_version_comes_from_the_header_or_the_query() {
        assert_eq!(asked(&[("a2a-version", "1.0")], "/").version.as_deref(), Some("1.0"));
        assert_eq!(asked(&[], "/?A2A-Version=1.0").version.as_deref(), Some("1.0"));
        assert_eq!(asked(&[("a2a-version", "0.3")], "/?A2A-Version=1.0").version.as_deref(), Some("0.3"));
        assert_eq!(asked(&[], "/?x=1").version, None);
    }

    #[test]
    fn v09_v12_v13_extensions_are_read_from_every_form_and_unknown_ones_ignored() {
        assert_eq!(asked(&[("a2a-extensions", "urn:x, urn:y")], "/").activated(), None);
        let ours = format!("urn:x ,{}", extension::URI);
        assert_eq!(asked(&[("a2a-extensions", &ours)], "/").activated(), Some(extension::URI));
        let twice = [("a2a-extensions", "urn:x"), ("a2a-extensions", extension::URI)];
        assert_eq!(asked(&twice, "/").activated(), Some(extension::URI));
        let old = asked(&[("x-a2a-extensions", extension::URI)], "/");
        assert!(old.extensions_03 && old.activated().is_some());
    }

    #[test]
    fn a_trace_is_read_only_from_a_header_that_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = |value: &str| asked(&[("traceparent", value)], "/").trace_id;
        assert_eq!(trace(good).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(trace(&format!("cc{}-more", &good[2..])).as_deref(), Some(&good[3..35]));
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(trace(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_place_is_a_number() {
        assert_eq!(asked(&[("last-event-id", "12")], "/").resume_after().ok(), Some(Some(12)));
        assert_eq!(asked(&[], "/").resume_after().ok(), Some(None));
        assert_eq!(asked(&[("last-event-id", "")], "/").resume_after().ok(), Some(None));
        for bad in ["-1", "x", "1.5", "99999999999999999999999"] {
            assert!(asked(&[("last-event-id", bad)], "/").resume_after().is_err(), "{bad}");
        }
    }
}
