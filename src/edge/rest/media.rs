//! Which media type a JSON answer has. A2A 1.0 has one of its own (§11.1, §14.1) that older clients and the conformance
//! kit do not take, so it is said only to those that ask for it by name.

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

use super::table::Version;
use crate::edge::answer::JSON;

const A2A_JSON: HeaderValue = HeaderValue::from_static("application/a2a+json");

/// The media type of a JSON answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Media {
    /// `application/a2a+json`, since the client asked for it.
    A2a,
    /// `application/json`, where it could have been the other.
    Json,
    /// `application/json`: 0.3 has no other.
    OnlyJson,
}

impl Media {
    /// What these headers ask for. Whoever asks for neither still gets JSON, since there is nothing else.
    pub fn of(version: Version, headers: &HeaderMap) -> Self {
        if version == Version::V03 {
            return Self::OnlyJson;
        }
        let wanted: Vec<(String, f32)> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(range)
            .collect();
        let weight = |name: &str| wanted.iter().find(|(range, _)| range == name).map(|(_, weight)| *weight);
        let json = weight("application/json").or_else(|| weight("application/*")).or_else(|| weight("*/*"));
        match weight("application/a2a+json") {
            Some(named) if named > 0.0 && named >= json.unwrap_or(0.0) => Self::A2a,
            Some(_) | None => Self::Json,
        }
    }

    /// Names the media type in a response that is JSON, and what caches must know of the choice.
    pub fn name_in(self, response: &mut Response) {
        let headers = response.headers_mut();
        if headers.get(header::CONTENT_TYPE) != Some(&JSON) || self == Self::OnlyJson {
            return;
        }
        if self == Self::A2a {
            headers.insert(header::CONTENT_TYPE, A2A_JSON);
        }
        headers.append(header::VARY, HeaderValue::from_static("accept"));
    }
}

/// A media range of an `Accept` header and its weight (RFC 9110 §12.5.1). A weight that is none counts as nothing.
fn range(text: &str) -> (String, f32) {
    let mut fields = text.split(';').map(str::trim);
    let name = fields.next().unwrap_or_default().to_ascii_lowercase();
    let weight = fields.find_map(|field| field.strip_prefix("q=").or_else(|| field.strip_prefix("Q=")));
    let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
    (name, if (0.0..=1.0).contains(&weight) { weight } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(accept: &[&str]) -> Media {
        let mut headers = HeaderMap::new();
        for accept in accept {
            headers.append(header::ACCEPT, accept.parse().unwrap());
        }
        assert_eq!(Media::of(Version::V03, &headers), Media::OnlyJson);
        Media::of(Version::V1, &headers)
    }

    #[test]
    fn r05_the_type_of_a2a_is_for_those_that_name_it_first() {
        for accept in [
            &["application/a2a+json, application/json"][..],
            &["application/a2a+json"],
            &["application/json", "Application/A2A+JSON"],
            &["text/html, application/a2a+json;q=0.5, application/json; q=0.4"],
            &["application/a2a+json;q=0.8;x=1, */*;q=0.8"],
        ] {
            assert_eq!(media(accept), Media::A2a, "{accept:?}");
        }
        for accept in [
            &[][..],
            &[""],
            &["*/*"],
            &["application/*"],
            &["application/json"],
            &["text/event-stream"],
            &["image/png, text/html;q=0.1"],
            &["application/a2a+json;q=0.5, application/json"],
            &["application/a2a+json;q=0.5, */*"],
            &["application/a2a+json;q=0"],
            &["application/a2a+json;q=nan"],
            &["application/a2a+json;q=7"],
            &["application/a2a+json;Q=x"],
            &["application/a2a+jsonx"],
        ] {
            assert_eq!(media(accept), Media::Json, "{accept:?}");
        }
    }

    #[test]
    fn r05_caches_learn_what_an_answer_depends_on() {
        let named = |media: Media, content_type: HeaderValue| {
            let mut response = Response::new(axum::body::Body::empty());
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            media.name_in(&mut response);
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            (header(header::CONTENT_TYPE).unwrap(), header(header::VARY))
        };
        let vary = Some("accept".to_owned());
        assert_eq!(named(Media::A2a, JSON), ("application/a2a+json".to_owned(), vary.clone()));
        assert_eq!(named(Media::Json, JSON), ("application/json".to_owned(), vary));
        assert_eq!(named(Media::OnlyJson, JSON), ("application/json".to_owned(), None));
        let stream = HeaderValue::from_static("text/event-stream");
        assert_eq!(named(Media::A2a, stream), ("text/event-stream".to_owned(), None));
    }
}
