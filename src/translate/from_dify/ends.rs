//! How a turn ends, or comes to wait: Dify's ends and those of the stream go in, a verdict comes out.

use super::{AppKind, Emit, Fold, Phase, Verdict, text};
use crate::core::event::{Failure, Outcome, TaskEvent};
use crate::core::facts::FactsUpdate;
use crate::dify::error;
use crate::dify::event::{MessageEnd, RunStatus, WorkflowFinished, WorkflowPaused};
use crate::dify::outputs::only_text;
use crate::translate::{facts, outputs};

impl Fold {
    pub(super) fn message_end(&mut self, end: &MessageEnd<'_>, emit: Emit<'_>) -> Verdict {
        for update in facts::of_message_end(end, self.is_graph) {
            emit(TaskEvent::Facts(update));
        }
        for file in end.files() {
            self.files.take(file);
        }
        // A graph that is being stopped has said enough with either of its two ends.
        if self.phase == Phase::Running && self.is_graph && !self.is_stopping {
            self.phase = Phase::AnswerDone;
            return Verdict::Grace;
        }
        self.done(emit)
    }

    pub(super) fn workflow_finished(&mut self, finished: &WorkflowFinished<'_>, emit: Emit<'_>) -> Verdict {
        self.is_graph = true;
        let reason = finished.error.as_deref();
        let failure = match &finished.status {
            RunStatus::Failed => error::of_failed_run(reason),
            RunStatus::Stopped => error::of_stopped_run(reason),
            RunStatus::Paused => {
                self.waits.pause(&WorkflowPaused::default());
                return self.pause(emit);
            }
            RunStatus::Other(_) | RunStatus::Running => error::of_failed_run(reason),
            RunStatus::PartialSucceeded | RunStatus::Succeeded => return self.run_done(finished, emit),
        };
        if self.phase == Phase::Running {
            self.report_elapsed(finished, emit);
        }
        self.take_files(finished);
        self.fail(failure, emit)
    }

    fn run_done(&mut self, finished: &WorkflowFinished<'_>, emit: Emit<'_>) -> Verdict {
        self.report_elapsed(finished, emit);
        if finished.status == RunStatus::PartialSucceeded {
            emit(TaskEvent::Facts(FactsUpdate::Exceptions(finished.exceptions_count.unwrap_or(1))));
        }
        let is_workflow = self.app == AppKind::Workflow;
        // Elsewhere the end of the message tells more.
        if let Some(usage) = finished.total_tokens.filter(|_| is_workflow).and_then(facts::of_tokens) {
            emit(TaskEvent::Facts(usage));
        }
        if is_workflow
            && let Some(whole) = finished.outputs.and_then(|it| outputs::artifact(it, &mut self.files))
        {
            emit(TaskEvent::Artifact(whole));
        }
        self.take_files(finished);
        if !self.has_text {
            self.fallback =
                if is_workflow { finished.outputs.and_then(only_text) } else { finished.answer() };
        }
        if self.phase == Phase::Running && !self.is_stopping && !is_workflow {
            self.phase = Phase::RunDone;
            return Verdict::Grace;
        }
        self.done(emit)
    }

    fn take_files(&mut self, finished: &WorkflowFinished<'_>) {
        if let Some(outputs) = finished.outputs {
            outputs::find_files(outputs, &mut self.files);
        }
        for file in finished.files() {
            self.files.take(file);
        }
    }

    fn report_elapsed(&self, finished: &WorkflowFinished<'_>, emit: Emit<'_>) {
        if let Some(elapsed) = finished.elapsed_time.and_then(facts::elapsed) {
            emit(TaskEvent::Facts(elapsed));
        }
    }

    /// All is said. What is not yet spoken is waited for.
    fn done(&mut self, emit: Emit<'_>) -> Verdict {
        if self.speech.is_under_way() && !self.is_stopping {
            self.phase = Phase::AllSaid;
            return Verdict::Grace;
        }
        self.over(Outcome::Completed, true, emit)
    }

    /// All is spoken.
    pub(super) fn spoken(&mut self, emit: Emit<'_>) -> Verdict {
        self.speech.end(&mut self.files);
        if self.phase == Phase::AllSaid {
            return self.over(Outcome::Completed, true, emit);
        }
        Verdict::GoOn
    }

    /// The run waits for people.
    pub(super) fn pause(&mut self, emit: Emit<'_>) -> Verdict {
        match self.phase {
            Phase::AllSaid | Phase::AnswerDone | Phase::RunDone => self.over(Outcome::Completed, true, emit),
            // The outcome is that of the stop.
            Phase::Over | Phase::Running | Phase::Waiting if self.is_stopping => {
                self.over(Outcome::Completed, true, emit)
            }
            Phase::Over | Phase::Running | Phase::Waiting => {
                self.think.finish(&mut text::to(emit));
                Verdict::Paused(self.waits.as_pause())
            }
        }
    }

    /// Dify says that it failed. It cannot take back an answer that it has called complete.
    pub(super) fn fail(&mut self, failure: Failure, emit: Emit<'_>) -> Verdict {
        let is_complete = matches!(self.phase, Phase::AllSaid | Phase::AnswerDone);
        self.over(if is_complete { Outcome::Completed } else { Outcome::Failed(failure) }, true, emit)
    }

    /// The stream is at its end and did not say so.
    pub(super) fn end(&mut self, failure: Failure, in_order: bool, emit: Emit<'_>) -> Verdict {
        let outcome = match self.phase {
            Phase::AllSaid | Phase::AnswerDone | Phase::RunDone => Outcome::Completed,
            // The run waits at Dify, whatever became of the stream.
            Phase::Over | Phase::Running | Phase::Waiting if self.waits.is_any() && !self.is_stopping => {
                return self.pause(emit);
            }
            Phase::Over | Phase::Running | Phase::Waiting => Outcome::Failed(failure),
        };
        self.over(outcome, in_order, emit)
    }

    fn over(&mut self, outcome: Outcome, in_order: bool, emit: Emit<'_>) -> Verdict {
        self.phase = Phase::Over;
        self.say_the_rest(emit);
        self.think.finish(&mut text::to(emit));
        self.speech.end(&mut self.files);
        if self.is_stopping {
            return Verdict::Over(Outcome::Stopped { confirmed: in_order });
        }
        Verdict::Over(outcome)
    }
}
