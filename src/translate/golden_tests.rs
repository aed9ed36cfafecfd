//! Every recorded stream of the chat family, translated. The snapshots show what the gateway makes of them; beside
//! that the text is compared, byte for byte, with what a plain reading of the stream gives.

use std::fmt::Write;

use serde_json::Value;

use super::*;
use crate::core::message::{Content, Part};
use crate::dify::fixture;
use crate::dify::reason::shorten;

/// What is shown of one event: its text cut, for some streams carry very long ones.
fn show(event: &TaskEvent<'_>) -> String {
    match event {
        TaskEvent::Artifact(whole) => {
            format!("artifact  {} {:?}: {}", whole.id, whole.name, show_parts(&whole.parts))
        }
        TaskEvent::Facts(FactsUpdate::Usage(usage)) => format!(
            "fact      usage {:?} + {:?} = {:?}",
            usage.prompt_tokens.unwrap_or_default(),
            usage.completion_tokens.unwrap_or_default(),
            usage.total_tokens.unwrap_or_default()
        ),
        TaskEvent::Facts(facts) => format!("fact      {facts:?}"),
        TaskEvent::Progress(step) => {
            format!("progress  {:?} {:?} {}", step.kind, step.state, step.title)
        }
        TaskEvent::Replace { artifact, text } => {
            format!("replace   {} {:?}", artifact.name(), shorten(text, 100))
        }
        TaskEvent::Text { artifact, delta } => format!("{:<9} {:?}", artifact.name(), shorten(delta, 100)),
        TaskEvent::Working => "working".to_owned(),
    }
}

fn show_parts(parts: &[Part]) -> String {
    let shown = parts.iter().map(|part| match &part.content {
        Content::Data(json) => shorten(json.get(), 400),
        Content::Raw(bytes) => format!("{} bytes", bytes.len()),
        Content::Served(served) => format!("served {}", served.size),
        Content::Text(text) => format!("{text:?}"),
        Content::Url(url) => format!("{} {:?}", url.split('?').next().unwrap_or_default(), part.media_type),
    });
    shown.collect::<Vec<_>>().join(" + ")
}

fn translate(mode: ThinkMode, frames: &[String]) -> (String, String, String) {
    let mut fold = Fold::new(Setup { think: mode, ..Setup::default() });
    let (mut answer, mut reasoning, mut shown) = (String::new(), String::new(), String::new());
    let mut outcome = None;
    let decoded = frames.iter().map(|frame| Frame::decode(frame).unwrap()).collect::<Vec<_>>();
    for input in decoded.iter().map(Input::Frame).chain([Input::Closed]) {
        let verdict = fold.step(input, &mut |event| {
            writeln!(shown, "{}", show(&event)).unwrap();
            let (artifact, text) = match event {
                TaskEvent::Replace { artifact, text } => (artifact, text),
                TaskEvent::Text { artifact, delta } => (artifact, delta),
                _ => return,
            };
            let whole = if artifact == TextArtifact::Answer { &mut answer } else { &mut reasoning };
            if matches!(event, TaskEvent::Replace { .. }) {
                whole.clear();
            }
            whole.push_str(text);
        });
        match verdict {
            Verdict::Over(over) => assert!(outcome.replace(over).is_none()),
            Verdict::Grace => shown.push_str("(grace)\n"),
            Verdict::GoOn | Verdict::Paused(_) => {}
        }
    }
    match outcome.expect("an outcome") {
        Outcome::Failed(failure) => writeln!(
            shown,
            "failed    {} by {} (retry {}): {}",
            failure.code,
            failure.source.as_str(),
            if failure.retryable { "may help" } else { "useless" },
            failure.message
        )
        .unwrap(),
        other => writeln!(shown, "{other:?}").unwrap(),
    }
    writeln!(shown, "---\nanswer    {} bytes {:?}", answer.len(), shorten(&answer, 400)).unwrap();
    if !reasoning.is_empty() {
        writeln!(shown, "reasoning {reasoning:?}").unwrap();
    }
    (answer, reasoning, shown)
}

/// What a person would have read, from the JSON alone.
fn read_plainly(frames: &[String]) -> String {
    let mut text = String::new();
    let mut streamed = false;
    let mut output = String::new();
    let (mut last, mut new_round) = (1, false);
    for frame in frames {
        let frame: Value = serde_json::from_str(frame).unwrap();
        let answer = frame["answer"].as_str().unwrap_or_default();
        match frame["event"].as_str().unwrap() {
            "message" | "agent_message" | "message_file" if !answer.is_empty() => {
                if std::mem::take(&mut new_round) {
                    text.push('\n');
                }
                text.push_str(answer);
                streamed = true;
            }
            "agent_thought" => {
                let position = frame["position"].as_u64().unwrap();
                new_round |= position > last && streamed;
                last = position;
            }
            "message_replace" => {
                answer.clone_into(&mut text);
                streamed = true;
            }
            "workflow_finished" => {
                output = frame["data"]["outputs"]["answer"].as_str().unwrap_or_default().to_owned();
            }
            _ => {}
        }
    }
    if streamed { text } else { output }
}

/// Workflows and text generators are not of the chat family.
fn is_of_other_apps(path: &std::path::Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    ["completion_", "error_file_of_other_app", "human_input", "workflow_"]
        .iter()
        .any(|kind| name.starts_with(kind))
}

#[test]
fn every_recorded_stream_is_translated_as_before_and_loses_nothing() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _scope = settings.bind_to_scope();
    let mut streams = 0;
    insta::glob!("../../fixtures/dify", "*/*.http", |path| {
        let recording = fixture::read(path);
        if memchr::memmem::find(&recording.raw, b"text/event-stream").is_none() || is_of_other_apps(path) {
            return;
        }
        streams += 1;
        let frames = fixture::frames(&recording.body);
        let plain = read_plainly(&frames);
        let (kept, _, _) = translate(ThinkMode::Keep, &frames);
        assert_eq!(kept, plain, "{}", path.display());
        let (answer, _, shown) = translate(ThinkMode::Metadata, &frames);
        if !plain.contains("<think>") {
            assert_eq!(answer, plain, "{}", path.display());
        }
        insta::assert_snapshot!("stream", shown);
    });
    assert!(streams > 100, "only {streams} recorded streams were found");
}
