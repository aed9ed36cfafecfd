//! Whatever Dify or the network does ends as a task with a reason, in time, with what was said kept.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::dify_frames::{self, answer, error, message, message_end, ping};
use super::support::{FakeDify, Gateway, Received, Reply, Step};

/// Sends one message to a gateway before this Dify and gives the task.
async fn turn(
    reply: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    env: &[(&str, &str)],
) -> (Value, FakeDify) {
    let dify = FakeDify::chat(reply).await;
    let gateway = Gateway::before(&dify, env).await;
    let task = gateway.client.send("x", Some("c")).await;
    (task, dify)
}

fn state(task: &Value) -> &str {
    task["status"]["state"].as_str().expect("a state").trim_start_matches("TASK_STATE_")
}

fn code(task: &Value) -> &str {
    task["status"]["message"]["metadata"]["code"].as_str().unwrap_or_else(|| panic!("no code in {task}"))
}

fn reason(task: &Value) -> &str {
    task["status"]["message"]["parts"][0]["text"].as_str().unwrap_or_else(|| panic!("no reason in {task}"))
}

fn text(task: &Value) -> &str {
    task["artifacts"][0]["parts"][0]["text"].as_str().unwrap_or("")
}

/// No stack, no key, no address of ours.
fn assert_clean(task: &Value, dify: &FakeDify) {
    let shown = task.to_string();
    for secret in ["app-test", &dify.addr.to_string(), "Traceback", "<html", "panicked"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let metadata = &task["status"]["message"]["metadata"];
    assert!(metadata["retryable"].is_boolean() && metadata["source"].is_string(), "{task}");
}

#[tokio::test]
async fn a15_n06_s15_refusals_in_http_fail_the_task_with_a_reason() {
    type Case = (&'static str, fn() -> Reply, &'static str, bool, usize);
    let cases: [Case; 9] = [
        ("401", || Reply::error(401, "unauthorized", "Access token is invalid"), "unauthorized", false, 1),
        (
            "403",
            || Reply::error(403, "forbidden", "The app's API service has been disabled."),
            "forbidden",
            false,
            1,
        ),
        (
            "400",
            || Reply::error(400, "invalid_param", "topic is required in input form"),
            "invalid_param",
            false,
            1,
        ),
        (
            "400 model",
            || Reply::error(400, "provider_quota_exceeded", "quota"),
            "provider_quota_exceeded",
            false,
            1,
        ),
        ("404", || Reply::error(404, "not_found", "Conversation Not Exists."), "not_found", false, 1),
        (
            "429 busy",
            || Reply::error(429, "too_many_requests", "Too many requests."),
            "too_many_requests",
            true,
            3,
        ),
        (
            "429 quota",
            || Reply::error(429, "rate_limit_error", "Workflow execution quota limit reached"),
            "rate_limit_error",
            false,
            1,
        ),
        ("500", || Reply::error(500, "internal_server_error", "boom"), "internal_server_error", true, 1),
        ("502", || Reply::html(502), "bad_gateway", true, 1),
    ];
    for (name, reply, expected, retryable, calls) in cases {
        let (task, dify) = turn(move |_| reply(), &[]).await;
        assert_eq!(state(&task), "FAILED", "{name}");
        assert!(!reason(&task).is_empty(), "{name}");
        assert_eq!(dify.chats().len(), calls, "{name}: {}", reason(&task));
        assert_eq!(task["status"]["message"]["metadata"]["retryable"], retryable, "{name}");
        println!("{name}: {} / {}", code(&task), reason(&task));
        if !["401", "403", "502"].contains(&name) {
            assert_eq!(code(&task), expected, "{name}");
        }
        assert_clean(&task, &dify);
    }
}

#[tokio::test]
async fn a_refused_connection_fails_soon_and_is_tried_again_first() {
    let gateway = Gateway::at("http://127.0.0.1:9/v1", &[]).await;
    let begun = Instant::now();
    let task = gateway.client.send("x", None).await;
    assert_eq!(state(&task), "FAILED");
    assert_eq!(task["status"]["message"]["metadata"]["retryable"], true);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn f3_an_error_event_in_a_good_stream_is_a_failure_and_keeps_the_text() {
    let (task, dify) = turn(
        |received| {
            let mut bytes = message(received, "t", "partial ");
            bytes.extend(message(received, "t", "text"));
            bytes.extend(error(received, "completion_request_error", "the model went away"));
            Reply::bytes(bytes)
        },
        &[],
    )
    .await;
    assert_eq!(
        (state(&task), code(&task), text(&task)),
        ("FAILED", "completion_request_error", "partial text")
    );
    assert!(reason(&task).contains("the model went away"));
    assert_clean(&task, &dify);
}

#[tokio::test]
async fn silence_after_acceptance_is_a_clear_failure_in_time() {
    let begun = Instant::now();
    let (task, dify) = turn(
        |_| Reply::stream(vec![Step::Send(ping()), Step::Hang]),
        &[("DIFY_FIRST_EVENT_TIMEOUT", "300ms")],
    )
    .await;
    assert_eq!(state(&task), "FAILED");
    assert!(reason(&task).contains("did not start"), "{}", reason(&task));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(dify.chats().len(), 1, "it may have begun: never sent again");
    assert_clean(&task, &dify);
}

#[tokio::test]
async fn silence_in_the_middle_ends_at_the_idle_timeout() {
    let (task, dify) = turn(
        |received| Reply::stream(vec![Step::Send(message(received, "t", "so far")), Step::Hang]),
        &[("DIFY_IDLE_TIMEOUT", "300ms")],
    )
    .await;
    assert_eq!((state(&task), text(&task)), ("FAILED", "so far"));
    assert_eq!(task["status"]["message"]["metadata"]["retryable"], true);
    assert_clean(&task, &dify);
}

#[tokio::test]
async fn a_turn_that_never_ends_is_stopped_at_the_turn_timeout() {
    let dify = FakeDify::chat(|received| {
        Reply::stream(vec![
            Step::Send(message(received, "run", "so far")),
            Step::WaitForStop("run".to_owned()),
        ])
    })
    .await;
    let gateway = Gateway::before(&dify, &[("DIFY_TURN_TIMEOUT", "400ms")]).await;
    let task = gateway.client.send("x", None).await;
    assert_eq!((state(&task), text(&task)), ("FAILED", "so far"));
    assert_eq!(dify.stops().len(), 1, "the run is not left burning");
}

#[tokio::test]
async fn a_cut_stream_is_a_failure_and_keeps_whole_characters() {
    let (task, dify) = turn(
        |received| {
            let mut cut = message(received, "t", "caf\u{e9}");
            let at = cut.windows(2).position(|two| two == "\u{e9}".as_bytes()).expect("the character") + 1;
            cut.truncate(at);
            let mut bytes = message(received, "t", "so far");
            bytes.extend(cut);
            Reply::stream(vec![Step::Send(bytes), Step::Cut])
        },
        &[],
    )
    .await;
    assert_eq!((state(&task), text(&task)), ("FAILED", "so far"));
    assert_clean(&task, &dify);
}

#[tokio::test]
async fn t18_a_character_split_over_chunks_is_one_character() {
    let (task, _) = turn(
        |received| {
            let bytes = answer(received, "t", &["naïve \u{1F980} \u{2028}\u{2029}\u{85} end"]);
            Reply::stream(bytes.chunks(1).map(|byte| Step::Send(byte.to_vec())).collect())
        },
        &[],
    )
    .await;
    assert_eq!((state(&task), text(&task)), ("COMPLETED", "naïve \u{1F980} \u{2028}\u{2029}\u{85} end"));
}

#[tokio::test]
async fn odd_framing_is_read_all_the_same() {
    let with = |change: fn(Vec<u8>) -> Vec<u8>| {
        move |received: &Received| Reply::bytes(change(answer(received, "t", &["plain ", "text"])))
    };
    let bom = with(|bytes| [b"\xef\xbb\xbf".to_vec(), bytes].concat());
    let crlf = with(|bytes| String::from_utf8(bytes).expect("UTF-8").replace('\n', "\r\n").into_bytes());
    let garbage = with(|bytes| {
        [b"garbage without a colon\n\n: comment\n\ndata: {not json\n\n".to_vec(), bytes].concat()
    });
    let unknown = with(|bytes| [b"data: {\"event\":\"brand_new\",\"x\":[1,2]}\n\n".to_vec(), bytes].concat());
    let pings = with(|bytes| [b"event: ping\n\nevent: ping\n\n".to_vec(), bytes].concat());
    for (task, name) in [
        (turn(bom, &[]).await.0, "BOM"),
        (turn(crlf, &[]).await.0, "CRLF"),
        (turn(garbage, &[]).await.0, "garbage"),
        (turn(unknown, &[]).await.0, "unknown event"),
        (turn(pings, &[]).await.0, "pings"),
    ] {
        assert_eq!((state(&task), text(&task)), ("COMPLETED", "plain text"), "{name}");
    }
}

#[tokio::test]
async fn a_two_megabyte_frame_is_no_trouble_whether_used_or_not() {
    let large = "x".repeat(2 * 1024 * 1024);
    let expected = large.clone();
    let (task, _) = turn(
        move |received| {
            let node = json!({"event": "node_finished", "conversation_id": "c", "task_id": "t", "workflow_run_id": "r",
                "data": {"id": "n", "node_id": "n", "node_type": "code", "title": "Big", "inputs": {"x": large},
                    "outputs": {"y": large}, "status": "succeeded", "error": null}});
            let mut bytes = dify_frames::frame(&node);
            bytes.extend(answer(received, "t", &[&large]));
            Reply::bytes(bytes)
        },
        &[],
    )
    .await;
    assert_eq!(state(&task), "COMPLETED");
    assert!(text(&task) == expected);
}

#[tokio::test]
async fn an_endless_line_is_cut_off() {
    let (task, dify) = turn(
        |received| {
            let mut steps =
                vec![Step::Send(message(received, "t", "so far")), Step::Send(b"data: ".to_vec())];
            steps.extend((0..40).map(|_| Step::Send(vec![b'x'; 1024 * 1024])));
            Reply::stream(steps)
        },
        &[],
    )
    .await;
    assert_eq!((state(&task), text(&task)), ("FAILED", "so far"));
    assert_clean(&task, &dify);
}

#[tokio::test]
async fn a_stream_that_stays_open_after_its_end_is_left() {
    let begun = Instant::now();
    let (task, _) =
        turn(|received| Reply::stream(vec![Step::Send(answer(received, "t", &["done"])), Step::Hang]), &[])
            .await;
    assert_eq!((state(&task), text(&task)), ("COMPLETED", "done"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_end_without_a_word_is_a_failure_and_an_empty_answer_is_not() {
    let (task, _) = turn(|_| Reply::stream(vec![Step::Send(ping())]), &[]).await;
    assert_eq!(state(&task), "FAILED");
    let (task, _) = turn(|received| Reply::bytes(message_end(received, "t")), &[]).await;
    assert_eq!((state(&task), task.get("artifacts")), ("COMPLETED", None));
}

#[tokio::test]
async fn a_failed_turn_does_not_lose_the_conversation() {
    let dify = FakeDify::chat(|received| match received.said() {
        "fail" => Reply::bytes(
            [message(received, "t", "x"), error(received, "internal_server_error", "boom")].concat(),
        ),
        _ => Reply::bytes(answer(received, "t", &["fine"])),
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    gateway.client.send("fail", Some("c")).await;
    gateway.client.send("go on", Some("c")).await;
    assert_eq!(dify.chats()[1].body["conversation_id"], "conv-c");
}
