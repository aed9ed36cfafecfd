//! Joins the core with Dify: [`backend::DifyBackend`] runs the core's turns against one Dify app.
//!
//! ```text
//! run      one turn: attempts, where Dify has certainly not begun or has lost the conversation
//!   attempt  one request and its stream: bytes in, task events out, until an outcome
//!     talk     what is said in it: conversation, events, the fold
//!     calls    the small calls beside it: stop, and whether a conversation is lost
//!     bells    the moments at which waiting ends
//! ```

mod attempt;
pub mod backend;
mod bells;
mod calls;
mod run;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod stage;
mod talk;
#[cfg(test)]
mod tests;
