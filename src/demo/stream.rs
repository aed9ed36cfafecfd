//! Streams of runs: frames told already and frames to come go in, an HTTP answer with pings between them goes out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use http::header;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep_until};

use super::wire::PING;

/// After this time without a frame Dify ends a stream that has nothing to say.
const IDLE: Duration = Duration::from_secs(300);

/// A frame of a run, for all who listen.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// What goes out.
    pub(super) bytes: Bytes,
    /// Where the run stands after it.
    pub(super) after: After,
}

/// Where a run stands after a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum After {
    /// There is more to come.
    Going,
    /// It waits for somebody.
    Paused,
    /// It is over.
    Finished,
}

/// How long a reader stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// To the end of the run.
    Finished,
    /// To the end of the run, or to where it waits.
    Paused,
    /// Until nothing has come for a long time.
    Silence,
    /// Not at all: what was told already is everything.
    Told,
}

impl Until {
    fn reached(self, after: After) -> bool {
        match self {
            Self::Finished => after == After::Finished,
            Self::Paused => after != After::Going,
            Self::Silence | Self::Told => false,
        }
    }
}

struct Reader {
    told: VecDeque<Bytes>,
    live: Option<Receiver<Frame>>,
    until: Until,
    over: bool,
    ping: Duration,
    next_ping: Instant,
    idle_at: Instant,
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(told) = self.told.pop_front() {
            return Some(told);
        }
        if self.over || self.until == Until::Told {
            return None;
        }
        loop {
            let heard = async {
                match &mut self.live {
                    Some(live) => live.recv().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                heard = heard => match heard {
                    Ok(frame) => {
                        self.over = self.until.reached(frame.after);
                        self.idle_at = Instant::now() + IDLE;
                        return Some(frame.bytes);
                    }
                    // Dify drops the oldest as well.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) if self.until == Until::Silence => self.live = None,
                    Err(RecvError::Closed) => return None,
                },
                () = sleep_until(self.idle_at) => return None,
                () = sleep_until(self.next_ping) => {
                    self.next_ping += self.ping;
                    return Some(PING);
                }
            }
        }
    }
}

/// An event stream: what was `told` already, then what comes `live`, `until` it is enough, with a ping every so often.
pub(super) fn follow(
    ping: Duration,
    told: impl IntoIterator<Item = Bytes>,
    live: Option<Receiver<Frame>>,
    until: Until,
) -> Response {
    let now = Instant::now();
    let told = told.into_iter().collect();
    let reader = Reader { told, live, until, over: false, ping, next_ping: now + ping, idle_at: now + IDLE };
    let frames = unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok::<_, Infallible>(bytes), reader))
    });
    stream_response(Body::from_stream(frames))
}

/// What Dify 1.14 does with a streaming request that it accepts and then finds to be wrong: pings, and silence.
pub(super) fn silence(ping: Duration) -> Response {
    follow(ping, [PING], None, Until::Silence)
}

/// An event stream of any frames.
pub(super) fn stream_response(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], body).into_response()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::broadcast;

    use super::*;

    async fn all(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_request_gets_pings_and_then_an_end() {
        let start = Instant::now();
        let text = all(silence(Duration::from_secs(10))).await;
        assert_eq!(start.elapsed(), IDLE);
        assert_eq!(text, "event: ping\n\n".repeat(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_stays_as_long_as_it_wants() {
        for (until, expected) in [
            (Until::Finished, "old 1 2 3 "),
            (Until::Paused, "old 1 2 "),
            (Until::Silence, "old 1 2 3 4 ping "),
            (Until::Told, "old "),
        ] {
            let (sender, live) = broadcast::channel(8);
            let frame =
                |text: &'static str, after| Frame { bytes: Bytes::from_static(text.as_bytes()), after };
            sender.send(frame("1 ", After::Going)).unwrap();
            sender.send(frame("2 ", After::Paused)).unwrap();
            sender.send(frame("3 ", After::Finished)).unwrap();
            sender.send(frame("4 ", After::Going)).unwrap();
            drop(sender);
            let told = [Bytes::from_static(b"old ")];
            let text = all(follow(Duration::from_secs(200), told, Some(live), until)).await;
            assert_eq!(text.replace("event: ping\n\n", "ping "), expected, "{until:?}");
        }
    }
}
