//! Every route of the gateway, and what wraps all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::{HeaderName, HeaderValue, Method, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::binding::{Binding, Bindings};
use super::discovery::{self, Cards};
use super::error::WireError;
use super::headers::{EXTENSIONS, EXTENSIONS_03};
use super::rest::reply::NEXT_PAGE;
use super::{answer, files, grpc, jsonrpc, openapi, ops, rest};
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::ids::IdSource;
use crate::core::progress::Level;
use crate::core::reader::Closing;
use crate::files::Shelf;

/// Which web pages may call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origins {
    /// All of them.
    Any,
    /// These.
    Listed(Vec<HeaderValue>),
    /// None: no CORS headers at all.
    Off,
}

/// The edge's settings.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// Which bindings are on.
    pub bindings: Bindings,
    /// How an artifact's stream closes.
    pub closing: Closing,
    /// Longest silence on a stream or a waiting answer.
    pub keep_alive: Duration,
    /// How many steps of a turn a request sees that does not say.
    pub progress: Level,
    /// Largest request body, bytes.
    pub max_body_bytes: usize,
    /// Which web pages may call.
    pub origins: Origins,
}

/// What every handler has at hand.
pub struct Edge {
    /// The Agent Card.
    pub cards: Cards,
    /// The engine.
    pub engine: Engine,
    /// The files of answers, if the gateway serves them.
    pub files: Option<Shelf>,
    /// New ids, for messages that come without one.
    pub ids: Arc<dyn IdSource>,
    /// The settings.
    pub settings: EdgeSettings,
}

/// The router over `edge`; it has no gRPC where that has a port of its own.
pub fn router(edge: Arc<Edge>, grpc_elsewhere: bool) -> Router {
    let cors = cors(&edge.settings.origins);
    let has_grpc = !grpc_elsewhere && edge.settings.bindings.has(Binding::Grpc);
    let grpc = has_grpc.then(|| grpc::routes(Arc::clone(&edge)));
    let on = |binding| edge.settings.bindings.has(binding);
    let (has_rpc, has_http) = (on(Binding::JsonRpc), on(Binding::Http));
    let router = Router::new()
        .route("/.well-known/agent-card.json", get(discovery::card))
        .route("/.well-known/agent.json", get(discovery::card))
        .route("/files/{id}", get(files::file))
        .route("/health", get(ops::health))
        .route("/openapi.json", get(openapi::document))
        .route("/ready", get(ops::ready));
    let router = if has_rpc { router.merge(rpc(has_http)) } else { router };
    let router = if has_http { router.fallback(rest::serve) } else { router.fallback(rest::nothing) };
    let router = router
        .with_state(edge)
        // Bodies are limited where they are read, with an answer in the form that the route speaks.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(panicked));
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    let router = match grpc {
        Some(grpc) => router.merge(grpc),
        None => router,
    };
    router.layer(from_fn(move |request, next| grpc::refuse_strays(has_grpc, request, next)))
}

/// The routes of JSON-RPC, and those of the `message.send` dialect.
fn rpc(has_http: bool) -> Router<Arc<Edge>> {
    Router::new()
        .route("/", post(jsonrpc::serve))
        .route("/a2a", post(jsonrpc::serve))
        .route("/a2a/", post(jsonrpc::serve))
        .route("/agentcard", get(discovery::legacy_card))
        .route("/tasks/get", beside_http(has_http).post(jsonrpc::serve_get))
        .route("/tasks/list", beside_http(has_http).post(jsonrpc::serve_list))
        .route("/tasks/cancel", beside_http(has_http).post(jsonrpc::serve_cancel))
        .layer(CatchPanicLayer::custom(panicked_rpc))
}

/// What `GET` on a path of the `message.send` dialect is for: the task of that name, over HTTP+JSON.
fn beside_http(has_http: bool) -> MethodRouter<Arc<Edge>> {
    if has_http { get(rest::serve) } else { MethodRouter::new() }
}

fn cors(origins: &Origins) -> Option<CorsLayer> {
    let origin = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::Listed(listed) => AllowOrigin::list(listed.iter().cloned()),
        Origins::Off => return None,
    };
    let exposed = [
        header::ETAG,
        header::RETRY_AFTER,
        HeaderName::from_static(EXTENSIONS),
        HeaderName::from_static(EXTENSIONS_03),
        NEXT_PAGE,
    ];
    let layer = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(Duration::from_secs(3600));
    Some(layer)
}

fn panicked_rpc(panic: Panic) -> Response {
    let mut body = br#"{"jsonrpc":"2.0","id":null,"error":"#.to_vec();
    let error = WireError::from(noted(panic));
    error.write_rpc(&mut body);
    body.push(b'}');
    answer::json(error.status, body)
}

fn panicked(panic: Panic) -> Response {
    let mut body = Vec::new();
    let error = WireError::from(noted(panic));
    error.write_http(&mut body);
    answer::json(error.status, body)
}

/// What a handler panicked with.
pub(super) type Panic = Box<dyn std::any::Any + Send + 'static>;

/// Writes a panic down; gives what its caller is told.
pub(super) fn noted(panic: Panic) -> Error {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request handler panicked");
    Error::Internal(String::new())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_in_the_form_of_its_route_without_what_it_says() {
        let answers =
            [(panicked(Box::new("secret")), 500), (panicked_rpc(Box::new("secret".to_owned())), -32603)];
        for (answer, code) in answers {
            assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["code"], code);
            assert_eq!(body.get("jsonrpc").is_some(), code < 0);
            assert!(!body.to_string().contains("secret"), "{body}");
        }
    }
}
