//! Answers of A2A 0.3: every object says its `kind`, every status update whether it is `final`.

use serde_json::value::RawValue;

use crate::core::message::{Content, Part, Role};
use crate::core::state::TaskState;
use crate::edge::json::{ObjectWriter, write_base64, write_raw};
use crate::edge::objects;
use crate::edge::text_frame::DataPart;
use crate::edge::view::View;

/// What marks a part whose data was wrapped, in its metadata.
pub const WRAPPED: &str = "data_part_compat";

/// The words of A2A 0.3.
#[derive(Debug)]
pub struct Words;

impl objects::Words for Words {
    const DATA_PART: DataPart = (b"{\"kind\":\"data\",\"data\":", b"}");
    const FINAL: bool = true;
    const NAMED: bool = false;
    const TEXT_PART: &'static [u8] = b"{\"kind\":\"text\",\"text\":";

    fn kind(object: &mut ObjectWriter<'_>, name: &str) {
        object.str("kind", name);
    }

    fn part(buf: &mut Vec<u8>, item: &Part, view: &View) {
        part(buf, item, view);
    }

    fn role(role: Role) -> &'static str {
        match role {
            Role::Agent => "agent",
            Role::User => "user",
        }
    }

    fn state(state: TaskState) -> &'static str {
        match state {
            TaskState::Submitted => "submitted",
            TaskState::Working => "working",
            TaskState::Completed => "completed",
            TaskState::Failed => "failed",
            TaskState::Canceled => "canceled",
            TaskState::InputRequired => "input-required",
            TaskState::Rejected => "rejected",
            TaskState::AuthRequired => "auth-required",
        }
    }
}

/// Appends a `Part` (A2A 0.3 §6.5). Text parts have no media type and no file name there; they are left out.
fn part(buf: &mut Vec<u8>, part: &Part, view: &View) {
    let mut object = ObjectWriter::open(buf);
    let mut metadata = part.metadata.as_deref();
    match &part.content {
        Content::Data(json) if json.get().starts_with('{') => {
            object.str("kind", "data");
            write_raw(object.member("data"), json);
        }
        Content::Data(json) => {
            object.str("kind", "data");
            let mut wrapped = ObjectWriter::open(object.member("data"));
            wrapped.opt_raw("value", Some(json));
            wrapped.close();
            write_marked(object.member("metadata"), metadata.take());
        }
        Content::Raw(bytes) => {
            let mut file = open_file(&mut object, part);
            write_base64(file.member("bytes"), bytes);
            file.close();
        }
        Content::Served(served) => {
            let mut file = open_file(&mut object, part);
            match view.inline(part, served) {
                Some(bytes) => write_base64(file.member("bytes"), bytes),
                None => file.str("uri", &view.address(served)),
            }
            file.close();
        }
        Content::Text(text) => {
            object.str("kind", "text");
            object.str("text", text);
        }
        Content::Url(url) => {
            let mut file = open_file(&mut object, part);
            file.str("uri", url);
            file.close();
        }
    }
    object.opt_raw("metadata", metadata);
    object.close();
}

fn open_file<'b>(object: &'b mut ObjectWriter<'_>, part: &Part) -> ObjectWriter<'b> {
    object.str("kind", "file");
    let mut file = ObjectWriter::open(object.member("file"));
    file.opt_str("name", part.filename.as_deref());
    file.opt_str("mimeType", part.media_type.as_deref());
    file
}

/// Appends the part's own metadata with the mark that its data was wrapped, since data is an object in 0.3.
pub fn write_marked(buf: &mut Vec<u8>, metadata: Option<&RawValue>) {
    buf.extend_from_slice(b"{\"");
    buf.extend_from_slice(WRAPPED.as_bytes());
    buf.extend_from_slice(b"\":true");
    if let Some(metadata) = metadata {
        let start = buf.len();
        write_raw(buf, metadata);
        // The author's object goes on where ours stands: its opening brace becomes the comma, unless it is
        // empty.
        let inside = metadata.get().trim_start_matches('{').trim_end_matches('}');
        match buf.get_mut(start) {
            Some(brace) if !inside.trim().is_empty() => {
                *brace = b',';
                return;
            }
            _ => buf.truncate(start),
        }
    }
    buf.push(b'}');
}
