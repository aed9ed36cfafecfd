//! Requests as Dify sees them, answers as the gateway sees them.

use wiremock::matchers::{body_json, header, header_exists, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::dify::request::Endpoint;

const KEY: &str = "app-0123456789abcdef";

fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        url: url.to_owned(),
        key: SecretString::from(KEY),
        connect_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(2),
    }
}

fn client(server: &MockServer) -> Client {
    Client::new(&settings(&server.uri())).unwrap()
}

#[test]
fn the_base_address_may_end_in_v1_or_not() {
    for (given, base) in [
        ("https://api.dify.ai/v1", "https://api.dify.ai/v1"),
        ("https://api.dify.ai/v1/", "https://api.dify.ai/v1"),
        ("https://api.dify.ai", "https://api.dify.ai/v1"),
        (" http://h:5001/ ", "http://h:5001/v1"),
        ("http://h/dify", "http://h/dify/v1"),
        ("http://h/dify/v1", "http://h/dify/v1"),
    ] {
        assert_eq!(base_url(given).unwrap().as_str(), base, "{given}");
    }
    for bad in ["", "dify.example", "ftp://h", "http://u:p@h", "http://h?x=1", "http://h#f", "mailto:a@b"] {
        assert!(base_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_key_shows_nowhere() {
    let settings = settings("http://h");
    let client = Client::new(&settings).unwrap();
    for shown in [format!("{settings:?}"), format!("{client:?}"), format!("{:?}", client.http)] {
        assert!(!shown.contains(KEY), "{shown}");
    }
    for bad in ["", "  ", "app-\n"] {
        let bad =
            ClientSettings { key: SecretString::from(format!("{bad}\u{7f}").as_str()), ..settings.clone() };
        assert!(matches!(Client::new(&bad), Err(SetupError::Key)));
    }
}

#[tokio::test]
async fn a_turn_is_asked_for_with_key_user_and_the_right_body() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat-messages"))
        .and(header("authorization", format!("Bearer {KEY}").as_str()))
        .and(header("accept-encoding", "identity"))
        .and(header_exists("user-agent"))
        .and(body_json(serde_json::json!({
            "inputs": {}, "query": "hi", "user": "alice", "response_mode": "streaming",
            "conversation_id": "c1", "auto_generate_name": false,
        })))
        .respond_with(ResponseTemplate::new(200).set_body_raw("event: ping\n\n", "text/event-stream"))
        .expect(1)
        .mount(&server)
        .await;
    let mut events = client(&server).begin(&TurnBody::chat("hi", "alice", Some("c1"))).await.unwrap();
    assert_eq!(events.chunk().await.unwrap().as_deref(), Some(&b"event: ping\n\n"[..]));
    assert_eq!(events.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_stop_names_the_task_safely_and_the_user() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(|request: &Request| request.url.path() == "/v1/chat-messages/a%2Fb%3F/stop")
        .and(body_json(serde_json::json!({"user": "alice"})))
        .respond_with(ResponseTemplate::new(200).set_body_raw(r#"{"result":"success"}"#, "application/json"))
        .expect(1)
        .mount(&server)
        .await;
    client(&server).stop(Endpoint::Chat, "a/b?", "alice").await.unwrap();
}

#[tokio::test]
async fn small_answers_come_with_the_version() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/messages"))
        .and(query_param("conversation_id", "c1"))
        .and(query_param("user", "alice & bob"))
        .and(query_param("limit", "1"))
        .respond_with(ResponseTemplate::new(200).insert_header("X-Version", "1.14.2").set_body_string("{}"))
        .mount(&server)
        .await;
    let answer = client(&server).messages("c1", "alice & bob").await.unwrap();
    assert_eq!((answer.version.as_deref(), answer.body.as_ref()), (Some("1.14.2"), &b"{}"[..]));
}

#[tokio::test]
async fn refusals_are_read_whatever_their_body_is() {
    let server = MockServer::start().await;
    let html = "<html>".to_owned() + &"x".repeat(200_000);
    Mock::given(path("/v1/info"))
        .respond_with(ResponseTemplate::new(502).set_body_raw(html, "text/html"))
        .mount(&server)
        .await;
    Mock::given(path("/v1/site"))
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/login"))
        .mount(&server)
        .await;
    Mock::given(path("/v1/parameters"))
        .respond_with(
            ResponseTemplate::new(400).set_body_string(r#"{"code":"app_unavailable","message":"no"}"#),
        )
        .mount(&server)
        .await;
    let client = client(&server);
    let refusal = |error| match error {
        Error::Refused(Refusal { status, code, .. }) => (status, code),
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(client.info().await.unwrap_err()), (502, None));
    assert_eq!(refusal(client.site().await.unwrap_err()), (302, None));
    assert_eq!(refusal(client.parameters().await.unwrap_err()), (400, Some("app_unavailable".to_owned())));
}

#[tokio::test]
async fn a_page_or_a_document_is_not_a_stream() {
    for kind in ["text/html; charset=utf-8", "application/json"] {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_raw("{}", kind))
            .mount(&server)
            .await;
        let error = client(&server).begin(&TurnBody::chat("hi", "u", None)).await.unwrap_err();
        assert!(matches!(error, Error::Strange(_)), "{error:?}");
        assert!(!error.is_safe_to_repeat());
    }
}

#[tokio::test]
async fn no_listener_is_a_connect_error_that_may_be_repeated() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::new(&settings(&url)).unwrap().info().await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    assert!(error.is_safe_to_repeat());
    let mut shown = format!("{error:?}");
    shown.push_str(&error.failure().message);
    assert!(!shown.contains("/v1/info"), "{shown}");
}

#[tokio::test]
async fn silence_is_a_timeout_that_may_not_be_repeated() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(60)))
        .mount(&server)
        .await;
    let impatient =
        Client::new(&ClientSettings { idle_timeout: Duration::from_millis(50), ..settings(&server.uri()) })
            .unwrap();
    let error = impatient.begin(&TurnBody::chat("hi", "u", None)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert!(!error.is_safe_to_repeat());
}
