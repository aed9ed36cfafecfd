//! Where a task that waits takes its answer: open while the task is parked, and emptied by the first who answers.
//!
//! ```text
//!   closed --open (the turn parks)--> open --take (a follow-up fits)--> closed
//!                                      +----close (the turn goes on by itself, or ends)--^
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::context::Ticket;
use super::event::Parked;
use super::message::{Json, Message};

/// What a caller says to a task that waits.
#[derive(Debug)]
pub struct Answer {
    /// The message.
    pub message: Arc<Message>,
    /// The metadata of its request, a JSON object.
    pub metadata: Option<Json>,
    /// The place in the context's queue that it came to.
    pub ticket: Ticket,
}

/// A parked turn and the way to it.
#[derive(Debug)]
struct Open {
    parked: Arc<Parked>,
    answer: oneshot::Sender<Answer>,
}

/// The mailbox of one task.
#[derive(Debug, Default)]
pub struct Mailbox(Mutex<Option<Open>>);

impl Mailbox {
    /// The turn parks: gives where it will hear the answer.
    pub fn open(&self, parked: Arc<Parked>) -> oneshot::Receiver<Answer> {
        let (answer, hears) = oneshot::channel();
        *self.lock() = Some(Open { parked, answer });
        hears
    }

    /// What the task waits for, if it does.
    pub fn parked(&self) -> Option<Arc<Parked>> {
        self.lock().as_ref().map(|open| Arc::clone(&open.parked))
    }

    /// Takes the way to the turn, if it still waits for `parked`. Who has it must send.
    pub fn take(&self, parked: &Arc<Parked>) -> Option<oneshot::Sender<Answer>> {
        let mut mailbox = self.lock();
        let is_same = mailbox.as_ref().is_some_and(|open| Arc::ptr_eq(&open.parked, parked));
        if is_same { mailbox.take().map(|open| open.answer) } else { None }
    }

    /// The turn waits no longer. `false` when somebody has taken the way to it before: an answer is coming.
    pub fn close(&self) -> bool {
        self.lock().take().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
