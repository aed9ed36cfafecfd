//! What a run gave: Dify's JSON of its outputs goes in, the artifact of them comes out, with references in the place
//! of files. The files themselves are found on the way.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::files::Files;
use crate::core::artifact::{OUTPUTS, Whole};
use crate::core::message::Part;
use crate::dify::outputs;

/// The artifact of a workflow's outputs. `None` when they are no object, or nested so deep (more than 1024, with
/// files among them) that nobody could read them.
pub(super) fn artifact(outputs: &RawValue, files: &mut Files) -> Option<Whole> {
    if !outputs.get().starts_with('{') {
        return None;
    }
    let mut refer = |file| to_raw_value(&files.take(file)).unwrap_or_else(|_| RawValue::NULL.to_owned());
    let json = outputs::rewrite(outputs, &mut refer).ok()?;
    Some(Whole::of(OUTPUTS, OUTPUTS, Part::data(Arc::from(json))))
}

/// Finds the files that are named anywhere in the outputs.
pub(super) fn find_files(outputs: &RawValue, files: &mut Files) {
    for file in outputs::files(outputs).unwrap_or_default() {
        files.take(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Content;

    fn made(json: &str) -> Option<String> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        let whole = artifact(&raw, &mut Files::default())?;
        assert_eq!((whole.id.as_str(), whole.name.as_str(), whole.parts.len()), ("outputs", "outputs", 1));
        match &whole.parts[0].content {
            Content::Data(json) => Some(json.get().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn outputs_are_verbatim_but_for_their_files() {
        for same in [r#"{}"#, r#"{"n": 1.50e2, "big":12345678901234567890.10,"n":0E-7}"#] {
            assert_eq!(made(same).as_deref(), Some(same));
        }
        for none in ["null", "[1]", "\"text\"", "7"] {
            assert_eq!(made(none), None);
        }
        let file = r#"{"dify_model_identity":"__dify__file__","related_id":"u-1","tenant_id":"t","filename":"a/b.txt","mime_type":"text/plain","size":3,"url":"https://h/files/u-1/file-preview?sign=x"}"#;
        let reference = r#"{"artifactId":"file-1","filename":"b.txt","mediaType":"text/plain","size":3}"#;
        assert_eq!(
            made(&format!(r#"{{"f":{file},"all":[{file}]}}"#)),
            Some(format!(r#"{{"f":{reference},"all":[{reference}]}}"#))
        );
        // One without an address cannot be fetched.
        let lost = r#"{"f":{"dify_model_identity":"__dify__file__","filename":"a.txt"}}"#;
        assert_eq!(made(lost).unwrap(), r#"{"f":{"filename":"a.txt","mediaType":"text/plain"}}"#);
    }

    #[test]
    fn what_nobody_could_read_is_left_out() {
        let file = r#"{"dify_model_identity":"__dify__file__"}"#;
        let deep = format!("{{\"x\":{}{file}{}}}", "[".repeat(2000), "]".repeat(2000));
        assert_eq!(made(&deep), None);
    }
}
