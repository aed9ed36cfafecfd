//! The OpenAPI document: whole in itself, the same routes as the router's, and true of real answers.

use std::collections::BTreeSet;

use dify_a2a::edge::dialect::Operation;
use dify_a2a::edge::rest::table::ROUTES;
use http::Method;
use serde_json::{Value, json};

use super::support::api::{Api, Checked, Given, NOTHING};
use super::support::client::{send, send_03, send_old};
use super::support::dify_frames::{echo, message, message_end};
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

/// Everything in the document that refers to something else.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_whole() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    let document = &api.document;
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(document["servers"], json!([{ "url": gateway.client.base }]));
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));

    let mut used = Vec::new();
    references(document, &mut used);
    for reference in &used {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for (kind, all) in document["components"].as_object().expect("components") {
        for (name, component) in all.as_object().expect("components of a kind") {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference.as_str()), "{reference} is used nowhere");
            if kind == "schemas" {
                assert!(jsonschema::meta::is_valid(component), "{name}");
                api.validator(component);
            }
        }
    }

    let tags: Vec<&Value> =
        document["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    let mut names = BTreeSet::new();
    for (method, path, operation) in api.operations() {
        let place = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().expect("a name")), "{place}");
        assert!(operation["summary"].is_string() && tags.contains(&&operation["tags"][0]), "{place}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(!responses.is_empty(), "{place}");
        assert!(responses.values().all(|it| api.followed(it)["description"].is_string()), "{place}");
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_path: BTreeSet<&str> = parameters
            .map(|parameter| api.followed(parameter))
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        let in_template: BTreeSet<&str> =
            path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(in_path, in_template, "{place}");
        for link in responses.get("200").and_then(|it| it["links"].as_object()).into_iter().flatten() {
            assert!(names_an_operation(&api, &link.1["operationId"]), "{place}: {link:?}");
        }
    }
}

fn names_an_operation(api: &Api, id: &Value) -> bool {
    api.operations().iter().any(|(_, _, operation)| operation["operationId"] == *id)
}

#[tokio::test]
async fn every_description_is_routed_and_only_for_its_verbs() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    for (_, template, _) in api.operations() {
        let path = template.replace("{tenant}", "acme").replace("{id}", "none").replace("{taskId}", "none");
        let described: BTreeSet<Method> = api
            .operations()
            .into_iter()
            .filter(|(_, other, _)| stands_for(other, &path))
            .map(|(verb, _, _)| verb)
            .collect();
        for verb in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let request = gateway.client.http.request(verb.clone(), format!("{}{path}", gateway.client.base));
            let response = request.send().await.expect("an answer");
            let (status, allow) = (response.status().as_u16(), response.headers().get("allow").cloned());
            let text = response.text().await.expect("a body");
            let place = format!("{verb} {template}: {status} {text}");
            assert!(!text.contains("there is nothing at") && (status != 404 || !text.is_empty()), "{place}");
            assert_eq!(status != 405, described.contains(&verb), "{place}");
            if status == 405 {
                let allow = allow.expect("the verbs that there are");
                let allowed = allow.to_str().expect("text").split(',').map(str::trim);
                let allowed: BTreeSet<&str> = allowed.filter(|verb| *verb != "HEAD").collect();
                assert_eq!(allowed, described.iter().map(Method::as_str).collect(), "{place}");
            }
        }
    }
}

/// Whether a path is one that a template stands for. What follows a colon belongs to the template.
fn stands_for(template: &str, path: &str) -> bool {
    let (templates, segments) = (template.split('/'), path.split('/'));
    templates.clone().count() == segments.clone().count()
        && templates.zip(segments).all(|(template, segment)| match template.split_once('}') {
            Some((_, action)) => {
                segment.split_once(':').map_or(!segment.is_empty() && action.is_empty(), |(_, it)| {
                    action.strip_prefix(':') == Some(it)
                })
            }
            None => template == segment,
        })
}

/// Routes that the document leaves out, and why.
const LEFT_OUT: [&str; 0] = [];

#[tokio::test]
async fn every_route_is_described() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    let source = include_str!("../../src/edge/routes.rs");
    let routes: Vec<&str> =
        source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(routes.len() > 10, "{routes:?}");
    for route in routes {
        let described = api.document["paths"].get(route).is_some();
        assert!(described != LEFT_OUT.contains(&route), "{route}");
    }
}

#[tokio::test]
async fn the_routes_of_http_json_are_those_of_its_table() {
    let dify = dify().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let api = Api::of(&gateway).await;
    let table: BTreeSet<(String, String)> = ROUTES
        .iter()
        .flat_map(|route| route.templates().map(|path| (route.method.to_string(), path.into_owned())))
        .collect();
    let described: BTreeSet<(String, String)> = api
        .operations()
        .into_iter()
        .filter(|(_, _, operation)| operation["operationId"].as_str().is_some_and(is_of_the_table))
        .map(|(verb, path, _)| (verb.to_string(), path.to_owned()))
        .collect();
    assert_eq!(described, table);
    for route in &ROUTES {
        let operation = &api.document["paths"][route.template][route.method.as_str().to_ascii_lowercase()];
        let parameters = operation["parameters"].as_array().expect("parameters").iter();
        let in_query: BTreeSet<&str> = parameters
            .map(|parameter| api.followed(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().expect("a name"))
            .collect();
        // What is refused in any case need not say how it would be asked for.
        if route.operation != Operation::Push {
            let read: BTreeSet<&str> = route.query.iter().map(|parameter| parameter.name).collect();
            assert_eq!(in_query, read, "{} {}", route.method, route.template);
        }
    }
}

/// Whether the operation of this name is one of the HTTP+JSON binding's.
fn is_of_the_table(name: &str) -> bool {
    let shared = ["call", "legacy", "agentCard", "openapi", "file", "health", "ready"];
    !shared.iter().any(|beginning| name.starts_with(beginning))
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
    Way { prefix: "/v1", over: 409, wrong: 422, not_offered: 400, not_taken: 415, message: send_03_http },
];

fn send_03_http(text: &str) -> Value {
    let id = uuid::Uuid::now_v7().to_string();
    let message = json!({"messageId": id, "role": "ROLE_USER", "content": [{"text": text}]});
    json!({"message": message, "configuration": {"blocking": true}})
}

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
        // 0.3 has its place in a header.
        let token = match listed.body["nextPageToken"].as_str() {
            Some(token) => token,
            None => listed.headers["x-next-page-token"].to_str().expect("text"),
        };
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
