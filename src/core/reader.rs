//! Reading a task's log: a place of one's own, batches of what is new, neighbouring pieces of a text as one.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::watch;

use super::artifact::Whole;
use super::event::{LogEvent, Status, TextArtifact};
use super::facts::Facts;
use super::log::{Entry, Inner, MAX_ENTRY_TEXT, Seq, TaskLog, seq};
use super::task::Task;

/// How much text one batch takes, bytes: what a reader copies at once, and so all that a slow reader costs.
pub const MAX_BATCH_TEXT: usize = 256 * 1024;

/// Largest text that is repeated whole when an artifact closes, bytes.
pub const MAX_WHOLE_TEXT: usize = 1024 * 1024;

/// Where a reader stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Until {
    /// At the end of the task.
    End,
    /// At the end of the task, or where it waits for the caller to say more.
    Interrupted,
}

/// How a reader hears that an artifact is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// By a mark alone.
    Mark,
    /// With the whole text once more, up to [`MAX_WHOLE_TEXT`].
    Whole,
}

/// What a reader finds at its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// There are events in the batch.
    Events,
    /// There is nothing yet.
    Nothing,
    /// There will be nothing more.
    Over,
}

/// A reader of one log.
#[derive(Debug)]
pub struct Reader {
    log: Arc<TaskLog>,
    wakes: watch::Receiver<()>,
    next: usize,
    until: Until,
    closing: Closing,
    over: bool,
}

impl TaskLog {
    /// The task as it is, and a reader of everything after that: no gap and no overlap.
    pub fn follow(self: &Arc<Self>, until: Until, closing: Closing) -> (Task, Reader) {
        let (task, at) = self.snapshot_at_end();
        let reader = Reader::at(self, at, until, closing, &task);
        (task, reader)
    }

    /// The task as it was at `at`, and a reader of everything after that; nothing if the log is not that long.
    pub fn follow_from(self: &Arc<Self>, at: Seq, until: Until, closing: Closing) -> Option<(Task, Reader)> {
        let task = self.snapshot_at(at)?;
        let reader = Reader::at(self, at, until, closing, &task);
        Some((task, reader))
    }
}

impl Reader {
    fn at(log: &Arc<TaskLog>, at: Seq, until: Until, closing: Closing, task: &Task) -> Self {
        let next = usize::try_from(at).unwrap_or(usize::MAX);
        let over = stops(until, &task.status);
        Self { log: Arc::clone(log), wakes: log.wakes(), next, until, closing, over }
    }

    /// The reader's place.
    pub fn position(&self) -> Seq {
        seq(self.next)
    }

    /// Takes what is new, up to [`MAX_BATCH_TEXT`], without waiting. The batch is emptied first.
    pub fn take(&mut self, batch: &mut Batch) -> Found {
        batch.clear();
        if self.over {
            return Found::Over;
        }
        // Seen before looking: an append after this look wakes us again.
        self.wakes.mark_unchanged();
        let log = Arc::clone(&self.log);
        let inner = log.lock();
        batch.facts = Some(Arc::clone(inner.facts()));
        while let Some(entry) = inner.entries.get(self.next) {
            if batch.text.len() >= MAX_BATCH_TEXT {
                break;
            }
            self.next += 1;
            match entry {
                Entry::Artifact(whole) => {
                    batch.items.push((self.position(), Item::Artifact(Arc::clone(whole))));
                }
                Entry::Close { text } => batch.close(&inner, *text, self.closing, self.position()),
                Entry::Status(status) => {
                    batch.items.push((self.position(), Item::Status(Arc::clone(status))));
                    if stops(self.until, status) {
                        self.over = true;
                        break;
                    }
                }
                Entry::Text { text, version, from, to } => {
                    self.next = batch.text(&inner, self.next, (*text, *version, *from, *to));
                }
            }
        }
        if batch.items.is_empty() { Found::Nothing } else { Found::Events }
    }

    /// Waits until there may be something new. Cancel-safe.
    pub async fn wait(&mut self) {
        // The sender lives in the log that we hold, so the channel cannot close.
        let _ = self.wakes.changed().await;
    }

    /// Waits until the reader has passed the last event it is to see.
    pub async fn finish(&mut self) {
        let mut batch = Batch::default();
        loop {
            match self.take(&mut batch) {
                Found::Over => return,
                Found::Events => {}
                Found::Nothing => self.wait().await,
            }
        }
    }
}

fn stops(until: Until, status: &Status) -> bool {
    match until {
        Until::End => status.state.is_terminal(),
        Until::Interrupted => {
            status.state.is_terminal() || status.state == super::state::TaskState::InputRequired
        }
    }
}

/// Events taken from a log in one go, with their text copied out so that no lock is held while they are used.
/// Reuse one batch: its buffers keep their size.
#[derive(Debug, Default)]
pub struct Batch {
    text: String,
    items: Vec<(Seq, Item)>,
    facts: Option<Arc<Facts>>,
}

#[derive(Debug)]
enum Item {
    Artifact(Arc<Whole>),
    Close { artifact: TextArtifact, whole: Option<Range<usize>> },
    Status(Arc<Status>),
    Text { artifact: TextArtifact, append: bool, range: Range<usize> },
}

impl Batch {
    /// The events in order, each with the place in the log right after it.
    pub fn events(&self) -> impl Iterator<Item = (Seq, LogEvent<'_>)> {
        let facts = self.facts.as_deref();
        self.items.iter().filter_map(move |(seq, item)| {
            let event = match item {
                Item::Artifact(whole) => LogEvent::Artifact(whole),
                Item::Close { artifact, whole } => {
                    let whole = whole.as_ref().map(|range| self.slice(range));
                    LogEvent::Close { artifact: *artifact, facts: facts?, whole }
                }
                Item::Status(status) => LogEvent::Status { facts: facts?, status },
                Item::Text { artifact, append, range } => {
                    LogEvent::Text { append: *append, artifact: *artifact, text: self.slice(range) }
                }
            };
            Some((*seq, event))
        })
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or("")
    }

    fn clear(&mut self) {
        self.text.clear();
        self.items.clear();
    }

    fn close(&mut self, inner: &Inner, text: u8, closing: Closing, at: Seq) {
        let Some(text) = inner.texts.get(usize::from(text)) else { return };
        let whole =
            text.versions.last().filter(|whole| closing == Closing::Whole && whole.len() <= MAX_WHOLE_TEXT);
        let whole = whole.map(|whole| self.copy(whole));
        self.items.push((at, Item::Close { artifact: text.kind, whole }));
    }

    /// Takes a text entry and those after it that go on where it ends. Returns the place after the last.
    fn text(&mut self, inner: &Inner, mut next: usize, entry: (u8, u16, u32, u32)) -> usize {
        let (text, version, from, mut to) = entry;
        let Some(found) = inner.texts.get(usize::from(text)) else { return next };
        while let Some(Entry::Text {
            text: text_after,
            version: version_after,
            from: from_after,
            to: to_after,
        }) = inner.entries.get(next)
        {
            let touches = (*text_after, *version_after, *from_after) == (text, version, to);
            let length = usize::try_from(to_after.saturating_sub(from)).unwrap_or(usize::MAX);
            if !touches || length > MAX_ENTRY_TEXT {
                break;
            }
            to = *to_after;
            next += 1;
        }
        let range = usize::try_from(from).unwrap_or(usize::MAX)..usize::try_from(to).unwrap_or(usize::MAX);
        let piece = found.version(version).get(range).unwrap_or("");
        let range = self.copy(piece);
        self.items.push((seq(next), Item::Text { artifact: found.kind, append: from > 0, range }));
        next
    }

    fn copy(&mut self, text: &str) -> Range<usize> {
        let from = self.text.len();
        self.text.push_str(text);
        from..self.text.len()
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
