//! A run that waited for people goes on: its events are joined first, then the answer is handed in, so that nothing of
//! what follows is missed.
//!
//! ```text
//!   join --snapshot says that it waits--> live --answer handed in--> reading on
//!     |                                    | not taken: asked again
//!     |                                    | closed by now: reading on; asked again if nothing comes
//!     |                                    | unknown to Dify: failed
//!     +--nothing, or trouble--> asked again
//!     +--snapshot says that it went on by itself--> reading on, from the snapshot's beginning
//! ```

use std::borrow::Cow;

use tokio::time::{Instant, timeout_at};

use super::attempt::{Attempt, Rejoined};
use super::ending::{Ended, Told};
use super::means::Means;
use super::prepare;
use super::source::{Source, Step};
use crate::core::backend::{Cause, Sink, TurnRequest};
use crate::core::event::Outcome;
use crate::dify::app_info::AppMode;
use crate::dify::error::Error;
use crate::dify::event::{DifyEvent, Frame};
use crate::dify::framing::Framer;
use crate::dify::human_answer::FormAnswer;
use crate::dify::reason;
use crate::dify::refusal::ClosedForm;
use crate::dify::request::Endpoint;
use crate::dify::sse;
use crate::translate::answer;
use crate::translate::from_dify::{Counts, Setup};
use crate::translate::memo::PausedRun;

/// What came of going on.
pub(super) enum Went {
    /// The answer was not taken, for this reason; everything waits as before.
    AskAgain(String),
    /// The form was closed, for this reason, and the run did not go on in time.
    Stuck(String, Box<PausedRun>),
    /// The run went on.
    On(Box<On>),
}

impl Went {
    /// How far the turn has counted, if the run went on and its stream broke off: Dify goes on with it all the same.
    pub(super) fn broke_off(&self) -> Option<Counts> {
        let Self::On(on) = self else { return None };
        let Ended::Over(Outcome::Failed(failure), _) = &on.ended else { return None };
        let is_broken = matches!(&*failure.code, "upstream_disconnected" | "upstream_timeout");
        (is_broken && on.told.run_id.is_some()).then_some(on.told.counts)
    }
}

/// How it went on.
pub(super) struct On {
    /// How that ended.
    pub(super) ended: Ended,
    /// What the stream told.
    pub(super) told: Told,
    /// The ids of the forms that waited although one was answered.
    pub(super) waiting: Vec<String>,
}

/// What came of handing an answer in.
enum Handed {
    /// Not taken, for this reason; the form waits.
    Back(String),
    /// The form took none any more, for this reason.
    Closed(&'static str),
    /// Dify does not have the form.
    Nowhere(Error),
    /// Dify has it.
    Over,
}

/// How a run is found when it is joined.
enum Found {
    /// It is over, and nothing else is told.
    Ended,
    /// It goes on.
    Moving,
    /// It was not told, in time or before the stream ended.
    Unclear,
    /// It waits.
    Waiting,
}

/// A run's stream, as far as it was read to find out how it stands.
struct Joined {
    source: Source,
    framer: Framer,
    /// All that came, for reading it once more.
    seen: Vec<u8>,
}

/// Goes on with the run.
pub(super) async fn resume(
    means: Means<'_>,
    turn: &TurnRequest,
    mode: &AppMode,
    cause: Cause,
    run: &PausedRun,
    setup: Setup,
    sink: &mut dyn Sink,
) -> Went {
    let answer = match cause {
        Cause::Moved => None,
        Cause::Answered => match answered(turn, run) {
            Ok(answer) => Some(answer),
            Err(why) => return Went::AskAgain(why),
        },
    };
    let deadline = Instant::now() + means.settings.turn_timeout;
    let mut joined = Joined {
        source: Source::of_run(means.client, &run.run_id, &turn.user),
        framer: Framer::new(means.settings.limits.max_event_bytes),
        seen: Vec::new(),
    };
    let patience = Instant::now() + means.settings.first_event_timeout;
    let finding = async { timeout_at(patience, joined.find()).await.unwrap_or(Ok(Found::Unclear)) };
    let found = tokio::select! {
        biased;
        () = turn.stop.cancelled() => return stopped(),
        found = finding => found,
    };
    let found = match found {
        // Nothing was handed in yet, so the caller can do it again.
        Ok(Found::Unclear) if answer.is_some() => {
            return Went::AskAgain(not_handed_in("Dify did not tell how the run stands"));
        }
        Err(error) if answer.is_some() && !is_gone(&error) => {
            tracing::warn!(task.id = %turn.task_id, %error, "a run that waits could not be joined");
            return Went::AskAgain(not_handed_in(&error.failure().message));
        }
        Ok(found) => found,
        Err(error) => return over(Outcome::Failed(error.failure()), Some(error)),
    };
    let all: Vec<String> = run.forms.iter().map(|numbered| numbered.form.form_id.clone()).collect();
    let mut waiting = all.clone();
    let mut closed = None;
    if let (Found::Waiting, Some((index, answer))) = (&found, &answer) {
        match submit(means, turn, run, *index, answer).await {
            Handed::Over => {}
            Handed::Closed(why) => closed = Some(why),
            Handed::Back(why) => return Went::AskAgain(why),
            Handed::Nowhere(error) => return over(Outcome::Failed(error.failure()), Some(error)),
        }
        waiting = others(run, *index);
    }
    let is_answered = waiting.len() < all.len();
    let endpoint = prepare::endpoint(mode);
    let mut recalled = None;
    let (source, framer) = match found {
        Found::Waiting if is_answered => (joined.source, joined.framer),
        found => {
            if matches!(found, Found::Ended) && endpoint == Endpoint::Chat {
                recalled = recall(means, turn, run).await;
            }
            joined.rewind(means)
        }
    };
    let rejoined = Rejoined { run, endpoint, source, framer, waiting: waiting.clone() };
    let mut attempt = Attempt::rejoin(means, turn, setup, rejoined, deadline, sink);
    if !is_answered {
        // Nothing was done that could be waited for; people take as long as they take.
        attempt.bells.first_frame = None;
    } else if closed.is_some() {
        // It was not our answer that moved the run, so nothing says that it has moved.
        attempt.bells.first_frame = Some(Instant::now() + means.settings.first_event_timeout);
    }
    if let Some(answer) = recalled {
        attempt.talk.fold.recall(answer);
    }
    let (ended, told) = attempt.run().await;
    if let Some(why) = closed.filter(|_| has_not_moved(&ended, &told)) {
        told.oddities.tell(&turn.task_id);
        return stuck(run, &waiting, why);
    }
    Went::On(Box::new(On { ended, told, waiting }))
}

/// The form that the caller's last message answers, and the answer.
fn answered(turn: &TurnRequest, run: &PausedRun) -> Result<(usize, FormAnswer), String> {
    let Some(told) = turn.answers.last() else { return Err("The answer was lost.".to_owned()) };
    answer::to_form(run, &told.message).map_err(|error| format!("The answer was not taken: {error}."))
}

fn others(run: &PausedRun, answered: usize) -> Vec<String> {
    let others = run.forms.iter().enumerate().filter(|(index, _)| *index != answered);
    others.map(|(_, numbered)| numbered.form.form_id.clone()).collect()
}

/// Whether nothing was heard of the run.
fn has_not_moved(ended: &Ended, told: &Told) -> bool {
    !told.has_begun && matches!(ended, Ended::Paused(_) | Ended::Over(Outcome::Failed(_), _))
}

/// The forms that wait besides are asked for, or the same again when there is no other.
fn stuck(run: &PausedRun, waiting: &[String], why: &str) -> Went {
    let mut run = run.clone();
    if !waiting.is_empty() {
        run.forms.retain(|numbered| waiting.contains(&numbered.form.form_id));
    }
    Went::Stuck(format!("{why}; the run has not gone on yet."), Box::new(run))
}

fn stopped() -> Went {
    // A run that waits is not stopped at Dify: it would go on waiting, and end badly once its form is answered.
    over(Outcome::Stopped { confirmed: false }, None)
}

fn over(outcome: Outcome, cause: Option<Error>) -> Went {
    let ended = Ended::Over(outcome, cause);
    Went::On(Box::new(On { ended, told: Told::default(), waiting: Vec::new() }))
}

/// Hands the answer in.
async fn submit(
    means: Means<'_>,
    turn: &TurnRequest,
    run: &PausedRun,
    index: usize,
    answer: &FormAnswer,
) -> Handed {
    let form = run.forms.get(index).map(|numbered| &numbered.form);
    let Some(token) = form.and_then(|form| form.form_token.as_ref()) else {
        return Handed::Back("The form cannot be answered here.".to_owned());
    };
    let Err(error) = means.client.submit_form(token, &answer.body(&turn.user)).await else {
        return Handed::Over;
    };
    let closed = match &error {
        Error::Refused(refusal) => refusal.closed_form(),
        _ => None,
    };
    if let Some(closed) = closed {
        tracing::info!(task.id = %turn.task_id, ?closed, "a form was closed before its answer came");
        return match closed {
            ClosedForm::Answered => Handed::Closed("The form was already answered elsewhere"),
            ClosedForm::Expired => Handed::Closed("The form has expired"),
            ClosedForm::Unknown => Handed::Nowhere(error),
        };
    }
    match error {
        Error::Refused(refusal) if refusal.is_bad_answer() => {
            Handed::Back(match reason::clean_reason(&refusal.message) {
                Some(why) => format!("Dify did not take the answer: {}.", why.trim_end_matches('.')),
                None => "Dify did not take the answer.".to_owned(),
            })
        }
        error => {
            tracing::warn!(task.id = %turn.task_id, %error, "an answer to a form could not be handed in");
            Handed::Back(not_handed_in(&error.failure().message))
        }
    }
}

fn not_handed_in(why: &str) -> String {
    format!("The answer could not be handed in ({why}); send it again.")
}

/// Whether Dify does not have the run any more.
fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Refused(refusal) if refusal.is_unknown_run())
}

/// The text of the answer as Dify has stored it: what the run's outputs hold of it was not moderated.
async fn recall(means: Means<'_>, turn: &TurnRequest, run: &PausedRun) -> Option<String> {
    let (conversation, message) = (run.conversation_id.as_deref()?, run.message_id.as_deref()?);
    match means.client.message(conversation, message, &turn.user).await {
        Ok(stored) => stored.map(|stored| stored.answer).filter(|answer| !answer.is_empty()),
        Err(error) => {
            tracing::warn!(task.id = %turn.task_id, %error, "the text of an answer could not be read again");
            None
        }
    }
}

impl Joined {
    /// Reads until it shows how the run stands.
    async fn find(&mut self) -> Result<Found, Error> {
        let mut is_first = true;
        loop {
            while let Some(block) = self.framer.next_block()? {
                if let Some(found) = found(&block, is_first) {
                    return Ok(found);
                }
                is_first = is_first && is_silent(&block);
            }
            match self.source.next().await? {
                Step::Chunk(chunk) => {
                    self.framer.push(&chunk);
                    self.seen.extend_from_slice(&chunk);
                }
                Step::End => return Ok(Found::Unclear),
                Step::Opened => {}
            }
        }
    }

    /// The stream once more, from where it began.
    fn rewind(self, means: Means<'_>) -> (Source, Framer) {
        let mut framer = Framer::new(means.settings.limits.max_event_bytes);
        framer.push(&self.seen);
        (self.source, framer)
    }
}

fn with_frame<T>(block: &str, read: impl FnOnce(&Frame<'_>) -> T) -> Option<T> {
    let data: Cow<'_, str> = sse::data(block).ok()??;
    let mut spare = String::new();
    Frame::decode_or_mend(&data, &mut spare).ok().map(|frame| read(&frame))
}

/// Whether the block is a mere sign of life.
fn is_silent(block: &str) -> bool {
    with_frame(block, |frame| matches!(frame.event, DifyEvent::Ping)).unwrap_or(true)
}

fn found(block: &str, is_first: bool) -> Option<Found> {
    with_frame(block, |frame| match &frame.event {
        DifyEvent::WorkflowPaused(_) => Some(Found::Waiting),
        DifyEvent::WorkflowFinished(_) if is_first => Some(Found::Ended),
        DifyEvent::WorkflowFinished(_)
        | DifyEvent::Error(_)
        | DifyEvent::HumanInputFormFilled(_)
        | DifyEvent::HumanInputFormTimeout(_)
        | DifyEvent::Message { .. }
        | DifyEvent::TextChunk { .. } => Some(Found::Moving),
        DifyEvent::WorkflowStarted(started) if started.is_resumption => Some(Found::Moving),
        _ => None,
    })
    .flatten()
}
