//! The JSON-RPC envelope and the headers beside it, to the letter.

use serde_json::{Value, json};

use super::support::client::send;
use super::support::{Client, FakeDify, Gateway, Reply, bytes};

const OURS: &str = "urn:dify-a2a-gateway:extension:dify:v1";
const JSON: &str = "Content-Type: application/json\r\nConnection: close\r\n";

/// Posts these bytes to `/a2a` and gives the answer as text.
async fn text(client: &Client, body: String) -> String {
    let request = client.http.post(format!("{}/a2a", client.base)).header("Content-Type", "application/json");
    request.body(body).send().await.expect("an answer").text().await.expect("a body")
}

fn request(id: &str, method: &str, params: &Value) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

#[tokio::test]
async fn j02_j03_t02_every_answer_and_every_event_has_the_id_of_its_request() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for id in ["1", "-7", "0", "9007199254740993", "\"a\"", "\"1\"", "\"\"", "null"] {
        let expected: Value = serde_json::from_str(id).expect("JSON");
        let methods =
            ["SendMessage", "SendStreamingMessage", "ListTasks", "GetTask", "message/send", "message/stream"];
        for method in methods {
            let params = if method.contains("Message") {
                send("a b", None)
            } else if method.contains("message") {
                super::support::client::send_03("a b", None)
            } else {
                json!({})
            };
            let answer = text(&gateway.client, request(id, method, &params)).await;
            let is_stream = answer.starts_with("id: ");
            let answers: Vec<&str> = if is_stream {
                answer.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
            } else {
                vec![answer.trim()]
            };
            assert_eq!(is_stream, method.to_lowercase().contains("stream"), "{method}: {answer}");
            assert!(!is_stream || answers.len() > 3, "{answer}");
            for answer in answers {
                let answer: Value = serde_json::from_str(answer).expect("JSON");
                let members = answer.as_object().expect("an object");
                assert_eq!(
                    (&answer["jsonrpc"], &answer["id"]),
                    (&json!("2.0"), &expected),
                    "{method}: {answer}"
                );
                let either = members.contains_key("result") != members.contains_key("error");
                assert!(either && members.len() == 3, "{method}: {answer}");
                // Without an id of a task, and only then, there is something to complain of.
                assert_eq!(members.contains_key("error"), method == "GetTask", "{answer}");
                if method == "SendStreamingMessage" {
                    let result = answer["result"].as_object().expect("an object");
                    let kinds = ["task", "message", "statusUpdate", "artifactUpdate"];
                    let is_one =
                        result.len() == 1 && result.keys().all(|name| kinds.contains(&name.as_str()));
                    assert!(is_one, "{answer}");
                }
            }
        }
    }
}

#[tokio::test]
async fn j08_j11_answers_are_json_at_every_spelling_of_the_address() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for path in ["/a2a", "/a2a/", "/"] {
        for (body, member) in [
            (request("1", "ListTasks", &json!({})), "result"),
            (request("1", "SendMessage", &send("x", None)), "result"),
            (request("1", "GetTask", &json!({"id": "none"})), "error"),
            ("{".to_owned(), "error"),
        ] {
            // On a bare socket, where nobody follows a redirect.
            let answer = bytes::exchange(gateway.addr, &bytes::post(path, JSON, &body)).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            assert!(answer.head.contains("content-type: application/json\r\n"), "{answer:?}");
            assert!(answer.json().get(member).is_some(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn v02_v05_headers_count_in_any_case() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let body = request("1", "ListTasks", &json!({}));
    for name in ["A2A-Version", "a2a-version", "A2A-VERSION", "a2A-vErSiOn"] {
        let sent = |version: &str| bytes::post("/a2a", &format!("{JSON}{name}: {version}\r\n"), &body);
        let good = bytes::exchange(gateway.addr, &sent("1.0")).await.json();
        assert!(good.get("result").is_some(), "{name}: {good}");
        let bad = bytes::exchange(gateway.addr, &sent("99.0")).await.json();
        assert_eq!(bad["error"]["code"], -32009, "{name}: {bad}");
    }
    for name in ["A2A-Extensions", "a2a-extensions", "A2A-EXTENSIONS", "X-A2A-Extensions", "x-a2a-extensions"]
    {
        let head = format!("{JSON}{name}: urn:other , {OURS}\r\n");
        let answer = bytes::exchange(gateway.addr, &bytes::post("/a2a", &head, &body)).await;
        let echoed = format!("{}: {OURS}\r\n", name.to_ascii_lowercase());
        assert!(format!("{}\r\n", answer.head).contains(&echoed), "{name}: {}", answer.head);
    }
}

#[tokio::test]
async fn v10_a_required_extension_has_to_be_listed() {
    let dify = FakeDify::echo().await;
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("card.json");
    let card = json!({"capabilities": {"extensions": [{"uri": "urn:needed", "required": true}, {"uri": "urn:nice"}]}});
    std::fs::write(&file, card.to_string()).expect("written");
    let gateway = Gateway::before(&dify, &[("AGENT_CARD", file.to_str().expect("a path"))]).await;
    for (listed, refused) in
        [("", true), ("urn:nice", true), ("urn:needed2", true), ("urn:nice, urn:needed", false)]
    {
        for (method, params) in [("SendMessage", send("x", None)), ("ListTasks", json!({}))] {
            let head = format!("{JSON}A2A-Extensions: {listed}\r\n");
            let body = request("1", method, &params);
            let answer = bytes::exchange(gateway.addr, &bytes::post("/a2a", &head, &body)).await.json();
            let code = answer["error"]["code"].as_i64();
            assert_eq!(code, refused.then_some(-32008), "{listed} {method}: {answer}");
            if refused {
                assert_eq!(answer["error"]["data"][0]["reason"], "EXTENSION_SUPPORT_REQUIRED");
                assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("urn:needed")));
            }
        }
    }
    assert_eq!(dify.chats().len(), 1);
}

#[tokio::test]
async fn v09_v11_another_version_of_our_extension_is_not_ours() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for listed in
        [OURS.replace(":v1", ":v0"), OURS.replace(":v1", ":v2"), OURS.to_uppercase(), format!("{OURS}.1")]
    {
        let head = format!("{JSON}A2A-Extensions: {listed}\r\n");
        let body = request("1", "SendMessage", &send("x", None));
        let answer = bytes::exchange(gateway.addr, &bytes::post("/a2a", &head, &body)).await;
        assert!(!answer.head.contains("a2a-extensions:"), "{listed}: {}", answer.head);
        assert_eq!(answer.json()["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{listed}");
    }
}

#[tokio::test]
async fn j14_unknown_members_are_ignored_wherever_they_are() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let odd = json!({"deep": [1, {"er": null}]});
    let mut params = send("hello", None);
    for place in ["", "/message", "/message/parts/0", "/configuration"] {
        if place == "/configuration" {
            params["configuration"] = json!({"historyLength": 1});
        }
        params.pointer_mut(place).expect("an object")["unknownMember"] = odd.clone();
    }
    params["message"]["kind"] = json!("message");
    params["message"]["parts"][0]["kind"] = json!("text");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params, "unknown": odd});
    let answer: Value = gateway.client.post(&body).await.json().await.expect("JSON");
    let task = &answer["result"]["task"];
    assert_eq!(task["artifacts"][0]["parts"][0]["text"], "You said: hello", "{answer}");
    assert!(!answer.to_string().contains("unknownMember"));
    for (method, params) in [
        ("GetTask", json!({"id": task["id"], "unknown": odd})),
        ("ListTasks", json!({"pageSize": 1, "unknown": odd})),
    ] {
        gateway.client.result(method, &params).await;
    }
}

#[tokio::test]
async fn j17_j18_j19_errors_have_codes_and_details_of_a2a() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let task = gateway.client.send("x", None).await["id"].clone();
    let mut to_ended = send("more", None);
    to_ended["message"]["taskId"] = task.clone();
    let data = json!({"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"data": {}}]}});
    for (method, params, code, reason) in [
        ("GetTask", json!({"id": "none"}), -32001, "TASK_NOT_FOUND"),
        ("CancelTask", json!({"id": task}), -32002, "TASK_NOT_CANCELABLE"),
        ("ListTaskPushNotificationConfigs", json!({}), -32003, "PUSH_NOTIFICATION_NOT_SUPPORTED"),
        ("SendMessage", to_ended, -32004, "UNSUPPORTED_OPERATION"),
        ("SubscribeToTask", json!({"id": task}), -32004, "UNSUPPORTED_OPERATION"),
        ("SendMessage", data, -32005, "CONTENT_TYPE_NOT_SUPPORTED"),
        ("GetExtendedAgentCard", json!({}), -32004, "UNSUPPORTED_OPERATION"),
    ] {
        let error = gateway.client.error(method, &params).await;
        assert_eq!(error["code"], code, "{method}: {error}");
        assert!(
            (-32099..=-32001).contains(&code) && error["message"].as_str().is_some_and(|it| !it.is_empty())
        );
        let details = error["data"].as_array().expect("an array");
        for detail in details {
            assert!(
                detail["@type"].as_str().is_some_and(|it| it.starts_with("type.googleapis.com/")),
                "{error}"
            );
        }
        let infos: Vec<&Value> =
            details.iter().filter(|it| it["@type"] == "type.googleapis.com/google.rpc.ErrorInfo").collect();
        assert_eq!(infos.len(), 1, "{error}");
        assert_eq!((&infos[0]["reason"], &infos[0]["domain"]), (&json!(reason), &json!("a2a-protocol.org")));
        let metadata = infos[0]["metadata"].as_object().expect("a map");
        assert!(metadata.values().all(Value::is_string), "{error}");
    }
    // The standard's own codes are not in that range.
    assert_eq!(gateway.client.error("NoSuchMethod", &json!({})).await["code"], -32601);
    assert_eq!(gateway.client.error("GetTask", &json!({})).await["code"], -32602);
}

#[tokio::test]
async fn j20_other_verbs_are_not_allowed() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for path in ["/a2a", "/"] {
        for verb in ["GET", "PUT", "PATCH", "DELETE"] {
            let verb = verb.parse().expect("a verb");
            let request = gateway.client.http.request(verb, format!("{}{path}", gateway.client.base));
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 405, "{path}");
            assert!(response.headers()["allow"].to_str().expect("text").contains("POST"));
        }
    }
}

#[tokio::test]
async fn a06_what_is_over_a_limit_is_refused_before_anything_is_done() {
    let dify = FakeDify::chat(|_| Reply::error(500, "internal_server_error", "nobody should ask")).await;
    let gateway = Gateway::before(&dify, &[("MAX_BODY_BYTES", "100000")]).await;
    let message =
        |members: &str| format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER",{members}}}}}"#);
    let parts = vec![r#"{"text":"x"}"#; 101].join(",");
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let long = "x".repeat(600);
    for (params, code, named) in [
        (message(&format!(r#""parts":[{parts}]"#)), -32602, "message.parts"),
        (message(&format!(r#""parts":[{{"data":{deep}}}]"#)), -32602, "params"),
        (message(&format!(r#""parts":[{{"text":"x"}}],"metadata":{{"a":{deep}}}"#)), -32602, "params"),
        (message(&format!(r#""parts":[{{"text":"x"}}],"contextId":"{long}""#)), -32602, "message.contextId"),
        (message(&format!(r#""parts":[{{"text":"{}"}}]"#, "x".repeat(100_000))), -32600, ""),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{params}}}"#);
        let answer: Value = serde_json::from_str(&text(&gateway.client, body).await).expect("JSON");
        assert_eq!(answer["error"]["code"], code, "{named}: {answer}");
        assert!(answer["error"]["data"].to_string().contains(&format!("\"{named}")), "{named}: {answer}");
    }
    assert!(dify.chats().is_empty());
    assert_eq!(gateway.client.result("ListTasks", &json!({})).await["totalSize"], 0);
}
