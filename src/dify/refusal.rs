//! A refusal of Dify's, or of a proxy before it: an HTTP status and a body go in, what it says comes out.

use std::borrow::Cow;

use serde::Deserialize;

use super::error::{Retry, failure, is_code, not_admitted, of_caller, of_code};
use super::lenient;
use crate::core::event::Failure;

/// An HTTP status that is not success, and what its body said.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("http {status}, code {}", .code.as_deref().unwrap_or("none"))]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Dify's code. `None` when the body is not Dify's, such as the page of a proxy.
    pub code: Option<String>,
    /// Dify's own words, raw.
    pub message: String,
}

impl Refusal {
    /// Reads the body of an answer with this status.
    pub fn read(status: u16, body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        struct Envelope<'a> {
            #[serde(default, borrow, deserialize_with = "lenient::text")]
            code: Option<Cow<'a, str>>,
            #[serde(default, borrow, deserialize_with = "lenient::text")]
            message: Option<Cow<'a, str>>,
        }
        let envelope: Envelope<'_> = serde_json::from_slice(body).unwrap_or_default();
        Self {
            status,
            code: envelope.code.map(Cow::into_owned).filter(|code| is_code(code)),
            message: envelope.message.unwrap_or_default().into_owned(),
        }
    }

    /// Whether the conversation that was named cannot be gone on with: it is unknown, another user's, or closed.
    pub fn is_lost_conversation(&self) -> bool {
        match (self.status, self.code.as_deref()) {
            (404, Some("not_found")) => self.message.starts_with("Conversation Not Exists"),
            (400, Some("conversation_completed")) => true,
            _ => false,
        }
    }

    /// Whether Dify says that it has no such run, or not for this user.
    pub fn is_unknown_run(&self) -> bool {
        self.status == 404
            && self.code.as_deref() == Some("not_found")
            && self.message.starts_with("Workflow run not found")
    }

    /// Why a form takes no answers any more, if that is what was said.
    pub fn closed_form(&self) -> Option<ClosedForm> {
        match (self.status, self.code.as_deref()) {
            (412, Some("human_input_form_submitted")) => Some(ClosedForm::Answered),
            (412, Some("human_input_form_expired")) => Some(ClosedForm::Expired),
            (404, Some("not_found")) if self.message.starts_with("Form not found") => {
                Some(ClosedForm::Unknown)
            }
            _ => None,
        }
    }

    /// Whether the answer to a form does not fit it. The form still waits.
    pub fn is_bad_answer(&self) -> bool {
        self.status == 400 && self.code.as_deref() == Some("invalid_form_data")
    }

    /// What it means for a turn.
    pub(super) fn failure(&self) -> Failure {
        let Some(code) = self.code.as_deref() else { return self.failure_of_a_proxy() };
        match (self.status, code) {
            (401, _) | (403, "forbidden" | "unauthorized") => not_admitted(),
            (429, "rate_limit_error") => failure(
                code,
                "the Dify workspace has used up its quota; the operator of this agent has to look at it",
                Retry::Useless,
            ),
            (429, "too_many_requests") => {
                failure(code, "the Dify app is busy with other requests; try again later", Retry::MayHelp)
            }
            (status, _) => of_code(code, status, &self.message),
        }
    }

    /// A body that is not Dify's: something between the gateway and Dify answered.
    fn failure_of_a_proxy(&self) -> Failure {
        match self.status {
            401 | 403 => not_admitted(),
            404 | 405 => failure(
                "upstream_not_found",
                "the gateway's Dify address does not lead to Dify's API; the operator of this agent has to look at it",
                Retry::Useless,
            ),
            413 => of_caller(
                "upstream_too_large",
                "the message is larger than the server before Dify lets through",
            ),
            429 => failure(
                "rate_limited",
                "Dify takes no more requests for now; try again later",
                Retry::MayHelp,
            ),
            502..=504 | 520..=530 => failure(
                "upstream_unavailable",
                "Dify did not answer the server in front of it; try again later",
                Retry::MayHelp,
            ),
            status => failure(
                "upstream_error",
                &format!("Dify answered with HTTP status {status}"),
                if status >= 500 { Retry::MayHelp } else { Retry::Useless },
            ),
        }
    }
}

/// Why a form takes no answers any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClosedForm {
    /// Somebody has answered it.
    Answered,
    /// Its time is over.
    Expired,
    /// Dify does not have it, or not for this app.
    Unknown,
}
