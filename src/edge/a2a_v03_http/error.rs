//! Errors of 0.3 over HTTP+JSON. The specification says neither what a body looks like nor which status an error has;
//! this body has what each of the official clients looks for, and the statuses are those of the official server.

use http::StatusCode;

use crate::edge::error::WireError;
use crate::edge::json::ObjectWriter;

/// Where the official Java client has its errors.
const JAVA_PACKAGE: &str = "io.a2a.spec";

/// Appends `{"code","message","type","error","data"}`: the JSON-RPC code for the JavaScript client, the name of the
/// error's class for the Python one and with its package for the Java one, which breaks off where there is none, and the
/// details of 1.0.
pub fn write(buf: &mut Vec<u8>, error: &WireError) {
    let mut body = ObjectWriter::open(buf);
    body.number("code", error.code);
    body.str("message", &error.message);
    body.str("type", class_name(error));
    body.str("error", &format!("{JAVA_PACKAGE}.{}", java_class_name(error)));
    error.write_details(body.member("data"));
    body.close();
}

/// The name that the class of an error has in the official kits.
pub fn class_name(error: &WireError) -> &'static str {
    match error.code {
        -32001 => "TaskNotFoundError",
        -32002 => "TaskNotCancelableError",
        -32003 => "PushNotificationNotSupportedError",
        -32004 => "UnsupportedOperationError",
        -32005 => "ContentTypeNotSupportedError",
        -32006 => "InvalidAgentResponseError",
        -32007 => "ExtendedAgentCardNotConfiguredError",
        -32008 => "ExtensionSupportRequiredError",
        -32009 => "VersionNotSupportedError",
        -32600 => "InvalidRequestError",
        -32601 => "MethodNotFoundError",
        -32602 => "InvalidParamsError",
        -32700 => "JSONParseError",
        _ => "InternalError",
    }
}

/// The same in Java, which has the name that 0.3 has for it (A2A 0.3 §8.2).
fn java_class_name(error: &WireError) -> &'static str {
    match error.code {
        -32007 => "AuthenticatedExtendedCardNotConfiguredError",
        _ => class_name(error),
    }
}

/// The HTTP status of an error. What is a matter of HTTP itself keeps its own.
pub fn status(error: &WireError) -> StatusCode {
    if error.rpc_status != StatusCode::OK {
        return error.rpc_status;
    }
    match error.code {
        -32001 | -32007 => StatusCode::NOT_FOUND,
        -32002 => StatusCode::CONFLICT,
        -32003 | -32004 => StatusCode::NOT_IMPLEMENTED,
        -32005 => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        -32006 => StatusCode::BAD_GATEWAY,
        -32602 => StatusCode::UNPROCESSABLE_ENTITY,
        _ => error.status,
    }
}
