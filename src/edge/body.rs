//! Reads a request's body up to a limit, and keeps the connection whole when it is over it.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::error::EdgeError;

/// How much of a body that is too large is read and thrown away, bytes, so that the client gets to read the
/// refusal instead of a reset connection.
const DISCARD_BYTES: usize = 64 * 1024 * 1024;

/// How long that is tried.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// How long a client may be silent in the middle of a body.
const STALL: Duration = Duration::from_secs(30);

/// How long a whole body may take.
const WHOLE: Duration = Duration::from_secs(600);

/// Reads the whole body of a request that must say that it is JSON, or say nothing (A2A 1.0 §9.1, §11.1).
///
/// # Errors
/// [`EdgeError::ContentType`], and those of [`read`].
pub async fn read_json(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, EdgeError> {
    check_content_type(headers)?;
    read(body, limit).await
}

fn check_content_type(headers: &HeaderMap) -> Result<(), EdgeError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = value.to_str().unwrap_or("?");
    let essence = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    // gRPC has messages of JSON too, in frames of its own.
    if is_json && !essence.starts_with("application/grpc") {
        return Ok(());
    }
    Err(EdgeError::ContentType { given: given.chars().take(100).collect() })
}

/// Reads the whole body.
///
/// # Errors
/// [`EdgeError::PayloadTooLarge`] over `limit` bytes; [`EdgeError::Parse`] when it ends early or stalls.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, EdgeError> {
    match tokio::time::timeout(WHOLE, read_whole(body, limit)).await {
        Ok(read) => read,
        Err(_) => Err(EdgeError::Parse("the body took too long".to_owned())),
    }
}

async fn read_whole(mut body: Body, limit: usize) -> Result<Bytes, EdgeError> {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        discard(body).await;
        return Err(EdgeError::PayloadTooLarge { limit });
    }
    let mut whole = BytesMut::new();
    loop {
        let next = tokio::time::timeout(STALL, body.frame()).await;
        let Some(frame) = next.map_err(|_| EdgeError::Parse("the body stalled".to_owned()))? else { break };
        let frame = frame.map_err(|error| EdgeError::Parse(format!("the body ended early: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            discard(body).await;
            return Err(EdgeError::PayloadTooLarge { limit });
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn discard(mut body: Body) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DISCARD_BYTES {
                return;
            }
        }
    };
    // Done or not: all that follows is the refusal.
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}
