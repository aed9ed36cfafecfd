//! Cuts a stream of bytes into server-sent events: takes chunks as they come off the network, gives the `data` of
//! each event.
//!
//! The parser behind it wants whole blocks: fed with arbitrary chunks it scans everything again for each, keeps
//! any amount of text, and trips over a byte order mark. So blocks are cut here first, with a ceiling.

use std::convert::Infallible;

use bytes::Bytes;
use eventsource_stream::Eventsource;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};

/// Largest event that is read, bytes: an agent may close an answer with its whole text.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// What can go wrong with a stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum SseError<E> {
    /// The connection broke.
    #[error("{0}")]
    Transport(E),
    /// An event is larger than [`MAX_EVENT_BYTES`].
    #[error("an event is larger than {MAX_EVENT_BYTES} bytes")]
    TooLarge,
}

/// The data of the events in `chunks`. Events without data are left out, and so is a last one that is cut off.
pub(super) fn events<S, E>(chunks: S) -> BoxStream<'static, Result<String, SseError<E>>>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Send + 'static,
{
    blocks(chunks)
        .then(|block| async move {
            match block {
                Ok(block) => parse(block).await.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        })
        .flat_map(stream::iter)
        .boxed()
}

/// The events of one whole block.
async fn parse(block: Vec<u8>) -> Vec<String> {
    let mut text = String::from_utf8_lossy(&block).into_owned();
    // a lone carriage return at the end would make the parser wait for its line feed
    text.push('\n');
    stream::iter([Ok::<_, Infallible>(text)])
        .eventsource()
        .filter_map(|event| async move { event.ok().map(|event| event.data) })
        .collect()
        .await
}

struct Cutter<S> {
    chunks: std::pin::Pin<Box<S>>,
    buffer: Vec<u8>,
    /// How much of the buffer has been searched for the end of a block.
    searched: usize,
    at_start: bool,
    done: bool,
}

fn blocks<S, E>(chunks: S) -> impl Stream<Item = Result<Vec<u8>, SseError<E>>>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    let cutter =
        Cutter { chunks: Box::pin(chunks), buffer: Vec::new(), searched: 0, at_start: true, done: false };
    stream::unfold(cutter, |mut cutter| async move {
        if cutter.done {
            return None;
        }
        loop {
            if let Some(block) = cutter.cut() {
                return Some((Ok(block), cutter));
            }
            let trouble = match cutter.chunks.next().await? {
                Ok(chunk) if cutter.buffer.len().saturating_add(chunk.len()) <= MAX_EVENT_BYTES => {
                    cutter.buffer.extend_from_slice(&chunk);
                    continue;
                }
                Ok(_) => SseError::TooLarge,
                Err(error) => SseError::Transport(error),
            };
            cutter.done = true;
            return Some((Err(trouble), cutter));
        }
    })
}

impl<S> Cutter<S> {
    /// Takes the first whole block out of the buffer, its blank line included.
    fn cut(&mut self) -> Option<Vec<u8>> {
        const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.at_start && self.buffer.len() >= BYTE_ORDER_MARK.len() {
            self.at_start = false;
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
        }
        let from = self.searched.saturating_sub(2);
        let tail = self.buffer.get(from..).unwrap_or_default();
        let Some(end) = blank_line_end(tail) else {
            self.searched = self.buffer.len();
            return None;
        };
        self.searched = 0;
        let rest = self.buffer.split_off(from + end);
        Some(std::mem::replace(&mut self.buffer, rest))
    }
}

/// Where the first blank line ends, if there is one.
fn blank_line_end(bytes: &[u8]) -> Option<usize> {
    let pair = bytes.windows(2).position(|pair| pair == b"\n\n" || pair == b"\r\r").map(|at| at + 2);
    let triple = bytes.windows(3).position(|triple| triple == b"\n\r\n").map(|at| at + 3);
    pair.into_iter().chain(triple).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(chunks: Vec<Vec<u8>>) -> Vec<String> {
        let chunks = stream::iter(chunks.into_iter().map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk))));
        events(chunks).map(Result::unwrap).collect().await
    }

    #[tokio::test]
    async fn events_are_found_however_they_are_chunked() {
        let text = "\u{feff}data: {\"ä\":1}\n\n: ping\n\nevent: x\r\nid: 7\r\ndata: b\r\ndata: c\r\n\r\ndata: d\r\rdata: cut";
        for size in [1, 2, 3, 5, 7, 1000] {
            let chunks = text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            assert_eq!(all(chunks).await, ["{\"ä\":1}", "b\nc", "d"], "{size}");
        }
    }

    #[tokio::test]
    async fn an_event_without_end_is_refused() {
        let chunk = Bytes::from(vec![b'x'; MAX_EVENT_BYTES / 4]);
        let endless = stream::repeat(Ok::<_, Infallible>(chunk));
        let found: Vec<_> = events(endless).collect().await;
        assert!(matches!(found.as_slice(), [Err(SseError::TooLarge)]));
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_do_not_stop_the_stream() {
        assert_eq!(all(vec![b"data: \xFF\n\ndata: ok\n\n".to_vec()]).await, ["\u{fffd}", "ok"]);
    }
}
