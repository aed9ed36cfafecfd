//! How checks are run, and what they share.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use a2a::{Message, Part, Role, SendMessageConfiguration, SendMessageRequest, SendMessageResponse, Task};
use a2a_client::agent_card::AgentCardResolver;
use a2a_client::{A2AClient, A2AClientFactory, Transport};
use a2a_grpc::GrpcTransportFactory;
use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::answer::Follower;

/// A judge never waits longer for one check.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a recording must become.
#[derive(Clone, Deserialize)]
pub struct Wanted {
    pub text: Option<String>,
    #[serde(default)]
    pub replaced: bool,
    pub reasoning: Option<String>,
    pub outputs: Option<Value>,
    /// What is sent instead of a text, and must come back.
    #[serde(default)]
    pub files: Vec<File>,
    pub fails: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    pub name: String,
    pub media_type: String,
    /// In base64.
    raw: String,
}

impl File {
    pub fn part(&self) -> Result<Part> {
        // the client's own reading of a file's bytes
        let raw = serde_json::json!({"raw": self.raw, "filename": self.name, "mediaType": self.media_type});
        Ok(serde_json::from_value(raw)?)
    }
}

#[derive(Deserialize)]
struct Cases {
    #[serde(default)]
    core: bool,
    #[serde(default = "yes")]
    memory: bool,
    #[serde(default)]
    checks: Vec<String>,
    #[serde(default)]
    recordings: BTreeMap<String, Wanted>,
}

fn yes() -> bool {
    true
}

/// The arguments of a judge: `BASE_URL REPLAY_URL SUITE TRANSPORT`.
pub struct Suite {
    url: String,
    pub replay: String,
    pub app: String,
    /// A2A's name of it.
    pub transport: String,
    pub core: bool,
    /// Whether the agent remembers what was said in a context.
    pub has_memory: bool,
    checks: Vec<String>,
    pub recordings: BTreeMap<String, Wanted>,
}

impl Suite {
    pub fn from_arguments() -> Result<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let Ok([url, replay, name, transport]) = <[String; 4]>::try_from(arguments) else {
            bail!("usage: interop-rust BASE_URL REPLAY_URL SUITE TRANSPORT");
        };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases.json");
        let mut suites: BTreeMap<String, Cases> = serde_json::from_slice(&std::fs::read(file)?)?;
        let Cases { core, memory, checks, recordings } =
            suites.remove(&name).context("there is no such suite")?;
        let (_, app) = name.split_once('/').context("a suite is VERSION/APP")?;
        Ok(Self { url, replay, app: app.to_owned(), transport, core, has_memory: memory, checks, recordings })
    }

    /// Runs a check if it is one of this suite's; 1 if it failed.
    pub async fn check(&self, name: &str, running: impl Future<Output = Result<()>>) -> usize {
        if self.checks.iter().any(|wanted| wanted == name) { check(name, running).await } else { 0 }
    }

    pub async fn card(&self) -> Result<a2a::AgentCard> {
        Ok(AgentCardResolver::new(None).resolve(&self.url).await?)
    }

    /// A client that prefers this suite's transport. It would take another one if there were none.
    pub async fn client(&self) -> Result<A2AClient<Box<dyn Transport>>> {
        let factory = A2AClientFactory::builder()
            .register(Arc::new(GrpcTransportFactory::new()))
            .preferred_bindings(vec![self.transport.clone()])
            .build();
        let (client, interface) = factory.create_from_card_with_interface(&self.card().await?).await?;
        expect_equal("the transport", &interface.protocol_binding, &self.transport)?;
        Ok(client)
    }

    /// One blocking send.
    pub async fn send(&self, text: &str, context: Option<&str>) -> Result<Task> {
        task(self.client().await?.send_message(&message(text, context)).await?)
    }

    /// Begins a stream.
    pub async fn stream(&self, text: &str, context: Option<&str>) -> Result<Follower> {
        let events = self.client().await?.send_streaming_message(&message(text, context)).await?;
        Follower::begin(events).await
    }

    /// Waits until the stand-in for Dify was told to stop, by the user who asked `query`.
    pub async fn expect_stopped(&self, query: &str) -> Result<()> {
        for _ in 0..30 {
            let answer: Value = reqwest::get(format!("{}/replay/turns", self.replay)).await?.json().await?;
            let turns: Vec<&Value> = answer["turns"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|turn| turn["query"] == query)
                .collect();
            let [turn] = turns.as_slice() else {
                bail!("Dify was asked {} times", turns.len());
            };
            let stops = turn["stopped_by"].as_array().context("no list of stops")?;
            if !stops.is_empty() {
                return expect_equal("the users of Dify's stop", stops, &vec![turn["user"].clone()]);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("Dify was not asked to stop")
    }
}

pub fn message(text: &str, context: Option<&str>) -> SendMessageRequest {
    let mut request = message_of(vec![Part::text(text)]);
    request.message.context_id = context.map(str::to_owned);
    request
}

pub fn message_of(parts: Vec<Part>) -> SendMessageRequest {
    let message = Message::new(Role::User, parts);
    SendMessageRequest { message, configuration: None, metadata: None, tenant: None }
}

pub fn returning_immediately(mut request: SendMessageRequest) -> SendMessageRequest {
    request.configuration = Some(SendMessageConfiguration {
        accepted_output_modes: None,
        task_push_notification_config: None,
        history_length: None,
        return_immediately: Some(true),
    });
    request
}

pub fn task(response: SendMessageResponse) -> Result<Task> {
    match response {
        SendMessageResponse::Task(task) => Ok(task),
        SendMessageResponse::Message(_) => bail!("the answer is not a task"),
    }
}

/// Something that no other check says.
pub fn nonce() -> String {
    a2a::new_message_id().rsplit('-').next().unwrap_or_default().to_owned()
}

pub fn expect_equal<T: PartialEq + Debug>(what: &str, got: &T, wanted: &T) -> Result<()> {
    ensure!(got == wanted, "{what} is {got:?} instead of {wanted:?}");
    Ok(())
}

pub fn expect_error<T>(code: i32, answer: Result<T, a2a::A2AError>) -> Result<()> {
    match answer {
        Ok(_) => bail!("the answer is no error"),
        Err(error) => expect_equal("the error's code", &error.code, &code),
    }
}

/// Runs one check and prints its line; 1 if it failed.
pub async fn check(name: &str, check: impl Future<Output = Result<()>>) -> usize {
    tell("PASS", name, check).await
}

/// Runs a check that the gateway refuses in the right way what it does not offer.
pub async fn refused(name: &str, check: impl Future<Output = Result<()>>) -> usize {
    tell("REFUSED", name, check).await
}

async fn tell(word: &str, name: &str, check: impl Future<Output = Result<()>>) -> usize {
    let outcome = tokio::time::timeout(PATIENCE, check).await;
    match outcome.unwrap_or_else(|_| bail!("no end within {PATIENCE:?}")) {
        Ok(()) => {
            println!("{word} {name}");
            0
        }
        Err(error) => {
            println!("FAIL {name}: {}", format!("{error:#}").replace('\n', " "));
            1
        }
    }
}
