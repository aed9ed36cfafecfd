//! One turn: waits for its place, has the backend work, and settles the task. It alone ends its task, so
//! every race between an answer, a cancel and a shutdown is decided here, once.
//!
//! ```text
//!   queued --place--> running --outcome--> settled
//!      |               |  ^                   ^
//!      |          asks v  | answer, or moved  |
//!      |             parked ------------------+
//!      |                 |                    |
//!      +----- stop ------+--- stop -----------+      (stop: a cancel, or the end of a shutdown's grace; a parked
//!                                                     turn does not wait for that grace)
//! ```
//!
//! A parked turn has no place in its context's queue: other turns go on, and the answer draws a new number.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::accepted::Accepted;
use super::backend::{Cause, Resume, Sink, Told, TurnRequest};
use super::context::{Place, Ticket};
use super::engine::Shared;
use super::error::Error;
use super::event::{Failure, FailureSource, Outcome, Parked, Status, StatusNote, TaskEvent};
use super::facts::{Facts, FactsUpdate};
use super::ids::MessageId;
use super::live::Live;
use super::log::TooLong;
use super::message::{Json, Message, Served};
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
    pub(super) live: Live,
    pub(super) key: ContextKey,
    pub(super) message: Arc<Message>,
    pub(super) metadata: Option<Json>,
    pub(super) accepted: Accepted,
    pub(super) trace_id: Option<Arc<str>>,
}

/// What became of a turn before it is written down.
struct End {
    state: TaskState,
    note: Option<StatusNote>,
}

/// One stretch of a turn's work: from its beginning, or from where it was parked.
struct Leg {
    /// The place to come to. What goes on by itself needs none.
    ticket: Option<Ticket>,
    resume: Option<Resume>,
}

impl Turn {
    /// Runs the turn to its end, whatever happens in it.
    pub(super) async fn run(self, ticket: Ticket) {
        let (log, clock) = (Arc::clone(&self.live.log), Arc::clone(&self.shared.clock));
        if AssertUnwindSafe(self.run_to_its_end(ticket)).catch_unwind().await.is_err() {
            tracing::error!(task.id = %log.head().id, "a turn panicked as it ended");
            log.abandon(clock.now());
        }
    }

    async fn run_to_its_end(self, ticket: Ticket) {
        let mut leg = Leg { ticket: Some(ticket), resume: None };
        let mut answers = Vec::new();
        loop {
            let mut place = None;
            if let Some(ticket) = leg.ticket.take() {
                place = tokio::select! {
                    biased;
                    () = self.live.stop.token.cancelled() => None,
                    place = ticket.place() => place,
                };
                if place.is_none() {
                    self.settle(Outcome::Stopped { confirmed: true }).await;
                    break;
                }
            }
            match self.work(place.as_mut(), leg.resume.take(), &answers).await {
                Outcome::InputRequired(parked) if !self.live.stop.token.is_cancelled() => {
                    drop(place);
                    let confirmed = !parked.leaves_work;
                    match self.park(parked, &mut answers).await {
                        Some(next) => leg = next,
                        None => {
                            self.settle(Outcome::Stopped { confirmed }).await;
                            break;
                        }
                    }
                }
                Outcome::InputRequired(parked) => {
                    self.settle(Outcome::Stopped { confirmed: !parked.leaves_work }).await;
                    break;
                }
                outcome => {
                    self.settle(outcome).await;
                    // The next turn of the context gets in only now that this one is settled.
                    drop(place);
                    break;
                }
            }
        }
        self.shared.live.linger(&self.live.log);
    }

    /// Waits for the caller, or for a sign that there is nothing to wait for any more. `None` when the turn is to stop.
    async fn park(&self, parked: Parked, answers: &mut Vec<Told>) -> Option<Leg> {
        let parked = Arc::new(parked);
        let hears = self.live.mailbox.open(Arc::clone(&parked));
        self.ask(&parked).await;
        let mut hears = std::pin::pin!(hears);
        let answer = tokio::select! {
            biased;
            () = self.live.stop.token.cancelled() => None,
            () = self.shared.draining.cancelled() => None,
            answer = &mut hears => Some(answer.ok()),
            () = self.shared.backend.watch(&parked) => Some(None),
        };
        self.live.log.keep_question();
        // Whoever has taken the way here before it is closed will come.
        let answer = match answer? {
            None if !self.live.mailbox.close() => hears.await.ok(),
            answer => answer,
        };
        let answer_so_far = self.live.log.snapshot().answer().unwrap_or_default().to_owned();
        let (ticket, cause) = match answer {
            Some(answer) => {
                answers.push(Told { message: answer.message, metadata: answer.metadata });
                (Some(answer.ticket), Cause::Answered)
            }
            None => (None, Cause::Moved),
        };
        Some(Leg { ticket, resume: Some(Resume { parked, cause, answer_so_far }) })
    }

    /// Writes down that the task waits: in the store first, then in the log.
    async fn ask(&self, parked: &Parked) {
        let note = (self.shared.draw_message_id(), StatusNote::Ask(parked.ask.clone()));
        let at = self.shared.clock.now();
        let status = Arc::new(Status { state: TaskState::InputRequired, at, note: Some(note) });
        let mut record = self.live.log.snapshot();
        record.status = Arc::clone(&status);
        if let Err(error) = self.shared.store.put_task(Arc::new(record)).await {
            tracing::error!(task.id = %self.live.log.head().id, %error, "a task that waits could not be stored");
        }
        if let Err(error) = self.live.log.status(status) {
            tracing::error!(task.id = %self.live.log.head().id, %error, "a task could not be parked");
        }
    }

    async fn work(&self, place: Option<&mut Place>, resume: Option<Resume>, answers: &[Told]) -> Outcome {
        match AssertUnwindSafe(self.ask_backend(place, resume, answers)).catch_unwind().await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                tracing::error!(task.id = %self.live.log.head().id, %error, "turn could not be run");
                Outcome::Failed(Failure::internal())
            }
            Err(_) => {
                tracing::error!(task.id = %self.live.log.head().id, "turn panicked");
                Outcome::Failed(Failure::internal())
            }
        }
    }

    async fn ask_backend(
        &self,
        mut place: Option<&mut Place>,
        resume: Option<Resume>,
        answers: &[Told],
    ) -> Result<Outcome, Error> {
        let task = self.live.log.head();
        let user = self.shared.user_for(&self.key);
        let left = place.as_deref().and_then(Place::record).cloned();
        let known = match left {
            Some(known) => Some(known),
            None => self.shared.store.context(&self.key).await?,
        };
        let own = known.as_ref().filter(|known| *known.user == *user);
        let conversation_id = own.and_then(|known| known.conversation_id.clone());
        let had_conversation = known.as_ref().is_some_and(|known| known.conversation_id.is_some());
        if had_conversation && conversation_id.is_none() {
            self.live.log.learn(FactsUpdate::ConversationRestarted);
        }
        let request = TurnRequest {
            task_id: task.id,
            context_id: task.context_id,
            caller: task.caller,
            message: Arc::clone(&self.message),
            metadata: self.metadata.clone(),
            accepted: self.accepted.clone(),
            trace_id: self.trace_id.clone(),
            user: user.clone(),
            conversation_id,
            inputs: known.as_ref().and_then(|known| known.inputs.clone()),
            answers: answers.to_vec(),
            resume,
            stop: self.live.stop.token.clone(),
        };
        let mut sink = LogSink { turn: self, user: Arc::from(user), refused: None, kept: known };
        let outcome = self.shared.backend.run(request, &mut sink).await;
        if let Some(mut kept) = sink.kept.take() {
            kept.used_at = self.shared.clock.now();
            self.shared.store.put_context(self.key.clone(), kept.clone()).await?;
            if let Some(place) = &mut place {
                place.leave(kept);
            }
        }
        Ok(sink.refused.map_or(outcome, |too_long| Outcome::Failed(too_long_failure(too_long))))
    }

    /// Writes the end down: in the store first, then in the log, where clients hear of it.
    async fn settle(&self, outcome: Outcome) {
        let end = self.judge(outcome);
        let at = self.shared.clock.now();
        let note = end.note.map(|note| (self.shared.draw_message_id(), note));
        let status = Arc::new(Status { state: end.state, at, note });
        let mut record = self.live.log.snapshot();
        record.status = Arc::clone(&status);
        if let Err(error) = self.shared.store.put_task(Arc::new(record)).await {
            tracing::error!(task.id = %self.live.log.head().id, %error, "the end of a task could not be stored");
        }
        tell(&self.live.log.head(), &status);
        if let Err(error) = self.live.log.status(status) {
            tracing::error!(task.id = %self.live.log.head().id, %error, "a task was ended twice");
        }
    }

    fn judge(&self, outcome: Outcome) -> End {
        match outcome {
            Outcome::Completed => End { state: TaskState::Completed, note: None },
            Outcome::Failed(failure) => {
                End { state: TaskState::Failed, note: Some(StatusNote::Failure(failure)) }
            }
            Outcome::Rejected(failure) => {
                End { state: TaskState::Rejected, note: Some(StatusNote::Failure(failure)) }
            }
            Outcome::Stopped { confirmed } if self.live.stop.was_canceled() => {
                self.live.log.amend(|facts: &mut Facts| facts.stop_confirmed = Some(confirmed));
                End { state: TaskState::Canceled, note: None }
            }
            // A turn that asks is parked and not ended.
            Outcome::InputRequired(_) | Outcome::Stopped { .. } => {
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
        if let Err(error) = self.turn.live.log.status(Arc::new(status)) {
            tracing::error!(task.id = %self.turn.live.log.head().id, %error, "a step came after the end");
        }
    }

    fn working(&self) {
        if self.turn.live.log.present().state != TaskState::Working {
            self.push_status(None);
        }
    }
}

impl Sink for LogSink<'_> {
    fn emit(&mut self, event: TaskEvent<'_>) {
        let taken = match event {
            TaskEvent::Artifact(whole) => {
                self.turn.live.log.artifact(whole);
                Ok(())
            }
            TaskEvent::Facts(update) => {
                self.turn.live.log.learn(update);
                Ok(())
            }
            TaskEvent::Progress(progress) => {
                let id = self.turn.shared.draw_message_id();
                self.push_status(Some((id, StatusNote::Progress(progress))));
                Ok(())
            }
            TaskEvent::Replace { artifact, text } => self.turn.live.log.replace(artifact, text),
            TaskEvent::Text { artifact, delta } => self.turn.live.log.text(artifact, delta),
            TaskEvent::Working => {
                self.working();
                Ok(())
            }
        };
        if let Err(too_long) = taken
            && self.refused.is_none()
        {
            self.refused = Some(too_long);
            self.turn.live.stop.token.cancel();
        }
    }

    fn conversation<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let shared = &self.turn.shared;
            let now = shared.clock.now();
            let id: Arc<str> = Arc::from(id);
            self.turn.live.log.amend(|facts| facts.conversation_id = Some(Arc::clone(&id)));
            let record = ContextRecord {
                conversation_id: Some(id),
                user: Arc::clone(&self.user),
                inputs: self.kept.take().and_then(|kept| kept.inputs),
                used_at: now,
            };
            self.kept = Some(record.clone());
            shared.store.put_context(self.turn.key.clone(), record).await?;
            if self.turn.live.log.present().state == TaskState::Submitted {
                let mut task = self.turn.live.log.head();
                task.status = Arc::new(Status::plain(TaskState::Working, now));
                shared.store.put_task(Arc::new(task)).await?;
            }
            self.working();
            Ok(())
        })
    }

    fn answer(&self) -> String {
        self.turn.live.log.snapshot().answer().unwrap_or_default().to_owned()
    }

    fn shelve(&mut self, message: &MessageId, part: usize, served: Served) {
        self.turn.live.log.shelve(message, part, served);
    }

    fn remember(&mut self, inputs: Json) {
        let kept = self.kept.take();
        let own = kept.filter(|kept| kept.user == self.user);
        self.kept = Some(ContextRecord {
            conversation_id: own.and_then(|kept| kept.conversation_id),
            user: Arc::clone(&self.user),
            inputs: Some(inputs),
            used_at: self.turn.shared.clock.now(),
        });
    }
}
