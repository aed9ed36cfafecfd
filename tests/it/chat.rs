//! The terminal chat over HTTP+JSON: what is typed reaches the agent, and its answer the terminal.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::support::client::PATIENCE;
use super::support::dify_frames::{error, message};
use super::support::{FakeDify, Gateway, Reply};

/// What the chat prints for these lines, and whether its last turn went well.
async fn chat(gateway: &Gateway, lines: &str) -> (String, bool) {
    let mut chat = Command::new(env!("CARGO_BIN_EXE_dify-a2a"))
        .args(["chat", &gateway.client.base])
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a chat");
    let mut stdin = chat.stdin.take().expect("an input");
    stdin.write_all(lines.as_bytes()).await.expect("typed");
    drop(stdin);
    let output =
        tokio::time::timeout(PATIENCE, chat.wait_with_output()).await.expect("in time").expect("an end");
    (String::from_utf8(output.stdout).expect("text"), output.status.success())
}

#[tokio::test]
async fn an_agent_without_json_rpc_is_talked_to_over_http_json() {
    let dify = FakeDify::chat(|received| match received.said() {
        "break" => Reply::bytes(error(received, "completion_request_error", "the model is away")),
        said => Reply::bytes(
            [
                message(received, "t", &format!("You said: {said}")),
                super::support::dify_frames::message_end(received, "t"),
            ]
            .concat(),
        ),
    })
    .await;
    let gateway = Gateway::before(&dify, &[("BINDINGS", "http")]).await;
    let (said, well) = chat(&gateway, "one\ntwo words\n").await;
    assert!(said.contains("You said: one") && said.contains("You said: two words"), "{said}");
    assert!(well);
    let chats = dify.chats();
    assert_eq!((chats.len(), chats[1].body["conversation_id"].is_string()), (2, true), "one conversation");
    let (_, well) = chat(&gateway, "break\n").await;
    assert!(!well, "the last turn failed");
}
