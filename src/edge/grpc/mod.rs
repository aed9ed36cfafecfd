//! The gRPC binding (A2A 1.0 §10): the service `lf.a2a.v1.A2AService` with the messages of the official crate, and that of
//! 0.3; beside them health and reflection. HTTP requests that are calls of gRPC come in, [`exchange`](super::exchange)
//! does what they ask.
//!
//! | module | what |
//! | --- | --- |
//! | [`call`] | one call: metadata, deadline, size; how tonic's server is asked |
//! | [`rpc`] | what the rpcs of both versions have in common |
//! | [`service`] | the rpcs of 1.0 |
//! | [`decode`], [`encode`], [`stream`] | messages of 1.0 and the core |
//! | [`v03`] | the same for 0.3 |
//! | [`value`] | JSON of users as `google.protobuf.Value`, and back |
//! | [`status`] | refusals |
//! | [`deadline`] | `grpc-timeout` |
//! | [`health`], [`reflection`], [`descriptor`] | `grpc.health.v1`, `grpc.reflection`, and what that tells of the service |

pub mod call;
pub mod deadline;
pub mod decode;
pub mod descriptor;
pub mod encode;
pub mod health;
pub mod reflection;
pub mod rpc;
pub mod service;
pub mod status;
pub mod stream;
pub mod v03;
pub mod value;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use http::{HeaderMap, header};
use tower_http::catch_panic::CatchPanicLayer;

use self::call::Service;
use self::service::ServiceV1;
use self::v03::ServiceV03;
use super::error::{EdgeError, WireError};
use super::routes::{Panic, noted};
use super::{Edge, answer};

/// The routes of gRPC.
pub fn routes(edge: Arc<Edge>) -> Router {
    let health = health::server(&edge);
    let a2a = Router::new()
        .route(&below(descriptor::A2A_V1), a2a::<ServiceV1>())
        .route(&below(descriptor::A2A_V03), a2a::<ServiceV03>());
    let mut router = a2a.with_state(edge).route_service(&below(descriptor::HEALTH), health);
    match reflection::servers() {
        Ok((v1, v1alpha)) => {
            router = router.route_service(&below(descriptor::REFLECTION), v1);
            router = router.route_service(&below(descriptor::REFLECTION_ALPHA), v1alpha);
        }
        Err(error) => tracing::error!(%error, "gRPC reflection is off"),
    }
    // Of the routes alone: other paths are not ours to answer.
    router
        .route_layer(DefaultBodyLimit::disable())
        .route_layer(CatchPanicLayer::custom(panicked::<ServiceV1>))
        .route_layer(from_fn(only_grpc))
}

/// The routes of gRPC alone, for a port of their own.
pub fn router(edge: Arc<Edge>) -> Router {
    routes(edge).layer(from_fn(|request, next| refuse_strays(true, request, next)))
}

/// One service of A2A.
fn a2a<S: Service + 'static>() -> MethodRouter<Arc<Edge>> {
    post(call::serve::<S>).layer(CatchPanicLayer::custom(panicked::<S>))
}

fn below(service: &str) -> String {
    format!("/{service}/{{*method}}")
}

/// Whether a path is of one of the services here.
pub fn is_served(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let method = descriptor::SERVICES.iter().find_map(|name| path.strip_prefix(name)?.strip_prefix('/'));
    method.is_some_and(|method| !method.is_empty())
}

/// Refuses calls of gRPC to whatever is not served here, in their own way: such clients understand nothing else.
pub async fn refuse_strays(is_here: bool, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if is_grpc(request.headers()) && !(is_here && is_served(path)) {
        return call::refuse::<ServiceV1>(EdgeError::method_not_found(path));
    }
    next.run(request).await
}

/// Answers whatever else came to the paths of gRPC in the way of HTTP.
async fn only_grpc(request: Request, next: Next) -> Response {
    if is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let given =
        request.headers().get(header::CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let given = given.unwrap_or_default().chars().take(100).collect();
    let error = EdgeError::ContentType { given };
    let message = "this path speaks gRPC: send application/grpc over HTTP/2".to_owned();
    let error = WireError { message, ..WireError::from(error) };
    let mut body = Vec::new();
    error.write_http(&mut body);
    answer::json(error.status, body)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| is_named(kind.as_bytes()))
}

/// Whether a content type names gRPC with messages of protobuf.
fn is_named(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/grpc")
        || essence.eq_ignore_ascii_case(b"application/grpc+proto")
}

fn panicked<S: Service>(panic: Panic) -> Response {
    call::refuse::<S>(noted(panic).into())
}

#[cfg(test)]
mod router_tests;
#[cfg(test)]
mod tests;
