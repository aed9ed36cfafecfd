//! Answers of Dify as they came over the wire; what an app tells about itself is answered with them.

use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::Replay;
use crate::app::{App, Refusal};

/// Where the recorded servers were.
const RECORDED_ORIGINS: [&str; 2] = ["http://127.0.0.1:5001", "http://127.0.0.1:5015"];

/// An answer of Dify as it came over the wire.
pub struct Recording {
    pub status: StatusCode,
    pub content_type: String,
    pub body: Bytes,
}

impl Recording {
    pub fn read(file: &Path) -> Option<Self> {
        let bytes = Bytes::from(std::fs::read(file).ok()?);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let status = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
        let content_type = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
        })?;
        Some(Self { status, content_type, body: bytes.slice(end + 4..) })
    }

    /// The body of a stream, cut after each frame, with files that lie at `origin`.
    pub fn frames(&self, origin: &str) -> Vec<Bytes> {
        let mut frames = Vec::new();
        let mut rest = match std::str::from_utf8(&self.body) {
            Ok(text) => {
                RECORDED_ORIGINS.iter().fold(text.to_owned(), |text, old| text.replace(old, origin)).into()
            }
            Err(_) => self.body.clone(),
        };
        while let Some(end) = rest.windows(2).position(|window| window == b"\n\n") {
            frames.push(rest.split_to(end + 2));
        }
        frames
    }

    pub fn respond(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, self.content_type)], self.body).into_response()
    }
}

pub async fn info(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    Ok(recorded(&app, &format!("info_{}", app.name)))
}

pub async fn parameters(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    Ok(recorded(&app, &format!("parameters_{}", app.name)))
}

pub async fn site(State(replay): State<Arc<Replay>>, headers: HeaderMap) -> Result<Response, Refusal> {
    Ok(recorded(&replay.app(&headers)?, "site_chatflow"))
}

pub fn recorded(app: &App, case: &str) -> Response {
    match Recording::read(&app.folder.join(format!("{case}.http"))) {
        Some(recording) => recording.respond(),
        // what Dify says of a path that its version does not have
        None => (StatusCode::NOT_FOUND, Html("<!doctype html><title>404 Not Found</title>")).into_response(),
    }
}
