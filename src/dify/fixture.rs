//! Recorded answers of real Dify servers, for tests: `fixtures/dify/<version>/<case>.http`.

use std::path::{Path, PathBuf};

/// One recorded answer.
pub(crate) struct Recording {
    /// The whole of it.
    pub(crate) raw: Vec<u8>,
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// The folder of the recordings.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dify")
}

/// Reads a recording, such as `1.14.2/chat_first_turn`.
pub(crate) fn recording(name: &str) -> Recording {
    read(&folder().join(format!("{name}.http")))
}

/// Reads a recording from its file.
pub(crate) fn read(path: &Path) -> Recording {
    let raw = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // An upload is asked for before it is answered.
    let answer = raw.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&raw);
    let head = memchr::memmem::find(answer, b"\r\n\r\n").expect("a head");
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    let body = answer[head + 4..].to_vec();
    Recording { raw, status, body }
}

/// The data of every block of a recorded stream.
pub(crate) fn frames(body: &[u8]) -> Vec<String> {
    let mut framer = super::framing::Framer::default();
    framer.push(body);
    let mut frames = Vec::new();
    while let Some(block) = framer.next_block().unwrap() {
        frames.extend(super::sse::data(&block).unwrap().map(std::borrow::Cow::into_owned));
    }
    frames
}

/// A client of a stand-in for Dify.
pub(crate) fn client(url: &str) -> super::client::Client {
    super::client::Client::new(&super::client::ClientSettings {
        url: url.to_owned(),
        key: secrecy::SecretString::from("app-0123456789abcdef"),
        connect_timeout: std::time::Duration::from_secs(2),
        idle_timeout: std::time::Duration::from_secs(2),
    })
    .unwrap()
}
