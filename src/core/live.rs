//! The tasks whose logs are in memory: those that run, and those that ended a short while ago.
//!
//! A log stays for a while after its task has ended, so that a client whose connection broke at the end gets
//! the rest; then only the store's record remains.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::ids::{Caller, TaskId};
use super::log::TaskLog;
use super::mailbox::Mailbox;
use super::turn::Stop;

/// How long the log of an ended task stays.
pub const LINGER: Duration = Duration::from_secs(60);

/// Most logs of ended tasks that stay; the oldest go first.
pub const MAX_LINGERING: usize = 4096;

/// Most text of ended tasks that stays, bytes; likewise.
pub const MAX_LINGERING_TEXT: usize = 64 * 1024 * 1024;

/// A task whose log is in memory.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) log: Arc<TaskLog>,
    pub(super) stop: Arc<Stop>,
    /// Where it takes its answer while it waits for one.
    pub(super) mailbox: Arc<Mailbox>,
}

/// All of them.
#[derive(Default)]
pub(super) struct LiveTasks {
    tasks: DashMap<TaskId, Live>,
    lingering: Mutex<Lingering>,
}

/// The ended tasks whose logs are here, oldest first.
#[derive(Default)]
struct Lingering {
    tasks: VecDeque<Ended>,
    /// Their text together, bytes.
    text: usize,
}

struct Ended {
    id: TaskId,
    since: Instant,
    text: usize,
}

impl LiveTasks {
    pub(super) fn insert(&self, id: TaskId, live: Live) {
        self.tasks.insert(id, live);
    }

    pub(super) fn remove(&self, id: &TaskId) {
        self.tasks.remove(id);
    }

    /// The task, if its log is here.
    pub(super) fn get(&self, id: &TaskId) -> Option<Live> {
        self.tasks.get(id).map(|live| live.clone())
    }

    /// The task, if its log is here and it is the caller's.
    pub(super) fn of(&self, caller: &Caller, id: &TaskId) -> Option<Live> {
        self.get(id).filter(|live| live.log.belongs_to(caller))
    }

    /// The task has ended: its log may go in a while.
    pub(super) fn linger(&self, log: &TaskLog) {
        let ended = Ended { id: log.head().id, since: Instant::now(), text: log.size() };
        let mut lingering = self.lingering();
        lingering.text = lingering.text.saturating_add(ended.text);
        lingering.tasks.push_back(ended);
        drop(lingering);
        self.sweep();
    }

    /// Forgets the logs whose time is over.
    pub(super) fn sweep(&self) {
        while let Some(gone) = self.lingering().next_to_go() {
            self.tasks.remove(&gone);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    fn lingering(&self) -> MutexGuard<'_, Lingering> {
        self.lingering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lingering {
    fn next_to_go(&mut self) -> Option<TaskId> {
        let surplus = self.tasks.len() > MAX_LINGERING || self.text > MAX_LINGERING_TEXT;
        let goes = self.tasks.front().is_some_and(|oldest| surplus || oldest.since.elapsed() >= LINGER);
        if !goes {
            return None;
        }
        let gone = self.tasks.pop_front()?;
        self.text = self.text.saturating_sub(gone.text);
        Some(gone.id)
    }
}
