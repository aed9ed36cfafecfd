//! Makes a Dify app a first-class A2A agent.

pub mod bridge;
pub mod core;
pub mod dify;
pub mod translate;
