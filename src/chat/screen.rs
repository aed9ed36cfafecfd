//! The printing side of the terminal: takes pieces of output, keeps answers, thoughts and remarks apart.

use std::io::{self, Write};

use super::render::{Output, harmless};

/// Begins and ends text of little weight on a screen.
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// What the last line printed holds, if it has not been ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Open {
    /// A piece of an answer.
    Answer,
    /// It has been ended.
    Nothing,
    /// A piece of a thought.
    Thought,
}

/// The printing side of the terminal.
pub(super) struct Screen<'a> {
    /// For answers.
    pub(super) output: &'a mut (dyn Write + Send),
    /// For everything else.
    pub(super) notes: &'a mut (dyn Write + Send),
    /// Whether `output` is a screen.
    pub(super) output_is_screen: bool,
    /// Whether `notes` is a screen; remarks and thoughts are for people, so they go nowhere else.
    pub(super) notes_are_screen: bool,
    /// The line that is not ended.
    pub(super) open: Open,
}

impl Screen<'_> {
    /// Prints one piece.
    pub(super) fn print(&mut self, output: &Output) -> io::Result<()> {
        match output {
            Output::Alert(text) => self.alert(text),
            Output::Answer(text) => self.answer(text),
            Output::Note(text) => self.note(text),
            Output::Thought(text) => self.thought(text),
        }
    }

    fn answer(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if self.open == Open::Thought {
            self.break_line()?;
        }
        if self.output_is_screen {
            self.output.write_all(harmless(text).as_bytes())?;
        } else {
            self.output.write_all(text.as_bytes())?;
        }
        self.open = if text.ends_with('\n') { Open::Nothing } else { Open::Answer };
        self.output.flush()
    }

    fn thought(&mut self, text: &str) -> io::Result<()> {
        if !self.notes_are_screen || text.is_empty() {
            return Ok(());
        }
        if self.open == Open::Answer {
            self.break_line()?;
        }
        write!(self.notes, "{DIM}{}{PLAIN}", harmless(text))?;
        self.open = if text.ends_with('\n') { Open::Nothing } else { Open::Thought };
        self.notes.flush()
    }

    /// A remark on a line of its own.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        if !self.notes_are_screen {
            return Ok(());
        }
        self.break_line()?;
        writeln!(self.notes, "{DIM}{}{PLAIN}", harmless(text))?;
        self.notes.flush()
    }

    /// Something that must be seen, on a line of its own.
    pub(super) fn alert(&mut self, text: &str) -> io::Result<()> {
        self.break_line()?;
        writeln!(self.notes, "[{}]", harmless(text))?;
        self.notes.flush()
    }

    /// Asks a person to type.
    pub(super) fn prompt(&mut self) -> io::Result<()> {
        self.end_line()?;
        write!(self.notes, "> ")?;
        self.notes.flush()
    }

    /// Begins a new line where a person sees it, without putting anything into a file.
    fn break_line(&mut self) -> io::Result<()> {
        if self.open == Open::Answer && !self.output_is_screen { Ok(()) } else { self.end_line() }
    }

    /// Ends the line that is not ended.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => Ok(()),
            Open::Answer => {
                self.output.write_all(b"\n")?;
                self.output.flush()
            }
            Open::Thought => {
                self.notes.write_all(b"\n")?;
                self.notes.flush()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed to the output and to the notes.
    fn printed(pieces: &[Output], screens: bool) -> (String, String) {
        let (mut output, mut notes) = (Vec::new(), Vec::new());
        let mut screen = Screen {
            output: &mut output,
            notes: &mut notes,
            output_is_screen: screens,
            notes_are_screen: screens,
            open: Open::Nothing,
        };
        for piece in pieces {
            screen.print(piece).unwrap();
        }
        screen.end_line().unwrap();
        (String::from_utf8(output).unwrap(), String::from_utf8(notes).unwrap())
    }

    fn pieces() -> Vec<Output> {
        vec![
            Output::Thought("hm".to_owned()),
            Output::Answer("a\u{1b}b ".to_owned()),
            Output::Note("searching".to_owned()),
            Output::Answer("c".to_owned()),
            Output::Alert("failed: x".to_owned()),
        ]
    }

    #[test]
    fn files_get_the_answer_alone_and_byte_for_byte() {
        let (output, notes) = printed(&pieces(), false);
        assert_eq!((output.as_str(), notes.as_str()), ("a\u{1b}b c\n", "[failed: x]\n"));
    }

    #[test]
    fn screens_get_remarks_dimmed_on_lines_of_their_own() {
        let (output, notes) = printed(&pieces(), true);
        assert_eq!(output, "ab \nc\n");
        assert_eq!(notes, format!("{DIM}hm{PLAIN}\n{DIM}searching{PLAIN}\n[failed: x]\n"));
    }
}
