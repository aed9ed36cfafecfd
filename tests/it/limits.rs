//! Ceilings, repeats and endings: nothing is paid twice, nothing hangs, nothing is lost in a shutdown.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::streams::follow;
use super::support::client::send;
use super::support::dify_frames::{answer, message};
use super::support::{FakeDify, Gateway, Reply, Step};

#[tokio::test]
async fn s13_a_repeated_send_gets_the_task_it_began() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let params = send("pay once", None);
    let first = gateway.client.result("SendMessage", &params).await;
    let second = gateway.client.result("SendMessage", &params).await;
    assert_eq!(first["task"]["id"], second["task"]["id"]);
    let events = gateway.client.stream("SendStreamingMessage", &params).await.all().await;
    assert_eq!(events[0].data["result"]["task"]["id"], first["task"]["id"]);
    assert_eq!(follow(&events).0, "You said: pay once");
    assert_eq!(dify.chats().len(), 1);
    let mut other = params.clone();
    other["message"]["parts"][0]["text"] = json!("something else");
    gateway.client.result("SendMessage", &other).await;
    assert_eq!(dify.chats().len(), 2, "the same id with another content is another message");
}

#[tokio::test]
async fn idempotency_can_be_turned_off() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[("IDEMPOTENCY_WINDOW", "0")]).await;
    let params = send("twice", None);
    let first = gateway.client.result("SendMessage", &params).await;
    let second = gateway.client.result("SendMessage", &params).await;
    assert_ne!(first["task"]["id"], second["task"]["id"]);
}

#[tokio::test]
async fn n07_beyond_the_ceiling_a_caller_is_told_when_to_come_back() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![Step::Wait(Arc::clone(&held)), Step::Send(answer(received, "t", &["done"]))])
    })
    .await;
    let gateway = Gateway::before(&dify, &[("MAX_CONCURRENT_TURNS", "1")]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    stream.next().await.expect("the task");
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "SendMessage", "params": send("y", None)});
    let refused = gateway.client.post(&body).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let answer: serde_json::Value = refused.json().await.expect("JSON");
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(-32603)));
    assert!(answer["error"]["message"].as_str().expect("text").contains("busy"));
    gate.notify_one();
    assert_eq!(follow(&stream.all().await).0, "done");
}

#[tokio::test]
async fn n05_a_shutdown_ends_what_runs_cleanly_and_open_streams_hear_of_it() {
    let dify = FakeDify::until_stopped().await;
    let gateway = Gateway::before(&dify, &[("SHUTDOWN_GRACE", "100ms")]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let mut events = vec![stream.next().await.expect("the task")];
    events.push(stream.next().await.expect("working"));
    let (_, rest) = tokio::join!(gateway.shut_down(), stream.all());
    events.extend(rest);
    let (text, states) = follow(&events);
    assert_eq!((text.as_str(), states.last().map(String::as_str)), ("so far", Some("TASK_STATE_FAILED")));
    assert!(events.last().expect("an end").data.to_string().contains("gateway_shutdown"));
    assert_eq!(dify.stops().len(), 1, "the run is not left burning");
}

#[tokio::test]
async fn a_shutdown_lets_a_turn_end_within_the_grace() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![
            Step::Send(message(received, "run", "so far, ")),
            Step::Wait(Arc::clone(&held)),
            Step::Send(answer(received, "run", &["and done"])),
        ])
    })
    .await;
    let mut gateway = Gateway::before(&dify, &[("SHUTDOWN_GRACE", "20s")]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    stream.next().await.expect("the task");
    stream.next().await.expect("working");
    gateway.begin_shutdown();
    // The shutdown has begun when no new connection is taken.
    while tokio::net::TcpStream::connect(gateway.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.notify_one();
    let (text, states) = follow(&stream.all().await);
    assert_eq!(
        (text.as_str(), states.last().map(String::as_str)),
        ("so far, and done", Some("TASK_STATE_COMPLETED"))
    );
    gateway.shut_down().await;
}
