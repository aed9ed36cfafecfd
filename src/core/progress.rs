//! The steps of a running turn that people may want to see: what a backend tells, how much of it, and at which level.

/// How much of the steps a reader wants, and how much a step is worth.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// No steps at all.
    Off,
    /// What begins, what goes wrong, which tools are called.
    #[default]
    Brief,
    /// Also what ends, how long it took, and the steps within a step.
    Full,
}

/// A step of a turn: a name and how it stands, never a prompt or a payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// From which level on it is shown; never [`Level::Off`].
    pub level: Level,
    /// What kind of step it is.
    pub kind: ProgressKind,
    /// The step's title as its author wrote it.
    pub title: String,
    /// The step's type in the backend's own words, such as `llm` or `code`.
    pub step_type: Option<String>,
    /// How the step stands.
    pub state: ProgressState,
    /// What is told of it at [`Level::Full`] alone.
    pub detail: Detail,
}

/// The finer points of a step.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Detail {
    /// A name of the step within its turn, the same from its beginning to its end.
    pub id: Option<String>,
    /// Which round of an iteration or loop, from 0.
    pub round: Option<u64>,
    /// How many rounds there will be.
    pub rounds: Option<u64>,
    /// How long it took, milliseconds.
    pub elapsed_ms: Option<u64>,
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgressKind {
    /// A step of an agent's plan that is not a tool call.
    Agent,
    /// A form that a person fills in.
    Human,
    /// One round of an iteration or loop.
    Iteration,
    /// A node of a graph.
    Node,
    /// A tool call of an agent.
    Tool,
}

impl ProgressKind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Human => "human",
            Self::Iteration => "iteration",
            Self::Node => "node",
            Self::Tool => "tool",
        }
    }
}

/// How a step stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgressState {
    /// It was not done in time, and the turn goes on.
    Expired,
    /// It failed, and the turn goes on.
    Failed,
    /// It is done.
    Finished,
    /// It is tried again.
    Retrying,
    /// It has begun.
    Started,
}

impl ProgressState {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Finished => "finished",
            Self::Retrying => "retrying",
            Self::Started => "started",
        }
    }
}
