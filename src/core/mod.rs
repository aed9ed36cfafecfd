//! What a task is and how it lives: takes commands, runs turns against a [`backend::Backend`], and keeps
//! each task's log, which everybody else reads. No wire forms, no HTTP, no Dify JSON.

pub mod backend;
pub mod clock;
pub mod command;
pub mod context;
pub mod engine;
pub mod error;
pub mod event;
pub mod extension;
pub mod ids;
pub mod live;
pub mod log;
pub mod message;
pub mod reader;
pub mod repeats;
pub mod state;
pub mod store;
pub mod task;
pub mod turn;
