//! Answers of A2A 1.0: REQUIRED fields always, others when they say something (A2A 1.0 §5.7).

use crate::core::message::{Content, Part, Role};
use crate::core::state::TaskState;
use crate::edge::json::{ObjectWriter, write_base64, write_raw};
use crate::edge::objects;
use crate::edge::text_frame::DataPart;
use crate::edge::view::View;

/// The words of A2A 1.0.
#[derive(Debug)]
pub struct Words;

impl objects::Words for Words {
    const DATA_PART: DataPart = (b"{\"data\":", b",\"mediaType\":\"application/json\"}");
    const FINAL: bool = false;
    const NAMED: bool = true;
    const TEXT_PART: &'static [u8] = b"{\"text\":";

    fn kind(_: &mut ObjectWriter<'_>, _: &str) {}

    fn part(buf: &mut Vec<u8>, item: &Part, view: &View) {
        part(buf, item, view);
    }

    fn role(role: Role) -> &'static str {
        match role {
            Role::Agent => "ROLE_AGENT",
            Role::User => "ROLE_USER",
        }
    }

    fn state(state: TaskState) -> &'static str {
        match state {
            TaskState::Submitted => "TASK_STATE_SUBMITTED",
            TaskState::Working => "TASK_STATE_WORKING",
            TaskState::Completed => "TASK_STATE_COMPLETED",
            TaskState::Failed => "TASK_STATE_FAILED",
            TaskState::Canceled => "TASK_STATE_CANCELED",
            TaskState::InputRequired => "TASK_STATE_INPUT_REQUIRED",
            TaskState::Rejected => "TASK_STATE_REJECTED",
            TaskState::AuthRequired => "TASK_STATE_AUTH_REQUIRED",
        }
    }
}

/// Appends a `Part` (A2A 1.0 §4.1.6).
fn part(buf: &mut Vec<u8>, part: &Part, view: &View) {
    let mut object = ObjectWriter::open(buf);
    match &part.content {
        Content::Data(json) => write_raw(object.member("data"), json),
        Content::Raw(bytes) => write_base64(object.member("raw"), bytes),
        Content::Served(served) => match view.inline(part, served) {
            Some(bytes) => write_base64(object.member("raw"), bytes),
            None => object.str("url", &view.address(served)),
        },
        Content::Text(text) => object.str("text", text),
        Content::Url(url) => object.str("url", url),
    }
    object.opt_str("mediaType", part.media_type.as_deref());
    object.opt_str("filename", part.filename.as_deref());
    object.opt_raw("metadata", part.metadata.as_deref());
    object.close();
}
