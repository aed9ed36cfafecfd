//! What a run does: the beginning of a `messageId`, or of an answer to a form, goes in, a script comes out.

use std::time::Duration;

use clap::ValueEnum;

/// Whose steering is followed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Kit {
    /// That of A2A 0.3, which steers little and likes its tasks open.
    #[value(name = "0.3")]
    V03,
    /// That of A2A 1.0.
    #[default]
    #[value(name = "1.0")]
    V1,
}

/// What a run does until it ends or asks.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// How long it works before it gives anything.
    pub works: Duration,
    /// What it says, piece by piece.
    pub says: &'static [&'static str],
    /// What it gives beside that.
    pub gives: Gives,
    /// How it ends.
    pub end: End,
}

/// What is given beside text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gives {
    /// `{"key": "value", "count": 42}`, among the outputs of a workflow.
    Data,
    /// The file `output.txt`.
    File,
    Nothing,
}

/// How a run ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// Not yet: a person is asked.
    Asks,
    /// Badly. Dify has no refusal of a run that has begun.
    Fails,
    Succeeds,
}

/// How long a run works that is not steered to take longer: so that a client can see it work.
const MOMENT: Duration = Duration::from_millis(150);

/// The same for the kit of A2A 0.3.
const LONGER: Duration = Duration::from_millis(600);

/// Twice the time for which the kits wait for a stream.
const LONG: Duration = Duration::from_secs(4);

/// By the beginning of the id; the first that fits counts.
const STEERED: [(&str, &[&str], Gives, End); 14] = [
    ("tck-artifact-text", &["Generated ", "text content"], Gives::Nothing, End::Succeeds),
    ("tck-artifact-file", &[], Gives::File, End::Succeeds),
    ("tck-artifact-data", &[], Gives::Data, End::Succeeds),
    ("tck-complete-task", HELLO, Gives::Nothing, End::Succeeds),
    ("tck-input-required", &[], Gives::Nothing, End::Asks),
    ("tck-message-response", &["Direct message response"], Gives::Nothing, End::Succeeds),
    ("tck-reject-task", &[], Gives::Nothing, End::Fails),
    ("tck-stream-001", &["Stream hello ", "from TCK"], Gives::Nothing, End::Succeeds),
    ("tck-stream-002", &[], Gives::Nothing, End::Succeeds),
    ("tck-stream-003", &["Stream task ", "lifecycle"], Gives::Nothing, End::Succeeds),
    ("tck-stream-ordering-001", &["Ordered output"], Gives::Nothing, End::Succeeds),
    ("tck-stream-artifact-text", &["Streamed text content"], Gives::Nothing, End::Succeeds),
    ("tck-stream-artifact-file", &[], Gives::File, End::Succeeds),
    ("tck-stream-artifact-chunked", &["chunk-1 ", "chunk-2"], Gives::Nothing, End::Succeeds),
];

const HELLO: &[&str] = &["Hello ", "from TCK"];

impl Script {
    /// For a run that begins.
    pub fn of(kit: Kit, message_id: &str) -> Self {
        if message_id.starts_with("test-resubscribe-message-id") {
            return Self { works: LONG, ..Self::completes() };
        }
        let steered = STEERED.iter().find(|(prefix, ..)| message_id.starts_with(prefix));
        match (steered, kit) {
            (Some((_, says, gives, end)), _) => Self { works: MOMENT, says, gives: *gives, end: *end },
            (None, Kit::V1) => Self::completes(),
            (None, Kit::V03) => Self::asks(LONGER),
        }
    }

    /// For a run that goes on with an answer. Of the message that brought it only the text is known here; the kit of A2A
    /// 1.0 has its tasks go on asking where it fills their history.
    pub fn after(kit: Kit, answer: &str) -> Self {
        match kit {
            Kit::V1 if answer.starts_with("TCK history message") => Self::asks(MOMENT),
            Kit::V1 => Self::completes(),
            Kit::V03 => Self::asks(LONGER),
        }
    }

    fn completes() -> Self {
        Self { works: MOMENT, says: HELLO, gives: Gives::Nothing, end: End::Succeeds }
    }

    fn asks(works: Duration) -> Self {
        Self { works, says: &[], gives: Gives::Nothing, end: End::Asks }
    }
}
