//! Every recorded stream of every kind of app, translated. The snapshots show what the gateway makes of them; beside
//! that the text is compared, byte for byte, with what a plain reading of the stream gives.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::from_dify::{AppKind, Fold, Found, FoundSource, Input, Pause, Setup, Verdict};
use super::think::ThinkMode;
use crate::core::event::{Outcome, TaskEvent, TextArtifact};
use crate::core::facts::FactsUpdate;
use crate::core::message::{Content, Part};
use crate::core::progress::{Level, Progress};
use crate::dify::event::Frame;
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
        TaskEvent::Progress(step) => show_step(step),
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

/// A step; in brackets what is told of it in full alone.
fn show_step(step: &Progress) -> String {
    let shown = format!("{:?} {:?} {}", step.kind, step.state, step.title);
    let chosen = step.step_type.iter().filter(|_| step.title == "Approve it");
    let mut detail: Vec<String> = chosen.cloned().collect();
    detail.extend(step.detail.id.iter().map(|id| format!("#{id}")));
    detail.extend(step.detail.round.map(|round| format!("round {round}")));
    detail.extend(step.detail.rounds.map(|rounds| format!("of {rounds}")));
    detail.extend(step.detail.elapsed_ms.map(|elapsed| format!("{elapsed} ms")));
    match step.level {
        Level::Full => format!("progress  ({shown}) [{}]", detail.join(", ")),
        Level::Brief | Level::Off => format!("progress  {shown} [{}]", detail.join(", ")),
    }
}

fn show_found(found: &Found) -> String {
    let Found { artifact, name, media_type, size, source } = found;
    let source = match source {
        FoundSource::Bytes(bytes) => format!("{} bytes", bytes.len()),
        FoundSource::Url { url, is_remote } => {
            format!("{} ({})", url.split('?').next().unwrap(), if *is_remote { "remote" } else { "of Dify" })
        }
    };
    format!(
        "found     {artifact} {name:?} {} {size:?} at {source}",
        media_type.as_deref().unwrap_or_default()
    )
}

fn show_pause(pause: &Pause) -> String {
    let forms = pause.forms.iter().map(|form| {
        let fields: Vec<_> = form.fields.iter().map(|field| field.name.as_str()).collect();
        let actions: Vec<_> = form.actions.iter().map(|action| action.title.as_str()).collect();
        let answerable = if form.is_answerable() { "answerable" } else { "not answerable" };
        format!("{:?} asks {:?} {fields:?} {actions:?}, {answerable}", form.node_title, form.text())
    });
    format!("paused    {} {:?}", forms.collect::<Vec<_>>().join(" + "), pause.other_reasons)
}

fn translate(setup: Setup, frames: &[String]) -> (String, String) {
    let mut answer = setup.resumed.clone().unwrap_or_default();
    let mut fold = Fold::new(setup);
    let (mut reasoning, mut shown) = (String::new(), String::new());
    let (mut outcome, mut is_paused) = (None, false);
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
        for found in fold.found() {
            writeln!(shown, "{}", show_found(&found)).unwrap();
        }
        is_paused = matches!(verdict, Verdict::Paused(_));
        match verdict {
            Verdict::Over(over) => assert!(outcome.replace(over).is_none()),
            Verdict::Grace => shown.push_str("(grace)\n"),
            Verdict::GoOn => {}
            Verdict::Paused(pause) => writeln!(shown, "{}", show_pause(&pause)).unwrap(),
        }
    }
    match outcome {
        None => assert!(is_paused, "no outcome"),
        Some(Outcome::Failed(failure)) => writeln!(
            shown,
            "failed    {} by {} (retry {}): {}",
            failure.code,
            failure.source.as_str(),
            if failure.retryable { "may help" } else { "useless" },
            failure.message
        )
        .unwrap(),
        Some(other) => writeln!(shown, "{other:?}").unwrap(),
    }
    writeln!(shown, "---\nanswer    {} bytes {:?}", answer.len(), shorten(&answer, 400)).unwrap();
    if !reasoning.is_empty() {
        writeln!(shown, "reasoning {reasoning:?}").unwrap();
    }
    (answer, shown)
}

/// What a person would have read, from the JSON alone.
fn read_plainly(setup: &Setup, frames: &[String]) -> String {
    let mut text = setup.resumed.clone().unwrap_or_default();
    let mut streamed = false;
    let mut output = text.clone();
    let (mut last, mut new_round) = (1, false);
    for frame in frames {
        let frame: Value = serde_json::from_str(frame).unwrap();
        let answer = frame["answer"].as_str().or(frame["data"]["text"].as_str()).unwrap_or_default();
        match frame["event"].as_str().unwrap() {
            "message" | "agent_message" | "message_file" | "text_chunk" if !answer.is_empty() => {
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
                let outputs = &frame["data"]["outputs"];
                let texts =
                    || outputs.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
                let text = match setup.app {
                    AppKind::Workflow => texts().next().filter(|_| texts().count() == 1),
                    AppKind::Chat | AppKind::Completion => outputs["answer"].as_str(),
                };
                text.unwrap_or(&output.clone()).clone_into(&mut output);
            }
            _ => {}
        }
    }
    if streamed { text } else { output }
}

/// As what the gateway reads the recording: the kind of app, and for a run that goes on the answer that was there.
fn setup_of(path: &Path) -> Setup {
    let name = path.file_stem().unwrap().to_string_lossy();
    let begins = |kinds: &[&str]| kinds.iter().any(|kind| name.starts_with(kind));
    let app = match () {
        () if begins(&["completion_"]) => AppKind::Completion,
        () if begins(&["error_file_of_other_app", "human_input", "workflow_"]) => AppKind::Workflow,
        () => AppKind::Chat,
    };
    let goes_on = name.contains("human_") && name.contains("_events");
    let so_far = if app == AppKind::Chat { "Before the question. " } else { "" };
    Setup { app, resumed: goes_on.then(|| so_far.to_owned()), ..Setup::default() }
}

#[test]
fn every_recorded_stream_is_translated_as_before_and_loses_nothing() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r#"\?timestamp=[^)\s"…]*"#, "?…");
    let _scope = settings.bind_to_scope();
    let mut streams = 0;
    insta::glob!("../../fixtures/dify", "*/*.http", |path| {
        let recording = fixture::read(path);
        if memchr::memmem::find(&recording.raw, b"text/event-stream").is_none() {
            return;
        }
        streams += 1;
        let frames = fixture::frames(&recording.body);
        let setup = setup_of(path);
        let plain = read_plainly(&setup, &frames);
        let (kept, _) = translate(Setup { think: ThinkMode::Keep, ..setup.clone() }, &frames);
        assert_eq!(kept, plain, "{}", path.display());
        let (answer, shown) = translate(setup, &frames);
        if !plain.contains("<think>") {
            assert_eq!(answer, plain, "{}", path.display());
        }
        insta::assert_snapshot!("stream", shown);
    });
    assert!(streams > 170, "only {streams} recorded streams were found");
}
