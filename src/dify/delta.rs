//! The short way for what streams are made of: pieces of an answer. A frame's data goes in; the frame comes out if it is
//! such a piece and its name stands first, as Dify writes it. Everything else takes the long way, see [`super::wire`].
//!
//! The long way keeps a place for every field of every event, which a piece of text pays for and does not need.

use std::borrow::Cow;

use serde::Deserialize;

use super::event::{DifyEvent, Frame};
use super::lenient;

/// What the data of a piece begins with, as versions since 1.8.1 and before write it.
const BEGINNINGS: [(&str, Kind); 4] = [
    (r#"{"event":"message","#, Kind::Message),
    (r#"{"event": "message","#, Kind::Message),
    (r#"{"event":"agent_message","#, Kind::Agent),
    (r#"{"event": "agent_message","#, Kind::Agent),
];

#[derive(Clone, Copy)]
enum Kind {
    Agent,
    Message,
}

/// The fields that a piece has.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    task_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    conversation_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    workflow_run_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    message_id: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "lenient::text")]
    answer: Option<Cow<'a, str>>,
    /// Read only so that a second one is noticed: then the long way decides.
    #[serde(rename = "event")]
    _event: &'a str,
}

/// The frame, if the short way leads to it.
pub(super) fn frame(data: &str) -> Option<Frame<'_>> {
    let (_, kind) = BEGINNINGS.iter().find(|(beginning, _)| data.starts_with(beginning))?;
    let wire: Wire<'_> = serde_json::from_str(data).ok()?;
    let answer = wire.answer.unwrap_or_default();
    Some(Frame {
        task_id: wire.task_id,
        conversation_id: wire.conversation_id.filter(|id| !id.is_empty()),
        workflow_run_id: wire.workflow_run_id,
        message_id: wire.message_id.filter(|id| !id.is_empty()),
        event: match kind {
            Kind::Agent => DifyEvent::AgentMessage { answer },
            Kind::Message => DifyEvent::Message { answer },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::fixture;
    use crate::dify::wire;

    #[test]
    fn the_short_way_leads_where_the_long_one_does() {
        let mut short = 0;
        for version in ["0.15.3", "1.14.2"] {
            for entry in std::fs::read_dir(fixture::folder().join(version)).unwrap() {
                for data in fixture::frames(&fixture::read(&entry.unwrap().path()).body) {
                    let Some(frame) = frame(&data) else { continue };
                    short += 1;
                    let wire: wire::Wire<'_> = serde_json::from_str(&data).unwrap();
                    assert_eq!(format!("{frame:?}"), format!("{:?}", wire.into_frame().unwrap()), "{data}");
                }
            }
        }
        assert!(short > 500, "{short} pieces took the short way");
    }

    #[test]
    fn what_is_odd_takes_the_long_way() {
        for data in [
            r#"{"answer":"a","event":"message"}"#,
            r#"{"event":"message"}"#,
            r#"{"event":"message","event":"error","answer":"a"}"#,
            r#"{"event":"message","answer":"a","answer":"b"}"#,
            r#"{"event":"message","answer":"\ud800"}"#,
            r#"{"event":"message_end","answer":"a"}"#,
            r#"{"event":"message","answer":"a""#,
        ] {
            assert!(frame(data).is_none(), "{data}");
        }
        let frame = frame(r#"{"event":"message","answer":7,"conversation_id":"","task_id":null}"#).unwrap();
        assert!(matches!(frame.event, DifyEvent::Message { answer } if answer.is_empty()));
        assert!(frame.conversation_id.is_none() && frame.task_id.is_none());
    }
}
