//! The HTTP and JSON-RPC surface: what is refused, how, and what it costs (nothing).

use serde_json::{Value, json};

use super::support::client::{send, send_03};
use super::support::{Client, FakeDify, Gateway};

async fn raw(
    client: &Client,
    path: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    let request = client.http.post(format!("{}{path}", client.base)).header("Content-Type", content_type);
    let response = request.body(body).send().await.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test]
async fn j01_to_j07_and_j10_j12_j17_o09_bad_envelopes_get_the_specified_error_and_cost_nothing() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let cases = [
        ("{", -32700, Value::Null),
        ("", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"GetTask"}]"#, -32600, Value::Null),
        (r#"{"jsonrpc":"1.0","id":1,"method":"GetTask"}"#, -32600, json!(1)),
        (r#"{"jsonrpc":"2.0","id":"a"}"#, -32600, json!("a")),
        (r#"{"jsonrpc":"2.0","id":{},"method":"GetTask"}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"2.0","id":5,"method":"NoSuchMethod"}"#, -32601, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"tasks/list","params":{}}"#, -32601, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"SendMessage","params":{}}"#, -32602, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"SendMessage"}"#, -32602, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"GetTask","params":{"id":"none"}}"#, -32001, json!(5)),
    ];
    for path in ["/", "/a2a", "/a2a/"] {
        for (body, code, id) in &cases {
            let (status, answer) = raw(&gateway.client, path, "application/json", *body).await;
            assert_eq!((status, &answer["error"]["code"], &answer["id"]), (200, &json!(code), id), "{body}");
            assert!(answer.get("result").is_none());
            let data = answer["error"]["data"].as_array().expect("an array");
            assert!(data.iter().all(|detail| detail["@type"].is_string()));
        }
    }
    assert!(dify.chats().is_empty());
    let listed = gateway.client.result("ListTasks", &json!({})).await;
    assert_eq!(listed["totalSize"], 0);
}

#[tokio::test]
async fn d05_d06_j07_s07_bad_messages_name_the_field() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let message = |message: Value| json!({ "message": message });
    let cases = [
        (message(json!({"messageId": "m", "role": "ROLE_USER", "parts": []})), "message.parts"),
        (message(json!({"messageId": "m", "role": "ROLE_USER"})), "message.parts"),
        (message(json!({"messageId": "m", "role": "user", "parts": [{"text": "x"}]})), "message.role"),
        (message(json!({"role": "ROLE_USER", "parts": [{"text": "x"}]})), "message.messageId"),
        (
            message(json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x", "url": "y"}]})),
            "message.parts[0]",
        ),
        (message(json!({"messageId": "m", "role": "ROLE_USER", "parts": [{}]})), "message.parts[0]"),
        (
            message(json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": 5}]})),
            "message.parts[0].text",
        ),
        (
            message(json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"raw": "%%%"}]})),
            "message.parts[0].raw",
        ),
        (
            message(json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "   "}]})),
            "message.parts",
        ),
    ];
    for (params, field) in cases {
        let error = gateway.client.error("SendMessage", &params).await;
        assert_eq!(error["code"], -32602, "{error}");
        let violations =
            &error["data"].as_array().expect("details").iter().find(|it| it.get("fieldViolations").is_some());
        let named = violations.expect("violations")["fieldViolations"][0]["field"]
            .as_str()
            .expect("a field")
            .to_owned();
        assert_eq!(named, field);
    }
    for part in [
        json!({"url": "https://example.com/a.png"}),
        json!({"raw": "aGk="}),
        json!({"data": {"a": 1}}),
        json!({"text": "x", "mediaType": "application/x-unknown"}),
    ] {
        let params = message(json!({"messageId": "m", "role": "ROLE_USER", "parts": [part]}));
        assert_eq!(gateway.client.error("SendMessage", &params).await["code"], -32005, "{part}");
    }
    assert!(dify.chats().is_empty());
}

#[tokio::test]
async fn j09_j16_j20_http_matters_are_answered_in_http() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[("MAX_BODY_BYTES", "1024")]).await;
    let (status, answer) = raw(&gateway.client, "/a2a", "text/plain", "{'jsonrpc': '2.0'}").await;
    assert_eq!((status, &answer["error"]["code"]), (415, &json!(-32005)));
    let large = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{{"id":"{}"}}}}"#,
        "x".repeat(2_000_000)
    );
    let (status, answer) = raw(&gateway.client, "/a2a", "application/json", large).await;
    assert_eq!((status, &answer["error"]["code"]), (413, &json!(-32600)));
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(
        (0..2000).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000])),
    ));
    let (status, _) = raw(&gateway.client, "/a2a", "application/json", chunked).await;
    assert_eq!(status, 413);
    for path in ["/a2a", "/"] {
        let response = gateway
            .client
            .http
            .get(format!("{}{path}", gateway.client.base))
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), 405, "GET {path}");
    }
    let response =
        gateway.client.http.get(format!("{}/nothing", gateway.client.base)).send().await.expect("an answer");
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn v01_to_v04_and_v06_v07_the_version_must_fit_the_method() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let call = |method: &'static str, params: Value, version: Option<&'static str>, query: &'static str| {
        let client = gateway.client.clone();
        async move {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let mut request = client.http.post(format!("{}/a2a{query}", client.base)).json(&body);
            if let Some(version) = version {
                request = request.header("a2a-VERSION", version);
            }
            let text = request.send().await.expect("an answer").text().await.expect("a body");
            let text = text.trim().trim_start_matches("data: ").to_owned();
            serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        }
    };
    let code = |answer: &Value| answer["error"]["code"].as_i64();
    for version in [None, Some(""), Some("1.0"), Some("1.0.7")] {
        assert_eq!(code(&call("SendMessage", send("x", None), version, "").await), None, "{version:?}");
    }
    for version in [None, Some(""), Some("0.3"), Some("0.3.0")] {
        assert_eq!(code(&call("message/send", send_03("x", None), version, "").await), None, "{version:?}");
    }
    for version in ["99.0", "0.3", "1.7", "x"] {
        let answer = call("SendMessage", send("x", None), Some(version), "").await;
        assert_eq!(code(&answer), Some(-32009), "{version}");
        assert_eq!(answer["error"]["data"][0]["reason"], "VERSION_NOT_SUPPORTED");
    }
    assert_eq!(code(&call("message/send", send_03("x", None), Some("1.0"), "").await), Some(-32009));
    assert_eq!(code(&call("message/stream", send_03("x", None), Some("1.0"), "").await), Some(-32009));
    assert_eq!(code(&call("SendMessage", send("x", None), None, "?A2A-Version=1.0").await), None);
    assert_eq!(code(&call("SendMessage", send("x", None), None, "?A2A-Version=9.9").await), Some(-32009));
}

#[tokio::test]
async fn o06_o08_o11_t14_errors_of_0_3_streams_are_an_event() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let events = gateway.client.stream("tasks/resubscribe", &json!({"id": "none"})).await.all().await;
    assert_eq!((events.len(), &events[0].data["error"]["code"]), (1, &json!(-32001)));
    let events = gateway.client.stream("message/stream", &json!({})).await.all().await;
    assert_eq!(events[0].data["error"]["code"], -32602);
    // For 1.0 a plain answer.
    assert_eq!(gateway.client.error("SendStreamingMessage", &json!({})).await["code"], -32602);
}

#[tokio::test]
async fn the_old_dialect_refuses_in_the_form_that_was_asked_for() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for (stream, content_type) in [(false, "application/json"), (true, "text/event-stream")] {
        let params = json!({"messages": [], "configuration": {"stream": stream}});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "message.send", "params": params});
        let response = gateway.client.post(&body).await;
        assert_eq!(response.headers()["content-type"], content_type);
        assert!(response.text().await.expect("a body").contains("-32602"));
    }
}

#[tokio::test]
async fn an_id_with_the_line_ends_of_unicode_comes_back_escaped() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let id = "a\u{2028}b\u{2029}c\u{85}d";
    let body =
        json!({"jsonrpc": "2.0", "id": id, "method": "SendStreamingMessage", "params": send("x", None)});
    let text = gateway.client.post(&body).await.text().await.expect("a body");
    assert!(!text.contains(['\u{2028}', '\u{2029}', '\u{85}']));
    let first = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event");
    let first: Value = serde_json::from_str(first).expect("JSON");
    assert_eq!(first["id"], id);
}

#[tokio::test]
async fn v08_v09_known_extensions_are_echoed_and_unknown_ones_ignored() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let ours = "urn:dify-a2a-gateway:extension:dify:v1";
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": send("x", None)});
    let post = || gateway.client.http.post(format!("{}/a2a", gateway.client.base)).json(&body);
    let response =
        post().header("A2A-Extensions", format!("urn:other, {ours}")).send().await.expect("an answer");
    assert_eq!(response.headers()["a2a-extensions"], ours);
    let response = post().header("A2A-Extensions", "urn:other").send().await.expect("an answer");
    assert!(!response.headers().contains_key("a2a-extensions"));
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn c01_c06_c07_c09_c10_c13_c21_the_card() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let base = &gateway.client.base;
    let get = |path: &str| gateway.client.http.get(format!("{base}{path}"));
    let response = get("/.well-known/agent-card.json").send().await.expect("an answer");
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers["cache-control"].to_str().expect("text").contains("max-age="));
    assert!(headers.contains_key("last-modified"));
    let etag = headers["etag"].clone();
    let card: Value = response.json().await.expect("JSON");
    assert_eq!((&card["name"], &card["description"]), (&json!("Test app"), &json!("Says what you said.")));
    let interfaces = card["supportedInterfaces"].as_array().expect("interfaces");
    assert_eq!(
        (&interfaces[0]["url"], &interfaces[0]["protocolBinding"], &interfaces[0]["protocolVersion"]),
        (&json!(format!("{base}/a2a")), &json!("JSONRPC"), &json!("1.0"))
    );
    assert_eq!(
        (&card["url"], &card["preferredTransport"]),
        (&json!(format!("{base}/a2a")), &json!("JSONRPC"))
    );
    assert_eq!(card["capabilities"]["streaming"], true);
    assert_eq!(card["capabilities"]["pushNotifications"], false);
    assert!(!card["skills"].as_array().expect("skills").is_empty());
    assert!(card["skills"][0].to_string().contains("What can you do?"));
    assert!(!card.to_string().contains("app-test") && !card.to_string().contains(&dify.addr.to_string()));
    let old: Value =
        get("/.well-known/agent.json").send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(old, card);
    let unchanged =
        get("/.well-known/agent-card.json").header("If-None-Match", etag).send().await.expect("an answer");
    assert_eq!(unchanged.status(), 304);
    assert!(unchanged.bytes().await.expect("a body").is_empty());
    let head = gateway
        .client
        .http
        .head(format!("{base}/.well-known/agent-card.json"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(head.status(), 200);
    let hostile = get("/.well-known/agent-card.json").header("Host", "evil\"host").send().await;
    if let Ok(response) = hostile {
        assert!(!response.text().await.expect("a body").contains("evil"));
    }
    let listing: Value = get("/agentcard").send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(listing["name"], "Test app");
    assert!(listing["endpoints"]["message_send"].as_str().expect("a URL").ends_with("/a2a"));

    let public =
        Gateway::before(&dify, &[("PUBLIC_URL", "https://agents.example.com/echo/"), ("CARD_STYLE", "v1")])
            .await;
    let response = public.client.http.get(format!("{}/.well-known/agent-card.json", public.client.base));
    let card: Value = response.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(card["supportedInterfaces"][0]["url"], "https://agents.example.com/echo/a2a");
    assert!(card.get("url").is_none() && card.get("protocolVersion").is_none());
}

#[tokio::test]
async fn c22_browsers_may_call_from_where_they_are_allowed() {
    let dify = FakeDify::echo().await;
    let open = Gateway::before(&dify, &[]).await;
    let preflight = |gateway: &Gateway| {
        gateway
            .client
            .http
            .request(reqwest::Method::OPTIONS, format!("{}/a2a", gateway.client.base))
            .header("Origin", "https://app.example.com")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type,a2a-version")
            .send()
    };
    let response = preflight(&open).await.expect("an answer");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert!(
        response.headers()["access-control-allow-headers"].to_str().expect("text").contains("a2a-version")
    );
    let closed = Gateway::before(&dify, &[("CORS_ORIGINS", "[]")]).await;
    assert!(
        !preflight(&closed).await.expect("an answer").headers().contains_key("access-control-allow-origin")
    );
    let listed = Gateway::before(&dify, &[("CORS_ORIGINS", "https://app.example.com")]).await;
    assert_eq!(
        preflight(&listed).await.expect("an answer").headers()["access-control-allow-origin"],
        "https://app.example.com"
    );
}

#[tokio::test]
async fn n04_health_and_readiness() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let get = |base: &str, path: &str| gateway.client.http.get(format!("{base}{path}")).send();
    let health: Value =
        get(&gateway.client.base, "/health").await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&health["status"], &health["service"]), (&json!("ok"), &json!("dify-a2a-gateway")));
    assert_eq!(get(&gateway.client.base, "/ready").await.expect("an answer").status(), 200);
    let wrong_key = Gateway::before(&dify, &[("DIFY_API_KEY", "app-wrong")]).await;
    let response = get(&wrong_key.client.base, "/ready").await.expect("an answer");
    assert_eq!(response.status(), 503);
    assert!(!response.text().await.expect("a body").contains("app-wrong"));
    let nowhere = Gateway::at("http://127.0.0.1:9/v1", &[]).await;
    assert_eq!(get(&nowhere.client.base, "/ready").await.expect("an answer").status(), 503);
    assert_eq!(get(&nowhere.client.base, "/health").await.expect("an answer").status(), 200);
}
