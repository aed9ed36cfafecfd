//! The routes of the Agent Card, with what caches want to know.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use super::Edge;
use super::answer;
use super::card::{CardDocument, CardSource};
use super::public_url::{self, PublicUrl};
use crate::core::backend::Profile;
use crate::core::engine::Engine;

/// For how long a card may be used without asking again, seconds: Dify's app may be published anew at any time.
const MAX_AGE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The card and what its routes need to know.
pub struct Cards {
    source: CardSource,
    /// The address that clients reach the gateway at.
    public_url: Arc<PublicUrl>,
    /// The app as the card last told it, and since when.
    told: Mutex<(Arc<Profile>, Timestamp)>,
}

impl Cards {
    /// Cards from `source`.
    pub fn new(source: CardSource, public_url: Arc<PublicUrl>, now: Timestamp) -> Self {
        Self { source, public_url, told: Mutex::new((Arc::default(), now)) }
    }

    /// The first extension that a client must list and did not (A2A 1.0 §3.3.4).
    pub fn missing_extension(&self, named: &[String]) -> Option<String> {
        let mut required = self.source.required_extensions();
        required.find(|uri| !named.iter().any(|named| named == uri)).map(str::to_owned)
    }

    /// Of the extensions that a client named, those that the card declares, each once: a version of one that the card
    /// does not name is another extension (A2A 1.0 §4.6.3).
    pub fn activated<'n>(&self, named: &'n [String]) -> Vec<&'n str> {
        let mut activated: Vec<&str> = Vec::new();
        for uri in named {
            if self.source.extensions().any(|declared| declared == uri) && !activated.contains(&uri.as_str())
            {
                activated.push(uri);
            }
        }
        activated
    }

    /// The base URL to give to whoever sent this request, without a slash at its end.
    pub fn base_url(&self, request: &Parts) -> String {
        self.public_url.base_url(&request.headers, &request.uri, public_url::peer(&request.extensions))
    }

    /// Since when the app is as it is, as far as cards know: the start until one of them tells of the app, from then
    /// on the time of the first card that told of it as it is. That may be later than the change, which costs a
    /// client one more answer; it is never earlier, which would keep a client's old card alive.
    fn modified(&self, profile: &Arc<Profile>, now: Timestamp) -> Timestamp {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != *profile {
            *told = (Arc::clone(profile), now);
        }
        told.1
    }
}

/// `GET /.well-known/agent-card.json` and its name before 0.3, `agent.json` (A2A 1.0 §8.2, §8.6).
pub async fn card(State(edge): State<Arc<Edge>>, request: Parts) -> Response {
    respond(&edge, &request, |profile, base| edge.cards.source.render(profile, base))
}

/// `GET /agentcard`: the card of the `message.send` dialect.
pub async fn legacy_card(State(edge): State<Arc<Edge>>, request: Parts) -> Response {
    respond(&edge, &request, |profile, base| edge.cards.source.render_legacy(profile, base))
}

fn respond(edge: &Edge, request: &Parts, render: impl FnOnce(&Profile, &str) -> CardDocument) -> Response {
    let engine: &Engine = &edge.engine;
    let profile = engine.profile();
    let document = render(&profile, &edge.cards.base_url(request));
    let modified = edge.cards.modified(&profile, engine.now());
    let etag = HeaderValue::from_str(&document.etag).ok();
    let mut response = if unchanged(&request.headers, &document.etag, modified) {
        let mut response = Response::new(Body::from(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        answer::json(StatusCode::OK, document.body)
    };
    let sent = response.headers_mut();
    sent.insert(header::CACHE_CONTROL, MAX_AGE);
    for (name, value) in [
        (header::ETAG, etag),
        (header::LAST_MODIFIED, http_date(modified)),
        (header::VARY, edge.cards.public_url.vary()),
    ] {
        if let Some(value) = value {
            sent.insert(name, value);
        }
    }
    response
}

/// Whether the client has this very card (RFC 9110 §13.1.2, §13.1.3; the entity tag decides where there is one).
fn unchanged(headers: &HeaderMap, etag: &str, modified: Timestamp) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_some() {
        let listed = tags.filter_map(|tags| tags.to_str().ok()).flat_map(|tags| tags.split(','));
        return listed.map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag);
    }
    let since = headers.get(header::IF_MODIFIED_SINCE);
    let since = since.and_then(|since| DateTimeParser::new().parse_timestamp(since.as_bytes()).ok());
    // Dates have whole seconds. One that makes no sense counts as not there.
    since.is_some_and(|since| modified.as_second() <= since.as_second())
}

fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::card::{CardStyle, Offer, Overlay};
    use crate::edge::extension;
    use crate::edge::public_url::Proxies;

    fn cards(file: &str) -> Cards {
        let public_url = PublicUrl::new(None, Proxies::default(), "http://127.0.0.1:8080".to_owned());
        let source = CardSource::new(CardStyle::Hybrid, Offer::default(), Overlay::parse(file).unwrap());
        Cards::new(source, Arc::new(public_url), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn v08_v09_v10_v11_extensions_are_those_of_the_card_by_their_very_names() {
        let cards =
            cards(r#"{"capabilities":{"extensions":[{"uri":"urn:a","required":true},{"uri":"urn:b"}]}}"#);
        let named = |uris: &[&str]| uris.iter().map(|uri| (*uri).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            cards.activated(&named(&["urn:b", "urn:x", extension::URI, "urn:b"])),
            ["urn:b", extension::URI]
        );
        let older = extension::URI.replace("v1", "v0");
        assert!(cards.activated(&named(&[&older, "URN:A", "urn:a/2"])).is_empty());
        assert_eq!(cards.missing_extension(&named(&[extension::URI, "urn:b"])).as_deref(), Some("urn:a"));
        assert_eq!(cards.missing_extension(&named(&["urn:a"])), None);
    }

    #[test]
    fn c09_the_date_changes_when_the_app_does() {
        let cards = cards("{}");
        let later = Timestamp::from_second(1_700_000_000).expect("a time");
        let unknown = Arc::new(Profile::default());
        assert_eq!(cards.modified(&unknown, later), Timestamp::UNIX_EPOCH);
        let known = Arc::new(Profile { name: Some("x".to_owned()), ..Profile::default() });
        assert_eq!(cards.modified(&known, later), later);
        assert_eq!(cards.modified(&known, Timestamp::now()), later);
        assert_eq!(http_date(later).expect("a date"), "Tue, 14 Nov 2023 22:13:20 GMT");
    }

    #[test]
    fn c10_a_client_that_has_the_card_is_told_so() {
        let modified = Timestamp::from_millisecond(1_700_000_000_900).expect("a time");
        let asks = |name: header::HeaderName, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            unchanged(&headers, "\"abc\"", modified)
        };
        for tags in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(asks(header::IF_NONE_MATCH, tags), "{tags}");
        }
        assert!(!asks(header::IF_NONE_MATCH, "\"x\""));
        for same_or_later in ["Tue, 14 Nov 2023 22:13:20 GMT", "Wed, 15 Nov 2023 01:02:03 GMT"] {
            assert!(asks(header::IF_MODIFIED_SINCE, same_or_later), "{same_or_later}");
        }
        for earlier_or_garbage in
            ["Tue, 14 Nov 2023 22:13:19 GMT", "Thu, 14 Nov 2025 22:13:20 GMT", "soon", "", "1700000000"]
        {
            assert!(!asks(header::IF_MODIFIED_SINCE, earlier_or_garbage), "{earlier_or_garbage}");
        }
    }
}
