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
use super::pace::Pace;
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
    pace: Pace,
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
            pace: Pace::new(now),
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
            self.pace.give_way().await;
            match self.reader.take(&mut self.batch) {
                Found::Over => return None,
                Found::Events => {
                    let written = self.encode();
                    if !written.is_empty() {
                        self.pace.wrote();
                        return Some(Bytes::from(written));
                    }
                }
                Found::Nothing => {
                    if self.silence().await {
                        self.pace.wrote();
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
                    let due = self.pace.last() + self.keep_alive;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::event::{Status, TextArtifact};
    use crate::core::log::TaskLog;
    use crate::core::reader::{Closing, Until};
    use crate::core::state::TaskState;
    use crate::edge::a2a_v1::V1;
    use crate::edge::dialect::{Dialect, StreamEnd};
    use crate::edge::testing;
    use crate::edge::view::View;

    /// Writes numbers into a log, one at a time with `pause` between two, and gives the texts of the events that
    /// a client gets of them.
    async fn texts(count: usize, pause: Duration) -> Vec<String> {
        let log = TaskLog::new(testing::submitted());
        let (task, reader) = log.follow(Until::End, Closing::Mark);
        let encoder = V1.stream(&task.id, &task.context_id, StreamEnd::Turn, View::default());
        let mut events = Events::new(&task, reader, encoder, Wrap::default(), Duration::from_secs(60));
        let writing = tokio::spawn(async move {
            for number in 0..count {
                log.text(TextArtifact::Answer, &format!("{number} ")).unwrap();
                tokio::task::yield_now().await;
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
            log.status(Arc::new(Status::plain(TaskState::Completed, task.created_at))).unwrap();
        });
        // Tasks of the same rank, as in the program: one that yields lets the others go first.
        let reading = tokio::spawn(async move {
            let mut stream = Vec::new();
            while let Some(bytes) = events.next().await {
                stream.extend_from_slice(&bytes);
            }
            String::from_utf8(stream).unwrap()
        });
        writing.await.unwrap();
        let stream = reading.await.unwrap();
        let datas = stream.lines().filter_map(|line| line.strip_prefix("data: "));
        let values = datas.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap());
        let text = |value: serde_json::Value| {
            value.pointer("/artifactUpdate/artifact/parts/0/text")?.as_str().map(str::to_owned)
        };
        values.filter_map(text).filter(|text| !text.is_empty()).collect()
    }

    fn counted(count: usize) -> String {
        (0..count).map(|number| format!("{number} ")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_at_the_pace_of_a_model_come_one_by_one() {
        let texts = texts(1000, Duration::from_millis(5)).await;
        assert_eq!((texts.len(), texts.concat()), (1000, counted(1000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_pieces_is_joined_and_its_beginning_is_not() {
        let texts = texts(1000, Duration::ZERO).await;
        assert_eq!(texts.concat(), counted(1000));
        assert_eq!(texts[..20].concat(), counted(20));
        assert!(texts.len() < 800, "{}", texts.len());
    }
}
