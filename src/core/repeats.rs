//! Recognizes a send that is repeated, so that a client that lost the answer does not pay twice.
//!
//! A repeat has the same caller, `contextId` and `taskId` (or none), `messageId` and content as one of the last minutes. Of the
//! content only a digest is remembered, so that a large message does not stay for the whole window.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::time::Instant;

use super::ids::{Caller, ContextId, MessageId, TaskId};
use super::message::{Content, Json, Message, Part, Role};

/// Most sends that are remembered; the oldest are forgotten first.
const MAX_REMEMBERED: usize = 100_000;

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    caller: Caller,
    context_id: Option<ContextId>,
    task_id: Option<TaskId>,
    message_id: MessageId,
}

/// Who sends, and where to, in the sender's own words.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The sender.
    pub caller: &'a Caller,
    /// The context that was named.
    pub context_id: Option<&'a ContextId>,
    /// The task that was named.
    pub task_id: Option<&'a TaskId>,
}

type Digest = [u8; 32];

#[derive(Debug)]
struct First {
    content: Digest,
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

    /// The task that the same send has begun already, if it did.
    pub fn find(&self, route: Route<'_>, message: &Message) -> Option<TaskId> {
        if self.window.is_zero() {
            return None;
        }
        let first = self.sends.get(&Self::key(route, message))?;
        let same = first.at.elapsed() < self.window && first.content == digest_of(message);
        same.then(|| first.task_id.clone())
    }

    /// Remembers that `message`, sent that way, began `task_id` or made it go on; or tells the task that the same
    /// send has begun already.
    pub fn claim(&self, route: Route<'_>, message: &Message, task_id: &TaskId) -> Option<TaskId> {
        if self.window.is_zero() {
            return None;
        }
        let now = Instant::now();
        let key = Self::key(route, message);
        let first = First { content: digest_of(message), task_id: task_id.clone(), at: now };
        match self.sends.entry(key.clone()) {
            Entry::Occupied(mut known) => {
                let fresh = now.duration_since(known.get().at) < self.window;
                if fresh && known.get().content == first.content {
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
    pub fn release(&self, route: Route<'_>, message: &Message, task_id: &TaskId) {
        let key = Self::key(route, message);
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

    fn key(route: Route<'_>, message: &Message) -> Key {
        Key {
            caller: route.caller.clone(),
            context_id: route.context_id.cloned(),
            task_id: route.task_id.cloned(),
            message_id: message.id.clone(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Instant, Key)>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A digest of what a message says. The ids that the gateway gives it do not count.
fn digest_of(message: &Message) -> Digest {
    let mut content = Content256(Context::new(&SHA256));
    content.text(match message.role {
        Role::Agent => "agent",
        Role::User => "user",
    });
    content.json(message.metadata.as_ref());
    content.texts(message.extensions.iter().map(String::as_str));
    content.texts(message.reference_task_ids.iter().map(TaskId::as_str));
    for part in &message.parts {
        content.part(part);
    }
    content.finish()
}

/// Feeds a digest so that no two different messages feed it alike: every piece says its kind and length.
struct Content256(Context);

impl Content256 {
    fn piece(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update(&[kind]);
        self.0.update(&bytes.len().to_le_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.piece(b't', text.as_bytes());
    }

    fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        for text in texts {
            self.text(text);
        }
        self.piece(b'.', &[]);
    }

    fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.piece(b'-', &[]),
        }
    }

    fn json(&mut self, json: Option<&Json>) {
        self.maybe(json.map(|json| json.get()));
    }

    fn part(&mut self, part: &Part) {
        match &part.content {
            Content::Data(data) => self.piece(b'd', data.get().as_bytes()),
            Content::Raw(bytes) => self.piece(b'r', bytes),
            Content::Served(served) => self.piece(b's', served.id.as_str().as_bytes()),
            Content::Text(text) => self.text(text),
            Content::Url(url) => self.piece(b'u', url.as_bytes()),
        }
        self.maybe(part.filename.as_deref());
        self.maybe(part.media_type.as_deref());
        self.json(part.metadata.as_ref());
    }

    fn finish(self) -> Digest {
        let digest = self.0.finish();
        // SHA-256 has 32 bytes.
        digest.as_ref().try_into().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn from(caller: &Caller) -> Route<'_> {
        Route { caller, context_id: None, task_id: None }
    }

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
    async fn s13_the_same_send_within_the_window_is_a_repeat_and_a_different_one_is_not() {
        let repeats = Repeats::new(Duration::from_secs(60));
        let (me, you) = (Caller::named("me"), Caller::named("you"));
        let (one, two, three) = (TaskId::from("1"), TaskId::from("2"), TaskId::from("3"));
        assert_eq!(repeats.claim(from(&me), &message("m", "hi"), &one), None);
        assert_eq!(repeats.claim(from(&me), &message("m", "hi"), &two), Some(one.clone()));
        assert_eq!(repeats.claim(from(&you), &message("m", "hi"), &two), None, "another caller");
        assert_eq!(repeats.claim(from(&me), &message("n", "hi"), &two), None, "another message id");
        assert_eq!(repeats.claim(from(&me), &message("m", "ho"), &two), None, "another content");
        let named = Route { task_id: Some(&one), ..from(&me) };
        assert_eq!(repeats.claim(named, &message("m", "ho"), &one), None, "an answer to a task");
        assert_eq!(repeats.claim(from(&me), &message("m", "ho"), &three), Some(two));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(repeats.claim(from(&me), &message("n", "hi"), &three), None, "too late");
        assert_eq!(repeats.sends.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_claim_is_forgotten() {
        let repeats = Repeats::new(Duration::from_secs(60));
        let me = Caller::anonymous();
        let sent = message("m", "hi");
        repeats.claim(from(&me), &sent, &TaskId::from("1"));
        repeats.release(from(&me), &sent, &TaskId::from("1"));
        assert_eq!(repeats.claim(from(&me), &sent, &TaskId::from("2")), None);
    }

    #[test]
    fn zero_turns_it_off() {
        let repeats = Repeats::new(Duration::ZERO);
        let sent = message("m", "hi");
        assert_eq!(repeats.claim(from(&Caller::anonymous()), &sent, &TaskId::from("1")), None);
        assert_eq!(repeats.claim(from(&Caller::anonymous()), &sent, &TaskId::from("2")), None);
    }
}
