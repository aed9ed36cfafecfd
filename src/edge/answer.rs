//! Answers in JSON that may take a while: spaces go out until the answer is there, so that no client and no
//! proxy takes the silence for death. JSON allows them before a value.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};

/// The media type of JSON-RPC answers (A2A 1.0 §9.1).
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that is there.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// What an answer came to: its status counts only while no byte has been sent.
#[derive(Debug)]
pub struct Ready {
    /// The whole response, if there still is a choice.
    pub response: Response,
    /// The body of that response.
    pub body: Bytes,
}

/// The answer that `work` gives: whole if it comes within `keep_alive`, else with a space every `keep_alive`
/// until it comes. The caller's hanging up drops `work`, which never is the task itself.
pub async fn when_ready<F>(keep_alive: Duration, work: F) -> Response
where
    F: Future<Output = Ready> + Send + 'static,
{
    let mut work: Pin<Box<F>> = Box::pin(work);
    tokio::select! {
        biased;
        ready = &mut work => return ready.response,
        () = tokio::time::sleep(keep_alive) => {}
    }
    let spaces_then_body = stream::unfold(Some((work, true)), move |state| async move {
        let (mut work, first) = state?;
        if first {
            return Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), Some((work, false))));
        }
        tokio::select! {
            biased;
            ready = &mut work => Some((Ok(ready.body), None)),
            () = tokio::time::sleep(keep_alive) => Some((Ok(Bytes::from_static(b" ")), Some((work, false)))),
        }
    });
    let mut response = Response::new(Body::from_stream(spaces_then_body));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    unbuffered(&mut response);
    response
}

/// Tells proxies to pass every byte on at once.
pub fn unbuffered(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(body: &'static str) -> Ready {
        Ready { response: json(StatusCode::OK, body), body: Bytes::from_static(body.as_bytes()) }
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test(start_paused = true)]
    async fn s14_a_slow_answer_is_preceded_by_a_space_every_keep_alive() {
        let keep_alive = Duration::from_secs(2);
        let quick = when_ready(keep_alive, async { ready("{}") }).await;
        assert!(!quick.headers().contains_key("x-accel-buffering"));
        assert_eq!(text(quick).await, "{}");
        let slow = when_ready(keep_alive, async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            ready("{\"a\":1}")
        });
        assert_eq!(text(slow.await).await, "   {\"a\":1}");
    }
}
