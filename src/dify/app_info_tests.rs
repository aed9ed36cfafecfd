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
    assert_eq!(app.about.name.as_deref(), Some("chatflow_echo"));
    assert_eq!(app.about.description.as_deref(), Some("Answers with what you said. No model."));
    assert_eq!(app.about.icon_url, None);
    assert_eq!(app.about.opening_statement.as_deref(), Some("Hello! Ask me anything."));
    assert_eq!(app.about.suggested_questions, ["What can you do?", "Tell me a joke"]);
}

#[tokio::test]
async fn parameters_that_cannot_be_had_take_nothing_from_the_rest() {
    for status in [404, 500] {
        let (server, client) = dify("1.14.2", &[("info", "info_chatflow_echo")]).await;
        let refusal = r#"{"code":"not_found","message":"x","status":404}"#;
        let answer = ResponseTemplate::new(status).set_body_raw(refusal, "application/json");
        Mock::given(path("/v1/parameters")).respond_with(answer).mount(&server).await;
        let app = AppInfo::detect(&client).await.unwrap();
        assert_eq!((&app.mode, app.about.name.as_deref()), (&AppMode::AdvancedChat, Some("chatflow_echo")));
        assert!(!app.has_parameters && app.upload.is_none());

        let about = About {
            name: Some("old".to_owned()),
            suggested_questions: vec!["q".to_owned()],
            ..About::default()
        };
        let known =
            AppInfo { has_parameters: true, upload: Some(FileRules::default()), about, ..app.clone() };
        let kept = app.clone().keeping(&known);
        assert!(kept.upload.is_some());
        assert_eq!(
            (kept.about.name.as_deref(), kept.about.suggested_questions.len()),
            (Some("chatflow_echo"), 1)
        );
        let other = AppInfo { mode: AppMode::Chat, ..known.clone() };
        assert!(app.clone().keeping(&other).upload.is_none());
        let changed = AppInfo { has_parameters: true, ..app };
        assert!(changed.keeping(&known).upload.is_none());
    }
}

#[tokio::test]
async fn inputs_files_limits_and_features_are_seen() {
    let answers = [("info", "info_chatflow_echo"), ("parameters", "parameters_chatflow_inputs")];
    let (_server, client) = dify("1.14.2", &answers).await;
    let app = AppInfo::detect(&client).await.unwrap();
    let inputs: Vec<&str> = app.form.fields.iter().map(|field| field.variable.as_str()).collect();
    assert_eq!(inputs, ["topic", "tone", "words", "notes"]);
    assert_eq!((app.upload, app.limits), (None, Limits::default()));
    assert!(app.features.retriever_resource && !app.features.speech_to_text);
    assert_eq!(app.problems, [""; 0]);

    let answers = [("info", "info_chatflow_echo"), ("parameters", "parameters_chatflow_echo")];
    let (_server, client) = dify("1.14.2", &answers).await;
    let upload = AppInfo::detect(&client).await.unwrap().upload.unwrap();
    assert_eq!((upload.types.len(), upload.max_count), (5, Some(5)));
    assert_eq!(upload.extensions, ["txt", "json", "bin"]);

    let answers = [("info", "info_agent_fc"), ("parameters", "parameters_agent_fc")];
    let (_server, client) = dify("1.14.2", &answers).await;
    let upload = AppInfo::detect(&client).await.unwrap().upload.unwrap();
    assert_eq!((upload.describe().as_str(), upload.max_count), ("image", Some(3)));
}

#[test]
fn modes_know_which_family_they_are_of() {
    for (name, talks, graph) in [
        ("chat", true, false),
        ("agent-chat", true, false),
        ("agent", true, false),
        ("advanced-chat", true, true),
        ("completion", false, false),
        ("workflow", false, true),
    ] {
        let mode = AppMode::from_name(name);
        assert_eq!(
            (mode.has_conversation(), mode.is_graph(), mode.problem()),
            (talks, graph, None),
            "{name}"
        );
    }
    assert!(AppMode::from_name("robot").problem().unwrap().contains("\"robot\""));
}

#[test]
fn versions_are_compared_by_their_numbers() {
    let version = |text: &str| Version::parse(text);
    assert!(version("1.9.2") < version("1.14.0"));
    assert_eq!(version("v1.0.0-beta.1"), Some(Version { major: 1, minor: 0, patch: 0 }));
    assert_eq!(version("2"), Some(Version { major: 2, minor: 0, patch: 0 }));
    for bad in ["", "main", "1.x", "-1", "1.2.3000000000000"] {
        assert_eq!(version(bad), None, "{bad}");
    }
    assert!(
        version("0.15.3").unwrap().keeps_first_inputs() && !version("1.0.0").unwrap().keeps_first_inputs()
    );
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
        assert!(app.problems.is_empty(), "{:?}", app.problems);
    }
}

#[tokio::test]
async fn a_workflow_app_of_today_is_served() {
    let answers = [("info", "info_workflow_ok"), ("parameters", "parameters_workflow_ok")];
    let (_server, client) = dify("1.14.2", &answers).await;
    let app = AppInfo::detect(&client).await.unwrap();
    assert_eq!((app.mode, app.problems.len(), app.form.fields.len()), (AppMode::Workflow, 0, 2));
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
    assert_eq!(app.about.icon_url.as_deref(), Some("https://h/icon.png"));
}
