//! What is said: pieces and whole texts of Dify go in, text of the artifacts comes out.

use super::{Emit, Fold};
use crate::core::event::{TaskEvent, TextArtifact};
use crate::core::facts::FactsUpdate;
use crate::translate::rounds::{BETWEEN_ROUNDS, Rounds};
use crate::translate::think::{Split, Splitter};

impl Fold {
    pub(super) fn say(&mut self, delta: &str, emit: Emit<'_>) {
        self.has_text |= !delta.is_empty();
        self.think.push(delta, &mut to(emit));
    }

    pub(super) fn say_as_agent(&mut self, delta: &str, emit: Emit<'_>) {
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
    pub(super) fn conclude(&mut self, whole: &str, emit: Emit<'_>) {
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
            self.think.push_thought(&split.reasoning, &mut to(emit));
        }
        self.rounds.replace(whole, split.answer);
    }

    /// Whether this is all that an agent has said, once more.
    pub(super) fn is_said(&self, whole: &str) -> bool {
        !self.rounds.is_empty()
            && (self.rounds.came_as(whole) || self.rounds.said(&self.split(whole).0.answer))
    }

    /// Dify takes back the text, or tells what there was of it before the run went on.
    pub(super) fn replace(&mut self, whole: &str, reason: &str, emit: Emit<'_>) {
        if reason.is_empty() && self.is_catching_up() {
            return self.take_snapshot(whole, emit);
        }
        self.has_text = true;
        self.fallback = None;
        // It may voice what was taken back.
        self.speech.drop_all();
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

    /// The same of a text that is whole for now: nothing of it is held back.
    pub(super) fn split_to_end(&self, whole: &str) -> (Split, Splitter) {
        let (mut split, mut splitter) = self.split(whole);
        splitter.finish(&mut |side, piece| split.take(side, piece));
        (split, splitter)
    }
}

/// Makes task events of pieces of text.
pub(super) fn to<'e>(emit: Emit<'e>) -> impl FnMut(TextArtifact, &str) + 'e {
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
