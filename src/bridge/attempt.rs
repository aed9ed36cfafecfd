//! One request to Dify and its stream, from the request to an end.
//!
//! One loop waits for whatever comes first: bytes, a wish to stop, the answer of a side call, a bell. Bytes are
//! worked on at once, from chunk to task events, without a copy per delta; the only wait in there is for the
//! conversation's id to be kept, before anybody hears of the turn.

use std::pin::pin;

use futures_util::future::{BoxFuture, Either, pending};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::afterwards::Afterwards;
use super::backend::Settings;
use super::bells::{Bell, Bells};
use super::calls;
use super::oddities::Oddities;
use super::pursuit::Pursuit;
use super::source::{Source, Step};
use super::talk::Talk;
use crate::core::backend::{Sink, TurnRequest};
use crate::core::event::{Failure, Outcome};
use crate::dify::client::Client;
use crate::dify::error::{self, Error};
use crate::dify::event::Frame;
use crate::dify::framing::Framer;
use crate::dify::request::TurnBody;
use crate::dify::sse;
use crate::translate::from_dify::{Fold, Input, Setup, Verdict};

/// What a turn works with.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) client: &'a Client,
    pub(super) settings: &'a Settings,
    /// Owns what goes on after a turn.
    pub(super) afterwards: &'a Afterwards,
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Dify does not have the conversation, and did not begin.
    ConversationLost,
    /// Dify did not begin, for a reason that may pass.
    NeverBegan(Error),
    /// With an outcome, and what the log should know of it.
    Over(Outcome, Option<Error>),
}

/// What becomes of the stream when the attempt is over.
#[derive(Clone, Copy, Debug)]
enum Leave {
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
enum Stop<'a> {
    /// Dify was told; whether it took that is known.
    Called { accepted: bool },
    /// Dify is being told.
    Calling(BoxFuture<'a, bool>),
    /// There is none.
    Unasked,
    /// It waits for the id of Dify's task.
    Waiting,
}

/// What wakes the loop.
enum Wake {
    Bell(Bell),
    Checked { is_lost: bool },
    Step(Result<Step, Error>),
    Stop,
    StopAnswered { accepted: bool },
}

/// The attempt. [`Self::run`] it.
pub(super) struct Attempt<'a> {
    means: Means<'a>,
    talk: Talk<'a>,
    source: Source,
    framer: Framer,
    bells: Bells,
    stop: Stop<'a>,
    /// Asks whether the conversation is lost.
    check: Option<BoxFuture<'a, bool>>,
    /// Until when a stream that is left unnamed is read on.
    pursue_until: Instant,
}

impl<'a> Attempt<'a> {
    /// Sends the request. `restarted` says that it begins a lost conversation anew; the turn ends at `deadline`.
    pub(super) fn begin(
        means: Means<'a>,
        turn: &'a TurnRequest,
        query: &'a str,
        conversation: Option<&'a str>,
        restarted: bool,
        deadline: Instant,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let Settings { first_event_timeout, think, limits, .. } = means.settings;
        let now = Instant::now();
        let patience = limits.conversation_check.min(*first_event_timeout / 2);
        let request = TurnBody::chat(query, &turn.user, conversation);
        Self {
            means,
            talk: Talk {
                turn,
                sink,
                conversation,
                restarted,
                fold: Fold::new(Setup { think: *think, ..Setup::default() }),
                task_id: None,
                oddities: Oddities::default(),
                is_kept: false,
                has_begun: false,
            },
            source: Source::of(means.client, &request),
            framer: Framer::new(limits.max_event_bytes),
            bells: Bells {
                check: conversation.map(|_| now + patience),
                first_frame: Some(now + *first_event_timeout),
                grace: None,
                stop: None,
                turn: deadline,
            },
            stop: Stop::Unasked,
            check: None,
            pursue_until: now + (*first_event_timeout).min(limits.pursuit),
        }
    }

    /// Sees it through: how it ended, and what could not be used of it.
    pub(super) async fn run(mut self) -> (Ended, Oddities) {
        let ended = self.wait_for_end().await;
        (ended, self.talk.oddities)
    }

    async fn wait_for_end(&mut self) -> Ended {
        let mut wish = pin!(self.talk.turn.stop.cancelled());
        let mut timer = pin!(sleep_until(self.bells.next().0));
        loop {
            let (at, bell) = self.bells.next();
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            let wake = tokio::select! {
                biased;
                () = wish.as_mut(), if matches!(self.stop, Stop::Unasked) => Wake::Stop,
                () = timer.as_mut() => Wake::Bell(bell),
                accepted = self.stop.answer() => Wake::StopAnswered { accepted },
                is_lost = wait(&mut self.check) => Wake::Checked { is_lost },
                step = self.source.next() => Wake::Step(step),
            };
            if let Some(ended) = self.wake(wake).await {
                return ended;
            }
        }
    }

    async fn wake(&mut self, wake: Wake) -> Option<Ended> {
        match wake {
            Wake::Stop => {
                self.talk.fold.step(Input::StopRequested, &mut |_| {});
                self.stop = Stop::Waiting;
                self.bells.stop = Some(Instant::now() + self.means.settings.limits.stop_before_begin);
                self.call_stop();
                None
            }
            Wake::StopAnswered { accepted } => {
                self.stop = Stop::Called { accepted };
                None
            }
            Wake::Checked { is_lost } => {
                self.check = None;
                match (is_lost, &self.stop) {
                    (false, _) => None,
                    (true, Stop::Unasked) => Some(Ended::ConversationLost),
                    // Dify has refused what it was asked, so nothing runs there.
                    (true, _) => Some(Ended::Over(Outcome::Stopped { confirmed: true }, None)),
                }
            }
            Wake::Bell(bell) => self.ring(bell).await,
            Wake::Step(Ok(Step::Opened)) => None,
            Wake::Step(Ok(Step::Chunk(chunk))) => self.chunk(&chunk).await,
            Wake::Step(Ok(Step::End)) => {
                let verdict = self.talk.step(Input::Closed);
                self.decide(verdict, Leave::Gone, None).await
            }
            Wake::Step(Err(error)) => match self.source {
                Source::Opening(_) => self.refused(error).await,
                Source::Reading(_) => self.lose(error.failure(), Leave::Abandon, Some(error)).await,
            },
        }
    }

    async fn ring(&mut self, bell: Bell) -> Option<Ended> {
        let Settings { first_event_timeout, turn_timeout, .. } = self.means.settings;
        match bell {
            Bell::Check => {
                self.bells.check = None;
                self.check = self
                    .talk
                    .conversation
                    .map(|id| calls::is_lost(self.means.client, id, &self.talk.turn.user));
                None
            }
            Bell::Grace => {
                let verdict = self.talk.step(Input::GraceOver);
                self.decide(verdict, Leave::Drain, None).await
            }
            Bell::FirstFrame => {
                self.lose(error::never_started(first_event_timeout.as_secs()), Leave::Gone, None).await
            }
            Bell::Stop => self.lose(error::disconnected(), Leave::Pursue, None).await,
            Bell::Turn => self.lose(error::took_too_long(turn_timeout.as_secs()), Leave::Pursue, None).await,
        }
    }

    /// No stream came of the request.
    async fn refused(&mut self, error: Error) -> Option<Ended> {
        let was_refused = matches!(error, Error::Refused(_) | Error::Connect(_));
        if !matches!(self.stop, Stop::Unasked) && was_refused {
            return Some(Ended::Over(Outcome::Stopped { confirmed: true }, None));
        }
        match &error {
            error if error.is_safe_to_repeat() => {}
            Error::Refused(refusal) if self.talk.conversation.is_some() && refusal.is_lost_conversation() => {
                return Some(Ended::ConversationLost);
            }
            _ => return self.lose(error.failure(), Leave::Gone, Some(error)).await,
        }
        Some(Ended::NeverBegan(error))
    }

    /// Works on all that the chunk completes.
    async fn chunk(&mut self, chunk: &[u8]) -> Option<Ended> {
        self.framer.push(chunk);
        loop {
            let block = match self.framer.next_block() {
                Ok(Some(block)) => block,
                Ok(None) => return None,
                Err(too_large) => {
                    let error = Error::from(too_large);
                    return self.lose(error.failure(), Leave::Abandon, Some(error)).await;
                }
            };
            let data = match sse::data(&block) {
                Ok(Some(data)) => data,
                Ok(None) => continue,
                Err(malformed) => {
                    self.talk.oddities.garbage(&malformed);
                    continue;
                }
            };
            let mut spare = String::new();
            let frame = match Frame::decode_or_mend(&data, &mut spare) {
                Ok(frame) => frame,
                Err(no_event) => {
                    self.talk.oddities.garbage(&no_event);
                    continue;
                }
            };
            let verdict = match self.talk.frame(&frame).await {
                Ok(verdict) => verdict,
                Err(failure) => return self.lose(failure, Leave::Abandon, None).await,
            };
            if self.talk.has_begun {
                self.bells.first_frame = None;
                self.bells.check = None;
                self.check = None;
            }
            self.call_stop();
            if let Some(ended) = self.decide(verdict, Leave::Drain, None).await {
                return Some(ended);
            }
        }
    }

    /// Tells Dify to stop, once that is wished and Dify's task is known.
    fn call_stop(&mut self) {
        if let (Stop::Waiting, Some(task_id)) = (&self.stop, &self.talk.task_id) {
            self.stop = Stop::Calling(calls::stop(
                self.means.client.clone(),
                task_id.clone(),
                self.talk.turn.user.clone(),
            ));
            self.bells.stop = Some(Instant::now() + self.means.settings.limits.stop_after_call);
        }
    }

    /// The turn can go no further, for this reason.
    async fn lose(&mut self, failure: Failure, leave: Leave, cause: Option<Error>) -> Option<Ended> {
        let verdict = self.talk.step(Input::Lost(failure));
        self.decide(verdict, leave, cause).await
    }

    async fn decide(&mut self, verdict: Verdict, leave: Leave, cause: Option<Error>) -> Option<Ended> {
        match verdict {
            Verdict::GoOn => None,
            Verdict::Grace => {
                self.bells.grace = Some(Instant::now() + self.means.settings.limits.grace);
                None
            }
            Verdict::Paused(_) => {
                self.leave(leave);
                Some(Ended::Over(Outcome::Failed(error::of_paused_run()), cause))
            }
            Verdict::Over(Outcome::Stopped { confirmed }) => {
                let accepted = self.stop_was_accepted().await;
                self.leave(leave);
                Some(Ended::Over(Outcome::Stopped { confirmed: confirmed && accepted }, cause))
            }
            Verdict::Over(outcome) => {
                // A stream that broke behind the answer leaves no work behind.
                let is_done = matches!((&outcome, leave), (Outcome::Completed, Leave::Abandon));
                self.leave(if is_done { Leave::Gone } else { leave });
                Some(Ended::Over(outcome, cause))
            }
        }
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

    fn leave(&mut self, leave: Leave) {
        let Means { client, settings, afterwards } = self.means;
        match (leave, self.talk.task_id.take()) {
            (Leave::Gone, _) | (Leave::Abandon, None) => {}
            (Leave::Abandon | Leave::Pursue, Some(task_id)) => {
                if matches!(self.stop, Stop::Unasked) {
                    afterwards.spawn(calls::stop(client.clone(), task_id, self.talk.turn.user.clone()));
                }
            }
            (Leave::Drain, _) => {
                afterwards.spawn(self.source.take().drain(settings.limits.drain));
            }
            (Leave::Pursue, None) => {
                let pursuit = Pursuit {
                    client: client.clone(),
                    task: self.talk.turn.task_id.clone(),
                    user: self.talk.turn.user.clone(),
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

impl Stop<'_> {
    /// Whether Dify took the stop, once it has answered.
    async fn answer(&mut self) -> bool {
        match self {
            Self::Calling(call) => call.await,
            Self::Called { .. } | Self::Unasked | Self::Waiting => pending().await,
        }
    }
}

/// The future's output, or nothing ever.
fn wait<'f>(future: &'f mut Option<BoxFuture<'_, bool>>) -> impl Future<Output = bool> + 'f {
    match future {
        Some(future) => Either::Left(future),
        None => Either::Right(pending()),
    }
}
