//! What Dify has kept of runs and messages: the bodies of its answers go in, typed records come out, alike for all
//! versions.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::RunStatus;
use super::{lenient, mend};

/// A run of a graph, as `GET /workflows/run/{id}` tells of it.
#[derive(Clone, Debug)]
pub struct RunDetail {
    /// How it stands.
    pub status: RunStatus<'static>,
    /// What it produced, an object. Before 1.13 it comes as a string with JSON in it, which is unpacked here.
    pub outputs: Option<Arc<RawValue>>,
    /// Dify's own words for a failure, as raw as they come.
    pub error: Option<String>,
    /// How long it took, seconds.
    pub elapsed_time: Option<f64>,
    /// How many nodes ran.
    pub total_steps: Option<u64>,
    /// How many tokens its models used.
    pub total_tokens: Option<u64>,
}

impl RunDetail {
    /// Reads the body. `None` for a run that Dify does not have: before 1.13 it says so with nulls.
    pub fn read(body: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default, deserialize_with = "lenient::filled")]
            status: Option<String>,
            #[serde(default)]
            outputs: Option<Box<RawValue>>,
            #[serde(default, deserialize_with = "lenient::filled")]
            error: Option<String>,
            #[serde(default, deserialize_with = "lenient::real")]
            elapsed_time: Option<f64>,
            #[serde(default, deserialize_with = "lenient::count")]
            total_steps: Option<u64>,
            #[serde(default, deserialize_with = "lenient::count")]
            total_tokens: Option<u64>,
        }
        let wire: Wire = mend::read(body)?;
        Some(Self {
            status: RunStatus::from_name(Cow::Owned(wire.status?)),
            outputs: wire.outputs.and_then(unpacked),
            error: wire.error,
            elapsed_time: wire.elapsed_time,
            total_steps: wire.total_steps,
            total_tokens: wire.total_tokens,
        })
    }
}

/// The object, also if it is written inside of a string.
fn unpacked(outputs: Box<RawValue>) -> Option<Arc<RawValue>> {
    let outputs = match serde_json::from_str::<String>(outputs.get()) {
        Ok(text) => serde_json::from_str(&text).ok()?,
        Err(_) => outputs,
    };
    outputs.get().starts_with('{').then(|| Arc::from(outputs))
}

/// A message and its answer, as `GET /messages` tells of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredMessage {
    /// The text of the answer, after moderation. Empty while the answer is being made, too.
    pub answer: String,
    /// How it stands.
    pub status: MessageStatus,
    /// Dify's own words for a failure, as raw as they come.
    pub error: Option<String>,
}

/// How a message stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MessageStatus {
    /// It failed; the text that there was is not kept.
    Error,
    /// It is answered, or about to be: Dify does not tell these apart.
    Normal,
    /// A status of a version that is not known here.
    Other(String),
    /// Its run waits for people.
    Paused,
}

impl StoredMessage {
    /// The message of this id in the body, if it is on the page.
    pub fn find(body: &str, message_id: &str) -> Option<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Wire {
            #[serde(deserialize_with = "lenient::owned")]
            id: String,
            #[serde(deserialize_with = "lenient::owned")]
            answer: String,
            #[serde(deserialize_with = "lenient::owned")]
            status: String,
            #[serde(deserialize_with = "lenient::filled")]
            error: Option<String>,
        }
        let rows: Vec<Wire> = data(body);
        let row = rows.into_iter().find(|row| row.id == message_id)?;
        Some(Self {
            answer: row.answer,
            status: match row.status.as_str() {
                "error" => MessageStatus::Error,
                "normal" | "" => MessageStatus::Normal,
                "paused" => MessageStatus::Paused,
                _ => MessageStatus::Other(row.status),
            },
            error: row.error,
        })
    }
}

/// The questions in the body of `GET /messages/{id}/suggested`, those that are not empty.
pub fn suggested_questions(body: &str) -> Vec<String> {
    let mut questions: Vec<String> = data(body);
    questions.retain(|question| !question.trim().is_empty());
    questions
}

/// The elements of a body's `data`.
fn data<T: serde::de::DeserializeOwned>(body: &str) -> Vec<T> {
    #[derive(Deserialize)]
    struct Page<T: serde::de::DeserializeOwned> {
        #[serde(default = "Vec::new", deserialize_with = "lenient::list")]
        data: Vec<T>,
    }
    serde_json::from_str::<Page<T>>(body).map(|page| page.data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::fixture;

    fn body(name: &str) -> String {
        String::from_utf8(fixture::recording(name).body).unwrap()
    }

    #[test]
    fn both_versions_tell_of_a_run() {
        for version in ["1.14.2", "0.15.3"] {
            let run = RunDetail::read(&body(&format!("{version}/workflow_run_detail"))).unwrap();
            assert_eq!(run.status, RunStatus::Succeeded, "{version}");
            let outputs: String = run.outputs.unwrap().get().split_whitespace().collect();
            assert_eq!(outputs, r#"{"result":"HELLOWORLD!","length":12,"plain":"Helloworld!"}"#);
            assert_eq!((run.error, run.total_steps, run.total_tokens), (None, Some(4), Some(0)));
            assert!(run.elapsed_time.unwrap() > 1.0);
        }
    }

    #[test]
    fn a_run_may_wait_or_run_or_be_unknown() {
        let status = |name| RunDetail::read(&body(name)).map(|run| run.status);
        assert_eq!(status("1.14.2/human_input_run_detail_paused"), Some(RunStatus::Paused));
        assert_eq!(status("1.14.2/human_input_run_detail_after_stop_and_submit"), Some(RunStatus::Running));
        assert_eq!(status("1.14.2/human_input_run_detail_done"), Some(RunStatus::Succeeded));
        assert_eq!(status("0.15.3/workflow_run_detail_unknown"), None);
    }

    #[test]
    fn outputs_are_an_object_or_nothing() {
        for (outputs, kept) in [
            (r#"{"a":1.50}"#, Some(r#"{"a":1.50}"#)),
            (r#""{\"a\":1.50}""#, Some(r#"{"a":1.50}"#)),
            ("null", None),
            ("\"\"", None),
            ("\"null\"", None),
            ("[]", None),
            ("7", None),
        ] {
            let run = RunDetail::read(&format!(r#"{{"status":"failed","outputs":{outputs}}}"#)).unwrap();
            assert_eq!(run.outputs.as_deref().map(RawValue::get), kept, "{outputs}");
        }
        assert!(RunDetail::read("<html>").is_none());
    }

    #[test]
    fn a_message_is_found_by_its_id() {
        let page = body("1.14.2/chatflow_human_messages");
        let done = StoredMessage::find(&page, "774ad664-e66b-431d-8750-5e77af84397e").unwrap();
        assert_eq!(done.answer, "Before the question. Approved with: enjoy");
        assert_eq!((done.status, done.error), (MessageStatus::Normal, None));
        let waits = StoredMessage::find(&page, "3d476f81-2400-4028-b7cf-86fafa544b6f").unwrap();
        assert_eq!(waits.status, MessageStatus::Paused);
        assert_eq!(StoredMessage::find(&page, "other"), None);
        let failed = r#"{"data":[{"id":"m","answer":null,"status":"error","error":"no"}]}"#;
        let failed = StoredMessage::find(failed, "m").unwrap();
        assert_eq!((failed.status, failed.error.as_deref()), (MessageStatus::Error, Some("no")));
    }

    #[test]
    fn a_broken_emoji_loses_no_message() {
        let page = r#"{"data":[{"id":"m","answer":"a\ud83d","status":"normal","status":"paused"}]}"#;
        let message = StoredMessage::find(page, "m").unwrap();
        assert_eq!((message.answer.as_str(), message.status), ("a\u{fffd}", MessageStatus::Paused));
    }

    #[test]
    fn questions_are_texts() {
        let body = r#"{"result":"success","data":["One?"," ",7,"Two?"]}"#;
        assert_eq!(suggested_questions(body), ["One?", "Two?"]);
        assert!(suggested_questions("{}").is_empty() && suggested_questions("[").is_empty());
    }
}
