//! Sending: what is waited for, what is made new, what a client may choose and what not.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::support::client::{PATIENCE, send};
use super::support::dify_frames::answer;
use super::support::say::{artifact, state, violations};
use super::support::{FakeDify, Gateway, Reply, Step, bytes};

/// A Dify that answers each message once it is let.
async fn gated() -> (FakeDify, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![Step::Wait(Arc::clone(&held)), Step::Send(answer(received, "t", &["done"]))])
    });
    (dify.await, gate)
}

#[tokio::test]
async fn s01_s02_a_send_waits_and_gives_one_task_with_its_artifacts() {
    let (dify, gate) = gated().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for configuration in [None, Some(json!({})), Some(json!({"returnImmediately": false}))] {
        let mut params = send("x", None);
        if let Some(configuration) = configuration {
            params["configuration"] = configuration;
        }
        let client = gateway.client.clone();
        let before = dify.chats().len();
        let sending = tokio::spawn(async move { client.result("SendMessage", &params).await });
        while dify.chats().len() == before {
            tokio::task::yield_now().await;
        }
        assert!(!sending.is_finished(), "Dify has not answered");
        gate.notify_one();
        let result = sending.await.expect("no panic");
        let members: Vec<&String> = result.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["task"], "one of the two");
        assert_eq!(state(&result["task"]), "COMPLETED");
        assert_eq!(artifact(&result["task"], "answer").expect("an answer")["parts"][0]["text"], "done");
    }
}

#[tokio::test]
async fn s03_who_does_not_wait_gets_the_task_that_goes_on() {
    let (dify, gate) = gated().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut params = send("x", None);
    params["configuration"] = json!({"returnImmediately": true});
    let task = gateway.client.result("SendMessage", &params).await["task"].clone();
    assert!(["SUBMITTED", "WORKING"].contains(&state(&task)), "{task}");
    assert!(task.get("artifacts").is_none());
    gate.notify_one();
    let done = gateway.client.until(task["id"].as_str().expect("an id"), "TASK_STATE_COMPLETED").await;
    assert_eq!(artifact(&done, "answer").expect("an answer")["parts"][0]["text"], "done");
}

#[tokio::test]
async fn s04_a_stream_does_not_end_sooner_for_who_does_not_wait() {
    let (dify, gate) = gated().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut params = send("x", None);
    params["configuration"] = json!({"returnImmediately": true});
    let mut stream = gateway.client.stream("SendStreamingMessage", &params).await;
    stream.next().await.expect("the task");
    gate.notify_one();
    let (text, states) = super::streams::follow(&stream.all().await);
    assert_eq!((text.as_str(), states.last().map(String::as_str)), ("done", Some("TASK_STATE_COMPLETED")));
}

#[tokio::test]
async fn s12_a_client_that_hangs_up_leaves_its_task_alone() {
    let (dify, gate) = gated().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": send("x", None)}).to_string();
    let mut connection = TcpStream::connect(gateway.addr).await.expect("connected");
    let request = bytes::post("/a2a", "Content-Type: application/json\r\n", &body);
    connection.write_all(&request).await.expect("sent");
    while dify.chats().is_empty() {
        tokio::task::yield_now().await;
    }
    connection.shutdown().await.expect("hung up");
    // The gateway has heard of it when it hangs up as well.
    let mut rest = Vec::new();
    let hung_up = tokio::time::timeout(PATIENCE, connection.read_to_end(&mut rest)).await;
    hung_up.expect("in time").expect("the end");
    assert!(!String::from_utf8_lossy(&rest).contains("COMPLETED"));
    assert!(dify.stops().is_empty());
    gate.notify_one();
    let list = gateway.client.result("ListTasks", &json!({})).await;
    let done =
        gateway.client.until(list["tasks"][0]["id"].as_str().expect("an id"), "TASK_STATE_COMPLETED").await;
    assert_eq!(artifact(&done, "answer").expect("an answer")["parts"][0]["text"], "done");
}

#[tokio::test]
async fn x01_ids_of_tasks_are_new_and_the_gateways() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let wanted = "11111111-2222-4333-8444-555555555555";
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let mut params = send("x", Some("c"));
        params["id"] = json!(wanted);
        params["metadata"] = json!({"taskId": wanted});
        let task = gateway.client.result("SendMessage", &params).await["task"].clone();
        ids.insert(task["id"].as_str().expect("an id").to_owned());
    }
    assert!(ids.len() == 20 && !ids.contains(wanted));
    let before = dify.chats().len();
    for method in ["SendMessage", "SendStreamingMessage"] {
        let mut params = send("x", None);
        params["message"]["taskId"] = json!(wanted);
        assert_eq!(gateway.client.error(method, &params).await["code"], -32001);
    }
    assert_eq!(gateway.client.error("GetTask", &json!({"id": wanted})).await["code"], -32001);
    assert_eq!(dify.chats().len(), before);
}

#[tokio::test]
async fn x02_a_new_context_is_named_everywhere() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let task = gateway.client.send("x", None).await;
    let context = task["contextId"].as_str().expect("a context");
    assert!(!context.is_empty());
    assert_eq!(task["history"][0]["contextId"], context);
    let other = gateway.client.send("x", None).await;
    assert_ne!(other["contextId"], context, "each gets its own");
    let events = gateway.client.stream("SendStreamingMessage", &send("a b", None)).await.all().await;
    let contexts: Vec<&Value> = events
        .iter()
        .map(|event| {
            let result = event.data["result"].as_object().expect("an object");
            &result.values().next().expect("a member")["contextId"]
        })
        .collect();
    assert!(contexts.len() > 3 && contexts[0].as_str().is_some_and(|id| !id.is_empty()));
    assert!(contexts.iter().all(|it| *it == contexts[0]), "{contexts:?}");
}

#[tokio::test]
async fn x04_a_context_that_is_not_taken_is_an_error_and_not_replaced() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for bad in [json!("x".repeat(513)), json!("a\u{0}b"), json!("a\nb"), json!(5), json!({})] {
        for method in ["SendMessage", "SendStreamingMessage"] {
            let mut params = send("x", None);
            params["message"]["contextId"] = bad.clone();
            let error = gateway.client.error(method, &params).await;
            assert_eq!(error["code"], -32602, "{error}");
            assert_eq!(violations(&error)[0].0, "message.contextId", "{error}");
        }
    }
    assert!(dify.chats().is_empty());
    assert_eq!(gateway.client.result("ListTasks", &json!({})).await["totalSize"], 0);
}

#[tokio::test]
async fn x08_tasks_may_be_referred_to_whether_they_are_known_or_not() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let first = gateway.client.send("x", Some("c")).await;
    let references = json!([first["id"], "none", "ünïcödé"]);
    let mut params = send("more of it", Some("c"));
    params["message"]["referenceTaskIds"] = references.clone();
    let task = gateway.client.result("SendMessage", &params).await["task"].clone();
    assert_eq!(state(&task), "COMPLETED");
    assert_ne!(task["id"], first["id"]);
    assert_eq!(task["history"][0]["referenceTaskIds"], references);
}
