//! What Dify sent in a turn that could not be used, counted for one line of the log.

use crate::core::ids::TaskId;
use crate::dify::reason::shorten;

/// Most names of unknown events that are logged of a turn.
const MAX_NAMES: usize = 8;

/// Longest name of an event that is logged, characters.
const MAX_NAME_CHARS: usize = 64;

/// The counts of a turn.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    /// Frames that were no events.
    garbage: u32,
    /// Why the first of them was none.
    why: Option<String>,
    /// Events of unknown names.
    unknown: u32,
    /// Their names, each once.
    names: Vec<String>,
}

impl Oddities {
    /// A frame was no event.
    pub(super) fn garbage(&mut self, error: &dyn std::error::Error) {
        self.garbage = self.garbage.saturating_add(1);
        if self.why.is_none() {
            self.why = Some(error.to_string());
        }
    }

    /// An event has a name that is not known here.
    pub(super) fn unknown(&mut self, name: &str) {
        self.unknown = self.unknown.saturating_add(1);
        self.note(shorten(name, MAX_NAME_CHARS));
    }

    /// The turn is over: one line, if there were any. The names are Dify's, so they are logged escaped.
    pub(super) fn tell(&self, task: &TaskId) {
        let Self { garbage, why, unknown, names } = self;
        if let Some(why) = why {
            tracing::warn!(
                task.id = %task, garbage, error = %why, unknown, unknown.names = ?names,
                "dify sent frames that are no events; they were ignored",
            );
        } else if *unknown > 0 {
            tracing::debug!(task.id = %task, unknown, unknown.names = ?names, "dify sent unknown events");
        }
    }

    fn note(&mut self, name: String) {
        if self.names.len() < MAX_NAMES && !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}
