//! Streams: first the task, then its events, in order, once each, for every reader at its own pace.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::support::client::{Event, send};
use super::support::dify_frames::{answer, message, message_end, ping};
use super::support::{FakeDify, Gateway, Reply, Step};

/// What a 1.0 client has after these events: the text per the rules of append, and the states.
pub(crate) fn follow(events: &[Event]) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut states = Vec::new();
    for event in events {
        let result = &event.data["result"];
        if let Some(task) = result.get("task") {
            text = task["artifacts"][0]["parts"][0]["text"].as_str().unwrap_or("").to_owned();
            states.push(task["status"]["state"].as_str().expect("a state").to_owned());
        }
        if let Some(update) =
            result.get("artifactUpdate").filter(|it| it["artifact"]["artifactId"] == "answer")
        {
            let piece: String = update["artifact"]["parts"]
                .as_array()
                .expect("parts")
                .iter()
                .map(|part| part["text"].as_str().expect("text"))
                .collect();
            if update["append"] != true {
                text.clear();
            }
            text.push_str(&piece);
        }
        if let Some(update) = result.get("statusUpdate") {
            states.push(update["status"]["state"].as_str().expect("a state").to_owned());
        }
    }
    (text, states)
}

/// The deltas of the answer: what came before the closing whole text.
pub(crate) fn deltas(events: &[Event]) -> Vec<String> {
    let updates = events.iter().filter_map(|event| event.data["result"].get("artifactUpdate"));
    let open = updates.filter(|update| update["lastChunk"] != true);
    open.map(|update| update["artifact"]["parts"][0]["text"].as_str().expect("text").to_owned()).collect()
}

fn task_id(event: &Event) -> String {
    event.data["result"]["task"]["id"].as_str().expect("the task first").to_owned()
}

/// A Dify whose answer waits for a gate after each piece.
async fn gated(pieces: &'static [&'static str]) -> (FakeDify, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        let mut steps = vec![];
        for piece in pieces {
            steps.push(Step::Send(message(received, "t", piece)));
            steps.push(Step::Wait(Arc::clone(&held)));
        }
        steps.push(Step::Send(message_end(received, "t")));
        Reply::stream(steps)
    })
    .await;
    (dify, gate)
}

#[tokio::test]
async fn t03_to_t05_and_t09_t10_t19_a_stream_is_the_task_the_deltas_the_whole_and_the_end() {
    let (dify, gate) = gated(&["Hel", "lo ", "you"]).await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    assert_eq!(stream.response.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.response.headers()["x-accel-buffering"], "no");
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        // Each piece is seen before Dify says the next: nothing is held back.
        if event.data["result"].get("artifactUpdate").is_some() {
            gate.notify_one();
        }
        events.push(event);
    }
    assert!(events[0].data["result"].get("task").is_some(), "{:?}", events[0]);
    assert_eq!(deltas(&events), ["Hel", "lo ", "you"]);
    let updates: Vec<&Value> =
        events.iter().filter_map(|event| event.data["result"].get("artifactUpdate")).collect();
    assert_ne!(updates[0]["append"], true, "the first piece begins the artifact");
    assert_eq!((&updates[1]["append"], &updates[2]["append"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&updates[3]["lastChunk"], &updates[3]["artifact"]["parts"][0]["text"]),
        (&json!(true), &json!("Hello you"))
    );
    assert_ne!(updates[3]["append"], true);
    let (text, states) = follow(&events);
    assert_eq!(text, "Hello you");
    assert_eq!(states.last().map(String::as_str), Some("TASK_STATE_COMPLETED"));
    assert!(events.last().expect("an end").data["result"].get("statusUpdate").is_some());
    let mut last = 0;
    for event in &events {
        let id: u64 = event.id.parse().expect("every event has an id");
        assert!(id >= last, "ids rise");
        last = id;
    }
    let stored = gateway.client.task(&task_id(&events[0])).await;
    assert_eq!(stored["artifacts"][0]["parts"], json!([{"text": "Hello you"}]), "one text part");
}

#[tokio::test]
async fn t08_the_task_comes_before_the_first_token() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![
            Step::Send(ping()),
            Step::Wait(Arc::clone(&held)),
            Step::Send(answer(received, "t", &["late"])),
        ])
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let first = stream.next().await.expect("the task");
    assert_eq!(first.data["result"]["task"]["status"]["state"], "TASK_STATE_SUBMITTED");
    gate.notify_one();
    assert_eq!(follow(&stream.all().await).0, "late");
}

#[tokio::test]
async fn s14_t12_silence_is_broken_by_comments_and_a_blocking_answer_by_spaces() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![Step::Wait(Arc::clone(&held)), Step::Send(answer(received, "t", &["late"]))])
    })
    .await;
    let gateway = Gateway::before(&dify, &[("KEEP_ALIVE", "50ms")]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    stream.next().await.expect("the task");
    let mut blocking = gateway
        .client
        .post(&json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": send("y", None)}))
        .await;
    let mut spaces = Vec::new();
    while spaces.len() < 3 {
        spaces.extend(blocking.chunk().await.expect("a chunk").expect("not the end"));
    }
    assert!(spaces.iter().all(|byte| *byte == b' '));
    gate.notify_one();
    gate.notify_one();
    let rest = blocking.bytes().await.expect("the answer");
    let answer: Value = serde_json::from_slice(&rest).expect("JSON");
    assert_eq!(answer["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED");
    while stream.next().await.is_some() {}
    assert!(stream.comments >= 2, "{}", stream.comments);
}

#[tokio::test]
async fn t11_a_client_that_is_killed_stops_nothing_and_gets_the_rest_by_subscribing() {
    let (dify, gate) = gated(&["one ", "two ", "three"]).await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let first = stream.next().await.expect("the task");
    let id = task_id(&first);
    let mut seen = vec![first];
    while deltas(&seen).is_empty() {
        seen.push(stream.next().await.expect("a delta"));
    }
    let last_id = seen.last().expect("an event").id.clone();
    drop(stream);
    gate.notify_one();

    let params = json!({"id": id});
    let mut again = gateway.client.stream("SubscribeToTask", &params).await;
    let snapshot = again.next().await.expect("the task");
    assert!(
        snapshot.data["result"]["task"]["artifacts"][0]["parts"][0]["text"]
            .as_str()
            .expect("text")
            .starts_with("one ")
    );
    gate.notify_one();
    gate.notify_one();
    let mut events = vec![snapshot];
    events.extend(again.all().await);
    assert_eq!(follow(&events).0, "one two three");

    // Even after the end, the place that the lost client had reached gives exactly what it missed.
    let rest = gateway.client.stream_from("SubscribeToTask", &params, Some(&last_id)).await.all().await;
    let snapshot = &rest[0].data["result"]["task"];
    assert_eq!(snapshot["artifacts"][0]["parts"][0]["text"], "one ");
    assert_eq!(deltas(&rest).concat(), "two three");
    assert_eq!(follow(&rest).1.last().map(String::as_str), Some("TASK_STATE_COMPLETED"));
    let whole = gateway.client.task(&id).await;
    assert_eq!(whole["artifacts"][0]["parts"][0]["text"], "one two three");
}

#[tokio::test]
async fn u05_a_hundred_subscribers_see_the_same_text_in_the_same_order() {
    let (dify, gate) = gated(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let id = task_id(&stream.next().await.expect("the task"));
    let subscribers = (0..100).map(|_| {
        let client = gateway.client.clone();
        let params = json!({"id": id});
        async move {
            let mut stream = client.stream("SubscribeToTask", &params).await;
            let first = stream.next().await.expect("the task");
            (stream, first)
        }
    });
    let open = join_all(subscribers).await;
    let releasing = async {
        for _ in 0..8 {
            gate.notify_one();
            tokio::task::yield_now().await;
        }
        // A permit may be taken before the next step waits for it, so go on until the sender is through.
        while let Some(event) = stream.next().await {
            if event.data["result"].get("artifactUpdate").is_some() {
                gate.notify_one();
            }
        }
    };
    let reading = join_all(open.into_iter().map(|(stream, first)| async move {
        let mut events = vec![first];
        events.extend(stream.all().await);
        follow(&events).0
    }));
    let ((), texts) = tokio::join!(releasing, reading);
    assert_eq!(texts.len(), 100);
    assert!(texts.iter().all(|text| text == "abcdefgh"), "{texts:?}");
}

#[tokio::test]
async fn t15_a_reader_that_hardly_reads_loses_nothing_and_slows_nobody() {
    // 4 MiB of answer: more than sockets and buffers between take.
    let piece = "0123456789abcdef".repeat(64);
    let pieces = 4096;
    let sent = piece.clone();
    let dify = FakeDify::chat(move |received| {
        let mut steps: Vec<Step> = (0..pieces).map(|_| Step::Send(message(received, "t", &sent))).collect();
        steps.push(Step::Send(message_end(received, "t")));
        Reply::stream(steps)
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut slow = tokio::net::TcpStream::connect(gateway.addr).await.expect("connected");
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": send("x", None)})
            .to_string();
    let head = format!(
        "POST /a2a HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
    // It reads a little, so the stream is open, and then nothing while another client gets everything.
    let mut beginning = vec![0; 1024];
    let read = slow.read(&mut beginning).await.expect("a beginning");
    let mut beginning = String::from_utf8_lossy(&beginning[..read]).into_owned();
    let id_in = |text: &str| {
        let after = text.split("\"id\":\"").nth(1)?;
        after.split_once('"').map(|(id, _)| id.to_owned())
    };
    let id = loop {
        if let Some(id) = id_in(&beginning) {
            break id;
        }
        let mut more = vec![0; 1024];
        let read = slow.read(&mut more).await.expect("more");
        beginning.push_str(&String::from_utf8_lossy(&more[..read]));
    };
    let quick = gateway.client.until(&id, "TASK_STATE_COMPLETED").await;
    let text = quick["artifacts"][0]["parts"][0]["text"].as_str().expect("text");
    assert_eq!(text.len(), piece.len() * pieces);
    // Now the slow one reads on, to the end.
    let mut rest = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    while !rest.ends_with(b"0\r\n\r\n") {
        let read = slow.read(&mut buffer).await.expect("the rest");
        assert!(read > 0, "the stream ends whole");
        rest.extend_from_slice(&buffer[..read]);
    }
    let stream = beginning + &String::from_utf8(dechunk(&rest)).expect("UTF-8");
    let mut heard = 0;
    for line in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        if let Some(update) = event["result"].get("artifactUpdate") {
            heard += update["artifact"]["parts"][0]["text"].as_str().expect("text").len();
        }
    }
    assert_eq!(heard, piece.len() * pieces, "every byte once");
    assert!(stream.contains("TASK_STATE_COMPLETED"));
}

/// Takes chunked framing away. The first bytes may be the tail of a chunk that was read before.
fn dechunk(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        match size {
            Some(size) if rest.len() >= end + 4 + size && size > 0 => {
                out.extend_from_slice(&rest[end + 2..end + 2 + size]);
                rest = &rest[end + 4 + size..];
            }
            Some(_) => break,
            None => {
                out.extend_from_slice(&rest[..end]);
                rest = &rest[end + 2..];
            }
        }
    }
    out
}

#[tokio::test]
async fn u03_u04_a_subscription_to_an_ended_or_unknown_task_is_refused() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let task = gateway.client.send("x", None).await;
    let ended = gateway.client.error("SubscribeToTask", &json!({"id": task["id"]})).await;
    assert_eq!(ended["code"], -32004);
    let unknown = gateway.client.error("SubscribeToTask", &json!({"id": "none"})).await;
    assert_eq!(unknown["code"], -32001);
}

#[tokio::test]
async fn the_closing_whole_text_can_be_turned_off() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[("ANSWER_CLOSE", "delta")]).await;
    let events = gateway.client.stream("SendStreamingMessage", &send("a b", None)).await.all().await;
    let (text, _) = follow(&events);
    assert_eq!(text, "You said: a b");
    let closing: Vec<_> = events
        .iter()
        .filter_map(|event| event.data["result"].get("artifactUpdate"))
        .filter(|update| update["lastChunk"] == true)
        .collect();
    assert_eq!((closing.len(), &closing[0]["append"]), (1, &json!(true)));
}
