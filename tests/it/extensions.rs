//! Extensions: which of them a request activates, how it is told so, and what happens without one that is required.

use std::io::Write;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::support::client::{send, send_03, send_old};
use super::support::{FakeDify, Gateway};

const OURS: &str = "urn:dify-a2a-gateway:extension:dify:v1";
const REQUIRED: &str = "https://example.org/ext/required/v1";

/// A card file of an operator whose app needs one extension and knows another.
fn card_file() -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    let card =
        json!({"capabilities": {"extensions": [{"uri": REQUIRED, "required": true}, {"uri": "urn:known"}]}});
    write!(file, "{card}").expect("written");
    file
}

/// Posts one message and gives the answer with its headers.
async fn post(
    gateway: &Gateway,
    method: &str,
    params: &Value,
    headers: &[(&str, &str)],
) -> (http::HeaderMap, Value) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = gateway.client.http.post(format!("{}/a2a", gateway.client.base)).json(&body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let text = response.text().await.expect("a body");
    let first = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text);
    (headers, serde_json::from_str(first).unwrap_or_else(|error| panic!("{error}: {text}")))
}

#[tokio::test]
async fn v10_a_required_extension_must_be_listed_in_every_dialect_that_has_extensions() {
    let dify = FakeDify::echo().await;
    let file = card_file();
    let gateway = Gateway::before(&dify, &[("AGENT_CARD", file.path().to_str().expect("a path"))]).await;
    let calls = [
        ("SendMessage", send("x", None)),
        ("SendStreamingMessage", send("x", None)),
        ("GetTask", json!({"id": "x"})),
        ("message/send", send_03("x", None)),
        ("message/stream", send_03("x", None)),
        ("tasks/resubscribe", json!({"id": "x"})),
    ];
    for (method, params) in &calls {
        for headers in [
            &[][..],
            &[("A2A-Extensions", OURS)],
            // Another version is another extension.
            &[("A2A-Extensions", "https://example.org/ext/required/v2, https://example.org/ext/required")],
        ] {
            let (_, answer) = post(&gateway, method, params, headers).await;
            assert_eq!(answer["error"]["code"], -32008, "{method}: {answer}");
            let detail = &answer["error"]["data"][0];
            assert_eq!(
                (&detail["reason"], &detail["metadata"]["extension"]),
                (&json!("EXTENSION_SUPPORT_REQUIRED"), &json!(REQUIRED))
            );
        }
    }
    assert!(dify.chats().is_empty(), "a refusal costs nothing");
    for (method, params) in [("SendMessage", send("x", None)), ("message/send", send_03("y", None))] {
        for name in ["A2A-Extensions", "X-A2A-Extensions"] {
            let (_, answer) = post(&gateway, method, &params, &[(name, REQUIRED)]).await;
            assert!(answer.get("error").is_none(), "{method} {name}: {answer}");
        }
    }
    // Who never heard of extensions is not asked for one.
    let (_, answer) = post(&gateway, "message.send", &send_old("x", "c"), &[]).await;
    assert!(answer.get("error").is_none(), "{answer}");
    for path in ["/.well-known/agent-card.json", "/.well-known/agent.json", "/agentcard", "/health"] {
        let response = gateway.client.http.get(format!("{}{path}", gateway.client.base)).send().await;
        assert_eq!(response.expect("an answer").status(), 200, "{path} is public");
    }
}

#[tokio::test]
async fn v08_v12_v13_what_is_active_is_told_in_the_header_that_it_was_asked_in() {
    let dify = FakeDify::echo().await;
    let file = card_file();
    let gateway = Gateway::before(&dify, &[("AGENT_CARD", file.path().to_str().expect("a path"))]).await;
    let (new, old) = ("A2A-Extensions", "X-A2A-Extensions");
    let all = format!("{REQUIRED} ,urn:unknown,  {OURS},{REQUIRED}");
    let both = format!("{REQUIRED},{OURS}");
    for (asked, in_new, in_old) in [
        (vec![(new, all.as_str())], Some(both.as_str()), None),
        (vec![(old, all.as_str())], None, Some(both.as_str())),
        (
            vec![(new, REQUIRED), (new, "urn:known")],
            Some("https://example.org/ext/required/v1,urn:known"),
            None,
        ),
        (vec![(new, REQUIRED), (old, OURS)], Some(both.as_str()), Some(both.as_str())),
        (vec![(new, ""), (old, REQUIRED)], Some(REQUIRED), Some(REQUIRED)),
    ] {
        for (method, params) in [
            ("SendMessage", send("x", None)),
            ("SendStreamingMessage", send("x", None)),
            ("message/send", send_03("x", None)),
            ("GetTask", json!({"id": "none"})),
        ] {
            let (told, _) = post(&gateway, method, &params, &asked).await;
            let of = |name: &str| told.get(name).map(|value| value.to_str().expect("text"));
            assert_eq!((of(new), of(old)), (in_new, in_old), "{method}: {asked:?}");
        }
    }
}
