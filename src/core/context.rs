//! One conversation, one turn at a time: the queue of each context, and the ceiling over all of them.
//!
//! A [`Ticket`] is drawn in the order in which messages arrive; it becomes a [`Place`] when the turns before it
//! are over. A place holds one permit of the ceiling and hands it on with the place, so a turn that has been
//! queued never fails for want of a permit. Dropping either, at any moment, moves the queue on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::Error;
use super::store::{ContextKey, ContextRecord};

/// Most turns that may wait in one context: a loop gone wild in one client ends here.
pub const MAX_WAITING: usize = 1000;

/// When a caller that was told to wait may try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// All contexts that have a turn running or waiting.
#[derive(Debug)]
pub struct Contexts {
    /// The waiting turns of each context that has a running one.
    lanes: DashMap<ContextKey, VecDeque<oneshot::Sender<Place>>>,
    permits: Arc<Semaphore>,
}

impl Contexts {
    /// Contexts of which at most `max_running` have a turn running at once.
    pub fn new(max_running: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(max_running.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { lanes: DashMap::new(), permits })
    }

    /// Queues a turn in its context, after all that were queued before.
    ///
    /// # Errors
    /// [`Error::Busy`] when the ceiling is reached or the context's queue is full.
    pub fn enter(self: &Arc<Self>, key: ContextKey) -> Result<Ticket, Error> {
        match self.lanes.entry(key) {
            Entry::Occupied(mut lane) => {
                if lane.get().len() >= MAX_WAITING {
                    return Err(Error::Busy {
                        what: "too many messages wait in this context",
                        retry_after: RETRY_AFTER,
                    });
                }
                let (hand_over, place) = oneshot::channel();
                lane.get_mut().push_back(hand_over);
                Ok(Ticket::Waiting(place))
            }
            Entry::Vacant(lane) => {
                let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                    return Err(Error::Busy {
                        what: "as many turns are running as may",
                        retry_after: RETRY_AFTER,
                    });
                };
                let key = lane.key().clone();
                lane.insert(VecDeque::new());
                let held = Held { contexts: Arc::clone(self), key, record: None, _permit: permit };
                Ok(Ticket::Ready(Place(Some(held))))
            }
        }
    }

    /// Whether a turn of the context is running.
    pub fn is_busy(&self, key: &ContextKey) -> bool {
        self.lanes.contains_key(key)
    }

    /// How many contexts have a turn running.
    pub fn running(&self) -> usize {
        self.lanes.len()
    }

    fn pass_on(held: Held) {
        let mut held = held;
        loop {
            let contexts = Arc::clone(&held.contexts);
            let next = match contexts.lanes.entry(held.key.clone()) {
                Entry::Occupied(mut lane) => {
                    let next = lane.get_mut().pop_front();
                    if next.is_none() {
                        lane.remove();
                    }
                    next
                }
                Entry::Vacant(_) => None,
            };
            let Some(next) = next else { return };
            match next.send(Place(Some(held))) {
                Ok(()) => return,
                Err(mut refused) => match refused.0.take() {
                    Some(back) => held = back,
                    None => return,
                },
            }
        }
    }
}

/// A number drawn in a context's queue.
#[derive(Debug)]
pub enum Ticket {
    /// It is this turn's time already.
    Ready(Place),
    /// Others are before it.
    Waiting(oneshot::Receiver<Place>),
}

impl Ticket {
    /// Waits for the turn's time. `None` only when the queue itself is gone.
    pub async fn place(self) -> Option<Place> {
        match self {
            Self::Ready(place) => Some(place),
            Self::Waiting(place) => place.await.ok(),
        }
    }
}

/// The right to run a turn in a context. The next in the queue gets it when this is dropped.
#[derive(Debug)]
pub struct Place(Option<Held>);

impl Place {
    /// What the turns before this one have left of the conversation, as long as the queue has not been empty.
    pub fn record(&self) -> Option<&ContextRecord> {
        self.0.as_ref()?.record.as_ref()
    }

    /// Leaves this of the conversation to the next turn: a store may forget a context, a queue does not.
    pub fn leave(&mut self, record: ContextRecord) {
        if let Some(held) = &mut self.0 {
            held.record = Some(record);
        }
    }
}

#[derive(Debug)]
struct Held {
    contexts: Arc<Contexts>,
    key: ContextKey,
    record: Option<ContextRecord>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(held) = self.0.take() {
            Contexts::pass_on(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Caller, ContextId};

    fn key(id: &str) -> ContextKey {
        ContextKey { caller: Caller::anonymous(), id: ContextId::from(id) }
    }

    #[tokio::test]
    async fn turns_of_a_context_run_in_order_of_arrival_even_when_some_give_up() {
        let contexts = Contexts::new(1);
        let mut tickets: Vec<_> = (0..5).map(|_| contexts.enter(key("a")).expect("queued")).collect();
        drop(tickets.remove(2));
        let mut order = Vec::new();
        for (number, ticket) in [0, 1, 3, 4].into_iter().zip(tickets) {
            let place = ticket.place().await.expect("a place");
            assert_eq!(contexts.running(), 1);
            order.push(number);
            drop(place);
        }
        assert_eq!(order, [0, 1, 3, 4]);
        assert_eq!(contexts.running(), 0);
        assert_eq!(contexts.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_turn_finds_what_the_turn_before_it_left() {
        let contexts = Contexts::new(1);
        let record = ContextRecord {
            conversation_id: Some("c".into()),
            user: "u".into(),
            inputs: None,
            used_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut first = contexts.enter(key("a")).expect("queued").place().await.expect("a place");
        let second = contexts.enter(key("a")).expect("queued");
        first.leave(record.clone());
        drop(first);
        let second = second.place().await.expect("a place");
        let found = second.record().and_then(|record| record.conversation_id.clone());
        assert_eq!(found, record.conversation_id);
        drop(second);
        let later = contexts.enter(key("a")).expect("queued").place().await.expect("a place");
        assert!(later.record().is_none(), "an empty queue remembers nothing");
    }

    #[tokio::test]
    async fn a_place_that_nobody_takes_up_moves_on() {
        let contexts = Contexts::new(4);
        let first = contexts.enter(key("a")).expect("queued");
        let second = contexts.enter(key("a")).expect("queued");
        let third = contexts.enter(key("a")).expect("queued");
        drop(first);
        drop(second);
        assert!(third.place().await.is_some());
        assert_eq!(contexts.running(), 0);
    }

    #[tokio::test]
    async fn other_contexts_do_not_wait_and_the_ceiling_counts_contexts() {
        let contexts = Contexts::new(2);
        let _a = contexts.enter(key("a")).expect("first").place().await;
        let _b = contexts.enter(key("b")).expect("second").place().await;
        assert!(matches!(contexts.enter(key("c")), Err(Error::Busy { .. })));
        let _waiting = contexts.enter(key("a")).expect("queues behind its own");
    }

    #[test]
    fn a_queue_has_an_end() {
        let contexts = Contexts::new(1);
        let _tickets: Vec<_> = (0..=MAX_WAITING).map(|_| contexts.enter(key("a")).expect("queued")).collect();
        assert!(matches!(contexts.enter(key("a")), Err(Error::Busy { .. })));
    }
}
