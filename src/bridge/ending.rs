//! How an attempt ends: what a verdict of the fold means for the stream, the stop, and what is left behind.

use futures_util::future::{BoxFuture, pending};
use tokio::time::{Instant, timeout_at};

use super::attempt::Attempt;
use super::calls;
use super::means::Means;
use super::oddities::Oddities;
use super::pursuit::Pursuit;
use crate::core::event::{Failure, Outcome};
use crate::dify::error::Error;
use crate::translate::from_dify::{Counts, Input, Pause, Verdict};

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Dify does not have the conversation, and did not begin.
    ConversationLost,
    /// Dify did not begin, for a reason that may pass.
    NeverBegan(Error),
    /// With an outcome, and what the log should know of it.
    Over(Outcome, Option<Error>),
    /// Not at all: the run waits for people.
    Paused(Pause),
}

/// What the stream has told of the turn beside what it said.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What could not be used.
    pub(super) oddities: Oddities,
    /// Dify's handle for stopping.
    pub(super) task_id: Option<String>,
    /// Dify's handle for reading on.
    pub(super) run_id: Option<String>,
    /// Dify's name of the message that the answer belongs to.
    pub(super) message_id: Option<String>,
    /// The conversation that the stream belongs to.
    pub(super) conversation_id: Option<String>,
    /// How far the turn has counted what it numbers.
    pub(super) counts: Counts,
    /// Whether the stream was more than signs of life.
    pub(super) has_begun: bool,
    /// Whether Dify said in the stream that an input is missing.
    pub(super) lacks_input: bool,
}

/// What becomes of the stream when the attempt is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leave {
    /// Dify works on, but nobody waits for it: it is asked to stop.
    Abandon,
    /// The end was said: the rest is read, so that the connection can be used again and Dify finishes in peace.
    Drain,
    /// There is nothing left of it.
    Gone,
    /// Nobody waits for it, but Dify may have begun or begin yet: it is read on until it can be stopped.
    Pursue,
}

/// How far a wish to stop has come.
pub(super) enum Stop<'a> {
    /// Dify was told; whether it took that is known.
    Called { accepted: bool },
    /// Dify is being told.
    Calling(BoxFuture<'a, bool>),
    /// There is none.
    Unasked,
    /// It waits for the id of Dify's task.
    Waiting,
}

impl Stop<'_> {
    /// Whether Dify took the stop, once it has answered.
    pub(super) async fn answer(&mut self) -> bool {
        match self {
            Self::Calling(call) => call.await,
            Self::Called { .. } | Self::Unasked | Self::Waiting => pending().await,
        }
    }
}

impl Attempt<'_> {
    /// Tells Dify to stop, once that is wished and Dify's task is known.
    pub(super) fn call_stop(&mut self) {
        if let (Stop::Waiting, Some(task_id)) = (&self.stop, &self.talk.task_id) {
            self.stop = Stop::Calling(calls::stop(
                self.means.client.clone(),
                self.endpoint,
                task_id.clone(),
                self.talk.turn.user.clone(),
            ));
            self.bells.stop = Some(Instant::now() + self.means.settings.limits.stop_after_call);
        }
    }

    /// The turn can go no further, for this reason.
    pub(super) async fn lose(
        &mut self,
        failure: Failure,
        leave: Leave,
        cause: Option<Error>,
    ) -> Option<Ended> {
        let verdict = self.talk.step(Input::Lost(failure));
        if let Verdict::Paused(pause) = verdict {
            // The run waits at Dify, whatever became of its stream.
            self.leave(Leave::Gone);
            return Some(Ended::Paused(pause));
        }
        self.decide(verdict, leave, cause).await
    }

    pub(super) async fn decide(
        &mut self,
        verdict: Verdict,
        leave: Leave,
        cause: Option<Error>,
    ) -> Option<Ended> {
        match verdict {
            Verdict::GoOn => None,
            Verdict::Grace => {
                self.bells.grace = Some(Instant::now() + self.means.settings.limits.grace);
                None
            }
            Verdict::Paused(pause) => self.paused(pause),
            Verdict::Over(Outcome::Stopped { confirmed }) => {
                let accepted = self.stop_was_accepted().await;
                self.leave(leave);
                Some(Ended::Over(Outcome::Stopped { confirmed: confirmed && accepted }, cause))
            }
            Verdict::Over(outcome) => {
                // A stream that broke behind the answer leaves no work behind; one of a run that was joined again need
                // not end at all.
                let is_done = matches!((&outcome, leave), (Outcome::Completed, Leave::Abandon));
                let is_rejoined = self.waiting.is_some() && matches!(leave, Leave::Drain);
                self.leave(if is_done || is_rejoined { Leave::Gone } else { leave });
                Some(Ended::Over(outcome, cause))
            }
        }
    }

    /// The run waits. For the forms that waited before, and are not answered yet, that is no news; once it has gone on, or
    /// waits for fewer of them, it is.
    fn paused(&mut self, pause: Pause) -> Option<Ended> {
        let Some(waiting) = &self.waiting else {
            self.leave(Leave::Drain);
            return Some(Ended::Paused(pause));
        };
        let is_known = |id: &str| waiting.iter().any(|known| known == id);
        let is_the_same = !pause.forms.is_empty()
            && pause.forms.len() >= waiting.len()
            && pause.forms.iter().all(|form| is_known(&form.form_id));
        if is_the_same && !self.has_gone_on {
            self.still_paused = Some(pause);
            return None;
        }
        self.leave(Leave::Gone);
        Some(Ended::Paused(pause))
    }

    /// The stream may end before Dify has answered the stop that ended it.
    async fn stop_was_accepted(&mut self) -> bool {
        let until = self.bells.stop.unwrap_or(self.bells.turn);
        match &mut self.stop {
            Stop::Called { accepted } => *accepted,
            Stop::Calling(call) => timeout_at(until, call).await.unwrap_or(false),
            Stop::Unasked | Stop::Waiting => false,
        }
    }

    pub(super) fn leave(&mut self, leave: Leave) {
        let Means { client, settings, afterwards, .. } = self.means;
        let (endpoint, user) = (self.endpoint, &self.talk.turn.user);
        match (leave, &self.talk.task_id) {
            (Leave::Gone, _) | (Leave::Abandon, None) => {}
            (Leave::Abandon | Leave::Pursue, Some(task_id)) => {
                if matches!(self.stop, Stop::Unasked) {
                    afterwards.spawn(calls::stop(client.clone(), endpoint, task_id.clone(), user.clone()));
                }
            }
            (Leave::Drain, _) => {
                afterwards.spawn(self.source.take().drain(settings.limits.drain));
            }
            (Leave::Pursue, None) => {
                let pursuit = Pursuit {
                    client: client.clone(),
                    endpoint,
                    task: self.talk.turn.task_id.clone(),
                    user: user.clone(),
                    source: self.source.take(),
                    framer: std::mem::take(&mut self.framer),
                    until: self.pursue_until,
                    at_end: settings.limits.stop_before_begin,
                    drain: settings.limits.drain,
                    afterwards: afterwards.clone(),
                };
                afterwards.spawn(pursuit.run());
            }
        }
    }
}
