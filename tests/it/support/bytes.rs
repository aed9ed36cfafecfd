//! Requests byte for byte, for what HTTP clients would put right or hide.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::PATIENCE;

/// What came back: the status, the head in lower case, and the body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.body.trim()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The bytes of `POST path` with these further lines of the head.
pub fn post(path: &str, head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length}\r\n{head}\r\n{body}")
        .into_bytes()
}

/// Sends these bytes and reads to the end of the connection. `Connection: close` belongs to the request.
pub async fn exchange(addr: SocketAddr, request: &[u8]) -> Answer {
    let text = String::from_utf8(raw(addr, request).await).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let head = head.to_ascii_lowercase();
    let body = if head.contains("transfer-encoding: chunked") { dechunked(body) } else { body.to_owned() };
    Answer { status, head, body }
}

/// Sends these bytes and gives whatever comes back.
pub async fn raw(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let talking = async {
        let mut stream = TcpStream::connect(addr).await.expect("connected");
        stream.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        // A server that hangs up in anger has answered before.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    tokio::time::timeout(PATIENCE, talking).await.expect("in time")
}

fn dechunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
    whole
}
