//! Answers of A2A 0.3 over gRPC: the messages of 1.0 in the form of 0.3. They are moved, so that little is copied.

use std::collections::BTreeMap;

use a2a_pb::proto as v1;
use bytes::Bytes;
use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::messages::{
    Artifact, Content, DataPart, File, FilePart, Message, Part, Task, TaskArtifactUpdateEvent, TaskStatus,
};
use crate::edge::a2a_v03::WRAPPED;
use crate::edge::a2a_v03_http::FileBytes;

/// A `Task`.
pub fn task<F: FileBytes>(task: v1::Task) -> Task {
    let v1::Task { id, context_id, status, artifacts, history, metadata } = task;
    Task {
        id,
        context_id,
        status: status.map(self::status::<F>),
        artifacts: artifacts.into_iter().map(artifact::<F>).collect(),
        history: history.into_iter().map(message::<F>).collect(),
        metadata,
    }
}

/// A `TaskStatus`.
pub fn status<F: FileBytes>(status: v1::TaskStatus) -> TaskStatus {
    let v1::TaskStatus { state, message, timestamp } = status;
    TaskStatus { state, update: message.map(self::message::<F>), timestamp }
}

/// A `TaskArtifactUpdateEvent`.
pub fn artifact_update<F: FileBytes>(update: v1::TaskArtifactUpdateEvent) -> TaskArtifactUpdateEvent {
    let v1::TaskArtifactUpdateEvent { task_id, context_id, artifact, append, last_chunk, metadata } = update;
    let artifact = artifact.map(self::artifact::<F>);
    TaskArtifactUpdateEvent { task_id, context_id, artifact, append, last_chunk, metadata }
}

fn artifact<F: FileBytes>(artifact: v1::Artifact) -> Artifact {
    let v1::Artifact { artifact_id, name, description, parts, metadata, extensions } = artifact;
    let parts = parts.into_iter().map(part::<F>).collect();
    Artifact { artifact_id, name, description, parts, metadata, extensions }
}

/// A `Message`. The tasks that it refers to have no place in it.
fn message<F: FileBytes>(message: v1::Message) -> Message {
    let v1::Message { message_id, context_id, task_id, role, parts, metadata, extensions, .. } = message;
    let content = parts.into_iter().map(part::<F>).collect();
    Message { message_id, context_id, task_id, role, content, metadata, extensions }
}

/// A `Part`. As in all of 0.3, data is an object, and text has no media type.
fn part<F: FileBytes>(part: v1::Part) -> Part {
    use v1::part::Content as V1;
    let v1::Part { content, mut metadata, filename: name, media_type: mime_type } = part;
    let file = |file| Content::File(FilePart { file: Some(file), mime_type, name });
    let part = content.map(|content| match content {
        V1::Data(Value { kind: Some(Kind::StructValue(object)) }) => data(object),
        V1::Data(other) => {
            let mark = Value { kind: Some(Kind::BoolValue(true)) };
            metadata.get_or_insert_default().fields.insert(WRAPPED.to_owned(), mark);
            data(Struct { fields: BTreeMap::from([("value".to_owned(), other)]) })
        }
        V1::Raw(bytes) => file(File::FileWithBytes(F::pack(Bytes::from(bytes)))),
        V1::Text(text) => Content::Text(text),
        V1::Url(url) => file(File::FileWithUri(url)),
    });
    Part { part, metadata }
}

fn data(object: Struct) -> Content {
    Content::Data(DataPart { data: Some(object) })
}
