//! What the tests stand on: a Dify whose every byte is scripted, a gateway in front of it, an A2A client.

pub mod api;
pub mod app;
pub mod bytes;
pub mod client;
pub mod dify_frames;
pub mod fake_dify;
pub mod file_server;
pub mod gateway;
pub mod heard;
pub mod human_dify;
pub mod human_script;
pub mod plain;
pub mod recorded;
pub mod rest;
pub mod say;
pub mod walker;
pub mod wires;

pub use app::App;
pub use client::Client;
pub use fake_dify::{FakeDify, Received, Reply, Step};
pub use gateway::Gateway;
pub use recorded::Recorded;
pub use rest::Rest;
