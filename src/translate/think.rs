//! Splits a model's `<think>…</think>` from what it says, while both stream in pieces of any size.
//!
//! ```text
//!            <think>                   </think>
//!   answer ----------> reasoning ----------------> answer
//! ```
//!
//! People and models also write *of* the tag. At the beginning of an answer, where models put their thoughts, it
//! counts as it is; later only with a line end right behind it, as Dify's own page has it; else it is text.
//!
//! At most the beginning of a possible tag and line ends before a possible `</think>` are held back, so every other
//! byte is passed on at once. How the text is cut into pieces makes no difference to either side.

use memchr::memchr;

use crate::core::event::TextArtifact;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// The longest beginning of a tag in the middle of an answer that can still turn out to be text.
const OPEN_AND_CR: &str = "<think>\r";

/// What stands between two thoughts, so that they do not run into one another.
const BETWEEN_THOUGHTS: &str = "\n\n";

/// What becomes of a model's thoughts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ThinkMode {
    /// They are left out.
    Drop,
    /// They stay in the answer, tags and all.
    Keep,
    /// They become the reasoning artifact.
    #[default]
    Metadata,
}

/// Where a thought stands in relation to its opening tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum AfterOpen {
    /// Behind the tag and a CR.
    Cr,
    /// Behind the tag.
    Tag,
    /// In the thought itself.
    Thought,
}

/// The splitter. One per text.
#[derive(Clone, Debug)]
pub struct Splitter {
    mode: ThinkMode,
    side: TextArtifact,
    /// How many bytes of the tag that may come next, and of the line end that belongs to it, have been seen at the
    /// end of the text so far.
    matched: usize,
    /// Line ends at the end of a thought, which are dropped if the thought ends there.
    line_ends: String,
    /// How much of the line end right after `<think>` may still come; it is part of the tag.
    after_open: AfterOpen,
    /// Right after `</think>`, while the answer has not begun: white space is part of the tag.
    after_close: bool,
    /// Whether the answer has anything but white space.
    answered: bool,
    /// Whether the present part of the answer has anything but white space.
    part_answered: bool,
    /// Whether any thought has been passed on.
    thought: bool,
    /// Whether a thought that follows another begins.
    new_thought: bool,
}

impl Splitter {
    /// A splitter for a text that begins as an answer.
    pub fn new(mode: ThinkMode) -> Self {
        Self {
            mode,
            side: TextArtifact::Answer,
            matched: 0,
            line_ends: String::new(),
            after_open: AfterOpen::Thought,
            after_close: false,
            answered: false,
            part_answered: false,
            thought: false,
            new_thought: false,
        }
    }

    /// What becomes of thoughts.
    pub fn mode(&self) -> ThinkMode {
        self.mode
    }

    /// Whether any thought has been passed on.
    pub fn has_thought(&self) -> bool {
        self.thought
    }

    /// Takes the next piece, passes on what is certain.
    pub fn push(&mut self, piece: &str, emit: &mut dyn FnMut(TextArtifact, &str)) {
        if self.mode == ThinkMode::Keep {
            if !piece.is_empty() {
                emit(TextArtifact::Answer, piece);
            }
            return;
        }
        let mut rest = piece;
        while !rest.is_empty() {
            rest = if self.matched == 0 { self.up_to_tag(rest, emit) } else { self.on_in_tag(rest, emit) };
        }
    }

    /// A part of the answer begins that stands for itself, such as an agent's next round. Passes on what was held
    /// back of the one before it.
    pub fn begin_part(&mut self, emit: &mut dyn FnMut(TextArtifact, &str)) {
        self.flush_tag(emit);
        self.part_answered = false;
    }

    /// The text is over: passes on what was held back.
    pub fn finish(&mut self, emit: &mut dyn FnMut(TextArtifact, &str)) {
        self.flush_tag(emit);
        self.flush_line_ends(emit);
    }

    /// A thought that came by another way than tags.
    pub fn push_thought(&mut self, piece: &str, emit: &mut dyn FnMut(TextArtifact, &str)) {
        if self.mode != ThinkMode::Drop && !piece.is_empty() {
            self.thought = true;
            emit(TextArtifact::Reasoning, piece);
        }
    }

    /// Passes on the text before the next `<`, gives what is behind it.
    fn up_to_tag<'t>(&mut self, text: &'t str, emit: &mut dyn FnMut(TextArtifact, &str)) -> &'t str {
        let Some((before, from)) = memchr(b'<', text.as_bytes()).and_then(|at| text.split_at_checked(at))
        else {
            self.pass(text, emit);
            return "";
        };
        self.pass(before, emit);
        self.matched = 1;
        from.get(1..).unwrap_or_default()
    }

    /// Goes on comparing with the tag whose beginning has been seen.
    fn on_in_tag<'t>(&mut self, text: &'t str, emit: &mut dyn FnMut(TextArtifact, &str)) -> &'t str {
        let wanted = self.tag().get(self.matched..).unwrap_or_default();
        if wanted.is_empty() {
            return self.behind_tag(text, emit);
        }
        let same = wanted.bytes().zip(text.bytes()).take_while(|(want, have)| want == have).count();
        let is_whole = same == wanted.len();
        if !is_whole && same < text.len() {
            self.flush_tag(emit);
            return text;
        }
        self.matched += same;
        if is_whole && (self.side == TextArtifact::Reasoning || !self.part_answered) {
            self.turn(AfterOpen::Tag);
        }
        text.get(same..).unwrap_or_default()
    }

    /// Behind an opening tag in the middle of the answer: what follows tells whether it is one.
    fn behind_tag<'t>(&mut self, text: &'t str, emit: &mut dyn FnMut(TextArtifact, &str)) -> &'t str {
        if let Some(behind) = text.strip_prefix('\n') {
            self.turn(AfterOpen::Thought);
            return behind;
        }
        if self.matched < OPEN_AND_CR.len()
            && let Some(behind) = text.strip_prefix('\r')
        {
            self.matched = OPEN_AND_CR.len();
            return behind;
        }
        self.flush_tag(emit);
        text
    }

    /// The tag that ends the present side. Its only `<` is its first byte, so a mismatch never hides another tag.
    fn tag(&self) -> &'static str {
        match self.side {
            TextArtifact::Answer => OPEN,
            TextArtifact::Reasoning => CLOSE,
        }
    }

    /// A whole tag was seen; if it opens a thought, so much of the line end behind it.
    fn turn(&mut self, after_open: AfterOpen) {
        self.matched = 0;
        match self.side {
            TextArtifact::Answer => {
                self.side = TextArtifact::Reasoning;
                self.after_open = after_open;
                self.new_thought = self.thought;
            }
            TextArtifact::Reasoning => {
                self.side = TextArtifact::Answer;
                self.line_ends.clear();
                self.after_close = !self.answered;
            }
        }
    }

    fn flush_tag(&mut self, emit: &mut dyn FnMut(TextArtifact, &str)) {
        let seen = match self.side {
            TextArtifact::Answer => OPEN_AND_CR,
            TextArtifact::Reasoning => CLOSE,
        };
        let text = seen.get(..self.matched).unwrap_or_default();
        self.matched = 0;
        self.pass(text, emit);
    }

    fn flush_line_ends(&mut self, emit: &mut dyn FnMut(TextArtifact, &str)) {
        let line_ends = std::mem::take(&mut self.line_ends);
        self.think(&line_ends, emit);
    }

    /// Passes on text without tags, less the white space that belongs to a tag beside it.
    fn pass(&mut self, text: &str, emit: &mut dyn FnMut(TextArtifact, &str)) {
        match self.side {
            TextArtifact::Answer => self.pass_answer(text, emit),
            TextArtifact::Reasoning => self.pass_thought(text, emit),
        }
    }

    fn pass_answer(&mut self, mut text: &str, emit: &mut dyn FnMut(TextArtifact, &str)) {
        if self.after_close {
            text = text.trim_start();
        }
        if text.is_empty() {
            return;
        }
        self.after_close = false;
        if !self.part_answered && text.contains(|c: char| !c.is_whitespace()) {
            self.part_answered = true;
            self.answered = true;
        }
        emit(TextArtifact::Answer, text);
    }

    fn pass_thought(&mut self, mut text: &str, emit: &mut dyn FnMut(TextArtifact, &str)) {
        if self.after_open == AfterOpen::Tag
            && let Some(behind) = text.strip_prefix('\r')
        {
            self.after_open = AfterOpen::Cr;
            text = behind;
        }
        if text.is_empty() {
            return;
        }
        if self.after_open != AfterOpen::Thought {
            self.after_open = AfterOpen::Thought;
            text = text.strip_prefix('\n').unwrap_or(text);
        }
        let body = text.trim_end_matches(['\r', '\n']);
        if !body.is_empty() {
            self.flush_line_ends(emit);
            self.think(body, emit);
        }
        self.line_ends.push_str(text.get(body.len()..).unwrap_or_default());
    }

    fn think(&mut self, text: &str, emit: &mut dyn FnMut(TextArtifact, &str)) {
        if text.is_empty() || self.mode == ThinkMode::Drop {
            return;
        }
        if std::mem::take(&mut self.new_thought) {
            emit(TextArtifact::Reasoning, BETWEEN_THOUGHTS);
        }
        self.thought = true;
        emit(TextArtifact::Reasoning, text);
    }
}

/// A whole text split at once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Split {
    /// What is said.
    pub answer: String,
    /// What is thought.
    pub reasoning: String,
}

impl Split {
    /// Takes one piece in.
    pub fn take(&mut self, side: TextArtifact, piece: &str) {
        match side {
            TextArtifact::Answer => self.answer.push_str(piece),
            TextArtifact::Reasoning => self.reasoning.push_str(piece),
        }
    }
}

#[cfg(test)]
#[path = "think_tests.rs"]
mod tests;
