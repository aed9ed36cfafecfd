//! The recorded walks through a form, one stream after the other, as the gateway reads them.

use super::*;
use crate::dify::fixture;

fn frames(recording: &str) -> Vec<String> {
    fixture::frames(&fixture::recording(&format!("1.14.2/{recording}")).body)
}

/// One task that goes through several streams.
struct Walk {
    app: AppKind,
    answer: String,
    /// The last stream.
    turn: Turn,
}

impl Walk {
    fn begin(app: AppKind, recording: &str) -> Self {
        let mut walk = Self { app, answer: String::new(), turn: Turn::default() };
        walk.read(Setup { app, ..Setup::default() }, &frames(recording));
        walk
    }

    /// Goes on after a pause.
    fn go_on(&mut self, recording: &str) {
        self.go_on_with(&frames(recording));
    }

    fn go_on_with(&mut self, frames: &[String]) {
        assert_eq!(self.turn.verdicts.last(), Some(&"paused"));
        self.read(Setup { app: self.app, resumed: Some(self.answer.clone()), ..Setup::default() }, frames);
    }

    fn read(&mut self, setup: Setup, frames: &[String]) {
        let mut fold = Fold::new(setup);
        self.turn = Turn { answer: std::mem::take(&mut self.answer), ..Turn::default() };
        for frame in frames {
            self.turn.frame(&mut fold, frame);
        }
        self.turn.step(&mut fold, Input::Closed);
        self.answer.clone_from(&self.turn.answer);
    }

    fn steps(&self) -> Vec<&str> {
        self.turn.events.iter().filter_map(|event| event.strip_prefix("progress ")).collect()
    }

    #[track_caller]
    fn assert_paused(&self, text: &str) {
        assert!(self.turn.outcomes.is_empty());
        let [.., pause] = &self.turn.pauses[..] else { panic!("no pause") };
        let [form] = &pause.forms[..] else { panic!("{pause:?}") };
        assert_eq!((form.node_title.as_str(), form.text().as_str()), ("Approve it", text));
        assert!(form.is_answerable() && form.expiration_time.is_some() && pause.other_reasons.is_empty());
        assert_eq!(
            form.actions.iter().map(|action| action.id.as_str()).collect::<Vec<_>>(),
            ["approve", "reject"]
        );
    }

    #[track_caller]
    fn assert_over(&self, answer: &str, outputs: Option<&str>) {
        self.turn.assert_completed(answer);
        let shown = self.turn.events.iter().find(|event| event.starts_with("artifact outputs"));
        assert_eq!(shown.is_some(), outputs.is_some());
        if let (Some(shown), Some(outputs)) = (shown, outputs) {
            assert!(shown.contains(outputs), "{shown}");
        }
    }
}

const RENDERED: &str = "Please approve: the budget\n\nComment: [comment: looks fine]";
/// Of a replay.
const UNRENDERED: &str = "Please approve: …\n\nComment: [comment: looks fine]";

#[test]
fn a_workflow_waits_and_goes_on_by_the_replay() {
    let mut walk = Walk::begin(AppKind::Workflow, "human_input");
    walk.assert_paused(RENDERED);
    // Opened without waiting: the replay ends at the same pause, and says nothing new.
    walk.go_on("human_input_events_after_submit");
    walk.assert_paused(UNRENDERED);
    assert_eq!(walk.turn.events, ["working"]);
    walk.go_on("human_input_events_continue_on_pause");
    walk.assert_over("yes\napprove", Some(r#"{"comment":"yes","action":"approve"}"#));
    assert_eq!(walk.steps(), ["Approve it", "Approve it", "Approve it", "end_ok", "end_ok"]);
    assert_eq!(walk.turn.pauses.len(), 1);
}

#[test]
fn a_workflow_goes_on_when_only_what_is_behind_the_replay_is_read() {
    let all = frames("human_input_events_continue_on_pause");
    let pause = all.iter().position(|frame| frame.contains("\"workflow_paused\"")).unwrap();
    let mut walk = Walk::begin(AppKind::Workflow, "human_input_3");
    walk.assert_paused("Please approve: third\n\nComment: [comment: looks fine]");
    walk.go_on_with(&all[pause + 1..]);
    walk.assert_over("yes\napprove", Some(r#"{"comment":"yes","action":"approve"}"#));
    assert_eq!(walk.steps(), ["Approve it", "Approve it", "Approve it", "end_ok", "end_ok"]);
}

#[test]
fn a_workflow_waits_and_goes_on_without_a_replay() {
    let mut walk = Walk::begin(AppKind::Workflow, "human_input");
    walk.go_on("human_input_events_no_snapshot");
    assert!(matches!(walk.turn.outcomes[..], [Outcome::Completed]));
    assert!(walk.turn.pauses.is_empty());

    let mut walk = Walk::begin(AppKind::Workflow, "human_input");
    walk.go_on("human_input_events_finished");
    walk.assert_over("", Some(r#""comment": "fine by me""#));

    let mut walk = Walk::begin(AppKind::Workflow, "human_input_timeout_run");
    walk.go_on("human_input_timeout_events");
    walk.assert_over("", Some("{}"));
    assert_eq!(walk.steps(), ["Approve it", "Approve it", "Approve it"]);
}

#[test]
fn a_run_that_was_stopped_while_it_waited_ends_badly_if_it_goes_on() {
    let mut walk = Walk::begin(AppKind::Workflow, "human_input_stop_run");
    walk.go_on("human_input_events_after_stop");
    assert_eq!(walk.turn.failure().code, "stopped");

    let mut walk = Walk::begin(AppKind::Chat, "chatflow_human_stop_run");
    walk.go_on("chatflow_human_events_after_stop");
    assert_eq!(walk.turn.failure().code, "workflow_failed");
    assert_eq!(walk.answer, "Before the question. Approved with: anyway");
}

#[test]
fn a_chatflow_waits_and_goes_on() {
    let mut walk = Walk::begin(AppKind::Chat, "chatflow_human_input");
    walk.assert_paused("Please approve: lunch\n\nComment: [comment: looks fine]");
    assert_eq!(walk.answer, "Before the question. ");
    walk.go_on("chatflow_human_events_after_submit");
    walk.assert_paused(UNRENDERED);
    assert_eq!(walk.turn.events, ["working"]);
    walk.go_on("chatflow_human_events_no_snapshot");
    walk.assert_over("Before the question. Approved with: enjoy", None);
    assert!(!walk.turn.events.iter().any(|event| event.starts_with("replace")));

    let mut walk = Walk::begin(AppKind::Chat, "chatflow_human_timeout_run");
    walk.go_on("chatflow_human_timeout_events");
    walk.assert_over("Before the question. ", None);
    assert!(!walk.turn.events.iter().any(|event| event.contains("answer")));
}
