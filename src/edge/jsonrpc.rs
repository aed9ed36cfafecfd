//! The JSON-RPC binding: one request in, one answer or one stream out, in the dialect that the method names.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::answer::{self, Ready};
use super::dialect::{self, Dialect, EarlyError, Operation, Route};
use super::envelope::{Envelope, Refused, Strictness};
use super::error::{EdgeError, WireError};
use super::exchange::{Answer, Begun, Exchange, Followed};
use super::headers::{Asked, echo_extensions};
use super::legacy::Legacy;
use super::sse::{self, Events, Wrap};
use super::{Edge, body};
use crate::core::ids::Caller;

/// Serves `POST /` and `POST /a2a`.
pub async fn serve(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, None).await
}

/// Serves `POST /tasks/get`.
pub async fn serve_get(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, Some(Operation::Get)).await
}

/// Serves `POST /tasks/list`.
pub async fn serve_list(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, Some(Operation::List)).await
}

/// Serves `POST /tasks/cancel`.
pub async fn serve_cancel(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    handle(edge, request, Some(Operation::Cancel)).await
}

/// With `named`, the route is one of the old dialect's own, and the body's method does not count.
async fn handle(edge: Arc<Edge>, request: Request, named: Option<Operation>) -> Response {
    let (parts, incoming) = request.into_parts();
    let asked = Asked::read(&parts.headers, &parts.uri);
    let bytes = match body::read_json(&parts.headers, incoming, edge.settings.max_body_bytes).await {
        Ok(bytes) => bytes,
        Err(error) => return refuse("null", &default_dialect(), &error.into()),
    };
    let strictness = if named.is_some() { Strictness::Loose } else { Strictness::Full };
    let envelope = match Envelope::read(&bytes, strictness) {
        Ok(envelope) => envelope,
        Err(Refused { id, error }) => return refuse(&id, &default_dialect(), &error.into()),
    };
    let route = match named {
        Some(operation) => Some(Route { dialect: &Legacy, operation }),
        None => dialect::route(&envelope.method, envelope.params),
    };
    let Some(Route { dialect, operation }) = route else {
        return refuse(
            envelope.id,
            &default_dialect(),
            &EdgeError::method_not_found(&envelope.method).into(),
        );
    };
    let base = edge.cards.base_url(&parts);
    let reply = Reply {
        id: one_line(envelope.id),
        dialect,
        early: dialect.early_error(envelope.params),
        keep_alive: edge.settings.keep_alive,
    };
    let ids = Arc::clone(&edge.ids);
    let exchange = Exchange::new(Arc::clone(&edge), Caller::anonymous(), dialect, asked.clone(), base);
    let read = exchange.admit().and_then(|()| Ok(dialect.call(operation, envelope.params, &*ids)?));
    // Files travel in it, and an answer may take a while: what was read of it is all that is needed now.
    drop(bytes);
    let begun = match read {
        Ok(request) => exchange.begin(request).await,
        Err(error) => Err(error),
    };
    let mut response = match begun {
        Ok(begun) => reply.with(begun).await,
        Err(error) => reply.refuse(operation, error),
    };
    echo_extensions(&asked, &edge.cards, response.headers_mut());
    response
}

/// How one request is answered.
struct Reply {
    /// The request's id as JSON text.
    id: String,
    dialect: &'static dyn Dialect,
    /// How a request for a stream is refused.
    early: EarlyError,
    keep_alive: Duration,
}

impl Reply {
    async fn with(self, begun: Begun) -> Response {
        match begun {
            Begun::Answer(answer) => answer::json(StatusCode::OK, self.result(&answer)),
            Begun::Later(later) => {
                answer::when_ready(self.keep_alive, async move {
                    match later.await {
                        Ok(answer) => {
                            let body = self.result(&answer);
                            Ready { response: answer::json(StatusCode::OK, body.clone()), body }
                        }
                        Err(error) => {
                            let error = WireError::from(error);
                            let body = error_body(&self.id, self.dialect, &error);
                            Ready { response: refuse(&self.id, &self.dialect, &error), body }
                        }
                    }
                })
                .await
            }
            Begun::Stream(Followed { task, reader, end, view }) => {
                let encoder = self.dialect.stream(&task.id, &task.context_id, end, view);
                let wrap = Wrap { before: before_result(&self.id), after: b"}" };
                Events::new(&task, reader, encoder, wrap, self.keep_alive).into_response()
            }
        }
    }

    fn result(&self, answer: &Answer) -> Bytes {
        let mut buf = before_result(&self.id);
        answer.write(&mut buf, self.dialect);
        buf.push(b'}');
        Bytes::from(buf)
    }

    fn refuse(&self, operation: Operation, error: EdgeError) -> Response {
        let error = WireError::from(error);
        let streams = matches!(operation, Operation::Stream | Operation::Subscribe);
        let as_event = streams && self.early == EarlyError::Event;
        if as_event && error.rpc_status == StatusCode::OK {
            return sse::single_event(&error_body(&self.id, self.dialect, &error));
        }
        refuse(&self.id, &self.dialect, &error)
    }
}

/// The dialect of answers to requests that never got as far as to have one.
fn default_dialect() -> &'static dyn Dialect {
    &super::a2a_v1::V1
}

fn before_result(id: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#).into_bytes()
}

fn error_body(id: &str, dialect: &dyn Dialect, error: &WireError) -> Bytes {
    let mut buf = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":"#).into_bytes();
    dialect.error(&mut buf, error);
    buf.push(b'}');
    Bytes::from(buf)
}

fn refuse(id: &str, dialect: &&'static dyn Dialect, error: &WireError) -> Response {
    tracing::debug!(dialect = dialect.name(), code = error.code, reason = error.reason, "request refused");
    let mut response = answer::json(error.rpc_status, error_body(id, *dialect, error));
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The id with the line ends of Unicode escaped, as in all other text: widespread clients split streams there.
fn one_line(id: &str) -> String {
    id.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}
