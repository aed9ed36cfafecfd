//! What this gateway does not have, and says so: the conditions on which requirements do not apply.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::client::{send, send_03};
use super::support::{FakeDify, Gateway, bytes};

async fn card_of(gateway: &Gateway) -> Value {
    let card = gateway.client.http.get(format!("{}/.well-known/agent-card.json", gateway.client.base));
    card.send().await.expect("an answer").json().await.expect("JSON")
}

#[tokio::test]
async fn p01_s11_push_is_not_declared_and_refused() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    assert_eq!(card_of(&gateway).await["capabilities"]["pushNotifications"], false);
    // Neither a task that there is nor whole params make a difference.
    let task = gateway.client.send("x", None).await["id"].clone();
    let config = json!({"url": "https://example.com", "id": "c"});
    for (method, params) in [
        ("CreateTaskPushNotificationConfig", json!({"taskId": task, "url": "https://example.com"})),
        ("GetTaskPushNotificationConfig", json!({"taskId": task, "id": "c"})),
        ("ListTaskPushNotificationConfigs", json!({"taskId": task})),
        ("DeleteTaskPushNotificationConfig", json!({"taskId": task, "id": "c"})),
        ("tasks/pushNotificationConfig/set", json!({"taskId": task, "pushNotificationConfig": config})),
        ("tasks/pushNotificationConfig/get", json!({"id": task, "pushNotificationConfigId": "c"})),
        ("tasks/pushNotificationConfig/list", json!({"id": task})),
        ("tasks/pushNotificationConfig/delete", json!({"id": task, "pushNotificationConfigId": "c"})),
    ] {
        let error = gateway.client.error(method, &params).await;
        assert_eq!(error["code"], -32003, "{method}: {error}");
        assert_eq!(error["data"][0]["reason"], "PUSH_NOTIFICATION_NOT_SUPPORTED", "{method}");
    }
    let mut inline = send("x", None);
    inline["configuration"] = json!({"taskPushNotificationConfig": {"url": "https://example.com"}});
    assert_eq!(gateway.client.error("SendMessage", &inline).await["code"], -32003);
    assert_eq!(gateway.client.error("SendStreamingMessage", &inline).await["code"], -32003);
    let mut inline = send_03("x", None);
    inline["configuration"] = json!({"pushNotificationConfig": {"url": "https://example.com"}});
    assert_eq!(gateway.client.error("message/send", &inline).await["code"], -32003);
    assert_eq!(dify.chats().len(), 1, "only the task that there is");
}

#[tokio::test]
async fn c17_o10_j13_the_extended_card_is_refused_as_the_card_says() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let card = card_of(&gateway).await;
    assert_eq!(card["capabilities"]["extendedAgentCard"], false);
    assert_eq!(card["supportsAuthenticatedExtendedCard"], false);
    for (method, code) in [("GetExtendedAgentCard", -32004), ("agent/getAuthenticatedExtendedCard", -32007)] {
        for params in [None, Some(json!({}))] {
            let mut body = json!({"jsonrpc": "2.0", "id": 1, "method": method});
            if let Some(params) = params {
                body["params"] = params;
            }
            let answer: Value = gateway.client.post(&body).await.json().await.expect("JSON");
            assert_eq!(answer["error"]["code"], code, "{answer}");
        }
    }
}

#[tokio::test]
async fn c12_no_security_is_declared_and_none_enforced() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let card = card_of(&gateway).await;
    for name in ["securitySchemes", "securityRequirements", "security"] {
        assert!(card.get(name).is_none(), "{name}");
        assert!(card["skills"][0].get(name).is_none(), "{name} of a skill");
    }
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": send("x", None)}).to_string();
    for credentials in ["", "Authorization: Bearer nonsense\r\n", "X-API-Key: nonsense\r\n"] {
        let head = format!("Content-Type: application/json\r\nConnection: close\r\n{credentials}");
        let answer = bytes::exchange(gateway.addr, &bytes::post("/a2a", &head, &body)).await;
        assert_eq!((answer.status, answer.head.contains("www-authenticate")), (200, false), "{answer:?}");
        assert_eq!(
            answer.json()["result"]["task"]["status"]["state"],
            "TASK_STATE_COMPLETED",
            "{credentials}"
        );
    }
}

#[tokio::test]
async fn cards_are_not_signed() {
    let dify = FakeDify::echo().await;
    for style in ["hybrid", "v1"] {
        let gateway = Gateway::before(&dify, &[("CARD_STYLE", style)]).await;
        assert!(card_of(&gateway).await.get("signatures").is_none(), "{style}");
    }
}

#[tokio::test]
async fn one_process_serves_one_app() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let own = card_of(&gateway).await["name"].clone();
    assert_eq!(own, "Test app");
    for path in ["/other/.well-known/agent-card.json", "/test-app/.well-known/agent-card.json"] {
        let response = gateway.client.http.get(format!("{}{path}", gateway.client.base)).send().await;
        assert_eq!(response.expect("an answer").status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_restart_forgets_and_says_so() {
    let dify = FakeDify::echo().await;
    let before = Gateway::before(&dify, &[]).await;
    let id = before.client.send("x", None).await["id"].clone();
    before.shut_down().await;
    let after = Gateway::before(&dify, &[]).await;
    for method in ["GetTask", "SubscribeToTask", "CancelTask", "tasks/get"] {
        assert_eq!(after.client.error(method, &json!({"id": id})).await["code"], -32001, "{method}");
    }
}

#[tokio::test]
async fn the_port_speaks_no_tls() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    // The beginning of a ClientHello (RFC 8446 §5.1), and enough behind it to look at.
    let hello =
        [[0x16, 0x03, 0x01, 0x00, 0x40, 0x01, 0x00, 0x00, 0x3c, 0x03, 0x03].as_slice(), &[0; 64]].concat();
    let answer = bytes::raw(gateway.addr, &hello).await;
    // A TLS server would say hello (22) or give the alarm (21).
    assert!(!matches!(answer.first(), Some(21 | 22)), "{answer:?}");
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
}

/// The state has a name in the core and in the dialects, and nothing that runs turns ever gives it to a task.
#[test]
fn no_task_asks_for_authorization() {
    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { sources(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for part in ["app.rs", "bridge", "core", "dify", "store", "translate"].map(|part| root.join(part)) {
        if part.is_dir() { sources(&part, &mut found) } else { found.push(part) }
    }
    assert!(found.len() > 50, "{}", found.len());
    for file in found.iter().filter(|file| !file.ends_with("core/state.rs")) {
        let source = std::fs::read_to_string(file).expect("a source");
        assert!(!source.contains("AuthRequired"), "{}", file.display());
    }
    assert!(std::fs::read_to_string(root.join("core/state.rs")).expect("a source").contains("AuthRequired"));
}
