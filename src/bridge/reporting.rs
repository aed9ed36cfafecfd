//! The one line that the log gets of a turn that went wrong. Dify's own words stay out: they may quote the caller.

use std::error::Error as _;

use crate::core::backend::TurnRequest;
use crate::core::event::Outcome;
use crate::dify::error::Error;

/// Writes it, if the turn went wrong.
pub(super) fn log(turn: &TurnRequest, outcome: &Outcome, cause: Option<&Error>) {
    let (Outcome::Failed(failure) | Outcome::Rejected(failure)) = outcome else { return };
    let chain = cause.map(|error| {
        let mut chain = error.to_string();
        let mut next = error.source();
        while let Some(error) = next {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            next = error.source();
        }
        chain
    });
    tracing::warn!(
        task.id = %turn.task_id,
        error.code = %failure.code,
        error.source = failure.source.as_str(),
        error.retryable = failure.retryable,
        error.cause = chain,
        "a turn failed",
    );
}
