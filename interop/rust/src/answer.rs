//! What a stream told.

use std::collections::BTreeMap;

use a2a::{Artifact, Message, Part, PartContent, StreamResponse, Task, TaskArtifactUpdateEvent, TaskStatus};
use a2a_client::BoxStream;
use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;

/// The texts of the parts, joined.
pub fn text_of(parts: &[Part]) -> String {
    parts
        .iter()
        .filter_map(|part| match &part.content {
            PartContent::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

pub fn message_text(message: &Message) -> String {
    text_of(&message.parts)
}

fn is_answer(artifact: &Artifact) -> bool {
    artifact.name.as_deref() == Some("answer")
}

/// The text of the task's only artifact `answer`.
pub fn answer_of(task: &Task) -> Result<String> {
    let answers: Vec<_> = task.artifacts.iter().flatten().filter(|artifact| is_answer(artifact)).collect();
    ensure!(answers.len() == 1, "the task has {} artifacts named answer", answers.len());
    ensure!(answers[0].parts.len() == 1, "the answer has {} parts", answers[0].parts.len());
    Ok(text_of(&answers[0].parts))
}

/// The parts of each artifact, by its name.
pub fn artifacts_of(task: &Task) -> BTreeMap<String, Vec<Part>> {
    let artifacts = task.artifacts.iter().flatten();
    artifacts.map(|artifact| (artifact.name.clone().unwrap_or_default(), artifact.parts.clone())).collect()
}

/// The text of the artifact `answer`, put together from a stream's updates as A2A says.
#[derive(Default)]
pub struct Answer {
    pub pieces: Vec<String>,
    closing: Option<String>,
}

impl Answer {
    fn update(&mut self, update: &TaskArtifactUpdateEvent) -> Result<()> {
        ensure!(self.closing.is_none(), "an update of the answer came after its last chunk");
        let text = text_of(&update.artifact.parts);
        if update.append == Some(true) {
            ensure!(!self.pieces.is_empty(), "the first update of the answer says append");
            self.pieces.push(text);
        } else if update.last_chunk == Some(true) && !self.pieces.is_empty() {
            self.closing = Some(text);
        } else {
            self.pieces = vec![text];
        }
        Ok(())
    }

    /// The deltas, joined.
    pub fn streamed(&self) -> String {
        self.pieces.concat()
    }

    pub fn text(&self) -> String {
        self.closing.clone().unwrap_or_else(|| self.streamed())
    }
}

pub type Events = BoxStream<'static, Result<StreamResponse, a2a::A2AError>>;

/// Reads a stream event by event.
pub struct Follower {
    events: Events,
    pub task_id: String,
    pub context_id: String,
    pub status: TaskStatus,
    /// The answer as the first event had it.
    pub snapshot: Option<String>,
    pub answer: Answer,
    /// The parts of the other artifacts, by their names.
    pub others: BTreeMap<String, Vec<Part>>,
}

impl Follower {
    /// Reads the first event, which is the task.
    pub async fn begin(mut events: Events) -> Result<Self> {
        let first = events.next().await.context("the stream is empty")??;
        let StreamResponse::Task(task) = first else {
            anyhow::bail!("the first event is not the task");
        };
        let snapshot =
            task.artifacts.iter().flatten().any(is_answer).then(|| answer_of(&task)).transpose()?;
        let mut others = artifacts_of(&task);
        others.remove("answer");
        let answer = Answer { pieces: snapshot.iter().cloned().collect(), closing: None };
        Ok(Self {
            events,
            task_id: task.id,
            context_id: task.context_id,
            status: task.status,
            snapshot,
            answer,
            others,
        })
    }

    /// Reads one event; false at the end of the stream.
    pub async fn advance(&mut self) -> Result<bool> {
        let Some(event) = self.events.next().await else {
            return Ok(false);
        };
        ensure!(!self.status.state.is_terminal(), "an event came after the end");
        match event? {
            StreamResponse::StatusUpdate(update) => self.status = update.status,
            StreamResponse::ArtifactUpdate(update) if is_answer(&update.artifact) => {
                self.answer.update(&update)?
            }
            StreamResponse::ArtifactUpdate(update) => {
                let Artifact { name, mut parts, .. } = update.artifact;
                let name = name.unwrap_or_default();
                if update.append == Some(true) {
                    let before = self.others.remove(&name);
                    let before = before.with_context(|| format!("the first update of {name} says append"))?;
                    // only texts are appended to
                    parts = vec![Part::text(text_of(&before) + &text_of(&parts))];
                }
                self.others.insert(name, parts);
            }
            StreamResponse::Task(_) | StreamResponse::Message(_) => {
                anyhow::bail!("a second task or a message came")
            }
        }
        Ok(true)
    }

    /// Reads the rest.
    pub async fn finish(mut self) -> Result<Self> {
        while self.advance().await? {}
        Ok(self)
    }
}
