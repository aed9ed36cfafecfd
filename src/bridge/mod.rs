//! Joins the core with Dify: [`backend::DifyBackend`] runs the core's turns against one Dify app.
//!
//! ```text
//! run      one turn: attempts, where Dify has certainly not begun or has lost the conversation
//!   attempt  one request and its stream: bytes in, task events out, until an outcome
//!     talk     what is said in it: conversation, events, the fold
//!     oddities what could not be used, counted
//!     calls    the small calls beside it: stop, and whether a conversation is lost
//!     bells    the moments at which waiting ends
//!     source   the request on its way and its stream
//!     pursuit  a stop that outlives its turn, since Dify had not begun yet
//! ```

pub mod afterwards;
mod attempt;
pub mod backend;
mod bells;
mod calls;
#[cfg(test)]
mod log_tests;
mod oddities;
mod pursuit;
mod run;
#[cfg(test)]
mod scripted;
mod source;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stop_tests;
mod talk;
#[cfg(test)]
mod tests;
