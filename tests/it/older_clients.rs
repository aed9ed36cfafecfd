//! Clients of A2A 0.3: what they send and what they can read.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::support::client::{send, send_03};
use super::support::dify_frames::{message, message_end};
use super::support::say::say_03;
use super::support::{App, FakeDify, Gateway, Reply, Step, bytes};

const OURS: &str = "urn:dify-a2a-gateway:extension:dify:v1";

/// A Dify that says one word and waits for the gate before the next.
async fn gated() -> (FakeDify, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![
            Step::Send(message(received, "t", "one ")),
            Step::Wait(Arc::clone(&held)),
            Step::Send(message(received, "t", "two")),
            Step::Send(message_end(received, "t")),
        ])
    });
    (dify.await, gate)
}

#[tokio::test]
async fn o03_a_history_length_of_zero_is_all_of_it_and_another_is_a_limit() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let text = |text: &str| json!([{"kind": "text", "text": text}]);
    let task = gateway.client.result("message/send", &say_03(None, text("a story"))).await;
    assert_eq!(task["status"]["state"], "input-required");
    let done = gateway.client.result("message/send", &say_03(Some(&task), text("dogs"))).await;
    assert_eq!((&done["id"], &done["status"]["state"]), (&task["id"], &json!("completed")));
    for (length, count) in [(None, 3), (Some(0), 3), (Some(1), 1), (Some(2), 2), (Some(9), 3)] {
        let read =
            gateway.client.result("tasks/get", &json!({"id": done["id"], "historyLength": length})).await;
        let history = read["history"].as_array().expect("a history");
        assert_eq!(history.len(), count, "{length:?}");
        assert_eq!(history[count - 1]["parts"], text("dogs"), "{length:?}: the newest stays");
        assert!(history.iter().all(|message| message["kind"] == "message"));
    }
}

#[tokio::test]
async fn o04_an_ended_task_cannot_be_canceled() {
    let (dify, gate) = gated().await;
    let gateway = Gateway::before(&dify, &[]).await;
    gate.notify_one();
    let task = gateway.client.result("message/send", &send_03("x", None)).await;
    assert_eq!(task["status"]["state"], "completed");
    let error = gateway.client.error("tasks/cancel", &json!({"id": task["id"]})).await;
    assert_eq!(error["code"], -32002);
    let unknown = gateway.client.error("tasks/cancel", &json!({"id": "none"})).await;
    assert_eq!(unknown["code"], -32001);
    assert_eq!(
        gateway.client.result("tasks/get", &json!({"id": task["id"]})).await["status"]["state"],
        "completed"
    );
}

#[tokio::test]
async fn o06_o12_a_task_at_work_is_followed_again() {
    let (dify, gate) = gated().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut first = gateway.client.stream("message/stream", &send_03("x", None)).await;
    let id = first.next().await.expect("the task").data["result"]["id"].clone();
    while first.next().await.expect("a word").data["result"]["kind"] != "artifact-update" {}
    drop(first);
    let mut again = gateway.client.stream("tasks/resubscribe", &json!({"id": id})).await;
    assert_eq!(again.response.headers()["content-type"], "text/event-stream");
    let mut events = vec![again.next().await.expect("the task")];
    assert_eq!(events[0].data["result"]["artifacts"][0]["parts"][0]["text"], "one ");
    gate.notify_one();
    events.extend(again.all().await);
    let results: Vec<&Value> = events.iter().map(|event| &event.data["result"]).collect();
    let kinds: Vec<&str> = results.iter().map(|result| result["kind"].as_str().expect("a kind")).collect();
    assert_eq!((kinds[0], kinds.iter().filter(|kind| **kind == "task").count()), ("task", 1), "{kinds:?}");
    let last = results[results.len() - 1];
    assert_eq!((&last["final"], &last["status"]["state"]), (&json!(true), &json!("completed")));
    assert!(results[..results.len() - 1].iter().all(|result| result["final"] != true));
}

/// Exactly what a client of 0.3 has to send, and no more.
#[tokio::test]
async fn o14_json_goes_both_ways_and_no_version_is_needed() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let head = "Content-Type: application/json\r\nConnection: close\r\n";
    for (method, params, content_type) in [
        ("message/send", send_03("x", None), "application/json"),
        ("message/stream", send_03("x", None), "text/event-stream"),
        ("tasks/get", json!({"id": "none"}), "application/json"),
        ("no/such", json!({}), "application/json"),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": "1", "method": method, "params": params}).to_string();
        let answer = bytes::exchange(gateway.addr, &bytes::post("/a2a", head, &body)).await;
        assert_eq!(answer.status, 200, "{method}");
        assert!(answer.head.contains(&format!("content-type: {content_type}")), "{method}: {}", answer.head);
        assert!(answer.body.contains("\"jsonrpc\":\"2.0\""), "{method}: {}", answer.body);
    }
}

/// As the SDKs of 1.0 speak to an interface of 0.3: the version says so, and extensions come under both names.
#[tokio::test]
async fn o15_clients_of_1_0_are_served_at_an_interface_of_0_3() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let card = gateway.client.http.get(format!("{}/.well-known/agent-card.json", gateway.client.base));
    let card: Value = card.send().await.expect("an answer").json().await.expect("JSON");
    let interfaces = card["supportedInterfaces"].as_array().expect("interfaces");
    let is_old = |it: &&Value| it["protocolVersion"] == "0.3" && it["protocolBinding"] == "JSONRPC";
    let url = interfaces.iter().find(is_old).expect("an interface of 0.3")["url"].as_str().expect("a URL");
    let call = async |method: &str, params: &Value| {
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let request = gateway.client.http.post(url).json(&body).header("A2A-Version", "0.3");
        let request = request.header("A2A-Extensions", OURS).header("X-A2A-Extensions", OURS);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["x-a2a-extensions"], OURS, "in the header of 0.3");
        response.text().await.expect("a body")
    };
    let mut params = send_03("hello", None);
    params["configuration"] = json!({"acceptedOutputModes": [], "blocking": true});
    let sent: Value = serde_json::from_str(call("message/send", &params).await.trim()).expect("JSON");
    let task = &sent["result"];
    assert_eq!(
        (&sent["id"], &task["kind"], &task["status"]["state"]),
        (&json!(7), &json!("task"), &json!("completed"))
    );
    let read: Value =
        serde_json::from_str(&call("tasks/get", &json!({"id": task["id"]})).await).expect("JSON");
    assert_eq!(read["result"]["id"], task["id"]);
    let streamed = call("message/stream", &send_03("hello again", None)).await;
    assert!(
        streamed.contains("\"final\":true") && streamed.contains("\"kind\":\"artifact-update\""),
        "{streamed}"
    );
    // What is of 1.0 is refused there, whatever form it has.
    let mixed: Value = serde_json::from_str(&call("SendMessage", &send("x", None)).await).expect("JSON");
    assert_eq!(mixed["error"]["code"], -32009);
}
