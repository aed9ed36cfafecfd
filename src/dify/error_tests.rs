//! What errors mean for a turn.

use super::*;
use crate::dify::fixture;

fn refusal(name: &str) -> Refusal {
    let recording = fixture::recording(name);
    Refusal::read(recording.status, &recording.body)
}

#[test]
fn a_bad_key_is_told_neutrally_and_is_the_gateways_trouble() {
    for name in ["1.14.2/error_401_bad_token", "0.15.3/error_401_bad_token"] {
        let failure = Error::Refused(refusal(name)).failure();
        assert_eq!(failure.code, "dify_auth");
        assert_eq!((failure.retryable, failure.source), (false, FailureSource::Gateway));
        assert!(!failure.message.contains("token"), "{}", failure.message);
    }
    let html = Refusal::read(403, b"<html>forbidden</html>");
    assert_eq!(Error::Refused(html).failure().code, "dify_auth");
}

#[test]
fn a_lost_conversation_is_known_by_code_and_prefix() {
    for name in
        ["1.14.2/chat_error_404_unknown", "0.15.3/chat_error_404_unknown", "1.14.2/chat_error_404_other_user"]
    {
        assert!(refusal(name).is_lost_conversation(), "{name}");
    }
    assert!(
        Refusal::read(400, br#"{"code":"conversation_completed","message":"over"}"#).is_lost_conversation()
    );
    for name in ["1.14.2/error_404_path", "0.15.3/error_404_path", "1.14.2/error_400_no_query"] {
        assert!(!refusal(name).is_lost_conversation(), "{name}");
    }
}

#[test]
fn the_request_is_blamed_in_words_a_caller_can_use() {
    let failure = Error::Refused(refusal("1.14.2/error_400_no_query")).failure();
    assert_eq!(failure.code, "invalid_param");
    assert_eq!(failure.message, "Dify did not accept the request: query: Field required");
    assert_eq!(failure.source, FailureSource::Caller);
    let failure = Error::Refused(refusal("0.15.3/error_400_no_query")).failure();
    assert_eq!(
        failure.message,
        "Dify did not accept the request: Missing required parameter in the JSON body"
    );
    let failure = Error::Refused(refusal("1.14.2/chat_error_400_missing_input")).failure();
    assert_eq!(failure.message, "Dify did not accept the request: topic is required in input form");
}

#[test]
fn pages_of_proxies_are_not_shown() {
    for (status, code, retryable) in [
        (404, "upstream_not_found", false),
        (413, "upstream_too_large", false),
        (429, "rate_limited", true),
        (502, "upstream_unavailable", true),
        (504, "upstream_unavailable", true),
        (524, "upstream_unavailable", true),
        (500, "upstream_error", true),
        (302, "upstream_error", false),
    ] {
        let failure =
            Error::Refused(Refusal::read(status, b"<html><h1>nginx at 10.0.0.1</h1></html>")).failure();
        assert_eq!((failure.code.as_ref(), failure.retryable), (code, retryable), "{status}");
        assert!(!failure.message.contains("nginx"), "{status}");
    }
}

#[test]
fn the_two_kinds_of_429_differ() {
    let busy = Error::Refused(Refusal::read(
        429,
        br#"{"code":"too_many_requests","message":"Too many requests. Please try again later.","status":429}"#,
    ));
    assert!(busy.is_safe_to_repeat());
    assert!(busy.failure().retryable);
    let quota = Error::Refused(Refusal::read(
        429,
        br#"{"code":"rate_limit_error","message":"Workflow execution quota limit reached for tenant 123.","status":429}"#,
    ));
    assert!(!quota.is_safe_to_repeat());
    assert!(!quota.failure().retryable);
    assert!(!quota.failure().message.contains("123"));
}

#[test]
fn a_models_key_is_not_the_gateways() {
    let error = StreamError {
        code: Some("completion_request_error".into()),
        status: Some(400),
        message: "Incorrect API key provided".into(),
    };
    let failure = of_stream_error(&error);
    assert_eq!((failure.code.as_ref(), failure.source), ("completion_request_error", FailureSource::Dify));
    assert!(failure.message.contains("model provider"), "{}", failure.message);
    assert!(!failure.retryable);
}

#[test]
fn a_models_rate_limit_may_pass() {
    for message in [
        "fake rate limit reached",
        "[openai_api_compatible] Error: API request failed with status code 429: {\"error\": {}}",
        "fake upstream went away",
    ] {
        let error = StreamError {
            code: Some("completion_request_error".into()),
            status: Some(400),
            message: message.into(),
        };
        assert!(of_stream_error(&error).retryable, "{message}");
    }
    assert!(of_failed_run(Some("API request failed with status code 429")).retryable);
}

#[test]
fn an_error_event_without_a_code_still_has_one() {
    let error = StreamError { code: None, status: Some(500), message: "worker died".into() };
    let failure = of_stream_error(&error);
    assert_eq!((failure.code.as_ref(), failure.retryable), ("dify_error", true));
    assert_eq!(failure.message, "Dify could not do it: worker died");
    let odd = StreamError { code: Some("<b>".into()), status: None, message: "".into() };
    assert_eq!(of_stream_error(&odd).code, "dify_error");
}

#[test]
fn a_stop_of_somebody_else_names_its_reason_if_there_is_one() {
    assert_eq!(of_stopped_run(Some("Stopped by user.")).message, of_stopped_run(None).message);
    assert!(
        of_stopped_run(Some("App execution exceeded 1200 seconds"))
            .message
            .ends_with("exceeded 1200 seconds")
    );
}

#[test]
fn nothing_of_a_failed_request_shows_its_address() {
    let error = Error::Refused(Refusal::read(
        400,
        br#"{"code":"invalid_param","message":"cannot reach http://plugin_daemon:5002/x with Bearer sk-secret-1234"}"#,
    ));
    let message = error.failure().message;
    assert!(!message.contains("5002") && !message.contains("secret"), "{message}");
    assert_eq!(error.to_string(), "dify refused the request: http 400, code invalid_param");
}

#[test]
fn files_and_forms_that_dify_does_not_take_are_told_as_what_they_are() {
    for (name, code, source) in [
        ("error_413_file_too_large", "file_too_large", FailureSource::Caller),
        ("human_input_submit_bad_action", "invalid_form_data", FailureSource::Caller),
        ("human_input_submit_missing_input", "invalid_form_data", FailureSource::Caller),
        ("human_input_submit_twice", "human_input_form_submitted", FailureSource::Dify),
        ("human_input_timeout_submit_too_late", "human_input_form_expired", FailureSource::Dify),
        ("human_input_events_other_user", "run_not_found", FailureSource::Dify),
        ("workflow_run_detail_unknown", "run_not_found", FailureSource::Dify),
        ("human_input_form_unknown", "form_not_found", FailureSource::Dify),
        ("workflow_file_wrong_kind", "invalid_param", FailureSource::Caller),
        ("workflow_error_400_missing_input_blocking", "invalid_param", FailureSource::Caller),
    ] {
        let failure = Error::Refused(refusal(&format!("1.14.2/{name}"))).failure();
        assert_eq!(
            (failure.code.as_ref(), failure.source, failure.retryable),
            (code, source, false),
            "{name}"
        );
        assert!(!failure.message.contains("form_id"), "{}", failure.message);
    }
    for (status, code) in [
        (415, "unsupported_file_type"),
        (400, "file_extension_blocked"),
        (400, "too_many_files"),
        (400, "filename_not_exists_error"),
    ] {
        let body = format!(r#"{{"code":"{code}","message":"","status":{status}}}"#);
        let failure = Error::Refused(Refusal::read(status, body.as_bytes())).failure();
        assert_eq!((failure.code.as_ref(), failure.source), (code, FailureSource::Caller));
    }
    let unpublished = Refusal::read(400, br#"{"code":"invalid_param","message":"Workflow not published"}"#);
    assert_eq!(Error::Refused(unpublished).failure().source, FailureSource::Dify);
    let unpinned = Refusal::read(404, br#"{"code":"not_found","message":"Workflow not found with id: x"}"#);
    assert!(Error::Refused(unpinned).failure().message.contains("version"));
}

#[test]
fn a_missing_input_is_known_by_difys_words() {
    assert_eq!(missing_input("topic is required in input form"), Some("topic"));
    assert_eq!(missing_input("a b is required in input form"), Some("a b"));
    for other in ["", " is required in input form", "topic is required", "x in input form must be a file"] {
        assert_eq!(missing_input(other), None, "{other}");
    }
}
