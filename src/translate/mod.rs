//! Between Dify's words and the core's: pure functions and one fold. No I/O, no clock, no ids.

pub mod answer;
pub mod ask;
pub mod facts;
mod file_names;
pub mod files;
pub mod from_dify;
#[cfg(test)]
mod golden_tests;
mod input_rules;
pub mod inputs;
pub mod memo;
pub mod operator;
mod outputs;
pub mod pauses;
pub mod plan;
pub mod policy;
pub mod profile;
mod rounds;
pub mod schema;
pub mod slots;
mod speech;
mod steps;
pub mod text_slot;
pub mod think;
pub mod to_dify;
