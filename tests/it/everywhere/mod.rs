//! One suite for every binding and wire form: each behaviour is a script that is run in all of them, and what it gives
//! must be the same everywhere, ids and times aside. The table of ways to speak is `support::wires::WIRES`.

mod refusals;
mod turns;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::client::send;
use crate::support::dify_frames::{message, message_end};
use crate::support::wires::{Method, Refusal, WIRES, Wire, difference};
use crate::support::{FakeDify, Gateway, Reply, Step};

/// Runs `script` in each of these ways; what it sees must be what JSON-RPC 1.0 sees.
async fn same(wires: &[Wire], script: impl AsyncFn(Wire) -> Value) -> Value {
    let wanted = script(Wire::RpcV1).await;
    for wire in wires.iter().filter(|wire| **wire != Wire::RpcV1) {
        let seen = script(*wire).await;
        if let Some(difference) = difference("", &seen, &wanted) {
            panic!("{wire} differs from {}: {difference}", Wire::RpcV1);
        }
    }
    wanted
}

/// The ways of 1.0 alone, for what 0.3 does not have.
fn newer() -> Vec<Wire> {
    WIRES.into_iter().filter(|wire| !wire.is_03()).collect()
}

async fn echo() -> (FakeDify, Gateway) {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    (dify, gateway)
}

/// A Dify that says one word and waits for the gate, or for a stop, before the next.
async fn held() -> (FakeDify, Gateway, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        let mut steps = vec![Step::Send(message(received, "t", "one "))];
        match received.said() {
            "until stopped" => steps.push(Step::WaitForStop("t".to_owned())),
            _ => steps.extend([Step::Wait(Arc::clone(&held)), Step::Send(message(received, "t", "two"))]),
        }
        steps.push(Step::Send(message_end(received, "t")));
        Reply::stream(steps)
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    (dify, gateway, gate)
}

fn with(mut params: Value, name: &str, value: Value) -> Value {
    params[name] = value;
    params
}

fn at_once(params: Value) -> Value {
    with(params, "configuration", json!({"returnImmediately": true}))
}

fn to_task(mut params: Value, task: &str) -> Value {
    params["message"]["taskId"] = task.into();
    params
}

fn id_of(answer: &Value) -> String {
    answer["task"]["id"].as_str().unwrap_or_else(|| panic!("no task: {answer}")).to_owned()
}

/// A task that has begun and not ended.
async fn begun(wire: Wire, gateway: &Gateway, text: &str) -> String {
    let answer = wire.ask(gateway, Method::Send, at_once(send(text, None))).await.expect("a task");
    let id = id_of(&answer);
    gateway.client.until(&id, "TASK_STATE_WORKING").await;
    id
}

/// A refusal as a value, with the fields that are wrong, in the words of 1.0.
fn refused(answer: Result<Value, Refusal>) -> Value {
    let refusal = answer.expect_err("a refusal");
    let words = [
        (".file.uri", ".url"),
        (".file.fileWithUri", ".url"),
        (".content", ".parts"),
        (".blocking", ".returnImmediately"),
    ];
    let fields = refusal.fields.iter();
    let fields: Vec<String> = fields
        .map(|field| words.iter().fold(field.clone(), |field, (old, new)| field.replace(old, new)))
        .collect();
    json!([refusal.reason, fields, refusal.retry_after])
}

fn with_parts(mut params: Value, parts: Value) -> Value {
    params["message"]["parts"] = parts;
    params
}
