//! A stop that outlives its turn.
//!
//! Dify can only be told to stop a task that it has named, and it names one with its first frame: a worker that is
//! busy, or a model that is slow, may take longer to that than a cancelled turn is kept waiting. Leaving the stream
//! then would leave a run behind that goes on and is paid for. So the stream is read on, until it names the task.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::afterwards::Afterwards;
use super::calls;
use super::source::{Source, Step};
use crate::core::ids::TaskId;
use crate::dify::client::Client;
use crate::dify::error::Error;
use crate::dify::event::Frame;
use crate::dify::framing::Framer;
use crate::dify::request::Endpoint;
use crate::dify::sse;

/// What is pursued, and how far.
pub(super) struct Pursuit {
    pub(super) client: Client,
    /// Where the task is stopped.
    pub(super) endpoint: Endpoint,
    /// The gateway's name of the task, for the log.
    pub(super) task: TaskId,
    /// The user that the turn was begun for.
    pub(super) user: String,
    pub(super) source: Source,
    pub(super) framer: Framer,
    /// When it is given up.
    pub(super) until: Instant,
    /// How long it may go on once the gateway ends.
    pub(super) at_end: Duration,
    /// How long the rest of the stream is read after the stop.
    pub(super) drain: Duration,
    /// Runs it, and knows when the gateway ends.
    pub(super) afterwards: Afterwards,
}

/// What the stream came to.
enum Found {
    /// It broke before that.
    Lost,
    /// Dify's name of the task.
    Name(String),
    /// An end without a name, or a refusal: nothing runs at Dify.
    Nothing,
}

impl Pursuit {
    /// Sees it through.
    pub(super) async fn run(mut self) {
        let (afterwards, at_end) = (self.afterwards.clone(), self.at_end);
        let end_of_gateway = async {
            afterwards.ending().await;
            sleep(at_end).await;
        };
        let found = tokio::select! {
            found = timeout_at(self.until, self.find()) => found.unwrap_or(Found::Lost),
            () = end_of_gateway => Found::Lost,
        };
        match found {
            Found::Name(name) => {
                calls::stop(self.client, self.endpoint, name, self.user).await;
                self.source.drain(self.drain).await;
            }
            Found::Nothing => {}
            Found::Lost => {
                tracing::warn!(task.id = %self.task, "dify did not begin in time on a turn that was stopped; it may yet run there");
            }
        }
    }

    async fn find(&mut self) -> Found {
        loop {
            loop {
                match self.framer.next_block() {
                    Ok(Some(block)) => {
                        if let Some(name) = task_id(&block) {
                            return Found::Name(name);
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return Found::Lost,
                }
            }
            match self.source.next().await {
                Ok(Step::Chunk(chunk)) => self.framer.push(&chunk),
                Ok(Step::Opened) => {}
                Ok(Step::End) | Err(Error::Connect(_) | Error::Refused(_)) => return Found::Nothing,
                Err(_) => return Found::Lost,
            }
        }
    }
}

/// The task that a block names, if it is a frame that names one.
fn task_id(block: &str) -> Option<String> {
    let data = sse::data(block).ok()??;
    let mut spare = String::new();
    let frame = Frame::decode_or_mend(&data, &mut spare).ok()?;
    frame.task_id.filter(|name| !name.is_empty()).map(Cow::into_owned)
}
