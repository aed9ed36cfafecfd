//! The files of a turn: the many ways in which Dify names a file go in, each file comes out once, numbered.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Serialize;

use super::file_names;
use crate::dify::event::MessageFile;
use crate::dify::files::FileObject;

/// Most files of one turn that are passed on. Each may be fetched, so this bounds what one answer can set off.
pub const MAX_FOUND: usize = 100;

/// Most keys by which files are known again: each has two, or some more if Dify names it in many ways.
const MAX_KEYS: usize = 4 * MAX_FOUND;

/// Longest address that is taken for one, bytes; servers take no more.
const MAX_URL: usize = 8192;

/// Longest id that a file is known again by, bytes; Dify's have 36.
const MAX_ID: usize = 128;

/// A file that Dify has named, or the speech of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The id of its artifact: `file-1`, `file-2`, in the order in which they came up.
    pub artifact: String,
    /// Its name: one line without slashes, never empty.
    pub name: String,
    /// Its media type, if it is told or its name tells.
    pub media_type: Option<String>,
    /// Its size in bytes, if told.
    pub size: Option<u64>,
    /// Where it is.
    pub source: FoundSource,
}

/// Where a file is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FoundSource {
    /// Here.
    Bytes(Bytes),
    /// At an address.
    Url {
        /// As Dify gave it: may be relative, is good for some minutes, and lets anybody read the file.
        url: String,
        /// Whether it is one that somebody outside of Dify gave to it.
        is_remote: bool,
    },
}

/// What stands for a file in outputs.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reference {
    /// `None` when the file cannot be passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// By what a file is known again.
#[derive(Debug, Eq, Hash, PartialEq)]
enum Key {
    Id(String),
    Url(String),
}

/// The files so far.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// How many there were before.
    earlier: usize,
    /// All of them.
    all: Vec<Reference>,
    /// Which of them has which key.
    places: HashMap<Key, usize>,
    /// Those that nobody has asked for yet.
    new: Vec<Found>,
}

impl Files {
    /// Takes a file. Gives what can stand for it.
    pub(super) fn take(&mut self, file: FileObject) -> Reference {
        let url = file.url.as_deref().filter(|url| url.len() <= MAX_URL);
        let id = file.id.as_deref().filter(|id| id.len() <= MAX_ID);
        let keys = [id.map(|id| Key::Id(id.to_owned())), url.map(|url| Key::Url(without_signature(url)))];
        let place = keys.iter().flatten().find_map(|key| self.places.get(key).copied());
        let known = place.and_then(|place| self.all.get(place).cloned());
        let reference = known.unwrap_or_else(|| self.add(&file, url));
        // What cannot be passed on has no place, and is not known again.
        let place =
            place.or_else(|| reference.artifact_id.is_some().then(|| self.all.len().checked_sub(1))?);
        if let Some(place) = place {
            for key in keys.into_iter().flatten() {
                if self.places.len() < MAX_KEYS {
                    self.places.entry(key).or_insert(place);
                }
            }
        }
        reference
    }

    /// Takes a file that the app has made while it answered. Those of callers they have already.
    pub(super) fn take_of_message(&mut self, file: &MessageFile<'_>) {
        let filled = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        if file.belongs_to == "user" || file.url.trim().is_empty() {
            return;
        }
        let file = FileObject {
            id: filled(&file.id),
            kind: filled(&file.kind),
            url: filled(&file.url),
            ..FileObject::default()
        };
        self.take(file);
    }

    /// Takes a file that is here.
    pub(super) fn take_bytes(&mut self, name: &str, media_type: &str, bytes: Bytes) {
        let file = FileObject {
            filename: Some(name.to_owned()),
            mime_type: Some(media_type.to_owned()),
            size: u64::try_from(bytes.len()).ok(),
            ..FileObject::default()
        };
        self.list(&file, FoundSource::Bytes(bytes));
    }

    /// Those that were found since the last call.
    pub(super) fn found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.new)
    }

    /// How many there are in the whole turn.
    pub(super) fn count(&self) -> usize {
        self.earlier.saturating_add(self.all.len())
    }

    /// There were so many before.
    pub(super) fn count_from(&mut self, earlier: usize) {
        self.earlier = earlier;
    }

    fn add(&mut self, file: &FileObject, url: Option<&str>) -> Reference {
        let source = url.map(|url| FoundSource::Url { url: url.to_owned(), is_remote: file.is_remote });
        source.and_then(|source| self.list(file, source)).unwrap_or_else(|| Reference {
            artifact_id: None,
            filename: file.filename.as_deref().and_then(file_names::clean),
            media_type: file_names::media_type(file),
            size: file.size,
        })
    }

    fn list(&mut self, file: &FileObject, source: FoundSource) -> Option<Reference> {
        if self.count() >= MAX_FOUND {
            return None;
        }
        let artifact = format!("file-{}", self.count() + 1);
        let name = file_names::name(file, &artifact);
        let reference = Reference {
            artifact_id: Some(artifact.clone()),
            filename: Some(name.clone()),
            media_type: file_names::media_type(file),
            size: file.size,
        };
        let media_type = reference.media_type.clone();
        self.new.push(Found { artifact, name, media_type, size: file.size, source });
        self.all.push(reference.clone());
        Some(reference)
    }
}

/// What stays of an address however often Dify signs it: the path, which has the file's id in it. An address without
/// Dify's signature is all of it.
fn without_signature(url: &str) -> String {
    let Some((base, query)) = url.split_once('?') else { return url.to_owned() };
    if !query.split('&').any(|pair| pair.starts_with("sign=")) {
        return url.to_owned();
    }
    let path = base.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    path.unwrap_or(base).to_owned()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn file(id: Option<&str>, url: &str) -> FileObject {
        FileObject { id: id.map(str::to_owned), url: Some(url.to_owned()), ..FileObject::default() }
    }

    fn taken(files: &mut Files, id: Option<&str>, url: &str) -> String {
        files.take(file(id, url)).artifact_id.unwrap()
    }

    #[test]
    fn a_file_is_found_once_however_it_is_named() {
        let mut files = Files::default();
        for (id, url, artifact) in [
            (Some("a"), "https://h/files/tools/x.png?timestamp=1&sign=1", "file-1"),
            (Some("a"), "https://h/files/tools/x.png?timestamp=2&sign=2", "file-1"),
            (Some("b"), "/files/tools/x.png?sign=3", "file-1"),
            (Some("b"), "https://elsewhere/", "file-1"),
            (None, "https://h/get?id=1", "file-2"),
            (None, "https://h/get?id=2", "file-3"),
            (None, "https://h/get?id=1", "file-2"),
            (Some("c"), "https://h/files/tools/y.png?sign=1", "file-4"),
        ] {
            assert_eq!(taken(&mut files, id, url), artifact, "{id:?} {url}");
        }
        let found = files.found();
        assert_eq!(found.len(), 4);
        let first = FoundSource::Url {
            url: "https://h/files/tools/x.png?timestamp=1&sign=1".to_owned(),
            is_remote: false,
        };
        assert_eq!((found[0].name.as_str(), &found[0].source), ("x.png", &first));
        assert!(files.found().is_empty());
    }

    #[test]
    fn their_number_and_the_memory_for_them_are_bounded() {
        let mut files = Files::default();
        for number in 0..1000 {
            let reference = files.take(file(Some(&format!("{number}")), &format!("https://h/{number}")));
            assert_eq!(reference.artifact_id.is_some(), number < MAX_FOUND);
            files.take(file(Some("0"), &format!("https://h/again/{number}")));
        }
        files.take_bytes("a", "b/c", Bytes::new());
        assert_eq!(files.found().len(), MAX_FOUND);
        assert!(files.places.len() <= MAX_KEYS);
        let long = file(None, &format!("https://h/{}", "x".repeat(MAX_URL)));
        assert!(Files::default().take(long).artifact_id.is_none());
    }

    #[test]
    fn files_of_callers_and_those_without_an_address_are_left() {
        let mut files = Files::default();
        for (belongs_to, url) in
            [("user", "https://h/a"), ("assistant", " "), ("assistant", "/files/tools/a.png")]
        {
            files.take_of_message(&MessageFile {
                id: Cow::Borrowed("i"),
                kind: Cow::Borrowed("image"),
                belongs_to: Cow::Borrowed(belongs_to),
                url: Cow::Borrowed(url),
            });
        }
        let found = files.found();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].media_type.as_deref()), ("a.png", Some("image/png")));
    }
}
