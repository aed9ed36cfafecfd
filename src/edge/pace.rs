//! How fast a stream writes. A write costs far more than the piece it carries. So where pieces come without a pause for
//! longer than any model speaks (a replayed or cached answer), the stream lets those go first that have work to do, and
//! then writes what they have added: the faster it comes, the less it costs.

use std::time::Duration;

use tokio::time::Instant;

/// Writes that follow one another within this time come without a pause.
const PAUSE: Duration = Duration::from_millis(4);

/// So many writes without a pause are a flood.
const FLOOD: u32 = 32;

/// The pace of one stream.
#[derive(Debug)]
pub struct Pace {
    last: Instant,
    /// How many writes have come without a pause, up to twice [`FLOOD`]. A pause halves it: a machine that is busy
    /// makes pauses of its own.
    without_pause: u32,
}

impl Pace {
    /// The pace of a stream that begins now.
    pub fn new(now: Instant) -> Self {
        Self { last: now, without_pause: 0 }
    }

    /// When the last write was.
    pub fn last(&self) -> Instant {
        self.last
    }

    /// There was a write.
    pub fn wrote(&mut self) {
        let now = Instant::now();
        let paused = now - self.last > PAUSE;
        self.without_pause =
            if paused { self.without_pause / 2 } else { (self.without_pause + 1).min(2 * FLOOD) };
        self.last = now;
    }

    /// Lets others go first where writes come in a flood.
    pub async fn give_way(&self) {
        if self.without_pause >= FLOOD {
            tokio::task::yield_now().await;
        }
    }
}
