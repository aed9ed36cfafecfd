//! What kind of file Dify takes something for: a file's name and media type in, a [`FileKind`] out.
//!
//! Dify: `graphon/file/constants.py`, `standardize_file_type`. The name's ending decides; only where Dify knows no
//! such ending does the media type.

/// The kinds of files (Dify: `FileType`).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FileKind {
    /// Pictures.
    Image,
    /// Texts, office documents, pages.
    Document,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Anything else; an app lists the endings that it takes.
    Custom,
}

/// The endings of each kind, small letters, without a dot.
const ENDINGS: [(FileKind, &[&str]); 4] = [
    (FileKind::Image, &["jpg", "jpeg", "png", "webp", "gif", "svg"]),
    (FileKind::Video, &["mp4", "mov", "mpeg", "webm"]),
    (FileKind::Audio, &["mp3", "m4a", "wav", "amr", "mpga"]),
    (
        FileKind::Document,
        &[
            "txt",
            "md",
            "mdx",
            "markdown",
            "pdf",
            "html",
            "htm",
            "xlsx",
            "xls",
            "vtt",
            "properties",
            "doc",
            "docx",
            "csv",
            "eml",
            "msg",
            "ppt",
            "pptx",
            "xml",
            "epub",
        ],
    ),
];

/// The usual ending of a media type, for files that come without a name.
const USUAL: [(&str, &str); 34] = [
    ("application/epub+zip", "epub"),
    ("application/json", "json"),
    ("application/msword", "doc"),
    ("application/pdf", "pdf"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.ms-outlook", "msg"),
    ("application/vnd.ms-powerpoint", "ppt"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/xml", "xml"),
    ("application/zip", "zip"),
    ("audio/amr", "amr"),
    ("audio/mp4", "m4a"),
    ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/x-m4a", "m4a"),
    ("audio/x-wav", "wav"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpg"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/webp", "webp"),
    ("message/rfc822", "eml"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
    ("text/vtt", "vtt"),
    ("text/xml", "xml"),
    ("video/mp4", "mp4"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
];

/// Longest ending that is taken for one, bytes: longer ones are parts of names with dots in them.
const LONGEST_ENDING: usize = 16;

impl FileKind {
    /// All of them, in Dify's order.
    pub const ALL: [Self; 5] = [Self::Image, Self::Document, Self::Audio, Self::Video, Self::Custom];

    /// What Dify takes a file for that is called `filename` and said to be of `media_type`.
    pub fn of(media_type: Option<&str>, filename: Option<&str>) -> Self {
        let by_ending = ending(media_type, filename).and_then(|ending| Self::of_ending(&ending));
        by_ending.or_else(|| media_type.map(Self::of_media_type)).unwrap_or(Self::Custom)
    }

    /// The kind of an ending in small letters without its dot, if Dify knows it.
    fn of_ending(ending: &str) -> Option<Self> {
        ENDINGS.iter().find(|(_, endings)| endings.contains(&ending)).map(|(kind, _)| *kind)
    }

    fn of_media_type(media_type: &str) -> Self {
        let bare = bare(media_type);
        let has = |word: &str| bare.contains(word);
        match () {
            () if has("image") => Self::Image,
            () if has("video") => Self::Video,
            () if has("audio") => Self::Audio,
            () if has("text") || has("pdf") => Self::Document,
            () => Self::Custom,
        }
    }

    /// Reads Dify's name of a kind.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Dify's name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Document => "document",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Custom => "custom",
        }
    }
}

/// The ending that a file goes by at Dify: of its name, else the usual one of its media type; small letters, without
/// a dot. A file that is uploaded without such a name has to be given one.
pub fn ending(media_type: Option<&str>, filename: Option<&str>) -> Option<String> {
    let named = filename.and_then(|name| name.rsplit(['/', '\\']).next()).and_then(|name| {
        let (stem, ending) = name.rsplit_once('.')?;
        (!stem.is_empty() && !ending.is_empty() && ending.len() <= LONGEST_ENDING)
            .then(|| ending.to_ascii_lowercase())
    });
    named.or_else(|| {
        let bare = bare(media_type?);
        USUAL.iter().find(|(name, _)| *name == bare).map(|(_, ending)| (*ending).to_owned())
    })
}

/// The media types that have a usual ending, each with it, in alphabetical order.
pub fn usual() -> impl Iterator<Item = (&'static str, &'static str)> {
    USUAL.into_iter()
}

/// The media type without its parameters, in small letters.
fn bare(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ending_decides_then_the_media_type() {
        for (media_type, filename, kind) in [
            (None, Some("a.JPG"), FileKind::Image),
            (Some("text/plain"), Some("a.png"), FileKind::Image),
            (Some("application/octet-stream"), Some("a.docx"), FileKind::Document),
            (Some("image/heic"), Some("a.heic"), FileKind::Image),
            (Some("application/pdf"), None, FileKind::Document),
            (Some("TEXT/Plain; charset=utf-8"), None, FileKind::Document),
            (Some("text/x-rust"), Some("main.rs"), FileKind::Document),
            (Some("audio/flac"), None, FileKind::Audio),
            (Some("video/x-matroska"), Some("a.mkv"), FileKind::Video),
            (Some("application/json"), Some("a.json"), FileKind::Custom),
            (
                Some("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
                None,
                FileKind::Document,
            ),
            (None, Some("Makefile"), FileKind::Custom),
            (None, None, FileKind::Custom),
        ] {
            assert_eq!(FileKind::of(media_type, filename), kind, "{media_type:?} {filename:?}");
        }
    }

    #[test]
    fn every_ending_of_difys_tables_is_known() {
        for (kind, endings) in ENDINGS {
            for ending in endings {
                assert_eq!(FileKind::of(None, Some(&format!("x.{ending}"))), kind);
            }
        }
        for (media_type, ending) in USUAL {
            let kind = FileKind::of(None, Some(&format!("x.{ending}")));
            assert_eq!(FileKind::of(Some(media_type), None), kind, "{media_type}");
        }
    }

    #[test]
    fn endings_are_of_the_last_part_of_a_name() {
        for (filename, expected) in [
            ("a.b/c", None),
            ("a/b.TXT", Some("txt")),
            ("C:\\x\\b.pdf", Some("pdf")),
            (".env", None),
            ("a.", None),
            ("a.tar.gz", Some("gz")),
            ("Version 1.of the whole long report", None),
        ] {
            assert_eq!(ending(None, Some(filename)).as_deref(), expected, "{filename}");
        }
        assert_eq!(ending(Some("image/png"), Some("picture")).as_deref(), Some("png"));
    }

    #[test]
    fn names_can_be_read_back() {
        for kind in FileKind::ALL {
            assert_eq!(FileKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(FileKind::from_name("folder"), None);
    }

    proptest! {
        #[test]
        fn any_name_has_a_kind(media_type in ".{0,20}", filename in ".{0,20}") {
            let _ = FileKind::of(Some(&media_type), Some(&filename));
        }
    }
}
