//! What each command of the program does once its settings are read.

pub mod ask;
pub mod check;
mod doubts;
mod layout;
pub mod serve;
mod tell;
