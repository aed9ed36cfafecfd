//! Whole turns against a scripted Dify.

use std::time::Duration;

use tokio::time::Instant;

use super::backend::Settings;
use super::scripted::{Answer, Step, json, recorded, stream};
use super::stage::{
    CHAT, END, HELLO, Notes, STARTED, chat, message, on_stage, said, settings, stage_with, turn,
};
use crate::core::backend::{Backend, Readiness};
use crate::core::error::Error;
use crate::core::event::{Failure, Outcome};

const MESSAGES: &str = "GET /v1/messages";
const LOST: &str = r#"{"code":"not_found","message":"Conversation Not Exists. You have requested this URI [/v1/x]","status":404}"#;
const BUSY: &str = r#"{"code":"too_many_requests","message":"Too many requests.","status":429}"#;

#[track_caller]
fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_turn_keeps_the_conversation_before_it_says_a_thing() {
    let stage = chat(stream(["ping", HELLO, END], &[Step::End])).await;
    let (outcome, notes) = stage.play_new().await;
    assert!(matches!(outcome, Outcome::Completed));
    assert_eq!(notes.log, ["keep c1", "working", "text hello"]);
    let [request] = &stage.dify.requests(CHAT)[..] else { panic!("one request") };
    assert!(request.to_lowercase().contains("authorization: bearer app-test\r\n"));
    let body: serde_json::Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"inputs": {}, "query": "hi", "user": "alice", "response_mode": "streaming", "auto_generate_name": false})
    );
}

#[tokio::test]
async fn recorded_streams_come_through_in_any_chunks() {
    for name in [
        "1.14.2/chatflow_llm_unicode",
        "0.15.3/chatflow_llm_unicode",
        "1.14.2/chatflow_large",
        "1.14.2/agent_fc_tool",
    ] {
        let body = crate::dify::fixture::recording(name).body;
        let mut answers = Vec::new();
        for size in [7, 1021, body.len()].into_iter().skip(usize::from(body.len() > 100_000)) {
            let [mut steps, end] =
                [body.chunks(size).map(|chunk| Step::Chunk(chunk.to_vec())).collect(), vec![Step::End]];
            steps.extend(end);
            let stage = chat(steps).await;
            let (outcome, notes) = stage.play_new().await;
            assert!(matches!(outcome, Outcome::Completed), "{name}: {outcome:?}");
            answers.push(notes.answer);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{name}");
        assert!(!answers[0].contains('\u{FFFD}'), "{name}");
    }
}

#[tokio::test]
async fn garbage_between_frames_is_ignored() {
    let garbage =
        b"\xEF\xBB\xBF: hi\r\n\r\ndata: {not json\r\n\r\ndata: [DONE]\n\ndata: {\"a\":1}\r\revent: x\n\n"
            .to_vec();
    let mut steps = vec![Step::Chunk(garbage)];
    let half = r#"{"event":"message","answer":"x\ud83dy"}"#;
    steps.extend(stream([r#"{"event":"brand_new","x":[1]}"#, HELLO, half, END], &[Step::End]));
    let (outcome, notes) = chat(steps).await.play_new().await;
    assert!(matches!(outcome, Outcome::Completed));
    assert_eq!(notes.answer, "hellox\u{fffd}y");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_a_failure_that_keeps_its_text() {
    for end in [Step::Cut, Step::End] {
        let stage = chat(stream([HELLO], &[end])).await;
        let (outcome, notes) = stage.play_new().await;
        let failure = failure(outcome);
        assert_eq!((failure.code.as_ref(), failure.retryable), ("upstream_disconnected", true));
        assert_eq!(notes.answer, "hello");
        assert_eq!(stage.dify.requests(CHAT).len(), 1, "a turn that began is not sent again");
    }
}

#[tokio::test]
async fn an_event_over_the_limit_fails_the_turn_and_stops_it() {
    let huge = format!(r#"{{"event":"message","answer":"{}"}}"#, "x".repeat(2 << 20));
    let stage = chat(stream([HELLO, &huge], &[Step::Hang])).await;
    let (outcome, _) = stage.play_new().await;
    assert_eq!(failure(outcome).code, "upstream_event_too_large");
    stage.dify.until("/v1/chat-messages/t1/stop").await;
}

#[tokio::test]
async fn pings_do_not_count_as_a_beginning() {
    let stage = chat(stream(["ping", "ping"], &[Step::Hang])).await;
    let (outcome, notes) = stage.play_new().await;
    let failure = failure(outcome);
    assert_eq!(failure.code, "upstream_silent");
    assert!(notes.log.is_empty());
    assert!(stage.dify.requests(MESSAGES).is_empty());
}

#[tokio::test]
async fn silence_in_the_middle_is_a_timeout() {
    let stage = chat(stream([HELLO], &[Step::Hang])).await;
    let (outcome, notes) = stage.play_new().await;
    assert_eq!((failure(outcome).code.as_ref(), notes.answer.as_str()), ("upstream_timeout", "hello"));
    stage.dify.until("/stop").await;
}

#[tokio::test]
async fn a_turn_has_an_end_even_if_dify_never_gets_to_one() {
    let short = Settings { turn_timeout: Duration::from_millis(200), ..settings() };
    let stage = stage_with(vec![(CHAT, vec![stream([HELLO], &[Step::Hang])])], short).await;
    let (outcome, _) = stage.play_new().await;
    assert_eq!(failure(outcome).code, "turn_timeout");
    stage.dify.until("/v1/chat-messages/t1/stop").await;
    assert!(stage.dify.requests("POST /v1/chat-messages/t1/stop")[0].ends_with(r#"{"user":"alice"}"#));
}

#[tokio::test]
async fn a_chatflow_that_ends_once_is_not_waited_for_long() {
    let stage = chat(stream([STARTED, HELLO, END], &[Step::Hang])).await;
    let begun = Instant::now();
    let (outcome, _) = stage.play_new().await;
    assert!(matches!(outcome, Outcome::Completed));
    assert!(begun.elapsed() < Duration::from_millis(1200));
}

#[tokio::test]
async fn the_rest_of_a_stream_is_read_so_that_its_connection_serves_again() {
    let after = r#"{"event":"tts_message_end","audio":""}"#;
    let stage = chat(stream([HELLO, END, after], &[Step::End])).await;
    stage.play_new().await;
    stage.settle().await;
    stage.play_new().await;
    assert_eq!((stage.dify.requests(CHAT).len(), stage.dify.connections()), (2, 1));
}

#[tokio::test]
async fn a_busy_app_is_asked_three_times() {
    let busy = || json(429, BUSY);
    let stage = on_stage(vec![(CHAT, vec![busy(), busy(), stream([HELLO, END], &[Step::End])])]).await;
    let (outcome, _) = stage.play_new().await;
    assert!(matches!(outcome, Outcome::Completed));

    let stage = on_stage(vec![(CHAT, vec![busy()])]).await;
    let failure = failure(stage.play_new().await.0);
    assert_eq!((failure.code.as_ref(), failure.retryable), ("too_many_requests", true));
    assert_eq!(stage.dify.requests(CHAT).len(), 3);
}

#[tokio::test]
async fn other_refusals_are_not_repeated() {
    for (answer, code) in [
        (json(429, r#"{"code":"rate_limit_error","message":"quota","status":429}"#), "rate_limit_error"),
        (json(502, "<html>bad gateway</html>"), "upstream_unavailable"),
        (
            json(500, r#"{"code":"internal_server_error","message":"x","status":500}"#),
            "internal_server_error",
        ),
        (recorded("1.14.2/error_401_bad_token"), "dify_auth"),
        (recorded("1.14.2/chat_error_400_missing_input"), "invalid_param"),
        (vec![Step::Cut], "upstream_disconnected"),
    ] {
        let stage = chat(answer).await;
        let (outcome, notes) = stage.play_new().await;
        assert_eq!(failure(outcome).code, code);
        assert!(notes.log.is_empty(), "{code}");
        assert_eq!(stage.dify.requests(CHAT).len(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_dify_that_is_down_is_a_failure_and_readiness_says_so() {
    let mut stage = on_stage(Vec::new()).await;
    // The port is free again once the server is gone.
    stage.dify.shut_down().await;
    let failure = failure(stage.play_new().await.0);
    assert_eq!((failure.code.as_ref(), failure.retryable), ("upstream_unreachable", true));
    assert!(matches!(stage.backend.readiness().await, Readiness::NotReady(_)));
    assert!(stage.backend.refresh().await.is_err());
    assert_eq!(stage.backend.profile().name, None);
}

#[tokio::test]
async fn a_lost_conversation_is_begun_anew_and_that_is_told() {
    let closed = r#"{"code":"conversation_completed","message":"over","status":400}"#;
    for refusal in [json(404, LOST), json(400, closed), recorded("0.15.3/chat_error_404_unknown")] {
        let stage = on_stage(vec![(CHAT, vec![refusal, stream([HELLO, END], &[Step::End])])]).await;
        let (outcome, notes) = stage.play(turn(Some("c0")), Notes::default()).await;
        assert!(matches!(outcome, Outcome::Completed));
        assert_eq!(notes.log, ["keep c1", "restarted", "working", "text hello"]);
        let [first, second] = &stage.dify.requests(CHAT)[..] else { panic!("two requests") };
        assert!(first.contains(r#""conversation_id":"c0""#) && !second.contains("conversation_id"));
    }
}

#[tokio::test]
async fn a_conversation_is_begun_anew_only_once() {
    let stage = chat(json(404, LOST)).await;
    let failure = failure(stage.play(turn(Some("c0")), Notes::default()).await.0);
    assert_eq!(failure.code, "not_found");
    assert_eq!(stage.dify.requests(CHAT).len(), 2);
}

#[tokio::test]
async fn silence_after_a_conversation_was_named_is_looked_into() {
    let silent = recorded("1.14.2/error_404_conversation_unknown");
    let silent: Answer = silent.into_iter().take(1).chain([Step::Hang]).collect();
    let answers = vec![silent.clone(), stream([HELLO, END], &[Step::End])];
    let stage = on_stage(vec![(CHAT, answers), (MESSAGES, vec![json(404, LOST)])]).await;
    let (outcome, notes) = stage.play(turn(Some("c0")), Notes::default()).await;
    assert!(matches!(outcome, Outcome::Completed));
    assert_eq!(notes.log, ["keep c1", "restarted", "working", "text hello"]);
    let [question] = &stage.dify.requests(MESSAGES)[..] else { panic!("one question") };
    assert!(question.starts_with("GET /v1/messages?conversation_id=c0&user=alice&limit=1 "), "{question}");

    let there = recorded("1.14.2/messages_list");
    let Step::Chunk(list) = &there[0] else { panic!("a body") };
    let list = json(200, std::str::from_utf8(list).unwrap());
    let stage = on_stage(vec![(CHAT, vec![silent]), (MESSAGES, vec![list])]).await;
    let (outcome, _) = stage.play(turn(Some("c0")), Notes::default()).await;
    assert_eq!(failure(outcome).code, "upstream_silent");
    assert_eq!(stage.dify.requests(CHAT).len(), 1);
}

#[tokio::test]
async fn another_conversation_than_the_named_one_is_told() {
    let stage = chat(stream([HELLO, END], &[Step::End])).await;
    let (_, notes) = stage.play(turn(Some("c0")), Notes::default()).await;
    assert_eq!(notes.log, ["keep c1", "restarted", "working", "text hello"]);
    let (_, notes) = stage.play(turn(Some("c1")), Notes::default()).await;
    assert_eq!(notes.log, ["keep c1", "working", "text hello"]);
}

#[tokio::test]
async fn a_conversation_that_cannot_be_kept_ends_the_turn_unheard() {
    let stage = chat(stream([HELLO], &[Step::Hang])).await;
    let (outcome, notes) = stage.play(turn(None), Notes { refuses: true, ..Notes::default() }).await;
    assert_eq!(failure(outcome).code, "internal_error");
    assert_eq!(notes.log, ["keep c1"]);
    stage.dify.until("/v1/chat-messages/t1/stop").await;
}

#[tokio::test]
async fn readiness_is_asked_for_and_remembered() {
    let info = r#"{"name":"n","mode":"chat"}"#;
    let stage = on_stage(vec![("GET /v1/info", vec![json(200, info), json(401, "{}")])]).await;
    assert_eq!(stage.backend.readiness().await, Readiness::Ready);
    assert_eq!(stage.backend.readiness().await, Readiness::Ready);
    assert_eq!(stage.dify.requests("GET /v1/info").len(), 1);
}

#[tokio::test]
async fn a_dify_without_a_description_of_the_app_is_ready_if_it_answers_otherwise() {
    let (parameters, conversations) = ("GET /v1/parameters", "GET /v1/conversations");
    for (place, answer, is_ready) in [
        (parameters, json(200, "{}"), true),
        (parameters, json(401, r#"{"code":"unauthorized","message":"x","status":401}"#), false),
        (parameters, json(502, "<html>"), false),
        (conversations, json(200, r#"{"data":[]}"#), true),
        ("GET /v1/elsewhere", json(200, "{}"), false),
    ] {
        let stage = on_stage(vec![(place, vec![answer])]).await;
        let readiness = stage.backend.readiness().await;
        assert_eq!(readiness == Readiness::Ready, is_ready, "{place}: {readiness:?}");
    }
}

#[tokio::test]
async fn an_app_of_another_kind_is_refused_clearly() {
    let info = r#"{"name":"n","mode":"channel"}"#;
    let stage = on_stage(vec![("GET /v1/info", vec![json(200, info)])]).await;
    assert!(stage.backend.accept(said(&message("hi"))).await.is_ok(), "nothing is known yet");
    let app = stage.backend.refresh().await.unwrap();
    assert_eq!(app.problems.len(), 1);
    assert_eq!(stage.backend.profile().name.as_deref(), Some("n"));
    assert!(matches!(stage.backend.accept(said(&message("hi"))).await, Err(Error::UnsupportedOperation(_))));
    assert!(matches!(stage.backend.readiness().await, Readiness::NotReady(_)));
}

#[tokio::test]
async fn a_message_without_text_is_refused_before_a_task_is_made() {
    let stage = on_stage(Vec::new()).await;
    assert!(matches!(stage.backend.accept(said(&message(" "))).await, Err(Error::InvalidParams(_))));
    assert!(stage.backend.accept(said(&message("hi"))).await.is_ok());
}
