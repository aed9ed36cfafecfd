//! Makes a Dify app a first-class A2A agent.

pub mod chat;
pub mod cli;
pub mod commands;
pub mod config;
pub mod core;
pub mod demo;
pub mod logging;
