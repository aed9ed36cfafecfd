//! Files of an app: uploads and files it made. A multipart body comes in, Dify's description goes out; the bytes are
//! served under signed addresses that need no key and die after some minutes. Bounded: the oldest files go first.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use http::{StatusCode, header};
use uuid::Uuid;

use super::request::{self, DEFAULT_USER};
use super::runs::{APP_ID, now};
use super::skeleton::Shared;
use super::wire::{self, Object, json_response, object};

/// Largest image, MiB, as Dify has it.
pub(super) const IMAGE_LIMIT_MB: usize = 10;
/// Largest other file, MiB, as Dify has it.
pub(super) const FILE_LIMIT_MB: usize = 15;
/// Largest request of an upload: the largest file, and room for the envelope and for saying that it is too large.
pub(super) const LARGEST_UPLOAD_REQUEST: usize = (FILE_LIMIT_MB + 2) << 20;
/// Bytes that are kept in all.
const MAX_BYTES: usize = 64 << 20;
/// Files that are kept in all.
const MAX_FILES: usize = 256;
/// How long an address of a file is good, seconds, as in Dify.
const ADDRESS_LIVES: i64 = 300;

/// Dify's kinds of files by the endings of their names.
const KINDS: [(&str, &[&str]); 4] = [
    ("image", &["jpg", "jpeg", "png", "webp", "gif", "svg"]),
    ("video", &["mp4", "mov", "mpeg", "webm"]),
    ("audio", &["mp3", "m4a", "wav", "amr", "mpga"]),
    (
        "document",
        &[
            "txt",
            "md",
            "mdx",
            "markdown",
            "pdf",
            "html",
            "htm",
            "xlsx",
            "xls",
            "vtt",
            "properties",
            "doc",
            "docx",
            "csv",
            "eml",
            "msg",
            "ppt",
            "pptx",
            "xml",
            "epub",
        ],
    ),
];

/// The files of one app. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Files {
    origin: Arc<str>,
    key: Arc<hmac::Key>,
    kept: Arc<Mutex<VecDeque<File>>>,
}

/// A file, or what is known of a file elsewhere.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Its id.
    pub(super) id: Uuid,
    /// Who uploaded it; `None` if the app made it.
    pub(super) user: Option<String>,
    /// Its name.
    pub(super) name: String,
    /// Its MIME type.
    pub(super) mime: String,
    /// Its bytes.
    pub(super) bytes: Bytes,
}

/// The ending of a name, in lower case and without the dot.
pub(super) fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default()
}

/// Dify's kind of a file with this name.
pub(super) fn kind(name: &str) -> &'static str {
    let ending = extension(name);
    KINDS.iter().find(|(_, endings)| endings.contains(&ending.as_str())).map_or("custom", |(kind, _)| kind)
}

impl Files {
    /// None yet; their addresses begin with `origin`.
    pub(super) fn new(origin: &str) -> Self {
        let secret = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret));
        Self { origin: Arc::from(origin), key, kept: Arc::default() }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<File>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a file.
    pub(super) fn keep(&self, file: File) {
        let mut kept = self.kept();
        kept.push_back(file);
        let too_much = |kept: &VecDeque<File>| {
            kept.len() > MAX_FILES || kept.iter().map(|file| file.bytes.len()).sum::<usize>() > MAX_BYTES
        };
        while too_much(&kept) {
            kept.pop_front();
        }
    }

    fn find(&self, id: &str) -> Option<File> {
        let id: Uuid = id.parse().ok()?;
        self.kept().iter().find(|file| file.id == id).cloned()
    }

    /// An upload of this user.
    pub(super) fn upload_of(&self, id: &str, user: &str) -> Option<File> {
        self.find(id).filter(|file| file.user.as_deref() == Some(user))
    }

    /// A fresh address of a file. Each is signed anew, as in Dify.
    pub(super) fn address(&self, file: &File) -> String {
        let (origin, id) = (&self.origin, file.id);
        let path = match file.user {
            Some(_) => format!("{origin}/files/{id}/file-preview"),
            None => format!("{origin}/files/tools/{id}.{}", extension(&file.name)),
        };
        let (timestamp, nonce) = (now().to_string(), Uuid::new_v4().simple().to_string());
        let sign = hmac::sign(&self.key, signed(id, &timestamp, &nonce).as_bytes());
        let sign = URL_SAFE.encode(sign).replace('=', "%3D");
        format!("{path}?timestamp={timestamp}&nonce={nonce}&sign={sign}")
    }

    /// The file that a request for an address is about, if the signature is good and fresh.
    fn at_address(&self, id: &str, query: &HashMap<String, String>) -> Option<File> {
        let part = |name| query.get(name).map(String::as_str);
        let (timestamp, nonce, sign) = (part("timestamp")?, part("nonce")?, part("sign")?);
        let file = self.find(id)?;
        let sign = URL_SAFE.decode(sign).ok()?;
        hmac::verify(&self.key, signed(file.id, timestamp, nonce).as_bytes(), &sign).ok()?;
        let age = now().saturating_sub(timestamp.parse().ok()?);
        (age <= ADDRESS_LIVES).then_some(file)
    }

    /// Dify's file object.
    pub(super) fn object(&self, file: &File) -> Object {
        let record = STANDARD.encode(object! {"record_id": file.id.to_string()}.text());
        file_object(&FileFacts {
            method: if file.user.is_some() { "local_file" } else { "tool_file" },
            remote_url: "",
            reference: Some(format!("dify-file-ref:{record}")),
            name: &file.name,
            mime: &file.mime,
            size: i64::try_from(file.bytes.len()).unwrap_or(i64::MAX),
            related: Some(file.id.to_string()),
            url: &self.address(file),
        })
    }
}

fn signed(id: Uuid, timestamp: &str, nonce: &str) -> String {
    format!("file|{id}|{timestamp}|{nonce}")
}

struct FileFacts<'a> {
    method: &'a str,
    remote_url: &'a str,
    reference: Option<String>,
    name: &'a str,
    mime: &'a str,
    /// Bytes; -1 if unknown.
    size: i64,
    related: Option<String>,
    url: &'a str,
}

fn file_object(facts: &FileFacts<'_>) -> Object {
    object! {
        "dify_model_identity": "__dify__file__", "id": (), "type": kind(facts.name),
        "transfer_method": facts.method, "remote_url": facts.remote_url, "reference": facts.reference,
        "filename": facts.name, "extension": format!(".{}", extension(facts.name)), "mime_type": facts.mime,
        "size": facts.size, "related_id": facts.related, "url": facts.url,
    }
}

/// Dify's file object of a file elsewhere. It is never fetched, so its size is unknown.
pub(super) fn remote_object(url: &str, name: &str) -> Object {
    file_object(&FileFacts {
        method: "remote_url",
        remote_url: url,
        reference: None,
        name,
        mime: "application/octet-stream",
        size: -1,
        related: None,
        url,
    })
}

/// `POST /files/upload`.
pub(super) async fn upload(State(state): State<Shared>, multipart: Multipart) -> Response {
    match receive(multipart).await {
        Err(refusal) => *refusal,
        Ok(file) => {
            let owner = file.user.as_deref().unwrap_or(DEFAULT_USER);
            let told = object! {
                "id": file.id.to_string(), "name": file.name, "size": file.bytes.len(),
                "extension": extension(&file.name), "mime_type": file.mime,
                "created_by": Uuid::new_v5(&APP_ID, owner.as_bytes()).to_string(), "created_at": now(),
                "preview_url": (), "source_url": state.files.address(&file), "original_url": (),
                "user_id": (), "tenant_id": Uuid::new_v5(&APP_ID, b"tenant").to_string(),
                "conversation_id": (), "file_key": (),
            };
            state.files.keep(file);
            json_response(StatusCode::CREATED, &told)
        }
    }
}

fn too_large() -> request::Refusal {
    Box::new(wire::error(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", ""))
}

async fn receive(mut multipart: Multipart) -> Result<File, request::Refusal> {
    let broken = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => {
            let message = "The browser (or proxy) sent a request that this server could not understand.";
            Box::new(wire::error(StatusCode::BAD_REQUEST, "bad_request", message))
        }
    };
    let (mut file, mut user) = (None, DEFAULT_USER.to_owned());
    while let Some(field) = multipart.next_field().await.map_err(broken)? {
        match field.name() {
            Some("user") => user = field.text().await.map_err(broken)?,
            Some("file") => {
                let name = field.file_name().unwrap_or_default().to_owned();
                let Some(mime) = field.content_type().map(str::to_owned) else {
                    let message = "File type not allowed.";
                    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                    return Err(Box::new(wire::error(status, "unsupported_file_type", message)));
                };
                let bytes = field.bytes().await.map_err(broken)?;
                file = Some((name, mime, bytes));
            }
            Some(_) | None => {}
        }
    }
    let Some((name, mime, bytes)) = file else {
        let (status, message) = (StatusCode::BAD_REQUEST, "Please upload your file.");
        return Err(Box::new(wire::error(status, "no_file_uploaded", message)));
    };
    if name.is_empty() {
        let (status, message) = (StatusCode::BAD_REQUEST, "The specified filename does not exist.");
        return Err(Box::new(wire::error(status, "filename_not_exists_error", message)));
    }
    if name.contains(['/', '\\']) {
        return Err(request::invalid("Filename contains invalid characters"));
    }
    let limit = if kind(&name) == "image" { IMAGE_LIMIT_MB } else { FILE_LIMIT_MB };
    if bytes.len() > limit << 20 {
        return Err(too_large());
    }
    Ok(File { id: Uuid::new_v4(), user: Some(user), name, mime, bytes })
}

/// `GET /files/{id}/file-preview`: an upload, by its signed address.
pub(super) async fn preview(
    State(state): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    served(state.files.at_address(&id, &query).filter(|file| file.user.is_some()))
}

/// `GET /files/tools/{id}.{ending}`: a file that the app made, by its signed address.
pub(super) async fn made(
    State(state): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let id = name.split_once('.').map_or(name.as_str(), |(id, _)| id);
    served(state.files.at_address(id, &query).filter(|file| file.user.is_none()))
}

fn served(file: Option<File>) -> Response {
    match file {
        Some(file) => ([(header::CONTENT_TYPE, file.mime)], file.bytes).into_response(),
        None => wire::error(StatusCode::FORBIDDEN, "forbidden", "Invalid request."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(user: Option<&str>, size: usize) -> File {
        let (name, mime) = ("a.b.MD".to_owned(), "text/markdown".to_owned());
        let bytes = Bytes::from(vec![b'x'; size]);
        File { id: Uuid::new_v4(), user: user.map(str::to_owned), name, mime, bytes }
    }

    fn query(address: &str) -> HashMap<String, String> {
        url::Url::parse(address).unwrap().query_pairs().into_owned().collect()
    }

    #[test]
    fn an_address_opens_its_file_and_no_other() {
        let files = Files::new("http://demo");
        let (one, other) = (file(None, 1), file(Some("alice"), 1));
        files.keep(one.clone());
        files.keep(other.clone());
        let address = files.address(&one);
        assert!(
            address.starts_with(&format!("http://demo/files/tools/{}.md?timestamp=", one.id)),
            "{address}"
        );
        let good = query(&address);
        assert!(files.at_address(&one.id.to_string(), &good).is_some());
        assert!(files.at_address(&other.id.to_string(), &good).is_none());
        for name in ["timestamp", "nonce", "sign"] {
            let mut bad = good.clone();
            bad.insert(name.to_owned(), "AAAA".to_owned());
            assert!(files.at_address(&one.id.to_string(), &bad).is_none(), "{name}");
        }
        let mut old = good;
        let timestamp = (now() - ADDRESS_LIVES - 1).to_string();
        let sign = hmac::sign(&files.key, signed(one.id, &timestamp, "n").as_bytes());
        old.insert("timestamp".to_owned(), timestamp);
        old.insert("nonce".to_owned(), "n".to_owned());
        old.insert("sign".to_owned(), URL_SAFE.encode(sign));
        assert!(files.at_address(&one.id.to_string(), &old).is_none());
    }

    #[test]
    fn uploads_are_for_their_user_and_the_oldest_go_first() {
        let files = Files::new("http://demo");
        let first = file(Some("alice"), MAX_BYTES / 2);
        let id = first.id.to_string();
        files.keep(first);
        assert!(files.upload_of(&id, "alice").is_some());
        assert!(files.upload_of(&id, "mallory").is_none());
        files.keep(file(Some("alice"), MAX_BYTES / 2));
        assert!(files.upload_of(&id, "alice").is_some());
        files.keep(file(Some("alice"), 1));
        assert!(files.upload_of(&id, "alice").is_none());
    }

    #[test]
    fn kinds_go_by_the_ending() {
        let kinds = ["x.JPG", "a.pdf", "a.tar.gz", "none", "a.mp3", "b.webm"].map(kind);
        assert_eq!(kinds, ["image", "document", "custom", "custom", "audio", "video"]);
    }
}
