//! Artifacts that come in one piece, beside the texts that grow: the outputs of a run, files.

use super::message::{Content, Part};

/// The id and name of the artifact that holds the outputs of a run.
pub const OUTPUTS: &str = "outputs";

/// An artifact in one piece (A2A 1.0 `Artifact`).
#[derive(Clone, Debug)]
pub struct Whole {
    /// Its id, unique in its task.
    pub id: String,
    /// Its name, for people: that of a file, or what it is.
    pub name: String,
    /// What it holds, at least one part.
    pub parts: Vec<Part>,
}

impl Whole {
    /// An artifact of one part.
    pub fn of(id: impl Into<String>, name: impl Into<String>, part: Part) -> Self {
        Self { id: id.into(), name: name.into(), parts: vec![part] }
    }

    /// How much memory it holds, bytes, as far as its size depends on anybody.
    pub fn size(&self) -> usize {
        let sizes = self.parts.iter().map(|part| match &part.content {
            Content::Data(json) => json.get().len(),
            Content::Raw(bytes) => bytes.len(),
            Content::Served(served) => served.small.as_ref().map_or(0, bytes::Bytes::len),
            Content::Text(text) | Content::Url(text) => text.len(),
        });
        sizes.sum()
    }
}
