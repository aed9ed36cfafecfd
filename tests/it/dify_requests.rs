//! What Dify is asked, matched request by request with wiremock: anything else gets no answer.

use serde_json::json;
use wiremock::matchers::{body_json, body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::support::Gateway;
use super::support::client::send;
use super::support::fake_dify::KEY;

fn frames(conversation: &str, answer: &str) -> String {
    let message = json!({"event": "message", "conversation_id": conversation, "message_id": "m", "created_at": 1,
        "task_id": "t", "id": "m", "answer": answer});
    let end = json!({"event": "message_end", "conversation_id": conversation, "message_id": "m", "created_at": 1,
        "task_id": "t", "id": "m", "metadata": {}});
    format!("data: {message}\n\ndata: {end}\n\n")
}

fn stream(body: String) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_raw(body, "text/event-stream; charset=utf-8")
        .append_header("X-Version", "1.14.2")
}

#[tokio::test]
async fn a_turn_is_one_streaming_request_with_exactly_these_fields() {
    let dify = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat-messages"))
        .and(header("authorization", format!("Bearer {KEY}").as_str()))
        .and(header("content-type", "application/json"))
        .and(body_json(json!({
            "inputs": {}, "query": "first line\n\nsecond part", "user": "alice", "response_mode": "streaming",
            "auto_generate_name": false, "trace_id": "message-1"
        })))
        .respond_with(stream(frames("5272a92a-bea6-44d1-aaaf-8dc7c8362176", "hello")))
        .expect(1)
        .mount(&dify)
        .await;
    Mock::given(method("POST"))
        .and(path("/v1/chat-messages"))
        .and(body_partial_json(json!({
            "query": "again", "user": "alice", "conversation_id": "5272a92a-bea6-44d1-aaaf-8dc7c8362176"
        })))
        .respond_with(stream(frames("5272a92a-bea6-44d1-aaaf-8dc7c8362176", "hello again")))
        .expect(1)
        .mount(&dify)
        .await;
    // With and without the trailing /v1, and with a slash, it is the same address.
    let gateway = Gateway::at(&format!("{}/", dify.uri()), &[]).await;
    let mut params = send("x", Some("alice"));
    params["message"]["messageId"] = "message-1".into();
    params["message"]["parts"] =
        json!([{"text": "first line"}, {"text": "second part", "mediaType": "text/markdown"}]);
    let task = gateway.client.result("SendMessage", &params).await;
    assert_eq!(task["task"]["artifacts"][0]["parts"][0]["text"], "hello");
    let task = gateway.client.send("again", Some("alice")).await;
    assert_eq!(task["artifacts"][0]["parts"][0]["text"], "hello again");
}

#[tokio::test]
async fn dify_user_decides_whom_dify_works_for() {
    for (policy, user) in
        [("auto", "the-context"), ("context", "the-context"), ("the-gateway", "the-gateway")]
    {
        let dify = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/v1/chat-messages"))
            .and(body_partial_json(json!({ "user": user })))
            .respond_with(stream(frames("c", "hello")))
            .expect(1)
            .mount(&dify)
            .await;
        let gateway = Gateway::at(&format!("{}/v1", dify.uri()), &[("DIFY_USER", policy)]).await;
        let task = gateway.client.send("x", Some("the-context")).await;
        assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{policy}");
    }
}

#[tokio::test]
async fn the_app_is_learned_from_reads_alone() {
    let dify = MockServer::start().await;
    for (endpoint, body) in [
        (
            "/v1/info",
            json!({"name": "Wire", "description": "Mocked.", "tags": ["t"], "mode": "advanced-chat"}),
        ),
        (
            "/v1/parameters",
            json!({"opening_statement": "Hi!", "suggested_questions": ["Why?"], "user_input_form": []}),
        ),
        ("/v1/site", json!({"title": "Wire", "icon_url": "https://example.com/icon.png"})),
    ] {
        Mock::given(method("GET"))
            .and(path(endpoint))
            .and(header("authorization", format!("Bearer {KEY}").as_str()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body).append_header("X-Version", "1.14.2"))
            .mount(&dify)
            .await;
    }
    let gateway = Gateway::at(&format!("{}/v1", dify.uri()), &[]).await;
    let card = gateway.client.http.get(format!("{}/.well-known/agent-card.json", gateway.client.base));
    let card: serde_json::Value = card.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&card["name"], &card["iconUrl"]), (&json!("Wire"), &json!("https://example.com/icon.png")));
    assert_eq!(
        (&card["skills"][0]["tags"], &card["skills"][0]["examples"]),
        (&json!(["t"]), &json!(["Why?"]))
    );
    let asked = dify.received_requests().await.expect("recorded");
    assert!(asked.iter().all(|request| request.method.as_str() == "GET"));
}

#[tokio::test]
async fn a_conversation_that_dify_silently_refuses_is_asked_about_and_begun_anew() {
    // Dify 1.13 to 1.15 answers such a request with a ping and then nothing at all.
    let dify = MockServer::start().await;
    let first = json!({"query": "one"});
    Mock::given(method("POST"))
        .and(path("/v1/chat-messages"))
        .and(body_partial_json(first))
        .respond_with(stream(frames("gone", "hello")))
        .mount(&dify)
        .await;
    Mock::given(method("POST"))
        .and(path("/v1/chat-messages"))
        .and(body_partial_json(json!({"query": "two", "conversation_id": "gone"})))
        .respond_with(stream("event: ping\n\n".to_owned()).set_delay(std::time::Duration::from_secs(30)))
        .mount(&dify)
        .await;
    Mock::given(method("GET"))
        .and(path("/v1/messages"))
        .and(query_param("conversation_id", "gone"))
        .and(query_param("user", "c"))
        .respond_with(ResponseTemplate::new(404).set_body_json(
            json!({"code": "not_found", "message": "Conversation Not Exists.", "status": 404}),
        ))
        .expect(1)
        .mount(&dify)
        .await;
    Mock::given(method("POST")).and(path("/v1/chat-messages")).and(body_json(json!({
            "inputs": {}, "query": "two", "user": "c", "response_mode": "streaming", "auto_generate_name": false,
            "trace_id": "message-2"
        })))
        .respond_with(stream(frames("new", "hello anew"))).expect(1).mount(&dify).await;
    let gateway = Gateway::at(&format!("{}/v1", dify.uri()), &[("DIFY_FIRST_EVENT_TIMEOUT", "1s")]).await;
    gateway.client.send("one", Some("c")).await;
    let mut params = send("two", Some("c"));
    params["message"]["messageId"] = "message-2".into();
    let task = &gateway.client.result("SendMessage", &params).await["task"];
    assert_eq!(task["artifacts"][0]["parts"][0]["text"], "hello anew", "{task}");
    assert!(task.to_string().contains("\"conversationRestarted\":true"));
}
