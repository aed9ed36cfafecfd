//! Where an attempt's bytes come from: the answer that is awaited, then its stream. Owns all it needs, so that it can
//! outlive the attempt.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};
use tokio::time::timeout;

use crate::dify::client::{Client, EventResponse};
use crate::dify::error::Error;
use crate::dify::request::TurnBody;

/// The request on its way, or its stream.
pub(super) enum Source {
    /// The answer's head is awaited.
    Opening(BoxFuture<'static, Result<EventResponse, Error>>),
    /// It is there.
    Reading(EventResponse),
}

/// What comes of it.
pub(super) enum Step {
    /// Bytes of the stream.
    Chunk(Bytes),
    /// The stream's end, in order.
    End,
    /// The answer's head: a stream follows.
    Opened,
}

impl Source {
    /// Asks Dify.
    pub(super) fn of(client: &Client, request: &TurnBody<'_>) -> Self {
        Self::Opening(client.begin(request).boxed())
    }

    /// Goes on reading a run.
    pub(super) fn of_run(client: &Client, run_id: &str, user: &str) -> Self {
        Self::Opening(client.events(run_id, user).boxed())
    }

    /// What comes next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Step, Error> {
        match self {
            Self::Opening(response) => {
                *self = Self::Reading(response.await?);
                Ok(Step::Opened)
            }
            Self::Reading(response) => Ok(response.chunk().await?.map_or(Step::End, Step::Chunk)),
        }
    }

    /// The source itself, which leaves one behind that nothing comes of.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Opening(pending().boxed()))
    }

    /// Reads what is left of the stream, if it has begun, for so long.
    pub(super) async fn drain(self, limit: Duration) {
        if let Self::Reading(mut response) = self {
            // Late or broken, nobody waits for it.
            let _ = timeout(limit, async { while let Ok(Some(_)) = response.chunk().await {} }).await;
        }
    }
}
