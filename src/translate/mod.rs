//! Between Dify's words and the core's: pure functions and one fold. No I/O, no clock, no ids.

pub mod answer;
pub mod ask;
pub mod facts;
pub mod from_dify;
mod input_rules;
pub mod inputs;
pub mod memo;
pub mod plan;
pub mod policy;
mod rounds;
pub mod schema;
pub mod slots;
pub mod text_slot;
pub mod think;
pub mod to_dify;
