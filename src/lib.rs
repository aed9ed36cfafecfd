//! Makes a Dify app a first-class A2A agent.

pub mod core;
pub mod edge;
