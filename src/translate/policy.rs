//! Which steps of a turn people get to see, and how much of them: a title and how the step stands. Never what goes
//! into a node or comes out of it, for prompts and other users' data are in there.

use super::facts::millis;
use super::steps::{Place, Step, Steps};
use crate::core::progress::{Detail, Level, Progress, ProgressKind, ProgressState};
use crate::dify::event::{AgentLog, AgentThought, DifyEvent, Node};
use crate::dify::reason::shorten;

/// Longest title that is passed on, characters.
const MAX_TITLE_CHARS: usize = 100;

/// Longest type of a step that is passed on, characters. Dify's own have some 20, those of plugins may be anything.
const MAX_TYPE_CHARS: usize = 64;

/// How an Agent node's log marks a tool call.
const TOOL_CALL_MARK: &str = "CALL ";

/// Decides, remembering which steps have begun.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    steps: Steps,
}

impl Policy {
    /// Tells the steps that an event shows.
    pub fn progress(&mut self, event: &DifyEvent<'_>, tell: &mut dyn FnMut(Progress)) {
        match event {
            DifyEvent::NodeStarted(node)
            | DifyEvent::IterationStarted(node)
            | DifyEvent::LoopStarted(node) => {
                let begun = self.begin(node);
                self.steps.forget(Place::Graph, &node.node_id);
                self.steps.alias((Place::Node, id_of(node)), (Place::Graph, &node.node_id));
                tell(step(ProgressKind::Node, ProgressState::Started, node, begun));
            }
            DifyEvent::NodeRetry(node) => {
                // Before 1.0 each try has an id of its own, and the last one ends the step.
                self.steps.alias((Place::Graph, &node.node_id), (Place::Node, id_of(node)));
                let detail = Detail { elapsed_ms: node.elapsed_time.and_then(millis), ..self.begin(node) };
                tell(step(ProgressKind::Node, ProgressState::Retrying, node, detail));
            }
            DifyEvent::NodeFinished(node)
            | DifyEvent::IterationCompleted(node)
            | DifyEvent::LoopCompleted(node) => self.node_over(node, tell),
            DifyEvent::IterationNext(node) | DifyEvent::LoopNext(node) => {
                let detail = Detail { round: node.index, ..self.begin(node) };
                tell(step(ProgressKind::Iteration, ProgressState::Started, node, detail));
            }
            DifyEvent::AgentThought(thought) => self.thought(thought, tell),
            DifyEvent::AgentLog(log) => self.log(log, tell),
            DifyEvent::HumanInputFormFilled(filled) => {
                let chosen = line(&filled.action_text, MAX_TYPE_CHARS);
                tell(Progress {
                    step_type: (!chosen.is_empty()).then_some(chosen),
                    ..plain(ProgressKind::Human, ProgressState::Finished, &filled.node_title)
                });
            }
            DifyEvent::HumanInputFormTimeout(timeout) => {
                tell(plain(ProgressKind::Human, ProgressState::Expired, &timeout.node_title));
            }
            DifyEvent::AgentMessage { .. }
            | DifyEvent::Error(_)
            | DifyEvent::HumanInputRequired(_)
            | DifyEvent::Message { .. }
            | DifyEvent::MessageEnd(_)
            | DifyEvent::MessageFile(_)
            | DifyEvent::MessageFileText { .. }
            | DifyEvent::MessageReplace { .. }
            | DifyEvent::ParallelBranchFinished
            | DifyEvent::ParallelBranchStarted
            | DifyEvent::Ping
            | DifyEvent::ReasoningChunk { .. }
            | DifyEvent::TextChunk { .. }
            | DifyEvent::TextReplace { .. }
            | DifyEvent::TtsMessage { .. }
            | DifyEvent::TtsMessageEnd
            | DifyEvent::Unknown { .. }
            | DifyEvent::WorkflowFinished(_)
            | DifyEvent::WorkflowPaused(_)
            | DifyEvent::WorkflowStarted(_) => {}
        }
    }

    /// How many steps have been numbered.
    pub(super) fn count(&self) -> u64 {
        self.steps.last
    }

    /// Numbers go on behind this one.
    pub(super) fn count_from(&mut self, last: u64) {
        self.steps.last = last;
    }

    fn begin(&mut self, node: &Node<'_>) -> Detail {
        let id = id_of(node);
        let begun = if id.is_empty() { None } else { self.steps.begin(Place::Node, id, node.rounds) };
        let rounds = begun.and_then(|step| step.rounds).or(node.rounds);
        Detail { id: begun.map(named), rounds, ..Detail::default() }
    }

    fn node_over(&mut self, node: &Node<'_>, tell: &mut dyn FnMut(Progress)) {
        let (level, state) = match node.status.as_ref() {
            "failed" | "exception" => (Level::Brief, Some(ProgressState::Failed)),
            // It goes on later, under the same id.
            "paused" | "retry" | "running" => return,
            "stopped" => (Level::Full, None),
            _ => (Level::Full, Some(ProgressState::Finished)),
        };
        let ended = self.steps.end(Place::Node, id_of(node));
        if let Some(state) = state {
            let elapsed_ms = node.elapsed_time.and_then(millis);
            let detail = Detail { id: ended.map(named), elapsed_ms, ..Detail::default() };
            tell(Progress { level, ..step(ProgressKind::Node, state, node, detail) });
        }
    }

    /// A round of an agent that calls tools is told of before the call and after it.
    fn thought(&mut self, thought: &AgentThought<'_>, tell: &mut dyn FnMut(Progress)) {
        if thought.tool.is_empty() {
            return;
        }
        let tools: Vec<&str> = thought.tool.split(';').filter(|tool| !tool.is_empty()).collect();
        let tools = tools.join(", ");
        let is_done = self.steps.knows(Place::Thought, &thought.id);
        let step = if is_done {
            self.steps.end(Place::Thought, &thought.id)
        } else {
            self.steps.begin(Place::Thought, &thought.id, None)
        };
        let (level, state) = match is_done {
            true => (Level::Full, ProgressState::Finished),
            false => (Level::Brief, ProgressState::Started),
        };
        if let Some(step) = step {
            let detail = Detail { id: Some(named(step)), ..Detail::default() };
            tell(Progress { level, detail, ..plain(ProgressKind::Tool, state, &tools) });
        }
    }

    /// A step of an Agent node is told of when it begins and when it ends, and perhaps only then.
    fn log(&mut self, log: &AgentLog<'_>, tell: &mut dyn FnMut(Progress)) {
        let (kind, title) = match log.label.strip_prefix(TOOL_CALL_MARK) {
            Some(tool) => (ProgressKind::Tool, tool),
            None => (ProgressKind::Agent, log.label.as_ref()),
        };
        let least = if kind == ProgressKind::Tool { Level::Brief } else { Level::Full };
        let mut told = |level, state, step, elapsed_ms| {
            let detail = Detail { id: Some(named(step)), elapsed_ms, ..Detail::default() };
            tell(Progress { level, detail, ..plain(kind, state, title) });
        };
        if !self.steps.knows(Place::Log, &log.id) {
            let Some(step) = self.steps.begin(Place::Log, &log.id, None) else { return };
            told(least, ProgressState::Started, step, None);
        }
        let (level, state) = match log.status.as_ref() {
            "success" => (Level::Full, ProgressState::Finished),
            "error" => (least, ProgressState::Failed),
            _ => return,
        };
        if let Some(step) = self.steps.end(Place::Log, &log.id) {
            told(level, state, step, log.elapsed_time.and_then(millis));
        }
    }
}

/// What tells one execution of a node from another.
fn id_of<'n>(node: &'n Node<'_>) -> &'n str {
    if node.id.is_empty() { &node.node_id } else { &node.id }
}

fn named(step: Step) -> String {
    step.number.to_string()
}

fn step(kind: ProgressKind, state: ProgressState, node: &Node<'_>, detail: Detail) -> Progress {
    let step_type = line(&node.node_type, MAX_TYPE_CHARS);
    Progress {
        step_type: (!step_type.is_empty()).then_some(step_type),
        detail,
        ..plain(kind, state, &node.title)
    }
}

fn plain(kind: ProgressKind, state: ProgressState, title: &str) -> Progress {
    Progress {
        level: Level::Brief,
        kind,
        title: line(title, MAX_TITLE_CHARS),
        step_type: None,
        state,
        detail: Detail::default(),
    }
}

/// The text as one line that a terminal can show: control characters are spaces, and one space is enough.
pub(super) fn line(text: &str, limit: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        // No character has more bytes than 4.
        if line.len() > 4 * limit {
            break;
        }
    }
    shorten(&line, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::event::Frame;

    fn all(frames: &[&str]) -> Vec<Progress> {
        let mut policy = Policy::default();
        let mut told = Vec::new();
        for frame in frames {
            policy.progress(&Frame::decode(frame).unwrap().event, &mut |progress| told.push(progress));
        }
        told
    }

    fn told(frames: &[&str]) -> Vec<(ProgressKind, String, ProgressState)> {
        let brief = all(frames).into_iter().filter(|progress| progress.level == Level::Brief);
        brief.map(|progress| (progress.kind, progress.title, progress.state)).collect()
    }

    /// Each step on a line of its own.
    fn shown(frames: &[&str]) -> Vec<String> {
        let line = |it: Progress| {
            let Detail { id, round, rounds, elapsed_ms } = it.detail;
            let id = id.unwrap_or_default();
            let (kind, state) = (it.kind.as_str(), it.state.as_str());
            format!("{:?} {kind} {state} {} #{id} {round:?}/{rounds:?} {elapsed_ms:?}", it.level, it.title)
        };
        all(frames).into_iter().map(line).collect()
    }

    #[test]
    fn nodes_are_told_when_they_begin_or_go_wrong() {
        let frames = [
            r#"{"event":"node_started","data":{"title":"Ask","node_type":"llm"}}"#,
            r#"{"event":"node_retry","data":{"title":"Ask","node_type":"llm","status":"retry"}}"#,
            r#"{"event":"node_finished","data":{"title":"Ask","node_type":"llm","status":"succeeded"}}"#,
            r#"{"event":"node_finished","data":{"title":"Code","node_type":"code","status":"exception"}}"#,
            r#"{"event":"iteration_next","data":{"title":"Each","node_type":"iteration"}}"#,
        ];
        assert_eq!(
            told(&frames),
            [
                (ProgressKind::Node, "Ask".to_owned(), ProgressState::Started),
                (ProgressKind::Node, "Ask".to_owned(), ProgressState::Retrying),
                (ProgressKind::Node, "Code".to_owned(), ProgressState::Failed),
                (ProgressKind::Iteration, "Each".to_owned(), ProgressState::Started),
            ]
        );
    }

    #[test]
    fn in_full_steps_have_ids_rounds_and_times() {
        let frames = [
            r#"{"event":"iteration_started","data":{"id":"it","node_id":"it","title":"Each","metadata":{"iteration_length":3}}}"#,
            r#"{"event":"iteration_next","data":{"id":"it","node_id":"it","title":"Each","index":0}}"#,
            r#"{"event":"node_started","data":{"id":"secret-1","node_id":"code","title":"Code","iteration_id":"it"}}"#,
            r#"{"event":"node_finished","data":{"id":"secret-1","node_id":"code","title":"Code","status":"succeeded","elapsed_time":0.25,"outputs":{"x":"secret"}}}"#,
            r#"{"event":"iteration_completed","data":{"id":"it","node_id":"it","title":"Each","status":"succeeded","elapsed_time":1.5}}"#,
            r#"{"event":"loop_next","data":{"id":"lp","node_id":"lp","title":"Loop","index":1}}"#,
            r#"{"event":"node_finished","data":{"id":"h","title":"Human","status":"paused"}}"#,
            r#"{"event":"node_finished","data":{"id":"h","title":"Human","status":"stopped"}}"#,
        ];
        assert_eq!(
            shown(&frames),
            [
                "Brief node started Each #1 None/Some(3) None",
                "Brief iteration started Each #1 Some(0)/Some(3) None",
                "Brief node started Code #2 None/None None",
                "Full node finished Code #2 None/None Some(250)",
                "Full node finished Each #1 None/None Some(1500)",
                "Brief iteration started Loop #3 Some(1)/None None",
            ]
        );
    }

    #[test]
    fn a_step_that_is_tried_again_is_the_same() {
        let frames = [
            r#"{"event":"node_started","data":{"id":"1","node_id":"code","title":"Code"}}"#,
            r#"{"event":"node_retry","data":{"id":"2","node_id":"code","title":"Code","status":"retry"}}"#,
            r#"{"event":"node_retry","data":{"id":"3","node_id":"code","title":"Code","status":"retry"}}"#,
            r#"{"event":"node_finished","data":{"id":"3","node_id":"code","title":"Code","status":"failed"}}"#,
        ];
        assert!(shown(&frames).iter().all(|line| line.contains("#1 ")), "{:?}", shown(&frames));
    }

    #[test]
    fn a_tool_call_is_told_once() {
        let frames = [
            r#"{"event":"agent_thought","id":"1","position":1,"tool":""}"#,
            r#"{"event":"agent_thought","id":"1","position":1,"tool":"search;clock","tool_input":"secret"}"#,
            r#"{"event":"agent_thought","id":"1","position":1,"tool":"search;clock","observation":"secret"}"#,
            r#"{"event":"agent_thought","id":"1","position":1,"tool":"search;clock","observation":"secret"}"#,
            r#"{"event":"agent_log","data":{"id":"9","label":"ROUND 1","status":"start"}}"#,
            r#"{"event":"agent_log","data":{"id":"8","label":"CALL weather","status":"start"}}"#,
            r#"{"event":"agent_log","data":{"id":"8","label":"CALL weather","status":"success","metadata":{"elapsed_time":2}}}"#,
            r#"{"event":"agent_log","data":{"id":"8","label":"CALL weather","status":"success"}}"#,
            r#"{"event":"agent_log","data":{"id":"9","label":"ROUND 1","status":"error","error":"secret"}}"#,
            r#"{"event":"agent_log","data":{"id":"7","label":"CALL map","status":"error"}}"#,
        ];
        assert_eq!(
            shown(&frames),
            [
                "Brief tool started search, clock #1 None/None None",
                "Full tool finished search, clock #1 None/None None",
                "Full agent started ROUND 1 #2 None/None None",
                "Brief tool started weather #3 None/None None",
                "Full tool finished weather #3 None/None Some(2000)",
                "Full agent failed ROUND 1 #2 None/None None",
                "Brief tool started map #4 None/None None",
                "Brief tool failed map #4 None/None None",
            ]
        );
    }

    #[test]
    fn a_form_is_told_when_it_is_filled_in_or_too_late() {
        let frames = [
            r#"{"event":"human_input_form_filled","data":{"node_id":"h","node_title":"Ask\nher","action_text":"Go\n on","rendered_content":"secret"}}"#,
            r#"{"event":"human_input_form_timeout","data":{"node_id":"h","node_title":"Ask"}}"#,
        ];
        let told = all(&frames);
        assert_eq!((told[0].title.as_str(), told[0].step_type.as_deref()), ("Ask her", Some("Go on")));
        assert_eq!(
            shown(&frames),
            ["Brief human finished Ask her # None/None None", "Brief human expired Ask # None/None None"]
        );
    }

    #[test]
    fn titles_are_one_short_line() {
        let frame = serde_json::json!({"event": "node_started", "data": {
            "title": format!(" a\r\n\t b\u{1b}[31m\u{0}c\u{85}{} ", "é d".repeat(1_000_000)),
            "node_type": format!("x\n{}", "y".repeat(1000)),
        }});
        let progress = all(&[&frame.to_string()]).remove(0);
        assert!(progress.title.starts_with("a b [31m c é dé d"), "{:?}", progress.title);
        let step_type = progress.step_type.unwrap();
        assert!(step_type.starts_with("x yy"), "{step_type:?}");
        assert_eq!((progress.title.chars().count(), step_type.chars().count()), (100, 64));

        let tool = r#"{"event":"agent_thought","id":"1","position":1,"tool":"a\nb;c\u001b"}"#;
        assert_eq!(told(&[tool]), [(ProgressKind::Tool, "a b, c".to_owned(), ProgressState::Started)]);
        let blank = r#"{"event":"node_started","data":{"title":"\n","node_type":"\n"}}"#;
        let progress = all(&[blank]).remove(0);
        assert_eq!((progress.title.as_str(), progress.step_type), ("", None));
    }
}
