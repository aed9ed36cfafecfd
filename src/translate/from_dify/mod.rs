//! One turn of a Dify app as a fold: Dify's events and the ways a stream can end go in, the task's events come out,
//! and in the end one outcome.
//!
//! ```text
//!             any frame             message_end (chatflow)            workflow_finished | end of stream | grace over
//!   Waiting -----------> Running -----------------------> AnswerDone ------------------------------------+
//!      |                  |  |                                                                           v
//!      |                  |  +---------------------------> RunDone ------------------------------------> Over
//!      |                  |     workflow_finished (well)            message_end | error | end | grace     ^
//!      +------------------+---------------------------------------------------------------------------+
//!        message_end (no graph) | error | workflow_finished (badly, or of a workflow) | end of stream
//! ```
//!
//! A chatflow says twice that it is done, before 1.13 in one order and since then in the other, and sometimes only
//! once; so whichever comes first opens a short grace for its twin. What was said by `message_end` is never unsaid:
//! since 1.16 a made-up failure follows answers that came from moderation or an annotation. An answer whose speech is
//! not yet whole waits for that in the same way (AllSaid, between any of the last two).
//!
//! The streamed text is the truth. `outputs.answer` is another view of it (other order, before moderation) and
//! counts only when nothing was streamed.
//!
//! A run that waits for people is no outcome: the fold says so, and can go on with what comes next.

mod ends;
mod resume;
mod text;

use serde::{Deserialize, Serialize};

use self::resume::Resumed;
use super::files::Files;
use super::pauses::Waits;
use super::policy::Policy;
use super::rounds::Rounds;
use super::speech::Speech;
use super::think::{Splitter, ThinkMode};
use crate::core::event::{Failure, Outcome, TaskEvent};
use crate::dify::error;
use crate::dify::event::{DifyEvent, Frame};

pub use super::files::{Found, FoundSource};
pub use super::pauses::Pause;

/// What kind of app a turn is of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AppKind {
    /// Chatbots, agents, chatflows.
    #[default]
    Chat,
    /// Text generators.
    Completion,
    /// Workflows, whose outputs count beside their text.
    Workflow,
}

/// What a turn begins with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// What becomes of a model's thoughts.
    pub think: ThinkMode,
    /// The kind of app.
    pub app: AppKind,
    /// Whether the caller wants to hear the answer too.
    pub wants_speech: bool,
    /// The answer so far, when a run goes on that was waiting.
    pub resumed: Option<String>,
}

/// How far a turn has counted what it numbers, for when it goes on in another fold.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Counts {
    /// Its files.
    pub files: usize,
    /// Its steps.
    pub steps: u64,
}

/// What the fold is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The stream ended in order.
    Closed,
    /// A frame came.
    Frame(&'a Frame<'a>),
    /// The time that [`Verdict::Grace`] asked for is over.
    GraceOver,
    /// The stream was lost, for this reason.
    Lost(Failure),
    /// The gateway has begun to stop the turn: any end is what was asked for.
    StopRequested,
}

/// What the fold wants.
#[derive(Debug)]
pub enum Verdict {
    /// More.
    GoOn,
    /// More, but not for long: the turn is decided, only details may follow.
    Grace,
    /// Nothing: the turn is over. Said once; later inputs are ignored.
    Over(Outcome),
    /// The run waits for people. The stream may be left; frames that come nevertheless, or of another stream of the
    /// same run, are taken.
    Paused(Pause),
}

/// Where the events go.
pub type Emit<'e> = &'e mut dyn FnMut(TaskEvent<'_>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// All is said, but not all is spoken.
    AllSaid,
    AnswerDone,
    Over,
    RunDone,
    Running,
    Waiting,
}

/// The fold. One per turn.
#[derive(Debug)]
pub struct Fold {
    app: AppKind,
    phase: Phase,
    think: Splitter,
    policy: Policy,
    rounds: Rounds,
    files: Files,
    speech: Speech,
    /// What the run waits for.
    waits: Waits,
    /// Of a run that goes on: what was there before.
    resumed: Option<Resumed>,
    /// Whether the app is a graph, as far as its events show.
    is_graph: bool,
    /// Whether the gateway stops the turn.
    is_stopping: bool,
    /// Whether any text was streamed or replaced in this turn of it.
    has_text: bool,
    /// The text by the outputs, for the case that nothing was streamed.
    fallback: Option<String>,
    /// The text as Dify has stored it, for the same case.
    recalled: Option<String>,
}

impl Fold {
    /// The beginning of a turn.
    pub fn new(setup: Setup) -> Self {
        let mut think = Splitter::new(setup.think);
        let resumed = setup.resumed.map(|answer| Resumed::of(answer, &mut think));
        Self {
            app: setup.app,
            phase: Phase::Waiting,
            think,
            policy: Policy::default(),
            rounds: Rounds::default(),
            files: Files::default(),
            speech: Speech::new(setup.wants_speech),
            waits: Waits::default(),
            resumed,
            is_graph: setup.app == AppKind::Workflow,
            is_stopping: false,
            has_text: false,
            fallback: None,
            recalled: None,
        }
    }

    /// Takes one input.
    pub fn step(&mut self, input: Input<'_>, emit: Emit<'_>) -> Verdict {
        if self.phase == Phase::Over {
            return Verdict::GoOn;
        }
        match input {
            Input::Frame(frame) => self.frame(frame, emit),
            Input::Closed => self.end(error::disconnected(), true, emit),
            Input::GraceOver => self.end(error::disconnected(), false, emit),
            Input::Lost(failure) => self.end(failure, false, emit),
            Input::StopRequested => {
                self.is_stopping = true;
                Verdict::GoOn
            }
        }
    }

    /// The files and the speech that were found since the last call.
    pub fn found(&mut self) -> Vec<Found> {
        self.files.found()
    }

    /// How far it has counted.
    pub fn counts(&self) -> Counts {
        Counts { files: self.files.count(), steps: self.policy.count() }
    }

    /// Numbers of files and steps go on behind these, which were given before the run waited. Else they begin with 1,
    /// and a file takes the place of an earlier one.
    pub fn count_from(&mut self, counts: Counts) {
        self.files.count_from(counts.files);
        self.policy.count_from(counts.steps);
    }

    /// The answer's text as Dify has stored it, for a run that ended while nobody read: it counts instead of
    /// `outputs.answer`, if nothing is streamed. An empty one is none: the row of a message is there before its text.
    pub fn recall(&mut self, answer: String) {
        self.recalled = Some(answer).filter(|answer| !answer.is_empty());
    }

    fn frame(&mut self, frame: &Frame<'_>, emit: Emit<'_>) -> Verdict {
        if matches!(frame.event, DifyEvent::Ping) {
            return Verdict::GoOn;
        }
        if self.phase == Phase::Waiting {
            self.phase = Phase::Running;
            emit(TaskEvent::Working);
        }
        self.is_graph |= frame.workflow_run_id.is_some();
        self.report_step(&frame.event, &mut *emit);
        match &frame.event {
            DifyEvent::Message { answer } if self.rounds.is_empty() => self.say(answer, emit),
            DifyEvent::Message { answer } => self.conclude(answer, emit),
            DifyEvent::MessageFileText { answer } if self.is_said(answer) => {}
            DifyEvent::MessageFileText { answer } => self.say(answer, emit),
            DifyEvent::AgentMessage { answer } => self.say_as_agent(answer, emit),
            DifyEvent::TextChunk { text } => self.say(text, emit),
            DifyEvent::ReasoningChunk { reasoning } => {
                self.think.push_thought(reasoning, &mut text::to(emit));
            }
            DifyEvent::MessageReplace { answer, reason } => self.replace(answer, reason, emit),
            DifyEvent::TextReplace { text, reason } => self.replace(text, reason, emit),
            DifyEvent::AgentThought(thought) => {
                if let Some(position) = thought.position {
                    self.rounds.at(position);
                }
            }
            DifyEvent::MessageEnd(end) => return self.message_end(end, emit),
            DifyEvent::WorkflowFinished(finished) => return self.workflow_finished(finished, emit),
            DifyEvent::Error(stream_error) => return self.fail(error::of_stream_error(stream_error), emit),
            DifyEvent::WorkflowPaused(paused) => {
                self.waits.pause(paused);
                return self.pause(emit);
            }
            DifyEvent::HumanInputRequired(form) => self.waits.require(form),
            DifyEvent::HumanInputFormFilled(filled) => self.waits.settle(&filled.node_id),
            DifyEvent::HumanInputFormTimeout(timeout) => self.waits.settle(&timeout.node_id),
            DifyEvent::WorkflowStarted(started) => {
                self.is_graph = true;
                if started.is_resumption {
                    self.waits.go_on();
                }
            }
            DifyEvent::NodeFinished(_) | DifyEvent::NodeRetry(_) | DifyEvent::NodeStarted(_) => {
                self.is_graph = true;
            }
            DifyEvent::MessageFile(file) => self.files.take_of_message(file),
            DifyEvent::TtsMessage { audio } => self.speech.hear(audio),
            DifyEvent::TtsMessageEnd => return self.spoken(emit),
            DifyEvent::AgentLog(_)
            | DifyEvent::IterationCompleted(_)
            | DifyEvent::IterationNext(_)
            | DifyEvent::IterationStarted(_)
            | DifyEvent::LoopCompleted(_)
            | DifyEvent::LoopNext(_)
            | DifyEvent::LoopStarted(_)
            | DifyEvent::ParallelBranchFinished
            | DifyEvent::ParallelBranchStarted
            | DifyEvent::Ping
            | DifyEvent::Unknown { .. } => {}
        }
        Verdict::GoOn
    }

    /// Tells of the step that an event shows, unless it was told before the run waited.
    fn report_step(&mut self, event: &DifyEvent<'_>, emit: Emit<'_>) {
        if let Some(resumed) = &mut self.resumed {
            resumed.hear(event);
        }
        let is_live = self.resumed.as_ref().is_none_or(Resumed::is_live);
        self.policy.progress(event, &mut |progress| {
            if is_live {
                emit(TaskEvent::Progress(progress));
            }
        });
    }
}

#[cfg(test)]
mod tests;
