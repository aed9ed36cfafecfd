//! `dify-a2a chat`: a terminal chat with any A2A agent. Takes lines, gives the agent's answers as they come.
//!
//! `client` finds the agent by its `card` and carries requests, `wire` has the JSON of A2A 1.0 and 0.3, `sse` cuts the
//! stream into events, `render` decides what to print, `screen` prints it, `repl` is the conversation.

mod card;
mod client;
mod render;
mod repl;
mod screen;
mod sse;
#[cfg(test)]
mod tests;
mod wire;

use std::io;

pub use repl::{Terminal, run};

/// The agent that is meant when no address is given.
pub const USUAL_URL: &str = "http://127.0.0.1:8080";

/// Why a chat, or one turn of it, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The agent refused with an HTTP status.
    #[error("the agent answered with HTTP status {status}: {excerpt}")]
    Http {
        /// The status.
        status: u16,
        /// The beginning of what it said.
        excerpt: String,
    },
    /// The terminal is gone.
    #[error("cannot read or write the terminal")]
    Io(#[from] io::Error),
    /// The address leads to no card.
    #[error("there is no Agent Card at {tried}")]
    NoCard {
        /// Where it was looked for.
        tried: String,
    },
    /// The card offers nothing that this client speaks.
    #[error(
        "the agent speaks neither JSON-RPC nor HTTP+JSON of A2A 1.0, nor JSON-RPC of 0.3; its card offers: {offered}"
    )]
    NoInterface {
        /// What it offers.
        offered: String,
    },
    /// The agent broke the protocol.
    #[error("the agent's answer makes no sense: {0}")]
    Protocol(String),
    /// The agent refused.
    #[error("the agent refused: {message} (code {code})")]
    Refused {
        /// Its code: that of JSON-RPC, or the HTTP status.
        code: i64,
        /// Its message.
        message: String,
    },
    /// The agent cannot be reached, or the connection broke.
    #[error("cannot talk to {url}: {cause}")]
    Transport {
        /// Whom.
        url: String,
        /// Why.
        cause: String,
    },
    /// The address is no address.
    #[error("{0:?} is not the address of an agent; it looks like http://host:port")]
    Url(String),
}
