//! What the demo app remembers: conversations by user, and the turns that run. Bounded in every direction; the
//! conversation that was idle longest is forgotten first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Pace, script};

/// Conversations that are kept.
const MAX_CONVERSATIONS: usize = 256;
/// Messages that are kept of one conversation.
const MAX_MESSAGES: usize = 100;
/// Text that is kept of one conversation, bytes; with the numbers above at most 64 MiB in all.
const MAX_TEXT: usize = 256 << 10;

/// The memory of one demo app. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// How fast it speaks.
    pub(super) pace: Pace,
    shelves: Arc<Mutex<Shelves>>,
}

#[derive(Debug, Default)]
struct Shelves {
    conversations: HashMap<Uuid, Conversation>,
    running: HashMap<Uuid, Running>,
    /// Counts touches, so that they can be put in order.
    clock: u64,
}

/// One conversation of one user.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    /// Whose it is.
    pub(super) user: String,
    /// When it began, Unix seconds.
    pub(super) created_at: i64,
    /// When something was last said, Unix seconds.
    pub(super) updated_at: i64,
    /// What was said, oldest first.
    pub(super) messages: Vec<Message>,
    /// The name the user gave.
    name: Option<String>,
    touched: u64,
}

/// One exchange: what the user said and what the app answered.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Its id.
    pub(super) id: Uuid,
    /// The user's words.
    pub(super) query: String,
    /// The app's.
    pub(super) answer: String,
    /// When, Unix seconds.
    pub(super) created_at: i64,
    /// What went wrong, if it did.
    pub(super) error: Option<&'static str>,
}

#[derive(Debug)]
struct Running {
    user: String,
    stop: CancellationToken,
}

/// There is no such conversation of this user.
#[derive(Debug)]
pub(super) struct NoSuchConversation;

/// A turn that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// Which conversation it is in.
    pub(super) conversation: Uuid,
    /// The turn's own id, by which it can be stopped.
    pub(super) task: Uuid,
    /// Fires when it shall stop.
    pub(super) stop: CancellationToken,
    /// What to say.
    pub(super) script: script::Script,
    /// Words that the model would have read: the conversation so far and the query.
    pub(super) prompt_words: usize,
}

impl Memory {
    /// An empty one.
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, shelves: Arc::default() }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a turn in a conversation of this user, or in a new one.
    pub(super) fn begin(
        &self,
        user: &str,
        conversation: Option<Uuid>,
        query: &str,
        now: i64,
    ) -> Result<Begun, NoSuchConversation> {
        let mut shelves = self.shelves();
        shelves.clock += 1;
        let touched = shelves.clock;
        let id = match conversation {
            Some(id) => id,
            None => shelves.open(user, now),
        };
        let found = shelves.conversations.get_mut(&id).filter(|found| found.user == user);
        let conversation = found.ok_or(NoSuchConversation)?;
        conversation.touched = touched;
        conversation.updated_at = now;
        let script = script::answer(query, conversation.name.as_deref());
        conversation.name = script::name_in(query).or_else(|| conversation.name.take());
        let said = conversation.messages.iter().flat_map(|message| [&message.query, &message.answer]);
        let prompt_words = said.map(|text| words(text)).sum::<usize>() + words(query);
        let (task, stop) = (Uuid::new_v4(), CancellationToken::new());
        shelves.running.insert(task, Running { user: user.to_owned(), stop: stop.clone() });
        Ok(Begun { conversation: id, task, stop, script, prompt_words })
    }

    /// Ends a turn and keeps what was said in it.
    pub(super) fn end(&self, task: Uuid, conversation: Uuid, message: Message) {
        let mut shelves = self.shelves();
        shelves.running.remove(&task);
        let Some(conversation) = shelves.conversations.get_mut(&conversation) else { return };
        conversation.messages.push(message);
        conversation.trim();
    }

    /// Asks a turn to stop; nothing happens unless it runs for this user.
    pub(super) fn stop(&self, task: Uuid, user: &str) {
        if let Some(running) = self.shelves().running.get(&task).filter(|running| running.user == user) {
            running.stop.cancel();
        }
    }

    /// A copy of one conversation of this user.
    pub(super) fn conversation(&self, id: Uuid, user: &str) -> Result<Conversation, NoSuchConversation> {
        let shelves = self.shelves();
        let found = shelves.conversations.get(&id).filter(|found| found.user == user);
        found.cloned().ok_or(NoSuchConversation)
    }

    /// This user's conversations with their times, the one last spoken in first: `(id, created, updated)`.
    pub(super) fn conversations(&self, user: &str) -> Vec<(Uuid, i64, i64)> {
        let shelves = self.shelves();
        let mut own: Vec<_> = shelves.conversations.iter().filter(|(_, found)| found.user == user).collect();
        own.sort_unstable_by_key(|(_, found)| std::cmp::Reverse(found.touched));
        own.into_iter().map(|(id, found)| (*id, found.created_at, found.updated_at)).collect()
    }
}

impl Shelves {
    fn open(&mut self, user: &str, now: i64) -> Uuid {
        if self.conversations.len() >= MAX_CONVERSATIONS {
            let idlest = self.conversations.iter().min_by_key(|(_, found)| found.touched);
            if let Some(id) = idlest.map(|(id, _)| *id) {
                self.conversations.remove(&id);
            }
        }
        let id = Uuid::new_v4();
        self.conversations.insert(
            id,
            Conversation {
                user: user.to_owned(),
                created_at: now,
                updated_at: now,
                messages: Vec::new(),
                name: None,
                touched: self.clock,
            },
        );
        id
    }
}

impl Conversation {
    /// Forgets the oldest messages beyond the limits.
    fn trim(&mut self) {
        let mut text = 0;
        let fitting = self.messages.iter().rev().take(MAX_MESSAGES).take_while(|message| {
            text += message.query.len() + message.answer.len();
            text <= MAX_TEXT
        });
        let surplus = self.messages.len() - fitting.count();
        self.messages.drain(..surplus);
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(answer: String) -> Message {
        Message { id: Uuid::new_v4(), query: String::new(), answer, created_at: 0, error: None }
    }

    #[test]
    fn the_idlest_conversation_is_forgotten_first() {
        let memory = Memory::new(Pace::instant());
        let first = memory.begin("u", None, "x", 0).unwrap().conversation;
        let second = memory.begin("u", None, "x", 0).unwrap().conversation;
        memory.begin("u", Some(first), "x", 0).unwrap();
        for _ in 0..MAX_CONVERSATIONS - 1 {
            memory.begin("u", None, "x", 0).unwrap();
        }
        assert!(memory.conversation(first, "u").is_ok());
        assert!(memory.conversation(second, "u").is_err());
        assert_eq!(memory.conversations("u").len(), MAX_CONVERSATIONS);
    }

    #[test]
    fn a_conversation_is_bounded_in_messages_and_text() {
        let memory = Memory::new(Pace::instant());
        let begun = memory.begin("u", None, "x", 0).unwrap();
        for _ in 0..MAX_MESSAGES + 5 {
            memory.end(begun.task, begun.conversation, message("x".to_owned()));
        }
        let kept = || memory.conversation(begun.conversation, "u").unwrap().messages.len();
        assert_eq!(kept(), MAX_MESSAGES);
        memory.end(begun.task, begun.conversation, message("x".repeat(MAX_TEXT)));
        assert_eq!(kept(), 1);
        memory.end(begun.task, begun.conversation, message("x".repeat(MAX_TEXT + 1)));
        assert_eq!(kept(), 0);
    }

    #[test]
    fn only_the_user_of_a_turn_stops_it() {
        let memory = Memory::new(Pace::instant());
        let begun = memory.begin("alice", None, "x", 0).unwrap();
        memory.stop(begun.task, "mallory");
        assert!(!begun.stop.is_cancelled());
        memory.stop(begun.task, "alice");
        assert!(begun.stop.is_cancelled());
        assert!(memory.begin("mallory", Some(begun.conversation), "x", 0).is_err());
    }
}
