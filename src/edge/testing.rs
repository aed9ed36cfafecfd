//! What the tests of all dialects share: a few tasks that hold everything a task can, every kind of log
//! event, and ways to look at what a dialect makes of them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::core::artifact::Whole;
use crate::core::event::{Ask, Failure, FailureSource, LogEvent, Status, StatusNote, TextArtifact};
use crate::core::facts::{Citation, Facts, Usage};
use crate::core::ids::{Caller, CountingIds};
use crate::core::message::Served;
use crate::core::message::{Content, Json, Message, Part, Role};
use crate::core::progress::{Detail, Level, Progress, ProgressKind, ProgressState};
use crate::core::state::TaskState;
use crate::core::task::{Artifact, Task};
use crate::edge::view::View;

use super::dialect::{Call, Dialect, Operation, StreamEnd};

/// JSON, unread.
pub fn raw(text: &str) -> Box<RawValue> {
    serde_json::from_str(text).unwrap()
}

/// JSON as the core keeps it.
pub fn json(text: &str) -> Json {
    Json::from(raw(text))
}

/// A moment.
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A message with a part of every kind.
pub fn message() -> Message {
    let part = |content, filename: Option<&str>, media_type: Option<&str>, metadata: Option<&str>| Part {
        content,
        filename: filename.map(str::to_owned),
        media_type: media_type.map(str::to_owned),
        metadata: metadata.map(json),
    };
    Message {
        id: "m-1".into(),
        role: Role::User,
        parts: vec![
            part(Content::Text("Grüße\u{2028}!".to_owned()), None, Some("text/markdown"), None),
            part(Content::Raw(Bytes::from_static(&[0xfb, 0xff])), Some("a.bin"), Some("image/png"), None),
            part(Content::Url("https://example.org/x.pdf".to_owned()), Some("x.pdf"), None, None),
            part(Content::Data(json(r#"{"z":1.0,"a":42}"#)), None, None, Some("{\"k\":\n[1, 2]}")),
            part(Content::Data(json("[1,2]")), None, None, Some(r#"{"mine":true}"#)),
        ],
        context_id: Some("ctx-1".into()),
        task_id: Some("task-1".into()),
        metadata: Some(json(r#"{"trace":"x"}"#)),
        extensions: vec!["urn:example:e".to_owned()],
        reference_task_ids: vec!["task-0".into()],
    }
}

/// A failure of Dify's.
pub fn failure() -> Failure {
    Failure {
        code: Cow::Borrowed("provider_quota_exceeded"),
        message: "the model's quota is used up; add credit in Dify".to_owned(),
        retryable: false,
        source: FailureSource::Dify,
    }
}

/// Everything that can be known.
pub fn facts() -> Facts {
    Facts {
        annotated: true,
        citations: vec![Citation {
            position: Some(1),
            dataset_name: Some("Handbook".to_owned()),
            document_name: Some("leave.md".to_owned()),
            excerpt: Some("30 days".to_owned()),
            score: Some(0.87),
        }],
        conversation_id: Some(Arc::from("conversation-1")),
        conversation_restarted: true,
        elapsed_ms: Some(1234),
        exceptions: Some(1),
        kept_inputs: vec!["topic".to_owned()],
        no_memory: true,
        replaced: Some("output_moderation".to_owned()),
        stop_confirmed: Some(true),
        suggested: vec!["And then?".to_owned()],
        unused_inputs: vec!["tpoic".to_owned()],
        unused_text: true,
        usage: Some(Usage {
            json: json(r#"{"promptTokens":12,"totalPrice":"0.0003000"}"#),
            prompt_tokens: Some(12),
            completion_tokens: Some(30),
            total_tokens: Some(42),
        }),
    }
}

/// What a run gave.
pub fn outputs() -> Whole {
    let data = Part::data(json(r#"{"n":1.0,"exact":0.12345678901234567890}"#));
    Whole::of(crate::core::artifact::OUTPUTS, crate::core::artifact::OUTPUTS, data)
}

/// A file that the gateway serves.
pub fn file() -> Whole {
    let served = Served { id: "f-1".into(), size: 2, small: Some(Bytes::from_static(&[0xfb, 0xff])) };
    let part = Part {
        content: Content::Served(served),
        filename: Some("dot.png".to_owned()),
        media_type: Some("image/png".to_owned()),
        metadata: None,
    };
    Whole::of("file-1", "dot.png", part)
}

/// A task that waits for a person.
pub fn asking() -> Task {
    let data = Part::data(json(r#"{"form":1,"actions":[{"id":"approve","title":"Approve"}]}"#));
    let ask = Ask { parts: vec![Part::text("Shall I?"), data] };
    let note = Some(("note-3".into(), StatusNote::Ask(ask)));
    task(Status { state: TaskState::InputRequired, at: at("2026-01-02T03:04:06.001Z"), note })
}

fn task(status: Status) -> Task {
    Task {
        id: "task-1".into(),
        context_id: "ctx-1".into(),
        caller: Caller::anonymous(),
        created_at: at("2026-01-02T03:04:05Z"),
        status: Arc::new(status),
        history: vec![Arc::new(message())],
        artifacts: Vec::new(),
        facts: Arc::new(Facts::default()),
    }
}

/// A task that has just been accepted.
pub fn submitted() -> Task {
    let mut task = task(Status::plain(TaskState::Submitted, at("2026-01-02T03:04:05.678Z")));
    task.history.clear();
    task
}

/// A task with everything a completed one can have.
pub fn completed() -> Task {
    let mut task = task(Status::plain(TaskState::Completed, at("2026-01-02T03:04:09.5Z")));
    task.artifacts = vec![
        Artifact::Text { kind: TextArtifact::Reasoning, text: "Let me see".to_owned() },
        Artifact::Text { kind: TextArtifact::Answer, text: "Hello \"Alice\"\n".to_owned() },
        Artifact::Whole(Arc::new(outputs())),
        Artifact::Whole(Arc::new(file())),
    ];
    task.facts = Arc::new(facts());
    task
}

/// A task that failed.
pub fn failed() -> Task {
    let note = ("note-9".into(), StatusNote::Failure(failure()));
    task(Status { state: TaskState::Failed, at: at("2026-01-02T03:04:06Z"), note: Some(note) })
}

/// The results of a stream that begins with a submitted task and sees every kind of event, one a line.
pub fn streamed(dialect: &dyn Dialect, end: StreamEnd) -> Vec<String> {
    streamed_as(dialect, end, View::default())
}

/// The same, as `view` has it.
pub fn streamed_as(dialect: &dyn Dialect, end: StreamEnd, view: View) -> Vec<String> {
    let task = submitted();
    let mut lines = Vec::new();
    let mut encoder = dialect.stream(&task.id, &task.context_id, end, view);
    encoder.snapshot(&task, &mut |result| lines.push(String::from_utf8(result.to_vec()).unwrap()));
    stream_events(|event| {
        let mut buf = Vec::new();
        if encoder.event(&mut buf, event) {
            lines.push(String::from_utf8(buf).unwrap());
        } else {
            assert!(buf.is_empty(), "silence must write nothing");
        }
    });
    lines
}

/// Every kind of log event, each once at least.
pub fn stream_events(each: impl FnMut(LogEvent<'_>)) {
    let time = at("2026-01-02T03:04:06.001Z");
    let none = Facts::default();
    let all = facts();
    let progress = Progress {
        level: Level::Brief,
        kind: ProgressKind::Tool,
        title: "search".to_owned(),
        step_type: Some("tool".to_owned()),
        state: ProgressState::Started,
        detail: Detail { id: Some("s1".to_owned()), elapsed_ms: Some(7), ..Detail::default() },
    };
    let fine = Progress { level: Level::Full, ..progress.clone() };
    let fine = Status {
        state: TaskState::Working,
        at: time,
        note: Some(("note-0".into(), StatusNote::Progress(fine))),
    };
    let working = Status::plain(TaskState::Working, time);
    let note = Some(("note-1".into(), StatusNote::Progress(progress)));
    let step = Status { state: TaskState::Working, at: time, note };
    let input = asking().status;
    let (outputs, file) = (outputs(), file());
    let note = Some(("note-2".into(), StatusNote::Failure(failure())));
    let failed = Status { state: TaskState::Failed, at: time, note };
    let (answer, reasoning) = (TextArtifact::Answer, TextArtifact::Reasoning);
    let events = [
        LogEvent::Status { facts: &none, status: &working },
        LogEvent::Status { facts: &none, status: &step },
        LogEvent::Status { facts: &none, status: &fine },
        LogEvent::Text { append: false, artifact: reasoning, text: "Hm" },
        LogEvent::Text { append: true, artifact: reasoning, text: "m" },
        LogEvent::Close { artifact: reasoning, facts: &all, whole: Some("Hmm") },
        LogEvent::Text { append: false, artifact: answer, text: "Hel" },
        LogEvent::Text { append: true, artifact: answer, text: "lo\u{2029}" },
        LogEvent::Close { artifact: answer, facts: &all, whole: Some("Hello\u{2029}") },
        LogEvent::Close { artifact: answer, facts: &none, whole: None },
        LogEvent::Artifact(&outputs),
        LogEvent::Artifact(&file),
        LogEvent::Status { facts: &none, status: &input },
        LogEvent::Status { facts: &all, status: &failed },
    ];
    events.into_iter().for_each(each);
}

/// What `write` appends, as text.
pub fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut buf = Vec::new();
    write(&mut buf);
    let text = String::from_utf8(buf).unwrap();
    assert!(!text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "{text}");
    serde_json::from_str::<&RawValue>(&text).unwrap();
    text
}

/// A call decoded by `dialect`, or the fields it refuses.
pub fn call(dialect: &dyn Dialect, operation: Operation, params: &str) -> Result<Call, Vec<String>> {
    let params: Box<RawValue> =
        serde_json::from_str(params).unwrap_or_else(|error| panic!("{error}: {params}"));
    match dialect.call(operation, Some(&params), &CountingIds::default()) {
        Ok(request) => Ok(request.call),
        Err(crate::core::error::Error::InvalidParams(list)) => {
            Err(list.into_iter().map(|violation| violation.field).collect())
        }
        Err(other) => panic!("{other:?}"),
    }
}
