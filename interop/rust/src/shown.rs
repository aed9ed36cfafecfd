//! Tasks as the checks of forms, files and recordings speak of them.

use std::collections::BTreeMap;

use a2a::{Part, PartContent, Role, SendMessageConfiguration, Task, TaskState, TaskStatus};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::answer::{Answer, Follower, artifacts_of, text_of};
use crate::core::{cancel_request, get_request, subscribe_request};
use crate::judge::{Suite, message_of, task};

/// A task as a client saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub id: String,
    pub context: String,
    pub state: TaskState,
    /// The parts of the status message.
    pub said: Vec<Part>,
    /// The code of a failure.
    pub code: Option<String>,
    /// The parts of each artifact, by its name.
    pub artifacts: BTreeMap<String, Vec<Part>>,
}

impl Shown {
    pub fn of(task: Task) -> Self {
        let artifacts = artifacts_of(&task);
        Self::new(task.id, task.context_id, task.status, artifacts)
    }

    fn new(id: String, context: String, status: TaskStatus, artifacts: BTreeMap<String, Vec<Part>>) -> Self {
        let TaskStatus { state, message, .. } = status;
        let code = message.as_ref().and_then(|message| message.metadata.as_ref()?.get("code")?.as_str());
        let code = code.map(str::to_owned);
        let said = message.map_or_else(Vec::new, |message| message.parts);
        Self { id, context, state, said, code, artifacts }
    }

    /// The text of the artifact `answer`, if there is one.
    pub fn text(&self) -> Option<String> {
        self.artifacts.get("answer").map(|parts| text_of(parts))
    }

    pub fn names(&self) -> Vec<&str> {
        self.artifacts.keys().map(String::as_str).collect()
    }

    /// What a workflow gave for programs.
    pub fn outputs(&self) -> Result<&Value> {
        match self.artifacts.get("outputs").map(Vec::as_slice) {
            Some([Part { content: PartContent::Data(outputs), .. }]) => Ok(outputs),
            other => bail!("the outputs are {other:?}"),
        }
    }

    /// What a task that waits for somebody asks: its text, and what it says to programs.
    pub fn asked(&self) -> Result<(&str, &Value)> {
        ensure!(self.state == TaskState::InputRequired, "the state is {:?}", self.state);
        let contents: Vec<_> = self.said.iter().map(|part| &part.content).collect();
        match contents.as_slice() {
            [PartContent::Text(question), PartContent::Data(form)] => Ok((question, form)),
            other => bail!("the parts that ask are {other:?}"),
        }
    }

    /// The only part of an artifact that is a file: its address, name and media type.
    pub fn file(&self, artifact: &str) -> Result<(&str, &str, &str)> {
        match self.artifacts.get(artifact).map(Vec::as_slice) {
            Some([Part { content: PartContent::Url(url), filename, media_type, .. }]) => {
                Ok((url, filename.as_deref().unwrap_or_default(), media_type.as_deref().unwrap_or_default()))
            }
            other => bail!("the file {artifact} is {other:?}"),
        }
    }
}

/// What is sent: parts, perhaps to a task and its context, perhaps with the only media types that are wanted.
#[derive(Clone, Default)]
pub struct Send<'a> {
    pub parts: Vec<Part>,
    pub task: Option<&'a str>,
    pub context: Option<&'a str>,
    pub accepted: Option<&'a str>,
}

impl<'a> Send<'a> {
    pub fn new(parts: Vec<Part>) -> Self {
        Self { parts, ..Self::default() }
    }

    /// To this task, with its context.
    pub fn to(self, shown: &'a Shown) -> Self {
        Self { task: Some(&shown.id), context: Some(&shown.context), ..self }
    }

    fn request(self) -> a2a::SendMessageRequest {
        let mut request = message_of(self.parts);
        request.message.task_id = self.task.map(str::to_owned);
        request.message.context_id = self.context.map(str::to_owned);
        request.configuration = self.accepted.map(|accepted| SendMessageConfiguration {
            accepted_output_modes: Some(vec![accepted.to_owned()]),
            task_push_notification_config: None,
            history_length: None,
            return_immediately: None,
        });
        request
    }

    /// One blocking send.
    pub async fn wait(self, suite: &Suite) -> Result<Shown> {
        Ok(Shown::of(task(suite.client().await?.send_message(&self.request()).await?)?))
    }

    /// A stream, to its end; and how the answer came.
    pub async fn watch(self, suite: &Suite) -> Result<(Shown, Answer)> {
        let events = suite.client().await?.send_streaming_message(&self.request()).await?;
        Ok(told(Follower::begin(events).await?.finish().await?))
    }

    /// Blocking and as a stream, it must be refused for what it says.
    pub async fn expect_refused(self, suite: &Suite) -> Result<()> {
        let client = suite.client().await?;
        let code = a2a::error_code::INVALID_PARAMS;
        crate::judge::expect_error(code, client.send_message(&self.clone().request()).await)?;
        crate::judge::expect_error(code, client.send_streaming_message(&self.request()).await)
    }
}

/// The task as a stream told it, and how the answer came.
pub fn told(follower: Follower) -> (Shown, Answer) {
    let Follower { task_id, context_id, status, answer, others, .. } = follower;
    let mut artifacts = others;
    if !answer.pieces.is_empty() {
        artifacts.insert("answer".to_owned(), vec![Part::text(answer.text())]);
    }
    (Shown::new(task_id, context_id, status, artifacts), answer)
}

/// Begins to follow a task.
pub async fn follow(suite: &Suite, id: &str) -> Result<Follower> {
    Follower::begin(suite.client().await?.subscribe_to_task(&subscribe_request(id)).await?).await
}

pub async fn look(suite: &Suite, id: &str) -> Result<Shown> {
    Ok(Shown::of(suite.client().await?.get_task(&get_request(id)).await?))
}

/// The parts of what the user said, as the task's history has them.
pub async fn said_by_user(suite: &Suite, id: &str) -> Result<Vec<Part>> {
    let task = suite.client().await?.get_task(&get_request(id)).await?;
    let said = task.history.into_iter().flatten().filter(|message| message.role == Role::User);
    Ok(said.flat_map(|message| message.parts).collect())
}

pub async fn cancel(suite: &Suite, id: &str) -> Result<Shown> {
    Ok(Shown::of(suite.client().await?.cancel_task(&cancel_request(id)).await?))
}

/// JSON as this client gives it: it reads it as protobuf does, which knows no numbers but doubles.
pub fn as_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(as_doubles).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), as_doubles(value))).collect()
        }
        other => other.clone(),
    }
}

/// A file that an agent gave: its media type and its bytes.
pub async fn fetched(url: &str) -> Result<(String, Vec<u8>)> {
    let reply = reqwest::get(url).await?.error_for_status()?;
    let header = reply.headers().get("content-type").context("the file has no media type")?.to_str()?;
    let media_type = header.split(';').next().unwrap_or_default().to_owned();
    Ok((media_type, reply.bytes().await?.to_vec()))
}
