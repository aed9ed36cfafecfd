//! The operations on tasks: send, get, list, cancel, subscribe, and the orderly end of it all.
//!
//! Takes commands from any dialect and gives tasks and readers of their logs. A turn runs on its own, apart from
//! the request that began it; what clients see of it they read from its log.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::backend::{Backend, Profile, Readiness};
use super::clock::Clock;
use super::command::{Cancel, Get, List};
use super::context::Contexts;
use super::error::Error;
use super::ids::{Caller, IdSource, MessageId, TaskId};
use super::live::{Live, LiveTasks};
use super::log::{Seq, TaskLog};
use super::reader::{Closing, Reader, Until};
use super::repeats::Repeats;
use super::state::TaskState;
use super::store::{ContextKey, Page, Store, StoreError};
use super::task::Task;

/// How often what is too old is looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Longest time that a cancel waits for its task to end. Backends are bounded well below it.
const CANCEL_LIMIT: Duration = Duration::from_secs(20);

/// How long a shutdown waits for turns that were told to stop, after the grace.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// Longest user name that goes to the backend, characters.
const MAX_USER: usize = 255;

/// What the backend gets as the user of a turn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UserPolicy {
    /// The authenticated caller, else the `contextId`.
    Auto,
    /// Always the `contextId`.
    Context,
    /// Always this name.
    Fixed(String),
}

/// The engine's settings.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a repeated send is recognized; zero is off.
    pub idempotency_window: Duration,
    /// Turns that run at once.
    pub max_concurrent_turns: usize,
    /// What the backend gets as user.
    pub user: UserPolicy,
}

/// The four things that the engine stands on.
#[derive(Clone)]
pub struct Parts {
    /// Who does the work.
    pub backend: Arc<dyn Backend>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// Who keeps the tasks.
    pub store: Arc<dyn Store>,
}

/// What turns share with the engine.
pub(super) struct Shared {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<dyn Store>,
    pub(super) ids: Arc<dyn IdSource>,
    limits: Limits,
    pub(super) contexts: Arc<Contexts>,
    pub(super) live: LiveTasks,
    pub(super) repeats: Repeats,
    pub(super) turns: TaskTracker,
    pub(super) draining: CancellationToken,
    pub(super) abort: CancellationToken,
}

/// The engine. Cloning it gives another handle on the same one.
#[derive(Clone)]
pub struct Engine(pub(super) Arc<Shared>);

/// What a send came to.
#[derive(Clone, Debug)]
pub enum Sent {
    /// The task's log: it was begun now, or by the same send not long ago.
    Log(Arc<TaskLog>),
    /// The same send was made not long ago, and its task has ended since and left memory.
    Past(Arc<Task>),
}

impl Engine {
    /// An engine at work. It sweeps by itself until it is drained.
    pub fn new(parts: Parts, limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            backend: parts.backend,
            clock: parts.clock,
            store: parts.store,
            ids: parts.ids,
            contexts: Contexts::new(limits.max_concurrent_turns),
            live: LiveTasks::default(),
            repeats: Repeats::new(limits.idempotency_window),
            limits,
            turns: TaskTracker::new(),
            draining: CancellationToken::new(),
            abort: CancellationToken::new(),
        });
        let sweeping = Arc::clone(&shared);
        shared.turns.spawn(async move {
            while sweeping.draining.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
                sweeping.sweep().await;
            }
        });
        Self(shared)
    }

    /// The task as it is.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`] for a task that does not exist or is another caller's.
    pub async fn get(&self, caller: &Caller, command: &Get) -> Result<Task, Error> {
        // Of an ended task the store has the last word, also when it has forgotten it.
        let live = self.0.live.of(caller, &command.id);
        if let Some(live) = live.filter(|live| !live.log.present().state.is_terminal()) {
            return Ok(live.log.snapshot());
        }
        let task = self.0.record_of(caller, &command.id).await?;
        Ok(Arc::unwrap_or_clone(task))
    }

    /// A page of the caller's tasks.
    ///
    /// # Errors
    /// Only when the store is out of reach.
    pub async fn list(&self, caller: &Caller, command: &List) -> Result<Page, Error> {
        let mut page = self.0.store.list(caller, command).await?;
        for task in &mut page.tasks {
            let live = self.0.live.get(&task.id);
            if let Some(Live { log, .. }) = live.filter(|_| !task.status.state.is_terminal()) {
                let mut now = if command.include_artifacts { log.snapshot() } else { log.head() };
                // The list is in the order of the records' times, so it shows these.
                now.status = Arc::clone(&task.status);
                *task = Arc::new(now);
            }
        }
        Ok(page)
    }

    /// Stops a task and waits until it has ended.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`], or [`Error::TaskNotCancelable`] when it ended otherwise.
    pub async fn cancel(&self, caller: &Caller, command: &Cancel) -> Result<Task, Error> {
        let Some(Live { log, stop, .. }) = self.0.live.of(caller, &command.id) else {
            let task = self.0.record_of(caller, &command.id).await?;
            return Err(not_cancelable(&task.id, task.status.state));
        };
        let state = log.present().state;
        if state.is_terminal() {
            return Err(not_cancelable(&command.id, state));
        }
        stop.cancel();
        let (_, mut reader) = log.follow(Until::End, Closing::Mark);
        if tokio::time::timeout(CANCEL_LIMIT, reader.finish()).await.is_err() {
            return Err(Error::Internal(format!("task {} did not stop in time", command.id)));
        }
        match log.present().state {
            TaskState::Canceled => Ok(log.snapshot()),
            state => Err(not_cancelable(&command.id, state)),
        }
    }

    /// The task as it is and a reader of what follows; with `after`, the task as it was there and all that came since.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`]; [`Error::UnsupportedOperation`] when the task has ended and there is nothing
    /// after `after`; [`Error::InvalidParams`] when the log has no such place.
    pub async fn subscribe(
        &self,
        caller: &Caller,
        id: &TaskId,
        after: Option<Seq>,
        closing: Closing,
    ) -> Result<(Task, Reader), Error> {
        let Some(Live { log, .. }) = self.0.live.of(caller, id) else {
            let task = self.0.record_of(caller, id).await?;
            return Err(ended(&task.id));
        };
        let (task, reader) = match after {
            Some(after) => log
                .follow_from(after, Until::End, closing)
                .ok_or_else(|| Error::invalid("Last-Event-ID", format!("task {id} has no event {after}")))?,
            None => log.follow(Until::End, closing),
        };
        if task.status.state.is_terminal() {
            return Err(ended(id));
        }
        Ok((task, reader))
    }

    /// Whether the engine could begin a turn; the reason why not, for the operator.
    ///
    /// # Errors
    /// The reasons, at least one.
    pub async fn ready(&self) -> Result<(), Vec<String>> {
        let mut reasons = Vec::new();
        if self.0.draining.is_cancelled() {
            reasons.push("shutting down".to_owned());
        }
        if let Err(error) = self.0.store.check().await {
            reasons.push(error.to_string());
        }
        if let Readiness::NotReady(reason) = self.0.backend.readiness().await {
            reasons.push(reason);
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// Waits until no more tasks are begun.
    pub async fn draining(&self) {
        self.0.draining.cancelled().await;
    }

    /// What is known of the app behind the backend.
    pub fn profile(&self) -> Arc<Profile> {
        self.0.backend.profile()
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// How many contexts have a turn running.
    pub fn running(&self) -> usize {
        self.0.contexts.running()
    }

    /// Begins no more tasks, lets the running ones end until `grace` is over, then stops them; they end as failed.
    pub async fn drain(&self, grace: impl Future<Output = ()>) {
        let shared = &self.0;
        shared.draining.cancel();
        shared.turns.close();
        let all_ended = tokio::select! {
            () = shared.turns.wait() => true,
            () = grace => false,
        };
        if !all_ended {
            tracing::warn!(turns = shared.turns.len(), "the grace is over; stopping what still runs");
            shared.abort.cancel();
            if tokio::time::timeout(ABORT_LIMIT, shared.turns.wait()).await.is_err() {
                tracing::error!(turns = shared.turns.len(), "turns did not stop");
            }
        }
    }
}

impl Shared {
    /// A fresh message id.
    pub(super) fn draw_message_id(&self) -> MessageId {
        MessageId::from(self.ids.draw().to_string())
    }

    /// What the backend gets as user for turns of this context.
    pub(super) fn user_for(&self, key: &ContextKey) -> String {
        let name = match &self.limits.user {
            UserPolicy::Auto => key.caller.name().unwrap_or(key.id.as_str()),
            UserPolicy::Context => key.id.as_str(),
            UserPolicy::Fixed(name) => name,
        };
        if name.chars().count() <= MAX_USER {
            return name.to_owned();
        }
        format!("a2a:{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }

    pub(super) async fn record_of(&self, caller: &Caller, id: &TaskId) -> Result<Arc<Task>, Error> {
        let record = self.store.task(id).await?;
        record.filter(|task| task.caller == *caller).ok_or_else(|| Error::TaskNotFound(id.clone()))
    }

    async fn sweep(&self) {
        self.live.sweep();
        self.repeats.sweep();
        if let Err(error) = self.store.sweep(self.clock.now()).await {
            tracing::warn!(%error, "the store could not be swept");
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => {
                Self::Busy { what: "the task store is full", retry_after: Duration::from_secs(5) }
            }
            StoreError::Unavailable(_) => Self::Internal(error.to_string()),
        }
    }
}

fn not_cancelable(id: &TaskId, state: TaskState) -> Error {
    Error::TaskNotCancelable { id: id.clone(), state }
}

fn ended(id: &TaskId) -> Error {
    Error::UnsupportedOperation(format!("task {id} has ended; read it instead of following it"))
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
