//! Behaviour over real sockets: A2A clients on one side, a scripted Dify on the other, the gateway between.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod absent;
mod address;
mod cancel;
mod card;
mod check;
mod conversations;
mod dialects;
mod dify_requests;
mod envelope;
mod everywhere;
mod extensions;
mod extras;
mod faults;
mod files;
mod files_out;
mod grpc;
mod grpc_server;
mod grpc_v03;
mod history;
mod human;
mod human_elsewhere;
mod inputs;
mod inputs_asked;
mod kits;
mod layers;
mod limits;
mod memory;
mod model;
mod older_clients;
mod openapi;
mod openapi_answers;
mod program;
mod protocol;
mod replay;
mod requirements;
mod rest;
mod rest_http;
mod rest_v03;
mod sending;
mod steps;
mod streaming;
mod streams;
mod support;
mod tenants;
