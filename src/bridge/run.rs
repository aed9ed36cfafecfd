//! One turn: what it asks of Dify, as many attempts as are safe, and one outcome.
//!
//! Dify has no way to tell a repeated request from a new one, so a request is sent again only when the first one
//! certainly did nothing: no connection came about, the app's ceiling refused it, or the conversation was not there.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::attempt::{Attempt, Opening};
use super::backend::{App, Limits, MissingInputs};
use super::ending::{Ended, Told};
use super::parking::{self, Paused};
use super::people::{self, On, Went};
use super::prepare::{self, Prepared};
use super::reporting;
use crate::core::backend::{Cause, Resume, Sink, TurnRequest};
use crate::core::event::{Failure, FailureSource, Outcome, Parked, TaskEvent};
use crate::core::facts::FactsUpdate;
use crate::core::ids::TaskId;
use crate::dify::error::{self, Error};
use crate::dify::request::Endpoint;
use crate::translate::ask;
use crate::translate::from_dify::{AppKind, Setup};
use crate::translate::memo::{self, Memo, PausedRun};
use crate::translate::plan::{Plan, Request};

/// Runs the turn to its end, or to where it has to ask.
pub(super) async fn run(app: &App<'_>, turn: &TurnRequest, sink: &mut dyn Sink) -> Outcome {
    let memo = turn.resume.as_ref().map(|resume| (resume, Memo::read(&resume.parked.memo)));
    match memo {
        None => from_the_beginning(app, turn, &BTreeMap::new(), sink).await,
        Some((resume, Some(Memo::Inputs(asked)))) => match resume.cause {
            Cause::Answered => match texts(turn, asked) {
                Ok(texts) => from_the_beginning(app, turn, &texts, sink).await,
                Err(failure) => Outcome::Failed(failure),
            },
            Cause::Moved => Outcome::Failed(nobody_answered()),
        },
        Some((resume, Some(Memo::People(run)))) => {
            people_answered(app, turn, resume.clone(), run, sink).await
        }
        Some((_, None)) => Outcome::Failed(Failure::internal()),
    }
}

/// A run that waited goes on. A stream of it that breaks off is joined again: Dify goes on with the run all the same.
async fn people_answered(
    app: &App<'_>,
    turn: &TurnRequest,
    mut resume: Resume,
    mut run: PausedRun,
    sink: &mut dyn Sink,
) -> Outcome {
    let mut pauses = app.means.settings.limits.backoff.into_iter();
    loop {
        let setup = setup(app, turn, Some(resume.answer_so_far));
        let went =
            people::resume(app.means, turn, &app.info.mode, resume.cause, &run, setup, &mut *sink).await;
        let broken = went.broke_off().filter(|_| !turn.stop.is_cancelled());
        let Some((counts, pause)) = broken.zip(pauses.next()) else {
            return after_people(app, turn, &run, went, sink).await;
        };
        tracing::info!(task.id = %turn.task_id, "the stream of a run broke off; it is joined again");
        tokio::select! {
            () = turn.stop.cancelled() => {}
            () = sleep(pause) => {}
        }
        run.counts = counts;
        (resume.cause, resume.answer_so_far) = (Cause::Moved, sink.answer());
    }
}

/// The texts that have answered for one input each, with that of the last answer.
fn texts(turn: &TurnRequest, asked: memo::MissingInputs) -> Result<BTreeMap<String, String>, Failure> {
    let mut texts = asked.texts.clone();
    if let Some(told) = turn.answers.last() {
        let given = crate::translate::answer::to_inputs(&asked, &told.message);
        texts.extend(given.map_err(|error| unfit(&error))?);
    }
    Ok(texts)
}

fn setup(app: &App<'_>, turn: &TurnRequest, resumed: Option<String>) -> Setup {
    Setup {
        think: app.means.settings.think,
        app: match prepare::endpoint(&app.info.mode) {
            Endpoint::Chat => AppKind::Chat,
            Endpoint::Completion => AppKind::Completion,
            Endpoint::Workflow => AppKind::Workflow,
        },
        wants_speech: turn.accepted.names(SPEECH),
        resumed,
    }
}

/// The media type of Dify's speech.
const SPEECH: &str = "audio/mpeg";

async fn from_the_beginning(
    app: &App<'_>,
    turn: &TurnRequest,
    texts: &BTreeMap<String, String>,
    sink: &mut dyn Sink,
) -> Outcome {
    match once(app, turn, texts, sink).await {
        Ok(outcome) => outcome,
        Err(NotBegun(failure)) => {
            // Its author may have published the app anew since it was last looked at.
            let Some(newer) = app.again().await else { return Outcome::Failed(failure) };
            match Plan::of(&newer, app.means.operator, &request(turn, texts)) {
                Ok(plan) if plan.missing().is_empty() => Outcome::Failed(failure),
                Ok(plan) => missing(app, &plan, texts),
                Err(_) => Outcome::Failed(failure),
            }
        }
    }
}

/// Dify did not begin, and the request itself may be why.
struct NotBegun(Failure);

async fn once(
    app: &App<'_>,
    turn: &TurnRequest,
    texts: &BTreeMap<String, String>,
    sink: &mut dyn Sink,
) -> Result<Outcome, NotBegun> {
    let plan = match Plan::of(&app.info, app.means.operator, &request(turn, texts)) {
        Ok(plan) => plan,
        Err(error) => return Ok(Outcome::Rejected(unfit(&error))),
    };
    if !plan.missing().is_empty() {
        return Ok(missing(app, &plan, texts));
    }
    for fact in &plan.facts {
        sink.emit(TaskEvent::Facts(fact.clone()));
    }
    if let Some(inputs) = plan.remember.clone() {
        sink.remember(inputs);
    }
    match Prepared::of(app.means, turn, &app.info.mode, plan).await {
        Ok(mut prepared) => {
            prepared.tell_history(turn, &mut *sink);
            attempts(app, turn, &prepared, sink).await
        }
        Err(outcome) => {
            reporting::log(turn, &outcome, None);
            Ok(outcome)
        }
    }
}

fn request<'a>(turn: &'a TurnRequest, texts: &'a BTreeMap<String, String>) -> Request<'a> {
    Request {
        message: &turn.message,
        metadata: turn.metadata.as_ref(),
        answers: &turn.answers,
        texts,
        remembered: turn.inputs.as_ref(),
        has_conversation: turn.conversation_id.is_some(),
    }
}

/// The app needs more than it was given.
fn missing(app: &App<'_>, plan: &Plan<'_>, texts: &BTreeMap<String, String>) -> Outcome {
    if app.means.settings.missing_inputs == MissingInputs::Reject {
        return Outcome::Rejected(unfit(&super::accept::missing(plan)));
    }
    let names = plan.missing().iter().map(|field| field.variable.clone()).collect();
    let memo = Memo::Inputs(memo::MissingInputs { missing: names, texts: texts.clone() });
    Outcome::InputRequired(Parked {
        ask: ask::for_inputs(plan.missing()),
        leaves_work: false,
        memo: memo.write(),
    })
}

async fn attempts(
    app: &App<'_>,
    turn: &TurnRequest,
    prepared: &Prepared,
    sink: &mut dyn Sink,
) -> Result<Outcome, NotBegun> {
    let means = app.means;
    let deadline = Instant::now() + means.settings.turn_timeout;
    let has_conversation = prepared.endpoint() == Endpoint::Chat;
    let mut conversation = turn.conversation_id.as_deref().filter(|_| has_conversation);
    let mut restarted = false;
    let mut tries = 0;
    loop {
        if turn.stop.is_cancelled() {
            // Nothing runs at Dify at this point.
            return Ok(Outcome::Stopped { confirmed: true });
        }
        let setup = setup(app, turn, None);
        let opening = Opening { prepared, conversation, restarted };
        let attempt = Attempt::begin(means, turn, setup, opening, deadline, &mut *sink);
        let (ended, told) = attempt.run().await;
        told.oddities.tell(&turn.task_id);
        match ended {
            Ended::Over(outcome, cause) => {
                reporting::log(turn, &outcome, cause.as_ref());
                return finish(app, turn, outcome, cause, &told, sink).await;
            }
            Ended::Paused(pause) => return Ok(parking::park(means, turn, Paused::first(pause, told)).await),
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
                    reporting::log(turn, &outcome, Some(&error));
                    return Ok(outcome);
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

async fn finish(
    app: &App<'_>,
    turn: &TurnRequest,
    outcome: Outcome,
    cause: Option<Error>,
    told: &Told,
    sink: &mut dyn Sink,
) -> Result<Outcome, NotBegun> {
    match outcome {
        Outcome::Completed => {
            suggest(app, turn, told, sink).await;
            Ok(Outcome::Completed)
        }
        // A request that was refused for its inputs, or was let in and met with silence, as 1.13 and 1.14 do then, or
        // with an error or a failed run, as later ones do.
        Outcome::Failed(failure)
            if told.lacks_input || (!told.has_begun && may_be_the_inputs(&failure, cause.as_ref())) =>
        {
            Err(NotBegun(failure))
        }
        outcome => Ok(outcome),
    }
}

fn may_be_the_inputs(failure: &Failure, cause: Option<&Error>) -> bool {
    match cause {
        Some(Error::Refused(refusal)) => {
            refusal.status == 400 && refusal.code.as_deref() == Some("invalid_param")
        }
        Some(_) => false,
        None => failure.code == error::NEVER_STARTED,
    }
}

/// Asks for questions to go on with, where the operator wants that and the app has them.
async fn suggest(app: &App<'_>, turn: &TurnRequest, told: &Told, sink: &mut dyn Sink) {
    let is_wanted = app.means.settings.suggested && app.info.features.suggested_questions_after_answer;
    let Some(message_id) = told.message_id.as_deref().filter(|_| is_wanted) else { return };
    let asking = app.means.client.suggested(message_id, &turn.user);
    let suggested = tokio::select! {
        () = turn.stop.cancelled() => return,
        suggested = asking => suggested,
    };
    match suggested {
        Ok(questions) if !questions.is_empty() => {
            sink.emit(TaskEvent::Facts(FactsUpdate::Suggested(questions)));
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(task.id = %turn.task_id, %error, "dify suggested no questions");
        }
    }
}

/// What came of a run that waited for people.
async fn after_people(
    app: &App<'_>,
    turn: &TurnRequest,
    run: &PausedRun,
    went: Went,
    sink: &mut dyn Sink,
) -> Outcome {
    match went {
        Went::AskAgain(why) => again(run.clone(), &why),
        Went::Stuck(why, run) => again(*run, &why),
        Went::On(on) => {
            let On { ended, told, waiting } = *on;
            told.oddities.tell(&turn.task_id);
            match ended {
                Ended::Paused(pause) => {
                    parking::park(app.means, turn, Paused::again(pause, told, run, &waiting)).await
                }
                Ended::Over(outcome, cause) => {
                    reporting::log(turn, &outcome, cause.as_ref());
                    if matches!(outcome, Outcome::Completed) {
                        suggest(app, turn, &told, sink).await;
                    }
                    outcome
                }
                Ended::ConversationLost => Outcome::Failed(Failure::internal()),
                Ended::NeverBegan(error) => {
                    let outcome = Outcome::Failed(error.failure());
                    reporting::log(turn, &outcome, Some(&error));
                    outcome
                }
            }
        }
    }
}

/// The same question, with the reason before it.
fn again(run: PausedRun, why: &str) -> Outcome {
    let ask = ask::for_forms(&run.forms, Some(why));
    Outcome::InputRequired(Parked { ask, leaves_work: true, memo: Memo::People(run).write() })
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

fn nobody_answered() -> Failure {
    Failure {
        code: "input_timeout".into(),
        message: "the inputs that the app needs were not given in time; send the message again with them"
            .to_owned(),
        retryable: true,
        source: FailureSource::Caller,
    }
}
