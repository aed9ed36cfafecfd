//! The settings themselves: one immutable tree of values that need no further checks.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;
use url::Url;

use crate::core::message::Json;
use crate::edge::binding::Bindings;
use crate::egress::EgressPolicy;
use crate::egress::cidr::Cidr;

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Dify app and how to talk to it.
    pub dify: Dify,
    /// Where and how callers are served.
    pub server: Server,
    /// What is kept, and for how long.
    pub store: Store,
    /// The files that are kept for clients.
    pub files: Files,
    /// Which addresses the gateway may call by itself.
    pub push: Push,
    /// The Agent Card.
    pub card: Card,
    /// Logging.
    pub log: Log,
}

/// The Dify app and how to talk to it: `[dify]`.
#[derive(Clone, Debug)]
pub struct Dify {
    /// Base of Dify's service API. Its path ends with `/v1/`, so that `url.join("info")` is the endpoint.
    pub url: Url,
    /// The app's key, fit for a header. For the commands that need none ([`super::Purpose::Demo`]) it is the
    /// configured one or that of the demo app.
    pub key: SecretString,
    /// What Dify gets as `user`.
    pub user: DifyUser,
    /// What becomes of a model's `<think>` text.
    pub think: Think,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the first data frame of a turn; pings do not count.
    pub first_event_timeout: Duration,
    /// Longest wait for any byte of a running stream; pings count.
    pub idle_timeout: Duration,
    /// Longest turn.
    pub turn_timeout: Duration,
    /// The published version of a workflow app to run, a UUID; `None`: the newest.
    pub workflow_id: Option<String>,
    /// The input that takes the caller's text in apps without conversations; `None`: found out from the form.
    pub query_input: Option<String>,
    /// Values for the app's inputs where a caller gives none.
    pub inputs: DefaultInputs,
    /// Inputs that callers may not set; no name twice.
    pub locked_inputs: Vec<String>,
    /// What happens when a required input is missing.
    pub missing_inputs: MissingInputs,
    /// How much is told of a turn's steps.
    pub progress: ProgressLevel,
    /// Whether questions to go on with are asked for after each answer.
    pub suggested: bool,
    /// How clients get the files that the app makes.
    pub files: FileDelivery,
}

/// Values for inputs, by name, as JSON. `Debug` shows the names only: a value may be a secret.
#[derive(Clone, Default)]
pub struct DefaultInputs(pub Vec<(String, Json)>);

impl fmt::Debug for DefaultInputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// What happens when a required input is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MissingInputs {
    /// The task asks for it.
    Ask,
    /// The request is refused.
    Reject,
}

/// How much is told of a turn's steps.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ProgressLevel {
    /// Nothing.
    Off,
    /// Tools and the nodes that take part, by title.
    Brief,
    /// Every step, with its times.
    Full,
}

/// How clients get the files that the app makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileDelivery {
    /// By Dify's own address, which is good for some minutes.
    Link,
    /// From the gateway, which has fetched them.
    Serve,
}

/// Whom Dify is told it works for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DifyUser {
    /// The authenticated caller, or the context where there is none.
    Auto,
    /// The context.
    Context,
    /// Always this name.
    Fixed(String),
}

/// What becomes of text inside `<think>` tags.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Think {
    /// It is dropped.
    Drop,
    /// It stays in the answer as it is.
    Keep,
    /// It is kept out of the answer and given as the `reasoning` artifact.
    Metadata,
}

/// Where and how callers are served: `[server]`.
#[derive(Clone, Debug)]
pub struct Server {
    /// IP address (IPv6 without brackets) or host name to listen on.
    pub host: String,
    /// Port to listen on; 0 picks a free one.
    pub port: u16,
    /// The base of the addresses that the card gives to clients: http(s), maybe with a path, without a slash at
    /// its end unless the path is `/`. `None`: taken from each request.
    pub public_url: Option<Url>,
    /// The proxies whose word on where a request came in is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// The bindings that are on.
    pub bindings: Bindings,
    /// A port that gRPC has for itself, another one than `port`; 0 picks a free one. `None`: it is on `port`.
    pub grpc_port: Option<u16>,
    /// Where the card says gRPC is, `host:port`. `None`: that follows from the other settings.
    pub grpc_url: Option<String>,
    /// Which web pages may call.
    pub cors: Cors,
    /// Largest request body, bytes.
    pub max_body_bytes: usize,
    /// Turns that may run against Dify at once.
    pub max_concurrent_turns: usize,
    /// Longest silence on an open stream or a waiting answer.
    pub keep_alive: Duration,
    /// How an artifact's stream closes.
    pub answer_close: AnswerClose,
    /// How long a repeated send finds the task it began; zero is off.
    pub idempotency_window: Duration,
    /// How long running turns may go on once the program was asked to stop.
    pub shutdown_grace: Duration,
}

/// Which origins browsers may call from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cors {
    /// Every origin.
    Any,
    /// None: no CORS headers at all.
    Off,
    /// These, each `scheme://host[:port]`, at least one.
    Only(Vec<HeaderValue>),
}

/// How an artifact's stream closes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnswerClose {
    /// With the last piece only.
    Delta,
    /// With the whole text once more.
    Whole,
}

/// What is kept, and for how long: `[store]`.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where tasks are kept.
    pub url: StoreUrl,
    /// How long a finished task and an idle context are kept.
    pub ttl: Duration,
    /// How many tasks the memory store keeps at most.
    pub max_tasks: usize,
}

/// The kinds of stores.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoreUrl {
    /// In this process; gone when it ends.
    Memory,
}

/// The files that are kept for clients: `[files]`.
#[derive(Clone, Debug)]
pub struct Files {
    /// The folder that they are kept in; it existed when the settings were read. `None`: the system's own for
    /// temporary files.
    pub dir: Option<PathBuf>,
    /// Largest file, bytes; clients get Dify's own address of a larger one.
    pub max_bytes: usize,
    /// Most bytes of all files together, at least `max_bytes`.
    pub max_total: usize,
}

/// Which addresses the gateway may call by itself: `[push]`.
#[derive(Clone, Debug)]
pub struct Push {
    /// Hosts, addresses and blocks of addresses that may be called although they are not public: `host.example.com`,
    /// `*.example.com`, `10.1.2.3`, `10.0.0.0/8`.
    pub egress_allow: EgressPolicy,
}

/// The Agent Card: `[card]`.
#[derive(Clone, Debug)]
pub struct Card {
    /// The file laid over what Dify says of the app; it existed when the settings were read.
    pub file: Option<PathBuf>,
    /// Which clients the card is for.
    pub style: CardStyle,
}

/// Which clients the card is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardStyle {
    /// One document for A2A 1.0 and 0.3 clients.
    Hybrid,
    /// A2A 1.0 alone.
    V1,
}

/// Logging: `[log]`.
#[derive(Clone, Debug)]
pub struct Log {
    /// A valid filter in the language of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// Text for people or JSON for machines.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Plain text.
    Text,
}
