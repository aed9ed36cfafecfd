//! Runs that wait and go on, on streams made for them.

use super::*;

const RESUMED: &str = r#"{"event":"workflow_started","workflow_run_id":"r","data":{"reason":"resumption"}}"#;
const REQUIRED: &str = r#"{"event":"human_input_required","workflow_run_id":"r","data":{"form_id":"f","node_id":"h","form_token":"secret"}}"#;
const FILLED: &str = r#"{"event":"human_input_form_filled","workflow_run_id":"r","data":{"node_id":"h","node_title":"Ask","action_text":"Go"}}"#;
const NODE: &str = r#"{"event":"node_started","workflow_run_id":"r","data":{"id":"1","title":"Ask"}}"#;

fn resumed(answer: &str) -> Setup {
    Setup { resumed: Some(answer.to_owned()), ..Setup::default() }
}

fn snapshot(answer: &str) -> String {
    serde_json::json!({"event": "message_replace", "answer": answer, "reason": ""}).to_string()
}

fn go_on(answer: &str, frames: &[&str]) -> Turn {
    play_as(resumed(answer), frames, None)
}

/// What was said of the answer, and nothing else.
fn texts(turn: &Turn) -> Vec<&str> {
    let texts = turn.events.iter().map(String::as_str);
    texts.filter(|event| event.contains("answer") || event.contains("reasoning")).collect()
}

#[test]
fn a_form_for_a_person_is_a_pause() {
    for frames in [&[STARTED, &message("so far <thi"), REQUIRED, PAUSED][..], &[STARTED, REQUIRED]] {
        let turn = play(frames);
        assert!(turn.outcomes.is_empty());
        assert_eq!(turn.verdicts.last(), Some(&"paused"));
        assert_eq!(turn.pauses[0].forms[0].form_id, "f");
        assert!(!format!("{turn:?}").contains("secret"));
    }
    // What is held back is said, for nobody knows how long it takes.
    let turn = play(&[STARTED, &message("so far <thi"), REQUIRED, PAUSED]);
    assert_eq!(turn.answer, "so far <thi");
    // However the stream ends, the run waits.
    let mut fold = fold();
    let mut turn = Turn::default();
    turn.frame(&mut fold, REQUIRED);
    turn.step(&mut fold, Input::Lost(error::disconnected()));
    assert_eq!(turn.pauses.len(), 1);
    for (frame, reasons) in [
        (finished("paused", ""), &[][..]),
        (PAUSED.replace("{}", r#"{"reasons":[{"TYPE":"scheduled"}]}"#), &["scheduled"]),
    ] {
        let turn = play(&[STARTED, &frame]);
        assert_eq!((turn.verdicts[1], turn.verdicts[2]), ("paused", "paused"));
        assert_eq!(turn.pauses[1].other_reasons, reasons);
    }
}

#[test]
fn a_paused_run_goes_on_in_the_same_fold() {
    let turn = play(&[STARTED, &message("a"), REQUIRED, PAUSED, RESUMED, FILLED, &message("b"), END]);
    turn.assert_completed("ab");
    assert_eq!(turn.events, ["working", "answer a", "progress Ask", "answer b"]);
    assert_eq!(
        turn.verdicts,
        ["go on", "go on", "go on", "paused", "go on", "go on", "go on", "grace", "over"]
    );
    // A form that was filled in is waited for no more.
    let turn = play(&[STARTED, REQUIRED, PAUSED, RESUMED, FILLED]);
    assert_eq!(turn.failure().code, "upstream_disconnected");
}

#[test]
fn a_pause_after_our_own_stop_is_its_end() {
    for frames in
        [&[STARTED, REQUIRED, PAUSED][..], &[STARTED, REQUIRED], &[STARTED, &finished("paused", "")]]
    {
        let turn = play_with(ThinkMode::Metadata, frames, Some(1));
        assert!(matches!(turn.outcomes[..], [Outcome::Stopped { confirmed: true }]), "{frames:?}");
        assert!(turn.pauses.is_empty());
    }
    // That the stream is lost shows nothing of a stop.
    let mut fold = fold();
    let mut turn = Turn::default();
    turn.frame(&mut fold, REQUIRED);
    turn.step(&mut fold, Input::StopRequested);
    turn.step(&mut fold, Input::Lost(error::disconnected()));
    assert!(matches!(turn.outcomes[..], [Outcome::Stopped { confirmed: false }]));
}

#[test]
fn a_replay_says_only_what_is_new() {
    for (so_far, told, said) in [
        ("Before. ", "Before. ", &[][..]),
        ("Before. ", "Before. After.", &["answer After."]),
        ("Before. ", "Other.", &["replace answer Other."]),
        // A store that lags behind says nothing.
        ("Before. ", "Bef", &[]),
        ("Before. ", "", &[]),
        ("", "Before.", &["answer Before."]),
        ("b", "<think>a</think>b", &[]),
        ("b", "<think>a</think>bc", &["replace reasoning a", "answer c"]),
        ("b", "<think>a</think>c", &["replace reasoning a", "replace answer c"]),
        ("a <thi", "a <thi", &[]),
    ] {
        let turn = go_on(so_far, &[STARTED, &snapshot(told), NODE, REQUIRED, PAUSED]);
        assert_eq!(texts(&turn), said, "{so_far:?} {told:?}");
        assert!(!turn.events.iter().any(|event| event.contains("Replaced") || event.contains("progress")));
        let more =
            [STARTED, &snapshot(told), NODE, REQUIRED, PAUSED, RESUMED, NODE, FILLED, &message("More."), END];
        let turn = go_on(so_far, &more);
        assert_eq!(turn.events.iter().filter(|event| *event == "progress Ask").count(), 2);
        assert_eq!(turn.events.last().unwrap(), "answer More.");
    }
}

#[test]
fn an_answer_that_has_begun_may_speak_of_the_tag() {
    for (so_far, answer, reasoning) in [
        ("Use ", "<think>, or", ""),
        ("<think>\nUse ", "<think>, or", ""),
        (" ", "", ", or"),
        ("", "", ", or"),
    ] {
        let turn = go_on(so_far, &[RESUMED, FILLED, &message("<think>, or"), END]);
        assert_eq!((turn.answer.as_str(), turn.reasoning.as_str()), (answer, reasoning), "{so_far:?}");
    }
}

#[test]
fn moderation_of_what_comes_then_is_no_replay() {
    for frames in [
        &[STARTED, &snapshot("Before. "), PAUSED, RESUMED, REPLACE, END][..],
        &[RESUMED, FILLED, &message("bad"), &snapshot("[removed]"), END],
    ] {
        let turn = go_on("Before. ", frames);
        turn.assert_completed("[removed]");
        assert!(turn.events.iter().any(|event| event.starts_with("Replaced")));
    }
}

#[test]
fn the_end_of_a_run_that_nobody_read_tells_its_text() {
    let end = finished("succeeded", "Before. After.");
    for (so_far, recalled, said) in [
        ("Before. ", None, &["answer After."][..]),
        ("Before. After.", None, &[]),
        ("Else.", None, &["replace answer Before. After."]),
        ("Before. ", Some("Before. After, as stored."), &["answer After, as stored."]),
        ("Before. ", Some("[removed]"), &["replace answer [removed]"]),
        ("Before. ", Some(""), &["answer After."]),
    ] {
        let mut fold = Fold::new(resumed(so_far));
        let mut turn = Turn::default();
        turn.frame(&mut fold, &end);
        if let Some(recalled) = recalled {
            fold.recall(recalled.to_owned());
        }
        turn.step(&mut fold, Input::Closed);
        assert!(matches!(turn.outcomes[..], [Outcome::Completed]));
        assert_eq!(texts(&turn), said, "{so_far:?} {recalled:?}");
    }
    // Where the text was not read at all.
    let mut fold = fold();
    let mut turn = Turn::default();
    fold.recall("As stored.".to_owned());
    turn.frame(&mut fold, &end);
    turn.step(&mut fold, Input::Closed);
    turn.assert_completed("As stored.");
}

#[test]
fn outputs_take_back_nothing_that_dify_has_stored() {
    let end = finished("succeeded", "Before moderation.");
    for told in ["[removed]", "[removed] and more"] {
        let turn = go_on("[removed]", &[STARTED, &snapshot(told), PAUSED, RESUMED, FILLED, &end]);
        assert!(matches!(turn.outcomes[..], [Outcome::Completed]));
        assert!(!turn.events.iter().any(|event| event.contains("moderation")), "{:?}", turn.events);
    }
    let turn = go_on("[removed]", &[STARTED, &snapshot("[removed]"), NODE, &end]);
    assert!(texts(&turn).is_empty());
    // Neither what was read before a pause behind which nothing is said.
    let turn = go_on("[removed]", &[RESUMED, FILLED, &end]);
    assert!(texts(&turn).is_empty());
    // What was streamed after the pause is the truth too.
    let turn = go_on("a", &[RESUMED, FILLED, &message("b"), &end]);
    assert_eq!(texts(&turn), ["answer b"]);
}

#[test]
fn numbers_go_on_where_they_were() {
    let file = r#"{"event":"message_file","id":"m","belongs_to":"assistant","url":"https://h/a.png"}"#;
    let mut before = fold();
    let mut turn = Turn::default();
    for frame in [STARTED, NODE, file, REQUIRED, PAUSED] {
        turn.frame(&mut before, frame);
    }
    assert_eq!(before.counts(), Counts { files: 1, steps: 1 });
    let memo = serde_json::to_string(&before.counts()).unwrap();
    let mut after = Fold::new(resumed(""));
    after.count_from(serde_json::from_str(&memo).unwrap());
    turn.frame(&mut after, RESUMED);
    turn.frame(&mut after, &NODE.replace("\"1\"", "\"2\""));
    turn.frame(&mut after, &file.replace("\"m\"", "\"n\"").replace("a.png", "b.png"));
    assert_eq!(turn.found.iter().map(|it| it.artifact.as_str()).collect::<Vec<_>>(), ["file-1", "file-2"]);
    assert_eq!(after.counts(), Counts { files: 2, steps: 2 });
    // They are bounded all the same.
    after.count_from(Counts { files: usize::MAX, steps: u64::MAX });
    turn.frame(&mut after, &NODE.replace("\"1\"", "\"3\""));
    turn.frame(&mut after, &file.replace("\"m\"", "\"o\"").replace("a.png", "c.png"));
    assert_eq!(turn.found.len(), 2);
}

#[test]
fn the_text_of_a_workflow_is_not_its_outputs() {
    let end = |outputs: &str| {
        format!(
            r#"{{"event":"workflow_finished","workflow_run_id":"r","data":{{"status":"succeeded","outputs":{outputs}}}}}"#
        )
    };
    for (so_far, outputs, said) in [
        ("", r#"{"text":"all"}"#, &["answer all"][..]),
        ("al", r#"{"text":"all"}"#, &["answer l"]),
        ("- a\n- b", r#"{"list":["a","b"],"text":"all"}"#, &[]),
    ] {
        let setup = Setup { app: AppKind::Workflow, ..resumed(so_far) };
        let turn = play_as(setup, &[&end(outputs)], None);
        assert_eq!(texts(&turn), said);
        assert!(turn.events.iter().any(|event| event.starts_with("artifact outputs")));
    }
}
