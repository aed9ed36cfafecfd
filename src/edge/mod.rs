//! Where the gateway meets A2A clients: requests come in as JSON and leave as commands of the core; tasks,
//! log events and errors of the core leave as JSON.
//!
//! A [`dialect::Dialect`] is one wire form of A2A (1.0, 0.3, or the older `message.send`), as a pair of
//! decode and encode. It knows no HTTP. What carries it is a binding, and bindings are generic over it.
//!
//! | module | what |
//! | --- | --- |
//! | [`routes`] | every route, and what all handlers share |
//! | [`jsonrpc`] | the JSON-RPC binding, on [`envelope`], [`headers`] and [`body`] |
//! | [`grpc`] | the gRPC binding |
//! | [`rest`] | the HTTP+JSON binding: its routes, and what goes from paths and queries into params |
//! | [`exchange`] | what every binding does with a decoded request |
//! | [`sse`], [`pace`], [`answer`] | streams that read a task's log, and how fast; answers that take a while |
//! | [`binding`] | which bindings there are, and which are on |
//! | [`public_url`], [`base_path`] | the address that clients reach the gateway at; routes below a path |
//! | [`discovery`], [`files`], [`ops`] | the card's routes; files of answers; health and readiness |
//! | [`openapi`] | the document that describes all of it |
//! | [`dialect`] | the trait, and which dialect a request speaks |
//! | [`a2a_v1`], [`a2a_v03`], [`legacy`] | the three dialects |
//! | [`a2a_v03_http`] | the other form that 0.3 has, over HTTP+JSON |
//! | [`objects`], [`updates`], [`page`] | what 1.0 and 0.3 write alike but for their words: objects, streams, lists |
//! | [`text_frame`] | the events that carry text, which all dialects render alike |
//! | [`extension`] | what is told beyond A2A, under our extension's URI |
//! | [`view`] | how one request sees tasks: accepted modes, steps, addresses of files |
//! | [`rules`], [`violations`] | what values of requests must be like; what is wrong with one, and where |
//! | [`request`] | the pieces that requests in JSON have in common in all dialects |
//! | [`error`] | every refusal, and the one table of its codes |
//! | [`card`] | the Agent Card, and the file an operator lays over it |
//! | [`json`] | writing JSON straight into a buffer, reading it with ProtoJSON's tolerance |

pub mod a2a_v03;
pub mod a2a_v03_http;
pub mod a2a_v1;
pub mod answer;
pub mod base_path;
pub mod binding;
pub mod body;
pub mod card;
pub mod dialect;
pub mod discovery;
pub mod envelope;
pub mod error;
pub mod exchange;
pub mod extension;
pub mod files;
pub mod grpc;
pub mod headers;
pub mod json;
pub mod jsonrpc;
pub mod legacy;
pub mod objects;
pub mod openapi;
pub mod ops;
pub mod pace;
pub mod page;
pub mod public_url;
pub mod request;
pub mod rest;
pub mod routes;
pub mod rules;
pub mod sse;
pub mod text_frame;
pub mod updates;
pub mod view;
pub mod violations;

#[cfg(test)]
pub mod testing;

pub use routes::Edge;
