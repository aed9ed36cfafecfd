//! Decoding single frames.

use proptest::prelude::*;

use super::*;
use crate::dify::fixture;

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
    let DifyEvent::MessageFile(file) = event(file) else { panic!("not a file") };
    assert_eq!(
        (file.id.as_ref(), file.kind.as_ref(), file.belongs_to.as_ref(), file.url.as_ref()),
        ("f", "image", "assistant", "https://h/f.png")
    );
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

/// The events of a recorded stream.
fn recorded(name: &str, mut see: impl FnMut(&Frame<'_>)) {
    for frame in fixture::frames(&fixture::recording(name).body) {
        see(&Frame::decode(&frame).unwrap());
    }
}

#[test]
fn a_form_that_waits_is_told_whole() {
    let mut forms = Vec::new();
    recorded("1.14.2/human_input", |frame| match &frame.event {
        DifyEvent::HumanInputRequired(form) => forms.push((**form).clone()),
        DifyEvent::WorkflowPaused(paused) => {
            assert_eq!(paused.paused_nodes, ["human"]);
            assert!(paused.other_reasons.is_empty());
            forms.extend(paused.forms.iter().cloned());
        }
        _ => {}
    });
    let [told, again] = forms.as_slice() else { panic!("{forms:?}") };
    assert_eq!(told, again);
    assert_eq!(told.form_id, "01a200dc-e09c-710a-ab15-086b1554599c");
    assert_eq!((told.node_id.as_str(), told.node_title.as_str()), ("human", "Approve it"));
    assert_eq!(told.form_token.as_ref().unwrap().expose(), "4y7VruODqDhZ2SIisyKIcP");
    assert_eq!(told.expiration_time, Some(1_795_440_405));
    assert!(told.display_in_ui && told.is_answerable());
    assert!(!format!("{told:?}").contains("4y7VruODqDhZ2SIisyKIcP"));
}

#[test]
fn the_reasons_of_a_pause_may_be_others_and_may_be_broken() {
    let frame = r#"{"event":"workflow_paused","data":{"paused_nodes":["a",7,"b"],"reasons":[{"TYPE":"scheduled"},{"TYPE":"human_input_required","form_id":"f","form_token":null,"inputs":null,"actions":[7],"form_id":"g"},7,{}]}}"#;
    let DifyEvent::WorkflowPaused(paused) = event(frame) else { panic!("not paused") };
    assert_eq!(paused.paused_nodes, ["a", "b"]);
    assert_eq!(paused.other_reasons, ["scheduled", "", ""]);
    assert_eq!(paused.forms.len(), 1);
    assert_eq!(paused.forms[0].form_id, "g");
    assert!(!paused.forms[0].is_answerable());
    for data in ["null", "[]", "7", "{}", r#"{"reasons":{},"paused_nodes":""}"#] {
        let frame = format!(r#"{{"event":"workflow_paused","data":{data}}}"#);
        let DifyEvent::WorkflowPaused(paused) = event(&frame) else { panic!("{data}") };
        assert!(paused.forms.is_empty() && paused.other_reasons.is_empty());
        let frame = format!(r#"{{"event":"human_input_required","data":{data}}}"#);
        let DifyEvent::HumanInputRequired(form) = event(&frame) else { panic!("{data}") };
        assert!(!form.is_answerable() && form.actions.is_empty());
    }
}

#[test]
fn an_answered_form_and_a_forgotten_one_are_told_apart() {
    let mut resumed = Vec::new();
    recorded("1.14.2/human_input_events_continue_on_pause", |frame| match &frame.event {
        DifyEvent::WorkflowStarted(started) => resumed.push(started.is_resumption),
        DifyEvent::HumanInputFormFilled(filled) => {
            assert_eq!((filled.node_id.as_ref(), filled.node_title.as_ref()), ("human", "Approve it"));
            assert_eq!((filled.action_id.as_ref(), filled.action_text.as_ref()), ("approve", "Approve"));
            resumed.push(true);
        }
        _ => {}
    });
    assert_eq!(resumed, [false, true, true]);
    let mut late = Vec::new();
    recorded("1.14.2/human_input_timeout_events", |frame| {
        if let DifyEvent::HumanInputFormTimeout(timeout) = &frame.event {
            assert_eq!(timeout.node_title, "Approve it");
            late.push(timeout.expiration_time);
        }
    });
    assert_eq!(late, [Some(1_795_311_620)]);
}

#[test]
fn files_are_found_where_each_version_puts_them() {
    let mut found = Vec::new();
    recorded("1.14.2/chatflow_with_files", |frame| match &frame.event {
        DifyEvent::MessageEnd(end) => found.extend(end.files()),
        DifyEvent::WorkflowFinished(finished) => found.extend(finished.files()),
        _ => {}
    });
    let names: Vec<_> = found.iter().map(|file| file.filename.as_deref().unwrap_or_default()).collect();
    assert_eq!(names, ["hello.txt", "dot.png", "hello.txt", "dot.png"]);
    for version in ["1.14.2", "0.15.3"] {
        let mut found = Vec::new();
        recorded(&format!("{version}/workflow_file_ok"), |frame| {
            if let DifyEvent::WorkflowFinished(finished) = &frame.event {
                found = finished.files();
                assert_eq!((finished.total_steps, finished.total_tokens), (Some(2), Some(0)));
            }
        });
        assert_eq!(found.len(), 2, "{version}");
    }
}

#[test]
fn nodes_have_ids_times_rounds_and_tries() {
    let mut tries = Vec::new();
    recorded("1.14.2/workflow_retry", |frame| match &frame.event {
        DifyEvent::NodeStarted(node) if node.node_type == "code" => {
            assert_eq!((node.node_id.as_ref(), node.elapsed_time), ("code", None));
            tries.push((node.id.clone().into_owned(), None));
        }
        DifyEvent::NodeRetry(node) => {
            assert!(node.elapsed_time.is_some());
            tries.push((node.id.clone().into_owned(), node.retry_index));
        }
        DifyEvent::NodeFinished(node) if node.node_type == "code" => {
            tries.push((node.id.clone().into_owned(), None));
        }
        _ => {}
    });
    assert_eq!(tries.iter().map(|(_, index)| *index).collect::<Vec<_>>(), [None, Some(1), Some(2), None]);
    assert!(tries.iter().all(|(id, _)| *id == tries[0].0 && id.len() == 36));

    let iteration = r#"{"event":"iteration_started","data":{"id":"1","node_id":"1","node_type":"iteration","title":"I","metadata":{"iteration_length":3},"inputs":{"iterator_selector":[1,2,3]}}}"#;
    assert!(matches!(event(iteration), DifyEvent::IterationStarted(node) if node.rounds == Some(3)));
    let round = r#"{"event":"loop_next","data":{"id":"1","node_id":"1","node_type":"loop","title":"L","index":1,"pre_loop_output":{}}}"#;
    assert!(matches!(event(round), DifyEvent::LoopNext(node) if node.index == Some(1)));
    let inner =
        r#"{"event":"node_started","data":{"id":"1","metadata":null,"iteration_id":"it","loop_id":null}}"#;
    let DifyEvent::NodeStarted(node) = event(inner) else { panic!("not a node") };
    assert_eq!((node.iteration_id.as_deref(), node.loop_id), (Some("it"), None));
}

#[test]
fn a_step_of_an_agent_node_tells_its_place_state_and_time() {
    let log = r#"{"event":"agent_log","data":{"node_execution_id":"n","id":"i","label":"CALL x","parent_id":"p","error":null,"status":"success","data":{"output":{}},"metadata":{"started_at":1.0,"elapsed_time":1.5,"provider":"time"},"node_id":"agent"}}"#;
    let DifyEvent::AgentLog(log) = event(log) else { panic!("not a log") };
    assert_eq!(
        (log.status.as_ref(), log.parent_id.as_deref(), log.elapsed_time),
        ("success", Some("p"), Some(1.5))
    );
}

#[test]
fn speech_is_borrowed_and_messages_have_ids() {
    let frame = Frame::decode(r#"{"event":"tts_message","message_id":"m","audio":"qqqq=="}"#).unwrap();
    assert_eq!(frame.message_id.as_deref(), Some("m"));
    assert!(matches!(frame.event, DifyEvent::TtsMessage { audio: Cow::Borrowed("qqqq==") }));
    assert_eq!(Frame::decode(r#"{"event":"ping","message_id":""}"#).unwrap().message_id, None);
}

#[test]
fn every_recorded_stream_is_made_of_known_events() {
    let mut streams = 0;
    for version in ["1.14.2", "0.15.3"] {
        for entry in std::fs::read_dir(fixture::folder().join(version)).unwrap() {
            let path = entry.unwrap().path();
            let recording = fixture::read(&path);
            if memchr::memmem::find(&recording.raw, b"text/event-stream").is_none() {
                continue;
            }
            streams += 1;
            for frame in fixture::frames(&recording.body) {
                let event = Frame::decode(&frame).unwrap().event;
                assert!(!matches!(event, DifyEvent::Unknown { .. }), "{}: {event:?}", path.display());
            }
        }
    }
    assert!(streams > 150, "only {streams} recorded streams were found");
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
