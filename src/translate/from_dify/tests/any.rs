//! Whatever comes in whatever order, the fold ends once.

use proptest::prelude::*;

use super::*;

fn any_frame() -> impl Strategy<Value = String> {
    let names = vec![
        "ping",
        "message",
        "agent_message",
        "agent_thought",
        "message_file",
        "message_replace",
        "message_end",
        "tts_message",
        "error",
        "workflow_started",
        "workflow_finished",
        "workflow_paused",
        "human_input_required",
        "human_input_form_filled",
        "human_input_form_timeout",
        "tts_message_end",
        "loop_started",
        "node_started",
        "node_finished",
        "node_retry",
        "iteration_next",
        "text_chunk",
        "text_replace",
        "reasoning_chunk",
        "agent_log",
        "brand_new",
    ];
    let texts = vec!["", "a", "<think>", "</think>", "<", "\n", "CALL x"];
    let statuses = vec!["succeeded", "failed", "stopped", "partial-succeeded", "paused", ""];
    (prop::sample::select(names), prop::sample::select(texts), prop::sample::select(statuses), 0u64..4).prop_map(
        |(name, text, status, number)| {
            serde_json::json!({
                "event": name, "answer": (number > 0).then_some(text), "url": "https://h/f", "audio": "SUQz",
                "files": [{"related_id": status, "url": "https://h/f"}], "reason": (number > 2).then_some("r"), "position": number, "tool": text, "id": status, "message": text,
                "workflow_run_id": (number > 1).then_some("r"),
                "data": {"text": text, "status": status, "outputs": {"answer": text, "f": {"dify_model_identity": "__dify__file__", "url": status}},
                         "form_id": text, "node_id": status, "reason": (number > 1).then_some("resumption"),
                         "reasons": [{"TYPE": "human_input_required", "form_id": text}, {"TYPE": "other"}], "error": text,
                         "title": text, "label": text, "id": text, "elapsed_time": number},
            })
            .to_string()
        },
    )
}

proptest! {
    #[test]
    fn any_sequence_of_events_has_exactly_one_outcome(
        frames in prop::collection::vec(any_frame(), 0..40),
        think in prop::sample::select(vec![ThinkMode::Metadata, ThinkMode::Keep, ThinkMode::Drop]),
        app in prop::sample::select(vec![AppKind::Chat, AppKind::Completion, AppKind::Workflow]),
        wants_speech in any::<bool>(),
        resumed in prop::option::of(prop::sample::select(vec!["", "a", "a<"])),
        stop_at in prop::option::of(0usize..40),
    ) {
        let frames: Vec<&str> = frames.iter().map(String::as_str).collect();
        let is_stopped = stop_at.is_some_and(|at| at < frames.len());
        let setup = Setup { think, app, wants_speech, resumed: resumed.map(str::to_owned) };
        let turn = play_as(setup, &frames, stop_at);
        // One outcome, and nothing is said behind it; or none, since the run waits.
        let end = turn.verdicts.iter().position(|verdict| *verdict == "over");
        prop_assert_eq!(turn.outcomes.len(), usize::from(end.is_some()));
        match end {
            Some(end) => prop_assert!(turn.verdicts.iter().skip(end + 1).all(|verdict| *verdict == "go on")),
            None => prop_assert_eq!(turn.verdicts.last(), Some(&"paused")),
        }
        let is_over_as_stopped = matches!(turn.outcomes[..], [Outcome::Stopped { .. }]);
        prop_assert!(!is_stopped || is_over_as_stopped || end < stop_at);
        prop_assert!(turn.events.iter().filter(|event| *event == "working").count() <= 1);
        prop_assert!(turn.events.first().is_none_or(|event| event == "working"));
        // Files are numbered in order, each once.
        for (index, found) in turn.found.iter().enumerate() {
            prop_assert_eq!(&found.artifact, &format!("file-{}", index + 1));
        }
        prop_assert!(wants_speech || turn.found.iter().all(|found| found.name != "speech.mp3"));
    }

    #[test]
    fn after_the_end_nothing_is_said(frames in prop::collection::vec(any_frame(), 0..20)) {
        let mut fold = fold();
        let mut turn = Turn::default();
        turn.step(&mut fold, Input::Closed);
        let said = turn.events.len();
        for frame in &frames {
            turn.frame(&mut fold, frame);
        }
        prop_assert_eq!((turn.events.len(), turn.outcomes.len(), turn.pauses.len()), (said, 1, 0));
        prop_assert!(turn.found.is_empty());
    }
}
