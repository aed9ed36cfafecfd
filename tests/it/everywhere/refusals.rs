//! What is refused, and what is told beside a body: versions, extensions, tenants; and lists.

use serde_json::{Value, json};

use super::{begun, echo, held, id_of, newer, refused, same, to_task, with, with_parts};
use crate::support::client::send;
use crate::support::dify_frames::message;
use crate::support::wires::{Method, WIRES, plain};
use crate::support::{FakeDify, Gateway, Reply, Step};

#[tokio::test]
async fn s03_s05_s06_s17_x06_k01_k02_k03_a_task_at_work_is_read_refused_and_canceled() {
    let seen = same(&WIRES, async |wire| {
        let (dify, gateway, _gate) = held().await;
        let id = begun(wire, &gateway, "until stopped").await;
        let ask = async |method, params| wire.ask(&gateway, method, params).await;
        let more = |task: &str, context| to_task(send("more", context), task);
        let before = json!([
            refused(ask(Method::Send, more(&id, None)).await),
            refused(ask(Method::Send, more(&id, Some("another"))).await),
            refused(ask(Method::Send, more("none", None)).await),
            refused(wire.stream(&gateway, Method::Stream, more("none", None)).await.map(Value::from)),
            refused(ask(Method::Get, json!({"id": "none"})).await),
            refused(ask(Method::Cancel, json!({"id": "none"})).await),
        ]);
        let canceled = ask(Method::Cancel, json!({"id": id})).await.expect("a task");
        assert_eq!(dify.stops().len(), 1, "{wire}");
        let after = json!([
            refused(ask(Method::Cancel, json!({"id": id})).await),
            refused(ask(Method::Send, more(&id, None)).await),
            refused(wire.stream(&gateway, Method::Subscribe, json!({"id": id})).await.map(Value::from)),
            refused(wire.stream(&gateway, Method::Subscribe, json!({"id": "none"})).await.map(Value::from)),
        ]);
        json!([before, plain(&canceled), after])
    })
    .await;
    let reason = |at: &str| seen.pointer(at).and_then(Value::as_str).expect("a reason").to_owned();
    let before: Vec<_> = (0..6).map(|number| reason(&format!("/0/{number}/0"))).collect();
    assert_eq!(before[..3], ["UNSUPPORTED_OPERATION", "INVALID_PARAMS", "TASK_NOT_FOUND"]);
    assert!(before[3..].iter().all(|reason| reason == "TASK_NOT_FOUND"), "{before:?}");
    assert_eq!(seen[1]["status"]["state"], "TASK_STATE_CANCELED");
    let after: Vec<_> = (0..4).map(|number| reason(&format!("/2/{number}/0"))).collect();
    assert_eq!(after[..3], ["TASK_NOT_CANCELABLE", "UNSUPPORTED_OPERATION", "UNSUPPORTED_OPERATION"]);
}

#[tokio::test]
async fn r02_s08_j07_what_is_wrong_is_named_by_field() {
    let seen = same(&WIRES, async |wire| {
        let (dify, gateway) = echo().await;
        let parts = |parts: Value| with_parts(send("x", None), parts);
        let long = "x".repeat(513);
        let mut answers = Vec::new();
        for params in [
            parts(json!([])),
            parts(json!([{"url": ""}])),
            with_parts(send("x", Some(&long)), json!([{"text": "x"}])),
            parts(json!(vec![json!({"text": "x"}); 101])),
            with(send("x", None), "configuration", json!({"historyLength": -1})),
        ] {
            answers.push(refused(wire.ask(&gateway, Method::Send, params.clone()).await));
            let stream = wire.stream(&gateway, Method::Stream, params).await.map(Value::from);
            assert_eq!(&refused(stream), answers.last().expect("one"), "{wire}");
        }
        answers.push(refused(wire.ask(&gateway, Method::Get, json!({"id": "t", "historyLength": -1})).await));
        assert!(dify.chats().is_empty(), "{wire}");
        answers.into()
    })
    .await;
    let fields: Vec<_> = seen.as_array().expect("answers").iter().map(|it| &it[1][0]).collect();
    assert_eq!(
        fields,
        [
            "message.parts",
            "message.parts[0].url",
            "message.contextId",
            "message.parts",
            "configuration.historyLength",
            "historyLength"
        ]
    );
}

#[tokio::test]
async fn r08_v02_v07_v08_v10_v13_versions_and_extensions_are_told_in_headers() {
    const OURS: &str = "urn:dify-a2a-gateway:extension:dify:v1";
    let seen = same(&WIRES, async |wire| {
        let (_dify, gateway) = echo().await;
        let ask = async |headers: &[(&str, &str)]| {
            wire.ask_with(&gateway, Method::Send, send("x", None), headers).await
        };
        let mut seen = Vec::new();
        let (own, other) = if wire.is_03() { ("0.3", "1.0") } else { ("1.0", "0.3") };
        for version in [own, "", "99.0", other, "x"] {
            let told = ask(&[("a2a-version", version)]).await;
            seen.push(told.map_or_else(
                |refusal| json!(refusal.reason),
                |told| told.result["task"]["status"]["state"].clone(),
            ));
        }
        for headers in
            [[("a2a-extensions", "urn:x, urn:y")], [("a2a-extensions", OURS)], [("x-a2a-extensions", OURS)]]
        {
            seen.push(json!(ask(&headers).await.expect("a task").extensions));
        }
        seen.into()
    })
    .await;
    let (done, no) = ("TASK_STATE_COMPLETED", "VERSION_NOT_SUPPORTED");
    assert_eq!(seen, json!([done, done, no, no, no, null, OURS, OURS]));
}

#[tokio::test]
async fn v10_an_extension_that_the_card_requires_must_be_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let card = folder.path().join("card.json");
    let text = r#"{"capabilities": {"extensions": [{"uri": "urn:example:required", "required": true}]}}"#;
    std::fs::write(&card, text).expect("written");
    let card = card.to_str().expect("text");
    let seen = same(&WIRES, async |wire| {
        let dify = FakeDify::echo().await;
        let gateway = Gateway::before(&dify, &[("AGENT_CARD", card)]).await;
        let ask = async |headers: &[(&str, &str)]| {
            wire.ask_with(&gateway, Method::Send, send("x", None), headers).await
        };
        let without = refused(ask(&[]).await.map(|told| told.result));
        let listed = ask(&[("a2a-extensions", "urn:example:required")]).await.expect("a task");
        json!([without, listed.result["task"]["status"]["state"]])
    })
    .await;
    assert_eq!(seen, json!([["EXTENSION_SUPPORT_REQUIRED", [], null], "TASK_STATE_COMPLETED"]));
}

#[tokio::test]
async fn p01_c17_what_is_not_offered_is_refused() {
    let seen = same(&newer(), async |wire| {
        let (_dify, gateway) = echo().await;
        let task = json!({"taskId": "t"});
        let config = json!({"taskId": "t", "id": "c"});
        let webhook = with(task.clone(), "url", json!("https://example.com/"));
        json!([
            refused(wire.ask(&gateway, Method::PushCreate, webhook).await),
            refused(wire.ask(&gateway, Method::PushGet, config.clone()).await),
            refused(wire.ask(&gateway, Method::PushList, task).await),
            refused(wire.ask(&gateway, Method::PushDelete, config).await),
            refused(wire.ask(&gateway, Method::ExtendedCard, json!({})).await),
        ])
    })
    .await;
    let push = json!(["PUSH_NOTIFICATION_NOT_SUPPORTED", [], null]);
    let card = json!(["UNSUPPORTED_OPERATION", [], null]);
    assert_eq!(seen, json!([push, push, push, push, card]));
}

#[tokio::test]
async fn l02_l04_l05_l06_l08_l11_lists_page_and_filter() {
    let seen = same(&newer(), async |wire| {
        let (_dify, gateway) = echo().await;
        for number in 0..5 {
            let context = if number % 2 == 0 { "even" } else { "odd" };
            wire.ask(&gateway, Method::Send, send(&number.to_string(), Some(context))).await.expect("a task");
        }
        let list = async |params: Value| wire.ask(&gateway, Method::List, params).await;
        let mut pages = Vec::new();
        let mut token = String::new();
        loop {
            let page =
                list(json!({"pageSize": 2, "pageToken": token, "historyLength": 1})).await.expect("a page");
            token = page["nextPageToken"].as_str().expect("always there").to_owned();
            pages.push(plain(&page));
            if token.is_empty() {
                break;
            }
        }
        pages
            .push(plain(&list(json!({"contextId": "odd", "includeArtifacts": true})).await.expect("a page")));
        pages.push(plain(&list(json!({"status": "TASK_STATE_WORKING"})).await.expect("a page")));
        pages.push(plain(
            &list(json!({"statusTimestampAfter": "2100-01-01T00:00:00Z"})).await.expect("a page"),
        ));
        for bad in [json!({"pageSize": 101}), json!({"pageToken": "nonsense"}), json!({"historyLength": -1})]
        {
            pages.push(refused(list(bad).await));
        }
        pages.into()
    })
    .await;
    let sizes: Vec<_> = (0..6).map(|page| seen[page]["tasks"].as_array().expect("tasks").len()).collect();
    assert_eq!(sizes, [2, 2, 1, 2, 0, 0]);
    assert_eq!(seen[3]["tasks"][0]["artifacts"][0]["parts"][0]["text"], "You said: 3");
}

#[tokio::test]
async fn v14_r10_a_tenant_is_told_where_the_binding_has_its_place() {
    same(&newer(), async |wire| {
        let (_dify, gateway) = echo().await;
        let params = with(send("x", None), "tenant", json!("acme corp"));
        let id = id_of(&wire.ask(&gateway, Method::Send, params).await.expect("a task"));
        let found = wire.ask(&gateway, Method::Get, json!({"tenant": "acme corp", "id": id})).await;
        let lost = refused(wire.ask(&gateway, Method::Get, json!({"id": id})).await);
        json!([found.expect("a task")["status"]["state"], lost])
    })
    .await;
}

#[tokio::test]
async fn n07_too_many_turns_are_refused_with_a_time_to_come_back() {
    let seen = same(&WIRES, async |wire| {
        let dify = FakeDify::chat(|received| {
            Reply::stream(vec![Step::Send(message(received, "t", "one ")), Step::Hang])
        })
        .await;
        let gateway = Gateway::before(&dify, &[("MAX_CONCURRENT_TURNS", "1")]).await;
        begun(wire, &gateway, "x").await;
        let busy = refused(wire.ask(&gateway, Method::Send, send("y", None)).await);
        assert_eq!(
            refused(wire.stream(&gateway, Method::Stream, send("y", None)).await.map(Value::from)),
            busy
        );
        busy
    })
    .await;
    assert_eq!(seen[0], "RESOURCE_EXHAUSTED");
    assert!(seen[2].is_u64(), "{seen}");
}
