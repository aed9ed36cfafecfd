//! The default store: everything in this process's memory, bounded by age and by number.
//!
//! Ended tasks go when they are older than the time to live, and the oldest of them when there are too many;
//! running tasks never go. Contexts go likewise, by when they were last used.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use futures_util::FutureExt;
use futures_util::future::ready;
use jiff::Timestamp;

use crate::core::command::{List, PageStart};
use crate::core::ids::{Caller, TaskId};
use crate::core::state::TaskState;
use crate::core::store::{ContextKey, ContextRecord, Page, Store, StoreError, Stored};
use crate::core::task::Task;

/// A task's place in every list: by status time, ties by id.
type Order = (Timestamp, TaskId);

/// The tasks of one caller or context in order: all of them, and those in each state, so that a page of any list
/// and its total are found without looking at the tasks before it.
#[derive(Debug, Default)]
struct Shelf {
    all: BTreeSet<Order>,
    by_state: HashMap<TaskState, BTreeSet<Order>>,
}

#[derive(Debug, Default)]
struct Index {
    by_caller: HashMap<Caller, Shelf>,
    by_context: HashMap<ContextKey, Shelf>,
    ended: BTreeSet<Order>,
    contexts: BTreeSet<(Timestamp, ContextKey)>,
}

/// The store.
#[derive(Debug)]
pub struct MemoryStore {
    ttl: Duration,
    max_tasks: usize,
    tasks: DashMap<TaskId, Arc<Task>>,
    contexts: DashMap<ContextKey, ContextRecord>,
    index: Mutex<Index>,
}

impl MemoryStore {
    /// An empty store that keeps at most `max_tasks` tasks and as many contexts; ended tasks and idle contexts
    /// for at most `ttl`.
    pub fn new(ttl: Duration, max_tasks: usize) -> Self {
        Self { ttl, max_tasks, tasks: DashMap::new(), contexts: DashMap::new(), index: Mutex::default() }
    }

    fn put(&self, task: Arc<Task>) -> Result<(), StoreError> {
        let mut index = self.index();
        let known = self.tasks.get(&task.id).map(|known| Arc::clone(&known));
        match known {
            Some(known) => index.remove(&known),
            None => {
                while self.tasks.len() >= self.max_tasks {
                    let Some((_, oldest)) = index.ended.first().cloned() else {
                        return Err(StoreError::Full);
                    };
                    self.forget(&mut index, &oldest);
                }
            }
        }
        index.insert(&task);
        self.tasks.insert(task.id.clone(), task);
        Ok(())
    }

    fn forget(&self, index: &mut Index, id: &TaskId) {
        if let Some((_, task)) = self.tasks.remove(id) {
            index.remove(&task);
        }
    }

    fn put_context_now(&self, key: ContextKey, record: ContextRecord) {
        let mut index = self.index();
        let used_at = record.used_at;
        if let Some(known) = self.contexts.insert(key.clone(), record) {
            index.contexts.remove(&(known.used_at, key.clone()));
        }
        index.contexts.insert((used_at, key));
        while index.contexts.len() > self.max_tasks
            && let Some((_, oldest)) = index.contexts.pop_first()
        {
            self.contexts.remove(&oldest);
        }
    }

    fn page(&self, caller: &Caller, query: &List) -> Page {
        let (total, mut page) = self.index().orders(caller, query);
        let more = page.len() > query.page_size;
        page.truncate(query.page_size);
        let next = page.last().filter(|_| more);
        let next = next.map(|(at, id)| PageStart::After { at: *at, id: id.clone() });
        // A task that was forgotten since is left out.
        let tasks = page.iter().filter_map(|(_, id)| self.tasks.get(id).map(|task| Arc::clone(&task)));
        Page { tasks: tasks.collect(), total, next }
    }

    fn sweep_now(&self, now: Timestamp) {
        let Ok(oldest) = now.checked_sub(self.ttl) else { return };
        let mut index = self.index();
        while let Some((at, id)) = index.ended.first().cloned()
            && at < oldest
        {
            self.forget(&mut index, &id);
        }
        while let Some((used_at, _)) = index.contexts.first()
            && *used_at < oldest
            && let Some((_, key)) = index.contexts.pop_first()
        {
            self.contexts.remove(&key);
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// How many tasks match, and the orders of a page of them with one more, newest first.
    fn orders(&self, caller: &Caller, query: &List) -> (usize, Vec<Order>) {
        let shelf = match &query.context_id {
            Some(id) => self.by_context.get(&ContextKey { caller: caller.clone(), id: id.clone() }),
            None => self.by_caller.get(caller),
        };
        let orders = shelf.and_then(|shelf| match &query.state {
            Some(state) => shelf.by_state.get(state),
            None => Some(&shelf.all),
        });
        let Some(orders) = orders else { return (0, Vec::new()) };
        // No id sorts before the empty one.
        let oldest = query.status_after.map(|after| (after, TaskId::from("")));
        let from = oldest.map_or(Bound::Unbounded, Bound::Included);
        let total = match &from {
            Bound::Unbounded => orders.len(),
            _ => orders.range((from.clone(), Bound::Unbounded)).count(),
        };
        let (to, skip) = match &query.start {
            PageStart::After { at, id } => (Bound::Excluded((*at, id.clone())), 0),
            PageStart::Offset(offset) => (Bound::Unbounded, *offset),
        };
        if is_empty(&from, &to) {
            return (total, Vec::new());
        }
        let newest_first = orders.range((from, to)).rev();
        (total, newest_first.skip(skip).take(query.page_size.saturating_add(1)).cloned().collect())
    }

    fn insert(&mut self, task: &Task) {
        let order = order(task);
        let state = task.status.state;
        self.by_caller.entry(task.caller.clone()).or_default().insert(state, &order);
        self.by_context.entry(context(task)).or_default().insert(state, &order);
        if state.is_terminal() {
            self.ended.insert(order);
        }
    }

    fn remove(&mut self, task: &Task) {
        let order = order(task);
        let state = task.status.state;
        drop_from(&mut self.by_caller, &task.caller, state, &order);
        drop_from(&mut self.by_context, &context(task), state, &order);
        self.ended.remove(&order);
    }
}

impl Shelf {
    fn insert(&mut self, state: TaskState, order: &Order) {
        self.all.insert(order.clone());
        self.by_state.entry(state).or_default().insert(order.clone());
    }

    fn remove(&mut self, state: TaskState, order: &Order) {
        self.all.remove(order);
        if let Some(orders) = self.by_state.get_mut(&state) {
            orders.remove(order);
        }
    }
}

/// A range that ends where it begins, or before; a set does not take such a range.
fn is_empty(from: &Bound<Order>, to: &Bound<Order>) -> bool {
    matches!((from, to), (Bound::Included(from), Bound::Excluded(to)) if from >= to)
}

fn drop_from<K: Eq + Hash>(shelves: &mut HashMap<K, Shelf>, key: &K, state: TaskState, order: &Order) {
    let Some(shelf) = shelves.get_mut(key) else { return };
    shelf.remove(state, order);
    if shelf.all.is_empty() {
        shelves.remove(key);
    }
}

fn order(task: &Task) -> Order {
    (task.status.at, task.id.clone())
}

fn context(task: &Task) -> ContextKey {
    ContextKey { caller: task.caller.clone(), id: task.context_id.clone() }
}

impl Store for MemoryStore {
    fn put_task(&self, task: Arc<Task>) -> Stored<'_, ()> {
        ready(self.put(task)).boxed()
    }

    fn task<'a>(&'a self, id: &'a TaskId) -> Stored<'a, Option<Arc<Task>>> {
        ready(Ok(self.tasks.get(id).map(|task| Arc::clone(&task)))).boxed()
    }

    fn list<'a>(&'a self, caller: &'a Caller, query: &'a List) -> Stored<'a, Page> {
        ready(Ok(self.page(caller, query))).boxed()
    }

    fn put_context(&self, key: ContextKey, record: ContextRecord) -> Stored<'_, ()> {
        self.put_context_now(key, record);
        ready(Ok(())).boxed()
    }

    fn context<'a>(&'a self, key: &'a ContextKey) -> Stored<'a, Option<ContextRecord>> {
        ready(Ok(self.contexts.get(key).map(|record| record.clone()))).boxed()
    }

    fn sweep(&self, now: Timestamp) -> Stored<'_, ()> {
        self.sweep_now(now);
        ready(Ok(())).boxed()
    }

    fn check(&self) -> Stored<'_, ()> {
        ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    const TTL: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn l01_l02_l03_l08_n02_keeps_the_promises_of_every_store() {
        contract::run(|limits| MemoryStore::new(limits.ttl, limits.max_tasks)).await;
    }

    #[tokio::test]
    async fn the_context_unused_longest_makes_room() {
        let store = MemoryStore::new(TTL, 2);
        let key = |id: &str| ContextKey { caller: Caller::anonymous(), id: id.into() };
        for (id, second) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            let used_at = Timestamp::from_second(second).expect("a time");
            let record =
                ContextRecord { conversation_id: Some(id.into()), user: "u".into(), inputs: None, used_at };
            store.put_context(key(id), record).await.expect("kept");
        }
        assert_eq!(store.context(&key("b")).await.expect("read"), None);
        assert!(store.context(&key("a")).await.expect("read").is_some());
        assert_eq!(store.index().contexts.len(), 2);
    }

    #[tokio::test]
    async fn indexes_do_not_outlive_their_tasks() {
        let store = MemoryStore::new(TTL, 10);
        let now = Timestamp::UNIX_EPOCH;
        store.put_task(contract::task("t", "c", TaskState::Completed, now)).await.expect("kept");
        store.sweep(now + TTL * 2).await.expect("swept");
        let index = store.index();
        assert!(index.by_caller.is_empty() && index.by_context.is_empty() && index.ended.is_empty());
        assert!(store.tasks.is_empty());
    }
}
