//! The messages of package `a2a.v1`, as far as they are read or written here. Whole numbers of enums are those of 1.0.
//!
//! [`descriptor`](crate::edge::grpc::descriptor) has the whole package, and a test compares the two.

#![expect(missing_docs, reason = "the names are those of the package")]

use a2a_pb::proto::{Role, TaskState};
use prost_types::{Struct, Timestamp};

#[derive(Clone, PartialEq, prost::Message)]
pub struct SendMessageRequest {
    /// In JSON this is `message`.
    #[prost(message, optional, tag = "1")]
    pub request: Option<Message>,
    #[prost(message, optional, tag = "2")]
    pub configuration: Option<SendMessageConfiguration>,
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SendMessageConfiguration {
    #[prost(string, repeated, tag = "1")]
    pub accepted_output_modes: Vec<String>,
    /// What it says is not read, since it is refused.
    #[prost(message, optional, tag = "2")]
    pub push_notification: Option<()>,
    #[prost(int32, tag = "3")]
    pub history_length: i32,
    #[prost(bool, tag = "4")]
    pub blocking: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTaskRequest {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub history_length: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct CancelTaskRequest {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TaskSubscriptionRequest {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SendMessageResponse {
    #[prost(message, optional, tag = "1")]
    pub task: Option<Task>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct StreamResponse {
    #[prost(oneof = "Payload", tags = "1, 3, 4")]
    pub payload: Option<Payload>,
}

/// What a [`StreamResponse`] tells. Messages without a task there are none.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Payload {
    #[prost(message, tag = "1")]
    Task(Task),
    #[prost(message, tag = "3")]
    StatusUpdate(TaskStatusUpdateEvent),
    #[prost(message, tag = "4")]
    ArtifactUpdate(TaskArtifactUpdateEvent),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TaskStatusUpdateEvent {
    #[prost(string, tag = "1")]
    pub task_id: String,
    #[prost(string, tag = "2")]
    pub context_id: String,
    #[prost(message, optional, tag = "3")]
    pub status: Option<TaskStatus>,
    #[prost(bool, tag = "4")]
    pub r#final: bool,
    #[prost(message, optional, tag = "5")]
    pub metadata: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TaskArtifactUpdateEvent {
    #[prost(string, tag = "1")]
    pub task_id: String,
    #[prost(string, tag = "2")]
    pub context_id: String,
    #[prost(message, optional, tag = "3")]
    pub artifact: Option<Artifact>,
    #[prost(bool, tag = "4")]
    pub append: bool,
    #[prost(bool, tag = "5")]
    pub last_chunk: bool,
    #[prost(message, optional, tag = "6")]
    pub metadata: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Task {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub context_id: String,
    #[prost(message, optional, tag = "3")]
    pub status: Option<TaskStatus>,
    #[prost(message, repeated, tag = "4")]
    pub artifacts: Vec<Artifact>,
    #[prost(message, repeated, tag = "5")]
    pub history: Vec<Message>,
    #[prost(message, optional, tag = "6")]
    pub metadata: Option<Struct>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct TaskStatus {
    #[prost(enumeration = "TaskState", tag = "1")]
    pub state: i32,
    /// In JSON this is `message`.
    #[prost(message, optional, tag = "2")]
    pub update: Option<Message>,
    #[prost(message, optional, tag = "3")]
    pub timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Artifact {
    #[prost(string, tag = "1")]
    pub artifact_id: String,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub description: String,
    #[prost(message, repeated, tag = "5")]
    pub parts: Vec<Part>,
    #[prost(message, optional, tag = "6")]
    pub metadata: Option<Struct>,
    #[prost(string, repeated, tag = "7")]
    pub extensions: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Message {
    #[prost(string, tag = "1")]
    pub message_id: String,
    #[prost(string, tag = "2")]
    pub context_id: String,
    #[prost(string, tag = "3")]
    pub task_id: String,
    #[prost(enumeration = "Role", tag = "4")]
    pub role: i32,
    #[prost(message, repeated, tag = "5")]
    pub content: Vec<Part>,
    #[prost(message, optional, tag = "6")]
    pub metadata: Option<Struct>,
    #[prost(string, repeated, tag = "7")]
    pub extensions: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Part {
    #[prost(oneof = "Content", tags = "1, 2, 3")]
    pub part: Option<Content>,
    #[prost(message, optional, tag = "4")]
    pub metadata: Option<Struct>,
}

/// What a [`Part`] holds.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Content {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(message, tag = "2")]
    File(FilePart),
    #[prost(message, tag = "3")]
    Data(DataPart),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct FilePart {
    #[prost(oneof = "File", tags = "1, 2")]
    pub file: Option<File>,
    #[prost(string, tag = "3")]
    pub mime_type: String,
    #[prost(string, tag = "4")]
    pub name: String,
}

/// Where the bytes of a [`FilePart`] are.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum File {
    #[prost(string, tag = "1")]
    FileWithUri(String),
    #[prost(bytes = "bytes", tag = "2")]
    FileWithBytes(bytes::Bytes),
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DataPart {
    #[prost(message, optional, tag = "1")]
    pub data: Option<Struct>,
}
