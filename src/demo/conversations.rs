//! What an app remembers of its talks: conversations by user. Bounded in every direction; the conversation that was
//! idle longest is forgotten first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::wire::Object;

/// Conversations that are kept.
const MAX_CONVERSATIONS: usize = 256;
/// Messages that are kept of one conversation.
const MAX_MESSAGES: usize = 100;
/// Text that is kept of one conversation, bytes; with the numbers above at most 64 MiB in all.
const MAX_TEXT: usize = 256 << 10;

/// The conversations of one app. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversations(Arc<Mutex<Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    by_id: HashMap<Uuid, Conversation>,
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
    /// What the app wants to know the next time: a name, a decision.
    pub(super) note: Option<String>,
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
    /// How it stands.
    pub(super) standing: Standing,
    /// What Dify puts into `extra_contents`: the form and what became of it.
    pub(super) extra: Vec<Object>,
}

/// How a message stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// It went wrong for this reason.
    Error(&'static str),
    /// It is said.
    Normal,
    /// It waits for somebody.
    Paused,
}

/// There is no such conversation of this user.
#[derive(Debug)]
pub(super) struct NoSuchConversation;

impl Conversations {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a turn in a conversation of this user, or in a new one, at `now` (Unix seconds). Gives its id and
    /// what `look` made of it.
    pub(super) fn begin<T>(
        &self,
        user: &str,
        conversation: Option<Uuid>,
        now: i64,
        look: impl FnOnce(&mut Conversation) -> T,
    ) -> Result<(Uuid, T), NoSuchConversation> {
        let mut shelf = self.shelf();
        shelf.clock += 1;
        let touched = shelf.clock;
        let id = match conversation {
            Some(id) => id,
            None => shelf.open(user, now),
        };
        let found = shelf.by_id.get_mut(&id).filter(|found| found.user == user);
        let conversation = found.ok_or(NoSuchConversation)?;
        conversation.touched = touched;
        conversation.updated_at = now;
        Ok((id, look(conversation)))
    }

    /// Keeps a message, in place of an earlier state of it. Nothing happens if the conversation is forgotten.
    pub(super) fn keep(&self, conversation: Uuid, message: Message) {
        let mut shelf = self.shelf();
        let Some(conversation) = shelf.by_id.get_mut(&conversation) else { return };
        match conversation.messages.iter_mut().find(|kept| kept.id == message.id) {
            Some(kept) => *kept = message,
            None => conversation.messages.push(message),
        }
        conversation.trim();
    }

    /// Changes what the app wants to know the next time.
    pub(super) fn note(&self, conversation: Uuid, note: &str) {
        if let Some(conversation) = self.shelf().by_id.get_mut(&conversation) {
            conversation.note = Some(note.to_owned());
        }
    }

    /// A copy of one conversation of this user.
    pub(super) fn get(&self, id: Uuid, user: &str) -> Result<Conversation, NoSuchConversation> {
        let shelf = self.shelf();
        let found = shelf.by_id.get(&id).filter(|found| found.user == user);
        found.cloned().ok_or(NoSuchConversation)
    }

    /// This user's conversations with their times, the one last spoken in first: `(id, created, updated)`.
    pub(super) fn list(&self, user: &str) -> Vec<(Uuid, i64, i64)> {
        let shelf = self.shelf();
        let mut own: Vec<_> = shelf.by_id.iter().filter(|(_, found)| found.user == user).collect();
        own.sort_unstable_by_key(|(_, found)| std::cmp::Reverse(found.touched));
        own.into_iter().map(|(id, found)| (*id, found.created_at, found.updated_at)).collect()
    }
}

impl Shelf {
    fn open(&mut self, user: &str, now: i64) -> Uuid {
        if self.by_id.len() >= MAX_CONVERSATIONS {
            let idlest = self.by_id.iter().min_by_key(|(_, found)| found.touched);
            if let Some(id) = idlest.map(|(id, _)| *id) {
                self.by_id.remove(&id);
            }
        }
        let id = Uuid::new_v4();
        let conversation = Conversation {
            user: user.to_owned(),
            created_at: now,
            updated_at: now,
            messages: Vec::new(),
            note: None,
            touched: self.clock,
        };
        self.by_id.insert(id, conversation);
        id
    }
}

impl Conversation {
    /// Words that a model would have read: the conversation so far.
    pub(super) fn words(&self) -> usize {
        self.messages
            .iter()
            .flat_map(|message| [&message.query, &message.answer])
            .map(|text| words(text))
            .sum()
    }

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

/// How many words a text has.
pub(super) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(answer: String) -> Message {
        Message {
            id: Uuid::new_v4(),
            query: String::new(),
            answer,
            created_at: 0,
            standing: Standing::Normal,
            extra: Vec::new(),
        }
    }

    #[test]
    fn the_idlest_conversation_is_forgotten_first() {
        let memory = Conversations::default();
        let open = |id| memory.begin("u", id, 0, |_| ()).unwrap().0;
        let first = open(None);
        let second = open(None);
        open(Some(first));
        for _ in 0..MAX_CONVERSATIONS - 1 {
            open(None);
        }
        assert!(memory.get(first, "u").is_ok());
        assert!(memory.get(second, "u").is_err());
        assert_eq!(memory.list("u").len(), MAX_CONVERSATIONS);
        assert!(memory.begin("mallory", Some(first), 0, |_| ()).is_err());
    }

    #[test]
    fn a_conversation_is_bounded_in_messages_and_text() {
        let memory = Conversations::default();
        let (id, ()) = memory.begin("u", None, 0, |_| ()).unwrap();
        for _ in 0..MAX_MESSAGES + 5 {
            memory.keep(id, message("x".to_owned()));
        }
        let kept = || memory.get(id, "u").unwrap().messages.len();
        assert_eq!(kept(), MAX_MESSAGES);
        memory.keep(id, message("x".repeat(MAX_TEXT)));
        assert_eq!(kept(), 1);
        memory.keep(id, message("x".repeat(MAX_TEXT + 1)));
        assert_eq!(kept(), 0);
    }

    #[test]
    fn a_message_is_kept_once() {
        let memory = Conversations::default();
        let (id, ()) = memory.begin("u", None, 0, |_| ()).unwrap();
        let first = message("so far".to_owned());
        memory.keep(id, Message { standing: Standing::Paused, ..first.clone() });
        memory.keep(id, Message { answer: "so far and on".to_owned(), ..first });
        let kept = memory.get(id, "u").unwrap();
        assert_eq!(kept.messages.len(), 1);
        assert_eq!((kept.messages[0].standing, kept.words()), (Standing::Normal, 4));
    }
}
