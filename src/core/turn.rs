//! One turn: waits for its place, has the backend work, and settles the task. It alone ends its task, so
//! every race between an answer, a cancel and a shutdown is decided here, once.
//!
//! ```text
//!   queued --place--> running --outcome--> settled
//!      |                 |                    ^
//!      +----- stop ------+--- stop -----------+      (stop: a cancel, or the end of a shutdown's grace)
//! ```

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::backend::{Sink, TurnRequest};
use super::context::{Place, Ticket};
use super::engine::Shared;
use super::error::Error;
use super::event::{Facts, FactsUpdate, Failure, FailureSource, Outcome, Status, StatusNote, TaskEvent};
use super::ids::MessageId;
use super::log::{TaskLog, TooLong};
use super::message::Message;
use super::state::TaskState;
use super::store::{ContextKey, ContextRecord};
use super::task::Task;

/// How a running turn is told to stop, and why.
#[derive(Debug)]
pub(super) struct Stop {
    canceled: AtomicBool,
    token: CancellationToken,
}

impl Stop {
    /// Not yet; fires when `shutdown` does.
    pub(super) fn under(shutdown: &CancellationToken) -> Self {
        Self { canceled: AtomicBool::new(false), token: shutdown.child_token() }
    }

    /// The caller wants it stopped.
    pub(super) fn cancel(&self) {
        self.canceled.store(true, Ordering::SeqCst);
        self.token.cancel();
    }

    fn was_canceled(&self) -> bool {
        self.canceled.load(Ordering::SeqCst)
    }
}

/// A turn on its way.
pub(super) struct Turn {
    pub(super) shared: Arc<Shared>,
    pub(super) log: Arc<TaskLog>,
    pub(super) key: ContextKey,
    pub(super) message: Arc<Message>,
    pub(super) stop: Arc<Stop>,
}

/// What became of a turn before it is written down.
struct End {
    state: TaskState,
    note: Option<StatusNote>,
}

impl Turn {
    /// Runs the turn to its end, whatever happens in it.
    pub(super) async fn run(self, ticket: Ticket) {
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.shared.clock));
        if AssertUnwindSafe(self.run_to_its_end(ticket)).catch_unwind().await.is_err() {
            tracing::error!(task.id = %log.head().id, "a turn panicked as it ended");
            log.abandon(clock.now());
        }
    }

    /// The next turn of the context begins when the task is settled.
    async fn run_to_its_end(self, ticket: Ticket) {
        let place = tokio::select! {
            biased;
            () = self.stop.token.cancelled() => None,
            place = ticket.place() => place,
        };
        let mut place = place;
        let outcome = match &mut place {
            Some(place) => self.work(place).await,
            None => Outcome::Stopped { confirmed: true },
        };
        self.settle(outcome).await;
        // The next turn gets in only now that this one is settled.
        drop(place);
        self.shared.live.linger(&self.log);
    }

    async fn work(&self, place: &mut Place) -> Outcome {
        match AssertUnwindSafe(self.ask_backend(place)).catch_unwind().await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                tracing::error!(task.id = %self.log.head().id, %error, "turn could not be run");
                Outcome::Failed(Failure::internal())
            }
            Err(_) => {
                tracing::error!(task.id = %self.log.head().id, "turn panicked");
                Outcome::Failed(Failure::internal())
            }
        }
    }

    async fn ask_backend(&self, place: &mut Place) -> Result<Outcome, Error> {
        let task = self.log.head();
        let user = self.shared.user_for(&self.key);
        let known = match place.record() {
            Some(known) => Some(known.clone()),
            None => self.shared.store.context(&self.key).await?,
        };
        let own = known.as_ref().filter(|known| *known.user == *user);
        let conversation_id = own.map(|known| Arc::clone(&known.conversation_id));
        if known.is_some() && conversation_id.is_none() {
            self.log.learn(FactsUpdate::ConversationRestarted);
        }
        let request = TurnRequest {
            task_id: task.id,
            context_id: task.context_id,
            message: Arc::clone(&self.message),
            user: user.clone(),
            conversation_id,
            stop: self.stop.token.clone(),
        };
        let mut sink = LogSink { turn: self, user: Arc::from(user), refused: None, kept: known };
        let outcome = self.shared.backend.run(request, &mut sink).await;
        if let Some(mut kept) = sink.kept.take() {
            kept.used_at = self.shared.clock.now();
            self.shared.store.put_context(self.key.clone(), kept.clone()).await?;
            place.leave(kept);
        }
        Ok(sink.refused.map_or(outcome, |too_long| Outcome::Failed(too_long_failure(too_long))))
    }

    /// Writes the end down: in the store first, then in the log, where clients hear of it.
    async fn settle(&self, outcome: Outcome) {
        let end = self.judge(outcome);
        let at = self.shared.clock.now();
        let note = end.note.map(|note| (self.shared.draw_message_id(), note));
        let status = Arc::new(Status { state: end.state, at, note });
        let mut record = self.log.snapshot();
        record.status = Arc::clone(&status);
        if let Err(error) = self.shared.store.put_task(Arc::new(record)).await {
            tracing::error!(task.id = %self.log.head().id, %error, "the end of a task could not be stored");
        }
        tell(&self.log.head(), &status);
        if let Err(error) = self.log.status(status) {
            tracing::error!(task.id = %self.log.head().id, %error, "a task was ended twice");
        }
    }

    fn judge(&self, outcome: Outcome) -> End {
        match outcome {
            Outcome::Completed => End { state: TaskState::Completed, note: None },
            Outcome::Failed(failure) => {
                End { state: TaskState::Failed, note: Some(StatusNote::Failure(failure)) }
            }
            Outcome::Stopped { confirmed } if self.stop.was_canceled() => {
                self.log.amend(|facts: &mut Facts| facts.stop_confirmed = Some(confirmed));
                End { state: TaskState::Canceled, note: None }
            }
            Outcome::Stopped { .. } => {
                End { state: TaskState::Failed, note: Some(StatusNote::Failure(Failure::shutdown())) }
            }
        }
    }
}

/// The one line that the log has of a turn.
fn tell(task: &Task, end: &Status) {
    let elapsed = end.at.duration_since(task.created_at).as_millis();
    let elapsed_ms = u64::try_from(elapsed).unwrap_or_default();
    let code = end.failure().map_or("", |failure| &failure.code);
    tracing::info!(task.id = %task.id, state = ?end.state, code, elapsed_ms, "task ended");
}

fn too_long_failure(too_long: TooLong) -> Failure {
    Failure {
        code: "answer_too_large".into(),
        message: format!("the answer was cut off: {too_long}"),
        retryable: false,
        source: FailureSource::Gateway,
    }
}

/// Writes what the backend reports into the task's log.
struct LogSink<'t> {
    turn: &'t Turn,
    user: Arc<str>,
    refused: Option<TooLong>,
    /// What is known of the conversation.
    kept: Option<ContextRecord>,
}

impl LogSink<'_> {
    fn push_status(&self, note: Option<(MessageId, StatusNote)>) {
        let status = Status { state: TaskState::Working, at: self.turn.shared.clock.now(), note };
        if let Err(error) = self.turn.log.status(Arc::new(status)) {
            tracing::error!(task.id = %self.turn.log.head().id, %error, "a step came after the end");
        }
    }

    fn working(&self) {
        if self.turn.log.present().state != TaskState::Working {
            self.push_status(None);
        }
    }
}

impl Sink for LogSink<'_> {
    fn emit(&mut self, event: TaskEvent<'_>) {
        let taken = match event {
            TaskEvent::Facts(update) => {
                self.turn.log.learn(update);
                Ok(())
            }
            TaskEvent::Progress(progress) => {
                let id = self.turn.shared.draw_message_id();
                self.push_status(Some((id, StatusNote::Progress(progress))));
                Ok(())
            }
            TaskEvent::Replace { artifact, text } => self.turn.log.replace(artifact, text),
            TaskEvent::Text { artifact, delta } => self.turn.log.text(artifact, delta),
            TaskEvent::Working => {
                self.working();
                Ok(())
            }
        };
        if let Err(too_long) = taken
            && self.refused.is_none()
        {
            self.refused = Some(too_long);
            self.turn.stop.token.cancel();
        }
    }

    fn conversation<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let shared = &self.turn.shared;
            let now = shared.clock.now();
            let record =
                ContextRecord { conversation_id: Arc::from(id), user: Arc::clone(&self.user), used_at: now };
            self.turn.log.amend(|facts| facts.conversation_id = Some(Arc::clone(&record.conversation_id)));
            self.kept = Some(record.clone());
            shared.store.put_context(self.turn.key.clone(), record).await?;
            if self.turn.log.present().state == TaskState::Submitted {
                let mut task = self.turn.log.head();
                task.status = Arc::new(Status::plain(TaskState::Working, now));
                shared.store.put_task(Arc::new(task)).await?;
            }
            self.working();
            Ok(())
        })
    }
}
