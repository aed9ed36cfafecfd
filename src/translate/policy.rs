//! Which steps of a turn people get to see, and how much of them: a title and how the step stands. Never what goes
//! into a node or comes out of it, for prompts and other users' data are in there.

use std::collections::HashSet;

use crate::core::progress::{Detail, Level, Progress, ProgressKind, ProgressState};
use crate::dify::event::{AgentLog, AgentThought, DifyEvent, Node};
use crate::dify::reason::shorten;

/// Longest title that is passed on, characters.
const MAX_TITLE_CHARS: usize = 100;

/// Longest type of a step that is passed on, characters. Dify's own have some 20, those of plugins may be anything.
const MAX_TYPE_CHARS: usize = 64;

/// Most tool calls of one turn that are told, which bounds the memory for telling each once.
const MAX_TOOL_CALLS: usize = 512;

/// How an Agent node's log marks a tool call.
const TOOL_CALL_MARK: &str = "CALL ";

/// Decides, remembering which tool calls it has told.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    tool_calls: HashSet<String>,
}

impl Policy {
    /// The step that an event shows, if it is one to tell.
    pub fn progress(&mut self, event: &DifyEvent<'_>) -> Option<Progress> {
        match event {
            DifyEvent::NodeStarted(node)
            | DifyEvent::IterationStarted(node)
            | DifyEvent::LoopStarted(node) => Some(step(ProgressKind::Node, node, ProgressState::Started)),
            DifyEvent::NodeRetry(node) => Some(step(ProgressKind::Node, node, ProgressState::Retrying)),
            DifyEvent::NodeFinished(node)
            | DifyEvent::IterationCompleted(node)
            | DifyEvent::LoopCompleted(node) => matches!(node.status.as_ref(), "failed" | "exception")
                .then(|| step(ProgressKind::Node, node, ProgressState::Failed)),
            DifyEvent::IterationNext(node) | DifyEvent::LoopNext(node) => {
                Some(step(ProgressKind::Iteration, node, ProgressState::Started))
            }
            DifyEvent::AgentThought(thought) => self.thought(thought),
            DifyEvent::AgentLog(log) => self.log(log),
            DifyEvent::AgentMessage { .. }
            | DifyEvent::Error(_)
            | DifyEvent::HumanInputFormFilled(_)
            | DifyEvent::HumanInputFormTimeout(_)
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
            | DifyEvent::WorkflowStarted(_) => None,
        }
    }

    fn thought(&mut self, thought: &AgentThought<'_>) -> Option<Progress> {
        if thought.tool.is_empty() || !self.is_new(&thought.id) {
            return None;
        }
        let tools: Vec<&str> = thought.tool.split(';').filter(|tool| !tool.is_empty()).collect();
        Some(tool(&tools.join(", ")))
    }

    fn log(&mut self, log: &AgentLog<'_>) -> Option<Progress> {
        let name = log.label.strip_prefix(TOOL_CALL_MARK)?;
        self.is_new(&log.id).then(|| tool(name))
    }

    fn is_new(&mut self, id: &str) -> bool {
        self.tool_calls.len() < MAX_TOOL_CALLS && self.tool_calls.insert(id.to_owned())
    }
}

fn step(kind: ProgressKind, node: &Node<'_>, state: ProgressState) -> Progress {
    let step_type = line(&node.node_type, MAX_TYPE_CHARS);
    Progress {
        level: Level::Brief,
        kind,
        title: line(&node.title, MAX_TITLE_CHARS),
        step_type: (!step_type.is_empty()).then_some(step_type),
        state,
        detail: Detail::default(),
    }
}

fn tool(names: &str) -> Progress {
    Progress {
        level: Level::Brief,
        kind: ProgressKind::Tool,
        title: line(names, MAX_TITLE_CHARS),
        step_type: None,
        state: ProgressState::Started,
        detail: Detail::default(),
    }
}

/// The text as one line that a terminal can show: control characters are spaces, and one space is enough.
fn line(text: &str, limit: usize) -> String {
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

    fn told(frames: &[&str]) -> Vec<(ProgressKind, String, ProgressState)> {
        let mut policy = Policy::default();
        let progress =
            frames.iter().filter_map(|frame| policy.progress(&Frame::decode(frame).unwrap().event));
        progress.map(|progress| (progress.kind, progress.title, progress.state)).collect()
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
    fn a_tool_call_is_told_once() {
        let frames = [
            r#"{"event":"agent_thought","id":"1","position":1,"tool":""}"#,
            r#"{"event":"agent_thought","id":"1","position":1,"tool":"search;clock","tool_input":"secret"}"#,
            r#"{"event":"agent_thought","id":"1","position":1,"tool":"search;clock","observation":"secret"}"#,
            r#"{"event":"agent_log","data":{"id":"9","label":"ROUND 1","status":"start"}}"#,
            r#"{"event":"agent_log","data":{"id":"8","label":"CALL weather","status":"start"}}"#,
            r#"{"event":"agent_log","data":{"id":"8","label":"CALL weather","status":"success"}}"#,
        ];
        assert_eq!(
            told(&frames),
            [
                (ProgressKind::Tool, "search, clock".to_owned(), ProgressState::Started),
                (ProgressKind::Tool, "weather".to_owned(), ProgressState::Started),
            ]
        );
    }

    #[test]
    fn titles_are_one_short_line() {
        let frame = serde_json::json!({"event": "node_started", "data": {
            "title": format!(" a\r\n\t b\u{1b}[31m\u{0}c\u{85}{} ", "é d".repeat(1_000_000)),
            "node_type": format!("x\n{}", "y".repeat(1000)),
        }});
        let progress = Policy::default().progress(&Frame::decode(&frame.to_string()).unwrap().event).unwrap();
        assert!(progress.title.starts_with("a b [31m c é dé d"), "{:?}", progress.title);
        let step_type = progress.step_type.unwrap();
        assert!(step_type.starts_with("x yy"), "{step_type:?}");
        assert_eq!((progress.title.chars().count(), step_type.chars().count()), (100, 64));

        let tool = r#"{"event":"agent_thought","id":"1","position":1,"tool":"a\nb;c\u001b"}"#;
        assert_eq!(told(&[tool]), [(ProgressKind::Tool, "a b, c".to_owned(), ProgressState::Started)]);
        let blank = r#"{"event":"node_started","data":{"title":"\n","node_type":"\n"}}"#;
        let progress = Policy::default().progress(&Frame::decode(blank).unwrap().event).unwrap();
        assert_eq!((progress.title.as_str(), progress.step_type), ("", None));
    }
}
