//! What operators and their machines ask: is it alive, could it serve.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use super::Edge;
use super::answer;

/// `GET /health`: the process is alive. Never touches Dify or the store.
pub async fn health() -> Response {
    let body = concat!(
        r#"{"status":"ok","service":"dify-a2a-gateway","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""}"#
    );
    not_cached(answer::json(StatusCode::OK, body))
}

/// `GET /ready`: a turn could begin now. 503 with the reasons if not.
pub async fn ready(State(edge): State<Arc<Edge>>) -> Response {
    let response = match edge.engine.ready().await {
        Ok(()) => answer::json(StatusCode::OK, r#"{"status":"ready"}"#),
        Err(reasons) => {
            let body = serde_json::json!({ "status": "not ready", "reasons": reasons });
            answer::json(StatusCode::SERVICE_UNAVAILABLE, body.to_string())
        }
    };
    not_cached(response)
}

fn not_cached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
