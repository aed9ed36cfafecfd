//! Uploads: a file's bytes go in, the id comes out by which a turn can name the file.
//!
//! The bytes are passed on piece by piece and never gathered. There is no limit on the whole time, for a large file
//! on a slow way takes its time; only standing still is an error.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::client::{Client, accepted, small_answer};
use super::error::Error;
use super::files::upload_name;
use super::lenient;

/// How many bytes in memory are passed on at a time, so that it shows that they move.
const PIECE: usize = 256 * 1024;

/// What is said of a file whose media type is none; Dify refuses uploads without one.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// A file to upload.
#[derive(Debug)]
pub struct Upload<'a> {
    /// Its name; characters that Dify refuses are replaced.
    pub name: &'a str,
    /// Its media type.
    pub media_type: &'a str,
    /// In whose name: only turns of the same user can use it.
    pub user: &'a str,
    /// Its bytes.
    pub content: UploadContent,
}

/// The bytes of a file.
pub enum UploadContent {
    /// In memory; not copied.
    Bytes(Bytes),
    /// On their way.
    Stream {
        /// How many there will be, if that is known. Without it the request is sent in chunks.
        length: Option<u64>,
        /// The bytes. An error among them ends the upload with [`Error::Cut`]; whoever gives the stream has to know
        /// by itself whether that was its fault.
        stream: BoxStream<'static, io::Result<Bytes>>,
    },
}

impl fmt::Debug for UploadContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).ok(),
            Self::Stream { length, .. } => *length,
        };
        f.debug_struct("UploadContent").field("length", &length).finish_non_exhaustive()
    }
}

/// A file that Dify has taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Uploaded {
    /// Its id.
    pub id: String,
    /// How large Dify found it to be, bytes.
    pub size: Option<u64>,
    /// Its extension as Dify sees it, without the dot.
    pub extension: Option<String>,
    /// Its media type as Dify sees it.
    pub media_type: Option<String>,
}

impl Uploaded {
    /// Reads the body. `None` when no id is in it.
    fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow, deserialize_with = "lenient::text")]
            id: Option<Cow<'a, str>>,
            #[serde(default, deserialize_with = "lenient::count")]
            size: Option<u64>,
            #[serde(default, deserialize_with = "lenient::filled")]
            extension: Option<String>,
            #[serde(default, deserialize_with = "lenient::filled")]
            mime_type: Option<String>,
        }
        let wire: Wire<'_> = serde_json::from_slice(body).ok()?;
        Some(Self {
            id: wire.id.filter(|id| !id.is_empty())?.into_owned(),
            size: wire.size,
            extension: wire.extension,
            media_type: wire.mime_type,
        })
    }
}

impl Client {
    /// `POST /files/upload`. The future has all it needs, so it can outlive the client.
    ///
    /// # Errors
    /// [`Error::Refused`] when Dify does not take the file; [`Error::Timeout`] when no byte moved for the idle
    /// timeout. What Dify has got of a failed upload leads nowhere, so the upload may be repeated.
    pub fn upload(&self, upload: Upload<'_>) -> impl Future<Output = Result<Uploaded, Error>> + Send + use<> {
        let (moves, moved) = watch::channel(());
        let form = form(upload, moves);
        let request = self.uploads.post(self.at(&["files", "upload"])).multipart(form);
        let idle = self.idle_timeout;
        async move {
            let response = accepted(patiently(request.send(), moved, idle).await??).await?;
            let answer = small_answer(response).await?;
            Uploaded::read(&answer.body).ok_or(Error::Strange("an upload without an id"))
        }
    }
}

fn form(upload: Upload<'_>, moves: watch::Sender<()>) -> Form {
    let (length, content) = match upload.content {
        UploadContent::Bytes(bytes) => (u64::try_from(bytes.len()).ok(), pieces(bytes).boxed()),
        UploadContent::Stream { length, stream } => (length, stream),
    };
    let body = Body::wrap_stream(content.inspect_ok(move |_| moves.send_replace(())));
    let part = match length {
        Some(length) => Part::stream_with_length(body, length),
        None => Part::stream(body),
    };
    let mut part = part.file_name(upload_name(upload.name));
    let known = Part::bytes(Vec::new()).mime_str(upload.media_type).is_ok();
    // Both are media types by now; a part without one would only be refused by Dify.
    part = part
        .mime_str(if known { upload.media_type } else { UNKNOWN_TYPE })
        .unwrap_or_else(|_| Part::bytes(Vec::new()));
    Form::new().text("user", upload.user.to_owned()).part("file", part)
}

/// The bytes in pieces that share their memory.
fn pieces(bytes: Bytes) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::iter(
        std::iter::successors(split(bytes), |(_, rest)| split(rest.clone())).map(|(piece, _)| Ok(piece)),
    )
}

fn split(mut bytes: Bytes) -> Option<(Bytes, Bytes)> {
    (!bytes.is_empty()).then(|| {
        let piece = bytes.split_to(PIECE.min(bytes.len()));
        (piece, bytes)
    })
}

/// Awaits the answer for as long as bytes move; once all are sent, for the idle time.
async fn patiently<T>(
    answer: impl Future<Output = T>,
    mut moved: watch::Receiver<()>,
    idle: Duration,
) -> Result<T, Error> {
    let mut answer = pin!(answer);
    loop {
        tokio::select! {
            biased;
            answer = answer.as_mut() => return Ok(answer),
            more = timeout(idle, moved.changed()) => match more {
                Ok(Ok(())) => {}
                // All is sent.
                Ok(Err(_)) => break,
                Err(_) => return Err(Error::Timeout(None)),
            },
        }
    }
    timeout(idle, answer).await.map_err(|_| Error::Timeout(None))
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
