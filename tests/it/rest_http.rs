//! What HTTP+JSON says in the way of HTTP: statuses, media types, versions, paths that are none, signs of life.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::rest::{echo, held};
use super::support::client::send;
use super::support::dify_frames::answer;
use super::support::rest::Answer;
use super::support::{FakeDify, Gateway, Reply, Rest, Step};

#[tokio::test]
async fn r03_r04_errors_are_bodies_of_their_own_with_the_status_of_http() {
    let (dify, _gateway, rest) = echo(&[("MAX_BODY_BYTES", "2048")]).await;
    let unknown = rest.get("/tasks/none").await;
    let error = json!({
        "code": 404, "status": "NOT_FOUND", "message": "task not found: none", "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TASK_NOT_FOUND",
            "domain": "a2a-protocol.org", "metadata": {"taskId": "none"}
        }]
    });
    assert_eq!((unknown.status, &unknown.body), (404, &json!({ "error": error })));
    assert_eq!(unknown.header("content-type"), "application/json");
    let raw = |path: &'static str, kind: &'static str, body: &'static str| {
        let request = rest.request(Method::POST, path).header("Content-Type", kind).body(body);
        Rest::answer(request)
    };
    let json = "application/json";
    assert_eq!(raw("/message:send", json, "{").await.refusal(), (400, "PARSE_ERROR"));
    assert_eq!(raw("/message:send", "text/plain", "{}").await.refusal(), (415, "CONTENT_TYPE_NOT_SUPPORTED"));
    for path in ["/message:send", "/message:stream"] {
        for (body, field) in
            [("", "message"), ("[]", "body"), (r#"{"message":{"messageId":"m"}}"#, "message.role")]
        {
            let refused = raw(path, json, body).await;
            assert_eq!(
                (refused.refusal(), refused.violations()[0]),
                ((400, "INVALID_PARAMS"), field),
                "{body}"
            );
        }
        let mut follow_up = send("x", None);
        follow_up["message"]["taskId"] = "none".into();
        assert_eq!(rest.post(path, &follow_up).await.refusal(), (404, "TASK_NOT_FOUND"));
        let large = rest.post(path, &send(&"x".repeat(4096), None)).await;
        assert_eq!(large.refusal(), (413, "PAYLOAD_TOO_LARGE"));
    }
    let part = json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"data": {"a": 1}}]}});
    assert_eq!(rest.post("/message:send", &part).await.refusal(), (400, "CONTENT_TYPE_NOT_SUPPORTED"));
    assert_eq!(rest.post("/tasks/none:cancel", &json!({})).await.refusal(), (404, "TASK_NOT_FOUND"));
    assert!(dify.chats().is_empty());
}

#[tokio::test]
async fn a08_a_gateway_that_is_busy_says_when_to_try_again() {
    let (dify, gate) = held().await;
    let gateway = Gateway::before(&dify, &[("MAX_CONCURRENT_TURNS", "1")]).await;
    let rest = Rest::of(&gateway);
    let running = rest.request(Method::POST, "/message:stream").json(&send("x", None));
    let mut running = Rest::stream(running).await;
    running.next().await.expect("the task");
    for path in ["/message:send", "/message:stream"] {
        let busy = rest.post(path, &send("y", None)).await;
        assert_eq!(busy.refusal(), (429, "RESOURCE_EXHAUSTED"));
        assert!(busy.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
        assert!(busy.body.to_string().contains("google.rpc.RetryInfo"));
    }
    gate.notify_one();
    while running.next().await.is_some() {}
}

#[tokio::test]
async fn r05_the_media_type_of_a2a_is_for_those_who_ask_for_it() {
    let (_dify, _gateway, rest) = echo(&[]).await;
    let kind = |answer: &Answer| (answer.header("content-type").to_owned(), answer.header("vary").to_owned());
    for (accept, expected) in [
        ("application/a2a+json, application/json", "application/a2a+json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ] {
        for path in ["/tasks", "/tasks/none", "/nothing"] {
            let (given, vary) =
                kind(&Rest::answer(rest.request(Method::GET, path).header("Accept", accept)).await);
            assert_eq!(given, expected, "{accept} {path}");
            assert!(vary.contains("accept"), "{vary}");
        }
        let stream = rest.request(Method::POST, "/message:stream").json(&send("x", None));
        Rest::stream(stream.header("Accept", accept)).await.all().await;
    }
    for given in ["application/a2a+json", "application/json; charset=utf-8", "application/vnd.x+json"] {
        let request = rest.request(Method::POST, "/message:send").header("Content-Type", given);
        let sent = Rest::answer(request.body(send("x", None).to_string())).await;
        assert_eq!(sent.status, 200, "{given}");
    }
    let without = rest.request(Method::POST, "/message:send").body(send("x", None).to_string());
    assert_eq!(Rest::answer(without).await.status, 200);
    // Some clients name a type where there is no body to have one.
    let named = rest.request(Method::GET, "/tasks").header("Content-Type", "text/plain");
    assert_eq!(Rest::answer(named).await.status, 200);
}

#[tokio::test]
async fn r08_versions_and_extensions_are_as_over_json_rpc() {
    let (_dify, _gateway, rest) = echo(&[]).await;
    let asked = |path: &'static str, version: &'static str| {
        Rest::answer(rest.request(Method::GET, path).header("a2a-VERSION", version))
    };
    for version in ["", "1.0", "1.0.3"] {
        assert_eq!(asked("/tasks", version).await.status, 200, "{version}");
        assert_eq!(asked("/acme/tasks", version).await.status, 200, "{version}");
    }
    for version in ["0.3", "99.0", "x"] {
        let refused = asked("/tasks", version).await;
        assert_eq!(refused.refusal(), (400, "VERSION_NOT_SUPPORTED"), "{version}");
        assert_eq!(refused.body["error"]["status"], "FAILED_PRECONDITION");
    }
    assert_eq!(rest.get("/tasks?A2A-Version=1.0").await.status, 200);
    assert_eq!(rest.get("/tasks?A2A-Version=0.3").await.refusal(), (400, "VERSION_NOT_SUPPORTED"));
    let ours = "urn:dify-a2a-gateway:extension:dify:v1";
    let request = rest.request(Method::GET, "/tasks").header("A2A-Extensions", format!("urn:other, {ours}"));
    assert_eq!(Rest::answer(request).await.header("a2a-extensions"), ours);
    let request = rest.request(Method::GET, "/tasks").header("A2A-Extensions", "urn:other");
    assert_eq!(Rest::answer(request).await.header("a2a-extensions"), "");
}

#[tokio::test]
async fn r11_r12_paths_that_are_none_and_verbs_that_do_not_fit() {
    let (_dify, gateway, rest) = echo(&[]).await;
    let odd = rest.get("/tasks/a%2Fb%3Ac%20%C3%A9").await;
    assert_eq!(odd.body["error"]["details"][0]["metadata"]["taskId"], "a/b:c é");
    for path in ["/nothing", "/tasks/", "/tasks/x/y", "/message:sent", "/a/b/c/d", "/tasks/%FF"] {
        let nothing = rest.get(path).await;
        assert_eq!(
            (nothing.refusal(), &nothing.body["error"]["status"]),
            ((404, "METHOD_NOT_FOUND"), &json!("NOT_FOUND")),
            "{path}"
        );
    }
    for (method, path, allow) in [
        (Method::GET, "/message:send", "POST"),
        (Method::PUT, "/tasks/x", "GET, HEAD"),
        (Method::POST, "/acme/extendedAgentCard", "GET, HEAD"),
        (Method::GET, "/tasks/x:cancel", "POST"),
        (Method::DELETE, "/tasks/x:subscribe", "POST, GET, HEAD"),
        (Method::PATCH, "/tasks/x/pushNotificationConfigs/c", "GET, HEAD, DELETE"),
    ] {
        let refused = Rest::answer(rest.request(method.clone(), path)).await;
        assert_eq!(
            (refused.refusal(), refused.header("allow")),
            ((405, "METHOD_NOT_FOUND"), allow),
            "{method} {path}"
        );
    }
    // The old dialect has paths that are names of tasks here.
    for name in ["get", "list", "cancel"] {
        let refused = rest.get(&format!("/tasks/{name}")).await;
        assert_eq!((refused.refusal(), refused.header("allow")), ((404, "TASK_NOT_FOUND"), ""));
        let old = rest.post(&format!("/tasks/{name}"), &json!({"params": {"taskId": "x"}})).await;
        assert!(old.status == 200 && old.body.get("jsonrpc").is_some(), "{old:?}");
        let canceled = rest.post(&format!("/tasks/{name}:cancel"), &json!({})).await;
        assert_eq!(canceled.refusal(), (404, "TASK_NOT_FOUND"));
    }
    let head = Rest::answer(rest.request(Method::HEAD, "/tasks")).await;
    assert_eq!((head.status, &head.body), (200, &json!("")));
    assert!(head.header("content-length").parse::<u32>().is_ok_and(|length| length > 0));
    let preflight = rest
        .request(Method::OPTIONS, "/tasks/x/pushNotificationConfigs/c")
        .header("Origin", "https://page.example")
        .header("Access-Control-Request-Method", "DELETE");
    assert!(Rest::answer(preflight).await.header("access-control-allow-methods").contains("DELETE"));
    drop(gateway);
}

#[tokio::test]
async fn t12_silence_is_broken_by_comments_and_a_waiting_answer_by_spaces() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![Step::Wait(Arc::clone(&held)), Step::Send(answer(received, "t", &["late"]))])
    })
    .await;
    let gateway = Gateway::before(&dify, &[("KEEP_ALIVE", "50ms")]).await;
    let rest = Rest::of(&gateway);
    let stream = rest.request(Method::POST, "/message:stream").json(&send("x", None));
    let mut stream = Rest::stream(stream).await;
    stream.next().await.expect("the task");
    let request = rest.request(Method::POST, "/message:send").json(&send("y", None));
    let mut waiting = request.header("Accept", "application/a2a+json").send().await.expect("an answer");
    assert_eq!(waiting.headers()["content-type"], "application/a2a+json");
    let mut spaces = Vec::new();
    while spaces.len() < 3 {
        spaces.extend(waiting.chunk().await.expect("a chunk").expect("not the end"));
    }
    assert!(spaces.iter().all(|byte| *byte == b' '));
    gate.notify_one();
    gate.notify_one();
    let rest_of_it = waiting.bytes().await.expect("the answer");
    let sent: Value = serde_json::from_slice(&rest_of_it).expect("JSON");
    assert_eq!(sent["task"]["status"]["state"], "TASK_STATE_COMPLETED");
    while stream.next().await.is_some() {}
    assert!(stream.comments > 0);
}

#[tokio::test]
async fn c04_a_binding_that_is_off_is_not_there() {
    let (_dify, _gateway, rest) = echo(&[("BINDINGS", "jsonrpc")]).await;
    for path in ["/tasks", "/tasks/x", "/v1/tasks", "/extendedAgentCard"] {
        assert_eq!(rest.get(path).await.refusal(), (404, "METHOD_NOT_FOUND"), "{path}");
    }
    assert_eq!(rest.post("/message:send", &send("x", None)).await.refusal(), (404, "METHOD_NOT_FOUND"));
    let old = rest.post("/tasks/get", &json!({"params": {"taskId": "x"}})).await;
    assert_eq!(old.body["error"]["code"], -32001);

    let (_dify, _gateway, rest) = echo(&[("BINDINGS", "http")]).await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "x"}});
    for path in ["/", "/a2a", "/a2a/"] {
        assert_eq!(rest.post(path, &call).await.refusal(), (404, "METHOD_NOT_FOUND"), "{path}");
    }
    assert_eq!(rest.post("/tasks/get", &call).await.refusal(), (405, "METHOD_NOT_FOUND"));
    assert_eq!(rest.get("/tasks/get").await.refusal(), (404, "TASK_NOT_FOUND"));
}
