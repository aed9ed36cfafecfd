//! The address that clients reach the gateway at: what the card and the answers say it is, behind proxies of every kind.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::files_out::{ALLOW, both_files, document, run_with_files};
use super::support::client::send;
use super::support::say::{artifact, say};
use super::support::{FakeDify, Gateway};

/// A request of a test is from here, so this makes the test a trusted proxy.
const TRUSTED: (&str, &str) = ("TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1, ::1");

fn get(gateway: &Gateway, path: &str) -> RequestBuilder {
    gateway.client.http.get(format!("{}{path}", gateway.client.base))
}

async fn card(request: RequestBuilder) -> Value {
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.json().await.expect("JSON")
}

/// Every address that a card gives out.
fn addresses(card: &Value) -> Vec<&str> {
    let interfaces = card["supportedInterfaces"].as_array().expect("interfaces").iter();
    let mut all: Vec<&str> = interfaces.map(|interface| interface["url"].as_str().expect("a URL")).collect();
    all.extend(card["url"].as_str());
    all
}

#[tokio::test]
async fn n10_c06_trusted_proxies_say_where_the_gateway_is() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[TRUSTED]).await;
    let path = "/.well-known/agent-card.json";
    for (headers, base) in [
        (vec![("Forwarded", "for=192.0.2.1;proto=https;host=a.example")], "https://a.example"),
        (
            vec![(
                "Forwarded",
                "for=10.0.0.9;host=evil, for=192.0.2.1;proto=https;host=a.example, for=10.0.0.2",
            )],
            "https://a.example",
        ),
        (
            vec![
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "a.example"),
                ("X-Forwarded-Port", "8443"),
                ("X-Forwarded-Prefix", "/agents/a"),
            ],
            "https://a.example:8443/agents/a",
        ),
        (vec![], gateway.client.base.as_str()),
    ] {
        let request =
            headers.iter().fold(get(&gateway, path), |request, (name, value)| request.header(*name, *value));
        let card = card(request).await;
        let grpc = base.split("://").nth(1).and_then(|rest| rest.split('/').next()).expect("a host");
        let grpc = if grpc.contains(':') { grpc.to_owned() } else { format!("{grpc}:443") };
        let rpc = format!("{base}/a2a");
        assert_eq!(addresses(&card), [&rpc, base, &grpc, &rpc, base, &grpc, &rpc], "{headers:?}");
    }
    let vary = get(&gateway, path).send().await.expect("an answer");
    let vary: Vec<&str> =
        vary.headers().get_all("vary").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(vary.iter().any(|value| value.contains("forwarded") && value.contains("host")), "{vary:?}");
}

#[tokio::test]
async fn n10_nobody_else_is_believed() {
    let dify = FakeDify::echo().await;
    for trusted in ["[]", "10.0.0.0/8", "::1"] {
        let gateway = Gateway::before(&dify, &[("TRUSTED_PROXIES", trusted)]).await;
        let request = get(&gateway, "/.well-known/agent-card.json")
            .header("Forwarded", "proto=https;host=evil.example")
            .header("X-Forwarded-Host", "evil.example")
            .header("X-Forwarded-Prefix", "/evil");
        let card = card(request).await;
        assert!(addresses(&card)[0] == format!("{}/a2a", gateway.client.base), "{card}");
        assert!(!card.to_string().contains("evil") && !card.to_string().contains("https://127"), "{card}");
        let below = get(&gateway, "/evil/health").header("X-Forwarded-Prefix", "/evil").send().await;
        assert_eq!(below.expect("an answer").status(), 404);
    }
}

#[tokio::test]
async fn c20_n10_below_a_path_both_kinds_of_proxies_work() {
    let dify = FakeDify::echo().await;
    let fixed = Gateway::before(&dify, &[("PUBLIC_URL", "https://x.example/agents/a")]).await;
    let told = Gateway::before(&dify, &[TRUSTED]).await;
    for (gateway, with_header) in [(&fixed, false), (&told, true)] {
        let as_proxy = |request: RequestBuilder| {
            let headers = [
                ("X-Forwarded-Prefix", "/agents/a"),
                ("X-Forwarded-Host", "x.example"),
                ("X-Forwarded-Proto", "https"),
            ];
            match with_header {
                true => headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)),
                false => request,
            }
        };
        for left in ["", "/agents/a"] {
            let card = card(as_proxy(get(gateway, &format!("{left}/.well-known/agent-card.json")))).await;
            assert_eq!(card["supportedInterfaces"][0]["url"], "https://x.example/agents/a/a2a");
            let old = as_proxy(get(gateway, &format!("{left}/agentcard"))).send().await.expect("an answer");
            assert!(old.text().await.expect("a body").contains("\"https://x.example/agents/a/tasks/get\""));
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": send("x", None)});
            for path in ["/a2a", "/a2a?A2A-Version=1.0", "/"] {
                let request =
                    gateway.client.http.post(format!("{}{left}{path}", gateway.client.base)).json(&body);
                let answer: Value =
                    as_proxy(request).send().await.expect("an answer").json().await.expect("JSON");
                assert_eq!(
                    answer["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED",
                    "{left}{path}: {answer}"
                );
            }
            assert_eq!(
                as_proxy(get(gateway, &format!("{left}/health"))).send().await.expect("an answer").status(),
                200
            );
            assert_eq!(
                as_proxy(get(gateway, &format!("{left}/a2a"))).send().await.expect("an answer").status(),
                405
            );
        }
        for elsewhere in ["/agents/b/health", "/agents/ahealth", "/agents/a/agents/a/health"] {
            assert_eq!(
                as_proxy(get(gateway, elsewhere)).send().await.expect("an answer").status(),
                404,
                "{elsewhere}"
            );
        }
    }
    let response = get(&fixed, "/.well-known/agent-card.json").send().await.expect("an answer");
    let mut vary = response.headers().get_all("vary").iter().filter_map(|value| value.to_str().ok());
    assert!(!vary.any(|value| value.contains("host")), "the address is the same for all");
}

#[tokio::test]
async fn n10_over_http_2_the_authority_is_the_host() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().expect("a client");
    let response = client.get(format!("{}/.well-known/agent-card.json", gateway.client.base)).send().await;
    let response = response.expect("an answer");
    assert_eq!(response.version(), http::Version::HTTP_2);
    let card: Value = response.json().await.expect("JSON");
    assert_eq!(addresses(&card)[0], format!("{}/a2a", gateway.client.base));
}

#[tokio::test]
async fn c03_c05_the_card_is_of_the_bindings_that_are_on() {
    let dify = FakeDify::echo().await;
    let gateway =
        Gateway::before(&dify, &[("BINDINGS", "http,jsonrpc"), ("PUBLIC_URL", "https://x.example")]).await;
    let card = card(get(&gateway, "/.well-known/agent-card.json")).await;
    let names: Vec<(&str, &str)> = card["supportedInterfaces"]
        .as_array()
        .expect("interfaces")
        .iter()
        .map(|it| {
            (
                it["protocolBinding"].as_str().expect("a name"),
                it["protocolVersion"].as_str().expect("a version"),
            )
        })
        .collect();
    assert_eq!(names, [("HTTP+JSON", "1.0"), ("JSONRPC", "1.0"), ("HTTP+JSON", "0.3"), ("JSONRPC", "0.3")]);
    assert_eq!(
        (&card["preferredTransport"], &card["url"]),
        (&json!("HTTP+JSON"), &json!("https://x.example"))
    );

    let gateway = Gateway::before(&dify, &[("BINDINGS", "grpc"), ("GRPC_URL", "grpc.example:7443")]).await;
    let card = self::card(get(&gateway, "/.well-known/agent-card.json")).await;
    assert_eq!(addresses(&card), ["grpc.example:7443"; 3]);
    assert_eq!(card["supportedInterfaces"][0]["protocolBinding"], "GRPC");
}

#[tokio::test]
async fn n10_files_have_addresses_below_the_same_base() {
    let server = both_files().await;
    let app = run_with_files(&server).await;
    let gateway = app.gateway(&[ALLOW, TRUSTED]).await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": say(document())});
    let request = gateway.client.http.post(format!("{}/agents/a/a2a", gateway.client.base)).json(&body);
    let request = request.header("X-Forwarded-Prefix", "/agents/a").header("X-Forwarded-Host", "x.example");
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let file = artifact(&answer["result"]["task"], "file-1").expect("a file").clone();
    let address = file["parts"][0]["url"].as_str().expect("an address");
    let path = address.strip_prefix("http://x.example").expect("the public host");
    assert!(path.starts_with("/agents/a/files/"), "{path}");
    // As a proxy passes it on that leaves the path alone, and as one that does not.
    for path in [path, path.trim_start_matches("/agents/a")] {
        let response = get(&gateway, path).header("X-Forwarded-Prefix", "/agents/a").send().await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.text().await.expect("a body"), "hello there");
    }
}
