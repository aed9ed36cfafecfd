//! What the gateway tells beyond A2A: metadata under the URI of its own extension (A2A 1.0 §4.6), and the
//! metadata of a failed task's status message. `docs/extensions/dify-v1.md` describes both to clients.
//!
//! The ids of Dify's conversations are never among it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::core::event::{Failure, Status, TextArtifact};
use crate::core::facts::{Citation, Facts};
use crate::core::message::Json;
use crate::core::progress::{Level, Progress, ProgressKind, ProgressState};

use super::json::{ObjectWriter, write_list, write_str};
use super::view::View;

pub use crate::core::extension::URI;

/// What is to be told of one task, status or artifact.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metadata<'a> {
    /// What is known beside the text.
    pub facts: Option<&'a Facts>,
    /// The step the turn takes.
    pub progress: Option<&'a Progress>,
    /// How much of the step is wanted.
    pub level: Level,
    /// Whether the text is the model's thought and not its answer.
    pub thought: bool,
    /// Whether the sources are told elsewhere.
    pub without_citations: bool,
}

impl<'a> Metadata<'a> {
    /// The metadata of a text artifact: facts belong to the answer, whose sources are a part of its own; reasoning is
    /// marked as thought.
    pub fn of_artifact(artifact: TextArtifact, facts: &'a Facts) -> Self {
        match artifact {
            TextArtifact::Answer => Self { facts: Some(facts), without_citations: true, ..Self::default() },
            TextArtifact::Reasoning => Self { thought: true, ..Self::default() },
        }
    }

    /// The metadata of a status.
    pub fn of_status(status: &'a Status, facts: &'a Facts, view: &View) -> Self {
        let progress = view.progress(status);
        Self { facts: Some(facts), progress, level: view.progress, ..Self::default() }
    }

    /// The metadata of a task.
    pub fn of_task(facts: &'a Facts) -> Self {
        Self { facts: Some(facts), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        let is_silent = |facts: &Facts| says_nothing(facts, self.without_citations);
        !self.thought && self.progress.is_none() && self.facts.is_none_or(is_silent)
    }

    /// Writes the member `metadata` into `object`, if there is anything to tell.
    pub fn write_into(&self, object: &mut ObjectWriter<'_>) {
        if self.is_empty() {
            return;
        }
        let mut metadata = ObjectWriter::open(object.member("metadata"));
        let mut ours = ObjectWriter::open(metadata.member(URI));
        if self.thought {
            ours.boolean("thought", true);
        }
        if let Some(progress) = self.progress {
            write_progress(&mut ours, progress, self.level);
        }
        if let Some(facts) = self.facts {
            write_facts(&mut ours, facts, self.without_citations);
        }
        ours.close();
        metadata.close();
    }
}

/// Whether clients of A2A learn nothing from `facts`.
fn says_nothing(facts: &Facts, without_citations: bool) -> bool {
    let Facts {
        annotated,
        citations,
        conversation_id: _,
        conversation_restarted,
        elapsed_ms,
        exceptions,
        kept_inputs,
        no_memory,
        replaced,
        stop_confirmed,
        suggested,
        unused_inputs,
        unused_text,
        usage,
    } = facts;
    !annotated
        && (without_citations || citations.is_empty())
        && !conversation_restarted
        && elapsed_ms.is_none()
        && exceptions.is_none()
        && kept_inputs.is_empty()
        && !no_memory
        && replaced.is_none()
        && stop_confirmed.is_none()
        && suggested.is_empty()
        && unused_inputs.is_empty()
        && !unused_text
        && usage.is_none()
}

fn write_facts(object: &mut ObjectWriter<'_>, facts: &Facts, without_citations: bool) {
    object.opt_raw("usage", facts.usage.as_ref().map(|usage| &*usage.json));
    if !without_citations && !facts.citations.is_empty() {
        write_list(object.member("citations"), &facts.citations, write_citation);
    }
    if facts.annotated {
        object.boolean("annotated", true);
    }
    object.opt_str("replaced", facts.replaced.as_deref());
    if facts.conversation_restarted {
        object.boolean("conversationRestarted", true);
    }
    if let Some(confirmed) = facts.stop_confirmed {
        object.boolean("stopConfirmed", confirmed);
    }
    if let Some(exceptions) = facts.exceptions {
        object.str("runStatus", "partial-succeeded");
        object.number("exceptions", exceptions);
    }
    if let Some(elapsed) = facts.elapsed_ms {
        object.number("elapsedMs", elapsed);
    }
    if facts.no_memory {
        object.boolean("memory", false);
    }
    write_names(object, "suggestedQuestions", &facts.suggested);
    write_names(object, "unusedInputs", &facts.unused_inputs);
    write_names(object, "keptInputs", &facts.kept_inputs);
    if facts.unused_text {
        object.boolean("unusedText", true);
    }
}

fn write_names(object: &mut ObjectWriter<'_>, name: &'static str, names: &[String]) {
    if !names.is_empty() {
        write_list(object.member(name), names, |buf, name| write_str(buf, name));
    }
}

/// Appends the sources of an answer as the data of a part: `{"citations": […]}`.
pub fn write_citations(buf: &mut Vec<u8>, citations: &[Citation]) {
    let mut object = ObjectWriter::open(buf);
    write_list(object.member("citations"), citations, write_citation);
    object.close();
}

fn write_citation(buf: &mut Vec<u8>, citation: &Citation) {
    let mut object = ObjectWriter::open(buf);
    if let Some(position) = citation.position {
        object.number("position", position);
    }
    object.opt_str("datasetName", citation.dataset_name.as_deref());
    object.opt_str("documentName", citation.document_name.as_deref());
    object.opt_str("excerpt", citation.excerpt.as_deref());
    if let Some(score) = citation.score.filter(|score| score.is_finite()) {
        object.number("score", score);
    }
    object.close();
}

fn write_progress(object: &mut ObjectWriter<'_>, progress: &Progress, level: Level) {
    let mut inner = ObjectWriter::open(object.member("progress"));
    inner.str("kind", progress.kind.as_str());
    inner.str("title", &progress.title);
    inner.opt_str("stepType", progress.step_type.as_deref());
    inner.str("state", progress.state.as_str());
    if level == Level::Full {
        let detail = &progress.detail;
        inner.opt_str("id", detail.id.as_deref());
        for (name, number) in
            [("round", detail.round), ("rounds", detail.rounds), ("elapsedMs", detail.elapsed_ms)]
        {
            if let Some(number) = number {
                inner.number(name, number);
            }
        }
    }
    inner.close();
}

/// Appends the metadata of a failed task's status message: exactly `{"code","retryable","source"}`.
pub fn write_failure(buf: &mut Vec<u8>, failure: &Failure) {
    let mut object = ObjectWriter::open(buf);
    object.str("code", &failure.code);
    object.boolean("retryable", failure.retryable);
    object.str("source", failure.source.as_str());
    object.close();
}

/// The level of steps that a request's metadata asks for: `{URI: {"progress": "off" | "brief" | "full"}}`. Anything else
/// asks for nothing.
pub fn wished_level(metadata: &Json) -> Option<Level> {
    #[derive(Deserialize)]
    struct Wishes {
        #[serde(default)]
        progress: Option<String>,
    }
    let members: HashMap<String, &RawValue> = serde_json::from_str(metadata.get()).ok()?;
    let wishes: Wishes = serde_json::from_str(members.get(URI)?.get()).ok()?;
    match wishes.progress?.as_str() {
        "off" => Some(Level::Off),
        "brief" => Some(Level::Brief),
        "full" => Some(Level::Full),
        _ => None,
    }
}

/// One short line on a step, for people.
pub fn step_text(progress: &Progress) -> String {
    let kind = match progress.kind {
        ProgressKind::Agent => "Agent",
        ProgressKind::Human => "Form",
        ProgressKind::Iteration => "Iteration",
        ProgressKind::Node => "Node",
        ProgressKind::Tool => "Tool",
    };
    let state = match progress.state {
        ProgressState::Expired => " (expired)",
        ProgressState::Failed => " (failed)",
        ProgressState::Finished => " (finished)",
        ProgressState::Retrying => " (retrying)",
        ProgressState::Started => "",
    };
    format!("{kind}: {}{state}", progress.title)
}

#[cfg(test)]
#[path = "extension_tests.rs"]
mod tests;
