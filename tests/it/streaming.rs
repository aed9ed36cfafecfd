//! Streams once more: their form on the wire, their bounds, and what may not go wrong when much happens at once.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::streams::follow;
use super::support::client::send;
use super::support::dify_frames::{message, message_end};
use super::support::fake_dify::Received;
use super::support::{FakeDify, Gateway, Reply, Step};

#[tokio::test]
async fn t01_t13_a_stream_is_events_that_nobody_on_the_way_holds_back() {
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![
            Step::Send(message(received, "t", "first")),
            Step::Wait(Arc::clone(&held)),
            Step::Send(message_end(received, "t")),
        ])
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": send("x", None)});
    let request = gateway.client.http.post(format!("{}/a2a", gateway.client.base)).json(&body);
    let request = request.header("Accept", "text/event-stream").header("Accept-Encoding", "gzip, br, zstd");
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("content-type"), Some("text/event-stream"));
    assert!(header("cache-control").is_some_and(|value| value.contains("no-cache")));
    assert_eq!(header("x-accel-buffering"), Some("no"));
    assert_eq!((header("content-encoding"), header("content-length")), (None, None));
    // The first word is there while Dify is still silent.
    let mut stream = super::support::client::Stream::of(response);
    loop {
        let event = stream.next().await.expect("the first word");
        if event.data["result"]["artifactUpdate"]["artifact"]["parts"][0]["text"] == "first" {
            break;
        }
    }
    gate.notify_one();
    stream.all().await;
}

#[tokio::test]
async fn t16_long_answers_come_in_events_that_clients_take() {
    const MIB: usize = 1024 * 1024;
    // One frame of six mebibytes, of which JSON makes twice that, and six of one.
    let dify = FakeDify::chat(|received| {
        let piece = "\"\\é🦀 word ".repeat(if received.said() == "at once" { 400_000 } else { 70_000 });
        let count = if received.said() == "at once" { 1 } else { 6 };
        let mut steps: Vec<Step> = (0..count).map(|_| Step::Send(message(received, "t", &piece))).collect();
        steps.push(Step::Send(message_end(received, "t")));
        Reply::stream(steps)
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    for said in ["at once", "in pieces"] {
        let events = gateway.client.stream("SendStreamingMessage", &send(said, None)).await.all().await;
        let (text, states) = follow(&events);
        assert!(text.len() > 5 * MIB, "{said}: {}", text.len());
        assert_eq!(states.last().map(String::as_str), Some("TASK_STATE_COMPLETED"), "{said}");
        let largest = events.iter().map(|event| event.data.to_string().len()).max().expect("events");
        assert!(largest < 4 * MIB, "{said}: an event of {largest} bytes");
    }
}

#[tokio::test]
async fn t17_a_stream_to_an_ended_or_unknown_task_is_refused() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let task = gateway.client.send("x", None).await;
    for (id, code) in [(task["id"].clone(), -32004), (json!("none"), -32001)] {
        let mut params = send("more", None);
        params["message"]["taskId"] = id;
        let error = gateway.client.error("SendStreamingMessage", &params).await;
        assert_eq!(error["code"], code, "{error}");
    }
    assert_eq!(dify.chats().len(), 1);
}

/// A Dify that says what the test says, as the answer to one message.
async fn dictated() -> (FakeDify, impl Fn(Vec<u8>), Arc<Mutex<Option<Received>>>) {
    let (said, coming) = unbounded_channel();
    let coming: Mutex<Option<UnboundedReceiver<Vec<u8>>>> = Mutex::new(Some(coming));
    let asked = Arc::new(Mutex::new(None));
    let told = Arc::clone(&asked);
    let dify = FakeDify::chat(move |received| {
        *told.lock().expect("no panic") = Some(received.clone());
        let coming = coming.lock().expect("no panic").take().expect("one message");
        Reply::stream(vec![Step::Relay(coming)])
    });
    (dify.await, move |bytes| said.send(bytes).expect("heard"), asked)
}

#[tokio::test]
async fn u05_u08_subscribers_that_join_at_any_time_miss_nothing() {
    let (dify, say, asked) = dictated().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut first = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
    let id = first.next().await.expect("the task").data["result"]["task"]["id"].clone();
    while asked.lock().expect("no panic").is_none() {
        tokio::task::yield_now().await;
    }
    let received = asked.lock().expect("no panic").clone().expect("asked");
    let mut followers = Vec::new();
    let (mut whole, pieces) = (String::new(), 600);
    for number in 0..pieces {
        let piece = format!("{number} ");
        whole.push_str(&piece);
        say(message(&received, "t", &piece));
        // While these are under way, without waiting for anybody.
        if number % 10 == 0 {
            let (client, params) = (gateway.client.clone(), json!({"id": id}));
            followers.push(tokio::spawn(async move {
                let mut stream = client.stream("SubscribeToTask", &params).await;
                let first = stream.next().await.expect("the task");
                (stream, first)
            }));
            tokio::task::yield_now().await;
        }
    }
    let joined = join_all(followers).await;
    say(message_end(&received, "t"));
    drop(say);
    let reading = joined.into_iter().map(|joined| {
        let (stream, first) = joined.expect("no panic");
        async move {
            assert!(first.data["result"]["task"].is_object(), "{first:?}");
            let mut events = vec![first];
            events.extend(stream.all().await);
            events
        }
    });
    for events in join_all(reading).await {
        let (text, states) = follow(&events);
        assert_eq!(text, whole);
        assert_eq!(states.last().map(String::as_str), Some("TASK_STATE_COMPLETED"));
    }
}

/// On several threads, so that nobody takes turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k04_a_cancel_that_races_the_end_leaves_one_end() {
    let gates: Arc<Mutex<Vec<Arc<Notify>>>> = Arc::default();
    let made = Arc::clone(&gates);
    let dify = FakeDify::chat(move |received| {
        let gate = Arc::new(Notify::new());
        made.lock().expect("no panic").push(Arc::clone(&gate));
        Reply::stream(vec![
            Step::Send(message(received, "t", "x")),
            Step::Wait(gate),
            Step::Send(message_end(received, "t")),
        ])
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    for number in 0..60 {
        let mut stream = gateway.client.stream("SendStreamingMessage", &send("x", None)).await;
        let mut events = vec![stream.next().await.expect("the task")];
        let id = events[0].data["result"]["task"]["id"].clone();
        while events.last().is_none_or(|event| event.data["result"].get("artifactUpdate").is_none()) {
            events.push(stream.next().await.expect("a word"));
        }
        let gate = gates.lock().expect("no panic").pop().expect("a gate");
        let params = json!({"id": id});
        gate.notify_one();
        // The end overtakes the cancel by more and more.
        for _ in 0..number * 4 {
            tokio::task::yield_now().await;
        }
        let answer = gateway.client.rpc("CancelTask", &params).await;
        events.extend(stream.all().await);
        let states = follow(&events).1;
        let ends: Vec<&String> = states
            .iter()
            .filter(|state| !["TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"].contains(&state.as_str()))
            .collect();
        let read = gateway.client.task(id.as_str().expect("an id")).await["status"]["state"].clone();
        assert_eq!(ends.len(), 1, "{states:?}");
        assert_eq!(read, ends[0].as_str());
        match answer["error"]["code"].as_i64() {
            None => {
                assert_eq!(answer["result"]["status"]["state"], "TASK_STATE_CANCELED", "{answer}");
            }
            Some(code) => {
                assert_eq!((code, ends[0].as_str()), (-32002, "TASK_STATE_COMPLETED"), "{answer}");
            }
        }
        // However it went, it stays so.
        let again: Value = gateway.client.error("CancelTask", &params).await;
        assert_eq!(again["code"], -32002);
        assert_eq!(gateway.client.task(id.as_str().expect("an id")).await["status"]["state"], read);
    }
}
