//! The calls beside a turn, answered as real servers did.

use std::sync::Arc;

use serde_json::json;
use serde_json::value::RawValue;
use wiremock::matchers::{body_json, body_string, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::dify::event::RunStatus;
use crate::dify::fixture;
use crate::dify::human_answer::FormAnswer;
use crate::dify::refusal::ClosedForm;
use crate::dify::request::{TurnBody, TurnKind};
use crate::dify::stored::MessageStatus;

fn recorded(name: &str) -> ResponseTemplate {
    let recording = fixture::recording(name);
    let is_stream = memchr::memmem::find(&recording.raw, b"text/event-stream").is_some();
    let kind = if is_stream { "text/event-stream; charset=utf-8" } else { "application/json" };
    ResponseTemplate::new(recording.status).set_body_raw(recording.body, kind)
}

fn token(text: &str) -> FormToken {
    FormToken::from(text.to_owned())
}

#[tokio::test]
async fn every_mode_is_begun_and_stopped_at_its_own_endpoints() {
    let chat = TurnKind::Chat { query: "hi", conversation_id: None, workflow_id: None };
    for (kind, begin, stop) in [
        (chat, "/v1/chat-messages", "/v1/chat-messages/t%2F1/stop"),
        (
            TurnKind::Completion { query: None },
            "/v1/completion-messages",
            "/v1/completion-messages/t%2F1/stop",
        ),
        (TurnKind::Workflow { workflow_id: None }, "/v1/workflows/run", "/v1/workflows/tasks/t%2F1/stop"),
        (
            TurnKind::Workflow { workflow_id: Some("../w") },
            "/v1/workflows/..%2Fw/run",
            "/v1/workflows/tasks/t%2F1/stop",
        ),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(move |request: &Request| request.url.path() == begin)
            .respond_with(recorded("1.14.2/workflow_ok"))
            .expect(1)
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .and(move |request: &Request| request.url.path() == stop)
            .and(body_json(json!({"user": "alice"})))
            .respond_with(recorded("1.14.2/workflow_stop"))
            .expect(1)
            .mount(&server)
            .await;
        let client = fixture::client(&server.uri());
        let turn = TurnBody::new("alice", kind);
        let mut events = client.begin(&turn).await.unwrap();
        assert!(events.chunk().await.unwrap().unwrap().starts_with(b"event: ping"));
        client.stop(turn.endpoint(), "t/1", "alice").await.unwrap();
    }
}

#[tokio::test]
async fn a_runs_events_are_asked_for_with_snapshot_and_over_pauses() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/workflow/r1/events"))
        .and(query_param("user", "alice"))
        .and(query_param("include_state_snapshot", "true"))
        .and(query_param("continue_on_pause", "true"))
        .respond_with(recorded("1.14.2/human_input_events_continue_on_pause"))
        .mount(&server)
        .await;
    Mock::given(path("/v1/workflow/r2/events"))
        .respond_with(recorded("1.14.2/human_input_events_other_user"))
        .mount(&server)
        .await;
    let client = fixture::client(&server.uri());
    let mut events = client.events("r1", "alice").await.unwrap();
    assert!(events.chunk().await.unwrap().unwrap().starts_with(b"event: ping"));
    match client.events("r2", "alice").await.unwrap_err() {
        Error::Refused(refusal) => assert!(refusal.is_unknown_run()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn runs_are_looked_up_and_may_be_unknown() {
    let server = MockServer::start().await;
    for (id, name) in [
        ("old", "0.15.3/workflow_run_detail"),
        ("new", "1.14.2/workflow_run_detail"),
        ("gone-old", "0.15.3/workflow_run_detail_unknown"),
        ("gone-new", "1.14.2/workflow_run_detail_unknown"),
        ("page", "1.14.2/error_404_path"),
    ] {
        Mock::given(path(format!("/v1/workflows/run/{id}")))
            .respond_with(recorded(name))
            .mount(&server)
            .await;
    }
    let client = fixture::client(&server.uri());
    for id in ["old", "new"] {
        assert_eq!(client.run_detail(id).await.unwrap().unwrap().status, RunStatus::Succeeded);
    }
    for id in ["gone-old", "gone-new"] {
        assert!(client.run_detail(id).await.unwrap().is_none(), "{id}");
    }
    // A version without the endpoint is not a lost run.
    assert!(client.run_detail("page").await.is_err());
}

#[tokio::test]
async fn a_message_is_looked_up_among_the_newest_of_its_conversation() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/messages"))
        .and(query_param("conversation_id", "c1"))
        .and(query_param("user", "alice"))
        .and(query_param("limit", "20"))
        .respond_with(recorded("1.14.2/chatflow_human_messages"))
        .mount(&server)
        .await;
    let client = fixture::client(&server.uri());
    let found = client.message("c1", "774ad664-e66b-431d-8750-5e77af84397e", "alice").await.unwrap().unwrap();
    assert_eq!(found.status, MessageStatus::Normal);
    assert!(client.message("c1", "other", "alice").await.unwrap().is_none());
}

#[tokio::test]
async fn questions_to_go_on_with_are_asked_for() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/messages/m1/suggested"))
        .and(query_param("user", "alice"))
        .respond_with(
            ResponseTemplate::new(200).set_body_string(r#"{"result":"success","data":["a?","b?"]}"#),
        )
        .mount(&server)
        .await;
    Mock::given(path("/v1/messages/m2/suggested"))
        .respond_with(recorded("1.14.2/suggested_questions_off"))
        .mount(&server)
        .await;
    let client = fixture::client(&server.uri());
    assert_eq!(client.suggested("m1", "alice").await.unwrap(), ["a?", "b?"]);
    assert!(matches!(client.suggested("m2", "alice").await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn a_form_is_read_and_answered() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/v1/form/human_input/tok"))
        .respond_with(recorded("1.14.2/human_input_form_get"))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/v1/form/human_input/tok"))
        .and(body_string(r#"{"inputs":{"comment":"fine by me"},"action":"approve","user":"alice"}"#))
        .respond_with(recorded("1.14.2/human_input_submit"))
        .expect(1)
        .mount(&server)
        .await;
    let client = fixture::client(&server.uri());
    let form = client.form(&token("tok")).await.unwrap();
    assert_eq!(form.text(), "Please approve: the budget\n\nComment: [comment: looks fine]");
    let comment = RawValue::from_string(r#""fine by me""#.to_owned()).unwrap();
    let answer: FormAnswer =
        form.read_data(Some("approve"), &[("comment".to_owned(), Arc::from(comment))]).unwrap();
    client.submit_form(&token("tok"), &answer.body("alice")).await.unwrap();
}

#[tokio::test]
async fn forms_may_be_closed_and_answers_may_not_fit() {
    let answer = FormAnswer { action: "approve".to_owned(), inputs: Vec::new() };
    for (name, closed, is_bad) in [
        ("human_input_submit_twice", Some(ClosedForm::Answered), false),
        ("human_input_timeout_submit_too_late", Some(ClosedForm::Expired), false),
        ("human_input_timeout_form_get", Some(ClosedForm::Expired), false),
        ("chatflow_human_timeout_submit_too_late", Some(ClosedForm::Expired), false),
        ("human_input_form_unknown", Some(ClosedForm::Unknown), false),
        ("human_input_form_get_wrong_app", Some(ClosedForm::Unknown), false),
        ("human_input_submit_bad_action", None, true),
        ("human_input_submit_missing_input", None, true),
        ("error_404_path", None, false),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/form/human_input/tok"))
            .respond_with(recorded(&format!("1.14.2/{name}")))
            .mount(&server)
            .await;
        let client = fixture::client(&server.uri());
        let refusals = [
            client.form(&token("tok")).await.unwrap_err(),
            client.submit_form(&token("tok"), &answer.body("alice")).await.unwrap_err(),
        ];
        for refusal in refusals {
            let Error::Refused(refusal) = refusal else { panic!("{name}: {refusal:?}") };
            assert_eq!((refusal.closed_form(), refusal.is_bad_answer()), (closed, is_bad), "{name}");
        }
    }
}
