//! Between Dify's words and the core's: pure functions and one fold. No I/O, no clock, no ids.

pub mod facts;
pub mod from_dify;
mod input_rules;
pub mod inputs;
pub mod policy;
pub mod profile;
mod rounds;
pub mod schema;
pub mod slots;
pub mod text_slot;
pub mod think;
pub mod to_dify;
