//! The HTTP+JSON binding of A2A 0.3, below `/v1`, in the form that the official clients of 0.3 write and read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use super::files::DOT;
use super::support::client::{send, send_03};
use super::support::dify_frames::{message, message_end};
use super::support::rest::send_03_http;
use super::support::{App, FakeDify, Gateway, Reply, Rest, Step};

async fn echoing() -> (FakeDify, Gateway, Rest) {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let rest = Rest::of(&gateway);
    (dify, gateway, rest)
}

#[tokio::test]
async fn o01_o02_o13_a_turn_is_sent_streamed_read_and_listed() {
    let (_dify, _gateway, rest) = echoing().await;
    let task = rest.posted("/v1/message:send", &send_03_http("a b", "c")).await["task"].clone();
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(task["artifacts"][0]["parts"], json!([{"text": "You said: a b"}]));
    let history = &task["history"][0];
    assert_eq!((&history["role"], &history["content"]), (&json!("ROLE_USER"), &json!([{"text": "a b"}])));
    assert!(!task.to_string().contains("\"kind\""));

    let stream = rest.request(Method::POST, "/v1/message:stream").json(&send_03_http("a b", "c"));
    let events = Rest::stream(stream).await.all().await;
    assert_eq!(events[0].data["task"]["status"]["state"], "TASK_STATE_SUBMITTED");
    assert!(events.iter().skip(1).all(|event| event.data.get("task").is_none()), "o12: never a second task");
    let updates: Vec<&Value> = events.iter().filter_map(|event| event.data.get("statusUpdate")).collect();
    let finals: Vec<bool> = updates.iter().map(|update| update["final"] == true).collect();
    assert_eq!(finals.iter().filter(|last| **last).count(), 1);
    assert_eq!(events.last().expect("an end").data["statusUpdate"]["final"], true);
    let text: String = events
        .iter()
        .filter_map(|event| event.data.get("artifactUpdate").filter(|update| update["lastChunk"] != true))
        .map(|update| update["artifact"]["parts"][0]["text"].as_str().expect("text"))
        .collect();
    assert_eq!(text, "You said: a b");

    let id = task["id"].as_str().expect("an id");
    assert_eq!(rest.given(&format!("/v1/tasks/{id}")).await, task);
    assert_eq!(rest.given(&format!("/v1/tasks/{id}?historyLength=0")).await, task, "o03: 0 is all of it");
    let list = "/v1/tasks?contextId=c&includeArtifacts=true";
    let listed = rest.get(list).await;
    assert_eq!(listed.body.as_array().map(|tasks| (tasks.len(), &tasks[1])), Some((2, &task)), "an array");
    assert_eq!(listed.header("x-next-page-token"), "");
    let first = rest.get(&format!("{list}&pageSize=1")).await;
    let next = format!("{list}&pageSize=1&pageToken={}", first.header("x-next-page-token"));
    assert_eq!((first.body, rest.given(&next).await), (json!([listed.body[0]]), json!([task])));
    assert_eq!(rest.given(&format!("/tasks/{id}")).await["history"][0]["parts"], json!([{"text": "a b"}]));
}

#[tokio::test]
async fn o15_names_of_the_package_and_the_form_of_json_rpc_are_read_as_well() {
    let (dify, _gateway, rest) = echoing().await;
    let snake = json!({
        "request": {"message_id": "m", "context_id": "c", "role": "ROLE_USER", "content": [{"text": "snake"}]},
        "configuration": {"blocking": true, "accepted_output_modes": []}
    });
    let sent = rest.posted("/v1/message:send", &snake).await;
    assert_eq!(sent["task"]["artifacts"][0]["parts"][0]["text"], "You said: snake");
    let rpc = rest.posted("/v1/message:send", &send_03("kinds", Some("c"))).await;
    assert_eq!(rpc["task"]["artifacts"][0]["parts"][0]["text"], "You said: kinds");
    let mut unsaid = send_03_http("at once", "d");
    unsaid["configuration"] = json!({"acceptedOutputModes": []});
    let unsaid = rest.posted("/v1/message:send", &unsaid).await;
    assert_eq!(unsaid["task"]["status"]["state"], "TASK_STATE_SUBMITTED", "what is not said is false");
    rest.0.until(unsaid["task"]["id"].as_str().expect("an id"), "TASK_STATE_COMPLETED").await;
    let mut nothing_said = send_03_http("in time", "e");
    nothing_said.as_object_mut().expect("an object").remove("configuration");
    let waited = rest.posted("/v1/message:send", &nothing_said).await;
    assert_eq!(waited["task"]["status"]["state"], "TASK_STATE_COMPLETED", "as over JSON-RPC");
    assert_eq!(dify.chats().len(), 4);
}

#[tokio::test]
async fn o04_o06_a_task_is_followed_by_either_verb_and_canceled_with_any_body() {
    let dify = FakeDify::chat(|received| {
        let run = format!("run-{}", received.user());
        Reply::stream(vec![
            Step::Send(message(received, &run, "so far")),
            Step::WaitForStop(run.clone()),
            Step::Send(message_end(received, &run)),
        ])
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let rest = Rest::of(&gateway);
    let bodies: [fn(&str) -> Option<Value>; 3] =
        [|_| None, |_| Some(json!({})), |id| Some(json!({"name": format!("tasks/{id}")}))];
    for (number, (body, verb)) in bodies.into_iter().zip([Method::GET, Method::POST, Method::GET]).enumerate()
    {
        let stream =
            rest.request(Method::POST, "/v1/message:stream").json(&send_03_http("x", &format!("c{number}")));
        let mut stream = Rest::stream(stream).await;
        let id =
            stream.next().await.expect("the task").data["task"]["id"].as_str().expect("an id").to_owned();
        while stream.next().await.expect("the first word").data.get("artifactUpdate").is_none() {}
        let mut again = Rest::stream(rest.request(verb, &format!("/v1/tasks/{id}:subscribe"))).await;
        assert_eq!(again.next().await.expect("the task").data["task"]["id"], id);
        let path = format!("/v1/tasks/{id}:cancel");
        let other = rest.post(&path, &json!({"name": "tasks/other"})).await;
        assert_eq!((other.refusal(), other.violations()), ((422, "INVALID_PARAMS"), vec!["name"]));
        let request = rest.request(Method::POST, &path);
        let canceled = Rest::answer(match body(&id) {
            Some(body) => request.json(&body),
            None => request,
        })
        .await;
        assert_eq!(
            (canceled.status, &canceled.body["status"]["state"]),
            (200, &json!("TASK_STATE_CANCELLED"))
        );
        for stream in [stream, again] {
            let last = stream.all().await.pop().expect("an end").data["statusUpdate"].clone();
            assert_eq!(
                (&last["status"]["state"], &last["final"]),
                (&json!("TASK_STATE_CANCELLED"), &json!(true))
            );
        }
        let refused = rest.post(&path, &json!({})).await;
        assert_eq!(
            (refused.refusal(), &refused.body["code"]),
            ((409, "TASK_NOT_CANCELABLE"), &json!(-32002))
        );
    }
    let canceled = rest.given("/v1/tasks?status=TASK_STATE_CANCELLED").await;
    assert_eq!(canceled.as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn r03_o07_o08_errors_are_the_one_body_that_all_clients_of_0_3_read() {
    let (dify, _gateway, rest) = echoing().await;
    let unknown = rest.get("/v1/tasks/none").await;
    assert_eq!(
        (unknown.status, &unknown.body["code"], &unknown.body["message"], &unknown.body["type"]),
        (404, &json!(-32001), &json!("task not found: none"), &json!("TaskNotFoundError"))
    );
    assert_eq!(unknown.body["error"], "io.a2a.spec.TaskNotFoundError");
    assert_eq!(
        (unknown.header("content-type"), unknown.header("vary").contains("accept")),
        ("application/json", false)
    );
    let wants_a2a = rest.request(Method::GET, "/v1/tasks").header("Accept", "application/a2a+json");
    assert_eq!(Rest::answer(wants_a2a).await.header("content-type"), "application/json");
    let refused = rest.post("/v1/message:send", &json!({})).await;
    assert_eq!((refused.refusal(), refused.violations()), ((422, "INVALID_PARAMS"), vec!["message"]));
    let snake = rest.get("/v1/tasks/x?history_length=-1").await;
    assert_eq!((snake.refusal(), snake.violations()), ((422, "INVALID_PARAMS"), vec!["historyLength"]));
    for path in ["/v1/tasks/x/pushNotificationConfigs", "/v1/tasks/x/pushNotificationConfigs/c"] {
        assert_eq!(rest.get(path).await.refusal(), (501, "PUSH_NOTIFICATION_NOT_SUPPORTED"));
    }
    let config = json!({"parent": "tasks/x", "configId": "c", "config": {"name": "tasks/x/pushNotificationConfigs/c"}});
    let create = rest.post("/v1/tasks/x/pushNotificationConfigs", &config).await;
    assert_eq!(create.refusal(), (501, "PUSH_NOTIFICATION_NOT_SUPPORTED"));
    let delete = rest.request(Method::DELETE, "/v1/tasks/x/pushNotificationConfigs/c");
    assert_eq!(Rest::answer(delete).await.refusal(), (501, "PUSH_NOTIFICATION_NOT_SUPPORTED"));
    assert_eq!(rest.get("/v1/card").await.refusal(), (404, "EXTENDED_AGENT_CARD_NOT_CONFIGURED"), "o10");
    let stream = rest.post("/v1/message:stream", &json!({})).await;
    assert_eq!(stream.refusal(), (422, "INVALID_PARAMS"));
    assert_eq!(rest.get("/v1/tasks/none:subscribe").await.refusal(), (404, "TASK_NOT_FOUND"));
    let raw = rest.request(Method::POST, "/v1/message:send").header("Content-Type", "text/plain").body("{}");
    assert_eq!(Rest::answer(raw).await.refusal(), (415, "CONTENT_TYPE_NOT_SUPPORTED"));
    assert_eq!(rest.get("/v1/nothing").await.body["type"], "MethodNotFoundError");
    let verb = rest.get("/v1/message:send").await;
    assert_eq!((verb.refusal(), verb.header("allow")), ((405, "METHOD_NOT_FOUND"), "POST"));
    assert!(dify.chats().is_empty());
}

#[tokio::test]
async fn r08_v07_a_version_that_does_not_fit_the_path_is_refused() {
    let (_dify, _gateway, rest) = echoing().await;
    for (version, status) in [("0.3", 200), ("0.3.0", 200), ("", 200), ("1.0", 400), ("9", 400)] {
        let asked = rest.request(Method::GET, "/v1/tasks").header("A2A-Version", version);
        let answer = Rest::answer(asked).await;
        assert_eq!(answer.status, status, "{version}");
        if status == 400 {
            assert_eq!(answer.body["code"], -32009);
        }
    }
    let wrong =
        rest.request(Method::POST, "/v1/message:send").header("A2A-Version", "1.0").json(&send("x", None));
    assert_eq!(Rest::answer(wrong).await.refusal(), (400, "VERSION_NOT_SUPPORTED"));
    let ours = "urn:dify-a2a-gateway:extension:dify:v1";
    let named = rest.request(Method::GET, "/v1/tasks").header("X-A2A-Extensions", ours);
    assert_eq!(Rest::answer(named).await.header("x-a2a-extensions"), ours);
}

/// The official Python clients write the bytes of files as base64 of base64, and read them so.
#[tokio::test]
async fn o15_files_of_every_client_arrive_whole_and_come_back_as_they_were_sent() {
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    let rest = Rest::of(&gateway);
    let once = STANDARD.encode(DOT);
    let twice = STANDARD.encode(&once);
    for (agent, bytes) in
        [("node", &once), ("python-httpx/0.28.1", &twice), ("python-httpx/0.28.1", &once), ("", &once)]
    {
        let file = json!({"file": {"fileWithBytes": bytes, "mimeType": "image/png", "name": "dot.png"}});
        let mut request = send_03_http("look", "c");
        request["message"]["content"].as_array_mut().expect("parts").push(file);
        let post = rest.request(Method::POST, "/v1/message:send").header("User-Agent", agent).json(&request);
        let sent = Rest::answer(post).await;
        assert_eq!(
            (sent.status, &sent.body["task"]["status"]["state"]),
            (200, &json!("TASK_STATE_COMPLETED"))
        );
        let back = &sent.body["task"]["history"][0]["content"][1]["file"]["fileWithBytes"];
        let expected = if agent.starts_with("python") { &twice } else { &once };
        assert!(*back == json!(expected) || back.is_null(), "{agent}: {back}");
    }
    let uploads = app.uploads().await;
    assert!(uploads.len() == 4 && uploads.iter().all(|it| it.name == "dot.png" && it.bytes == DOT));
}
