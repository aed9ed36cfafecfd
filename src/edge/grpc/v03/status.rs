//! Refusals of 0.3. The specification says nothing of them; code and text are what the official clients look for, and the
//! details are those of 1.0.

use tonic::Status;

use crate::edge::a2a_v03_http::class_name;
use crate::edge::error::{EdgeError, GrpcCode, WireError};
use crate::edge::grpc::status::detailed;

/// The status of a refusal: its text begins with the name of the error's class.
pub fn status(error: EdgeError) -> Status {
    let mut error = WireError::from(error);
    error.grpc = code(&error);
    error.message = format!("{}: {}", class_name(&error), error.message);
    detailed(error)
}

/// What is not offered has a code of its own, that of the official server of 0.3.
fn code(error: &WireError) -> GrpcCode {
    match error.code {
        -32003 | -32004 => GrpcCode::Unimplemented,
        _ => error.grpc,
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;
    use crate::core::error::Error;

    #[test]
    fn o07_o08_a_status_has_the_name_of_its_class_and_the_details_of_1_0() {
        for (error, code, text, reason) in [
            (
                Error::TaskNotFound("t".into()),
                Code::NotFound,
                "TaskNotFoundError: task not found: t",
                "TASK_NOT_FOUND",
            ),
            (
                Error::PushNotSupported,
                Code::Unimplemented,
                "PushNotificationNotSupportedError: ",
                "PUSH_NOTIFICATION_NOT_SUPPORTED",
            ),
            (
                Error::UnsupportedOperation("no".into()),
                Code::Unimplemented,
                "UnsupportedOperationError: ",
                "UNSUPPORTED_OPERATION",
            ),
            (
                Error::invalid("name", "is required"),
                Code::InvalidArgument,
                "InvalidParamsError: ",
                "INVALID_PARAMS",
            ),
            (Error::Draining, Code::Unavailable, "InternalError: ", "UNAVAILABLE"),
        ] {
            let status = status(error.into());
            assert_eq!(status.code(), code, "{status:?}");
            assert!(status.message().starts_with(text), "{status:?}");
            let info = status.get_details_error_info().unwrap();
            assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "a2a-protocol.org"));
        }
    }
}
