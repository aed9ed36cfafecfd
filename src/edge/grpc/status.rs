//! Refusals as gRPC has them: a status whose details are a `google.rpc.Status` (A2A 1.0 §10.6).

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::edge::error::{ERROR_DOMAIN, EdgeError, WireError};

/// Most of a text that goes into a status, characters. Statuses travel as headers, and clients take 8 KiB of those.
const MAX_TEXT: usize = 1024;

/// The status of a refusal in 1.0. Code and reason are of the one table of errors.
pub fn status(error: EdgeError) -> Status {
    detailed(error.into())
}

/// The status with all that is told of a refusal.
pub fn detailed(error: WireError) -> Status {
    tracing::debug!(grpc.code = error.grpc.as_str(), reason = error.reason, "request refused");
    let mut details = ErrorDetails::new();
    let facts = error.metadata.into_iter().map(|(name, value)| (name.to_owned(), short(&value)));
    details.set_error_info(error.reason, ERROR_DOMAIN, facts.collect::<std::collections::HashMap<_, _>>());
    if !error.violations.is_empty() {
        let violations = error.violations.into_iter();
        let violations = violations.map(|it| FieldViolation::new(short(&it.field), short(&it.description)));
        details.set_bad_request(violations.collect::<Vec<_>>());
    }
    if error.retry_after.is_some() {
        details.set_retry_info(error.retry_after);
    }
    Status::with_error_details(Code::from_i32(error.grpc.number()), short(&error.message), details)
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// The status that a response without a message has, if it is one.
pub fn told(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::error::{Error, FieldViolation as Violation};

    #[test]
    fn q03_a_status_has_code_reason_domain_and_details() {
        let not_found = status(Error::TaskNotFound("t".into()).into());
        assert_eq!((not_found.code(), not_found.message()), (Code::NotFound, "task not found: t"));
        let info = not_found.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TASK_NOT_FOUND", "a2a-protocol.org"));
        assert_eq!(info.metadata["taskId"], "t");
        let invalid = status(Error::invalid("message.parts", "at least one part is required").into());
        assert_eq!(invalid.code(), Code::InvalidArgument);
        assert_eq!(invalid.get_details_error_info().unwrap().reason, "INVALID_PARAMS");
        let violations = invalid.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "message.parts");
        let busy = Error::Busy { what: "too many turns", retry_after: Duration::from_millis(1500) };
        let busy = status(busy.into());
        assert_eq!(busy.code(), Code::ResourceExhausted);
        assert_eq!(busy.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn the_longest_status_is_one_that_clients_take() {
        let wrong = |index| Violation::new(format!("message.parts[{index}].metadata"), "x".repeat(80));
        let many = EdgeError::Core(Error::InvalidParams((0..20).map(wrong).collect()));
        let version = EdgeError::VersionNotSupported { requested: "9".repeat(100_000), supported: "1.0" };
        for error in [many, version, EdgeError::Malformed("x".repeat(100_000))] {
            let mut headers = HeaderMap::new();
            status(error).add_header(&mut headers).unwrap();
            let size: usize = headers.values().map(|value| value.len() + 32).sum();
            assert!(size < 8 * 1024, "{size}");
        }
    }
}
