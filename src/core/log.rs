//! The log of one task: one writer appends, any number of readers read, each at its own place and pace.
//!
//! Text lives in one growing buffer per artifact; an entry only points into it (`answer, bytes 120..131`). An
//! append copies its bytes once and costs the same at the end of a long answer as at its beginning. Nothing is
//! pushed to readers: they are woken and come for what they lack, so a slow one costs no memory and delays nobody.
//!
//! ```text
//!   writer --append--> entries: [working] [answer 0..5] [answer 5..11] [close answer] [completed]
//!                                  ^ reader A (kept up: one entry at a time)  ^ reader B (late: takes 0..11 as one)
//! ```
//!
//! A position (`Seq`) counts entries, so it is stable for the life of the log and can be handed to clients.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::artifact::Whole;
use super::event::{Failure, Status, StatusNote, TextArtifact};
use super::facts::{Facts, FactsUpdate};
use super::ids::{Caller, MessageId};
use super::message::{Content, Message, Served};
use super::state::{IllegalMove, TaskState};
use super::task::{Artifact, Task};

/// How many entries come before a place in a log.
pub type Seq = u64;

/// Longest text of one log entry, bytes; longer pieces become several entries, so that no reader's event
/// outgrows what widespread clients accept for one event (4 MiB, JSON escapes included).
pub const MAX_ENTRY_TEXT: usize = 64 * 1024;

/// Longest text of one artifact, bytes, over all its replacements: a runaway answer ends here.
pub const MAX_ARTIFACT_TEXT: usize = 64 * 1024 * 1024;

/// An artifact's text would grow over [`MAX_ARTIFACT_TEXT`]; the piece was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the {} grew over {MAX_ARTIFACT_TEXT} bytes", .0.name())]
pub struct TooLong(pub TextArtifact);

/// One entry. Ranges are bytes of one version of one text.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// An artifact in one piece.
    Artifact(Arc<Whole>),
    /// The text is complete.
    Close { text: u8 },
    /// A new status.
    Status(Arc<Status>),
    /// A piece of text; from zero means that the artifact begins, or begins anew, with it.
    Text { text: u8, version: u16, from: u32, to: u32 },
}

/// One artifact's text with all its versions: a replacement begins a new one, and readers that are behind
/// still find what was said before.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) kind: TextArtifact,
    pub(super) versions: Vec<String>,
    closed: bool,
}

impl Text {
    pub(super) fn version(&self, version: u16) -> &str {
        self.versions.get(usize::from(version)).map_or("", String::as_str)
    }

    fn bytes(&self) -> usize {
        self.versions.iter().map(String::len).sum()
    }
}

/// What the lock guards.
#[derive(Debug)]
pub(super) struct Inner {
    /// The task without its artifacts; status and facts are the present ones.
    head: Task,
    pub(super) texts: Vec<Text>,
    /// The artifacts that came in one piece, as they are now.
    wholes: Vec<Arc<Whole>>,
    pub(super) entries: Vec<Entry>,
}

/// The log of one task.
#[derive(Debug)]
pub struct TaskLog {
    inner: Mutex<Inner>,
    wake: watch::Sender<()>,
}

impl TaskLog {
    /// The log of a task that has just been accepted.
    pub fn new(task: Task) -> Arc<Self> {
        let inner = Inner { head: task, texts: Vec::new(), wholes: Vec::new(), entries: Vec::new() };
        Arc::new(Self { inner: Mutex::new(inner), wake: watch::Sender::new(()) })
    }

    /// Appends a piece of text. Empty pieces are nothing; after the end nothing is taken.
    ///
    /// # Errors
    /// [`TooLong`] when the artifact is full.
    pub fn text(&self, artifact: TextArtifact, delta: &str) -> Result<(), TooLong> {
        if delta.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        if inner.head.status.state.is_terminal() {
            return Ok(());
        }
        inner.append(artifact, delta)?;
        drop(inner);
        self.wake.send_replace(());
        Ok(())
    }

    /// Voids an artifact's text and begins it anew with `text`.
    ///
    /// # Errors
    /// [`TooLong`] when the artifact is full.
    pub fn replace(&self, artifact: TextArtifact, text: &str) -> Result<(), TooLong> {
        let mut inner = self.lock();
        if inner.head.status.state.is_terminal() {
            return Ok(());
        }
        inner.replace(artifact, text)?;
        drop(inner);
        self.wake.send_replace(());
        Ok(())
    }

    /// Adds an artifact that is there in one piece; one of the same id takes the place of the earlier one. After the
    /// end nothing is taken.
    pub fn artifact(&self, whole: Whole) {
        let mut inner = self.lock();
        if inner.head.status.state.is_terminal() {
            return;
        }
        let whole = Arc::new(whole);
        put(&mut inner.wholes, &whole);
        inner.entries.push(Entry::Artifact(whole));
        drop(inner);
        self.wake.send_replace(());
    }

    /// Adds to what is known beside the text. Readers see it with the next entry that shows facts.
    pub fn learn(&self, update: FactsUpdate) {
        Arc::make_mut(&mut self.lock().head.facts).apply(update);
    }

    /// As [`TaskLog::learn`], for facts that no backend reports.
    pub fn amend(&self, change: impl FnOnce(&mut Facts)) {
        change(Arc::make_mut(&mut self.lock().head.facts));
    }

    /// Appends a status; a terminal one closes all open texts first and is the last entry for ever.
    ///
    /// # Errors
    /// [`IllegalMove`] when the task cannot take that state, for one because it has ended.
    pub fn status(&self, status: Arc<Status>) -> Result<(), IllegalMove> {
        let mut inner = self.lock();
        inner.head.status.state.advance(status.state)?;
        if status.state.is_terminal() {
            inner.close_all();
        }
        inner.head.status = Arc::clone(&status);
        inner.entries.push(Entry::Status(status));
        drop(inner);
        self.wake.send_replace(());
        Ok(())
    }

    /// The caller has said more to a task that waited: the question and its answer join the history, and the task works
    /// on.
    ///
    /// # Errors
    /// [`IllegalMove`] when the task has ended; then nothing is changed.
    pub fn resume(&self, message: Arc<Message>, at: Timestamp) -> Result<(), IllegalMove> {
        let mut inner = self.lock();
        inner.head.status.state.advance(TaskState::Working)?;
        inner.keep_question();
        inner.head.history.push(message);
        let status = Arc::new(Status::plain(TaskState::Working, at));
        inner.head.status = Arc::clone(&status);
        inner.entries.push(Entry::Status(status));
        drop(inner);
        self.wake.send_replace(());
        Ok(())
    }

    /// A file of a message is on the shelf: the history names it from now on and holds its bytes no longer.
    pub fn shelve(&self, message: &MessageId, part: usize, served: Served) {
        let mut inner = self.lock();
        let found = inner.head.history.iter_mut().find(|said| said.id == *message);
        if let Some(part) = found.and_then(|said| Arc::make_mut(said).parts.get_mut(part)) {
            part.content = Content::Served(served);
        }
    }

    /// The task waits no longer for an answer: its question joins the history.
    pub fn keep_question(&self) {
        self.lock().keep_question();
    }

    /// Ends a task that nobody can end otherwise, as failed; nothing if it has ended.
    pub fn abandon(&self, at: Timestamp) {
        let id = MessageId::from(format!("{}-abandoned", self.lock().head.id));
        let note = Some((id, StatusNote::Failure(Failure::internal())));
        // Refused only by a task that has ended, which is what is wanted.
        let _ = self.status(Arc::new(Status { state: TaskState::Failed, at, note }));
    }

    /// How much the log holds of texts and other artifacts, bytes.
    pub fn size(&self) -> usize {
        let inner = self.lock();
        let texts: usize = inner.texts.iter().map(Text::bytes).sum();
        texts + inner.wholes.iter().map(|whole| whole.size()).sum::<usize>()
    }

    /// The task as it is now.
    pub fn snapshot(&self) -> Task {
        self.snapshot_at_end().0
    }

    /// The task as it is now, and the place in the log where that is.
    pub fn snapshot_at_end(&self) -> (Task, Seq) {
        let inner = self.lock();
        let end = inner.entries.len();
        (inner.task_at(end), seq(end))
    }

    /// The task as it was at `at`, or nothing if the log is not that long. History and facts are those of now.
    pub fn snapshot_at(&self, at: Seq) -> Option<Task> {
        let inner = self.lock();
        let at = usize::try_from(at).ok().filter(|at| *at <= inner.entries.len())?;
        Some(inner.task_at(at))
    }

    /// The task without its artifacts: cheap, however long the answer.
    pub fn head(&self) -> Task {
        self.lock().head.clone()
    }

    /// Whether it is this caller's task.
    pub fn belongs_to(&self, caller: &Caller) -> bool {
        self.lock().head.caller == *caller
    }

    /// The present status.
    pub fn present(&self) -> Arc<Status> {
        Arc::clone(&self.lock().head.status)
    }

    /// A receiver that is woken by every append.
    pub(super) fn wakes(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held can only have come from an allocation failure between whole steps.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep_question(&mut self) {
        let Some(question) = self.head.question() else { return };
        if self.head.history.last().is_none_or(|last| last.id != question.id) {
            self.head.history.push(Arc::new(question));
        }
    }

    pub(super) fn facts(&self) -> &Arc<Facts> {
        &self.head.facts
    }

    fn append(&mut self, artifact: TextArtifact, delta: &str) -> Result<(), TooLong> {
        let index = self.text_index(artifact);
        let Some(text) = self.texts.get_mut(index) else { return Err(TooLong(artifact)) };
        if text.bytes() + delta.len() > MAX_ARTIFACT_TEXT {
            return Err(TooLong(artifact));
        }
        let version = text.versions.len().saturating_sub(1);
        let Some(buffer) = text.versions.last_mut() else { return Err(TooLong(artifact)) };
        let mut rest = delta;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(MAX_ENTRY_TEXT));
            let from = buffer.len();
            buffer.push_str(piece);
            self.entries.push(text_entry(index, version, from, buffer.len()));
            rest = after;
        }
        Ok(())
    }

    fn replace(&mut self, artifact: TextArtifact, new: &str) -> Result<(), TooLong> {
        let index = self.text_index(artifact);
        let Some(text) = self.texts.get_mut(index) else { return Err(TooLong(artifact)) };
        if text.bytes() + new.len() > MAX_ARTIFACT_TEXT || text.versions.len() >= usize::from(u16::MAX) {
            return Err(TooLong(artifact));
        }
        if text.versions.last().is_some_and(|last| !last.is_empty()) {
            text.versions.push(String::new());
        }
        if new.is_empty() {
            let version = text.versions.len().saturating_sub(1);
            self.entries.push(text_entry(index, version, 0, 0));
            return Ok(());
        }
        self.append(artifact, new)
    }

    /// The place of the artifact's text, made when it is not there yet.
    fn text_index(&mut self, artifact: TextArtifact) -> usize {
        if let Some(found) = self.texts.iter().position(|text| text.kind == artifact) {
            return found;
        }
        self.texts.push(Text { kind: artifact, versions: vec![String::new()], closed: false });
        self.texts.len() - 1
    }

    fn close_all(&mut self) {
        for (index, text) in self.texts.iter_mut().enumerate() {
            if !text.closed {
                text.closed = true;
                self.entries.push(Entry::Close { text: u8::try_from(index).unwrap_or(u8::MAX) });
            }
        }
    }

    /// The task after the first `at` entries.
    fn task_at(&self, at: usize) -> Task {
        let mut task = self.in_order_of_coming(at);
        // However they came: whoever looks at the first artifact only shall find the answer there.
        task.artifacts.sort_by_key(|artifact| match artifact {
            Artifact::Text { kind: TextArtifact::Answer, .. } => 0,
            Artifact::Text { kind: TextArtifact::Reasoning, .. } => 1,
            Artifact::Whole(_) => 2,
        });
        task
    }

    fn in_order_of_coming(&self, at: usize) -> Task {
        let mut task = self.head.clone();
        if at == self.entries.len() {
            let texts = self.texts.iter().map(|text| artifact(text, text.versions.last()));
            let wholes = self.wholes.iter().map(|whole| Artifact::Whole(Arc::clone(whole)));
            task.artifacts = texts.chain(wholes).collect();
            return task;
        }
        let mut ends: Vec<Option<(u16, usize)>> = vec![None; self.texts.len()];
        let mut wholes = Vec::new();
        task.status = Arc::new(Status::plain(TaskState::Submitted, task.created_at));
        for entry in self.entries.iter().take(at) {
            match entry {
                Entry::Artifact(whole) => put(&mut wholes, whole),
                Entry::Close { .. } => {}
                Entry::Status(status) => task.status = Arc::clone(status),
                Entry::Text { text, version, to, .. } => {
                    if let Some(end) = ends.get_mut(usize::from(*text)) {
                        *end = Some((*version, usize::try_from(*to).unwrap_or(usize::MAX)));
                    }
                }
            }
        }
        let shown = self.texts.iter().zip(ends).filter_map(|(text, end)| {
            let (version, to) = end?;
            let text_then = text.version(version).get(..to)?.to_owned();
            Some(artifact(text, Some(&text_then)))
        });
        task.artifacts = shown.chain(wholes.into_iter().map(Artifact::Whole)).collect();
        task
    }
}

fn artifact(text: &Text, version: Option<&String>) -> Artifact {
    Artifact::Text { kind: text.kind, text: version.cloned().unwrap_or_default() }
}

/// Puts an artifact where the earlier one of its id is, or at the end.
fn put(wholes: &mut Vec<Arc<Whole>>, whole: &Arc<Whole>) {
    match wholes.iter_mut().find(|known| known.id == whole.id) {
        Some(known) => *known = Arc::clone(whole),
        None => wholes.push(Arc::clone(whole)),
    }
}

fn text_entry(text: usize, version: usize, from: usize, to: usize) -> Entry {
    // All four fit: an artifact's text is at most MAX_ARTIFACT_TEXT, and `replace` counts versions.
    Entry::Text {
        text: u8::try_from(text).unwrap_or(u8::MAX),
        version: u16::try_from(version).unwrap_or(u16::MAX),
        from: u32::try_from(from).unwrap_or(u32::MAX),
        to: u32::try_from(to).unwrap_or(u32::MAX),
    }
}

/// A count of entries as a position.
pub(super) fn seq(entries: usize) -> Seq {
    Seq::try_from(entries).unwrap_or(Seq::MAX)
}
