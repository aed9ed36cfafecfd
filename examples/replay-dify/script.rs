//! What is said to a query that is no recording, and how.

use std::time::Duration;

/// How a turn goes that was not recorded.
#[derive(Default)]
pub struct Script {
    /// How long nothing is said at first.
    pub silence: Duration,
    /// The time between two words, if it is not the usual one.
    pub between: Option<Duration>,
    /// Whether the turn goes on until it is stopped.
    pub held: bool,
}

impl Script {
    pub fn of(query: &str) -> Self {
        Self {
            silence: timed(query, "slow ").map_or(Duration::ZERO, |(silence, _)| silence),
            between: timed(query, "drip ").map(|(between, _)| between),
            held: query.starts_with("hold "),
        }
    }
}

pub enum Says {
    Text(String),
    Greeting(String),
    NameOfCaller,
}

impl Says {
    pub fn of(query: &str) -> Self {
        if query == "What is my name?" {
            Self::NameOfCaller
        } else if let Some(name) = query.strip_prefix("My name is ") {
            Self::Greeting(name.trim_end_matches('.').to_owned())
        } else if let Some(text) = query.strip_prefix("hold ") {
            Self::Text(text.to_owned())
        } else if let Some((_, text)) = timed(query, "slow ").or_else(|| timed(query, "drip ")) {
            Self::Text(text.to_owned())
        } else {
            Self::Text(format!("You said: {query}"))
        }
    }
}

fn timed<'a>(query: &'a str, verb: &str) -> Option<(Duration, &'a str)> {
    let (pause, text) = query.strip_prefix(verb)?.split_once(' ')?;
    Some((Duration::from_millis(pause.parse().ok()?), text))
}
