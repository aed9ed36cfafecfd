//! One turn, three dialects: the same text, each in its own form; a task of one is readable in every other.

use serde_json::{Value, json};

use super::support::client::{send_03, send_old};
use super::support::{FakeDify, Gateway};

fn results(events: &[super::support::client::Event]) -> Vec<&Value> {
    events.iter().map(|event| &event.data["result"]).collect()
}

#[tokio::test]
async fn o01_o02_o12_a_turn_in_0_3() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let task = gateway.client.result("message/send", &send_03("a b", None)).await;
    assert_eq!((&task["kind"], &task["status"]["state"]), (&json!("task"), &json!("completed")));
    assert_eq!(task["artifacts"][0]["parts"], json!([{"kind": "text", "text": "You said: a b"}]));
    assert_eq!(task["history"][0]["role"], "user");

    let events = gateway.client.stream("message/stream", &send_03("a b", None)).await.all().await;
    let all = results(&events);
    assert_eq!((&all[0]["kind"], &all[0]["status"]["state"]), (&json!("task"), &json!("submitted")));
    assert_eq!(all.iter().filter(|result| result["kind"] == "task").count(), 1, "never a second task");
    let finals: Vec<_> = all.iter().map(|result| result["final"] == true).collect();
    assert!(finals.iter().rev().skip(1).all(|last| !last) && finals[finals.len() - 1]);
    let last = all[all.len() - 1];
    assert_eq!((&last["kind"], &last["status"]["state"]), (&json!("status-update"), &json!("completed")));
    let text: String = all
        .iter()
        .filter(|result| result["kind"] == "artifact-update" && result["lastChunk"] != true)
        .map(|result| result["artifact"]["parts"][0]["text"].as_str().expect("text"))
        .collect();
    assert_eq!(text, "You said: a b");
}

#[tokio::test]
async fn a_turn_in_the_message_send_dialect() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let events = gateway.client.stream("message.send", &send_old("a b", "alice")).await.all().await;
    let all = results(&events);
    let text: String = all
        .iter()
        .filter(|result| result["type"] == "task_artifact_update")
        .map(|result| result["artifact"]["parts"][0]["text"].as_str().expect("text"))
        .collect();
    assert_eq!(text, "You said: a b", "deltas only: {all:?}");
    let last = all[all.len() - 1];
    assert_eq!((&last["type"], &last["status"]), (&json!("task_status_update"), &json!("completed")));
    assert!(all.iter().any(|result| result["status"] == "running"));
    assert!(all.iter().all(|result| result["contextId"] == "alice"));

    let mut params = send_old("again", "alice");
    params["configuration"]["stream"] = json!(false);
    let task = gateway.client.result("message.send", &params).await;
    assert_eq!(
        (&task["kind"], &task["status"], &task["error"]),
        (&json!("task"), &json!("completed"), &Value::Null)
    );
    assert_eq!(task["artifacts"][0]["parts"], json!([{"type": "text", "text": "You said: again"}]));
    assert_eq!(task["metadata"]["tokens"], json!({"prompt": 13, "completion": 5, "total": 18}));
    assert_eq!(task["metadata"]["dify_conversation_id"], "conv-alice");
    assert!(task["completedAt"].is_string());

    let id = &task["id"];
    let own = |route: &'static str, body: Value| {
        let url = format!("{}{route}", gateway.client.base);
        let http = gateway.client.http.clone();
        async move {
            let answer: Value =
                http.post(url).json(&body).send().await.expect("sent").json().await.expect("JSON");
            answer
        }
    };
    let got = own(
        "/tasks/get",
        json!({"jsonrpc": "2.0", "id": "1", "method": "tasks/get", "params": {"taskId": id}}),
    )
    .await;
    assert_eq!((&got["id"], &got["result"]["id"]), (&json!("1"), id));
    let bare = own("/tasks/get", json!({"params": {"taskId": id}})).await;
    assert_eq!(&bare["result"]["id"], id);
    let listed = own("/tasks/list", json!({"params": {"contextId": "alice"}})).await;
    assert_eq!((&listed["result"]["total"], &listed["result"]["tasks"][0]["id"]), (&json!(2), id));
    let canceled = own("/tasks/cancel", json!({"params": {"taskId": id}})).await;
    assert!(canceled["error"]["message"].is_string(), "{canceled}");
}

#[tokio::test]
async fn a_task_is_readable_in_every_dialect() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let made = [
        gateway.client.send("x", Some("c")).await["id"].clone(),
        gateway.client.result("message/send", &send_03("x", Some("c"))).await["id"].clone(),
        gateway
            .client
            .result(
                "message.send",
                &json!({
                    "contextId": "c", "messages": [{"role": "user", "content": "x"}], "stream": false
                }),
            )
            .await["id"]
            .clone(),
    ];
    for id in &made {
        let v1 = gateway.client.result("GetTask", &json!({"id": id})).await;
        assert_eq!(v1["artifacts"][0]["parts"][0], json!({"text": "You said: x"}));
        let v03 = gateway.client.result("tasks/get", &json!({"id": id})).await;
        assert_eq!(v03["artifacts"][0]["parts"][0], json!({"kind": "text", "text": "You said: x"}));
        let old = gateway.client.result("tasks/get", &json!({"taskId": id})).await;
        assert_eq!(old["artifacts"][0]["parts"][0], json!({"type": "text", "text": "You said: x"}));
        assert!(!v1.to_string().contains("conv-") && !v03.to_string().contains("conv-"));
    }
    let chats = dify.chats();
    assert!(
        chats[1..].iter().all(|chat| chat.body["conversation_id"] == "conv-c"),
        "one conversation for all"
    );
}

#[tokio::test]
async fn l02_to_l07_and_l09_l11_a_list_pages_filters_and_refuses() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for number in 0..7 {
        gateway.client.send(&number.to_string(), Some(if number % 2 == 0 { "even" } else { "odd" })).await;
    }
    let list = |params: Value| {
        let client = gateway.client.clone();
        async move { client.result("ListTasks", &params).await }
    };
    let all = list(json!({})).await;
    assert_eq!(
        (&all["totalSize"], &all["pageSize"], &all["nextPageToken"]),
        (&json!(7), &json!(50), &json!(""))
    );
    assert!(all["tasks"].as_array().expect("tasks").iter().all(|task| task.get("artifacts").is_none()));
    let said = |page: &Value| -> Vec<String> {
        let tasks = page["tasks"].as_array().expect("tasks").iter();
        tasks.map(|task| task["history"][0]["parts"][0]["text"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(said(&all), ["6", "5", "4", "3", "2", "1", "0"]);
    let mut walked = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(json!({"pageSize": 3, "pageToken": token})).await;
        walked.extend(said(&page));
        token = page["nextPageToken"].as_str().expect("always there").to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(walked, said(&all));
    assert_eq!(said(&list(json!({"contextId": "odd"})).await), ["5", "3", "1"]);
    assert_eq!(list(json!({"status": "TASK_STATE_WORKING"})).await["tasks"], json!([]));
    let with = list(json!({"includeArtifacts": true, "historyLength": 0, "pageSize": 1})).await;
    assert_eq!(with["tasks"][0]["artifacts"][0]["parts"][0]["text"], "You said: 6");
    assert!(with["tasks"][0].get("history").is_none());
    for bad in [
        json!({"pageSize": 0}),
        json!({"pageSize": 101}),
        json!({"pageToken": "nonsense"}),
        json!({"status": "TASK_STATE_BUSY"}),
        json!({"historyLength": -1}),
        json!({"statusTimestampAfter": "yesterday"}),
    ] {
        assert_eq!(gateway.client.error("ListTasks", &bad).await["code"], -32602, "{bad}");
    }
}
