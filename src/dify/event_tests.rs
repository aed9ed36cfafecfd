//! Decoding single frames.

use proptest::prelude::*;

use super::*;

fn event(data: &str) -> DifyEvent<'_> {
    Frame::decode(data).unwrap().event
}

#[test]
fn a_delta_borrows_from_the_frame_unless_it_has_escapes() {
    let frame = Frame::decode(
        r#"{"event":"message","conversation_id":"c","message_id":"m","created_at":1,"task_id":"t","id":"m","answer":"hé","from_variable_selector":null}"#,
    )
    .unwrap();
    assert!(matches!(&frame.event, DifyEvent::Message { answer: Cow::Borrowed("hé") }));
    assert!(matches!(&frame.task_id, Some(Cow::Borrowed("t"))));
    assert_eq!(frame.conversation_id.as_deref(), Some("c"));
    assert_eq!(frame.workflow_run_id, None);

    let DifyEvent::Message { answer } = event(r#"{"event": "message", "answer": "\u4f60\n\ud83e\udd16"}"#)
    else {
        panic!("not a message");
    };
    assert_eq!(answer, "你\n🤖");
}

#[test]
fn the_order_of_keys_does_not_matter() {
    let frame =
        Frame::decode(r#"{"answer":"a","task_id":"t","conversation_id":"c","event":"message"}"#).unwrap();
    assert!(matches!(frame.event, DifyEvent::Message { answer } if answer == "a"));
    assert_eq!(frame.conversation_id.as_deref(), Some("c"));
}

#[test]
fn null_missing_and_mistyped_fields_read_as_absent() {
    for answer in ["", r#","answer":null"#, r#","answer":[]"#, r#","answer":{"a":[1]}"#, r#","answer":7"#] {
        let data = format!(r#"{{"event":"message"{answer}}}"#);
        assert!(matches!(event(&data), DifyEvent::Message { answer } if answer.is_empty()), "{data}");
    }
    for metadata in ["null", "[]", "{}", "\"\"", "7", r#"{"usage":null,"retriever_resources":null}"#] {
        let data = format!(r#"{{"event":"message_end","metadata":{metadata},"files":null}}"#);
        let DifyEvent::MessageEnd(end) = event(&data) else { panic!("{data}") };
        assert!(end.usage.is_none() && end.retriever_resources.is_none() && !end.annotated, "{data}");
    }
    for data in ["null", "[]", "[{}]", "\"x\"", "{}"] {
        let data = format!(r#"{{"event":"workflow_finished","data":{data}}}"#);
        let DifyEvent::WorkflowFinished(finished) = event(&data) else { panic!("{data}") };
        assert_eq!(finished.status, RunStatus::Other(Cow::Borrowed("")));
        assert_eq!(finished.answer(), None);
    }
}

#[test]
fn the_end_of_a_message_keeps_usage_verbatim() {
    let DifyEvent::MessageEnd(end) = event(
        r#"{"event":"message_end","metadata":{"annotation_reply":{"id":"a"},"retriever_resources":[{"position":1}],"usage":{"total_tokens":19,"total_price":"0E-7","x":1.50}}}"#,
    ) else {
        panic!("not the end");
    };
    assert_eq!(end.usage.unwrap().get(), r#"{"total_tokens":19,"total_price":"0E-7","x":1.50}"#);
    assert_eq!(end.retriever_resources.unwrap().get(), r#"[{"position":1}]"#);
    assert!(end.annotated);
}

#[test]
fn a_message_file_is_text_when_it_has_an_answer_and_a_file_when_it_has_none() {
    assert!(matches!(
        event(r#"{"event":"message_file","id":"m","answer":"more","from_variable_selector":null}"#),
        DifyEvent::MessageFileText { answer } if answer == "more"
    ));
    let file = r#"{"event":"message_file","id":"f","type":"image","belongs_to":"assistant","url":"https://h/f.png"}"#;
    assert!(matches!(event(file), DifyEvent::MessageFile));
}

#[test]
fn a_finished_run_tells_status_error_outputs_and_time() {
    let DifyEvent::WorkflowFinished(finished) = event(
        r#"{"event":"workflow_finished","workflow_run_id":"r","data":{"status":"partial-succeeded","outputs":{"files":[],"answer":"a\"b"},"error":null,"elapsed_time":1.5,"exceptions_count":2}}"#,
    ) else {
        panic!("not finished");
    };
    assert_eq!(finished.status, RunStatus::PartialSucceeded);
    assert_eq!(finished.answer().as_deref(), Some("a\"b"));
    assert_eq!(
        (finished.error, finished.elapsed_time, finished.exceptions_count),
        (None, Some(1.5), Some(2))
    );
}

#[test]
fn an_error_may_lack_its_code_and_its_status() {
    let DifyEvent::Error(error) = event(r#"{"event":"error","message":"no","status":500}"#) else {
        panic!("not an error");
    };
    assert_eq!((error.code, error.status, error.message.as_ref()), (None, Some(500), "no"));
    assert!(matches!(event(r#"{"event":"error"}"#), DifyEvent::Error(StreamError { status: None, .. })));
}

#[test]
fn every_event_of_the_catalogue_is_known_and_others_are_named() {
    for name in [
        "ping",
        "message",
        "agent_message",
        "agent_thought",
        "message_file",
        "message_replace",
        "message_end",
        "tts_message",
        "tts_message_end",
        "error",
        "workflow_started",
        "workflow_finished",
        "workflow_paused",
        "human_input_required",
        "human_input_form_filled",
        "human_input_form_timeout",
        "node_started",
        "node_finished",
        "node_retry",
        "iteration_started",
        "iteration_next",
        "iteration_completed",
        "loop_started",
        "loop_next",
        "loop_completed",
        "parallel_branch_started",
        "parallel_branch_finished",
        "text_chunk",
        "text_replace",
        "reasoning_chunk",
        "agent_log",
    ] {
        let data = format!(r#"{{"event":"{name}"}}"#);
        assert!(!matches!(event(&data), DifyEvent::Unknown { .. }), "{name}");
    }
    assert!(
        matches!(event(r#"{"event":"brand_new","data":{"x":[1]}}"#), DifyEvent::Unknown { name } if name == "brand_new")
    );
}

#[test]
fn what_is_no_event_is_an_error() {
    for garbage in ["", "[DONE]", "{", "nul", "7", "\"event\"", r#"{"event":"message""#] {
        assert_eq!(Frame::decode(garbage).unwrap_err(), DecodeError::NotJson, "{garbage}");
    }
    for nameless in ["{}", r#"{"event":null}"#, r#"{"event":""}"#, r#"{"event":7,"answer":"a"}"#] {
        assert_eq!(Frame::decode(nameless).unwrap_err(), DecodeError::NoName, "{nameless}");
    }
}

#[test]
fn a_huge_payload_that_nobody_reads_is_skipped() {
    let prompts = r#"{"role":"user","text":"lorem ipsum \" \\ dolor"},"#.repeat(40_000);
    let data = format!(
        r#"{{"event":"node_finished","data":{{"title":"llm","node_type":"llm","status":"failed","process_data":{{"prompts":[{prompts}{{}}]}},"inputs":[{prompts}1]}}}}"#
    );
    let DifyEvent::NodeFinished(node) = event(&data) else { panic!("not a node") };
    assert_eq!((node.title.as_ref(), node.status.as_ref()), ("llm", "failed"));
}

#[test]
fn a_frame_that_is_wrong_in_form_only_is_put_right() {
    let mut spare = String::new();
    let twice = r#"{"event":"ping","task_id":"t","answer":"a","answer":"x\ud800y","event":"message","data":{"id":1,"id":2}}"#;
    assert!(Frame::decode(twice).is_err());
    let frame = Frame::decode_or_mend(twice, &mut spare).unwrap();
    assert_eq!(frame.task_id.as_deref(), Some("t"));
    assert!(matches!(frame.event, DifyEvent::Message { answer } if answer == "x\u{fffd}y"));
    for garbage in ["", "[]", "{\"event\":", r#"{"event":7}"#, r#"{"a":1,"a":2}"#, r#"{"event":"\ud8"}"#] {
        assert!(Frame::decode_or_mend(garbage, &mut spare).is_err(), "{garbage}");
    }
    let finished =
        r#"{"event":"workflow_finished","data":{"outputs":{"answer":"\udc00!","answer":"\ud800?"}}}"#;
    match Frame::decode(finished).unwrap().event {
        DifyEvent::WorkflowFinished(finished) => assert_eq!(finished.answer().as_deref(), Some("\u{fffd}?")),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn no_text_is_lost_to_surrogates_and_doubled_members(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                ("a", "a"), ("\u{1f600}", "\u{1f600}"), (r"\\ud800", r"\ud800"), (r"\ud83d\ude00", "\u{1f600}"),
                (r#"\""#, "\""), (r"\n", "\n"), (r"\u0041", "A"), (r"\udc00", "\u{fffd}"), (r"\uD800", "\u{fffd}"),
            ]),
            0..20,
        ),
        doubled in any::<bool>(),
    ) {
        let mut escaped = String::new();
        let mut plain = String::new();
        let mut is_high = false;
        for (escape, text) in pieces {
            // Behind a high one, a low one would make a pair.
            if is_high && escape == r"\udc00" {
                continue;
            }
            is_high = escape == r"\uD800";
            escaped.push_str(escape);
            plain.push_str(text);
        }
        let first = if doubled { r#""answer":"first","# } else { "" };
        let data = format!(r#"{{"event":"message",{first}"answer":"{escaped}","x":[1.0,{{"y":"\u0000"}}]}}"#);
        let mut spare = String::new();
        let frame = Frame::decode_or_mend(&data, &mut spare).unwrap();
        prop_assert!(matches!(frame.event, DifyEvent::Message { answer } if answer == plain), "{}", data);
    }
}
