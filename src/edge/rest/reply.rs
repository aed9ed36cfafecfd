//! How one request is answered: as the object itself, without an envelope, with the HTTP status of what came of it.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::media::Media;
use super::table::Version;
use crate::edge::a2a_v03_http;
use crate::edge::answer::{self, Ready};
use crate::edge::dialect::Dialect;
use crate::edge::error::{EdgeError, WireError};
use crate::edge::exchange::{Answer, Begun, Followed};
use crate::edge::page;
use crate::edge::sse::{Events, Wrap};

/// Where a list of 0.3 says how to ask for its next page: with this as the `pageToken`.
pub const NEXT_PAGE: HeaderName = HeaderName::from_static("x-next-page-token");

/// How one request is answered.
#[derive(Clone, Copy)]
pub struct Reply {
    /// The form of what is said.
    pub dialect: &'static dyn Dialect,
    /// The protocol, which decides the form of errors.
    pub version: Version,
    /// The media type of JSON.
    pub media: Media,
    /// Longest silence.
    pub keep_alive: Duration,
}

impl Reply {
    /// The answer to a request that was not refused.
    pub async fn with(self, begun: Begun) -> Response {
        let mut response = match begun {
            Begun::Answer(answer) => {
                let mut response = answer::json(StatusCode::OK, self.body(&answer));
                if let Some(token) = self.next_page(&answer) {
                    response.headers_mut().insert(NEXT_PAGE, token);
                }
                response
            }
            Begun::Later(later) => {
                let work = async move {
                    match later.await {
                        Ok(answer) => {
                            let body = self.body(&answer);
                            Ready { response: answer::json(StatusCode::OK, body.clone()), body }
                        }
                        Err(error) => {
                            let error = WireError::from(error);
                            Ready { response: self.refusal(&error), body: self.error_body(&error) }
                        }
                    }
                };
                answer::when_ready(self.keep_alive, work).await
            }
            Begun::Stream(Followed { task, reader, end, view }) => {
                let encoder = self.dialect.stream(&task.id, &task.context_id, end, view);
                Events::new(&task, reader, encoder, Wrap::default(), self.keep_alive).into_response()
            }
        };
        self.media.name_in(&mut response);
        response
    }

    /// The refusal of a request.
    pub fn refuse(self, error: EdgeError) -> Response {
        let allow = match &error {
            EdgeError::HttpVerb { allow, .. } => HeaderValue::from_str(allow).ok(),
            _ => None,
        };
        let mut response = self.refusal(&error.into());
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        self.media.name_in(&mut response);
        response
    }

    /// The token of the next page, for the lists of 0.3, whose bodies have no place for it.
    fn next_page(self, answer: &Answer) -> Option<HeaderValue> {
        match (self.version, answer) {
            (Version::V03, Answer::Page(listed, _)) => {
                let token = page::next_token(&listed.page());
                HeaderValue::from_str(&token).ok().filter(|token| !token.is_empty())
            }
            _ => None,
        }
    }

    fn body(self, answer: &Answer) -> Bytes {
        let mut buf = Vec::new();
        answer.write(&mut buf, self.dialect);
        Bytes::from(buf)
    }

    fn error_body(self, error: &WireError) -> Bytes {
        let mut buf = Vec::new();
        match self.version {
            Version::V03 => self.dialect.error(&mut buf, error),
            Version::V1 => error.write_http(&mut buf),
        }
        Bytes::from(buf)
    }

    fn refusal(self, error: &WireError) -> Response {
        tracing::debug!(
            dialect = self.dialect.name(),
            code = error.code,
            reason = error.reason,
            "request refused"
        );
        let status = match self.version {
            Version::V03 => a2a_v03_http::status(error),
            Version::V1 => error.status,
        };
        let mut response = answer::json(status, self.error_body(error));
        if let Some(seconds) = error.retry_after_seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::Error;
    use crate::edge::a2a_v1::V1;
    use crate::edge::a2a_v03_http::{Once, V03Http};
    use crate::edge::testing::{completed, text};
    use crate::edge::view::View;

    const KEEP_ALIVE: Duration = Duration::from_secs(2);

    fn reply(version: Version) -> Reply {
        let dialect: &'static dyn Dialect = match version {
            Version::V03 => &V03Http::<Once>::DIALECT,
            Version::V1 => &V1,
        };
        Reply { dialect, version, media: Media::A2a, keep_alive: KEEP_ALIVE }
    }

    async fn read(response: Response) -> (u16, String, String) {
        let (status, kind) = (response.status().as_u16(), response.headers()[header::CONTENT_TYPE].clone());
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, kind.to_str().unwrap().to_owned(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn waited(
        version: Version,
        wait: Duration,
        outcome: Result<Answer, EdgeError>,
    ) -> (u16, String, String) {
        let later = Box::pin(async move {
            tokio::time::sleep(wait).await;
            outcome
        });
        read(reply(version).with(Begun::Later(later)).await).await
    }

    #[tokio::test(start_paused = true)]
    async fn s14_spaces_go_before_a_slow_answer_and_before_a_slow_refusal() {
        let task = || Answer::Task(completed(), View::default());
        let body = text(|buf| V1.task(buf, &completed(), &View::default()));
        let kind = "application/a2a+json";
        assert_eq!(
            waited(Version::V1, Duration::from_secs(1), Ok(task())).await,
            (200, kind.to_owned(), body.clone())
        );
        assert_eq!(
            waited(Version::V1, Duration::from_secs(3), Ok(task())).await,
            (200, kind.to_owned(), format!(" {body}"))
        );
        for (version, refused) in [(Version::V1, 400), (Version::V03, 501)] {
            let refusal = || Err(Error::PushNotSupported.into());
            let (status, _, body) = waited(version, Duration::ZERO, refusal()).await;
            assert_eq!(status, refused);
            let (status, _, late) = waited(version, Duration::from_secs(5), refusal()).await;
            assert_eq!((status, late), (200, format!("  {body}")));
        }
    }

    #[tokio::test]
    async fn r03_r04_an_error_has_the_status_of_its_line_in_the_table() {
        let refusals = [
            Error::TaskNotFound("t".into()).into(),
            Error::TaskNotCancelable { id: "t".into(), state: crate::core::state::TaskState::Failed }.into(),
            Error::PushNotSupported.into(),
            Error::UnsupportedOperation("no".to_owned()).into(),
            Error::ContentTypeNotSupported("no".to_owned()).into(),
            Error::invalid("pageSize", "must be from 1 to 100").into(),
            Error::Internal("secret".to_owned()).into(),
            Error::Busy { what: "too many turns", retry_after: KEEP_ALIVE }.into(),
            Error::Draining.into(),
            EdgeError::ExtendedCardNotConfigured,
            EdgeError::ExtendedCardNotSupported,
            EdgeError::ExtensionRequired { uri: "urn:x".to_owned() },
            EdgeError::InvalidRequest("x".to_owned()),
            EdgeError::Parse("x".to_owned()),
            EdgeError::PayloadTooLarge { limit: 1 },
            EdgeError::VersionNotSupported { requested: "9.9".to_owned(), supported: "1.0" },
            EdgeError::ContentType { given: "text/plain".to_owned() },
            EdgeError::no_such_path(&"/x".repeat(100)),
            EdgeError::http_verb(&http::Method::PUT, "GET, HEAD".to_owned()),
        ];
        let mut lines = Vec::new();
        for error in refusals {
            let response = reply(Version::V1).refuse(error);
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let told =
                [header::ALLOW, header::RETRY_AFTER].map(|name| header(name).unwrap_or_default()).concat();
            let (status, kind, body) = read(response).await;
            assert_eq!(kind, "application/a2a+json");
            lines.push(format!("{status} [{told}] {body}"));
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
