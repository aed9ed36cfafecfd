//! Joins the core with Dify: [`backend::DifyBackend`] runs the core's turns against one Dify app.
//!
//! ```text
//! accept   what can be said of a message before a task is made of it
//! run      one turn: a plan, attempts where Dify has certainly not begun, one outcome or a question
//!   prepare  files of the caller: uploaded, or linked to
//!   attempt  one request and its stream: bytes in, task events out
//!     talk     what is said in it: conversation, events, the fold
//!     outlets  files that it gives, on their way to the shelf
//!     ending   what a verdict of the fold means for the stream
//!     oddities what could not be used, counted
//!     calls    the small calls beside it: stop, and whether a conversation is lost
//!     bells    the moments at which waiting ends
//!     source   the request on its way and its stream
//!     pursuit  a stop that outlives its turn, since Dify had not begun yet
//!   parking  a run that waits for people, as a question and a memo
//!   people   a run that waited goes on: joined, answered, read on
//!   reporting the log's line of a turn that went wrong
//! watch    whether a parked turn still has something to wait for
//! ```

mod accept;
pub mod afterwards;
mod attempt;
pub mod backend;
mod bells;
mod calls;
mod ending;
#[cfg(test)]
mod log_tests;
mod means;
mod oddities;
pub mod outlets;
mod parking;
mod people;
mod prepare;
mod pursuit;
mod reporting;
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
mod watch;
