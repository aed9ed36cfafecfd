//! Every route of the gateway, and what wraps all of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::discovery::{self, Cards};
use super::headers::{EXTENSIONS, EXTENSIONS_03};
use super::{answer, files, jsonrpc, openapi, ops, rest};
use crate::core::engine::Engine;
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

/// The router over `edge`.
pub fn router(edge: Arc<Edge>) -> Router {
    let cors = cors(&edge.settings.origins);
    let router = Router::new()
        .route("/", post(jsonrpc::serve))
        .route("/a2a", post(jsonrpc::serve))
        .route("/a2a/", post(jsonrpc::serve))
        .route("/tasks/get", get(rest::serve).post(jsonrpc::serve_get))
        .route("/tasks/list", get(rest::serve).post(jsonrpc::serve_list))
        .route("/tasks/cancel", get(rest::serve).post(jsonrpc::serve_cancel))
        .route("/.well-known/agent-card.json", get(discovery::card))
        .route("/.well-known/agent.json", get(discovery::card))
        .route("/agentcard", get(discovery::legacy_card))
        .route("/files/{id}", get(files::file))
        .route("/health", get(ops::health))
        .route("/openapi.json", get(openapi::document))
        .route("/ready", get(ops::ready))
        .fallback(rest::serve)
        .with_state(edge)
        // Bodies are limited where they are read, with an answer in the form that the route speaks.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(panicked));
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
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
    ];
    let layer = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(Duration::from_secs(3600));
    Some(layer)
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request handler panicked");
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error"}}"#;
    answer::json(StatusCode::INTERNAL_SERVER_ERROR, body)
}
