//! `GET /files/{id}`: the files of answers, from the gateway's own shelf, to the caller whose task they belong to.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{Edge, answer};
use crate::core::ids::{Caller, FileId};
use crate::files::FileEntry;

/// A file may be kept by whoever got it, and by nobody on the way.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=3600");

/// Nothing in a file may run as if the gateway had written it: a page that an app made is somebody else's page.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// Media types that browsers may show; all others are saved.
const SHOWN: [&str; 4] = ["audio/", "image/", "text/plain", "video/"];

/// Serves it. Unknown ids, those of other callers, and files whose time is over are all alike: not found.
pub async fn file(State(edge): State<Arc<Edge>>, Path(id): Path<String>) -> Response {
    let caller = Caller::anonymous();
    let entry = edge.files.as_ref().and_then(|shelf| shelf.get(&FileId::from(id.as_str()), &caller));
    let Some(entry) = entry else { return not_found() };
    match entry.stream().await {
        Ok(stream) => {
            let mut response = Response::new(Body::from_stream(stream));
            describe(&entry, response.headers_mut());
            response
        }
        Err(error) => {
            tracing::error!(file.id = %entry.id(), %error, "a file on the shelf cannot be read");
            not_found()
        }
    }
}

fn not_found() -> Response {
    let body = r#"{"error":{"code":404,"status":"NOT_FOUND","message":"no such file; files are kept as long as their task, and the oldest make room"}}"#;
    answer::json(StatusCode::NOT_FOUND, body)
}

fn describe(entry: &FileEntry, headers: &mut http::HeaderMap) {
    let meta = entry.meta();
    let media_type = meta.media_type.as_deref().unwrap_or("application/octet-stream");
    let is_shown = SHOWN.iter().any(|kind| media_type.starts_with(kind)) && media_type != "image/svg+xml";
    let content_type = HeaderValue::from_str(media_type);
    let content_type = content_type.unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(entry.size()));
    headers.insert(header::CACHE_CONTROL, CACHE);
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    if let Ok(disposition) = HeaderValue::from_str(&disposition(meta.filename.as_deref(), is_shown)) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
}

/// `Content-Disposition` with the name in the form that takes every alphabet (RFC 6266, RFC 8187).
fn disposition(filename: Option<&str>, is_shown: bool) -> String {
    let kind = if is_shown { "inline" } else { "attachment" };
    let Some(name) = filename else { return kind.to_owned() };
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let encoded: String = name
        .bytes()
        .map(|byte| if is_kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_graphic() && !matches!(letter, '"' | '\\') { letter } else { '_' })
        .collect();
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_alphabet_survive_and_none_breaks_out() {
        assert_eq!(disposition(None, true), "inline");
        assert_eq!(
            disposition(Some("a b\"\r\n.png"), false),
            "attachment; filename=\"a_b___.png\"; filename*=UTF-8''a%20b%22%0D%0A.png"
        );
        assert_eq!(
            disposition(Some("报告.md"), true),
            "inline; filename=\"__.md\"; filename*=UTF-8''%E6%8A%A5%E5%91%8A.md"
        );
    }
}
