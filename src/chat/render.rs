//! Decides what a chat prints: takes an agent's events, gives pieces of output. No text is printed twice, however
//! an agent repeats itself: by a snapshot, by closing an artifact with its whole text, by doing neither.

use std::collections::HashMap;

use super::wire::{Artifact, Event, Parts, State};

/// A piece of output.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Output {
    /// Something went wrong, or ended before its time: a line of its own.
    Alert(String),
    /// The agent's words, to be printed as they are, one right after the other.
    Answer(String),
    /// A remark beside the answer, such as progress: a line of its own, of little weight.
    Note(String),
    /// The agent's thoughts, to be printed as they are, of little weight.
    Thought(String),
}

/// The printed side of one turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What has been printed of each artifact.
    printed: HashMap<String, Printed>,
    /// Whether any of the agent's words were printed.
    spoke: bool,
    last_note: String,
    state: Option<State>,
}

#[derive(Clone, Debug, Default)]
struct Printed {
    text: String,
    others: Vec<String>,
}

/// The artifact that thoughts come in.
const REASONING: &str = "reasoning";

impl Turn {
    /// The turn of a task that goes on: what was printed of it is not printed again.
    pub(super) fn go_on(&self) -> Self {
        Self { printed: self.printed.clone(), ..Self::default() }
    }

    /// Where the turn stands, once the agent has told.
    pub(super) fn state(&self) -> Option<State> {
        self.state
    }

    /// What to print for `event`.
    pub(super) fn take(&mut self, event: &Event) -> Vec<Output> {
        let mut out = Vec::new();
        match event {
            Event::Artifact { artifact, append } => self.artifact(artifact, *append, &mut out),
            Event::Message(parts) => {
                self.state = Some(State::Completed);
                self.speak(parts, &mut out);
            }
            Event::Status(state, note) => self.status(*state, note, &mut out),
            Event::Task(state, note, artifacts) => {
                for artifact in artifacts {
                    self.artifact(artifact, false, &mut out);
                }
                self.status(*state, note, &mut out);
            }
        }
        out
    }

    fn artifact(&mut self, artifact: &Artifact, append: bool, out: &mut Vec<Output>) {
        let is_thought = artifact.id == REASONING;
        let printed = self.printed.entry(artifact.id.clone()).or_default();
        let text = artifact.parts.text.as_str();
        let say = |text: &str| match is_thought {
            true => Output::Thought(text.to_owned()),
            false => Output::Answer(text.to_owned()),
        };
        let fresh = if append { Some(text) } else { text.strip_prefix(printed.text.as_str()) };
        match fresh {
            Some("") => {}
            Some(fresh) => {
                printed.text.push_str(fresh);
                out.push(say(fresh));
            }
            None => {
                text.clone_into(&mut printed.text);
                if !is_thought {
                    out.push(Output::Alert(
                        "the agent replaced what it said; this is its text now:".to_owned(),
                    ));
                }
                out.push(say(text));
            }
        }
        self.spoke |= !is_thought && !printed.text.is_empty();
        for other in &artifact.parts.others {
            if !printed.others.contains(other) {
                printed.others.push(other.clone());
                out.push(Output::Note(other.clone()));
            }
        }
    }

    fn status(&mut self, state: State, note: &Parts, out: &mut Vec<Output>) {
        self.state = Some(state);
        let text = note.text.trim();
        let reason = if text.is_empty() { "the agent gave no reason" } else { text };
        match state {
            State::Working => self.note(note, out),
            State::Completed if self.spoke => self.note(note, out),
            State::Completed | State::InputRequired => self.speak(note, out),
            State::Failed => out.push(Output::Alert(format!("failed: {reason}"))),
            State::Rejected => out.push(Output::Alert(format!("rejected: {reason}"))),
            State::Canceled => out.push(Output::Alert("canceled".to_owned())),
        }
    }

    fn speak(&mut self, parts: &Parts, out: &mut Vec<Output>) {
        if !parts.text.is_empty() {
            let gap = if self.spoke { "\n" } else { "" };
            self.spoke = true;
            out.push(Output::Answer(format!("{gap}{}", parts.text)));
        }
        out.extend(parts.others.iter().cloned().map(Output::Note));
    }

    fn note(&mut self, note: &Parts, out: &mut Vec<Output>) {
        let text = note.text.trim();
        if !text.is_empty() && text != self.last_note {
            text.clone_into(&mut self.last_note);
            out.push(Output::Note(text.to_owned()));
        }
    }
}

/// Text that cannot play tricks on a terminal: no control characters but line ends and tabs.
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Parts {
        Parts { text: text.to_owned(), others: Vec::new() }
    }

    fn piece(id: &str, text: &str, append: bool) -> Event {
        Event::Artifact { artifact: Artifact { id: id.to_owned(), parts: parts(text) }, append }
    }

    fn answers(turn: &mut Turn, events: &[Event]) -> String {
        let outputs = events.iter().flat_map(|event| turn.take(event));
        outputs
            .filter_map(|output| if let Output::Answer(text) = output { Some(text) } else { None })
            .collect()
    }

    #[test]
    fn a_closing_whole_text_is_not_printed_again() {
        let mut turn = Turn::default();
        let events = [
            Event::Task(State::Working, Parts::default(), Vec::new()),
            piece("answer", "Nice ", false),
            piece("answer", "to ", true),
            piece("answer", "Nice to meet you.", false),
            Event::Status(State::Completed, Parts::default()),
        ];
        assert_eq!(answers(&mut turn, &events), "Nice to meet you.");
        assert_eq!(turn.state(), Some(State::Completed));
    }

    #[test]
    fn a_snapshot_after_a_break_goes_on_where_the_stream_stopped() {
        let mut turn = Turn::default();
        let whole = Artifact { id: "answer".to_owned(), parts: parts("one two three") };
        let events = [piece("answer", "one ", false), Event::Task(State::Working, parts(""), vec![whole])];
        assert_eq!(answers(&mut turn, &events), "one two three");
    }

    #[test]
    fn a_replaced_text_is_announced() {
        let mut turn = Turn::default();
        turn.take(&piece("answer", "something rude", false));
        let out = turn.take(&piece("answer", "I cannot say that.", false));
        assert!(
            matches!(out.as_slice(), [Output::Alert(_), Output::Answer(text)] if text == "I cannot say that.")
        );
        assert_eq!(turn.take(&piece("answer", "I cannot say that.", false)), []);
        assert_eq!(turn.take(&piece("answer", " Sorry.", true)), [Output::Answer(" Sorry.".to_owned())]);
    }

    #[test]
    fn artifacts_do_not_mix_and_thoughts_are_not_the_answer() {
        let mut turn = Turn::default();
        assert_eq!(turn.take(&piece("reasoning", "hm ", false)), [Output::Thought("hm ".to_owned())]);
        assert_eq!(turn.take(&piece("reasoning", "hm yes", false)), [Output::Thought("yes".to_owned())]);
        assert_eq!(answers(&mut turn, &[piece("a", "A", false), piece("b", "B", false)]), "AB");
    }

    #[test]
    fn progress_is_a_remark_and_not_repeated() {
        let mut turn = Turn::default();
        let working = Event::Status(State::Working, parts("searching"));
        assert_eq!(turn.take(&working), [Output::Note("searching".to_owned())]);
        assert_eq!(turn.take(&working), []);
    }

    #[test]
    fn ends_are_told() {
        let mut turn = Turn::default();
        let failed = turn.take(&Event::Status(State::Failed, parts("no model")));
        assert_eq!(failed, [Output::Alert("failed: no model".to_owned())]);
        let asked = turn.take(&Event::Status(State::InputRequired, parts("Which one?")));
        assert_eq!(asked, [Output::Answer("Which one?".to_owned())]);
        assert_eq!(answers(&mut Turn::default(), &[Event::Message(parts("hi"))]), "hi");
    }

    #[test]
    fn files_and_data_are_listed_once() {
        let others = vec!["[data] {}".to_owned()];
        let artifact = Artifact { id: "outputs".to_owned(), parts: Parts { text: String::new(), others } };
        let mut turn = Turn::default();
        let event = Event::Artifact { artifact, append: false };
        assert_eq!(turn.take(&event), [Output::Note("[data] {}".to_owned())]);
        assert_eq!(turn.take(&event), []);
    }

    #[test]
    fn escape_sequences_lose_their_teeth() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n\tc\u{9b}"), "a[2Jb\n\tc");
    }
}
