//! One call of a service of A2A: an HTTP request in, an HTTP response with a status of gRPC out. What headers say is read
//! here, as all bindings read it (A2A 1.0 §10.2: service parameters are metadata).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use tonic::{Code, Status};

use super::deadline::Deadline;
use super::descriptor;
use super::rpc::Rpc;
use super::status::told;
use crate::core::ids::Caller;
use crate::edge::dialect::Dialect;
use crate::edge::error::EdgeError;
use crate::edge::exchange::Exchange;
use crate::edge::headers::{Asked, echo_extensions};
use crate::edge::{Edge, body};

/// What stands before a message: one byte of flags, four of its length.
const PREFIX: usize = 5;

/// An HTTP request whose body has been read: one message in its frame.
pub type Called = http::Request<Full<Bytes>>;

/// One service of A2A.
pub trait Service {
    /// Its name with the package, as paths have it.
    const NAME: &'static str;

    /// What speaks the same version over JSON.
    const DIALECT: &'static dyn Dialect;

    /// The status of a refusal.
    fn status(error: EdgeError) -> Status;

    /// Serves a whole message. `method` is one of the service's, and messages may have `limit` bytes.
    fn serve(rpc: Rpc, method: &str, limit: usize, request: Called) -> impl Future<Output = Response> + Send;
}

/// A refusal as a whole response, without a message.
pub fn refuse<S: Service>(error: EdgeError) -> Response {
    S::status(error).into_http::<Body>()
}

/// Serves the paths of one service.
pub async fn serve<S: Service>(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, incoming) = request.into_parts();
    let asked = Asked::read(&parts.headers, &parts.uri);
    let deadline = Deadline::read(&parts.headers);
    let answer = Box::pin(answer::<S>(Arc::clone(&edge), parts, incoming, &asked, deadline));
    let mut response = tokio::select! {
        biased;
        answer = answer => answer.unwrap_or_else(refuse::<S>),
        () = deadline.passed() => refuse::<S>(EdgeError::DeadlineExceeded),
    };
    echo_extensions(&asked, &edge.cards, response.headers_mut());
    response
}

async fn answer<S: Service>(
    edge: Arc<Edge>,
    parts: Parts,
    incoming: Body,
    asked: &Asked,
    deadline: Deadline,
) -> Result<Response, EdgeError> {
    let uri = parts.uri.clone();
    let path = uri.path();
    let method = path.strip_prefix('/').and_then(|path| path.strip_prefix(S::NAME)?.strip_prefix('/'));
    let method = method.filter(|method| descriptor::is_method(S::NAME, method));
    let method = method.ok_or_else(|| EdgeError::method_not_found(path))?;
    let limit = edge.settings.max_body_bytes;
    let message = read(incoming, limit).await?;
    let is_whole = is_one_message(&message);
    let base = edge.cards.base_url(&parts);
    let exchange = Exchange::new(edge, Caller::anonymous(), S::DIALECT, asked.clone(), base);
    let request = Request::from_parts(parts, Full::new(message));
    let response = S::serve(Rpc { exchange, deadline }, method, limit, request).await;
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
