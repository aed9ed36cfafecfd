//! Reading tasks: what GetTask and ListTasks give of what was said, and how much of it.

use serde_json::{Value, json};
use tokio::sync::Notify;

use std::sync::Arc;

use super::support::client::send;
use super::support::dify_frames::{message, message_end};
use super::support::say::{say_to, state, violations};
use super::support::{App, FakeDify, Gateway, Reply, Step};

fn texts(history: &Value) -> Vec<&str> {
    let messages = history.as_array().into_iter().flatten();
    messages.map(|message| message["parts"][0]["text"].as_str().expect("text")).collect()
}

/// A task that asked for its topic and was given it, with so much of its history in the last answer.
async fn asked_and_answered(gateway: &Gateway, length: Option<u32>) -> (Value, String) {
    let task = gateway.client.send("Tell me a story", None).await;
    assert_eq!(state(&task), "INPUT_REQUIRED");
    let question = task["status"]["message"]["parts"][0]["text"].as_str().expect("text").to_owned();
    let mut params = say_to(&task, json!([{"text": "dogs"}]));
    if let Some(length) = length {
        params["configuration"] = json!({"historyLength": length});
    }
    let done = gateway.client.result("SendMessage", &params).await["task"].clone();
    assert_eq!(state(&done), "COMPLETED");
    (done, question)
}

#[tokio::test]
async fn g03_g04_g05_l10_s08_the_history_is_in_order_and_cut_to_its_newest() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let (done, question) = asked_and_answered(&gateway, None).await;
    let all = ["Tell me a story", question.as_str(), "dogs"];
    assert_eq!(texts(&done["history"]), all);
    let roles = done["history"].as_array().expect("a history").iter().map(|message| &message["role"]);
    assert_eq!(roles.collect::<Vec<_>>(), ["ROLE_USER", "ROLE_AGENT", "ROLE_USER"]);
    for (length, from) in [(None, 0), (Some(0), 3), (Some(1), 2), (Some(2), 1), (Some(3), 0), (Some(100), 0)]
    {
        let read =
            gateway.client.result("GetTask", &json!({"id": done["id"], "historyLength": length})).await;
        assert_eq!(texts(&read["history"]), all[from..], "{length:?}");
        assert_eq!(read.get("history").is_none(), length == Some(0), "{length:?}");
        let listed = gateway.client.result("ListTasks", &json!({"historyLength": length})).await;
        assert_eq!(texts(&listed["tasks"][0]["history"]), all[from..], "{length:?} in a list");
    }
    for (length, from) in [(0, 3), (1, 2), (2, 1)] {
        let (done, _) = asked_and_answered(&gateway, Some(length)).await;
        assert_eq!(texts(&done["history"]), all[from..], "{length} in the answer");
        assert_eq!(done.get("history").is_none(), length == 0);
    }
    // Of several tasks in a list each has its own history, cut by itself.
    let listed = gateway.client.result("ListTasks", &json!({"historyLength": 1})).await;
    let tasks = listed["tasks"].as_array().expect("tasks");
    assert!(tasks.len() == 4 && tasks.iter().all(|task| texts(&task["history"]) == ["dogs"]), "{listed}");
}

#[tokio::test]
async fn g01_a_task_is_read_as_it_is_now() {
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
    let gateway = Gateway::before(&dify, &[]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let first = stream.next().await.expect("the task").data["result"]["task"].clone();
    let is_piece = |data: &Value| data["result"].get("artifactUpdate").is_some();
    while !is_piece(&stream.next().await.expect("a piece").data) {}
    let id = first["id"].as_str().expect("an id");
    let now = gateway.client.task(id).await;
    assert_eq!((&now["id"], state(&now)), (&first["id"], "WORKING"), "bare: {now}");
    assert_eq!(now["artifacts"][0]["parts"][0]["text"], "one ");
    gate.notify_one();
    stream.all().await;
    let then = gateway.client.task(id).await;
    assert_eq!((state(&then), &then["contextId"]), ("COMPLETED", &first["contextId"]));
    assert_eq!(then["artifacts"][0]["parts"][0]["text"], "one two");
}

#[tokio::test]
async fn g02_g06_what_cannot_be_read_is_refused() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let task = gateway.client.send("x", None).await;
    for id in ["none", "00000000-0000-0000-0000-000000000000", "../x", "ünïcödé"] {
        let error = gateway.client.error("GetTask", &json!({"id": id})).await;
        assert_eq!(error["code"], -32001, "{error}");
        assert_eq!(error["data"][0]["metadata"], json!({"taskId": id}));
    }
    for (length, params) in [
        (json!(-1), json!({"id": task["id"]})),
        (json!("many"), json!({"id": task["id"]})),
        (json!(1.5), json!({"id": task["id"]})),
    ] {
        let mut params = params;
        params["historyLength"] = length;
        let error = gateway.client.error("GetTask", &params).await;
        assert_eq!((&error["code"], violations(&error)[0].0.as_str()), (&json!(-32602), "historyLength"));
    }
    for bad in [json!({}), json!({"id": ""}), json!({"id": 5}), json!({"id": null})] {
        let error = gateway.client.error("GetTask", &bad).await;
        assert_eq!((&error["code"], violations(&error)[0].0.as_str()), (&json!(-32602), "id"), "{bad}");
    }
}

#[tokio::test]
async fn l06_l07_l08_sizes_are_told_and_filters_all_count() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for number in 0..6 {
        let context = if number % 2 == 0 { "even" } else { "odd" };
        gateway.client.send(&number.to_string(), Some(context)).await;
    }
    let list = async |params: Value| gateway.client.result("ListTasks", &params).await;
    let count = |page: &Value| page["tasks"].as_array().expect("tasks").len();
    for size in [1, 2, 6, 100] {
        let page = list(json!({"pageSize": size})).await;
        assert_eq!((&page["pageSize"], &page["totalSize"]), (&json!(size), &json!(6)));
        assert_eq!(count(&page), size.min(6));
        assert_eq!(page["nextPageToken"] == "", size >= 6, "{size}");
    }
    let all = list(json!({})).await;
    // Newest first; the third newest of its context has this time.
    let third = &all["tasks"][4]["status"]["timestamp"];
    let since = list(json!({"statusTimestampAfter": third})).await;
    let expected: Vec<&Value> = all["tasks"].as_array().expect("tasks").iter().collect();
    let expected: Vec<&Value> =
        expected.into_iter().filter(|task| task["status"]["timestamp"].as_str() >= third.as_str()).collect();
    assert!(expected.len() >= 5, "the very time counts");
    let found: Vec<&Value> = since["tasks"].as_array().expect("tasks").iter().collect();
    assert_eq!(found, expected);
    let query = json!({"contextId": "even", "status": "TASK_STATE_COMPLETED", "statusTimestampAfter": third});
    let both = list(query.clone()).await;
    let even = expected.iter().filter(|task| task["contextId"] == "even").count();
    assert_eq!((count(&both), &both["totalSize"]), (even, &json!(even)), "{both}");
    assert!(both["tasks"].as_array().expect("tasks").iter().all(|task| task["contextId"] == "even"));
    for (name, value) in [
        ("contextId", "other"),
        ("status", "TASK_STATE_FAILED"),
        ("statusTimestampAfter", "2999-01-01T00:00:00Z"),
    ] {
        let mut query = query.clone();
        query[name] = json!(value);
        let none = list(query).await;
        assert_eq!(
            (count(&none), &none["totalSize"], &none["nextPageToken"]),
            (0, &json!(0), &json!("")),
            "{name}"
        );
    }
}
