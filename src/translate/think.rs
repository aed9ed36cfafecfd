//! Splits a model's `<think>…</think>` from what it says, while both stream in pieces of any size.
//!
//! ```text
//!            <think>                   </think>
//!   answer ----------> reasoning ----------------> answer
//! ```
//!
//! At most the beginning of a possible tag and line ends before a possible `</think>` are held back, so every other
//! byte is passed on at once. How the text is cut into pieces makes no difference to either side.

use memchr::memchr;

use crate::core::event::TextArtifact;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

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
    /// How many bytes of the tag that may come next have been seen at the end of the text so far.
    matched: usize,
    /// Line ends at the end of a thought, which are dropped if the thought ends there.
    line_ends: String,
    /// How much of the line end right after `<think>` may still come; it is part of the tag.
    after_open: AfterOpen,
    /// Right after `</think>`, while the answer has not begun: white space is part of the tag.
    after_close: bool,
    /// Whether the answer has anything but white space.
    answered: bool,
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
        let same = wanted.bytes().zip(text.bytes()).take_while(|(want, have)| want == have).count();
        if same == wanted.len() {
            self.matched = 0;
            self.turn();
            return text.get(same..).unwrap_or_default();
        }
        if same == text.len() {
            self.matched += same;
            return "";
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

    /// A whole tag was seen.
    fn turn(&mut self) {
        match self.side {
            TextArtifact::Answer => {
                self.side = TextArtifact::Reasoning;
                self.after_open = AfterOpen::Tag;
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
        let text = self.tag().get(..self.matched).unwrap_or_default();
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
        self.answered |= text.contains(|c: char| !c.is_whitespace());
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split<'a>(mode: ThinkMode, pieces: impl IntoIterator<Item = &'a str>) -> (String, String) {
        let mut splitter = Splitter::new(mode);
        let mut split = Split::default();
        for piece in pieces {
            splitter.push(piece, &mut |side, text| {
                assert!(!text.is_empty());
                split.take(side, text);
            });
        }
        splitter.finish(&mut |side, text| split.take(side, text));
        (split.answer, split.reasoning)
    }

    #[track_caller]
    fn check(text: &str, answer: &str, reasoning: &str) {
        let whole = split(ThinkMode::Metadata, [text]);
        assert_eq!(whole, (answer.to_owned(), reasoning.to_owned()), "{text:?}");
        let chars: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(split(ThinkMode::Metadata, chars.iter().map(String::as_str)), whole, "{text:?}");
    }

    #[test]
    fn a_thought_is_taken_out_with_the_white_space_of_its_tags() {
        check("<think>\nweighing it\n</think>\nDone thinking.", "Done thinking.", "weighing it");
        check("<think>\r\na\r\n\r\nb\r\n</think>\r\n\r\n  Done.\n", "Done.\n", "a\r\n\r\nb");
        check("<think></think>yes", "yes", "");
        check("<think>\n\n</think>\n\nyes", "yes", "");
        check("\n<think>a</think>\nyes", "\nyes", "a");
    }

    #[test]
    fn white_space_after_a_thought_stays_when_the_answer_has_begun() {
        check("So: <think>a</think>\nyes", "So: \nyes", "a");
        check("one<think>a</think> two<think>\nb\n</think> three", "one two three", "a\n\nb");
    }

    #[test]
    fn what_only_looks_like_a_tag_is_text() {
        for text in ["a < b <thin> <<think <thinking> </think> c", "<", "<think", "x<thi", "</think>"] {
            check(text, text, "");
        }
        check("<<think>a</think>b", "<b", "a");
        check("<think>a </thin </think >\n< b</think>c", "c", "a </thin </think >\n< b");
        check("<think>a <think> b</think>c", "c", "a <think> b");
    }

    #[test]
    fn an_unfinished_thought_loses_nothing() {
        check("<think>a\n\n</thi", "", "a\n\n</thi");
        check("<think>a\n", "", "a\n");
    }

    #[test]
    fn thoughts_can_be_kept_or_dropped() {
        let text = "<think>\na\n</think>\nb";
        assert_eq!(split(ThinkMode::Keep, [text]), (text.to_owned(), String::new()));
        assert_eq!(split(ThinkMode::Drop, [text]), ("b".to_owned(), String::new()));
    }

    #[test]
    fn text_before_a_tag_is_not_held_back() {
        let mut splitter = Splitter::new(ThinkMode::Metadata);
        let mut said = String::new();
        splitter.push("Hello <thi", &mut |_, text| said.push_str(text));
        assert_eq!(said, "Hello ");
        splitter.push("s", &mut |_, text| said.push_str(text));
        assert_eq!(said, "Hello <this");
    }

    proptest! {
        #[test]
        fn chopping_changes_nothing(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "<think>", "</think>", "<", "</", "thi", "nk>", "\n", "\r", "\r\n", " ", "a", "中", ">",
                ]),
                0..30,
            ),
            cuts in prop::collection::vec(1usize..5, 1..30),
        ) {
            let text = pieces.concat();
            let chars: Vec<char> = text.chars().collect();
            let mut chunks = Vec::new();
            let mut rest = chars.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                chunks.push(head.iter().collect::<String>());
                rest = tail;
            }
            for mode in [ThinkMode::Metadata, ThinkMode::Keep, ThinkMode::Drop] {
                let chopped = split(mode, chunks.iter().map(String::as_str));
                prop_assert_eq!(chopped, split(mode, [text.as_str()]));
            }
        }
    }
}
