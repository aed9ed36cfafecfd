//! What a task is and how it lives: takes commands, runs turns against a [`backend::Backend`], and keeps
//! each task's log, which everybody else reads. No wire forms, no HTTP, no Dify JSON.

pub mod accepted;
pub mod artifact;
pub mod backend;
pub mod clock;
pub mod command;
pub mod context;
pub mod engine;
pub mod error;
pub mod event;
pub mod extension;
pub mod facts;
pub mod ids;
pub mod live;
pub mod log;
pub mod mailbox;
pub mod message;
pub mod progress;
pub mod reader;
pub mod repeats;
mod send;
pub mod state;
pub mod store;
pub mod task;
pub mod turn;
