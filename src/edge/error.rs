//! Every reason for which a request is refused, and the one table that gives each its codes.
//!
//! [`EdgeError`] says what happened, [`WireError`] what a client is told: code, reason, message and
//! details. A dialect writes the `WireError` in its own form; a binding takes the HTTP (or gRPC) status
//! from it.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::core::error::{Error, FieldViolation};

use super::json::{ObjectWriter, write_list};

/// The `domain` of every `google.rpc.ErrorInfo` of A2A (A2A 1.0 §10.6, §11.6).
pub const ERROR_DOMAIN: &str = "a2a-protocol.org";

/// Why a request was refused. Display is what the caller may read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EdgeError {
    /// The request's `Content-Type` is not one the binding reads.
    #[error("content type not supported: {given:?}; send application/json")]
    ContentType {
        /// What was sent.
        given: String,
    },
    /// The core refused.
    #[error(transparent)]
    Core(#[from] Error),
    /// The time that the caller gave the request is over.
    #[error("the deadline of the request has passed; what it began goes on")]
    DeadlineExceeded,
    /// An extended card is declared, but there is none.
    #[error("this agent has no extended card")]
    ExtendedCardNotConfigured,
    /// An extended card is not declared.
    #[error("this agent does not offer an extended card")]
    ExtendedCardNotSupported,
    /// The card requires an extension that the client did not list.
    #[error("this agent requires the extension {uri}; name it in A2A-Extensions")]
    ExtensionRequired {
        /// The extension.
        uri: String,
    },
    /// The path is one of the binding's, but not for this verb.
    #[error("{verb} is not for this path; it takes {allow}")]
    HttpVerb {
        /// What the path takes, as in the header `Allow`.
        allow: String,
        /// The verb.
        verb: String,
    },
    /// The body is JSON, but no request.
    #[error("invalid request: {0}")]
    InvalidRequest(String),
    /// What came is no message of the protocol.
    #[error("invalid message: {0}")]
    Malformed(String),
    /// No dialect knows the method.
    #[error("method not found: {0}")]
    MethodNotFound(String),
    /// No binding has the path.
    #[error("there is nothing at {0}")]
    NoSuchPath(String),
    /// The body is not JSON.
    #[error("invalid JSON: {0}")]
    Parse(String),
    /// The body is larger than `MAX_BODY_BYTES`.
    #[error("the request is larger than {limit} bytes")]
    PayloadTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The `A2A-Version` asked for is not one of the method's.
    #[error("A2A version {requested:?} is not supported here; this method belongs to {supported}")]
    VersionNotSupported {
        /// What was asked for.
        requested: String,
        /// What the method speaks.
        supported: &'static str,
    },
}

/// Most characters of a caller's own text that an error repeats.
const MAX_ECHO: usize = 64;

impl EdgeError {
    /// The refusal of a method that nobody knows; of a long name just the beginning is repeated.
    pub fn method_not_found(method: &str) -> Self {
        Self::MethodNotFound(method.chars().take(MAX_ECHO).collect())
    }

    /// The refusal of a path that nobody has.
    pub fn no_such_path(path: &str) -> Self {
        Self::NoSuchPath(path.chars().take(MAX_ECHO).collect())
    }

    /// The refusal of a verb on a path that takes others.
    pub fn http_verb(verb: &Method, allow: String) -> Self {
        Self::HttpVerb { allow, verb: verb.as_str().chars().take(MAX_ECHO).collect() }
    }
}

/// The gRPC status codes that refusals use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrpcCode {
    /// INVALID_ARGUMENT
    InvalidArgument,
    /// DEADLINE_EXCEEDED
    DeadlineExceeded,
    /// NOT_FOUND
    NotFound,
    /// RESOURCE_EXHAUSTED
    ResourceExhausted,
    /// FAILED_PRECONDITION
    FailedPrecondition,
    /// UNIMPLEMENTED
    Unimplemented,
    /// INTERNAL
    Internal,
    /// UNAVAILABLE
    Unavailable,
}

impl GrpcCode {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            Self::InvalidArgument => 3,
            Self::DeadlineExceeded => 4,
            Self::NotFound => 5,
            Self::ResourceExhausted => 8,
            Self::FailedPrecondition => 9,
            Self::Unimplemented => 12,
            Self::Internal => 13,
            Self::Unavailable => 14,
        }
    }

    /// The name, as HTTP+JSON errors carry it in `status` (A2A 1.0 §11.6).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// What a client is told of a refusal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WireError {
    /// The JSON-RPC error code.
    pub code: i32,
    /// The HTTP status over the HTTP+JSON binding.
    pub status: StatusCode,
    /// The HTTP status over the JSON-RPC binding: 200 for all that is not a matter of HTTP itself, since
    /// common clients lose the error of any other answer.
    pub rpc_status: StatusCode,
    /// The gRPC status.
    pub grpc: GrpcCode,
    /// The reason in `google.rpc.ErrorInfo`.
    pub reason: &'static str,
    /// The sentence for people.
    pub message: String,
    /// Which fields are wrong, if that is the matter.
    pub violations: Vec<FieldViolation>,
    /// More facts, for `google.rpc.ErrorInfo`.
    pub metadata: Vec<(&'static str, String)>,
    /// When another try makes sense; the HTTP header `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// One line of the table: JSON-RPC code, HTTP status, HTTP status under JSON-RPC, gRPC status, reason.
type Row = (i32, StatusCode, StatusCode, GrpcCode, &'static str);

/// The table (A2A 1.0 §5.4, §9.5; JSON-RPC 2.0 §5.1). Nothing else in the gateway picks a code.
fn row(error: &EdgeError) -> Row {
    use GrpcCode as G;
    use StatusCode as S;
    match error {
        EdgeError::ContentType { .. } => (
            -32005,
            S::UNSUPPORTED_MEDIA_TYPE,
            S::UNSUPPORTED_MEDIA_TYPE,
            G::InvalidArgument,
            "CONTENT_TYPE_NOT_SUPPORTED",
        ),
        EdgeError::Core(core) => core_row(core),
        EdgeError::DeadlineExceeded => {
            (-32603, S::GATEWAY_TIMEOUT, S::OK, G::DeadlineExceeded, "DEADLINE_EXCEEDED")
        }
        EdgeError::ExtendedCardNotConfigured => {
            (-32007, S::BAD_REQUEST, S::OK, G::FailedPrecondition, "EXTENDED_AGENT_CARD_NOT_CONFIGURED")
        }
        EdgeError::ExtendedCardNotSupported => {
            (-32004, S::BAD_REQUEST, S::OK, G::FailedPrecondition, "UNSUPPORTED_OPERATION")
        }
        EdgeError::ExtensionRequired { .. } => {
            (-32008, S::BAD_REQUEST, S::OK, G::FailedPrecondition, "EXTENSION_SUPPORT_REQUIRED")
        }
        EdgeError::HttpVerb { .. } => {
            (-32601, S::METHOD_NOT_ALLOWED, S::METHOD_NOT_ALLOWED, G::Unimplemented, "METHOD_NOT_FOUND")
        }
        EdgeError::InvalidRequest(_) => {
            (-32600, S::BAD_REQUEST, S::OK, G::InvalidArgument, "INVALID_REQUEST")
        }
        EdgeError::Malformed(_) => (-32600, S::BAD_REQUEST, S::OK, G::InvalidArgument, "INVALID_REQUEST"),
        EdgeError::MethodNotFound(_) => (-32601, S::NOT_FOUND, S::OK, G::Unimplemented, "METHOD_NOT_FOUND"),
        EdgeError::NoSuchPath(_) => (-32601, S::NOT_FOUND, S::NOT_FOUND, G::NotFound, "METHOD_NOT_FOUND"),
        EdgeError::Parse(_) => (-32700, S::BAD_REQUEST, S::OK, G::InvalidArgument, "PARSE_ERROR"),
        EdgeError::PayloadTooLarge { .. } => {
            (-32600, S::PAYLOAD_TOO_LARGE, S::PAYLOAD_TOO_LARGE, G::ResourceExhausted, "PAYLOAD_TOO_LARGE")
        }
        EdgeError::VersionNotSupported { .. } => {
            (-32009, S::BAD_REQUEST, S::OK, G::FailedPrecondition, "VERSION_NOT_SUPPORTED")
        }
    }
}

fn core_row(error: &Error) -> Row {
    use GrpcCode as G;
    use StatusCode as S;
    match error {
        Error::Busy { .. } => {
            (-32603, S::TOO_MANY_REQUESTS, S::TOO_MANY_REQUESTS, G::ResourceExhausted, "RESOURCE_EXHAUSTED")
        }
        Error::ContentTypeNotSupported(_) => {
            (-32005, S::BAD_REQUEST, S::OK, G::InvalidArgument, "CONTENT_TYPE_NOT_SUPPORTED")
        }
        Error::Draining => {
            (-32603, S::SERVICE_UNAVAILABLE, S::SERVICE_UNAVAILABLE, G::Unavailable, "UNAVAILABLE")
        }
        Error::Internal(_) => (-32603, S::INTERNAL_SERVER_ERROR, S::OK, G::Internal, "INTERNAL_ERROR"),
        Error::InvalidParams(_) => (-32602, S::BAD_REQUEST, S::OK, G::InvalidArgument, "INVALID_PARAMS"),
        Error::PushNotSupported => {
            (-32003, S::BAD_REQUEST, S::OK, G::FailedPrecondition, "PUSH_NOTIFICATION_NOT_SUPPORTED")
        }
        Error::TaskNotCancelable { .. } => {
            (-32002, S::BAD_REQUEST, S::OK, G::FailedPrecondition, "TASK_NOT_CANCELABLE")
        }
        Error::TaskNotFound(_) => (-32001, S::NOT_FOUND, S::OK, G::NotFound, "TASK_NOT_FOUND"),
        Error::UnsupportedOperation(_) => {
            (-32004, S::BAD_REQUEST, S::OK, G::FailedPrecondition, "UNSUPPORTED_OPERATION")
        }
    }
}

impl From<EdgeError> for WireError {
    fn from(error: EdgeError) -> Self {
        let (code, status, rpc_status, grpc, reason) = row(&error);
        let message = error.to_string();
        let metadata = metadata(&error);
        let (violations, retry_after) = match error {
            EdgeError::Core(Error::InvalidParams(violations)) => (violations, None),
            EdgeError::Core(Error::Busy { retry_after, .. }) => (Vec::new(), Some(retry_after)),
            EdgeError::Core(Error::Draining) => (Vec::new(), Some(DRAINING_RETRY)),
            _ => (Vec::new(), None),
        };
        Self { code, status, rpc_status, grpc, reason, message, violations, metadata, retry_after }
    }
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        EdgeError::from(error).into()
    }
}

/// How soon a client may find another replica, or this one restarted.
const DRAINING_RETRY: Duration = Duration::from_secs(5);

fn metadata(error: &EdgeError) -> Vec<(&'static str, String)> {
    match error {
        EdgeError::Core(Error::TaskNotFound(id) | Error::TaskNotCancelable { id, .. }) => {
            vec![("taskId", id.to_string())]
        }
        EdgeError::ExtensionRequired { uri } => vec![("extension", uri.clone())],
        EdgeError::MethodNotFound(method) => vec![("method", method.clone())],
        EdgeError::PayloadTooLarge { limit } => vec![("limitBytes", limit.to_string())],
        EdgeError::VersionNotSupported { requested, supported } => {
            vec![("requestedVersion", requested.clone()), ("supportedVersion", (*supported).to_owned())]
        }
        _ => Vec::new(),
    }
}

impl WireError {
    /// `Retry-After` in whole seconds, at least one.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1))
    }

    /// Appends the details of A2A 1.0 §9.5 and §11.6: an array of `google.rpc.ErrorInfo`, and of
    /// `BadRequest` and `RetryInfo` where they apply.
    pub fn write_details(&self, buf: &mut Vec<u8>) {
        buf.push(b'[');
        let mut info = ObjectWriter::open(buf);
        info.str("@type", "type.googleapis.com/google.rpc.ErrorInfo");
        info.str("reason", self.reason);
        info.str("domain", ERROR_DOMAIN);
        let mut metadata = ObjectWriter::open(info.member("metadata"));
        for (name, value) in &self.metadata {
            metadata.str(name, value);
        }
        metadata.close();
        info.close();
        if !self.violations.is_empty() {
            buf.push(b',');
            let mut bad = ObjectWriter::open(buf);
            bad.str("@type", "type.googleapis.com/google.rpc.BadRequest");
            write_violations(bad.member("fieldViolations"), &self.violations);
            bad.close();
        }
        if let Some(seconds) = self.retry_after_seconds() {
            buf.push(b',');
            let mut retry = ObjectWriter::open(buf);
            retry.str("@type", "type.googleapis.com/google.rpc.RetryInfo");
            retry.str("retryDelay", &format!("{seconds}s"));
            retry.close();
        }
        buf.push(b']');
    }

    /// Appends the body of an HTTP+JSON error of A2A 1.0 (§11.6): `{"error":{"code","status","message","details":[…]}}`.
    pub fn write_http(&self, buf: &mut Vec<u8>) {
        let mut body = ObjectWriter::open(buf);
        let mut error = ObjectWriter::open(body.member("error"));
        error.number("code", self.status.as_u16());
        error.str("status", self.grpc.as_str());
        error.str("message", &self.message);
        self.write_details(error.member("details"));
        error.close();
        body.close();
    }

    /// Appends the JSON-RPC error object of A2A 1.0 and 0.3: `{"code","message","data":[…]}`.
    pub fn write_rpc(&self, buf: &mut Vec<u8>) {
        let mut error = ObjectWriter::open(buf);
        error.number("code", self.code);
        error.str("message", &self.message);
        self.write_details(error.member("data"));
        error.close();
    }
}

/// Appends `[{"field","description"}]`.
pub fn write_violations(buf: &mut Vec<u8>, violations: &[FieldViolation]) {
    write_list(buf, violations, |buf, violation| {
        let mut object = ObjectWriter::open(buf);
        object.str("field", &violation.field);
        object.str("description", &violation.description);
        object.close();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(error: EdgeError) -> String {
        let mut buf = Vec::new();
        WireError::from(error).write_rpc(&mut buf);
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn j17_j18_data_is_an_array_of_typed_details() {
        let not_found = rpc(Error::TaskNotFound("t".into()).into());
        let invalid = rpc(Error::invalid("message.parts", "at least one part is required").into());
        let busy = Error::Busy { what: "too many turns", retry_after: Duration::from_millis(1500) };
        insta::assert_snapshot!([not_found, invalid, rpc(busy.into())].join("\n"));
    }

    #[test]
    fn an_internal_error_keeps_its_detail_to_itself() {
        let error = WireError::from(Error::Internal("password=hunter2 at /srv/x.rs".to_owned()));
        assert_eq!(error.message, "internal error");
        assert!(error.metadata.is_empty());
    }

    #[test]
    fn j10_protocol_errors_travel_with_http_200() {
        assert_eq!(WireError::from(Error::TaskNotFound("t".into())).rpc_status, StatusCode::OK);
        let large = WireError::from(EdgeError::PayloadTooLarge { limit: 1 });
        assert_eq!(large.rpc_status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
