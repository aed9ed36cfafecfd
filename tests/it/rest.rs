//! The HTTP+JSON binding of A2A 1.0: paths, queries and verbs in, objects without an envelope out.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::streams::follow;
use super::support::client::{Event, send};
use super::support::dify_frames::{message, message_end};
use super::support::{FakeDify, Gateway, Reply, Rest, Step};

pub(crate) async fn echo(env: &[(&str, &str)]) -> (FakeDify, Gateway, Rest) {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, env).await;
    let rest = Rest::of(&gateway);
    (dify, gateway, rest)
}

/// A Dify that says one word and goes on when it is told to, or when it is stopped.
pub(crate) async fn held() -> (FakeDify, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| match received.said() {
        "stop me" => Reply::stream(vec![
            Step::Send(message(received, "run", "so far")),
            Step::WaitForStop("run".to_owned()),
            Step::Send(message_end(received, "run")),
        ]),
        _ => Reply::stream(vec![
            Step::Send(message(received, "run", "so")),
            Step::Wait(Arc::clone(&held)),
            Step::Send(message(received, "run", " far")),
            Step::Send(message_end(received, "run")),
        ]),
    })
    .await;
    (dify, gate)
}

/// The events of a stream as those of JSON-RPC are, so that both are read alike.
fn wrapped(events: Vec<Event>) -> Vec<Event> {
    let wrap = |event: Event| Event { id: event.id, data: json!({"result": event.data}) };
    events.into_iter().map(wrap).collect()
}

fn id(task: &Value) -> &str {
    task["id"].as_str().unwrap_or_else(|| panic!("{task}"))
}

#[tokio::test]
async fn r01_r06_a_turn_is_sent_streamed_read_and_listed() {
    let (_dify, _gateway, rest) = echo(&[]).await;
    let sent = rest.posted("/message:send", &send("a b", Some("c"))).await;
    assert_eq!(sent.as_object().expect("an object").len(), 1, "one member: {sent}");
    let task = &sent["task"];
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(task["artifacts"][0]["parts"], json!([{"text": "You said: a b"}]));

    let stream = rest.request(Method::POST, "/message:stream").json(&send("a b", Some("c")));
    let events = Rest::stream(stream).await.all().await;
    assert!(events.iter().all(|event| event.data.get("jsonrpc").is_none()));
    assert_eq!(events[0].data["task"]["status"]["state"], "TASK_STATE_SUBMITTED");
    let streamed = events[0].data["task"].clone();
    let (text, states) = follow(&wrapped(events));
    assert_eq!(
        (text.as_str(), states.last().map(String::as_str)),
        ("You said: a b", Some("TASK_STATE_COMPLETED"))
    );

    assert_eq!(&rest.given(&format!("/tasks/{}", id(task))).await, task, "as it was sent");
    let listed = rest.given("/tasks?contextId=c").await;
    assert_eq!((&listed["totalSize"], &listed["nextPageToken"]), (&json!(2), &json!("")));
    let ids: Vec<&str> = listed["tasks"].as_array().expect("tasks").iter().map(id).collect();
    assert_eq!(ids, [id(&streamed), id(task)]);
    let over = rest.0.task(id(&streamed)).await;
    assert_eq!(over, rest.given(&format!("/tasks/{}", id(&streamed))).await, "r09: the same over JSON-RPC");
}

#[tokio::test]
async fn r01_r13_a_cancel_needs_no_body_and_may_have_one() {
    let (dify, _) = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let rest = Rest::of(&gateway);
    let bodies: [fn(&str) -> Option<Value>; 4] = [
        |_| None,
        |_| Some(json!({})),
        |id| Some(json!({"id": id})),
        |_| Some(json!({"metadata": {"a": 1}})),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let stream = rest.request(Method::POST, "/message:stream").json(&send("stop me", None));
        let mut stream = Rest::stream(stream).await;
        let task = stream.next().await.expect("the task").data["task"].clone();
        while stream.next().await.expect("the first word").data.get("artifactUpdate").is_none() {}
        let path = format!("/tasks/{}:cancel", id(&task));
        if number == 0 {
            let other = rest.post(&path, &json!({"id": "other"})).await;
            assert_eq!((other.refusal(), other.violations()), ((400, "INVALID_PARAMS"), vec!["id"]));
        }
        let request = rest.request(Method::POST, &path);
        let canceled = Rest::answer(match body(id(&task)) {
            Some(body) => request.json(&body),
            // As a widespread client has it: a media type, and nothing of it.
            None => request.header("Content-Type", "application/json"),
        })
        .await;
        assert_eq!(
            (canceled.status, &canceled.body["status"]["state"]),
            (200, &json!("TASK_STATE_CANCELED"))
        );
        assert_eq!(follow(&wrapped(stream.all().await)).1, ["TASK_STATE_CANCELED"]);
        assert_eq!(rest.post(&path, &json!({})).await.refusal(), (400, "TASK_NOT_CANCELABLE"));
    }
}

#[tokio::test]
async fn r07_a_task_is_followed_by_either_verb_and_from_any_place() {
    let (dify, gate) = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let rest = Rest::of(&gateway);
    let mut at_once = send("x", None);
    at_once["configuration"] = json!({"returnImmediately": true});
    let task = rest.posted("/message:send", &at_once).await["task"].clone();
    assert_eq!(task["status"]["state"], "TASK_STATE_SUBMITTED");
    let subscribe = |method: Method, path: String, last: Option<&'static str>| {
        let request = rest.request(method, &path);
        Rest::stream(match last {
            Some(last) => request.header("Last-Event-ID", last),
            None => request,
        })
    };
    let path = format!("/tasks/{}:subscribe", id(&task));
    let slash = format!("/tasks/{}/subscribe", id(&task));
    let mut streams = [
        subscribe(Method::GET, path.clone(), None).await,
        subscribe(Method::POST, path.clone(), None).await,
        subscribe(Method::GET, slash, None).await,
        subscribe(Method::GET, path.clone(), Some("1")).await,
    ];
    for stream in &mut streams {
        let first = stream.next().await.expect("an event");
        assert_eq!(first.data["task"]["id"], task["id"], "{first:?}");
        assert!(!first.id.is_empty());
    }
    gate.notify_one();
    for stream in streams {
        let (text, states) = follow(&wrapped(stream.all().await));
        assert!(text.ends_with("so far"), "{text}");
        assert_eq!(states.last().map(String::as_str), Some("TASK_STATE_COMPLETED"));
    }
    for method in [Method::GET, Method::POST] {
        let over = Rest::answer(rest.request(method.clone(), &path)).await;
        assert_eq!(over.refusal(), (400, "UNSUPPORTED_OPERATION"), "a task that is over");
        let unknown = Rest::answer(rest.request(method, "/tasks/none:subscribe")).await;
        assert_eq!(
            (unknown.refusal(), unknown.header("content-type")),
            ((404, "TASK_NOT_FOUND"), "application/json")
        );
    }
    let bad = rest.request(Method::GET, &path).header("Last-Event-ID", "x");
    assert_eq!(Rest::answer(bad).await.violations(), ["Last-Event-ID"]);
}

#[tokio::test]
async fn r01_p01_what_is_not_offered_is_refused_as_the_card_says() {
    let (_dify, _gateway, rest) = echo(&[]).await;
    let config = json!({"url": "https://example.com", "id": "c"});
    for prefix in ["", "/acme"] {
        let configs = format!("{prefix}/tasks/x/pushNotificationConfigs");
        let refused = [
            rest.post(&configs, &config).await,
            rest.get(&format!("{configs}?pageSize=1")).await,
            rest.get(&format!("{configs}/c")).await,
            Rest::answer(rest.request(Method::DELETE, &format!("{configs}/c"))).await,
        ];
        for answer in refused {
            assert_eq!(answer.refusal(), (400, "PUSH_NOTIFICATION_NOT_SUPPORTED"));
        }
        let card = rest.get(&format!("{prefix}/extendedAgentCard")).await;
        assert_eq!(card.refusal(), (400, "UNSUPPORTED_OPERATION"));
    }
    let mut inline = send("x", None);
    inline["configuration"] = json!({"taskPushNotificationConfig": {"url": "https://example.com"}});
    assert_eq!(rest.post("/message:send", &inline).await.refusal(), (400, "PUSH_NOTIFICATION_NOT_SUPPORTED"));
}

#[tokio::test]
async fn r02_queries_page_filter_and_are_refused_by_name() {
    let (_dify, _gateway, rest) = echo(&[]).await;
    for number in 0..5 {
        rest.posted(
            "/message:send",
            &send(&number.to_string(), Some(if number % 2 == 0 { "e v&n" } else { "odd" })),
        )
        .await;
    }
    let said = |page: &Value| -> Vec<String> {
        let tasks = page["tasks"].as_array().expect("tasks").iter();
        tasks.map(|task| task["history"][0]["parts"][0]["text"].as_str().expect("text").to_owned()).collect()
    };
    let first = rest.given("/tasks?pageSize=2&unknown=1").await;
    assert_eq!((said(&first), &first["pageSize"]), (vec!["4".to_owned(), "3".to_owned()], &json!(2)));
    let token = first["nextPageToken"].as_str().expect("a token");
    assert_eq!(said(&rest.given(&format!("/tasks?pageSize=2&pageToken={token}")).await), ["2", "1"]);
    assert_eq!(
        said(&rest.given("/tasks?contextId=e%20v%26n&status=TASK_STATE_COMPLETED").await),
        ["4", "2", "0"]
    );
    let with = rest.given("/tasks?includeArtifacts=true&historyLength=0&pageSize=1").await;
    assert!(with["tasks"][0]["artifacts"].is_array() && with["tasks"][0].get("history").is_none());
    assert!(first["tasks"][0].get("artifacts").is_none());
    let later = rest.given("/tasks?statusTimestampAfter=2099-01-01T00:00:00%2B00:00").await;
    assert_eq!(later["totalSize"], 0);
    let task = id(&first["tasks"][0]).to_owned();
    assert!(rest.given(&format!("/tasks/{task}?historyLength=0")).await.get("history").is_none());
    for (path, field) in [
        ("/tasks?pageSize=0", "pageSize"),
        ("/tasks?pageSize=101", "pageSize"),
        ("/tasks?pageSize=many", "pageSize"),
        ("/tasks?pageSize=", "pageSize"),
        ("/tasks?pageSize=1&pageSize=1", "pageSize"),
        ("/tasks?pageToken=nonsense", "pageToken"),
        ("/tasks?status=working", "status"),
        ("/tasks?statusTimestampAfter=yesterday", "statusTimestampAfter"),
        ("/tasks?includeArtifacts=yes", "includeArtifacts"),
        ("/tasks?includeArtifacts=TRUE", "includeArtifacts"),
        ("/tasks?contextId=%00", "contextId"),
        ("/tasks/x?historyLength=-1", "historyLength"),
        ("/tasks/x?historyLength=9999999999", "historyLength"),
    ] {
        let refused = rest.get(path).await;
        assert_eq!(
            (refused.refusal(), refused.violations()),
            ((400, "INVALID_PARAMS"), vec![field]),
            "{path}"
        );
        assert_eq!(refused.body["error"]["status"], "INVALID_ARGUMENT");
    }
}

#[tokio::test]
async fn r10_v14_a_tenant_in_the_path_has_tasks_of_its_own() {
    let (_dify, _gateway, rest) = echo(&[]).await;
    let mut ids = Vec::new();
    for prefix in ["", "/acme", "/b%2Fc%20d"] {
        let task =
            rest.posted(&format!("{prefix}/message:send"), &send("x", Some("c"))).await["task"].clone();
        ids.push((prefix, id(&task).to_owned()));
    }
    for (prefix, own) in &ids {
        let listed = rest.given(&format!("{prefix}/tasks")).await;
        assert_eq!((&listed["totalSize"], &listed["tasks"][0]["id"]), (&json!(1), &json!(own)), "{prefix}");
        for (_, id) in &ids {
            let found = rest.get(&format!("{prefix}/tasks/{id}")).await;
            assert_eq!(found.status, if id == own { 200 } else { 404 }, "{prefix} {id}");
        }
    }
    let named = rest.0.result("GetTask", &json!({"tenant": "b/c d", "id": ids[2].1})).await;
    assert_eq!(named["id"], json!(ids[2].1), "the same tenant over JSON-RPC");
    assert_eq!(rest.given(&format!("/tasks/{}?tenant=acme", ids[1].1)).await["id"], json!(ids[1].1));
    let mut same = send("x", None);
    same["tenant"] = "acme".into();
    assert_eq!(rest.post("/acme/message:send", &same).await.status, 200);
    for refused in [rest.post("/other/message:send", &same).await, rest.get("/other/tasks?tenant=acme").await]
    {
        assert_eq!((refused.refusal(), refused.violations()), ((400, "INVALID_PARAMS"), vec!["tenant"]));
    }
    assert_eq!(rest.get("/a%0Ab/tasks").await.violations(), ["tenant"]);
}
