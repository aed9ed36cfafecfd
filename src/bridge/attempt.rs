//! One request to Dify and its stream, from the request to an end; or a run that goes on, from where it is joined again.
//!
//! One loop waits for whatever comes first: bytes, a wish to stop, the answer of a side call, a bell, a file. Bytes are
//! worked on at once, from chunk to task events, without a copy per delta; the only wait in there is for the
//! conversation's id to be kept, before anybody hears of the turn.

use std::pin::pin;

use futures_util::future::{BoxFuture, Either, pending};
use tokio::time::{Instant, sleep_until, timeout};

use super::backend::Settings;
use super::bells::{Bell, Bells};
use super::calls;
use super::ending::{Ended, Leave, Stop, Told};
use super::means::Means;
use super::outlets::Gathering;
use super::prepare::Prepared;
use super::source::{Source, Step};
use super::talk::Talk;
use crate::core::artifact::Whole;
use crate::core::backend::{Sink, TurnRequest};
use crate::core::event::{Outcome, TaskEvent};
use crate::dify::error::{self, Error};
use crate::dify::event::{DifyEvent, Frame};
use crate::dify::framing::Framer;
use crate::dify::request::Endpoint;
use crate::dify::sse;
use crate::translate::from_dify::{Fold, Input, Pause, Setup};
use crate::translate::memo::PausedRun;

/// What a turn begins with.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a, 'p> {
    pub(super) prepared: &'p Prepared,
    /// The conversation to go on with.
    pub(super) conversation: Option<&'a str>,
    /// Whether it begins a lost conversation anew.
    pub(super) restarted: bool,
}

/// A run that is joined again.
pub(super) struct Rejoined<'a> {
    /// Where it stood.
    pub(super) run: &'a PausedRun,
    /// Where it is stopped.
    pub(super) endpoint: Endpoint,
    /// Its stream, and what was read of it already.
    pub(super) source: Source,
    pub(super) framer: Framer,
    /// The ids of the forms that waited when it was joined, as far as they are not answered now: a pause for all of these
    /// is no news before it goes on.
    pub(super) waiting: Vec<String>,
}

/// What wakes the loop.
enum Wake {
    Bell(Bell),
    Checked { is_lost: bool },
    File(Whole),
    Step(Result<Step, Error>),
    Stop,
    StopAnswered { accepted: bool },
}

/// The attempt. [`Self::run`] it.
pub(super) struct Attempt<'a> {
    pub(super) means: Means<'a>,
    pub(super) endpoint: Endpoint,
    pub(super) talk: Talk<'a>,
    pub(super) source: Source,
    pub(super) framer: Framer,
    pub(super) bells: Bells,
    pub(super) stop: Stop<'a>,
    /// The files that were found and are on their way.
    files: Gathering<'a>,
    /// Of a run that was joined again: the forms that waited then.
    pub(super) waiting: Option<Vec<String>>,
    /// The last pause for just these forms.
    pub(super) still_paused: Option<Pause>,
    /// Of a run that was joined again: whether it was seen to go on.
    pub(super) has_gone_on: bool,
    /// Asks whether the conversation is lost.
    pub(super) check: Option<BoxFuture<'a, bool>>,
    /// Until when a stream that is left unnamed is read on.
    pub(super) pursue_until: Instant,
}

impl<'a> Attempt<'a> {
    /// Sends the request. The turn ends at `deadline`.
    pub(super) fn begin(
        means: Means<'a>,
        turn: &'a TurnRequest,
        setup: Setup,
        opening: Opening<'a, '_>,
        deadline: Instant,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let Opening { prepared, conversation, restarted } = opening;
        let Settings { first_event_timeout, limits, .. } = means.settings;
        let now = Instant::now();
        let patience = limits.conversation_check.min(*first_event_timeout / 2);
        let source = prepared.with_body(turn, conversation, |body| Source::of(means.client, body));
        let bells = Bells {
            check: conversation.map(|_| now + patience),
            first_frame: Some(now + *first_event_timeout),
            ..Bells::until(deadline)
        };
        let talk = Talk { conversation, restarted, ..Talk::new(turn, sink, Fold::new(setup)) };
        let framer = Framer::new(limits.max_event_bytes);
        Self::new(means, prepared.endpoint(), talk, source, framer, bells)
    }

    /// Goes on with a run that waited. Of several forms that waited, those that still do are asked for again when
    /// nothing comes in the time for the first frame.
    pub(super) fn rejoin(
        means: Means<'a>,
        turn: &'a TurnRequest,
        setup: Setup,
        joined: Rejoined<'a>,
        deadline: Instant,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let Rejoined { run, endpoint, source, framer, waiting } = joined;
        let patience = Instant::now() + means.settings.first_event_timeout;
        let bells =
            Bells { first_frame: (!waiting.is_empty()).then_some(patience), ..Bells::until(deadline) };
        let mut fold = Fold::new(setup);
        fold.count_from(run.counts);
        let talk = Talk {
            conversation: run.conversation_id.as_deref(),
            task_id: run.task_id.clone(),
            run_id: Some(run.run_id.clone()),
            message_id: run.message_id.clone(),
            told_conversation: run.conversation_id.clone(),
            ..Talk::new(turn, sink, fold)
        };
        let waiting = Some(waiting);
        Self { waiting, ..Self::new(means, endpoint, talk, source, framer, bells) }
    }

    fn new(
        means: Means<'a>,
        endpoint: Endpoint,
        talk: Talk<'a>,
        source: Source,
        framer: Framer,
        bells: Bells,
    ) -> Self {
        let Settings { first_event_timeout, limits, .. } = means.settings;
        Self {
            means,
            endpoint,
            files: Gathering::new(means.outlets, talk.turn),
            talk,
            source,
            framer,
            bells,
            stop: Stop::Unasked,
            waiting: None,
            still_paused: None,
            has_gone_on: false,
            check: None,
            pursue_until: Instant::now() + (*first_event_timeout).min(limits.pursuit),
        }
    }

    /// Sees it through: how it ended, and what else the stream told.
    pub(super) async fn run(mut self) -> (Ended, Told) {
        // What was read when the run was joined again may hold more.
        let left = self.chunk(&[]).await;
        let ended = match left {
            Some(ended) => ended,
            None => self.wait_for_end().await,
        };
        self.gather(&ended).await;
        let talk = self.talk;
        let told = Told {
            oddities: talk.oddities,
            task_id: talk.task_id,
            run_id: talk.run_id,
            message_id: talk.message_id,
            conversation_id: talk.told_conversation,
            counts: talk.fold.counts(),
            has_begun: talk.has_begun,
            lacks_input: talk.lacks_input,
        };
        (ended, told)
    }

    /// Waits for the files that are still on their way.
    async fn gather(&mut self, ended: &Ended) {
        self.collect();
        if matches!(ended, Ended::ConversationLost | Ended::NeverBegan(_)) {
            return;
        }
        let gathering = async {
            while !self.files.is_idle() {
                let whole = self.files.next().await;
                self.talk.sink.emit(TaskEvent::Artifact(whole));
            }
        };
        tokio::select! {
            biased;
            () = self.talk.turn.stop.cancelled() => {}
            late = timeout(self.means.settings.limits.files, gathering) => {
                if late.is_err() {
                    tracing::warn!(task.id = %self.talk.turn.task_id, "files of an answer did not come in time");
                }
            }
        }
    }

    /// Sends for the files that the fold has found.
    fn collect(&mut self) {
        for found in self.talk.fold.found() {
            self.files.add(found);
        }
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
                whole = self.files.next(), if !self.files.is_idle() => Wake::File(whole),
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
            Wake::File(whole) => {
                self.talk.sink.emit(TaskEvent::Artifact(whole));
                None
            }
            Wake::Step(Ok(Step::Opened)) => None,
            Wake::Step(Ok(Step::Chunk(chunk))) => self.chunk(&chunk).await,
            Wake::Step(Ok(Step::End)) if self.still_paused.is_some() => {
                // Dify ends such a stream after some minutes without news.
                self.still_paused.take().map(Ended::Paused)
            }
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
            Bell::FirstFrame if self.waiting.is_some() => {
                self.bells.first_frame = None;
                self.leave(Leave::Gone);
                Some(Ended::Paused(Pause { forms: Vec::new(), other_reasons: Vec::new() }))
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
            self.has_gone_on |= shows_that_it_goes_on(&frame.event);
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
            self.collect();
            if let Some(ended) = self.decide(verdict, Leave::Drain, None).await {
                return Some(ended);
            }
        }
    }
}

/// Whether it shows that a run that waited goes on.
fn shows_that_it_goes_on(event: &DifyEvent<'_>) -> bool {
    match event {
        DifyEvent::HumanInputFormFilled(_) | DifyEvent::HumanInputFormTimeout(_) => true,
        DifyEvent::WorkflowStarted(started) => started.is_resumption,
        _ => false,
    }
}

/// The future's output, or nothing ever.
fn wait<'f>(future: &'f mut Option<BoxFuture<'_, bool>>) -> impl Future<Output = bool> + 'f {
    match future {
        Some(future) => Either::Left(future),
        None => Either::Right(pending()),
    }
}
