//! What each command of the program does once its settings are read.

pub mod check;
pub mod serve;
