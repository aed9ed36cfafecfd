use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::StreamExt;
use http::StatusCode;
use serde_json::{Value, json};

use crate::demo::testing::{ORIGIN, call, events, get, instant, json_of, post, text};
use crate::demo::{App, KEY, Pace, Server, app};

fn chat(query: &str, conversation: Option<&str>) -> Value {
    json!({
        "inputs": {}, "query": query, "user": "alice", "response_mode": "streaming",
        "conversation_id": conversation,
    })
}

fn answer(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["answer"].as_str()).collect()
}

async fn say(app: &Router, query: &str, conversation: Option<&str>) -> (String, String) {
    let events = events(call(app, post("/v1/chat-messages", &chat(query, conversation))).await).await;
    (answer(&events), events[0]["conversation_id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_name_is_remembered_across_the_turns_of_one_conversation() {
    let app = instant(App::Chat);
    let (said, conversation) = say(&app, "My name is Alice", None).await;
    assert_eq!(said, "Nice to meet you, Alice.");
    let (said, same) = say(&app, "What is my name?", Some(&conversation)).await;
    assert_eq!((said.as_str(), &same), ("Your name is Alice.", &conversation));
    let (said, _) = say(&app, "What is my name?", None).await;
    assert_eq!(said, "You have not told me your name yet.");
}

#[tokio::test]
async fn a_stream_is_words_then_an_empty_piece_then_the_end() {
    let app = instant(App::Chat);
    let events = events(call(&app, post("/v1/chat-messages", &chat("My name is Alice", None))).await).await;
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "message", "message", "message", "message", "message", "message_end"]);
    assert_eq!(events[0]["answer"], "Nice ");
    assert_eq!(events[5]["answer"], "");
    let usage = &events[6]["metadata"]["usage"];
    assert_eq!((usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64()), (Some(4), Some(5)));
    assert_eq!(usage["total_price"], "0.0000140");
    assert!(events.iter().all(|event| event["task_id"] == events[0]["task_id"]));
}

#[tokio::test]
async fn long_thoughtful_and_failing_answers() {
    let app = instant(App::Chat);
    let (said, _) = say(&app, "a long answer", None).await;
    assert_eq!(said.split(' ').count(), 4_000);
    let (said, _) = say(&app, "think", None).await;
    assert!(said.starts_with("<think>\n") && said.ends_with("\n</think>\nDone thinking."), "{said}");
    let events = events(call(&app, post("/v1/chat-messages", &chat("fail", None))).await).await;
    let last = events.last().unwrap();
    assert_eq!(
        (last["event"].as_str(), last["code"].as_str()),
        (Some("error"), Some("completion_request_error"))
    );
    assert_eq!(last["status"], 400);
    assert_eq!(last.get("task_id"), None);
    assert_eq!(answer(&events), "This goes well until");
}

#[tokio::test]
async fn blocking_answers_come_in_one_piece() {
    let app = instant(App::Chat);
    let mut request = chat("My name is Alice", None);
    request.as_object_mut().unwrap().remove("response_mode");
    let body = json_of(call(&app, post("/v1/chat-messages", &request)).await).await;
    assert_eq!((body["event"].as_str(), body["mode"].as_str()), (Some("message"), Some("chat")));
    assert_eq!(body["answer"], "Nice to meet you, Alice.");
    assert_eq!(body["metadata"]["usage"]["completion_tokens"], 5);
    request["query"] = json!("fail");
    let response = call(&app, post("/v1/chat-messages", &request)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json_of(response).await["code"], "completion_request_error");
}

#[tokio::test(start_paused = true)]
async fn a_slow_answer_pings_and_stops_with_an_ordinary_end() {
    let app = app(App::Chat, Pace::default(), ORIGIN);
    let response = call(&app, post("/v1/chat-messages", &chat("slow please", None))).await;
    let mut frames = response.into_body().into_data_stream();
    let mut task = String::new();
    let mut pinged = false;
    while !pinged {
        let frame = frames.next().await.unwrap().unwrap();
        if frame == "event: ping\n\n" {
            pinged = true;
        } else {
            let event: Value = serde_json::from_slice(frame.strip_prefix(b"data: ").unwrap()).unwrap();
            task = event["task_id"].as_str().unwrap().to_owned();
        }
    }
    let path = format!("/v1/chat-messages/{task}/stop");
    let foreign = call(&app, post(&path, &json!({"user": "mallory"}))).await;
    assert_eq!(json_of(foreign).await, json!({"result": "success"}));
    assert!(String::from_utf8_lossy(&frames.next().await.unwrap().unwrap()).contains("word10 "));
    let own = call(&app, post(&path, &json!({"user": "alice"}))).await;
    assert_eq!(json_of(own).await, json!({"result": "success"}));
    let rest: Vec<_> = frames.map(|frame| frame.unwrap()).collect().await;
    assert_eq!(rest.len(), 1);
    let end: Value = serde_json::from_slice(rest[0].strip_prefix(b"data: ").unwrap()).unwrap();
    assert_eq!(end["event"], "message_end");
    assert_eq!(end["metadata"]["usage"]["total_price"], "0E-7");
    assert_eq!(end["metadata"]["usage"]["time_to_first_token"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn words_come_at_their_pace() {
    let app = app(App::Chat, Pace::default(), ORIGIN);
    let start = tokio::time::Instant::now();
    say(&app, "My name is Alice", None).await;
    assert_eq!(start.elapsed(), Duration::from_millis(180));
}

#[tokio::test]
async fn unknown_and_foreign_conversations_are_not_found() {
    let app = instant(App::Chat);
    let (_, conversation) = say(&app, "hello", None).await;
    let mut foreign = chat("hello", Some(&conversation));
    foreign["user"] = json!("mallory");
    let unknown = chat("hello", Some("5b0a1d1e-1111-4222-8333-444455556666"));
    for request in [foreign, unknown] {
        let response = call(&app, post("/v1/chat-messages", &request)).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(
            text(response).await,
            "{\"code\":\"not_found\",\"message\":\"Conversation Not Exists. You have requested this URI \
             [\\/v1\\/chat-messages] but did you mean \\/v1\\/chat-messages or \\/api\\/chat-messages or \
             \\/v1\\/chat-messages\\/<string:task_id>\\/stop ?\",\"status\":404}\n"
        );
    }
    let path = format!("/v1/messages?conversation_id={conversation}&user=mallory");
    assert_eq!(call(&app, get(&path)).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn requests_are_checked_in_the_order_of_dify() {
    let app = instant(App::Chat);
    let with = |name: &str, value: Value| {
        let mut body = chat("x", None);
        body[name] = value;
        body
    };
    let cases = [
        (with("user", Value::Null), "Arg user must be provided."),
        (with("query", json!("")), "query is required"),
        (with("query", json!(3)), "1 validation error for ChatRequestPayload\nquery\n"),
        (with("inputs", Value::Null), "1 validation error for ChatRequestPayload\ninputs\n"),
        (
            with("response_mode", json!("sometimes")),
            "1 validation error for ChatRequestPayload\nresponse_mode\n",
        ),
        (
            with("conversation_id", json!("no-uuid")),
            "1 validation error for ChatRequestPayload\nconversation_id\n",
        ),
        (json!({"user": "u"}), "2 validation errors for ChatRequestPayload\ninputs\n  Field required"),
    ];
    for (body, message) in cases {
        let response = call(&app, post("/v1/chat-messages", &body)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let error = json_of(response).await;
        assert_eq!(error["code"], "invalid_param");
        assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
    }
    let mut request = post("/v1/chat-messages", &chat("x", None));
    request.headers_mut().remove("content-type");
    assert_eq!(call(&app, request).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let mut request = post("/v1/chat-messages", &chat("x", None));
    *request.body_mut() = Body::from("{not json");
    assert_eq!(json_of(call(&app, request).await).await["code"], "bad_request");
}

#[tokio::test]
async fn keys_paths_and_methods_are_refused_like_dify_does() {
    let app = instant(App::Chat);
    for (sent, message) in [
        (None, "Authorization header must be provided and start with 'Bearer'"),
        (Some("Basic Zm9vOmJhcg=="), "Authorization scheme must be 'Bearer'"),
        (Some("Bearer app-wrong"), "Access token is invalid"),
    ] {
        let mut request = get("/v1/info");
        request.headers_mut().remove("authorization");
        if let Some(sent) = sent {
            request.headers_mut().insert("authorization", sent.parse().unwrap());
        }
        let response = call(&app, request).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"api\"");
        assert_eq!(response.headers()["x-version"], "1.14.2");
        assert_eq!(json_of(response).await["message"], message);
    }
    let response = call(&app, get("/v1/nothing-here")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["x-version"], "1.14.2");
    assert!(text(response).await.starts_with("<!doctype html>"));
    let response = call(&app, get("/v1/chat-messages")).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(json_of(response).await["code"], "method_not_allowed");
}

#[tokio::test]
async fn lists_have_pages() {
    let app = instant(App::Chat);
    let (_, conversation) = say(&app, "one", None).await;
    say(&app, "two", Some(&conversation)).await;
    say(&app, "fail three", Some(&conversation)).await;
    let (_, newest) = say(&app, "other", None).await;

    let path = format!("/v1/messages?user=alice&conversation_id={conversation}&limit=2");
    let page = json_of(call(&app, get(&path)).await).await;
    let queries: Vec<&str> =
        page["data"].as_array().unwrap().iter().map(|m| m["query"].as_str().unwrap()).collect();
    assert_eq!((queries.as_slice(), &page["has_more"]), (["two", "fail three"].as_slice(), &json!(true)));
    assert_eq!(page["data"][1]["status"], "error");
    let path = format!("{path}&first_id={}", page["data"][0]["id"].as_str().unwrap());
    let page = json_of(call(&app, get(&path)).await).await;
    assert_eq!((&page["data"][0]["query"], &page["has_more"]), (&json!("one"), &json!(false)));

    let page = json_of(call(&app, get("/v1/conversations?user=alice&limit=1")).await).await;
    assert_eq!((page["data"][0]["id"].as_str(), &page["has_more"]), (Some(newest.as_str()), &json!(true)));
    let path = format!("/v1/conversations?user=alice&last_id={newest}");
    let page = json_of(call(&app, get(&path)).await).await;
    assert_eq!(
        (page["data"][0]["id"].as_str(), &page["has_more"]),
        (Some(conversation.as_str()), &json!(false))
    );
}

#[tokio::test]
async fn the_app_describes_itself_over_a_real_socket() {
    let server = Server::start(App::Chat, Pace::instant()).await.unwrap();
    let fetch = async |path: &str| -> Value {
        let url = format!("{}{path}", server.base_url());
        let text =
            reqwest::Client::new().get(url).bearer_auth(KEY).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(fetch("/info").await["mode"], "chat");
    assert_eq!(fetch("/parameters").await["user_input_form"], json!([]));
    assert_eq!(fetch("/site").await["icon"], "🤖");
    server.stop().await;
}
