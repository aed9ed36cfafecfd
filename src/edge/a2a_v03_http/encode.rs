//! Answers of A2A 0.3 over HTTP+JSON: the objects of package `a2a.v1`, and of each the members that the package has.

use std::marker::PhantomData;

use serde_json::value::RawValue;

use crate::core::message::{Content, Part, Role};
use crate::core::state::TaskState;
use crate::edge::a2a_v1::Words as V1Words;
use crate::edge::a2a_v03::write_marked;
use crate::edge::json::{ObjectWriter, write_raw};
use crate::edge::objects;
use crate::edge::text_frame::DataPart;
use crate::edge::view::View;

use super::file_bytes::FileBytes;

/// The words of A2A 0.3 over HTTP+JSON.
#[derive(Debug)]
pub struct Words<F>(PhantomData<F>);

impl<F: FileBytes> objects::Words for Words<F> {
    const DATA_PART: DataPart = (b"{\"data\":{\"data\":", b"}}");
    const FINAL: bool = true;
    const MESSAGE_PARTS: &'static str = "content";
    const NAMED: bool = true;
    const REFERENCES: bool = false;
    const TEXT_PART: &'static [u8] = b"{\"text\":";

    fn kind(_: &mut ObjectWriter<'_>, _: &str) {}

    fn part(buf: &mut Vec<u8>, item: &Part, view: &View) {
        part::<F>(buf, item, view);
    }

    fn role(role: Role) -> &'static str {
        <V1Words as objects::Words>::role(role)
    }

    /// The package writes one state with two L.
    fn state(state: TaskState) -> &'static str {
        match state {
            TaskState::Canceled => "TASK_STATE_CANCELLED",
            other => <V1Words as objects::Words>::state(other),
        }
    }
}

/// Appends a `Part`. As in all of 0.3, data is an object, and text has no media type.
fn part<F: FileBytes>(buf: &mut Vec<u8>, part: &Part, view: &View) {
    let mut object = ObjectWriter::open(buf);
    let mut metadata = part.metadata.as_deref();
    match &part.content {
        Content::Data(json) if json.get().starts_with('{') => write_data(&mut object, json),
        Content::Data(json) => {
            let mut data = ObjectWriter::open(object.member("data"));
            let mut wrapped = ObjectWriter::open(data.member("data"));
            wrapped.opt_raw("value", Some(json));
            wrapped.close();
            data.close();
            write_marked(object.member("metadata"), metadata.take());
        }
        Content::Raw(bytes) => write_file(&mut object, part, |file| {
            F::write(file.member("fileWithBytes"), bytes);
        }),
        Content::Served(served) => write_file(&mut object, part, |file| match view.inline(part, served) {
            Some(bytes) => F::write(file.member("fileWithBytes"), bytes),
            None => file.str("fileWithUri", &view.address(served)),
        }),
        Content::Text(text) => object.str("text", text),
        Content::Url(url) => write_file(&mut object, part, |file| file.str("fileWithUri", url)),
    }
    object.opt_raw("metadata", metadata);
    object.close();
}

fn write_data(object: &mut ObjectWriter<'_>, json: &RawValue) {
    let mut data = ObjectWriter::open(object.member("data"));
    write_raw(data.member("data"), json);
    data.close();
}

fn write_file(object: &mut ObjectWriter<'_>, part: &Part, content: impl FnOnce(&mut ObjectWriter<'_>)) {
    let mut file = ObjectWriter::open(object.member("file"));
    content(&mut file);
    file.opt_str("mimeType", part.media_type.as_deref());
    file.opt_str("name", part.filename.as_deref());
    file.close();
}
