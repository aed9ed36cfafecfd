//! Slow readers cost no memory: thirty that stand still hold no copies of a long answer.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::program::Serving;
use super::support::client::{PATIENCE, send};
use super::support::dify_frames::{message, message_end};
use super::support::fake_dify::KEY;
use super::support::{Client, FakeDify, Reply, Step};

const MIB: usize = 1024 * 1024;
const ANSWER: usize = 4 * MIB;
const READERS: usize = 30;

/// What a process has in memory, bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024
}

/// Subscribes and reads no more than the beginning.
async fn stand_still(addr: &str, id: &str) -> TcpStream {
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "SubscribeToTask", "params": {"id": id}}).to_string();
    let mut stream = TcpStream::connect(addr).await.expect("connected");
    let head = format!(
        "POST /a2a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut beginning = [0; 64];
    stream.read_exact(&mut beginning).await.expect("a beginning");
    assert!(beginning.starts_with(b"HTTP/1.1 200"));
    stream
}

#[tokio::test]
async fn t15_readers_that_stand_still_cost_no_copies_of_the_answer() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        let piece = "0123456789abcde ".repeat(64);
        let mut steps = vec![Step::Send(message(received, "t", "begun ")), Step::Wait(Arc::clone(&held))];
        let frame = message(received, "t", &piece);
        // Many frames in one chunk: the answer is long, the test is not.
        let chunk = frame.repeat(64);
        steps.extend((0..ANSWER / piece.len() / 64).map(|_| Step::Send(chunk.clone())));
        steps.push(Step::Send(message_end(received, "t")));
        Reply::stream(steps)
    })
    .await;
    let url = dify.url();
    let env = [("DIFY_API_URL", url.as_str()), ("DIFY_API_KEY", KEY), ("HOST", "127.0.0.1"), ("PORT", "0")];
    let serving = Serving::start(&["serve"], &env).await;
    let client = Client::new(serving.base.clone());
    let mut params = send("x", None);
    params["configuration"] = json!({"returnImmediately": true});
    let task = client.result("SendMessage", &params).await["task"].clone();
    let id = task["id"].as_str().expect("an id");
    client.until(id, "TASK_STATE_WORKING").await;

    let addr = serving.base.trim_start_matches("http://");
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(stand_still(addr, id).await);
    }
    let before = resident(serving.pid());
    gate.notify_one();
    let ended = async {
        loop {
            let query = json!({"status": "TASK_STATE_COMPLETED"});
            if client.result("ListTasks", &query).await["totalSize"] == 1 {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("nobody is slowed");
    let grown = resident(serving.pid()).saturating_sub(before);
    // The log and the record have one copy each; a reader has a batch and what the socket's buffers take.
    let allowed = 4 * ANSWER + READERS * MIB;
    assert!(grown < allowed, "{} MiB for {READERS} readers of {} MiB", grown / MIB, ANSWER / MIB);
    assert!(allowed < READERS * ANSWER / 2, "a copy for each reader would not pass");
}
