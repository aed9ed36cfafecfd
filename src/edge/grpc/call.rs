//! One call of the service of A2A 1.0: an HTTP request in, an HTTP response with a status of gRPC out. What headers say
//! is read here, as all bindings read it (A2A 1.0 §10.2: service parameters are metadata).

use std::convert::Infallible;
use std::sync::Arc;

use a2a_pb::proto::a2a_service_server::A2aServiceServer;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use tonic::Code;
use tower::Service;

use super::deadline::Deadline;
use super::descriptor;
use super::service::Rpc;
use super::status::{refuse, told};
use crate::core::ids::Caller;
use crate::edge::a2a_v1::V1;
use crate::edge::error::EdgeError;
use crate::edge::exchange::Exchange;
use crate::edge::headers::{Asked, echo_extensions};
use crate::edge::{Edge, body};

/// What stands before a message: one byte of flags, four of its length.
const PREFIX: usize = 5;

/// Serves `/lf.a2a.v1.A2AService/…`.
pub async fn serve(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, incoming) = request.into_parts();
    let asked = Asked::read(&parts.headers, &parts.uri);
    let deadline = Deadline::read(&parts.headers);
    let answer = Box::pin(answer(Arc::clone(&edge), parts, incoming, &asked, deadline));
    let mut response = tokio::select! {
        biased;
        answer = answer => answer.unwrap_or_else(refuse),
        () = deadline.passed() => refuse(EdgeError::DeadlineExceeded),
    };
    echo_extensions(&asked, &edge.cards, response.headers_mut());
    response
}

async fn answer(
    edge: Arc<Edge>,
    parts: Parts,
    incoming: Body,
    asked: &Asked,
    deadline: Deadline,
) -> Result<Response, EdgeError> {
    let path = parts.uri.path();
    let method =
        path.strip_prefix('/').and_then(|path| path.strip_prefix(descriptor::A2A_V1)?.strip_prefix('/'));
    if !method.is_some_and(descriptor::is_method) {
        return Err(EdgeError::method_not_found(path));
    }
    let limit = edge.settings.max_body_bytes;
    let message = read(incoming, limit).await?;
    let is_whole = is_one_message(&message);
    let base = edge.cards.base_url(&parts);
    let exchange = Exchange::new(edge, Caller::anonymous(), &V1, asked.clone(), base);
    let mut server = A2aServiceServer::new(Rpc { exchange, deadline }).max_decoding_message_size(limit);
    let called: Result<_, Infallible> = server.call(Request::from_parts(parts, Full::new(message))).await;
    let response = match called {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    };
    match told(response.headers()) {
        // All refusals of ours have details, so this is the library's: the message cannot be decoded.
        Some(status) if is_whole && status.code() == Code::Internal && status.details().is_empty() => {
            Err(EdgeError::Malformed(status.message().to_owned()))
        }
        _ => Ok(response),
    }
}

/// Reads the message of a request with what stands before it.
async fn read(incoming: Body, limit: usize) -> Result<Bytes, EdgeError> {
    body::read(incoming, limit.saturating_add(PREFIX)).await.map_err(|error| match error {
        EdgeError::PayloadTooLarge { .. } => EdgeError::PayloadTooLarge { limit },
        EdgeError::Parse(problem) => EdgeError::Malformed(problem),
        other => other,
    })
}

/// Whether this is one message as the protocol wants it, not compressed. The library says what is wrong with others.
fn is_one_message(bytes: &[u8]) -> bool {
    let Some(([flags, length @ ..], message)) = bytes.split_first_chunk::<PREFIX>() else { return false };
    *flags == 0 && usize::try_from(u32::from_be_bytes(*length)) == Ok(message.len())
}
