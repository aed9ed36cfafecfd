//! Where the gateway meets A2A clients: requests come in as JSON and leave as commands of the core; tasks,
//! log events and errors of the core leave as JSON.
//!
//! A [`dialect::Dialect`] is one wire form of A2A (1.0, 0.3, or the older `message.send`), as a pair of
//! decode and encode. It knows no HTTP. What carries it is a binding, and bindings are generic over it.
//!
//! | module | what |
//! | --- | --- |
//! | [`json`] | writing JSON straight into a buffer, reading it with ProtoJSON's tolerance |
//! | [`request`] | the pieces that requests of all dialects have in common, and their limits |
//! | [`dialect`] | the trait, and which dialect a request speaks |
//! | [`a2a_v1`], [`a2a_v03`], [`legacy`] | the three dialects |
//! | [`text_frame`] | the events that carry text, which all dialects render alike |
//! | [`extension`] | what is told beyond A2A, under our extension's URI |
//! | [`error`] | every refusal, and the one table of its codes |
//! | [`card`] | the Agent Card, and the file an operator lays over it |

pub mod a2a_v03;
pub mod a2a_v1;
pub mod card;
pub mod dialect;
pub mod error;
pub mod extension;
pub mod json;
pub mod legacy;
pub mod request;
pub mod text_frame;

#[cfg(test)]
pub mod testing;
