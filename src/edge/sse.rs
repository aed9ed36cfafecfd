//! Streams of server-sent events that read a task's log.
//!
//! One stream is one reader. Whatever is new since the client last took something becomes one write, so a client
//! that keeps up gets every piece by itself and a slow one gets pieces joined; nothing waits for a slow client
//! and nothing is kept for it. Every event has an `id:`, the place in the log right after it.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, header};
use tokio::time::{Instant, Sleep};

use super::answer::unbuffered;
use super::dialect::StreamEncoder;
use crate::core::log::Seq;
use crate::core::reader::{Batch, Found, Reader};
use crate::core::task::Task;

/// The media type of streams.
pub const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What goes out when there is nothing to say: a comment, which clients skip.
const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// What a binding puts around each result: the JSON-RPC envelope, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Wrap {
    /// Before the result.
    pub before: Vec<u8>,
    /// After the result.
    pub after: &'static [u8],
}

/// A stream in the making.
pub struct Events {
    encoder: Box<dyn StreamEncoder>,
    keep_alive: Duration,
    wrap: Wrap,
    reader: Reader,
    batch: Batch,
    result: Vec<u8>,
    /// The beginning of the stream, until it is sent.
    opening: Option<Bytes>,
    timer: Pin<Box<Sleep>>,
    last_sent: Instant,
}

impl Events {
    /// A stream that begins with `task` as it is at the reader's place, and goes on with what the reader finds.
    pub fn new(
        task: &Task,
        reader: Reader,
        encoder: Box<dyn StreamEncoder>,
        wrap: Wrap,
        keep_alive: Duration,
    ) -> Self {
        let now = Instant::now();
        let mut events = Self {
            encoder,
            keep_alive,
            wrap,
            reader,
            batch: Batch::default(),
            result: Vec::new(),
            opening: None,
            timer: Box::pin(tokio::time::sleep_until(now + keep_alive)),
            last_sent: now,
        };
        let mut out = Vec::new();
        let (at, wrap) = (events.reader.position(), &events.wrap);
        events.encoder.snapshot(task, &mut |result| write_event(&mut out, at, wrap, result));
        events.opening = Some(Bytes::from(out));
        events
    }

    /// The stream as a response.
    pub fn into_response(self) -> Response {
        let bytes = stream::unfold(self, |mut events| async move {
            events.next().await.map(|bytes| (Ok::<_, Infallible>(bytes), events))
        });
        let mut response = Response::new(Body::from_stream(bytes));
        response.headers_mut().insert(header::CONTENT_TYPE, EVENT_STREAM);
        unbuffered(&mut response);
        response
    }

    /// The next bytes for the client, or nothing when the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(opening) = self.opening.take() {
            return Some(opening);
        }
        loop {
            match self.reader.take(&mut self.batch) {
                Found::Over => return None,
                Found::Events => {
                    let written = self.encode();
                    if !written.is_empty() {
                        self.last_sent = Instant::now();
                        return Some(Bytes::from(written));
                    }
                }
                Found::Nothing => {
                    if self.silence().await {
                        self.last_sent = Instant::now();
                        return Some(Bytes::from_static(KEEP_ALIVE));
                    }
                }
            }
        }
    }

    /// Waits for news. `true` when there was none for so long that a sign of life is due.
    async fn silence(&mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                () = self.reader.wait() => return false,
                () = &mut self.timer => {
                    // The timer is set anew only when it fires: not once per event.
                    let due = self.last_sent + self.keep_alive;
                    let now = Instant::now();
                    if due <= now {
                        self.timer.as_mut().reset(now + self.keep_alive);
                        return true;
                    }
                    self.timer.as_mut().reset(due);
                }
            }
        }
    }

    fn encode(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        for (at, event) in self.batch.events() {
            self.result.clear();
            if self.encoder.event(&mut self.result, event) {
                write_event(&mut out, at, &self.wrap, &self.result);
            }
        }
        out
    }
}

/// One event of its own: how a stream is refused for clients that read nothing but events.
pub fn single_event(result: &[u8]) -> Response {
    let mut out = Vec::with_capacity(result.len() + 8);
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(result);
    out.extend_from_slice(b"\n\n");
    let mut response = Response::new(Body::from(out));
    response.headers_mut().insert(header::CONTENT_TYPE, EVENT_STREAM);
    unbuffered(&mut response);
    response
}

fn write_event(out: &mut Vec<u8>, at: Seq, wrap: &Wrap, result: &[u8]) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "id: {at}\ndata: ");
    out.extend_from_slice(&wrap.before);
    out.extend_from_slice(result);
    out.extend_from_slice(wrap.after);
    out.extend_from_slice(b"\n\n");
}
