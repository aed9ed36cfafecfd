//! Files as Dify speaks of them: the kinds it tells apart, and the objects by which it names the files of an answer.
//! A JSON object goes in, a [`FileObject`] comes out.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{lenient, mend};

/// What marks a file inside of a graph's outputs (`dify_model_identity`).
pub const FILE_MARK: &str = "__dify__file__";

/// Most files that are read of one list, which bounds what a strange answer can cost.
pub const MAX_FILES: usize = 256;

/// Longest name that Dify keeps whole, characters.
const MAX_NAME_CHARS: usize = 200;

/// A file that Dify names in an answer: in outputs, `message_end.files`, and `workflow_finished.data.files`
/// (Dify: `File`). Each rendering signs its address anew, for some 300 s.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FileObject {
    /// What stays the same however often the file is rendered: Dify's own id of it, if it has one.
    pub id: Option<String>,
    /// Its name, if known.
    pub filename: Option<String>,
    /// Its extension without the dot, in lower case.
    pub extension: Option<String>,
    /// Its media type, if known.
    pub mime_type: Option<String>,
    /// Its size in bytes, if known.
    pub size: Option<u64>,
    /// Dify's kind of it, such as `image`.
    pub kind: Option<String>,
    /// Where it is for now; may be relative, or an address that only Dify reaches. Anybody who has it can read the
    /// file.
    pub url: Option<String>,
    /// Whether `url` is one that somebody outside of Dify gave to it.
    pub is_remote: bool,
}

/// The object as it travels, with what all versions and all places have.
#[derive(Default, Deserialize)]
struct Wire<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    dify_model_identity: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    related_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    upload_file_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    filename: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    extension: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    mime_type: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient::count")]
    size: Option<u64>,
    #[serde(default, borrow, deserialize_with = "lenient::text", rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    transfer_method: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    url: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    remote_url: Option<Cow<'a, str>>,
}

impl FileObject {
    /// The file, if the JSON is an object that carries [`FILE_MARK`].
    pub fn marked(json: &str) -> Option<Self> {
        // Without the letters of the mark there is nothing to parse; with escapes in it Dify did not write it.
        if !json.contains(FILE_MARK) {
            return None;
        }
        read(json).filter(|wire| wire.dify_model_identity.as_deref() == Some(FILE_MARK)).map(Wire::into_file)
    }

    /// The file, if the JSON is an object with an address in it; chat apps leave the mark out.
    pub fn any(json: &str) -> Option<Self> {
        read(json).map(Wire::into_file).filter(|file| file.url.is_some())
    }

    /// The files of a list; what is none in it, or instead of it, is left out. At most [`MAX_FILES`].
    pub fn list(json: &str) -> Vec<Self> {
        let items: Vec<Box<RawValue>> = mend::read(json).unwrap_or_default();
        items.iter().filter_map(|item| Self::any(item.get())).take(MAX_FILES).collect()
    }
}

fn read(json: &str) -> Option<Wire<'_>> {
    json.trim_start().starts_with('{').then(|| serde_json::from_str(json).ok()).flatten()
}

impl Wire<'_> {
    fn into_file(self) -> FileObject {
        let is_remote = self.transfer_method.as_deref() == Some("remote_url");
        let remote_url = filled(self.remote_url);
        FileObject {
            id: filled(self.related_id).or_else(|| filled(self.upload_file_id)).or_else(|| filled(self.id)),
            filename: filled(self.filename),
            extension: filled(self.extension)
                .map(|extension| extension.trim_start_matches('.').to_lowercase())
                .filter(|extension| !extension.is_empty()),
            mime_type: filled(self.mime_type),
            size: self.size,
            kind: filled(self.kind),
            url: filled(self.url).or(remote_url),
            is_remote,
        }
    }
}

fn filled(text: Option<Cow<'_, str>>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).map(Cow::into_owned)
}

/// A name that Dify takes for an upload: without slashes, which it refuses, without quotes, which servers on the way
/// read differently, and not longer than it keeps.
pub fn upload_name(name: &str) -> String {
    let clean: String =
        name.chars().map(|c| if c.is_control() || "/\\\"".contains(c) { '_' } else { c }).collect();
    let clean = clean.trim();
    if clean.is_empty() {
        return "file".to_owned();
    }
    let excess = clean.chars().count().saturating_sub(MAX_NAME_CHARS);
    if excess == 0 {
        return clean.to_owned();
    }
    // The extension says what the file is, so the cut is before it.
    let (stem, extension) = match clean.rsplit_once('.') {
        Some((stem, extension)) if stem.chars().count() > excess => (stem, Some(extension)),
        _ => (clean, None),
    };
    let kept: String = stem.chars().take(stem.chars().count().saturating_sub(excess)).collect();
    extension.map_or_else(|| kept.clone(), |extension| format!("{kept}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::event::{DifyEvent, Frame};
    use crate::dify::fixture;

    #[test]
    fn both_versions_name_files_in_outputs() {
        for version in ["1.14.2", "0.15.3"] {
            let body = fixture::recording(&format!("{version}/workflow_file_ok")).body;
            let frames = fixture::frames(&body);
            let Ok(Frame { event: DifyEvent::WorkflowFinished(finished), .. }) =
                Frame::decode(frames.last().unwrap())
            else {
                panic!("{version}: no end")
            };
            let json: serde_json::Value = serde_json::from_str(finished.outputs.unwrap().get()).unwrap();
            let file = FileObject::marked(&json["file"].to_string()).unwrap();
            assert_eq!(file.filename.as_deref(), Some("hello.txt"), "{version}");
            assert_eq!(file.extension.as_deref(), Some("txt"));
            assert_eq!(file.mime_type.as_deref(), Some("text/plain"));
            assert_eq!(
                (file.size, file.kind.as_deref(), file.is_remote),
                (Some(11), Some("document"), false)
            );
            assert!(file.id.is_some() && file.url.unwrap().contains("/file-preview?timestamp="));
        }
    }

    #[test]
    fn a_remote_file_may_be_of_unknown_size() {
        let json = r#"{"dify_model_identity":"__dify__file__","id":null,"type":"image","transfer_method":"remote_url","remote_url":"http://h/dot.png","reference":null,"filename":"dot.png","extension":".PNG","mime_type":"image/png","size":-1,"related_id":null,"url":""}"#;
        let file = FileObject::marked(json).unwrap();
        assert_eq!((file.id, file.size, file.is_remote), (None, None, true));
        assert_eq!((file.extension.as_deref(), file.url.as_deref()), (Some("png"), Some("http://h/dot.png")));
    }

    #[test]
    fn what_has_no_mark_or_is_no_object_is_no_file_of_outputs() {
        for json in [
            "null",
            "[]",
            "\"__dify__file__\"",
            "{}",
            r#"{"dify_model_identity":"other","url":"http://h/a"}"#,
            r#"{"dify_model_identity":7,"x":"__dify__file__"}"#,
            r#"{"x":{"dify_model_identity":"__dify__file__"}}"#,
            r#"[{"dify_model_identity":"__dify__file__"}]"#,
        ] {
            assert_eq!(FileObject::marked(json), None, "{json}");
        }
    }

    #[test]
    fn a_list_leaves_out_what_is_no_file() {
        let chat = r#"[{"related_id":"r","extension":".txt","filename":"a.txt","size":3,"mime_type":"text/plain","transfer_method":"local_file","type":"document","url":"https://h/a","upload_file_id":"u","remote_url":""},{"url":null},7,null]"#;
        let files = FileObject::list(chat);
        assert_eq!(files.len(), 1);
        assert_eq!((files[0].id.as_deref(), files[0].url.as_deref()), (Some("r"), Some("https://h/a")));
        for none in ["null", "[]", "{}", r#"{"value_type":"array[file]","value":[]}"#, "[null]", "\"\"", "["]
        {
            assert!(FileObject::list(none).is_empty(), "{none}");
        }
        let many = format!("[{}{{}}]", r#"{"url":"u"},"#.repeat(2 * MAX_FILES));
        assert_eq!(FileObject::list(&many).len(), MAX_FILES);
    }

    #[test]
    fn names_of_uploads_are_ones_that_dify_takes() {
        for (name, sent) in [
            ("a b.txt", "a b.txt"),
            ("../etc/pass\\wd", ".._etc_pass_wd"),
            ("a\u{0}\n.png", "a__.png"),
            ("\"a\".png", "_a_.png"),
            ("", "file"),
            ("  ", "file"),
            ("资料.pdf", "资料.pdf"),
        ] {
            assert_eq!(upload_name(name), sent);
        }
        let long = upload_name(&format!("{}.tar", "é".repeat(300)));
        assert_eq!(long.chars().count(), MAX_NAME_CHARS);
        assert!(long.ends_with("é.tar"));
        assert_eq!(upload_name(&"é".repeat(300)).chars().count(), MAX_NAME_CHARS);
        assert_eq!(upload_name(&format!("a.{}", "e".repeat(300))).chars().count(), MAX_NAME_CHARS);
    }
}
