//! Dify's service API: requests go out, typed events come in. Nothing here knows of tasks or of A2A, except that
//! an [`error::Error`] can say what it means for a turn.
//!
//! ```text
//! client --bytes--> framing --whole blocks--> sse --JSON text--> event --> DifyEvent
//! ```

pub mod app_info;
pub mod client;
pub mod error;
pub mod event;
pub mod features;
pub mod file_kind;
#[cfg(test)]
pub(crate) mod fixture;
pub mod form;
pub mod framing;
mod lenient;
pub(crate) mod mend;
pub mod reason;
pub mod request;
pub mod sse;
mod wire;
