//! Recognizes a send that is repeated, so that a client that lost the answer does not pay twice.
//!
//! A repeat has the same caller, `contextId` (or none), `messageId` and content as one of the last minutes.
//! The messages themselves are compared: they are shared with their tasks, so remembering them costs little.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::time::Instant;

use super::ids::{Caller, ContextId, MessageId, TaskId};
use super::message::{Content, Json, Message, Part};

/// Most sends that are remembered; the oldest are forgotten first.
const MAX_REMEMBERED: usize = 100_000;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    caller: Caller,
    context_id: Option<ContextId>,
    message_id: MessageId,
}

#[derive(Debug)]
struct First {
    message: Arc<Message>,
    task_id: TaskId,
    at: Instant,
}

/// The sends of the last minutes.
#[derive(Debug)]
pub struct Repeats {
    window: Duration,
    sends: DashMap<Key, First>,
    order: Mutex<VecDeque<(Instant, Key)>>,
}

impl Repeats {
    /// Remembers sends for `window`; zero remembers nothing.
    pub fn new(window: Duration) -> Self {
        Self { window, sends: DashMap::new(), order: Mutex::default() }
    }

    /// Remembers that `message`, sent to `context_id` or to none, began `task_id`; or tells the task that the same
    /// send has begun already.
    pub fn claim(
        &self,
        caller: &Caller,
        context_id: Option<&ContextId>,
        message: &Arc<Message>,
        task_id: &TaskId,
    ) -> Option<TaskId> {
        if self.window.is_zero() {
            return None;
        }
        let now = Instant::now();
        let key = Self::key(caller, context_id, message);
        let first = First { message: Arc::clone(message), task_id: task_id.clone(), at: now };
        match self.sends.entry(key.clone()) {
            Entry::Occupied(mut known) => {
                let fresh = now.duration_since(known.get().at) < self.window;
                if fresh && same(&known.get().message, message) {
                    return Some(known.get().task_id.clone());
                }
                known.insert(first);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(first);
            }
        }
        self.lock().push_back((now, key));
        self.sweep();
        None
    }

    /// Takes a claim back, because no task came of it.
    pub fn release(
        &self,
        caller: &Caller,
        context_id: Option<&ContextId>,
        message: &Message,
        task_id: &TaskId,
    ) {
        let key = Self::key(caller, context_id, message);
        self.sends.remove_if(&key, |_, first| first.task_id == *task_id);
    }

    /// Forgets what is too old.
    pub fn sweep(&self) {
        loop {
            let key = {
                let mut order = self.lock();
                let surplus = order.len() > MAX_REMEMBERED;
                match order.front() {
                    Some((at, _)) if surplus || at.elapsed() >= self.window => order.pop_front(),
                    Some(_) | None => None,
                }
            };
            let Some((at, key)) = key else { return };
            self.sends.remove_if(&key, |_, first| first.at <= at);
        }
    }

    fn key(caller: &Caller, context_id: Option<&ContextId>, message: &Message) -> Key {
        Key { caller: caller.clone(), context_id: context_id.cloned(), message_id: message.id.clone() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Instant, Key)>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two messages say the same. The ids that the gateway gave them do not count.
fn same(a: &Message, b: &Message) -> bool {
    a.role == b.role
        && a.extensions == b.extensions
        && a.reference_task_ids == b.reference_task_ids
        && same_json(a.metadata.as_ref(), b.metadata.as_ref())
        && a.parts.len() == b.parts.len()
        && a.parts.iter().zip(&b.parts).all(|(a, b)| same_part(a, b))
}

fn same_part(a: &Part, b: &Part) -> bool {
    let content = match (&a.content, &b.content) {
        (Content::Data(a), Content::Data(b)) => a.get() == b.get(),
        (Content::Raw(a), Content::Raw(b)) => a == b,
        (Content::Text(a), Content::Text(b)) | (Content::Url(a), Content::Url(b)) => a == b,
        (Content::Data(_) | Content::Raw(_) | Content::Text(_) | Content::Url(_), _) => false,
    };
    content
        && a.filename == b.filename
        && a.media_type == b.media_type
        && same_json(a.metadata.as_ref(), b.metadata.as_ref())
}

fn same_json(a: Option<&Json>, b: Option<&Json>) -> bool {
    a.map(|json| json.get()) == b.map(|json| json.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Role;

    fn message(id: &str, text: &str) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId::from(id),
            role: Role::User,
            parts: vec![Part::text(text)],
            context_id: None,
            task_id: None,
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_send_within_the_window_is_a_repeat_and_a_different_one_is_not() {
        let repeats = Repeats::new(Duration::from_secs(60));
        let (me, you) = (Caller::named("me"), Caller::named("you"));
        let (one, two, three) = (TaskId::from("1"), TaskId::from("2"), TaskId::from("3"));
        assert_eq!(repeats.claim(&me, None, &message("m", "hi"), &one), None);
        assert_eq!(repeats.claim(&me, None, &message("m", "hi"), &two), Some(one.clone()));
        assert_eq!(repeats.claim(&you, None, &message("m", "hi"), &two), None, "another caller");
        assert_eq!(repeats.claim(&me, None, &message("n", "hi"), &two), None, "another message id");
        assert_eq!(repeats.claim(&me, None, &message("m", "ho"), &two), None, "another content");
        assert_eq!(repeats.claim(&me, None, &message("m", "ho"), &three), Some(two));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(repeats.claim(&me, None, &message("n", "hi"), &three), None, "too late");
        assert_eq!(repeats.sends.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_claim_is_forgotten() {
        let repeats = Repeats::new(Duration::from_secs(60));
        let me = Caller::anonymous();
        let sent = message("m", "hi");
        repeats.claim(&me, None, &sent, &TaskId::from("1"));
        repeats.release(&me, None, &sent, &TaskId::from("1"));
        assert_eq!(repeats.claim(&me, None, &sent, &TaskId::from("2")), None);
    }

    #[test]
    fn zero_turns_it_off() {
        let repeats = Repeats::new(Duration::ZERO);
        let sent = message("m", "hi");
        assert_eq!(repeats.claim(&Caller::anonymous(), None, &sent, &TaskId::from("1")), None);
        assert_eq!(repeats.claim(&Caller::anonymous(), None, &sent, &TaskId::from("2")), None);
    }
}
