//! Detection against recorded answers of both generations of Dify.

use std::time::Duration;

use secrecy::SecretString;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::dify::client::ClientSettings;
use crate::dify::fixture;

/// A server that gives recorded answers: `(endpoint, recording)`. Other endpoints get a page with 404.
async fn dify(version: &str, answers: &[(&str, &str)]) -> (MockServer, Client) {
    let server = MockServer::start().await;
    for (endpoint, name) in answers {
        let recording = fixture::recording(&format!("{version}/{name}"));
        let kind = if recording.body.starts_with(b"{") { "application/json" } else { "text/html" };
        let answer = ResponseTemplate::new(recording.status)
            .insert_header("X-Version", version)
            .set_body_raw(recording.body, kind);
        Mock::given(path(format!("/v1/{endpoint}"))).respond_with(answer).mount(&server).await;
    }
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(404).set_body_raw("<!doctype html>", "text/html"))
        .with_priority(200)
        .mount(&server)
        .await;
    let client = Client::new(&ClientSettings {
        url: server.uri(),
        key: SecretString::from("app-test"),
        connect_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(2),
    })
    .unwrap();
    (server, client)
}

#[tokio::test]
async fn a_chatflow_of_today_tells_everything() {
    let answers = [
        ("info", "info_chatflow_echo"),
        ("parameters", "parameters_chatflow_echo"),
        ("site", "site_chatflow"),
    ];
    let (_server, client) = dify("1.14.2", &answers).await;
    let app = AppInfo::detect(&client).await.unwrap();
    assert_eq!((app.mode, app.version.as_deref()), (AppMode::AdvancedChat, Some("1.14.2")));
    assert!(app.problems.is_empty());
    assert_eq!(app.profile.name.as_deref(), Some("chatflow_echo"));
    assert_eq!(app.profile.description.as_deref(), Some("Answers with what you said. No model."));
    assert_eq!(app.profile.icon_url, None);
    assert_eq!(app.profile.opening_statement.as_deref(), Some("Hello! Ask me anything."));
    assert_eq!(app.profile.suggested_questions, ["What can you do?", "Tell me a joke"]);
}

#[tokio::test]
async fn parameters_that_cannot_be_had_take_nothing_from_the_rest() {
    for status in [404, 500] {
        let (server, client) = dify("1.14.2", &[("info", "info_chatflow_echo")]).await;
        let refusal = r#"{"code":"not_found","message":"x","status":404}"#;
        let answer = ResponseTemplate::new(status).set_body_raw(refusal, "application/json");
        Mock::given(path("/v1/parameters")).respond_with(answer).mount(&server).await;
        let app = AppInfo::detect(&client).await.unwrap();
        assert_eq!((app.mode, app.profile.name.as_deref()), (AppMode::AdvancedChat, Some("chatflow_echo")));
    }
}

#[tokio::test]
async fn inputs_are_seen_and_required_ones_are_a_problem() {
    let answers = [("info", "info_chatflow_echo"), ("parameters", "parameters_chatflow_inputs")];
    let (_server, client) = dify("1.14.2", &answers).await;
    let app = AppInfo::detect(&client).await.unwrap();
    let inputs: Vec<_> = app.inputs.iter().map(|input| (input.name.as_str(), input.kind.as_str())).collect();
    let expected = [("topic", "text-input"), ("tone", "select"), ("words", "number"), ("notes", "paragraph")];
    assert_eq!(inputs, expected);
    assert!(app.inputs[0].required && !app.inputs[1].required);
    assert_eq!(app.problems.len(), 1);
    assert!(app.problems[0].contains("(topic)"), "{:?}", app.problems);
}

#[tokio::test]
async fn an_agent_and_a_chatbot_are_told_apart() {
    for (info, mode) in [("info_agent_fc", AppMode::AgentChat), ("info_chat_basic", AppMode::Chat)] {
        let (_server, client) =
            dify("1.14.2", &[("info", info), ("parameters", "parameters_agent_fc")]).await;
        assert_eq!(AppInfo::detect(&client).await.unwrap().mode, mode);
    }
}

#[tokio::test]
async fn an_old_chat_app_is_found_by_its_conversations() {
    let answers = [
        ("info", "info_chatflow_echo"),
        ("parameters", "parameters_chatflow_echo"),
        ("site", "site_chatflow"),
        ("conversations", "conversations_list"),
    ];
    let (_server, client) = dify("0.15.3", &answers).await;
    let app = AppInfo::detect(&client).await.unwrap();
    assert_eq!((app.mode, app.version.as_deref()), (AppMode::ChatFamily, Some("0.15.3")));
    assert!(app.problems.is_empty());
}

#[tokio::test]
async fn an_old_workflow_or_completion_app_is_found_by_what_refuses() {
    for (run, mode) in
        [("workflow_run_detail_unknown", AppMode::Workflow), ("workflow_error_chat_app", AppMode::Completion)]
    {
        let run_endpoint = "workflows/run/00000000-0000-0000-0000-000000000000";
        let answers = [
            ("info", "info_workflow_ok"),
            ("parameters", "parameters_workflow_ok"),
            ("conversations", "error_400_workflow_app_on_chat"),
            (run_endpoint, run),
        ];
        let (_server, client) = dify("0.15.3", &answers).await;
        let app = AppInfo::detect(&client).await.unwrap();
        assert_eq!(app.mode, mode);
        assert!(app.problems.iter().any(|problem| problem.contains("serves chat apps only")));
    }
}

#[tokio::test]
async fn a_workflow_app_of_today_is_a_problem_not_an_error() {
    let answers = [("info", "info_workflow_ok"), ("parameters", "parameters_workflow_ok")];
    let (_server, client) = dify("1.14.2", &answers).await;
    let app = AppInfo::detect(&client).await.unwrap();
    assert_eq!(app.mode, AppMode::Workflow);
    assert_eq!(app.problems.len(), 1);
}

#[tokio::test]
async fn a_key_that_is_refused_is_an_error() {
    let (_server, client) = dify("1.14.2", &[("info", "error_401_bad_token")]).await;
    let error = AppInfo::detect(&client).await.unwrap_err();
    assert_eq!(error.failure().code, "dify_auth");
}

#[tokio::test]
async fn a_server_that_is_not_dify_leaves_the_mode_open() {
    let (_server, client) = dify("1.14.2", &[]).await;
    let app = AppInfo::detect(&client).await.unwrap();
    assert_eq!((app.mode, app.problems.len()), (AppMode::Unknown, 1));
}

#[tokio::test]
async fn an_unpublished_app_and_a_real_icon_are_seen() {
    let (server, client) = dify("1.14.2", &[("info", "info_chat_basic")]).await;
    let unpublished = r#"{"code":"app_unavailable","message":"App unavailable","status":400}"#;
    Mock::given(path("/v1/parameters"))
        .respond_with(ResponseTemplate::new(400).set_body_string(unpublished))
        .mount(&server)
        .await;
    Mock::given(path("/v1/site"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_string(r#"{"icon_url":"https://h/icon.png","description":"d"}"#),
        )
        .mount(&server)
        .await;
    let app = AppInfo::detect(&client).await.unwrap();
    assert!(app.problems.iter().any(|problem| problem.contains("publish")));
    assert_eq!(app.profile.icon_url.as_deref(), Some("https://h/icon.png"));
}
