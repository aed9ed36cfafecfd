//! Every way to speak with the gateway: a binding and a wire form. Requests and answers have the JSON form of A2A 1.0
//! here, whatever goes over the wire, so that one test can speak all of them and compare what they say.

mod form_03;
mod form_03_http;
pub mod grpc;
pub mod grpc_03;
mod http;
mod plain;
mod rpc;

use std::fmt;

use serde_json::Value;
use tokio::sync::mpsc;

use super::Gateway;
use super::client::PATIENCE;

pub use plain::{difference, plain, plain_stream};

/// One way to speak with the gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wire {
    /// JSON-RPC, A2A 1.0.
    RpcV1,
    /// JSON-RPC, A2A 0.3.
    RpcV03,
    /// HTTP+JSON, A2A 1.0.
    HttpV1,
    /// HTTP+JSON, A2A 0.3.
    HttpV03,
    /// gRPC, A2A 1.0.
    GrpcV1,
    /// gRPC, A2A 0.3.
    GrpcV03,
}

/// All of them.
pub const WIRES: [Wire; 6] =
    [Wire::RpcV1, Wire::RpcV03, Wire::HttpV1, Wire::HttpV03, Wire::GrpcV1, Wire::GrpcV03];

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    Send,
    Stream,
    Get,
    List,
    Cancel,
    Subscribe,
    ExtendedCard,
    PushCreate,
    PushGet,
    PushList,
    PushDelete,
}

/// Why a request was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The name of the A2A error, such as `TASK_NOT_FOUND`.
    pub reason: String,
    /// The fields that are wrong.
    pub fields: Vec<String>,
    /// The sentence for people.
    pub message: String,
    /// After how many seconds to try again.
    pub retry_after: Option<u64>,
}

/// An answer: the result, and the extensions that the gateway says it used.
#[derive(Debug)]
pub struct Told<T> {
    pub result: T,
    pub extensions: Option<String>,
}

/// The events of an open stream, as they come.
pub type Events = mpsc::UnboundedReceiver<Value>;

impl Wire {
    /// Whether it speaks A2A 0.3.
    pub fn is_03(self) -> bool {
        matches!(self, Self::RpcV03 | Self::HttpV03 | Self::GrpcV03)
    }

    /// Asks, and gives the answer to a request that is not for a stream.
    pub async fn ask(self, gateway: &Gateway, method: Method, params: Value) -> Result<Value, Refusal> {
        self.ask_with(gateway, method, params, &[]).await.map(|told| told.result)
    }

    /// The same with these headers (or metadata).
    pub async fn ask_with(
        self,
        gateway: &Gateway,
        method: Method,
        params: Value,
        headers: &[(&str, &str)],
    ) -> Result<Told<Value>, Refusal> {
        let asking = async {
            match self {
                Self::RpcV1 | Self::RpcV03 => rpc::ask(self, gateway, method, params, headers).await,
                Self::HttpV1 | Self::HttpV03 => http::ask(self, gateway, method, params, headers).await,
                Self::GrpcV1 => grpc::ask(gateway, method, params, headers).await,
                Self::GrpcV03 => grpc_03::ask(gateway, method, params, headers).await,
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")
    }

    /// Opens a stream.
    pub async fn open(self, gateway: &Gateway, method: Method, params: Value) -> Result<Events, Refusal> {
        let opening = async {
            match self {
                Self::RpcV1 | Self::RpcV03 => rpc::open(self, gateway, method, params).await,
                Self::HttpV1 | Self::HttpV03 => http::open(self, gateway, method, params).await,
                Self::GrpcV1 => grpc::open(gateway, method, params).await,
                Self::GrpcV03 => grpc_03::open(gateway, method, params).await,
            }
        };
        tokio::time::timeout(PATIENCE, opening).await.expect("an answer in time")
    }

    /// All events of a stream.
    pub async fn stream(
        self,
        gateway: &Gateway,
        method: Method,
        params: Value,
    ) -> Result<Vec<Value>, Refusal> {
        let mut events = self.open(gateway, method, params).await?;
        let mut all = Vec::new();
        while let Some(event) = next(&mut events).await {
            all.push(event);
        }
        Ok(all)
    }
}

/// The next event, or nothing at the end of the stream.
pub async fn next(events: &mut Events) -> Option<Value> {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event in time")
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Refusal {
    /// What the details of an error say (A2A 1.0 §9.5, §11.6).
    fn of_details(message: &Value, details: &Value) -> Self {
        let typed = |name: &str| {
            let name = format!("type.googleapis.com/google.rpc.{name}");
            let mut all = details.as_array().into_iter().flatten();
            all.find(|detail| detail["@type"] == name.as_str()).cloned().unwrap_or_default()
        };
        let info = typed("ErrorInfo");
        assert_eq!(info["domain"], "a2a-protocol.org", "{details}");
        let violations = typed("BadRequest");
        let fields = violations["fieldViolations"].as_array().into_iter().flatten();
        let retry = typed("RetryInfo")["retryDelay"].as_str().map(str::to_owned);
        Self {
            reason: info["reason"].as_str().expect("a reason").to_owned(),
            fields: fields.map(|field| field["field"].as_str().expect("a field").to_owned()).collect(),
            message: message.as_str().expect("a message").to_owned(),
            retry_after: retry.map(|delay| delay.trim_end_matches('s').parse().expect("seconds")),
        }
    }
}
