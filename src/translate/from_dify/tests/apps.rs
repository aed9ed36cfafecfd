//! What only some apps have: outputs, files, speech.

use super::*;

fn workflow() -> Setup {
    Setup { app: AppKind::Workflow, ..Setup::default() }
}

fn chunk(text: &str) -> String {
    serde_json::json!({"event": "text_chunk", "workflow_run_id": "r", "data": {"text": text}}).to_string()
}

fn run_over(status: &str, outputs: &str) -> String {
    format!(
        r#"{{"event":"workflow_finished","workflow_run_id":"r","data":{{"status":"{status}","outputs":{outputs},"exceptions_count":2}}}}"#
    )
}

fn outputs_of(turn: &Turn) -> Vec<&str> {
    turn.events.iter().filter_map(|event| event.strip_prefix("artifact outputs ")).collect()
}

#[test]
fn a_workflow_ends_with_its_run_and_gives_its_outputs() {
    let outputs = r#"{"n": 1.50e2,"text":"whole"}"#;
    for status in ["succeeded", "partial-succeeded"] {
        let over = run_over(status, outputs);
        let turn = play_as(workflow(), &[STARTED, &chunk("who"), &chunk("le"), &over], None);
        turn.assert_completed("whole");
        assert_eq!(turn.verdicts, ["go on", "go on", "go on", "over", "go on"]);
        assert!(matches!(outputs_of(&turn)[..], [shown] if shown.contains("1.50e2")), "{:?}", turn.events);
        assert_eq!(turn.events.contains(&"Exceptions(2)".to_owned()), status == "partial-succeeded");
    }
    // Outputs of what failed are not what was asked for.
    let turn = play_as(workflow(), &[STARTED, &run_over("failed", outputs)], None);
    assert_eq!((turn.failure().code.as_ref(), outputs_of(&turn).len()), ("workflow_failed", 0));
    let turn = play_as(workflow(), &[STARTED, &chunk("a")], None);
    assert_eq!((turn.failure().code.as_ref(), turn.answer.as_str()), ("upstream_disconnected", "a"));
}

#[test]
fn the_only_text_among_outputs_is_the_answer_when_none_came() {
    for (outputs, answer, artifacts) in [
        (r#"{"n":1,"text":"whole"}"#, "whole", 1),
        (r#"{"a":"one","b":"two"}"#, "", 1),
        (r#"{"answer":"one","b":"two"}"#, "", 1),
        ("{}", "", 1),
        ("null", "", 0),
        (r#"["x"]"#, "", 0),
    ] {
        let turn = play_as(workflow(), &[STARTED, &chunk(""), &run_over("succeeded", outputs)], None);
        turn.assert_completed(answer);
        assert_eq!(outputs_of(&turn).len(), artifacts, "{outputs}");
    }
    let outputs = r#"{"text":"<think>hm</think>yes"}"#;
    let turn = play_as(workflow(), &[STARTED, &run_over("succeeded", outputs)], None);
    turn.assert_completed("yes");
    assert_eq!(turn.reasoning, "hm");
}

#[test]
fn the_outputs_of_a_chatflow_stay_inside() {
    let over = run_over("succeeded", r#"{"answer":"before moderation","x":1}"#);
    let turn = play(&[STARTED, REPLACE, &over, END]);
    turn.assert_completed("[removed]");
    assert!(outputs_of(&turn).is_empty());
}

#[test]
fn a_text_generator_is_a_chatbot_without_a_conversation() {
    let setup = Setup { app: AppKind::Completion, ..Setup::default() };
    let turn = play_as(setup.clone(), &[&message("he"), &message("llo"), END], None);
    turn.assert_completed("hello");
    assert_eq!(turn.verdicts, ["go on", "go on", "over", "go on"]);
    assert_eq!(play_as(setup, &[&message("he"), ERROR], None).failure().code, "completion_request_error");
}

#[test]
fn files_are_found_wherever_they_are_named() {
    let file = |id: &str, sign: &str| {
        format!(
            r#"{{"dify_model_identity":"__dify__file__","related_id":"{id}","transfer_method":"tool_file","filename":"{id}.png","mime_type":"image/png","size":-1,"url":"https://h/files/tools/{id}.png?sign={sign}"}}"#
        )
    };
    let made = r#"{"event":"message_file","id":"m","type":"image","belongs_to":"assistant","url":"/files/tools/a.png?sign=1"}"#;
    let mine = r#"{"event":"message_file","id":"u","type":"image","belongs_to":"user","url":"/files/u.png"}"#;
    let end = format!(
        r#"{{"event":"message_end","files":[{},{}],"metadata":{{}}}}"#,
        file("a", "2"),
        file("b", "2")
    );
    let outputs =
        format!(r#"{{"answer":"x","files":[{}],"deep":[{{"f":{}}}]}}"#, file("b", "3"), file("c", "3"));
    let turn = play(&[STARTED, made, mine, &message("x"), &end, &run_over("succeeded", &outputs)]);
    turn.assert_completed("x");
    let found: Vec<_> =
        turn.found.iter().map(|it| (it.artifact.as_str(), it.name.as_str(), it.size)).collect();
    assert_eq!(found, [("file-1", "a.png", None), ("file-2", "b.png", None), ("file-3", "c.png", None)]);
    let is_there = |url: &str| FoundSource::Url { url: url.to_owned(), is_remote: false };
    assert_eq!(turn.found[0].source, is_there("/files/tools/a.png?sign=1"));

    let outputs = format!(r#"{{"f":{}}}"#, file("a", "1"));
    let turn = play_as(workflow(), &[STARTED, &run_over("succeeded", &outputs)], None);
    let shown = outputs_of(&turn)[0].to_owned();
    assert!(shown.contains("file-1") && !shown.contains("sign=") && !shown.contains("dify"), "{shown}");
    assert_eq!((turn.found.len(), turn.found[0].name.as_str()), (1, "a.png"));
}

const PIECE: &str = r#"{"event":"tts_message","audio":"SUQz"}"#;
const SPOKEN: &str = r#"{"event":"tts_message_end","audio":""}"#;

fn listen(frames: &[&str], stop_at: Option<usize>) -> Turn {
    play_as(Setup { wants_speech: true, ..Setup::default() }, frames, stop_at)
}

#[test]
fn the_end_of_speech_is_waited_for_when_it_has_begun() {
    let hi = message("hi");
    let over = finished("succeeded", "hi");
    for (frames, verdicts) in [
        (&[PIECE, &hi, END, PIECE, SPOKEN][..], &["go on", "go on", "grace", "go on", "over", "go on"][..]),
        (&[PIECE, &hi, SPOKEN, END], &["go on", "go on", "go on", "over", "go on"]),
        (&[PIECE, &hi, END], &["go on", "go on", "grace", "over"]),
        (&[PIECE, &hi, END, ERROR], &["go on", "go on", "grace", "over", "go on"]),
        (
            &[STARTED, PIECE, &hi, END, &over, SPOKEN],
            &["go on", "go on", "go on", "grace", "grace", "over", "go on"],
        ),
        (&[STARTED, PIECE, &over, END, SPOKEN], &["go on", "go on", "grace", "grace", "over", "go on"]),
        (&[STARTED, PIECE, END, SPOKEN, &over], &["go on", "go on", "grace", "go on", "over", "go on"]),
    ] {
        let turn = listen(frames, None);
        turn.assert_completed("hi");
        assert_eq!(turn.verdicts, verdicts);
        let [found] = &turn.found[..] else { panic!("{:?}", turn.found) };
        assert_eq!((found.name.as_str(), found.media_type.as_deref()), ("speech.mp3", Some("audio/mpeg")));
        assert!(matches!(&found.source, FoundSource::Bytes(bytes) if bytes.starts_with(b"ID3")));
    }
    // Without a wish for it, and without any of it, nothing is waited for.
    assert_eq!(play(&[PIECE, &hi, END]).verdicts, ["go on", "go on", "over", "go on"]);
    assert_eq!(listen(&[&hi, END], None).verdicts, ["go on", "over", "go on"]);
    let stopped = listen(&[PIECE, &hi, END], Some(2));
    assert!(matches!(stopped.outcomes[..], [Outcome::Stopped { confirmed: true }]));
}

#[test]
fn what_was_taken_back_is_not_spoken() {
    let turn = listen(&[PIECE, &message("bad"), REPLACE, PIECE, END], None);
    turn.assert_completed("[removed]");
    assert!(turn.found.is_empty());
}
