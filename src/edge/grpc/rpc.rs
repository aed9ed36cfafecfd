//! What the services have in common: a decoded request in, what came of it out.

use super::deadline::Deadline;
use super::stream::{Encode, Updates, updates};
use crate::core::error::Error;
use crate::core::task::Task;
use crate::edge::dialect::{Call, Request};
use crate::edge::error::EdgeError;
use crate::edge::exchange::{Answer, Begun, Exchange, Followed, Listed};
use crate::edge::view::View;

/// One request, apart from its message.
pub struct Rpc {
    /// What is known of it.
    pub exchange: Exchange,
    /// Until when its stream may last. Other answers are cut off by whoever waits for them.
    pub deadline: Deadline,
}

impl Rpc {
    async fn begin(&self, request: Result<Request, Error>) -> Result<Begun, EdgeError> {
        self.exchange.admit()?;
        self.exchange.clone().begin(request?).await
    }

    async fn answer(&self, request: Result<Request, Error>) -> Result<Answer, EdgeError> {
        match self.begin(request).await? {
            Begun::Answer(answer) => Ok(answer),
            Begun::Later(later) => later.await,
            Begun::Stream(_) => Err(misfit()),
        }
    }

    /// A task, and how the caller sees it.
    ///
    /// # Errors
    /// Every refusal.
    pub async fn task(&self, request: Result<Request, Error>) -> Result<(Task, View), EdgeError> {
        match self.answer(request).await? {
            Answer::Sent(task, view) | Answer::Task(task, view) => Ok((task, view)),
            Answer::Page(..) => Err(misfit()),
        }
    }

    /// A page of tasks, and how the caller sees them.
    ///
    /// # Errors
    /// Every refusal.
    pub async fn page(&self, request: Result<Request, Error>) -> Result<(Listed, View), EdgeError> {
        match self.answer(request).await? {
            Answer::Page(listed, view) => Ok((listed, view)),
            Answer::Sent(..) | Answer::Task(..) => Err(misfit()),
        }
    }

    /// A stream, in the messages of `E`.
    ///
    /// # Errors
    /// Every refusal.
    pub async fn stream<E: Encode>(
        &self,
        request: Result<Request, Error>,
    ) -> Result<Updates<E::Response>, EdgeError> {
        match self.begin(request).await? {
            Begun::Stream(Followed { task, reader, end, view }) => {
                let encoder = E::new(&task.id, &task.context_id, end, view);
                Ok(updates(encoder, &task, reader, self.deadline))
            }
            Begun::Answer(_) | Begun::Later(_) => Err(misfit()),
        }
    }

    /// Why a call is refused that is refused whatever it says.
    pub async fn refused(&self, call: Call) -> EdgeError {
        self.begin(Ok(call.into())).await.err().unwrap_or_else(misfit)
    }
}

/// An answer of another kind than the question: the program's own fault.
fn misfit() -> EdgeError {
    Error::Internal("an answer does not fit its rpc".to_owned()).into()
}
