//! The states of a task and the moves between them.
//!
//! ```text
//!       +----------+----------------+------------------------------+
//!       |          |                |                              v
//!   Submitted --> Working <--> InputRequired | AuthRequired     Completed | Failed | Canceled | Rejected
//!       |                           ^
//!       +---------------------------+
//! ```
//!
//! A terminal state is the end: nothing leaves it, so the first one wins every race.

/// Where a task stands (A2A 1.0 `TaskState`).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TaskState {
    /// Accepted, its turn has not begun.
    Submitted,
    /// Its turn is running.
    Working,
    /// Waits for the caller to say more.
    InputRequired,
    /// Waits for a permission given elsewhere.
    AuthRequired,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Ended because the caller asked.
    Canceled,
    /// Never begun: the agent will not do it.
    Rejected,
}

/// A move that the picture above does not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a task that is {} cannot become {}", .from.as_str(), .to.as_str())]
pub struct IllegalMove {
    /// The state the task is in.
    pub from: TaskState,
    /// The state it was asked to take.
    pub to: TaskState,
}

impl TaskState {
    /// Every state, in the order of the protocol.
    pub const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Working,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::InputRequired,
        Self::Rejected,
        Self::AuthRequired,
    ];

    /// The state in a word, for sentences.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Working => "working",
            Self::InputRequired => "waiting for input",
            Self::AuthRequired => "waiting for a permission",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Rejected => "rejected",
        }
    }

    /// Whether this is the end of the task.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Canceled | Self::Rejected => true,
            Self::Submitted | Self::Working | Self::InputRequired | Self::AuthRequired => false,
        }
    }

    /// Whether the task waits for something from outside.
    pub fn is_interrupted(self) -> bool {
        matches!(self, Self::InputRequired | Self::AuthRequired)
    }

    /// The one function that moves a task: `to`, if the picture has that move.
    ///
    /// # Errors
    /// [`IllegalMove`] when it has not.
    pub fn advance(self, to: Self) -> Result<Self, IllegalMove> {
        let legal = match (self, to) {
            (from, _) if from.is_terminal() => false,
            (_, Self::Submitted) => false,
            (Self::Submitted | Self::Working | Self::InputRequired | Self::AuthRequired, _) => true,
            (Self::Completed | Self::Failed | Self::Canceled | Self::Rejected, _) => false,
        };
        if legal { Ok(to) } else { Err(IllegalMove { from: self, to }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_terminal_state_and_nothing_returns_to_submitted() {
        for from in TaskState::ALL {
            for to in TaskState::ALL {
                let moved = from.advance(to);
                if from.is_terminal() || to == TaskState::Submitted {
                    assert_eq!(moved, Err(IllegalMove { from, to }));
                }
            }
        }
    }

    #[test]
    fn a_working_task_can_pause_resume_and_end() {
        use TaskState::{Completed, InputRequired, Submitted, Working};
        let path = [Working, Working, InputRequired, Working, Completed];
        let end = path.iter().try_fold(Submitted, |state, next| state.advance(*next));
        assert_eq!(end, Ok(Completed));
        assert!(Submitted.advance(InputRequired).is_ok(), "it may ask before it begins");
    }
}
