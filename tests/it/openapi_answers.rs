//! Real answers, over every binding that is HTTP, held against the gateway's own OpenAPI document.

use http::Method;
use serde_json::{Value, json};

use super::support::api::{Api, Checked, Given, NOTHING};
use super::support::client::{send, send_03, send_old};
use super::support::dify_frames::{echo, message, message_end};
use super::support::rest::send_03_http;
use super::support::{FakeDify, Gateway, Reply, Step};

/// A Dify that echoes, and that holds a turn with the word `hold` until it is stopped.
async fn dify() -> FakeDify {
    FakeDify::chat(|received| {
        if !received.said().contains("hold") {
            return Reply::bytes(echo(received));
        }
        let task = format!("run-{}", received.user());
        Reply::stream(vec![
            Step::Send(message(received, &task, "so far")),
            Step::WaitForStop(task.clone()),
            Step::Send(message_end(received, &task)),
        ])
    })
    .await
}

/// The bodies of JSON-RPC calls.
fn call(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

async fn rpc(api: &Api, method: &str, params: &Value) -> Checked {
    let body = call(method, params);
    let path = if method.len().is_multiple_of(2) { "/" } else { "/a2a" };
    api.ask(Method::POST, path, &[], Given { body: Some(&body), ..NOTHING }).await
}

#[tokio::test]
async fn answers_over_json_rpc_are_as_described() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[("MAX_BODY_BYTES", "100000")]).await;
    let api = Api::of(&gateway).await;

    let sent = rpc(&api, "SendMessage", &send("hello", Some("c"))).await.body;
    let task = &sent["result"]["task"]["id"];
    assert!(task.is_string(), "{sent}");
    let old = rpc(&api, "message/send", &send_03("hello", Some("c"))).await.body;
    assert_eq!(old["result"]["kind"], "task");
    for (method, params) in [
        ("SendStreamingMessage", send("hello", Some("c"))),
        ("message/stream", send_03("hello", Some("c"))),
        ("message.send", send_old("hello", "c")),
    ] {
        let body: Value = serde_json::from_str(&call(method, &params)).expect("JSON");
        assert!(api.takes("post", "/", &body), "{body}");
        assert!(rpc(&api, method, &params).await.events.len() > 3, "{method}");
    }
    let mut whole = send_old("hello", "c");
    whole["configuration"]["stream"] = json!(false);
    assert_eq!(rpc(&api, "message.send", &whole).await.body["result"]["status"], "completed");
    for (method, params, member) in [
        ("GetTask", json!({"id": task, "historyLength": 1}), "status"),
        ("tasks/get", json!({"id": task}), "kind"),
        ("tasks/get", json!({"taskId": task}), "createdAt"),
        ("ListTasks", json!({"includeArtifacts": true, "pageSize": 2}), "totalSize"),
    ] {
        let answer = rpc(&api, method, &params).await.body;
        assert!(answer["result"].get(member).is_some(), "{method}: {answer}");
    }
    let refused = [
        ("GetTask", json!({"id": "none"}), -32001),
        ("CancelTask", json!({"id": task}), -32002),
        ("CreateTaskPushNotificationConfig", json!({}), -32003),
        ("SubscribeToTask", json!({"id": task}), -32004),
        (
            "SendMessage",
            json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"raw": ""}]}}),
            -32005,
        ),
        ("agent/getAuthenticatedExtendedCard", json!({}), -32007),
        ("NoSuchMethod", json!({}), -32601),
        ("SendMessage", json!({"message": {}}), -32602),
        ("tasks/get", json!({"taskId": "none"}), -32001),
    ];
    for (method, params, code) in refused {
        assert_eq!(rpc(&api, method, &params).await.body["error"]["code"], code, "{method} {params}");
    }
    for (method, params) in [("message/stream", json!({})), ("message.send", json!({}))] {
        assert_eq!(rpc(&api, method, &params).await.events[0].data["error"]["code"], -32602, "{method}");
    }

    let ask = |body: String, content_type: &'static str| {
        let api = &api;
        async move {
            let given = Given { body: Some(&body), content_type, ..NOTHING };
            api.ask(Method::POST, "/a2a/", &[], given).await
        }
    };
    assert_eq!(ask("{".to_owned(), "application/json").await.body["error"]["code"], -32700);
    assert_eq!(ask("[]".to_owned(), "application/json").await.body["error"]["code"], -32600);
    assert_eq!(ask("{}".to_owned(), "text/plain").await.status, 415);
    assert_eq!(ask(" ".repeat(100_001), "application/json").await.status, 413);
    let given = Given {
        headers: &[("a2a-extensions", "urn:dify-a2a-gateway:extension:dify:v1")],
        body: Some(&call("GetTask", &json!({"id": task}))),
        ..NOTHING
    };
    assert!(api.ask(Method::POST, "/a2a", &[], given).await.headers.contains_key("a2a-extensions"));
}

#[tokio::test]
async fn answers_of_a_full_gateway_are_as_described() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[("MAX_CONCURRENT_TURNS", "1")]).await;
    let api = Api::of(&gateway).await;
    let mut held = gateway.client.stream("SendStreamingMessage", &send("hold", None)).await;
    let id = held.next().await.expect("the task").data["result"]["task"]["id"].clone();
    assert_eq!(rpc(&api, "SendMessage", &send("x", None)).await.status, 429);
    for Way { prefix, message, .. } in WAYS {
        for path in ["/message:send", "/message:stream"] {
            let path = format!("{prefix}{path}");
            assert_eq!(post(&api, &path, &[("tenant", "acme")], &message("x")).await.status, 429, "{path}");
        }
    }
    let (values, params) = ([("id", id.as_str().expect("an id"))], json!({"id": id}));
    let following = get(&api, "/tasks/{id}:subscribe", &values, "");
    let (followed, canceled) = tokio::join!(following, rpc(&api, "CancelTask", &params));
    assert!(followed.events.len() > 1);
    assert_eq!(canceled.body["result"]["status"]["state"], "TASK_STATE_CANCELED");
    held.all().await;
}

/// Posts JSON.
async fn post(api: &Api, template: &str, values: &[(&str, &str)], body: &Value) -> Checked {
    let body = body.to_string();
    api.ask(Method::POST, template, values, Given { body: Some(&body), ..NOTHING }).await
}

async fn get(api: &Api, template: &str, values: &[(&str, &str)], query: &str) -> Checked {
    api.ask(Method::GET, template, values, Given { query, ..NOTHING }).await
}

/// The ways of HTTP+JSON: what paths begin with, the value of a tenant, and the statuses of a task that is over and
/// cannot be cancelled, of a wrong field, of what is not offered, and of a file that the app does not take.
struct Way {
    prefix: &'static str,
    over: u16,
    wrong: u16,
    not_offered: u16,
    not_taken: u16,
    message: fn(&str) -> Value,
}

const WAYS: [Way; 3] = [
    Way { prefix: "", over: 400, wrong: 400, not_offered: 400, not_taken: 400, message: |it| send(it, None) },
    Way {
        prefix: "/{tenant}",
        over: 400,
        wrong: 400,
        not_offered: 400,
        not_taken: 400,
        message: |it| send(it, None),
    },
    Way {
        prefix: "/v1",
        over: 409,
        wrong: 422,
        not_offered: 400,
        not_taken: 415,
        message: |it| send_03_http(it, "c"),
    },
];

#[tokio::test]
async fn answers_over_http_json_are_as_described() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[("MAX_BODY_BYTES", "100000")]).await;
    let api = Api::of(&gateway).await;
    for Way { prefix, over, wrong, not_offered, not_taken, message } in WAYS {
        let at = |path: &str| format!("{prefix}{path}");
        let tenant = ("tenant", "acme");
        let body = message("hello");
        assert!(api.takes("post", &at("/message:send"), &body), "{body}");
        let sent = post(&api, &at("/message:send"), &[tenant], &body).await;
        let id = sent.body["task"]["id"].as_str().expect("an id");
        let task = [tenant, ("id", id), ("taskId", id)];
        assert!(post(&api, &at("/message:stream"), &[tenant], &message("hello")).await.events.len() > 3);
        assert_eq!(get(&api, &at("/tasks/{id}"), &task, "?historyLength=1").await.body["id"], id);
        let listed = get(&api, &at("/tasks"), &[tenant], "?includeArtifacts=true&pageSize=1").await;
        let token = match listed.headers.get("x-next-page-token") {
            Some(token) => token.to_str().expect("text"),
            None => listed.body["nextPageToken"].as_str().expect("a token"),
        };
        assert!(!token.is_empty());
        assert_eq!(get(&api, &at("/tasks"), &[tenant], &format!("?pageToken={token}")).await.status, 200);

        let none = [tenant, ("id", "none")];
        assert_eq!(get(&api, &at("/tasks/{id}"), &none, "").await.status, 404);
        assert_eq!(get(&api, &at("/tasks/{id}"), &task, "?historyLength=x").await.status, wrong);
        assert_eq!(get(&api, &at("/tasks"), &[tenant], "?pageSize=101").await.status, wrong);
        assert_eq!(get(&api, &at("/tasks/{id}:subscribe"), &task, "").await.status, not_offered);
        assert_eq!(post(&api, &at("/tasks/{id}:subscribe"), &none, &json!({})).await.status, 404);
        assert_eq!(post(&api, &at("/tasks/{id}:cancel"), &task, &json!({})).await.status, over);
        assert_eq!(post(&api, &at("/tasks/{id}:cancel"), &none, &json!({})).await.status, 404);
        assert_eq!(post(&api, &at("/message:send"), &[tenant], &json!({})).await.status, wrong);
        let mut file = message("");
        for (member, part) in
            [("parts", json!({"raw": ""})), ("content", json!({"file": {"fileWithBytes": ""}}))]
        {
            if file["message"].get(member).is_some() {
                file["message"][member] = json!([part]);
            }
        }
        assert_eq!(post(&api, &at("/message:send"), &[tenant], &file).await.status, not_taken, "{file}");
        let configs = at("/tasks/{taskId}/pushNotificationConfigs");
        assert_eq!(post(&api, &configs, &task, &json!({})).await.status, not_offered);
        assert_eq!(get(&api, &configs, &task, "").await.status, not_offered);
        let config = at("/tasks/{taskId}/pushNotificationConfigs/{id}");
        assert_eq!(api.ask(Method::DELETE, &config, &task, NOTHING).await.status, not_offered);

        let ask = |body: &'static str, content_type, headers| {
            let (api, at) = (&api, at("/message:send"));
            async move {
                let given = Given { body: Some(&body.to_owned()), content_type, headers, ..NOTHING };
                api.ask(Method::POST, &at, &[tenant], given).await.status
            }
        };
        assert_eq!(ask("{", "application/json", &[]).await, 400);
        assert_eq!(ask("{}", "text/plain", &[]).await, 415);
        assert_eq!(ask("{}", "application/json", &[("a2a-version", "9.9")]).await, 400);
        assert_eq!(
            post(&api, &at("/message:send"), &[tenant], &json!(" ".repeat(100_000))).await.status,
            413
        );
    }
    assert_eq!(get(&api, "/v1/card", &[], "").await.status, 404);
    let given = Given { headers: &[("accept", "application/a2a+json")], ..NOTHING };
    for (path, status) in [("/tasks", 200), ("/extendedAgentCard", 400)] {
        let answer = api.ask(Method::GET, path, &[], given).await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (status, &"application/a2a+json".parse().expect("a value"))
        );
    }
}

#[tokio::test]
async fn answers_of_routes_that_all_bindings_share_are_as_described() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    for path in [
        "/.well-known/agent-card.json",
        "/.well-known/agent.json",
        "/agentcard",
        "/health",
        "/ready",
        "/openapi.json",
    ] {
        let answer = api.ask(Method::GET, path, &[], NOTHING).await;
        assert_eq!(answer.status, 200, "{path}");
        if let Some(etag) = answer.headers.get("etag") {
            let known = [("if-none-match", etag.to_str().expect("text"))];
            let given = Given { headers: &known, ..NOTHING };
            assert_eq!(api.ask(Method::GET, path, &[], given).await.status, 304, "{path}");
        }
    }
    assert_eq!(api.ask(Method::GET, "/files/{id}", &[("id", "none")], NOTHING).await.status, 404);

    let task = gateway.client.send("hello", Some("c")).await["id"].clone();
    for (path, body) in [
        ("/tasks/get", json!({"params": {"taskId": task}})),
        ("/tasks/get", json!({"params": {"taskId": "none"}})),
        ("/tasks/get", json!({"jsonrpc": "1.0"})),
        ("/tasks/list", json!({"params": {"limit": 1}})),
        ("/tasks/list", json!({"params": {"limit": 0}})),
        ("/tasks/cancel", json!({"jsonrpc": "2.0", "id": "x", "params": {"taskId": task}})),
    ] {
        let body = body.to_string();
        assert_eq!(
            api.ask(Method::POST, path, &[], Given { body: Some(&body), ..NOTHING }).await.status,
            200
        );
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_ready_says_so_as_described() {
    let dify = FakeDify::with("1.14.2", |_| Reply::html(500), |_| Some(Reply::html(500))).await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    assert_eq!(api.ask(Method::GET, "/ready", &[], NOTHING).await.status, 503);
}
