//! The Agent Card as clients find it: whole, true, and the same for everybody.

use http::HeaderMap;
use serde_json::{Value, json};

use super::support::app::{App, recorded_json, refusal};
use super::support::client::send;
use super::support::fake_dify::KEY;
use super::support::{FakeDify, Gateway};

const CARD: &str = "/.well-known/agent-card.json";

async fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let mut request = gateway.client.http.get(format!("{}{path}", gateway.client.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.expect("a body").to_vec())
}

async fn card_of(gateway: &Gateway) -> Value {
    let (status, _, body) = get(gateway, CARD, &[]).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&body).expect("JSON")
}

/// What must be a text that says something.
fn says(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// What must be a list of texts that is not empty.
fn lists(value: &Value) -> bool {
    value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(says))
}

#[tokio::test]
async fn c02_d11_every_app_has_a_whole_card() {
    // Apps of each kind, and one of which nothing can be learned at all.
    let mut apps = Vec::new();
    for name in ["chat_basic", "chat_inputs", "agent_fc", "chatflow_echo", "completion", "workflow_file"] {
        apps.push((name, App::recorded("1.14.2", name).await));
    }
    let info = recorded_json("1.14.2/info_chat_basic");
    let silent = App::of("1.14.2", info, json!({}), |_| Some(refusal(500, "internal", "no")));
    apps.push(("silent", silent.await));
    for (name, app) in apps {
        for style in ["hybrid", "v1"] {
            let card = card_of(&app.gateway(&[("CARD_STYLE", style)]).await).await;
            for member in ["name", "description", "version"] {
                assert!(says(&card[member]), "{name} {style}: {member} of {card}");
            }
            assert!(card["capabilities"].is_object(), "{name} {style}");
            assert!(lists(&card["defaultInputModes"]) && lists(&card["defaultOutputModes"]), "{name} {card}");
            let interfaces = card["supportedInterfaces"].as_array().expect("interfaces");
            assert!(!interfaces.is_empty(), "{name} {style}");
            let skills = card["skills"].as_array().expect("skills");
            assert!(!skills.is_empty(), "{name} {style}");
            for skill in skills {
                let is_whole = says(&skill["id"]) && says(&skill["name"]) && says(&skill["description"]);
                assert!(is_whole && lists(&skill["tags"]), "{name} {skill}");
            }
        }
    }
}

/// Whether gRPC answers at this address, over a connection that was never anything else.
async fn is_grpc(address: &str, package: &str) -> bool {
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().expect("a client");
    let call = http.post(format!("http://{address}/{package}.A2AService/GetTask"));
    // An empty message in its frame.
    let call = call.header("Content-Type", "application/grpc").header("TE", "trailers").body(vec![0; 5]);
    let answer = call.send().await.expect("an answer");
    // INVALID_ARGUMENT: it names no task. What is not served is UNIMPLEMENTED, or no answer of gRPC at all.
    answer.headers().get("grpc-status").is_some_and(|status| status == "3")
}

/// Whether the binding that an interface declares answers at its address.
async fn answers(gateway: &Gateway, interface: &Value) -> bool {
    let (url, version) = (interface["url"].as_str().expect("a URL"), interface["protocolVersion"].as_str());
    let http = &gateway.client.http;
    let request = match (interface["protocolBinding"].as_str().expect("a binding"), version) {
        ("JSONRPC", Some(version)) => {
            let method = if version == "1.0" { "GetTask" } else { "tasks/get" };
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": "none"}});
            http.post(url).header("A2A-Version", version).json(&body)
        }
        ("HTTP+JSON", Some("1.0")) => http.get(format!("{url}/tasks/none")).header("A2A-Version", "1.0"),
        ("HTTP+JSON", Some(_)) => http.get(format!("{url}/v1/tasks/none")),
        ("GRPC", Some("1.0")) => return is_grpc(url, "lf.a2a.v1").await,
        ("GRPC", Some(_)) => return is_grpc(url, "a2a.v1").await,
        other => panic!("{other:?}"),
    };
    let answer: Value = request.send().await.expect("an answer").json().await.unwrap_or_default();
    // The very error of a task that there is not, and not of a version or of an address.
    let codes = [&answer["error"]["code"], &answer["code"]];
    codes.contains(&&json!(-32001)) || answer["error"]["details"][0]["reason"] == "TASK_NOT_FOUND"
}

/// Whether an interface's address is whole: a URL, or the host and port of gRPC.
fn is_absolute(interface: &Value) -> bool {
    let url = interface["url"].as_str().expect("a URL");
    match url.split_once(':') {
        Some((host, port)) if interface["protocolBinding"] == "GRPC" => {
            !host.is_empty() && port.parse::<u16>().is_ok()
        }
        _ => url::Url::parse(url).is_ok_and(|url| url.has_host()),
    }
}

#[tokio::test]
async fn c03_c05_what_the_interfaces_say_is_served_there_in_order_of_preference() {
    let dify = FakeDify::echo().await;
    for (style, versions) in [("hybrid", &["1.0", "0.3"][..]), ("v1", &["1.0"])] {
        let gateway = Gateway::before(&dify, &[("CARD_STYLE", style)]).await;
        let card = card_of(&gateway).await;
        let interfaces = card["supportedInterfaces"].as_array().expect("interfaces");
        let mut of_rpc = Vec::new();
        for interface in interfaces {
            assert!(is_absolute(interface), "{interface}");
            let version = interface["protocolVersion"].as_str().expect("a version");
            let (major, minor) = version.split_once('.').expect("Major.Minor");
            assert!(major.parse::<u8>().is_ok() && minor.parse::<u8>().is_ok(), "{version}");
            assert!(answers(&gateway, interface).await, "{style}: nothing answers at {interface}");
            if interface["protocolBinding"] == "JSONRPC" {
                of_rpc.push(version);
            }
        }
        assert_eq!(of_rpc, versions, "the newest version first");
        assert_eq!(interfaces[0]["protocolBinding"], "JSONRPC", "the binding that every client has");
        if style == "hybrid" {
            // What 0.3 calls preferred is the first that speaks 0.3.
            let first = interfaces.iter().find(|it| it["protocolVersion"] == "0.3").expect("one of 0.3");
            let preferred = (&card["preferredTransport"], &card["url"]);
            assert_eq!(preferred, (&first["protocolBinding"], &first["url"]));
        }
    }
}

#[tokio::test]
async fn c04_what_answers_is_declared() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let card = card_of(&gateway).await;
    let interfaces = card["supportedInterfaces"].as_array().expect("interfaces");
    let declares = |binding: &str| interfaces.iter().any(|it| it["protocolBinding"] == binding);
    assert!(declares("JSONRPC"));
    let mut is_rest = false;
    for base in ["", "/a2a", "/rest"] {
        let (_, _, body) = get(&gateway, &format!("{base}/tasks/none"), &[("A2A-Version", "1.0")]).await;
        is_rest |= String::from_utf8_lossy(&body).contains("TASK_NOT_FOUND");
    }
    assert_eq!(declares("HTTP+JSON"), is_rest);
    let address = gateway.addr.to_string();
    for package in ["lf.a2a.v1", "a2a.v1"] {
        assert_eq!(declares("GRPC"), is_grpc(&address, package).await);
    }
}

#[tokio::test]
async fn c06_n10_with_a_public_address_every_address_in_the_card_is_that_one() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[("PUBLIC_URL", "https://agents.example.com/echo/")]).await;
    let mut seen = 0;
    for path in [CARD, "/.well-known/agent.json", "/agentcard"] {
        let (_, _, body) = get(&gateway, path, &[("Host", "elsewhere.example")]).await;
        let body = String::from_utf8(body).expect("UTF-8");
        assert!(!body.contains("elsewhere.example") && !body.contains("127.0.0.1"), "{body}");
        assert!(!body.contains("\"http://"), "{body}");
        let addresses = body.split('"').filter(|text| text.starts_with("https://agents.example.com"));
        for address in addresses {
            let below = address.strip_prefix("https://agents.example.com/echo");
            assert!(below.is_some_and(|path| path.is_empty() || path.starts_with('/')), "{address}");
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen} addresses");
}

#[tokio::test]
async fn c08_c10_a_tag_stays_as_long_as_the_card_does() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let tag = |headers: &HeaderMap| headers["etag"].to_str().expect("text").to_owned();
    let (_, first, body) = get(&gateway, CARD, &[]).await;
    let (_, second, same) = get(&gateway, CARD, &[]).await;
    assert_eq!((tag(&first), &body), (tag(&second), &same));
    let (status, headers, nothing) = get(&gateway, CARD, &[("If-None-Match", &tag(&first))]).await;
    assert_eq!((status, tag(&headers), nothing.len()), (304, tag(&first), 0));
    // Of the same app another card.
    let other = Gateway::before(&dify, &[("CARD_STYLE", "v1")]).await;
    let (status, headers, _) = get(&other, CARD, &[("If-None-Match", &tag(&first))]).await;
    assert_eq!(status, 200);
    assert_ne!(tag(&headers), tag(&first));
}

#[tokio::test]
async fn c11_what_the_capabilities_say_is_what_requests_find() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let capabilities = card_of(&gateway).await["capabilities"].clone();
    let known = ["streaming", "pushNotifications", "extendedAgentCard", "extensions"];
    assert!(capabilities.as_object().expect("an object").keys().all(|name| known.contains(&name.as_str())));
    let stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let is_stream = stream.response.headers()["content-type"] == "text/event-stream";
    assert_eq!(capabilities["streaming"], is_stream);
    let code = async |method: &str, params: &Value| {
        gateway.client.rpc(method, params).await["error"]["code"].clone()
    };
    let push = code("ListTaskPushNotificationConfigs", &json!({"taskId": "none"})).await;
    assert_eq!(capabilities["pushNotifications"], push != -32003);
    let extended = code("GetExtendedAgentCard", &json!({})).await;
    assert_eq!(capabilities["extendedAgentCard"], extended != -32004);
    // The gateway's own extension does what its being there says.
    let ours = capabilities["extensions"][0]["uri"].as_str().expect("a URI").to_owned();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "none"}});
    let request = gateway.client.http.post(format!("{}/a2a", gateway.client.base)).json(&body);
    let response = request.header("A2A-Extensions", &ours).send().await.expect("an answer");
    assert_eq!(response.headers()["a2a-extensions"], ours);
}

#[tokio::test]
async fn c13_a_card_tells_nothing_of_dify() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for path in [CARD, "/agentcard"] {
        let (_, _, body) = get(&gateway, path, &[]).await;
        let body = String::from_utf8(body).expect("UTF-8");
        for secret in [KEY, &dify.addr.to_string(), "/v1/chat-messages", "Bearer"] {
            assert!(!body.contains(secret), "{secret} in {body}");
        }
    }
}

#[tokio::test]
async fn c18_c21_the_card_is_one_whoever_asks_and_however() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let (_, told, card) = get(&gateway, CARD, &[]).await;
    for version in ["1.0", "0.3", "99.0", ""] {
        let (status, headers, body) = get(&gateway, CARD, &[("A2A-Version", version)]).await;
        assert_eq!((status, &headers["etag"], &body), (200, &told["etag"], &card), "{version:?}");
    }
    let (status, _, body) = get(&gateway, "/.well-known/agent.json", &[]).await;
    assert_eq!((status, &body), (200, &card));
    let head =
        gateway.client.http.head(format!("{}{CARD}", gateway.client.base)).send().await.expect("an answer");
    let headers = head.headers().clone();
    assert_eq!(head.status(), 200);
    for name in ["content-type", "etag", "cache-control", "last-modified"] {
        assert_eq!(headers[name], told[name], "{name}");
    }
    assert_eq!(headers["content-length"], card.len().to_string().as_str());
    assert!(head.bytes().await.expect("a body").is_empty());
}

#[tokio::test]
async fn c22_web_pages_may_read_the_card_and_its_tag() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let (status, headers, _) = get(&gateway, CARD, &[("Origin", "https://app.example.com")]).await;
    assert_eq!((status, &headers["access-control-allow-origin"]), (200, &"*".parse().expect("a value")));
    let exposed = headers["access-control-expose-headers"].to_str().expect("text").to_ascii_lowercase();
    for name in ["etag", "a2a-extensions", "x-next-page-token"] {
        assert!(exposed.contains(name), "{exposed}");
    }
}

#[tokio::test]
async fn c23_the_version_is_the_operators_else_the_gateways() {
    let dify = FakeDify::echo().await;
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("card.json");
    std::fs::write(&file, r#"{"version":"7.8.9"}"#).expect("written");
    let file = file.to_str().expect("a path");
    let own = card_of(&Gateway::before(&dify, &[]).await).await;
    assert_eq!(own["version"], env!("CARGO_PKG_VERSION"));
    let operators = card_of(&Gateway::before(&dify, &[("AGENT_CARD", file)]).await).await;
    assert_eq!(operators["version"], "7.8.9");
}
