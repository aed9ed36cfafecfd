//! Makes a Dify app a first-class A2A agent.
//!
//! # Layout
//!
//! ```text
//!   A2A client                                                            Dify
//!       |                                                                  ^
//!       v                                                                  |
//!   edge (bindings: HTTP, JSON-RPC, SSE)                                   |
//!       |  one dialect each: 1.0, 0.3, message.send                        |
//!       v                                                                  |
//!   core::engine  --turn-->  bridge (one turn against Dify)  --> dify (client, framing, events)
//!       |                        |
//!       |                        v
//!       |                    translate (a pure fold: Dify's events to the task's events)
//!       |                        |
//!       v                        v
//!   store <--- core::log: one writer, many readers ---> edge (streams, waiting answers)
//! ```
//!
//! | module | what |
//! | --- | --- |
//! | [`config`] | settings from five layers, all problems at once |
//! | [`edge`] | how clients reach the gateway |
//! | [`core`] | what a task is; the log, the engine |
//! | [`bridge`] | runs a turn: the client, the fold, and the clock together |
//! | [`translate`] | message to query, Dify's events to task events; pure |
//! | [`dify`] | how the gateway reaches Dify |
//! | [`store`] | where tasks are kept |
//! | [`egress`] | how the gateway fetches what strangers name |
//! | [`files`] | the shelf: files that the gateway serves itself |
//! | [`app`], [`serve`], [`guard`] | the composition; listening; limits of a connection |
//! | [`chat`] | a terminal chat with any A2A agent |
//! | [`demo`] | a small Dify app inside the program |
//! | [`logging`] | where log lines go |

pub mod app;
pub mod bridge;
pub mod chat;
pub mod cli;
pub mod commands;
pub mod config;
pub mod core;
pub mod demo;
pub mod dify;
pub mod edge;
pub mod egress;
pub mod files;
pub mod guard;
pub mod logging;
pub mod serve;
pub mod store;
pub mod translate;
