//! The HTTP+JSON binding of A2A 1.0 (§11) and 0.3: a request comes in by its path, one answer or one stream goes out.
//!
//! | module | what |
//! | --- | --- |
//! | [`table`] | every route, and which one a path is |
//! | [`params`] | path, query and body together, as the params that the dialects read |
//! | [`media`] | which of its two media types an answer has |
//! | [`reply`] | answers, streams and errors in the form of this binding |

pub mod media;
pub mod params;
pub mod reply;
pub mod table;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, header};

use self::media::Media;
use self::reply::Reply;
use self::table::{Found, Looked, Version};
use super::a2a_v1::V1;
use super::a2a_v03_http::{Once, Twice, V03Http};
use super::dialect::Dialect;
use super::error::EdgeError;
use super::exchange::Exchange;
use super::headers::{Asked, echo_extensions};
use super::{Edge, body};
use crate::core::ids::Caller;

/// What the official Python clients call themselves. Those of 0.3 write the bytes of files in a way of their own.
const PYTHON: &str = "python-httpx";

/// Serves every path that no other route takes.
pub async fn serve(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, incoming) = request.into_parts();
    let looked = table::find(&parts.method, parts.uri.path());
    let version = looked.version();
    let reply = Reply {
        dialect: dialect(version, &parts.headers),
        version,
        media: Media::of(version, &parts.headers),
        keep_alive: edge.settings.keep_alive,
    };
    let found = match looked {
        Looked::Found(found) => found,
        Looked::OtherVerbs { allow, .. } => {
            return reply.refuse(EdgeError::http_verb(&parts.method, allow));
        }
        Looked::Nothing(_) => return reply.refuse(EdgeError::no_such_path(parts.uri.path())),
    };
    let bytes = match body_of(&found, &parts, incoming, edge.settings.max_body_bytes).await {
        Ok(bytes) => bytes,
        Err(error) => return reply.refuse(error),
    };
    let asked = Asked::read(&parts.headers, &parts.uri);
    let base = edge.cards.base_url(&parts);
    let ids = Arc::clone(&edge.ids);
    let exchange = Exchange::new(Arc::clone(&edge), Caller::anonymous(), reply.dialect, asked.clone(), base);
    let read = exchange.admit().and_then(|()| {
        let params = params::read(&found, parts.uri.query(), &bytes)?;
        Ok(reply.dialect.call(found.route.operation, params.as_deref(), &*ids)?)
    });
    // Files travel in it, and an answer may take a while: what was read of it is all that is needed now.
    drop(bytes);
    let begun = match read {
        Ok(request) => exchange.begin(request).await,
        Err(error) => Err(error),
    };
    let mut response = match begun {
        Ok(begun) => reply.with(begun).await,
        Err(error) => reply.refuse(error),
    };
    echo_extensions(&asked, &edge.cards, response.headers_mut());
    response
}

/// Says that there is nothing at a path, where the binding is off.
pub async fn nothing(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let reply = Reply {
        dialect: &V1,
        version: Version::V1,
        media: Media::of(Version::V1, request.headers()),
        keep_alive: edge.settings.keep_alive,
    };
    reply.refuse(EdgeError::no_such_path(request.uri().path()))
}

/// The body of a request that may have one. Others are not looked at, and neither is the type that they claim: some
/// clients name one with every request.
async fn body_of(
    found: &Found,
    parts: &Parts,
    incoming: axum::body::Body,
    limit: usize,
) -> Result<Bytes, EdgeError> {
    if found.route.method == Method::POST {
        body::read_json(&parts.headers, incoming, limit).await
    } else {
        Ok(Bytes::new())
    }
}

fn dialect(version: Version, headers: &HeaderMap) -> &'static dyn Dialect {
    match version {
        Version::V1 => &V1,
        Version::V03 if is_python(headers) => &V03Http::<Twice>::DIALECT,
        Version::V03 => &V03Http::<Once>::DIALECT,
    }
}

fn is_python(headers: &HeaderMap) -> bool {
    headers
        .get(header::USER_AGENT)
        .is_some_and(|agent| agent.to_str().is_ok_and(|agent| agent.contains(PYTHON)))
}
