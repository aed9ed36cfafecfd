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
use super::turn::Stop;

/// How long the log of an ended task stays.
pub const LINGER: Duration = Duration::from_secs(60);

/// Most logs of ended tasks that stay; the oldest go first.
pub const MAX_LINGERING: usize = 4096;

/// A task whose log is in memory.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) log: Arc<TaskLog>,
    pub(super) stop: Arc<Stop>,
}

/// All of them.
#[derive(Default)]
pub(super) struct LiveTasks {
    tasks: DashMap<TaskId, Live>,
    lingering: Mutex<VecDeque<(Instant, TaskId)>>,
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
    pub(super) fn linger(&self, id: TaskId) {
        self.lingering().push_back((Instant::now(), id));
        self.sweep();
    }

    /// Forgets the logs whose time is over.
    pub(super) fn sweep(&self) {
        loop {
            let gone = {
                let mut lingering = self.lingering();
                let surplus = lingering.len() > MAX_LINGERING;
                match lingering.front() {
                    Some((since, _)) if surplus || since.elapsed() >= LINGER => lingering.pop_front(),
                    Some(_) | None => None,
                }
            };
            let Some((_, id)) = gone else { return };
            self.tasks.remove(&id);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    fn lingering(&self) -> MutexGuard<'_, VecDeque<(Instant, TaskId)>> {
        self.lingering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
