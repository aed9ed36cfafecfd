//! Turns: what is sent, streamed, followed and asked.

use serde_json::{Value, json};

use super::{echo, held, id_of, refused, same, to_task, with_parts};
use crate::files::{DOT, raw};
use crate::support::app::{events, ran, run_event};
use crate::support::client::send;
use crate::support::dify_frames::{self, message};
use crate::support::file_server::{FileServer, file};
use crate::support::human_dify::HumanDify;
use crate::support::human_script::Script;
use crate::support::wires::{Method, WIRES, next, plain, plain_stream};
use crate::support::{App, FakeDify, Gateway, Reply};

#[tokio::test]
async fn r09_q06_s01_s02_a_sent_message_becomes_a_task_with_an_answer() {
    let seen = same(&WIRES, async |wire| {
        let (_dify, gateway) = echo().await;
        let sent = wire.ask(&gateway, Method::Send, send("hello there", Some("c"))).await.expect("a task");
        let got = wire.ask(&gateway, Method::Get, json!({"id": id_of(&sent)})).await.expect("a task");
        assert_eq!(sent["task"], got, "{wire}");
        plain(&sent)
    })
    .await;
    assert_eq!(seen["task"]["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(seen["task"]["artifacts"][0]["parts"][0]["text"], "You said: hello there");
    assert_eq!(seen["task"]["contextId"], "c");
}

#[tokio::test]
async fn r06_q04_t02_t03_t04_t19_a_stream_is_the_task_and_then_its_events() {
    let seen = same(&WIRES, async |wire| {
        let (_dify, gateway) = echo().await;
        let events = wire.stream(&gateway, Method::Stream, send("a b c", Some("c"))).await.expect("a stream");
        json!(plain_stream(&events))
    })
    .await;
    let seen = seen.as_array().expect("events");
    assert_eq!(seen[0]["task"]["status"]["state"], "TASK_STATE_SUBMITTED");
    let last = &seen[seen.len() - 1]["statusUpdate"]["status"]["state"];
    assert_eq!(last, "TASK_STATE_COMPLETED");
}

#[tokio::test]
async fn x07_messages_of_one_context_are_one_conversation() {
    same(&WIRES, async |wire| {
        let (dify, gateway) = echo().await;
        for text in ["one", "two"] {
            wire.ask(&gateway, Method::Send, send(text, Some("alice"))).await.expect("a task");
        }
        let chats = dify.chats();
        assert_eq!((chats.len(), &chats[1].body["conversation_id"]), (2, &json!("conv-alice")), "{wire}");
        Value::Null
    })
    .await;
}

#[tokio::test]
async fn t11_u01_u02_u08_a_task_outlives_its_stream_and_is_followed_again() {
    let seen = same(&WIRES, async |wire| {
        let (dify, gateway, gate) = held().await;
        let mut stream = wire.open(&gateway, Method::Stream, send("x", Some("c"))).await.expect("a stream");
        let first = next(&mut stream).await.expect("the task");
        while next(&mut stream).await.expect("a word").get("artifactUpdate").is_none() {}
        drop(stream);
        let mut again =
            wire.open(&gateway, Method::Subscribe, json!({"id": id_of(&first)})).await.expect("a stream");
        let mut events = vec![next(&mut again).await.expect("the task")];
        gate.notify_one();
        while let Some(event) = next(&mut again).await {
            events.push(event);
        }
        assert_eq!((dify.chats().len(), dify.stops().len()), (1, 0), "{wire}");
        json!(plain_stream(&events))
    })
    .await;
    let text = &seen[0]["task"]["artifacts"][0]["parts"][0]["text"];
    assert_eq!(
        (text, &seen[1]["artifactUpdate"]["artifact"]["parts"][0]["text"]),
        (&json!("one "), &json!("two"))
    );
}

#[tokio::test]
async fn s15_an_app_that_breaks_is_a_failed_task() {
    let seen = same(&WIRES, async |wire| {
        let dify = FakeDify::chat(|received| {
            let broken = dify_frames::error(received, "completion_request_error", "the model is away");
            Reply::bytes([message(received, "t", "so far"), broken].concat())
        })
        .await;
        let gateway = Gateway::before(&dify, &[]).await;
        let sent = wire.ask(&gateway, Method::Send, send("x", None)).await.expect("a task");
        let events = wire.stream(&gateway, Method::Stream, send("x", None)).await.expect("a stream");
        let last = plain(events.last().expect("an end"));
        json!([plain(&sent), last["statusUpdate"]["status"]["message"]["parts"]])
    })
    .await;
    let status = &seen[0]["task"]["status"];
    assert_eq!(status["state"], "TASK_STATE_FAILED");
    let metadata = json!({"code": "completion_request_error", "retryable": true, "source": "dify"});
    assert_eq!(status["message"]["metadata"], metadata);
}

#[tokio::test]
async fn o05_u07_t06_a_task_that_asks_is_answered() {
    let seen = same(&WIRES, async |wire| {
        let human = HumanDify::of(Script::chatflow()).await;
        let gateway = Gateway::at(&human.dify.url(), &[]).await;
        let asked = wire.ask(&gateway, Method::Send, send("please ask", None)).await.expect("a task");
        let id = id_of(&asked);
        let mut follower = wire.open(&gateway, Method::Subscribe, json!({"id": id})).await.expect("a stream");
        let mut followed = vec![next(&mut follower).await.expect("the task")];
        let wrong = to_task(send("x", None), &id);
        let wrong = with_parts(wrong, json!([{"data": {"action": "burn"}}]));
        let refused = refused(wire.ask(&gateway, Method::Send, wrong).await);
        let answer = to_task(send("x", None), &id);
        let answer =
            with_parts(answer, json!([{"data": {"action": "approve", "inputs": {"comment": "enjoy"}}}]));
        let events = wire.stream(&gateway, Method::Stream, answer).await.expect("a stream");
        while let Some(event) = next(&mut follower).await {
            followed.push(event);
        }
        let done = wire.ask(&gateway, Method::Get, json!({"id": id})).await.expect("a task");
        json!([plain(&asked), refused, plain_stream(&events), plain_stream(&followed), plain(&done)])
    })
    .await;
    assert_eq!(seen[0]["task"]["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(seen[1][0], "INVALID_PARAMS");
    assert_eq!(seen[4]["artifacts"][0]["parts"][0]["text"], "Before the question. Approved with: enjoy");
}

#[tokio::test]
async fn d05_d06_d07_inputs_and_files_reach_dify_and_outputs_come_back() {
    let seen = same(&WIRES, async |wire| {
        let server = FileServer::start(|_| file("image/png", DOT)).await;
        let url = server.url("/files/x/file-preview");
        let app = App::answering("1.14.2", "workflow_file", move |request| {
            (request.url.path() == "/v1/workflows/run").then(|| {
                let made = json!([{
                    "dify_model_identity": "__dify__file__", "id": null, "tenant_id": "t", "type": "image",
                    "transfer_method": "tool_file", "remote_url": url, "related_id": "r", "filename": "dot.png",
                    "extension": ".png", "mime_type": "image/png", "size": DOT.len(), "url": url
                }]);
                events(&ran(&json!({"n": 0.5, "picture": made})))
            })
        })
        .await;
        let gateway = app.gateway(&[("EGRESS_ALLOW", "127.0.0.1")]).await;
        let params = with_parts(send("x", Some("c")), json!([raw("a.txt", "text/plain", b"some text")]));
        let sent = wire.ask(&gateway, Method::Send, params).await.expect("a task");
        let uploads = app.uploads().await;
        assert_eq!((uploads.len(), uploads[0].name.as_str()), (1, "a.txt"), "{wire}");
        assert_eq!(uploads[0].bytes, b"some text", "{wire}");
        plain(&sent)
    })
    .await;
    assert_eq!(seen["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{seen}");
    assert!(seen.to_string().contains("dot.png"), "{seen}");
}

#[tokio::test]
async fn steps_and_sources_are_told_in_every_form() {
    let seen = same(&WIRES, async |wire| {
        let app = App::answering("1.14.2", "workflow_ok", |request| {
            (request.url.path() == "/v1/workflows/run").then(|| {
                let node = json!({"id": "n1", "node_id": "1", "node_type": "tool", "title": "Look it up", "index": 1});
                let mut all = ran(&json!({"result": {"deep": [1, {"two": 2.5}], "none": null}}));
                all.insert(1, run_event("node_started", node));
                events(&all)
            })
        })
        .await;
        let gateway = app.gateway(&[("PROGRESS", "full")]).await;
        let params = with_parts(send("x", Some("c")), json!([{"data": {"query": "q", "text": "q"}}]));
        let events = wire.stream(&gateway, Method::Stream, params).await.expect("a stream");
        json!(plain_stream(&events))
    })
    .await;
    assert!(seen.to_string().contains("Look it up") && seen.to_string().contains("2.5"), "{seen}");
}
