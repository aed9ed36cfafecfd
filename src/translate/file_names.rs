//! What a file of Dify is called and what it is: what Dify tells of it goes in, a name that can stand in a listing
//! and a media type come out.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::dify::file_kind::ending;
use crate::dify::files::FileObject;

/// Longest name, bytes; what file systems take.
const MAX_NAME: usize = 255;

/// Longest ending that survives when a name is cut, bytes.
const MAX_ENDING: usize = 16;

/// Longest media type, bytes (RFC 6838 §4.2 has 127 for each half).
const MAX_MEDIA_TYPE: usize = 255;

/// How Dify's own addresses of uploads end, which name no file.
const PREVIEWS: [&str; 2] = ["file-preview", "image-preview"];

/// The media types of the usual endings.
const TYPES: [(&str, &str); 36] = [
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("epub", "application/epub+zip"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("markdown", "text/markdown"),
    ("md", "text/markdown"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mpga", "audio/mpeg"),
    ("msg", "application/vnd.ms-outlook"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("vtt", "text/vtt"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
    ("7z", "application/x-7z-compressed"),
];

/// The file's own name, else the one in its address, else `stem` with its ending.
pub(super) fn name(file: &FileObject, stem: &str) -> String {
    let own = file.filename.as_deref().and_then(clean);
    own.or_else(|| in_url(file.url.as_deref()?)).unwrap_or_else(|| {
        let ending =
            ending_of(file).and_then(|ending| clean(&ending)).filter(|ending| ending.len() <= MAX_ENDING);
        ending.map_or_else(|| stem.to_owned(), |ending| format!("{stem}.{ending}"))
    })
}

/// The media type that Dify tells, else the one of its ending.
pub(super) fn media_type(file: &FileObject) -> Option<String> {
    file.mime_type.as_deref().and_then(valid).or_else(|| {
        let ending = ending_of(file)?;
        TYPES.iter().find(|(name, _)| *name == ending).map(|(_, media_type)| (*media_type).to_owned())
    })
}

fn ending_of(file: &FileObject) -> Option<String> {
    let path = file.url.as_deref().map(path_of);
    let named = |name: Option<&str>| ending(None, name);
    file.extension
        .clone()
        .or_else(|| named(file.filename.as_deref()))
        .or_else(|| named(path))
        .or_else(|| ending(file.mime_type.as_deref(), None))
}

/// The name in the path of an address, if it tells people anything: Dify's own has only an id there.
fn in_url(url: &str) -> Option<String> {
    let last = path_of(url).rsplit('/').next()?;
    let name = clean(&percent_decode_str(last).decode_utf8().unwrap_or(Cow::Borrowed(last)))?;
    let stem = name.split('.').next().unwrap_or_default();
    (!PREVIEWS.contains(&name.as_str()) && Uuid::try_parse(stem).is_err()).then_some(name)
}

/// The path of an address. One without a path has none.
fn path_of(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => url,
    }
}

/// The name made harmless: what is behind the last slash of either kind, on one line, without marks that turn the
/// direction of writing, at most [`MAX_NAME`] bytes with its ending kept. `None` when nothing is left.
pub(super) fn clean(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next()?;
    let clean: String = last.chars().filter(|&c| !turns_direction(c)).collect();
    let words = clean.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let clean = words.collect::<Vec<_>>().join(" ");
    if clean.bytes().all(|byte| byte == b'.') {
        return None;
    }
    if clean.len() <= MAX_NAME {
        return Some(clean);
    }
    let ending = clean.rfind('.').and_then(|at| clean.get(at..)).filter(|ending| ending.len() <= MAX_ENDING);
    let ending = ending.unwrap_or_default();
    let stem = clean.get(..clean.floor_char_boundary(MAX_NAME - ending.len())).unwrap_or_default();
    Some(format!("{stem}{ending}").trim().to_owned())
}

/// Marks and overrides of direction, with which a name can pretend to have another ending.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The media type without its parameters, in small letters, if it is one.
fn valid(media_type: &str) -> Option<String> {
    let bare = media_type.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = bare.split_once('/')?;
    let is_token = |half: &str| !half.is_empty() && half.bytes().all(is_token_byte);
    (bare.len() <= MAX_MEDIA_TYPE && is_token(kind) && is_token(subtype)).then_some(bare)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(
        filename: Option<&str>,
        url: Option<&str>,
        extension: Option<&str>,
        mime: Option<&str>,
    ) -> String {
        let file = FileObject {
            filename: filename.map(str::to_owned),
            url: url.map(str::to_owned),
            extension: extension.map(str::to_owned),
            mime_type: mime.map(str::to_owned),
            ..FileObject::default()
        };
        format!("{} {}", name(&file, "file-7"), media_type(&file).unwrap_or_default())
    }

    #[test]
    fn a_name_is_its_own_else_of_its_address_else_made() {
        let tool = "/files/tools/0a367ab0-e4fc-46a2-9af8-df4751d068a9.png?sign=x";
        for (filename, url, extension, mime, shown) in [
            (Some("a.txt"), Some("https://h/b.pdf"), None, None, "a.txt text/plain"),
            (Some("a.txt"), None, None, Some("Text/Markdown; charset=utf-8"), "a.txt text/markdown"),
            (Some("../e\ntc/ p\u{202e}w \n d"), None, None, None, "pw d "),
            (Some(".."), Some("https://h/x/b%20c.pdf?q=/d"), None, None, "b c.pdf application/pdf"),
            (None, Some("https://h/x%2Fb.pdf#c.txt"), None, None, "b.pdf application/pdf"),
            (None, Some(tool), None, None, "file-7.png image/png"),
            (None, Some("https://h/files/u/file-preview?sign=x"), Some("csv"), None, "file-7.csv text/csv"),
            (None, Some("https://h"), None, Some("audio/mpeg"), "file-7.mp3 audio/mpeg"),
            (None, Some("https://h/"), None, Some("no type"), "file-7 "),
            (None, None, Some("../x"), None, "file-7.x "),
        ] {
            assert_eq!(named(filename, url, extension, mime), shown);
        }
        let long = named(Some(&format!("{}.tar", "ü".repeat(300))), None, None, None);
        assert_eq!(long, format!("{}.tar ", "ü".repeat(125)));
        assert_eq!(clean(&format!("{} b", "a".repeat(254))), Some("a".repeat(254)));
    }

    proptest! {
        #[test]
        fn every_name_is_harmless(filename in ".{0,300}", url in "[a-z:/%0-9.?\\\\]{0,40}", extension in ".{0,20}") {
            let file = FileObject {
                filename: Some(filename),
                url: Some(url),
                extension: Some(extension),
                ..FileObject::default()
            };
            let name = name(&file, "file-7");
            prop_assert!(!name.is_empty() && name.len() <= MAX_NAME && name.trim() == name);
            prop_assert!(!name.contains(['/', '\\']) && !name.chars().any(char::is_control));
            prop_assert!(name != "." && name != "..");
        }
    }
}
