//! Joins the core with Dify: [`backend::DifyBackend`] runs the core's turns against one Dify app.
//!
//! ```text
//! run      one turn: attempts, where Dify has certainly not begun or has lost the conversation
//!   attempt  one request and its stream: bytes in, task events out, until an outcome
//!     bells    the moments at which waiting ends
//! ```

mod attempt;
pub mod backend;
mod bells;
mod run;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
