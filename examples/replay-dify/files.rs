//! Uploads: a form with a file comes in, what Dify said to such a file goes out, and its bytes can be fetched.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::Replay;
use crate::app::Refusal;
use crate::memory::Upload;
use crate::recording::Recording;

/// The uploads that were recorded: the file's name and the recording.
const RECORDED_UPLOADS: [(&str, &str); 2] =
    [("hello.txt", "file_upload_workflow"), ("dot.png", "file_upload_workflow_image")];

pub async fn upload(
    State(replay): State<Arc<Replay>>,
    headers: HeaderMap,
    form: Bytes,
) -> Result<Response, Refusal> {
    let app = replay.app(&headers)?;
    let unknown = Refusal(StatusCode::BAD_REQUEST, "no_file_uploaded", "Please upload your file.");
    let Some((name, upload)) = file_of(&form) else { return Err(unknown) };
    let case = RECORDED_UPLOADS.iter().find(|(recorded, _)| *recorded == name).map(|(_, case)| *case);
    let Some(recording) = case.and_then(|case| Recording::read(&app.folder.join(format!("{case}.http"))))
    else {
        return Err(unknown);
    };
    let told: Value = serde_json::from_slice(&recording.body).unwrap_or_default();
    if let Some(id) = told.get("id").and_then(Value::as_str) {
        replay.memory().uploads.insert(id.to_owned(), upload);
    }
    Ok(recording.respond())
}

/// The one file in a form (RFC 7578), and its name.
fn file_of(form: &Bytes) -> Option<(String, Upload)> {
    let find = |from: usize, what: &[u8]| {
        let rest = form.get(from..)?;
        Some(from + rest.windows(what.len()).position(|window| window == what)?)
    };
    let boundary = form.get(..find(0, b"\r\n")?)?;
    let begin = find(find(0, b"filename=\"")?, b"\r\n\r\n")? + 4;
    let end = find(begin, &[b"\r\n", boundary].concat())?;
    let before = std::str::from_utf8(form.get(..begin)?).ok()?;
    let (_, head) = before.rsplit_once(std::str::from_utf8(boundary).ok()?)?;
    let (name, _) = head.split_once("filename=\"")?.1.split_once('"')?;
    let media_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    Some((name.to_owned(), Upload { media_type, bytes: form.slice(begin..end) }))
}

pub async fn preview(
    State(replay): State<Arc<Replay>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Response, Refusal> {
    let upload = replay.memory().uploads.get(&id).cloned();
    let Upload { media_type, bytes } =
        upload.ok_or(Refusal(StatusCode::NOT_FOUND, "not_found", "File not found"))?;
    Ok(([(header::CONTENT_TYPE, media_type)], bytes).into_response())
}
