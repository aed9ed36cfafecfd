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
//!        message_end (no graph) | error | workflow_finished (badly) | workflow_paused | end of stream
//! ```
//!
//! A chatflow says twice that it is done, before 1.13 in one order and since then in the other, and sometimes only
//! once; so whichever comes first opens a short grace for its twin. What was said by `message_end` is never unsaid:
//! since 1.16 a made-up failure follows answers that came from moderation or an annotation.
//!
//! The streamed text is the truth. `outputs.answer` is another view of it (other order, before moderation) and
//! counts only when nothing was streamed.

use super::facts;
use super::policy::Policy;
use super::rounds::{BETWEEN_ROUNDS, Rounds};
use super::think::{Split, Splitter, ThinkMode};
use crate::core::event::{Failure, Outcome, TaskEvent, TextArtifact};
use crate::core::facts::FactsUpdate;
use crate::dify::error;
use crate::dify::event::{DifyEvent, Frame, MessageEnd, RunStatus, WorkflowFinished};

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

/// The kinds of apps, as far as their streams differ.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AppKind {
    /// Chatbots, agents, chatflows.
    #[default]
    Chat,
    /// Text generators.
    Completion,
    /// Workflows.
    Workflow,
}

/// What a fold must know beforehand.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// What becomes of thoughts.
    pub think: ThinkMode,
    /// What kind of app it is.
    pub app: AppKind,
    /// Whether speech is wanted.
    pub wants_speech: bool,
    /// The answer so far, when a parked run goes on.
    pub resumed: Option<String>,
}

/// A file that the turn gave.
#[derive(Clone, Debug)]
pub struct Found {
    /// The id of its artifact.
    pub artifact: String,
    /// Its name.
    pub name: String,
    /// Its media type, if known.
    pub media_type: Option<String>,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// Where it is.
    pub source: FoundSource,
}

/// Where a file is.
#[derive(Clone, Debug)]
pub enum FoundSource {
    /// Here.
    Bytes(bytes::Bytes),
    /// There.
    Url {
        /// The address as Dify gave it; may be relative.
        url: String,
        /// Whether somebody outside of Dify gave it to Dify.
        is_remote: bool,
    },
}

/// A run that waits for people.
#[derive(Debug)]
pub struct Pause {
    /// The forms that wait.
    pub forms: Vec<crate::dify::human::HumanForm>,
    /// What else it waits for.
    pub other_reasons: Vec<String>,
}

/// What the fold wants.
#[derive(Debug)]
pub enum Verdict {
    /// More, maybe, but the run waits for people now.
    Paused(Pause),
    /// More.
    GoOn,
    /// More, but not for long: the turn is decided, only details may follow.
    Grace,
    /// Nothing: the turn is over. Said once; later inputs are ignored.
    Over(Outcome),
}

/// Where the events go.
pub type Emit<'e> = &'e mut dyn FnMut(TaskEvent<'_>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    AnswerDone,
    Over,
    RunDone,
    Running,
    Waiting,
}

/// The fold. One per turn.
#[derive(Debug)]
pub struct Fold {
    phase: Phase,
    think: Splitter,
    policy: Policy,
    rounds: Rounds,
    /// Whether the app is a graph, as far as its events show.
    is_graph: bool,
    /// Whether the gateway stops the turn.
    is_stopping: bool,
    /// Whether any text was streamed or replaced.
    has_text: bool,
    /// Whether a form waits for a person.
    awaits_human: bool,
    /// The graph's view of the answer, for the case that nothing was streamed.
    fallback: Option<String>,
}

impl Fold {
    /// The beginning of a turn.
    pub fn new(setup: Setup) -> Self {
        let think = setup.think;
        Self {
            phase: Phase::Waiting,
            think: Splitter::new(think),
            policy: Policy::default(),
            rounds: Rounds::default(),
            is_graph: false,
            is_stopping: false,
            has_text: false,
            awaits_human: false,
            fallback: None,
        }
    }

    /// What was found since the last call.
    pub fn found(&mut self) -> Vec<Found> {
        Vec::new()
    }

    /// The answer's text as Dify has stored it.
    pub fn recall(&mut self, answer: String) {
        self.fallback = Some(answer);
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

    fn frame(&mut self, frame: &Frame<'_>, emit: Emit<'_>) -> Verdict {
        if matches!(frame.event, DifyEvent::Ping) {
            return Verdict::GoOn;
        }
        if self.phase == Phase::Waiting {
            self.phase = Phase::Running;
            emit(TaskEvent::Working);
        }
        self.is_graph |= frame.workflow_run_id.is_some();
        if let Some(progress) = self.policy.progress(&frame.event) {
            emit(TaskEvent::Progress(progress));
        }
        match &frame.event {
            DifyEvent::Message { answer } if self.rounds.is_empty() => self.say(answer, emit),
            DifyEvent::Message { answer } => self.conclude(answer, emit),
            DifyEvent::MessageFileText { answer } if self.is_said(answer) => {}
            DifyEvent::MessageFileText { answer } => self.say(answer, emit),
            DifyEvent::AgentMessage { answer } => self.say_as_agent(answer, emit),
            DifyEvent::TextChunk { text } => self.say(text, emit),
            DifyEvent::ReasoningChunk { reasoning } => self.think.push_thought(reasoning, &mut text(emit)),
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
            DifyEvent::WorkflowPaused(_) => return self.fail(error::of_paused_run(), emit),
            DifyEvent::HumanInputRequired(_) => self.awaits_human = true,
            DifyEvent::HumanInputFormFilled(_) | DifyEvent::HumanInputFormTimeout(_) => {
                self.awaits_human = false
            }
            DifyEvent::WorkflowStarted(_)
            | DifyEvent::NodeFinished(_)
            | DifyEvent::NodeRetry(_)
            | DifyEvent::NodeStarted(_) => self.is_graph = true,
            DifyEvent::AgentLog(_)
            | DifyEvent::IterationCompleted(_)
            | DifyEvent::IterationNext(_)
            | DifyEvent::IterationStarted(_)
            | DifyEvent::LoopCompleted(_)
            | DifyEvent::LoopNext(_)
            | DifyEvent::LoopStarted(_)
            | DifyEvent::MessageFile(_)
            | DifyEvent::ParallelBranchFinished
            | DifyEvent::ParallelBranchStarted
            | DifyEvent::Ping
            | DifyEvent::TtsMessage { .. }
            | DifyEvent::TtsMessageEnd
            | DifyEvent::Unknown { .. } => {}
        }
        Verdict::GoOn
    }

    fn say(&mut self, delta: &str, emit: Emit<'_>) {
        self.has_text |= !delta.is_empty();
        self.think.push(delta, &mut text(emit));
    }

    fn say_as_agent(&mut self, delta: &str, emit: Emit<'_>) {
        if delta.is_empty() {
            return;
        }
        if self.rounds.is_new() {
            self.think.begin_part(&mut recorded(&mut self.rounds, &mut *emit));
            self.rounds.begin();
            self.say(BETWEEN_ROUNDS, &mut *emit);
        }
        self.has_text = true;
        self.rounds.hear(delta);
        self.think.push(delta, &mut recorded(&mut self.rounds, emit));
    }

    /// The whole answer of an agent, after its pieces.
    fn conclude(&mut self, whole: &str, emit: Emit<'_>) {
        if whole.is_empty() {
            return;
        }
        self.think.finish(&mut recorded(&mut self.rounds, emit));
        if self.is_said(whole) {
            return;
        }
        let (split, _) = self.split(whole);
        emit(TaskEvent::Replace { artifact: TextArtifact::Answer, text: &split.answer });
        if !self.think.has_thought() {
            self.think.push_thought(&split.reasoning, &mut text(emit));
        }
        self.rounds.replace(whole, split.answer);
    }

    /// Whether this is all that an agent has said, once more.
    fn is_said(&self, whole: &str) -> bool {
        !self.rounds.is_empty()
            && (self.rounds.came_as(whole) || self.rounds.said(&self.split(whole).0.answer))
    }

    fn replace(&mut self, whole: &str, reason: &str, emit: Emit<'_>) {
        self.has_text = true;
        self.fallback = None;
        let had_thought = self.think.has_thought();
        let (split, think) = self.split(whole);
        self.think = think;
        emit(TaskEvent::Facts(FactsUpdate::Replaced(reason.to_owned())));
        emit(TaskEvent::Replace { artifact: TextArtifact::Answer, text: &split.answer });
        if had_thought || !split.reasoning.is_empty() {
            emit(TaskEvent::Replace { artifact: TextArtifact::Reasoning, text: &split.reasoning });
        }
        if !self.rounds.is_empty() {
            self.rounds.replace(whole, split.answer);
        }
    }

    /// A whole text, split, and the splitter that can go on from its end.
    fn split(&self, whole: &str) -> (Split, Splitter) {
        let mut splitter = Splitter::new(self.think.mode());
        let mut split = Split::default();
        splitter.push(whole, &mut |side, piece| split.take(side, piece));
        (split, splitter)
    }

    fn message_end(&mut self, end: &MessageEnd<'_>, emit: Emit<'_>) -> Verdict {
        for update in facts::of_message_end(end, self.is_graph) {
            emit(TaskEvent::Facts(update));
        }
        // A graph that is being stopped has said enough with either of its two ends.
        if self.phase == Phase::Running && self.is_graph && !self.is_stopping {
            self.phase = Phase::AnswerDone;
            return Verdict::Grace;
        }
        self.over(Outcome::Completed, true, emit)
    }

    fn workflow_finished(&mut self, finished: &WorkflowFinished<'_>, emit: Emit<'_>) -> Verdict {
        self.is_graph = true;
        let reason = finished.error.as_deref();
        let failure = match &finished.status {
            RunStatus::Failed => error::of_failed_run(reason),
            RunStatus::Stopped => error::of_stopped_run(reason),
            RunStatus::Paused => error::of_paused_run(),
            RunStatus::Other(_) | RunStatus::Running => error::of_failed_run(reason),
            RunStatus::PartialSucceeded | RunStatus::Succeeded => return self.run_done(finished, emit),
        };
        if self.phase == Phase::Running {
            self.report_elapsed(finished, emit);
        }
        self.fail(failure, emit)
    }

    fn run_done(&mut self, finished: &WorkflowFinished<'_>, emit: Emit<'_>) -> Verdict {
        self.report_elapsed(finished, emit);
        if finished.status == RunStatus::PartialSucceeded {
            emit(TaskEvent::Facts(FactsUpdate::Exceptions(finished.exceptions_count.unwrap_or(1))));
        }
        if !self.has_text {
            self.fallback = finished.answer();
        }
        if self.phase == Phase::Running && !self.is_stopping {
            self.phase = Phase::RunDone;
            return Verdict::Grace;
        }
        self.over(Outcome::Completed, true, emit)
    }

    fn report_elapsed(&self, finished: &WorkflowFinished<'_>, emit: Emit<'_>) {
        if let Some(elapsed) = finished.elapsed_time.and_then(facts::elapsed) {
            emit(TaskEvent::Facts(elapsed));
        }
    }

    /// Dify says that it failed. It cannot take back an answer that it has called complete.
    fn fail(&mut self, failure: Failure, emit: Emit<'_>) -> Verdict {
        let outcome =
            if self.phase == Phase::AnswerDone { Outcome::Completed } else { Outcome::Failed(failure) };
        self.over(outcome, true, emit)
    }

    /// The stream is at its end and did not say so.
    fn end(&mut self, failure: Failure, in_order: bool, emit: Emit<'_>) -> Verdict {
        let outcome = match self.phase {
            Phase::AnswerDone | Phase::RunDone => Outcome::Completed,
            Phase::Over | Phase::Running | Phase::Waiting if self.awaits_human => {
                Outcome::Failed(error::of_paused_run())
            }
            Phase::Over | Phase::Running | Phase::Waiting => Outcome::Failed(failure),
        };
        self.over(outcome, in_order, emit)
    }

    fn over(&mut self, outcome: Outcome, in_order: bool, emit: Emit<'_>) -> Verdict {
        self.phase = Phase::Over;
        if let Some(answer) = self.fallback.take().filter(|_| !self.has_text) {
            self.say(&answer, emit);
        }
        self.think.finish(&mut text(emit));
        if self.is_stopping {
            return Verdict::Over(Outcome::Stopped { confirmed: in_order });
        }
        Verdict::Over(outcome)
    }
}

/// Makes task events of pieces of text.
fn text<'e>(emit: Emit<'e>) -> impl FnMut(TextArtifact, &str) + 'e {
    move |artifact, delta| emit(TaskEvent::Text { artifact, delta })
}

/// The same, for an agent, whose answer is taken down too.
fn recorded<'e>(rounds: &'e mut Rounds, emit: Emit<'e>) -> impl FnMut(TextArtifact, &str) + 'e {
    move |artifact, delta| {
        if artifact == TextArtifact::Answer {
            rounds.say(delta);
        }
        emit(TaskEvent::Text { artifact, delta });
    }
}

#[cfg(test)]
#[path = "from_dify_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "golden_tests.rs"]
mod golden;
