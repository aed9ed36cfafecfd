//! Between Dify's words and the core's: pure functions and one fold. No I/O, no clock, no ids.

pub mod facts;
pub mod from_dify;
pub mod policy;
mod rounds;
pub mod think;
pub mod to_dify;
