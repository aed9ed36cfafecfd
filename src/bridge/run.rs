//! One turn: as many attempts as are safe, and one outcome.
//!
//! Dify has no way to tell a repeated request from a new one, so a request is sent again only when the first one
//! certainly did nothing: no connection came about, the app's ceiling refused it, or the conversation was not there.

use std::error::Error as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::attempt::{Attempt, Ended, Means};
use super::backend::Limits;
use super::oddities::Oddities;
use crate::core::backend::{Sink, TurnRequest};
use crate::core::event::{Failure, FailureSource, Outcome};
use crate::core::ids::TaskId;
use crate::dify::error::Error;
use crate::translate::to_dify;

/// Runs the turn to its end.
pub(super) async fn run(means: Means<'_>, turn: &TurnRequest, sink: &mut dyn Sink) -> Outcome {
    let mut oddities = Oddities::default();
    let outcome = attempts(means, turn, sink, &mut oddities).await;
    oddities.tell(&turn.task_id);
    outcome
}

async fn attempts(
    means: Means<'_>,
    turn: &TurnRequest,
    sink: &mut dyn Sink,
    oddities: &mut Oddities,
) -> Outcome {
    let query = match to_dify::query(&turn.message) {
        Ok(query) => query,
        Err(error) => return Outcome::Failed(unfit(&error)),
    };
    let deadline = Instant::now() + means.settings.turn_timeout;
    let mut conversation = turn.conversation_id.as_deref();
    let mut restarted = false;
    let mut tries = 0;
    loop {
        if turn.stop.is_cancelled() {
            // Nothing runs at Dify at this point.
            return Outcome::Stopped { confirmed: true };
        }
        let attempt = Attempt::begin(means, turn, &query, conversation, restarted, deadline, &mut *sink);
        let (ended, odd) = attempt.run().await;
        oddities.add(odd);
        match ended {
            Ended::Over(outcome, cause) => {
                log(turn, &outcome, cause.as_ref());
                return outcome;
            }
            Ended::ConversationLost => {
                tracing::info!(task.id = %turn.task_id, "dify no longer has the conversation; it is begun anew");
                conversation = None;
                restarted = true;
            }
            Ended::NeverBegan(error) => {
                let again =
                    backoff(&means.settings.limits, tries, &turn.task_id).map(|pause| Instant::now() + pause);
                let Some(again) = again.filter(|again| *again < deadline) else {
                    let outcome = Outcome::Failed(error.failure());
                    log(turn, &outcome, Some(&error));
                    return outcome;
                };
                tries += 1;
                tokio::select! {
                    () = turn.stop.cancelled() => {}
                    () = sleep_until(again) => {}
                }
            }
        }
    }
}

/// How long to wait before the next try, a little different for each task. `None` when there is none.
fn backoff(limits: &Limits, tries: usize, task: &TaskId) -> Option<Duration> {
    let pause = *limits.backoff.get(tries)?;
    let mut hasher = DefaultHasher::new();
    (task.as_str(), tries).hash(&mut hasher);
    let percent = u32::try_from(hasher.finish() % 50).unwrap_or_default();
    Some(pause + pause * percent / 100)
}

/// A message that was let in although it does not fit.
fn unfit(error: &crate::core::error::Error) -> Failure {
    Failure {
        code: "invalid_message".into(),
        message: error.to_string(),
        retryable: false,
        source: FailureSource::Caller,
    }
}

/// The one line that the log gets of a turn that went wrong. Dify's own words stay out: they may quote the caller.
fn log(turn: &TurnRequest, outcome: &Outcome, cause: Option<&Error>) {
    let Outcome::Failed(failure) = outcome else { return };
    let chain = cause.map(|error| {
        let mut chain = error.to_string();
        let mut next = error.source();
        while let Some(error) = next {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            next = error.source();
        }
        chain
    });
    tracing::warn!(
        task.id = %turn.task_id,
        error.code = %failure.code,
        error.source = failure.source.as_str(),
        error.retryable = failure.retryable,
        error.cause = chain,
        "a turn failed",
    );
}
