//! What the conformance kits check of a task that waits for input, here of a task that is being worked on.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::support::client::{send, send_03};
use super::support::dify_frames::{message, message_end};
use super::support::{FakeDify, Gateway, Reply, Step};

/// A gateway before a Dify that says one word and waits for the gate before the next.
async fn at_work() -> (Gateway, FakeDify, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![
            Step::Send(message(received, "t", "one ")),
            Step::Wait(Arc::clone(&held)),
            Step::Send(message(received, "t", "two")),
            Step::Send(message_end(received, "t")),
        ])
    })
    .await;
    (Gateway::before(&dify, &[]).await, dify, gate)
}

/// A task that has begun and not ended.
async fn begun(gateway: &Gateway) -> String {
    let mut params = send("x", None);
    params["configuration"] = json!({"returnImmediately": true});
    let task = gateway.client.result("SendMessage", &params).await;
    let id = task["task"]["id"].as_str().expect("an id").to_owned();
    gateway.client.until(&id, "TASK_STATE_WORKING").await;
    id
}

fn follow_up(task: &str, context: Option<&str>) -> Value {
    let mut params = send("more", context);
    params["message"]["taskId"] = task.into();
    params
}

#[tokio::test]
async fn s05_s06_s17_x06_a_message_to_a_task_gets_the_error_of_its_case() {
    let (gateway, dify, gate) = at_work().await;
    let id = begun(&gateway).await;
    let code = async |params: &Value| gateway.client.error("SendMessage", params).await["code"].clone();
    assert_eq!(code(&follow_up(&id, None)).await, -32004, "being worked on");
    assert_eq!(code(&follow_up(&id, Some("another"))).await, -32602, "in another context");
    assert_eq!(code(&follow_up("none", None)).await, -32001, "unknown");
    gate.notify_one();
    gateway.client.until(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(code(&follow_up(&id, None)).await, -32004, "ended");
    assert_eq!(dify.chats().len(), 1, "none of them reached Dify");
}

#[tokio::test]
async fn g04_s08_history_is_what_was_sent_and_left_out_when_not_wanted() {
    let (gateway, _dify, gate) = at_work().await;
    gate.notify_one();
    let mut params = send("my words", None);
    params["configuration"] = json!({"historyLength": 0});
    let sent = gateway.client.result("SendMessage", &params).await;
    assert!(sent["task"].get("history").is_none(), "{sent}");
    let id = &sent["task"]["id"];
    for length in [None, Some(1), Some(5)] {
        let task = gateway.client.result("GetTask", &json!({"id": id, "historyLength": length})).await;
        let history = task["history"].as_array().expect("a history");
        assert_eq!(history.len(), 1, "{length:?}");
        assert_eq!(history[0]["parts"][0]["text"], "my words");
    }
    let none = gateway.client.result("GetTask", &json!({"id": id, "historyLength": 0})).await;
    assert!(none.get("history").is_none(), "{none}");
}

#[tokio::test]
async fn u01_u02_u06_a_subscriber_that_leaves_takes_nothing_from_the_others() {
    let (gateway, _dify, gate) = at_work().await;
    let id = begun(&gateway).await;
    let params = json!({ "id": id });
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = gateway.client.stream("SubscribeToTask", &params).await;
        let first = stream.next().await.expect("an event");
        assert_eq!(first.data["result"]["task"]["id"], id.as_str(), "the task comes first");
        streams.push(stream);
    }
    drop(streams.pop());
    gate.notify_one();
    let mut seen = Vec::new();
    for stream in streams {
        let events = stream.all().await;
        let last = &events.last().expect("an end").data["result"]["statusUpdate"]["status"]["state"];
        assert_eq!(last, "TASK_STATE_COMPLETED");
        seen.push(events.into_iter().map(|event| event.id).collect::<Vec<_>>());
    }
    assert_eq!(seen[0].last(), seen[1].last());
}

#[tokio::test]
async fn o04_a_task_of_0_3_that_is_not_waited_for_can_be_canceled() {
    let dify = FakeDify::chat(|received| {
        Reply::stream(vec![
            Step::Send(message(received, "t", "so far")),
            Step::WaitForStop("t".to_owned()),
            Step::Send(message_end(received, "t")),
        ])
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut params = send_03("x", None);
    params["configuration"] = json!({"blocking": false});
    let task = gateway.client.result("message/send", &params).await;
    assert!(["submitted", "working"].contains(&task["status"]["state"].as_str().expect("a state")), "{task}");
    let canceled = gateway.client.result("tasks/cancel", &json!({"id": task["id"]})).await;
    assert_eq!((&canceled["id"], &canceled["status"]["state"]), (&task["id"], &json!("canceled")));
}
