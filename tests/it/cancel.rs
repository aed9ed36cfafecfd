//! Cancel reaches Dify, ends the task once, and keeps what was said.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::streams::follow;
use super::support::client::{send, send_03};
use super::support::dify_frames::{message, message_end, ping};
use super::support::{FakeDify, Gateway, Reply, Step};

/// A Dify that says one word and goes on only when stopped, as Dify does: with an ordinary end.
async fn held() -> FakeDify {
    FakeDify::chat(|received| {
        let task = format!("run-{}", received.user());
        Reply::stream(vec![
            Step::Send(message(received, &task, "so far")),
            Step::WaitForStop(task.clone()),
            Step::Send(message_end(received, &task)),
        ])
    })
    .await
}

#[tokio::test]
async fn k01_to_k03_and_k05_to_k07_a_cancel_stops_dify_and_every_stream_ends_with_it() {
    let dify = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", Some("alice"))).await;
    let mut events = vec![stream.next().await.expect("the task")];
    let id = events[0].data["result"]["task"]["id"].clone();
    while !events.iter().any(|event| event.data["result"].get("artifactUpdate").is_some()) {
        events.push(stream.next().await.expect("the first word"));
    }
    let task = gateway.client.result("CancelTask", &json!({"id": id})).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_CANCELED");
    assert_eq!(task["artifacts"][0]["parts"][0]["text"], "so far");
    assert!(task.to_string().contains("\"stopConfirmed\":true"), "{task}");
    events.extend(stream.all().await);
    let (text, states) = follow(&events);
    assert_eq!((text.as_str(), states.last().map(String::as_str)), ("so far", Some("TASK_STATE_CANCELED")));
    let stops = dify.stops();
    assert_eq!((stops.len(), stops[0].path.as_str()), (1, "/v1/chat-messages/run-alice/stop"));
    assert_eq!(stops[0].user(), "alice", "the user of the turn");

    let again = gateway.client.error("CancelTask", &json!({"id": id})).await;
    assert_eq!(again["code"], -32002);
    let unknown = gateway.client.error("CancelTask", &json!({"id": "none"})).await;
    assert_eq!(unknown["code"], -32001);
}

#[tokio::test]
async fn a_cancel_from_another_dialect_works_as_well() {
    let dify = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for (method, params) in [("tasks/cancel", "id"), ("tasks/cancel", "taskId")] {
        let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
        let id = stream.next().await.expect("the task").data["result"]["task"]["id"].clone();
        stream.next().await.expect("a sign of work");
        let task = gateway.client.result(method, &json!({ params: id })).await;
        assert!(task.to_string().contains("canceled"), "{task}");
    }
}

#[tokio::test]
async fn a_queued_task_is_canceled_without_dify() {
    let dify = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut first = gateway.client.stream("message/stream", &send_03("x", Some("c"))).await;
    let running = first.next().await.expect("the task").data["result"]["id"].clone();
    let mut params = send("y", Some("c"));
    params["configuration"] = json!({"returnImmediately": true});
    let queued = gateway.client.result("SendMessage", &params).await["task"]["id"].clone();
    let task = gateway.client.result("CancelTask", &json!({"id": queued})).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_CANCELED");
    assert!(dify.stops().is_empty());
    // A sign of work first, so that the stop has something to name.
    first.next().await.expect("working");
    gateway.client.result("tasks/cancel", &json!({"id": running})).await;
    assert_eq!(dify.chats().len(), 1);
}

#[tokio::test]
async fn a_stop_that_dify_does_not_confirm_says_so() {
    let dify = FakeDify::chat(|received| {
        Reply::stream(vec![Step::Send(message(received, "run", "so far")), Step::Hang])
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let id = stream.next().await.expect("the task").data["result"]["task"]["id"].clone();
    stream.next().await.expect("working");
    let task = gateway.client.result("CancelTask", &json!({"id": id})).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_CANCELED");
    assert!(task.to_string().contains("\"stopConfirmed\":false"), "{task}");
}

#[tokio::test]
async fn a_cancel_before_dify_has_begun_waits_for_the_handle_and_uses_it() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![
            Step::Send(ping()),
            Step::Wait(Arc::clone(&held)),
            Step::Send(message(received, "run", "too late")),
            Step::WaitForStop("run".to_owned()),
            Step::Send(message_end(received, "run")),
        ])
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut params = send("x", None);
    params["configuration"] = json!({"returnImmediately": true});
    let id = gateway.client.result("SendMessage", &params).await["task"]["id"].clone();
    while dify.chats().is_empty() {
        tokio::task::yield_now().await;
    }
    let cancel = json!({"id": id});
    let canceling = gateway.client.result("CancelTask", &cancel);
    let releasing = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
    };
    let (task, ()) = tokio::join!(canceling, releasing);
    assert_eq!(task["status"]["state"], "TASK_STATE_CANCELED");
    assert_eq!(dify.stops().len(), 1);
}
