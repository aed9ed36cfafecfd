//! Makes a Dify app a first-class A2A agent.

pub mod config;
pub mod core;
pub mod demo;
pub mod edge;
pub mod logging;
pub mod store;
