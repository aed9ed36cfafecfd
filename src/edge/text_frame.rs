//! The events that carry an artifact's text, rendered but for the text. All dialects share this shape:
//!
//! ```text
//! head "text" } citations ] metadata } flags close
//! ```
//!
//! One event costs three copies into the reader's buffer and allocates nothing of its own.

use crate::core::event::TextArtifact;
use crate::core::facts::Facts;

use super::extension::{self, Metadata};
use super::json::{ObjectWriter, write_str};

/// Whether an update says `append` and `lastChunk` also when they are false.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flags {
    /// Only when true, as ProtoJSON does.
    WhenTrue,
    /// Always.
    Written,
}

/// What a dialect puts before and after the value of a data part.
pub type DataPart = (&'static [u8], &'static [u8]);

/// The text events of one artifact on one stream.
#[derive(Debug)]
pub struct TextFrame {
    artifact: TextArtifact,
    head: Vec<u8>,
    metadata: Vec<u8>,
    flags: Flags,
    close: &'static [u8],
    /// What stands around the data of a data part; nothing where the client takes no data.
    data_part: Option<DataPart>,
}

impl TextFrame {
    /// The frame of `artifact`: `head` ends where the text's string begins, inside the artifact's first part;
    /// `close` ends what follows the artifact.
    pub fn new(
        artifact: TextArtifact,
        head: Vec<u8>,
        flags: Flags,
        close: &'static [u8],
        data_part: Option<DataPart>,
    ) -> Self {
        let metadata = members(Metadata::of_artifact(artifact, &Facts::default()));
        Self { artifact, head, metadata, flags, close, data_part }
    }

    /// Appends the event of one more piece of text, or of the first one (`append` false).
    pub fn delta(&self, buf: &mut Vec<u8>, text: &str, append: bool) {
        self.update(buf, text, &[], &self.metadata, append, false);
    }

    /// Appends the event that closes the artifact: with its whole text, or without any.
    pub fn last(&self, buf: &mut Vec<u8>, whole: Option<&str>, facts: &Facts) {
        let metadata = members(Metadata::of_artifact(self.artifact, facts));
        let mut citations = Vec::new();
        if self.artifact == TextArtifact::Answer {
            write_citations_part(&mut citations, facts, self.data_part);
        }
        self.update(buf, whole.unwrap_or_default(), &citations, &metadata, whole.is_none(), true);
    }

    /// Appends the closing event without text and without metadata.
    pub fn last_bare(&self, buf: &mut Vec<u8>) {
        self.update(buf, "", &[], &[], true, true);
    }

    fn update(&self, buf: &mut Vec<u8>, text: &str, parts: &[u8], metadata: &[u8], append: bool, last: bool) {
        buf.extend_from_slice(&self.head);
        write_str(buf, text);
        buf.push(b'}');
        buf.extend_from_slice(parts);
        buf.push(b']');
        buf.extend_from_slice(metadata);
        buf.push(b'}');
        self.flag(buf, ",\"append\":", append);
        self.flag(buf, ",\"lastChunk\":", last);
        buf.extend_from_slice(self.close);
    }

    fn flag(&self, buf: &mut Vec<u8>, name: &str, value: bool) {
        if value || self.flags == Flags::Written {
            buf.extend_from_slice(name.as_bytes());
            buf.extend_from_slice(if value { b"true" } else { b"false" });
        }
    }
}

/// Appends the sources of the answer as a part to follow others, if there are any and the client takes data.
pub fn write_citations_part(buf: &mut Vec<u8>, facts: &Facts, data_part: Option<DataPart>) {
    let Some((before, after)) = data_part.filter(|_| !facts.citations.is_empty()) else { return };
    buf.push(b',');
    buf.extend_from_slice(before);
    extension::write_citations(buf, &facts.citations);
    buf.extend_from_slice(after);
}

/// The member `metadata` with a comma before it, to follow other members; empty if there is nothing to tell.
fn members(metadata: Metadata<'_>) -> Vec<u8> {
    let mut buf = Vec::new();
    let mut object = ObjectWriter::open(&mut buf);
    metadata.write_into(&mut object);
    // The object's opening brace becomes the comma; it is never closed.
    match buf.split_first_mut() {
        Some((brace, rest)) if !rest.is_empty() => *brace = b',',
        _ => buf.clear(),
    }
    buf
}
