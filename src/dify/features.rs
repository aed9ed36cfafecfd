//! What an app can do beside answering, and how large files may be: the rest of Dify's `/parameters` in, typed
//! switches out.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::file_kind::FileKind;
use super::form::{self, FileRules, RuleMembers};
use super::lenient;

/// The app's switches.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Features {
    /// Recordings can be turned into text (`/audio-to-text`).
    pub speech_to_text: bool,
    /// Answers are read aloud.
    pub text_to_speech: Option<Voice>,
    /// Dify makes up questions to go on with after each answer.
    pub suggested_questions_after_answer: bool,
    /// Answers name what they were drawn from.
    pub retriever_resource: bool,
    /// Some questions are answered with texts that people wrote.
    pub annotation_reply: bool,
    /// Questions or answers are moderated.
    pub sensitive_word_avoidance: bool,
}

/// How answers are read aloud.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Voice {
    /// The language, such as `en-US`, if set.
    pub language: Option<String>,
    /// The voice, in the words of its provider, if set.
    pub voice: Option<String>,
    /// Whether it comes without being asked for (Dify: `autoPlay`).
    pub auto_play: bool,
}

/// How large files may be and how many (Dify: `system_parameters`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Largest picture, bytes.
    pub image: u64,
    /// Largest document or file of no known kind, bytes.
    pub document: u64,
    /// Largest sound file, bytes.
    pub audio: u64,
    /// Largest video, bytes.
    pub video: u64,
    /// Most files in one run.
    pub files: u32,
}

/// The unit that Dify tells its limits in.
const MB: u64 = 1 << 20;

impl Default for Limits {
    /// Those of a Dify that nobody has configured.
    fn default() -> Self {
        Self { image: 10 * MB, document: 15 * MB, audio: 50 * MB, video: 100 * MB, files: 10 }
    }
}

impl Limits {
    /// Largest file of a kind, bytes.
    pub fn of(&self, kind: FileKind) -> u64 {
        match kind {
            FileKind::Image => self.image,
            FileKind::Document | FileKind::Custom => self.document,
            FileKind::Audio => self.audio,
            FileKind::Video => self.video,
        }
    }
}

#[derive(Default, Deserialize)]
struct Switch<'a> {
    #[serde(default, borrow)]
    enabled: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    language: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    voice: Option<Cow<'a, str>>,
    #[serde(default, rename = "autoPlay", borrow, deserialize_with = "lenient::text")]
    auto_play: Option<Cow<'a, str>>,
}

impl Switch<'_> {
    fn is_on(&self) -> bool {
        form::is_true(self.enabled)
    }
}

/// The switches as they travel.
#[derive(Default, Deserialize)]
pub(super) struct FeatureMembers<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    speech_to_text: Switch<'a>,
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    text_to_speech: Switch<'a>,
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    suggested_questions_after_answer: Switch<'a>,
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    retriever_resource: Switch<'a>,
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    annotation_reply: Switch<'a>,
    #[serde(default, borrow, deserialize_with = "lenient::object")]
    sensitive_word_avoidance: Switch<'a>,
    #[serde(default, borrow)]
    file_upload: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient::object")]
    system_parameters: LimitMembers,
}

/// The limits as they travel, in megabytes.
#[derive(Default, Deserialize)]
struct LimitMembers {
    #[serde(default, deserialize_with = "lenient::count")]
    image_file_size_limit: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    file_size_limit: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    audio_file_size_limit: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    video_file_size_limit: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    workflow_file_upload_limit: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Upload<'a> {
    #[serde(default, borrow)]
    enabled: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient::count")]
    number_limits: Option<u64>,
    #[serde(default, deserialize_with = "lenient::object")]
    image: Image,
}

/// The form that the older apps have: pictures only.
#[derive(Default, Deserialize)]
struct Image {
    #[serde(default, deserialize_with = "enabled")]
    enabled: bool,
    #[serde(default, deserialize_with = "lenient::count")]
    number_limits: Option<u64>,
    #[serde(default, deserialize_with = "lenient::list")]
    transfer_methods: Vec<String>,
}

fn enabled<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(form::is_true(Option::<&RawValue>::deserialize(deserializer)?))
}

impl FeatureMembers<'_> {
    pub(super) fn features(&self) -> Features {
        let filled =
            |text: &Option<Cow<'_, str>>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
        let tts = &self.text_to_speech;
        Features {
            speech_to_text: self.speech_to_text.is_on(),
            text_to_speech: tts.is_on().then(|| Voice {
                language: filled(&tts.language),
                voice: filled(&tts.voice),
                auto_play: tts.auto_play.as_deref() == Some("enabled"),
            }),
            suggested_questions_after_answer: self.suggested_questions_after_answer.is_on(),
            retriever_resource: self.retriever_resource.is_on(),
            annotation_reply: self.annotation_reply.is_on(),
            sensitive_word_avoidance: self.sensitive_word_avoidance.is_on(),
        }
    }

    /// Which files a message may bring; `None` where the upload is off, and Dify would drop them without a word.
    pub(super) fn upload(&self) -> Option<FileRules> {
        let raw = self.file_upload?.get();
        let upload: Upload<'_> = serde_json::from_str(raw).ok()?;
        if let Some(switch) = upload.enabled {
            let members: RuleMembers = serde_json::from_str(raw).unwrap_or_default();
            let count = upload.number_limits.or(upload.image.number_limits);
            return form::is_true(Some(switch)).then(|| members.into_rules(count));
        }
        upload.image.enabled.then(|| FileRules {
            types: vec![FileKind::Image],
            extensions: Vec::new(),
            methods: form::methods(&upload.image.transfer_methods),
            max_count: form::limit(upload.image.number_limits),
        })
    }

    pub(super) fn limits(&self) -> Limits {
        let told = &self.system_parameters;
        let usual = Limits::default();
        let size = |told: Option<u64>, usual: u64| {
            told.filter(|size| *size > 0).map_or(usual, |size| size.saturating_mul(MB))
        };
        Limits {
            image: size(told.image_file_size_limit, usual.image),
            document: size(told.file_size_limit, usual.document),
            audio: size(told.audio_file_size_limit, usual.audio),
            video: size(told.video_file_size_limit, usual.video),
            files: form::limit(told.workflow_file_upload_limit).unwrap_or(usual.files),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::form::Method;

    fn read(json: &str) -> FeatureMembers<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn both_forms_of_file_upload_are_read() {
        let upload = |json: &str| read(&format!("{{\"file_upload\":{json}}}")).upload();
        for off in [
            "null",
            "[]",
            "{}",
            r#"{"enabled":false}"#,
            r#"{"image":{"enabled":false,"number_limits":3}}"#,
            r#"{"enabled":false,"image":{"enabled":true}}"#,
        ] {
            assert_eq!(upload(off), None, "{off}");
        }
        let pictures =
            upload(r#"{"image":{"enabled":true,"number_limits":3,"transfer_methods":["remote_url"]}}"#)
                .unwrap();
        assert_eq!((pictures.types.as_slice(), pictures.max_count), ([FileKind::Image].as_slice(), Some(3)));
        assert!(pictures.allows(Method::RemoteUrl) && !pictures.allows(Method::LocalFile));
        let any = upload(
            r#"{"enabled":true,"allowed_file_types":["image","custom"],"allowed_file_extensions":[".JPG","bin"],
                "allowed_file_upload_methods":["local_file"],"image":{"enabled":false,"number_limits":2}}"#,
        )
        .unwrap();
        assert_eq!(any.extensions, ["jpg", "bin"]);
        assert_eq!((any.types, any.max_count), (vec![FileKind::Image, FileKind::Custom], Some(2)));
        assert_eq!(upload(r#"{"enabled":true}"#), Some(FileRules::default()));
    }

    #[test]
    fn limits_are_megabytes_and_have_defaults() {
        assert_eq!(read("{}").limits(), Limits::default());
        let told = r#"{"system_parameters":{"image_file_size_limit":2,"file_size_limit":"3",
            "audio_file_size_limit":null,"workflow_file_upload_limit":4}}"#;
        let limits = read(told).limits();
        assert_eq!((limits.image, limits.document, limits.audio), (2 << 20, 3 << 20, 50 << 20));
        assert_eq!(
            (limits.files, limits.of(FileKind::Custom), limits.of(FileKind::Video)),
            (4, 3 << 20, 100 << 20)
        );
    }

    #[test]
    fn switches_are_on_only_where_they_say_so() {
        assert_eq!(read("{}").features(), Features::default());
        assert_eq!(
            read(r#"{"speech_to_text":null,"annotation_reply":{"enabled":"yes"}}"#).features(),
            Features::default()
        );
        let all = r#"{"speech_to_text":{"enabled":true},"annotation_reply":{"enabled":true,"id":"x"},
            "text_to_speech":{"enabled":true,"language":"en-US","voice":"","autoPlay":"enabled"},
            "suggested_questions_after_answer":{"enabled":true},"retriever_resource":{"enabled":true},
            "sensitive_word_avoidance":{"enabled":true,"type":"keywords","configs":[]}}"#;
        let voice = Voice { language: Some("en-US".to_owned()), voice: None, auto_play: true };
        let expected = Features {
            speech_to_text: true,
            text_to_speech: Some(voice),
            suggested_questions_after_answer: true,
            retriever_resource: true,
            annotation_reply: true,
            sensitive_word_avoidance: true,
        };
        assert_eq!(read(all).features(), expected);
    }
}
