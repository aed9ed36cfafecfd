//! The rules of the fold, one by one, on streams made for them.

use super::*;
use crate::core::event::{FailureSource, TextArtifact};

mod any;
mod apps;
mod human;
mod resume;

/// What came of a turn.
#[derive(Debug, Default)]
struct Turn {
    answer: String,
    reasoning: String,
    events: Vec<String>,
    verdicts: Vec<&'static str>,
    outcomes: Vec<Outcome>,
    pauses: Vec<Pause>,
    found: Vec<Found>,
}

impl Turn {
    fn take(&mut self, event: &TaskEvent<'_>) {
        self.events.push(match event {
            TaskEvent::Artifact(whole) => format!("artifact {} {:?}", whole.id, whole.parts),
            TaskEvent::Facts(facts) => format!("{facts:?}"),
            TaskEvent::Progress(progress) => format!("progress {}", progress.title),
            TaskEvent::Replace { artifact, text } => format!("replace {} {text}", artifact.name()),
            TaskEvent::Text { artifact, delta } => format!("{} {delta}", artifact.name()),
            TaskEvent::Working => "working".to_owned(),
        });
        match event {
            &TaskEvent::Replace { artifact, text } => {
                *self.text(artifact) = text.to_owned();
            }
            &TaskEvent::Text { artifact, delta } => {
                assert!(!delta.is_empty());
                self.text(artifact).push_str(delta);
            }
            TaskEvent::Artifact(_) | TaskEvent::Facts(_) | TaskEvent::Progress(_) | TaskEvent::Working => {}
        }
    }

    fn text(&mut self, artifact: TextArtifact) -> &mut String {
        match artifact {
            TextArtifact::Answer => &mut self.answer,
            TextArtifact::Reasoning => &mut self.reasoning,
        }
    }

    fn step(&mut self, fold: &mut Fold, input: Input<'_>) {
        match fold.step(input, &mut |event| self.take(&event)) {
            Verdict::GoOn => self.verdicts.push("go on"),
            Verdict::Grace => self.verdicts.push("grace"),
            Verdict::Over(outcome) => {
                self.verdicts.push("over");
                self.outcomes.push(outcome);
            }
            Verdict::Paused(pause) => {
                self.verdicts.push("paused");
                self.pauses.push(pause);
            }
        }
        self.found.extend(fold.found());
    }

    fn frame(&mut self, fold: &mut Fold, frame: &str) {
        self.step(fold, Input::Frame(&Frame::decode(frame).unwrap()));
    }

    fn failure(&self) -> &Failure {
        match &self.outcomes[..] {
            [Outcome::Failed(failure)] => failure,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn assert_completed(&self, answer: &str) {
        assert!(matches!(self.outcomes[..], [Outcome::Completed]), "{:?}", self.outcomes);
        assert_eq!(self.answer, answer);
    }
}

fn fold() -> Fold {
    Fold::new(Setup::default())
}

fn play_as(setup: Setup, frames: &[&str], stop_at: Option<usize>) -> Turn {
    let mut fold = Fold::new(setup);
    let mut turn = Turn::default();
    for (index, frame) in frames.iter().enumerate() {
        if stop_at == Some(index) {
            turn.step(&mut fold, Input::StopRequested);
        }
        turn.frame(&mut fold, frame);
    }
    turn.step(&mut fold, Input::Closed);
    turn
}

fn play_with(think: ThinkMode, frames: &[&str], stop_at: Option<usize>) -> Turn {
    play_as(Setup { think, ..Setup::default() }, frames, stop_at)
}

fn play(frames: &[&str]) -> Turn {
    play_with(ThinkMode::Metadata, frames, None)
}

fn message(text: &str) -> String {
    serde_json::json!({"event": "message", "task_id": "t", "answer": text}).to_string()
}

fn agent(text: &str) -> String {
    serde_json::json!({"event": "agent_message", "task_id": "t", "answer": text}).to_string()
}

fn thought(position: u64) -> String {
    serde_json::json!({"event": "agent_thought", "id": position.to_string(), "position": position})
        .to_string()
}

fn finished(status: &str, answer: &str) -> String {
    let data = serde_json::json!({"status": status, "outputs": {"answer": answer}, "error": "ValueError: boom", "exceptions_count": 2});
    serde_json::json!({"event": "workflow_finished", "workflow_run_id": "r", "data": data}).to_string()
}

const STARTED: &str = r#"{"event":"workflow_started","workflow_run_id":"r","data":{}}"#;
const END: &str = r#"{"event":"message_end","metadata":{}}"#;
const REPLACE: &str = r#"{"event":"message_replace","answer":"[removed]","reason":"output_moderation"}"#;
const ERROR: &str =
    r#"{"event":"error","code":"completion_request_error","status":400,"message":"went away"}"#;
const PAUSED: &str = r#"{"event":"workflow_paused","workflow_run_id":"r","data":{}}"#;

#[test]
fn a_chat_turn_is_deltas_and_an_end() {
    let turn = play(&[&message("he"), &message(""), &message("llo"), END]);
    assert_eq!(turn.events, ["working", "answer he", "answer llo"]);
    turn.assert_completed("hello");
    assert_eq!(turn.verdicts, ["go on", "go on", "go on", "over", "go on"]);
}

#[test]
fn a_ping_is_not_the_beginning_of_work() {
    let turn = play(&[r#"{"event":"ping"}"#]);
    assert!(turn.events.is_empty());
    assert_eq!(turn.failure().code, "upstream_disconnected");
}

#[test]
fn a_chatflow_may_say_its_two_ends_in_either_order() {
    for ends in [[END.to_owned(), finished("succeeded", "x")], [finished("succeeded", "x"), END.to_owned()]] {
        let turn = play(&[STARTED, &message("hi"), &ends[0], &ends[1]]);
        turn.assert_completed("hi");
        assert_eq!(turn.verdicts, ["go on", "go on", "grace", "over", "go on"]);
    }
}

#[test]
fn one_end_of_a_chatflow_is_enough_when_the_other_never_comes() {
    for end in [END.to_owned(), finished("succeeded", "x")] {
        play(&[STARTED, &message("hi"), &end]).assert_completed("hi");
        for last in [Input::GraceOver, Input::Lost(error::disconnected())] {
            let mut fold = fold();
            let mut turn = Turn::default();
            for frame in [STARTED, &message("hi"), &end] {
                turn.frame(&mut fold, frame);
            }
            turn.step(&mut fold, last);
            turn.assert_completed("hi");
        }
    }
}

#[test]
fn an_answer_by_moderation_or_annotation_is_a_success_whatever_follows() {
    let made_up_failure = finished("failed", "");
    play(&[&message("I may not."), END]).assert_completed("I may not.");
    let turn = play(&[&message("I may not."), END, STARTED, &made_up_failure]);
    turn.assert_completed("I may not.");
    for bad in [made_up_failure.as_str(), ERROR, PAUSED, &finished("stopped", "")] {
        play(&[STARTED, &message("ok"), END, bad]).assert_completed("ok");
    }
}

#[test]
fn outputs_count_only_when_nothing_was_streamed() {
    play(&[STARTED, &message(""), END, &finished("succeeded", "whole")]).assert_completed("whole");
    play(&[STARTED, &finished("succeeded", "whole"), END]).assert_completed("whole");
    play(&[STARTED, &finished("succeeded", "whole")]).assert_completed("whole");
    play(&[STARTED, &message("streamed"), END, &finished("succeeded", "other")]).assert_completed("streamed");
    play(&[STARTED, REPLACE, END, &finished("succeeded", "bad words")]).assert_completed("[removed]");
    let turn = play(&[STARTED, &finished("succeeded", "bad words"), REPLACE, END]);
    turn.assert_completed("[removed]");
    assert!(!turn.events.iter().any(|event| event.contains("bad words")));
}

#[test]
fn a_replacement_voids_the_text_and_says_why() {
    let turn = play(&[&message("bad"), REPLACE, &message(" more"), END]);
    turn.assert_completed("[removed] more");
    assert!(turn.events.contains(&r#"Replaced("output_moderation")"#.to_owned()));
    let turn = play(&[&message("<think>bad</think>bad"), REPLACE, END]);
    assert_eq!((turn.answer.as_str(), turn.reasoning.as_str()), ("[removed]", ""));
}

#[test]
fn the_closing_message_of_a_new_agent_is_not_doubled() {
    play(&[&agent("Hel"), &agent("lo"), &message("Hello"), END]).assert_completed("Hello");
    let turn = play(&[&agent("Hel"), &agent("lo"), &message("Hello!"), END]);
    turn.assert_completed("Hello!");
    assert!(turn.events.contains(&"replace answer Hello!".to_owned()));
    play(&[&message("Hello"), END]).assert_completed("Hello");
    play(&[&agent(""), &message("Hello"), END]).assert_completed("Hello");
    play(&[&agent("Hello"), &message(""), END]).assert_completed("Hello");
    let turn = play(&[&agent("<think>a"), &agent("</think>b"), &message("<think>a</think>b"), END]);
    turn.assert_completed("b");
    assert_eq!(turn.reasoning, "a");
}

#[test]
fn text_under_the_name_of_a_file_is_a_delta() {
    let file =
        r#"{"event":"message_file","id":"f","type":"image","belongs_to":"assistant","url":"https://h/f"}"#;
    let text = r#"{"event":"message_file","id":"m","answer":" more"}"#;
    play(&[&message("some"), file, text, END]).assert_completed("some more");
    play(&[&agent("some"), file, text, END]).assert_completed("some more");
    let again = r#"{"event":"message_file","id":"m","answer":"some"}"#;
    play(&[&agent("so"), &agent("me"), file, again, END]).assert_completed("some");
}

#[test]
fn the_rounds_of_an_agent_are_set_apart_once_the_next_one_speaks() {
    let rounds = [
        thought(1),
        agent("Let me look. "),
        thought(1),
        thought(2),
        agent(""),
        agent("It is "),
        agent("noon."),
        thought(2),
    ];
    let mut frames: Vec<&str> = rounds.iter().map(String::as_str).collect();
    let last = thought(3);
    frames.extend([last.as_str(), END]);
    play(&frames).assert_completed("Let me look. \nIt is noon.");
    for whole in ["Let me look. \nIt is noon.", "Let me look. It is noon."] {
        let whole = message(whole);
        let mut frames = frames.clone();
        frames.insert(frames.len() - 1, &whole);
        let turn = play(&frames);
        turn.assert_completed("Let me look. \nIt is noon.");
        assert!(!turn.events.iter().any(|event| event.starts_with("replace")));
    }
    play(&[&thought(1), &thought(2), &agent("first words"), END]).assert_completed("first words");
}

#[test]
fn each_round_of_an_agent_may_begin_with_a_thought() {
    let rounds = [
        thought(1),
        agent("<think>a</think>Use <think>, or <thi"),
        thought(2),
        agent("<think>"),
        agent("b</think>It is "),
        agent("noon."),
    ];
    let mut frames: Vec<&str> = rounds.iter().map(String::as_str).collect();
    let whole = message("<think>a</think>Use <think>, or <thi\n<think>b</think>It is noon.");
    frames.extend([whole.as_str(), END]);
    let turn = play(&frames);
    turn.assert_completed("Use <think>, or <thi\nIt is noon.");
    assert_eq!(turn.reasoning, "a\n\nb");
    assert!(!turn.events.iter().any(|event| event.starts_with("replace")));
}

#[test]
fn failures_have_code_and_reason_and_keep_the_text() {
    let turn = play(&[&message("par"), ERROR]);
    assert_eq!((turn.failure().code.as_ref(), turn.answer.as_str()), ("completion_request_error", "par"));
    let turn = play(&[STARTED, &message("par"), &finished("failed", ""), ERROR]);
    assert_eq!((turn.failure().code.as_ref(), turn.answer.as_str()), ("workflow_failed", "par"));
    assert!(turn.failure().message.ends_with("ValueError: boom"));
    let turn = play(&[STARTED, &message("par"), &finished("stopped", ""), END]);
    assert_eq!((turn.failure().code.as_ref(), turn.failure().source), ("stopped", FailureSource::Dify));
    let turn = play(&[STARTED, &message("par")]);
    assert_eq!((turn.failure().code.as_ref(), turn.failure().retryable), ("upstream_disconnected", true));
    assert_eq!(turn.answer, "par");
}

#[test]
fn a_run_with_exceptions_is_a_success_that_counts_them() {
    for frames in [
        [END.to_owned(), finished("partial-succeeded", "x")],
        [finished("partial-succeeded", "x"), END.to_owned()],
    ] {
        let turn = play(&[STARTED, &message("hi"), &frames[0], &frames[1]]);
        turn.assert_completed("hi");
        assert!(turn.events.contains(&"Exceptions(2)".to_owned()));
    }
}

#[test]
fn after_our_own_stop_any_end_is_stopped() {
    for end in [END, &finished("stopped", ""), &finished("failed", ""), &finished("succeeded", ""), ERROR] {
        let turn = play_with(ThinkMode::Metadata, &[STARTED, &message("par"), end], Some(2));
        assert!(matches!(turn.outcomes[..], [Outcome::Stopped { confirmed: true }]), "{end}");
        assert_eq!(turn.answer, "par");
        assert_eq!(turn.verdicts.iter().filter(|verdict| **verdict == "grace").count(), 0, "{end}");
    }
    let succeeded = finished("succeeded", "x");
    let twin = Frame::decode(&succeeded).unwrap();
    // That the grace is over shows nothing of a stop.
    for (last, shown) in [(Input::GraceOver, false), (Input::Closed, true), (Input::Frame(&twin), true)] {
        let mut fold = fold();
        let mut turn = Turn::default();
        for frame in [STARTED, END] {
            turn.frame(&mut fold, frame);
        }
        turn.step(&mut fold, Input::StopRequested);
        turn.step(&mut fold, last);
        assert!(matches!(turn.outcomes[..], [Outcome::Stopped { confirmed }] if confirmed == shown));
    }
    let mut fold = fold();
    let mut turn = Turn::default();
    turn.step(&mut fold, Input::StopRequested);
    turn.step(&mut fold, Input::Lost(error::disconnected()));
    assert!(matches!(turn.outcomes[..], [Outcome::Stopped { confirmed: false }]));
}

#[test]
fn thoughts_go_where_they_are_asked_to() {
    let chunk = r#"{"event":"reasoning_chunk","data":{"reasoning":"hm","is_final":false}}"#;
    let tagged = message("<think>\nhm\n</think>\n\nyes");
    for (mode, frames, answer, reasoning) in [
        (ThinkMode::Metadata, [chunk, &message("yes"), END], "yes", "hm"),
        (ThinkMode::Drop, [chunk, &message("yes"), END], "yes", ""),
        (ThinkMode::Metadata, [&tagged, &message(""), END], "yes", "hm"),
        (ThinkMode::Drop, [&tagged, &message(""), END], "yes", ""),
        (ThinkMode::Keep, [&tagged, &message(""), END], "<think>\nhm\n</think>\n\nyes", ""),
    ] {
        let turn = play_with(mode, &frames, None);
        turn.assert_completed(answer);
        assert_eq!(turn.reasoning, reasoning);
    }
    play(&[&message("a <thi"), END]).assert_completed("a <thi");
}
