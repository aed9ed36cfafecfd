//! Sending a message: it begins a task, or answers one that asks, or repeats a send that was made not long ago.

use std::sync::Arc;

use super::backend::{Known, Said};
use super::command::{Get, Send};
use super::engine::{Engine, Sent, Shared};
use super::error::Error;
use super::event::Status;
use super::ids::{Caller, ContextId, MessageId, TaskId};
use super::live::Live;
use super::log::TaskLog;
use super::mailbox::Answer;
use super::message::Message;
use super::repeats::Route;
use super::state::TaskState;
use super::store::{ContextKey, ContextRecord};
use super::task::Task;
use super::turn::{Stop, Turn};

/// Longest name of a trace, bytes; tracing takes no more.
const MAX_TRACE_ID: usize = 128;

impl Engine {
    /// Sends a message: begins a task, or finds the one that the same send has begun.
    ///
    /// # Errors
    /// Whatever is wrong with the request; then nothing was begun.
    pub async fn send(&self, caller: &Caller, command: Send) -> Result<Sent, Error> {
        let shared = &self.0;
        // A drain waits for everything that holds such a token, so no send slips past it.
        let _sending = shared.turns.token();
        if shared.draining.is_cancelled() {
            return Err(Error::Draining);
        }
        if command.wants_push {
            return Err(Error::PushNotSupported);
        }
        let context_id = command.message.context_id.clone();
        let named = command.message.task_id.clone();
        let route = Route { caller, context_id: context_id.as_ref(), task_id: named.as_ref() };
        while let Some(first) = shared.repeats.find(route, &command.message) {
            match self.repeated(caller, &first).await {
                // Its task is no longer kept, so there is nothing that it could be a repeat of.
                Err(Error::TaskNotFound(_)) => {
                    shared.repeats.release(route, &command.message, &first);
                }
                found => return found,
            }
        }
        if let Some(task_id) = &named {
            return self.follow_up(caller, task_id, command).await;
        }
        let record = match &context_id {
            Some(id) => self.0.known(&ContextKey { caller: caller.clone(), id: id.clone() }).await?,
            None => Remembered::Nothing,
        };
        shared.backend.accept(said(&command, &record)).await?;
        self.begin(caller, context_id, command).await
    }

    /// A message that names a task: the answer to what that task asks, or nothing that it could take.
    async fn follow_up(&self, caller: &Caller, task_id: &TaskId, command: Send) -> Result<Sent, Error> {
        let shared = &self.0;
        let task = self.get(caller, &Get { id: task_id.clone(), history_length: None }).await?;
        let context_id = command.message.context_id.clone();
        if context_id.as_ref().is_some_and(|context_id| *context_id != task.context_id) {
            return Err(Error::invalid(
                "message.contextId",
                format!("task {task_id} belongs to another context; leave it out or give that task's own"),
            ));
        }
        let live = shared.live.of(caller, task_id).filter(|_| task.status.state.is_interrupted());
        let Some((live, parked)) = live.and_then(|live| live.mailbox.parked().map(|parked| (live, parked)))
        else {
            return Err(takes_no_message(task_id, task.status.state));
        };
        let key = ContextKey { caller: caller.clone(), id: task.context_id.clone() };
        let record = shared.known(&key).await?;
        shared.backend.accept_answer(&parked, said(&command, &record)).await?;
        let mut message = command.message;
        message.context_id = Some(task.context_id);
        message.task_id = Some(task_id.clone());
        let message = Arc::new(message);
        let ticket = shared.contexts.enter(key)?;
        // Of two answers at once the first one counts, and a repeat of it finds the task.
        let Some(answers) = live.mailbox.take(&parked) else {
            return Err(takes_no_message(task_id, TaskState::Working));
        };
        let route = Route { caller, context_id: context_id.as_ref(), task_id: Some(task_id) };
        shared.repeats.claim(route, &message, task_id);
        if let Err(error) = live.log.resume(Arc::clone(&message), shared.clock.now()) {
            tracing::error!(task.id = %task_id, %error, "a task that waited could not go on");
        }
        if let Err(error) = shared.store.put_task(Arc::new(live.log.snapshot())).await {
            tracing::error!(task.id = %task_id, %error, "an answer to a task could not be stored");
        }
        // The turn waits for nothing else now.
        let _ = answers.send(Answer { message, metadata: command.metadata, ticket });
        Ok(Sent::Log(live.log))
    }

    async fn repeated(&self, caller: &Caller, first: &TaskId) -> Result<Sent, Error> {
        tracing::debug!(task.id = %first, "a send was repeated");
        match self.0.live.of(caller, first) {
            Some(live) => Ok(Sent::Log(live.log)),
            None => Ok(Sent::Past(self.0.record_of(caller, first).await?)),
        }
    }

    /// Begins a task: queues its turn, keeps the task, and lets the turn run. Whoever sends the same at the same
    /// time gets the same task.
    async fn begin(
        &self,
        caller: &Caller,
        context_id: Option<ContextId>,
        command: Send,
    ) -> Result<Sent, Error> {
        let shared = &self.0;
        let live = shared.new_task(caller, command.message);
        let task = live.log.head();
        let Some(message) = task.history.first().cloned() else {
            return Err(Error::Internal("a task without a message".to_owned()));
        };
        let (id, key) = (task.id.clone(), ContextKey { caller: caller.clone(), id: task.context_id.clone() });
        // The place in the queue first: two sends are answered in the order in which they came.
        let ticket = shared.contexts.enter(key.clone())?;
        // Then the log, so that whoever is told of this task by the claim finds it.
        shared.live.insert(id.clone(), live.clone());
        let route = Route { caller, context_id: context_id.as_ref(), task_id: None };
        if let Some(first) = shared.repeats.claim(route, &message, &id) {
            shared.live.remove(&id);
            return self.repeated(caller, &first).await;
        }
        if let Err(error) = shared.store.put_task(Arc::new(task)).await {
            shared.repeats.release(route, &message, &id);
            live.log.abandon(shared.clock.now());
            shared.live.remove(&id);
            return Err(error.into());
        }
        let log = Arc::clone(&live.log);
        let trace_id = command.trace_id.or_else(|| trace_of(&message.id));
        let turn = Turn {
            shared: Arc::clone(shared),
            live,
            key,
            message,
            metadata: command.metadata,
            accepted: command.accepted,
            trace_id,
        };
        shared.turns.spawn(turn.run(ticket));
        Ok(Sent::Log(log))
    }
}

impl Shared {
    /// What is known of a context before a turn of it.
    async fn known(&self, key: &ContextKey) -> Result<Remembered, Error> {
        if self.contexts.is_busy(key) {
            return Ok(Remembered::NotYet);
        }
        Ok(self.store.context(key).await?.map_or(Remembered::Nothing, Remembered::Record))
    }

    fn new_task(&self, caller: &Caller, mut message: Message) -> Live {
        let id = TaskId::from(self.ids.draw().to_string());
        let given = message.context_id.take();
        let context_id = given.unwrap_or_else(|| ContextId::from(self.ids.draw().to_string()));
        let now = self.clock.now();
        message.context_id = Some(context_id.clone());
        message.task_id = Some(id.clone());
        let log = TaskLog::new(Task {
            id,
            context_id,
            caller: caller.clone(),
            created_at: now,
            status: Arc::new(Status::plain(TaskState::Submitted, now)),
            history: vec![Arc::new(message)],
            artifacts: Vec::new(),
            facts: Arc::default(),
        });
        Live { log, stop: Arc::new(Stop::under(&self.abort)), mailbox: Arc::default() }
    }
}

/// What is remembered of a context for the next turn.
enum Remembered {
    Nothing,
    NotYet,
    Record(ContextRecord),
}

fn said<'a>(command: &'a Send, remembered: &'a Remembered) -> Said<'a> {
    Said {
        message: &command.message,
        metadata: command.metadata.as_ref(),
        accepted: &command.accepted,
        context: match remembered {
            Remembered::Nothing => Known::Nothing,
            Remembered::NotYet => Known::NotYet,
            Remembered::Record(record) => Known::Record(record.inputs.as_ref()),
        },
    }
}

/// The name of a trace that no caller has named: the message's own id, where it can be one. So whoever looks at traces
/// finds the turn of a message.
fn trace_of(id: &MessageId) -> Option<Arc<str>> {
    let id = id.as_str();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=MAX_TRACE_ID).contains(&id.len()) && id.bytes().all(is_plain)).then(|| Arc::from(id))
}

fn takes_no_message(id: &TaskId, state: TaskState) -> Error {
    let what = if state.is_terminal() { "has ended" } else { "is still being worked on" };
    Error::UnsupportedOperation(format!(
        "task {id} {what} and takes no further message; send it with the contextId alone to go on with the \
         conversation"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_names_the_trace_where_it_can() {
        let longest = "x".repeat(MAX_TRACE_ID);
        for id in ["0193-ab_Z", "-", &longest] {
            assert_eq!(trace_of(&MessageId::from(id)).as_deref(), Some(id));
        }
        let too_long = "x".repeat(MAX_TRACE_ID + 1);
        for id in ["", "a b", "a.b", "a/b", "nächste", "a\n", &too_long] {
            assert_eq!(trace_of(&MessageId::from(id)), None, "{id:?}");
        }
    }
}
