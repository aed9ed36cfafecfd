//! A run that goes on after it waited for people: what Dify tells once more goes in, only what is new comes out.
//!
//! A stream of such a run may begin with Dify's replay of what was before: the steps that were taken, the answer so
//! far (`message_replace`), the forms, the pause. Or it has only what comes from now on; or, when the run has ended
//! while nobody read, nothing but its end.

use super::{AppKind, Emit, Fold};
use crate::core::event::{TaskEvent, TextArtifact};
use crate::dify::event::DifyEvent;
use crate::translate::think::Splitter;

/// What was there before.
#[derive(Debug)]
pub(super) struct Resumed {
    /// The answer so far.
    answer: String,
    /// Whether Dify has told the answer so far, as it has it stored.
    is_stored: bool,
    /// Whether what comes is new.
    is_live: bool,
}

impl Resumed {
    /// With this answer so far. The splitter is told whether it has begun; the text itself has no tags to be found.
    pub(super) fn of(answer: String, think: &mut Splitter) -> Self {
        if answer.contains(|c: char| !c.is_whitespace()) {
            think.push("…", &mut |_, _| {});
        }
        Self { answer, is_stored: false, is_live: false }
    }

    /// Whether what comes is new.
    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Looks whether the replay is over.
    pub(super) fn hear(&mut self, event: &DifyEvent<'_>) {
        self.is_live |= match event {
            // The pause is the last that a replay has to tell.
            DifyEvent::HumanInputFormFilled(_)
            | DifyEvent::HumanInputFormTimeout(_)
            | DifyEvent::WorkflowPaused(_) => true,
            DifyEvent::WorkflowStarted(started) => started.is_resumption,
            DifyEvent::AgentMessage { answer: text }
            | DifyEvent::Message { answer: text }
            | DifyEvent::MessageFileText { answer: text }
            | DifyEvent::ReasoningChunk { reasoning: text }
            | DifyEvent::TextChunk { text } => !text.is_empty(),
            _ => false,
        };
    }
}

impl Fold {
    /// Whether what was before may still be told.
    pub(super) fn is_catching_up(&self) -> bool {
        self.resumed.is_some() && !self.has_text
    }

    /// Dify tells the answer so far. Its store may lag behind what it has streamed.
    pub(super) fn take_snapshot(&mut self, whole: &str, emit: Emit<'_>) {
        let (split, _) = self.split_to_end(whole);
        if let Some(resumed) = &mut self.resumed
            && (split.answer.len() >= resumed.answer.len() || !resumed.answer.starts_with(&split.answer))
        {
            resumed.is_stored = true;
            self.catch_up(whole, true, emit);
        }
    }

    /// Says what was not streamed although it is known: what Dify has stored, else what the outputs have.
    pub(super) fn say_the_rest(&mut self, emit: Emit<'_>) {
        let (recalled, fallback) = (self.recalled.take(), self.fallback.take());
        if self.has_text {
            return;
        }
        // Outputs are the text before moderation, so they take back nothing that was read, and nothing that Dify has
        // stored; those of a workflow are only a part of its text.
        let may_replace = recalled.is_some()
            || self.app != AppKind::Workflow
                && self.resumed.as_ref().is_some_and(|resumed| !resumed.is_stored && !resumed.is_live);
        match recalled.or(fallback) {
            Some(whole) if self.resumed.is_some() => self.catch_up(&whole, may_replace, emit),
            Some(whole) => self.say(&whole, emit),
            None => {}
        }
    }

    /// Makes the answer so far this whole one: by its rest if it only goes on, else by all of it.
    fn catch_up(&mut self, whole: &str, may_replace: bool, emit: Emit<'_>) {
        let (split, think) = self.split_to_end(whole);
        let Some(resumed) = &mut self.resumed else { return };
        match split.answer.strip_prefix(resumed.answer.as_str()) {
            Some("") => {}
            None if !may_replace => return,
            rest => {
                if !split.reasoning.is_empty() {
                    emit(TaskEvent::Replace { artifact: TextArtifact::Reasoning, text: &split.reasoning });
                }
                let artifact = TextArtifact::Answer;
                emit(match rest {
                    Some(delta) => TaskEvent::Text { artifact, delta },
                    None => TaskEvent::Replace { artifact, text: &split.answer },
                });
            }
        }
        resumed.answer = split.answer;
        self.think = think;
    }
}
