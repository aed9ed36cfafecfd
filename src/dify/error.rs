//! What can go wrong between the gateway and Dify, and what it means for a turn.
//!
//! Two strings come of every error: the `Display` form and its sources are for the log; [`Error::failure`] is for
//! callers and has no address, key or foreign text in it that was not cleaned.

use std::borrow::Cow;

use super::event::StreamError;
use super::framing::TooLarge;
use super::reason::clean_reason;
pub use super::refusal::Refusal;
use crate::core::event::{Failure, FailureSource};

/// Longest name of an input that is read from a refusal, bytes; what is longer is no name.
const MAX_INPUT_NAME: usize = 400;

/// Why a call to Dify gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection came about, so Dify has not seen the request.
    #[error("dify cannot be reached")]
    Connect(#[source] reqwest::Error),
    /// The connection broke.
    #[error("the connection to dify broke")]
    Cut(#[source] reqwest::Error),
    /// Dify, or a proxy before it, refused.
    #[error("dify refused the request: {0}")]
    Refused(Refusal),
    /// The answer is not one of Dify's API.
    #[error("the answer is not one of dify's api: {0}")]
    Strange(&'static str),
    /// No byte came for too long.
    #[error("dify was silent for too long")]
    Timeout(#[source] Option<reqwest::Error>),
    /// One event was too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_connect() {
            Self::Connect(error)
        } else if error.is_timeout() {
            Self::Timeout(Some(error))
        } else {
            Self::Cut(error)
        }
    }
}

impl Error {
    /// Whether Dify certainly did not begin to work on the request, so that sending it again cannot do a thing twice.
    pub fn is_safe_to_repeat(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Refused(refusal) => {
                refusal.status == 429 && refusal.code.as_deref() == Some("too_many_requests")
            }
            Self::Cut(_) | Self::Strange(_) | Self::Timeout(_) | Self::TooLarge(_) => false,
        }
    }

    /// What the error means for a turn.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Connect(_) => failure(
                "upstream_unreachable",
                "the Dify server cannot be reached; try again later",
                Retry::MayHelp,
            ),
            Self::Cut(_) => disconnected(),
            Self::Refused(refusal) => refusal.failure(),
            Self::Strange(what) => failure(
                "upstream_strange_answer",
                &format!("Dify's address gave an answer that is not Dify's: {what}"),
                Retry::Useless,
            ),
            Self::Timeout(_) => failure(
                "upstream_timeout",
                "Dify fell silent before the answer was complete; try again later",
                Retry::MayHelp,
            ),
            Self::TooLarge(too_large) => failure(
                "upstream_event_too_large",
                &format!("Dify sent one event of more than {} MiB", too_large.limit / (1024 * 1024)),
                Retry::Useless,
            ),
        }
    }
}

/// The stream ended before Dify said how the turn came out.
pub fn disconnected() -> Failure {
    failure(
        "upstream_disconnected",
        "the connection to Dify ended before the answer was complete; try again later",
        Retry::MayHelp,
    )
}

/// The code of a turn that Dify never began to work on.
pub const NEVER_STARTED: &str = "upstream_silent";

/// Nothing but signs of life came since the request was sent.
pub fn never_started(seconds: u64) -> Failure {
    failure(
        NEVER_STARTED,
        &format!(
            "Dify took the request but did not start on it within {seconds} s; usual causes are an input that \
             the app requires, a conversation that Dify no longer has, or no free worker"
        ),
        Retry::MayHelp,
    )
}

/// The turn took longer than it may.
pub fn took_too_long(seconds: u64) -> Failure {
    failure("turn_timeout", &format!("the answer was not complete within {seconds} s"), Retry::MayHelp)
}

/// An `error` event in a stream.
pub fn of_stream_error(error: &StreamError<'_>) -> Failure {
    let status = error.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    let code = error.code.as_deref().filter(|code| is_code(code)).unwrap_or("dify_error");
    of_code(code, status, &error.message)
}

/// The input that Dify misses, if these words of a refusal or a failed run say so (`X is required in input form`).
pub fn missing_input(raw: &str) -> Option<&str> {
    let name = raw.strip_suffix(" is required in input form")?;
    (!name.is_empty() && name.len() <= MAX_INPUT_NAME && !name.contains(char::is_control)).then_some(name)
}

/// A run of a graph that ended as failed.
pub fn of_failed_run(reason: Option<&str>) -> Failure {
    let raw = reason.unwrap_or_default();
    let retry = if sounds_temporary(raw) { Retry::MayHelp } else { Retry::Useless };
    failure("workflow_failed", &with_reason("the workflow of the Dify app failed", raw), retry)
}

/// A run that somebody else stopped.
pub fn of_stopped_run(reason: Option<&str>) -> Failure {
    let reason = reason.filter(|reason| !reason.starts_with("Stopped by user")).unwrap_or_default();
    let what = "the run was stopped in Dify, by a person there or by its time limit";
    failure("stopped", &with_reason(what, reason), Retry::MayHelp)
}

/// Dify's table of codes, as HTTP statuses and as `error` events.
pub(super) fn of_code(code: &str, status: u16, raw: &str) -> Failure {
    let retry_if_server = if status >= 500 { Retry::MayHelp } else { Retry::Useless };
    let operator = |what| {
        failure(code, &format!("{what}; the operator of this agent has to look at it"), Retry::Useless)
    };
    match code {
        "unauthorized" => not_admitted(),
        "completion_request_error" => model_call_failed(code, raw),
        "rate_limit_error" => failure(
            code,
            "the model provider of the Dify app takes no more requests for now; try again later",
            Retry::MayHelp,
        ),
        "too_many_requests" => {
            failure(code, "the Dify app is busy with other requests; try again later", Retry::MayHelp)
        }
        "provider_not_initialize" => operator("the Dify app's model provider is not set up"),
        "provider_quota_exceeded" => operator("the quota of the Dify app's model provider is used up"),
        "model_currently_not_support" => operator("the Dify app's model is not available"),
        "app_unavailable" => operator("the Dify app is not available or not published"),
        "agent_not_published" => operator("the Dify app has no published version"),
        "not_chat_app" | "not_workflow_app" => {
            operator("the Dify app is of another kind than the gateway took it for")
        }
        "workflow_version_execution_not_allowed" => {
            operator("the Dify workspace's plan does not allow to run this version of the app")
        }
        "conversation_completed" => {
            failure(code, "Dify has closed this conversation; begin a new one", Retry::Useless)
        }
        "invalid_param" if raw.starts_with("Run failed") => {
            Failure { code: Cow::Borrowed("invalid_param"), ..of_failed_run(Some(raw)) }
        }
        "invalid_param" if raw.starts_with("Workflow not published") => {
            operator("the Dify app has no published version")
        }
        "invalid_param" | "bad_request" => {
            of_caller(code, &with_reason("Dify did not accept the request", raw))
        }
        "invalid_form_data" => {
            of_caller(code, &with_reason("Dify did not accept the answer to the form", raw))
        }
        "human_input_form_submitted" => {
            failure(code, "the form has already been answered, and the first answer counts", Retry::Useless)
        }
        "human_input_form_expired" => {
            failure(code, "the time for answering the form is over", Retry::Useless)
        }
        "file_too_large" => of_caller(code, "the file is larger than Dify takes"),
        "unsupported_file_type" => of_caller(code, "Dify does not take files of this type"),
        "file_extension_blocked" => of_caller(code, "Dify does not take files with this extension"),
        "filename_not_exists_error" => of_caller(code, "Dify takes no file without a name"),
        "too_many_files" => of_caller(code, "there are more files than Dify takes at once"),
        "not_found" if raw.starts_with("Workflow run not found") => {
            failure("run_not_found", "Dify does not have this run any more", Retry::Useless)
        }
        "not_found" if raw.starts_with("Form not found") => {
            failure("form_not_found", "Dify does not have this form any more", Retry::Useless)
        }
        "not_found" if raw.starts_with("Workflow not found with id") => {
            operator("Dify does not have the version of the app that the gateway is set to")
        }
        "internal_server_error" | "unknown" => {
            failure(code, "Dify had an internal error; try again later", Retry::MayHelp)
        }
        _ => failure(code, &with_reason("Dify could not do it", raw), retry_if_server),
    }
}

/// The caller's own doing.
pub(super) fn of_caller(code: &str, message: &str) -> Failure {
    Failure { source: FailureSource::Caller, ..failure(code, message, Retry::Useless) }
}

/// The model's trouble, told as the model's: its key is not the gateway's.
fn model_call_failed(code: &str, raw: &str) -> Failure {
    let sentence = if raw.contains("Incorrect API key") {
        "the model provider did not accept the key that the Dify app has for it; the operator of this agent has \
         to look at it"
            .to_owned()
    } else {
        with_reason("the Dify app's call to its model failed", raw)
    };
    let lower = raw.to_ascii_lowercase();
    let is_lasting = ["api key", "401", "403", "authoriz", "quota", "not found", "invalid"]
        .iter()
        .any(|sign| lower.contains(sign));
    let retry = if sounds_temporary(raw) || !is_lasting { Retry::MayHelp } else { Retry::Useless };
    failure(code, &sentence, retry)
}

fn sounds_temporary(raw: &str) -> bool {
    let lower = raw.to_ascii_lowercase();
    [
        "429",
        "rate limit",
        "timeout",
        "timed out",
        "overloaded",
        "connection",
        "502",
        "503",
        "504",
        "unavailable",
    ]
    .iter()
    .any(|sign| lower.contains(sign))
}

pub(super) fn not_admitted() -> Failure {
    Failure {
        source: FailureSource::Gateway,
        ..failure(
            "dify_auth",
            "Dify does not admit this gateway to the app; the operator of this agent has to look at it",
            Retry::Useless,
        )
    }
}

fn with_reason(what: &str, raw: &str) -> String {
    match clean_reason(raw) {
        Some(reason) => format!("{what}: {reason}"),
        None => what.to_owned(),
    }
}

pub(super) fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether the same message may succeed later.
#[derive(Clone, Copy)]
pub(super) enum Retry {
    MayHelp,
    Useless,
}

pub(super) fn failure(code: &str, message: &str, retry: Retry) -> Failure {
    Failure {
        code: Cow::Owned(code.to_owned()),
        message: message.to_owned(),
        retryable: matches!(retry, Retry::MayHelp),
        source: FailureSource::Dify,
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
