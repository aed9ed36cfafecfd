//! How one request sees tasks: which output modes it accepts, how many steps it wants to see, and the address that the
//! gateway's own files have for it. Dialects ask it what to show; what a request does not see is still in the log.

use bytes::Bytes;

use crate::core::accepted::{Accepted, TEXT};
use crate::core::artifact::Whole;
use crate::core::event::{LogEvent, Status, StatusNote};
use crate::core::ids::MessageId;
use crate::core::message::{Content, Part, Served};
use crate::core::progress::{Level, Progress};
use crate::core::task::{Artifact, Task};

/// The view of one request.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The gateway's base address as the client knows it, without a slash at its end.
    pub base: String,
    /// What the client accepts for an answer.
    pub accepted: Accepted,
    /// How many steps of a turn it wants to see.
    pub progress: Level,
}

impl View {
    /// Whether the client gets to see this event at all.
    pub fn shows(&self, event: &LogEvent<'_>) -> bool {
        match event {
            LogEvent::Artifact(whole) => self.parts(whole).next().is_some(),
            LogEvent::Close { .. } | LogEvent::Text { .. } => self.accepted.takes_text(),
            LogEvent::Status { status, .. } => match &status.note {
                Some((_, StatusNote::Progress(progress))) => self.shows_step(progress),
                Some((_, StatusNote::Ask(_) | StatusNote::Failure(_))) | None => true,
            },
        }
    }

    /// The artifacts of a task that the client gets to see.
    pub fn artifacts<'t>(&self, task: &'t Task) -> Vec<&'t Artifact> {
        let shown = task.artifacts.iter().filter(|artifact| match artifact {
            Artifact::Text { .. } => self.accepted.takes_text(),
            Artifact::Whole(whole) => self.parts(whole).next().is_some(),
        });
        shown.collect()
    }

    /// The parts of an artifact that the client gets to see.
    pub fn parts<'w>(&self, whole: &'w Whole) -> impl Iterator<Item = &'w Part> {
        whole.parts.iter().filter(|part| match &part.content {
            Content::Data(_) => self.accepted.takes_data(),
            Content::Raw(_) | Content::Served(_) | Content::Url(_) => {
                self.accepted.takes_file(part.media_type.as_deref())
            }
            Content::Text(_) => self.accepted.takes_text(),
        })
    }

    /// What a status tells beside its state, as far as the client wants to know.
    pub fn note<'s>(&self, status: &'s Status) -> Option<&'s (MessageId, StatusNote)> {
        status.note.as_ref().filter(|(_, note)| match note {
            StatusNote::Progress(progress) => self.shows_step(progress),
            StatusNote::Ask(_) | StatusNote::Failure(_) => true,
        })
    }

    /// The step that a status tells of, as far as the client wants to know.
    pub fn progress<'s>(&self, status: &'s Status) -> Option<&'s Progress> {
        match self.note(status)? {
            (_, StatusNote::Progress(progress)) => Some(progress),
            (_, StatusNote::Ask(_) | StatusNote::Failure(_)) => None,
        }
    }

    fn shows_step(&self, progress: &Progress) -> bool {
        progress.level <= self.progress
    }

    /// The bytes of a file, for clients that ask for files of its type by name; others get its address.
    pub fn inline<'p>(&self, part: &Part, served: &'p Served) -> Option<&'p Bytes> {
        let media_type = part.media_type.as_deref().filter(|media_type| *media_type != TEXT)?;
        served.small.as_ref().filter(|_| self.accepted.names(media_type))
    }

    /// The address of a file.
    pub fn address(&self, served: &Served) -> String {
        format!("{}/files/{}", self.base.trim_end_matches('/'), served.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::edge::a2a_v1::V1;
    use crate::edge::dialect::{Dialect, StreamEnd};
    use crate::edge::testing::{completed, streamed_as, text};

    fn accepting(modes: &[&str]) -> View {
        let accepted = Accepted::new(modes.iter().map(|mode| (*mode).to_owned()));
        View { base: "https://a.example/x/".to_owned(), accepted, ..View::default() }
    }

    /// The artifacts of a completed task, each with the kinds of its parts.
    fn artifacts(view: &View) -> Vec<(String, Vec<String>)> {
        let task: Value = serde_json::from_str(&text(|buf| V1.task(buf, &completed(), view))).unwrap();
        let artifacts = task["artifacts"].as_array().cloned().unwrap_or_default();
        let shown = artifacts.into_iter().map(|artifact| {
            let parts = artifact["parts"].as_array().unwrap().iter();
            let kinds = parts.map(|part| {
                let kinds = ["text", "data", "url", "raw"];
                kinds.into_iter().find(|kind| !part[kind].is_null()).unwrap().to_owned()
            });
            (artifact["name"].as_str().unwrap().to_owned(), kinds.collect())
        });
        shown.collect()
    }

    fn named(name: &str, parts: &[&str]) -> (String, Vec<String>) {
        (name.to_owned(), parts.iter().map(|part| (*part).to_owned()).collect())
    }

    #[test]
    fn each_client_gets_the_modes_that_it_accepts() {
        let (thought, answer) = (named("reasoning", &["text"]), named("answer", &["text", "data"]));
        let (outputs, address) = (named("outputs", &["data"]), named("dot.png", &["url"]));
        assert_eq!(
            artifacts(&accepting(&[])),
            [thought.clone(), answer.clone(), outputs.clone(), address.clone()]
        );
        assert_eq!(artifacts(&accepting(&["*/*"])).len(), 4);
        assert_eq!(artifacts(&accepting(&["text/plain"])), [thought.clone(), named("answer", &["text"])]);
        assert_eq!(artifacts(&accepting(&["application/json"])), vec![outputs.clone()]);
        assert_eq!(artifacts(&accepting(&["image/*"])), [named("dot.png", &["raw"])]);
        assert_eq!(artifacts(&accepting(&["text", "data"])), [thought, answer, outputs]);
        assert_eq!(artifacts(&accepting(&["file"])), [address]);
    }

    #[test]
    fn a_stream_keeps_to_the_same_modes() {
        for (modes, artifact) in
            [("text/plain", "answer"), ("application/json", "outputs"), ("image/png", "file-1")]
        {
            let lines = streamed_as(&V1, StreamEnd::Turn, accepting(&[modes])).join("\n");
            for id in ["answer", "outputs", "file-1"] {
                let expected = id == artifact;
                assert_eq!(lines.contains(&format!("\"artifactId\":\"{id}\"")), expected, "{modes} {id}");
            }
            assert!(lines.contains("TASK_STATE_INPUT_REQUIRED") && lines.contains("Shall I?"), "{modes}");
        }
    }

    #[test]
    fn steps_are_told_at_the_level_that_was_asked_for() {
        for (progress, steps) in [(Level::Off, 0), (Level::Brief, 1), (Level::Full, 2)] {
            let view = View { progress, ..View::default() };
            let lines = streamed_as(&V1, StreamEnd::Turn, view);
            let told = lines.iter().filter(|line| line.contains("\"progress\":")).count();
            assert_eq!(told, steps, "{progress:?}");
        }
    }

    #[test]
    fn a_file_has_an_address_under_the_base_that_the_client_knows() {
        let said = text(|buf| V1.task(buf, &completed(), &accepting(&[])));
        assert!(said.contains("\"url\":\"https://a.example/x/files/f-1\""), "{said}");
    }
}
