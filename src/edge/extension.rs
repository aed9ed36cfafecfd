//! What the gateway tells beyond A2A: metadata under the URI of its own extension (A2A 1.0 §4.6), and the
//! metadata of a failed task's status message. `docs/extensions/dify-v1.md` describes both to clients.
//!
//! The ids of Dify's conversations are never among it.

use std::borrow::Cow;

use crate::core::event::{
    Citation, Facts, Failure, Progress, ProgressKind, ProgressState, Status, StatusNote, TextArtifact,
};

use super::json::{ObjectWriter, write_list};

pub use crate::core::extension::URI;

/// What is to be told of one task, status or artifact.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metadata<'a> {
    /// What is known beside the text.
    pub facts: Option<&'a Facts>,
    /// The step the turn takes.
    pub progress: Option<&'a Progress>,
    /// Whether the text is the model's thought and not its answer.
    pub thought: bool,
}

impl<'a> Metadata<'a> {
    /// The metadata of an artifact: facts belong to the answer, reasoning is marked as thought.
    pub fn of_artifact(artifact: TextArtifact, facts: &'a Facts) -> Self {
        match artifact {
            TextArtifact::Answer => Self { facts: Some(facts), ..Self::default() },
            TextArtifact::Reasoning => Self { thought: true, ..Self::default() },
        }
    }

    /// The metadata of a status.
    pub fn of_status(status: &'a Status, facts: &'a Facts) -> Self {
        let progress = match &status.note {
            Some((_, StatusNote::Progress(progress))) => Some(progress),
            Some((_, StatusNote::Failure(_))) | None => None,
        };
        Self { facts: Some(facts), progress, thought: false }
    }

    /// The metadata of a task.
    pub fn of_task(facts: &'a Facts) -> Self {
        Self { facts: Some(facts), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        !self.thought && self.progress.is_none() && self.facts.is_none_or(says_nothing)
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
            write_progress(&mut ours, progress);
        }
        if let Some(facts) = self.facts {
            write_facts(&mut ours, facts);
        }
        ours.close();
        metadata.close();
    }
}

/// Whether clients of A2A learn nothing from `facts`.
fn says_nothing(facts: &Facts) -> bool {
    let Facts {
        annotated,
        citations,
        conversation_id: _,
        conversation_restarted,
        elapsed_ms,
        exceptions,
        replaced,
        stop_confirmed,
        usage,
    } = facts;
    !annotated
        && citations.is_empty()
        && !conversation_restarted
        && elapsed_ms.is_none()
        && exceptions.is_none()
        && replaced.is_none()
        && stop_confirmed.is_none()
        && usage.is_none()
}

fn write_facts(object: &mut ObjectWriter<'_>, facts: &Facts) {
    object.opt_raw("usage", facts.usage.as_ref().map(|usage| &*usage.json));
    if !facts.citations.is_empty() {
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
        object.number("exceptions", exceptions);
    }
    if let Some(elapsed) = facts.elapsed_ms {
        object.number("elapsedMs", elapsed);
    }
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

fn write_progress(object: &mut ObjectWriter<'_>, progress: &Progress) {
    let mut inner = ObjectWriter::open(object.member("progress"));
    inner.str(
        "kind",
        match progress.kind {
            ProgressKind::Iteration => "iteration",
            ProgressKind::Node => "node",
            ProgressKind::Tool => "tool",
        },
    );
    inner.str("title", &progress.title);
    inner.opt_str("stepType", progress.step_type.as_deref());
    inner.str(
        "state",
        match progress.state {
            ProgressState::Failed => "failed",
            ProgressState::Finished => "finished",
            ProgressState::Retrying => "retrying",
            ProgressState::Started => "started",
        },
    );
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

/// What a status's message says to people: a failure's sentence, or one short line on a step.
pub fn note_text(note: &StatusNote) -> Cow<'_, str> {
    let progress = match note {
        StatusNote::Failure(failure) => return Cow::Borrowed(&failure.message),
        StatusNote::Progress(progress) => progress,
    };
    let kind = match progress.kind {
        ProgressKind::Iteration => "Iteration",
        ProgressKind::Node => "Node",
        ProgressKind::Tool => "Tool",
    };
    let state = match progress.state {
        ProgressState::Failed => " (failed)",
        ProgressState::Finished => " (finished)",
        ProgressState::Retrying => " (retrying)",
        ProgressState::Started => "",
    };
    Cow::Owned(format!("{kind}: {}{state}", progress.title))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::edge::testing::{facts, text};

    #[test]
    fn the_documents_examples_are_json_and_its_schema_names_every_fact() {
        let document = include_str!("../../docs/extensions/dify-v1.md");
        let blocks: Vec<Value> = document
            .split("```json")
            .skip(1)
            .map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap())
            .collect();
        let schema = blocks.last().unwrap();
        assert_eq!(schema["$id"], URI);
        let facts = facts();
        let said = text(|buf| {
            let mut object = ObjectWriter::open(buf);
            Metadata { facts: Some(&facts), progress: None, thought: true }.write_into(&mut object);
            object.close();
        });
        let said: Value = serde_json::from_str(&said).unwrap();
        for (name, _) in said["metadata"][URI].as_object().unwrap() {
            assert!(schema["properties"][name].is_object(), "{name}");
            assert!(document.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn facts_that_say_nothing_leave_no_trace() {
        let silent = Facts { conversation_id: Some("c".into()), ..Facts::default() };
        let said = text(|buf| {
            let mut object = ObjectWriter::open(buf);
            Metadata::of_task(&silent).write_into(&mut object);
            object.close();
        });
        assert_eq!(said, "{}");
    }
}
