//! Turns that are stopped, against a scripted Dify.

use std::time::Duration;

use tokio::time::Instant;

use super::backend::{Limits, Settings};
use super::calls;
use super::scripted::{Answer, Step, json, stream};
use super::stage::{CHAT, END, HELLO, Notes, STARTED, Stage, chat, on_stage, settings, stage_with, turn};
use crate::core::event::Outcome;
use crate::dify::request::Endpoint;

const STOP: &str = "POST /v1/chat-messages/t1/stop";
const STOPPED: &str = r#"{"event":"workflow_finished","conversation_id":"c1","task_id":"t1","workflow_run_id":"r","data":{"status":"stopped"}}"#;

/// A Dify that takes its time to begin.
async fn slow(answer: Answer) -> Stage {
    let patient = Settings { first_event_timeout: Duration::from_secs(20), ..settings() };
    stage_with(vec![(CHAT, vec![answer])], patient).await
}

/// A turn that is stopped as soon as Dify has the request.
async fn stop_when_asked(stage: &Stage) -> Outcome {
    let turn = turn(None);
    let stop = turn.stop.clone();
    let cue = async {
        stage.dify.until(CHAT).await;
        stop.cancel();
    };
    let ((outcome, _), ()) = tokio::join!(stage.play(turn, Notes::default()), cue);
    outcome
}

#[tokio::test]
async fn a_stop_is_passed_on_and_its_end_confirms_it() {
    for (frames, end) in [([HELLO, HELLO], END), ([STARTED, HELLO], STOPPED)] {
        let mut steps = stream(frames, &[Step::Until("/stop")]);
        steps.extend(stream([HELLO, end], &[Step::End]));
        let stage = chat(steps).await;
        let (outcome, notes) = stage.play_stopped_at("hello").await;
        assert!(matches!(outcome, Outcome::Stopped { confirmed: true }), "{outcome:?}");
        assert!(notes.answer.starts_with("hello"));
        let stops = stage.dify.requests("POST /v1/chat-messages/t1/stop");
        assert_eq!(stops.len(), 1);
        assert!(stops[0].ends_with(r#"{"user":"alice"}"#));
    }
}

#[tokio::test]
async fn a_stop_that_dify_does_not_follow_ends_anyway() {
    let stage = chat(stream([HELLO], &[Step::Hang])).await;
    let (outcome, _) = stage.play_stopped_at("hello").await;
    assert!(matches!(outcome, Outcome::Stopped { confirmed: false }), "{outcome:?}");

    let refusing = json(500, "{}");
    let mut steps = stream([HELLO], &[Step::Until("/stop")]);
    steps.extend(stream([END], &[Step::End]));
    let stage = on_stage(vec![(CHAT, vec![steps]), ("POST /v1/chat-messages/t1/stop", vec![refusing])]).await;
    let (outcome, _) = stage.play_stopped_at("hello").await;
    assert!(matches!(outcome, Outcome::Stopped { confirmed: false }), "{outcome:?}");
}

#[tokio::test]
async fn a_stop_that_dify_cannot_take_is_tried_once_more() {
    for (refusal, tries, is_taken) in [(503, 2, true), (500, 2, true), (403, 1, false)] {
        let patient = Limits {
            stop_after_call: Duration::from_secs(5),
            grace: Duration::from_secs(5),
            ..settings().limits
        };
        let mut steps = stream([HELLO], &[Step::Until("/stop")]);
        steps.extend(stream([END], &[Step::End]));
        let answers = vec![json(refusal, "<html>"), json(200, r#"{"result":"success"}"#)];
        let script = vec![(CHAT, vec![steps]), (STOP, answers)];
        let stage = stage_with(script, Settings { limits: patient, ..settings() }).await;
        let (outcome, _) = stage.play_stopped_at("hello").await;
        assert!(matches!(outcome, Outcome::Stopped { confirmed } if confirmed == is_taken), "{outcome:?}");
        assert_eq!(stage.dify.requests(STOP).len(), tries, "{refusal}");
    }

    let mut away = on_stage(Vec::new()).await;
    away.dify.shut_down().await;
    let client = away.client.clone();
    let begun = Instant::now();
    assert!(!calls::stop(client, Endpoint::Chat, "t1".to_owned(), "alice".to_owned()).await);
    assert!(begun.elapsed() >= Duration::from_millis(250), "a second try");
}

#[tokio::test]
async fn a_stop_before_the_first_frame_waits_for_it_a_little() {
    let mut steps = stream(["ping"], &[Step::Until("GET /go")]);
    steps.extend(stream([HELLO], &[Step::Until("/stop")]));
    steps.extend(stream([END], &[Step::End]));
    let stage = chat(steps).await;
    let go = async {
        stage.dify.until(CHAT).await;
        stage.dify.go().await;
    };
    let (outcome, ()) = tokio::join!(stop_when_asked(&stage), go);
    assert!(matches!(outcome, Outcome::Stopped { confirmed: true }), "{outcome:?}");
}

#[tokio::test]
async fn a_turn_that_is_stopped_before_it_begins_asks_nothing_of_dify() {
    let stage = chat(stream([HELLO, END], &[Step::End])).await;
    let turn = turn(None);
    turn.stop.cancel();
    let (outcome, _) = stage.play(turn, Notes::default()).await;
    assert!(matches!(outcome, Outcome::Stopped { confirmed: true }));
    assert!(stage.dify.requests("").is_empty());
}
#[tokio::test]
async fn a_stop_that_came_before_the_first_frame_reaches_dify_after_the_turn() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut silent_head = vec![Step::Whole(Vec::new()), Step::Until("GET /go"), Step::Whole(head.to_vec())];
    silent_head.extend(stream([HELLO], &[Step::Hang]));
    let mut pings = stream(["ping"], &[Step::Until("GET /go")]);
    pings.extend(stream(["ping", r#"{"event":"x","task_id":""}"#, HELLO], &[Step::Hang]));
    for answer in [silent_head, pings] {
        let stage = slow(answer).await;
        let outcome = stop_when_asked(&stage).await;
        assert!(matches!(outcome, Outcome::Stopped { confirmed: false }), "{outcome:?}");
        assert!(stage.dify.requests(STOP).is_empty());
        stage.dify.go().await;
        stage.dify.until(STOP).await;
        assert!(stage.dify.requests(STOP)[0].ends_with(r#"{"user":"alice"}"#));
        stage.settle().await;
        assert_eq!(stage.dify.requests(STOP).len(), 1);
    }
}

#[tokio::test]
async fn a_stopped_turn_that_dify_never_began_is_not_stopped_again() {
    let mut refused = vec![Step::Whole(Vec::new()), Step::Until("GET /go")];
    refused.extend(json(400, "{}"));
    for answer in [stream(["ping"], &[Step::Until("GET /go"), Step::End]), refused] {
        let stage = slow(answer).await;
        let outcome = stop_when_asked(&stage).await;
        assert!(matches!(outcome, Outcome::Stopped { confirmed: false }), "{outcome:?}");
        stage.dify.go().await;
        stage.settle().await;
        assert!(stage.dify.requests("POST /v1/chat-messages/").is_empty());
    }
}

#[tokio::test]
async fn dify_is_not_waited_for_longer_than_for_a_first_frame() {
    let stage = chat(stream(["ping"], &[Step::Hang])).await;
    let begun = Instant::now();
    let outcome = stop_when_asked(&stage).await;
    assert!(matches!(outcome, Outcome::Stopped { confirmed: false }), "{outcome:?}");
    stage.afterwards.idle().await;
    assert!(begun.elapsed() < Duration::from_millis(1200), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_end_of_the_gateway_does_not_wait_long_for_dify_to_begin() {
    let stage = slow(stream(["ping"], &[Step::Hang])).await;
    stop_when_asked(&stage).await;
    assert!(!stage.afterwards.is_empty());
    let ending = Instant::now();
    stage.settle().await;
    assert!(ending.elapsed() < Duration::from_millis(1200), "{:?}", ending.elapsed());
}
