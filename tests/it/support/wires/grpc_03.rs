//! gRPC of A2A 0.3, with the messages of the gateway, whose fields a test of its own compares with the package. They are
//! made of those of 1.0, and read as those.

use a2a_pb::proto as v1;
use a2a_pb::protojson as json;
use bytes::Bytes;
use dify_a2a::edge::grpc::v03::messages as v03;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value as Tree};
use serde_json::Value;
use tokio::sync::mpsc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::grpc::{channel, extensions, message, refusal, told, with_metadata};
use super::{Events, Method, Refusal, Told};
use crate::support::Gateway;

/// Calls an rpc that gives one message.
pub async fn unary<I, O>(channel: Channel, rpc: &str, request: Request<I>) -> Result<Response<O>, Status>
where
    I: Message + 'static,
    O: Message + Default + 'static,
{
    let mut client = client(channel).await;
    client.unary(request, path(rpc), tonic_prost::ProstCodec::default()).await
}

/// Calls an rpc that gives a stream.
pub async fn stream<I>(
    channel: Channel,
    rpc: &str,
    request: Request<I>,
) -> Result<Streaming<v03::StreamResponse>, Status>
where
    I: Message + 'static,
{
    let mut client = client(channel).await;
    let codec = tonic_prost::ProstCodec::default();
    client.server_streaming(request, path(rpc), codec).await.map(Response::into_inner)
}

async fn client(channel: Channel) -> tonic::client::Grpc<Channel> {
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(usize::MAX);
    client.ready().await.expect("a connection");
    client
}

fn path(rpc: &str) -> PathAndQuery {
    format!("/a2a.v1.A2AService/{rpc}").parse().expect("a path")
}

/// A request that waits, unless the params say otherwise.
pub fn send(params: &Value) -> v03::SendMessageRequest {
    let v1::SendMessageRequest { message: said, configuration, metadata, tenant: _ } =
        message::<json::SendMessageRequest, _>(params);
    let configuration = configuration.unwrap_or_default();
    v03::SendMessageRequest {
        request: said.map(to_message),
        configuration: Some(v03::SendMessageConfiguration {
            accepted_output_modes: configuration.accepted_output_modes,
            push_notification: configuration.task_push_notification_config.map(|_| ()),
            history_length: configuration.history_length.unwrap_or_default(),
            blocking: !configuration.return_immediately,
        }),
        metadata,
    }
}

fn to_message(message: v1::Message) -> v03::Message {
    v03::Message {
        message_id: message.message_id,
        context_id: message.context_id,
        task_id: message.task_id,
        role: message.role,
        content: message.parts.into_iter().map(to_part).collect(),
        metadata: message.metadata,
        extensions: message.extensions,
    }
}

fn to_part(part: v1::Part) -> v03::Part {
    use v1::part::Content;
    let (mime_type, name) = (part.media_type, part.filename);
    let file = |file| v03::Content::File(v03::FilePart { file: Some(file), mime_type, name });
    let content = part.content.map(|content| match content {
        Content::Data(Tree { kind: Some(Kind::StructValue(object)) }) => {
            v03::Content::Data(v03::DataPart { data: Some(object) })
        }
        Content::Data(other) => panic!("no object: {other:?}"),
        Content::Raw(bytes) => file(v03::File::FileWithBytes(Bytes::from(bytes))),
        Content::Text(text) => v03::Content::Text(text),
        Content::Url(url) => file(v03::File::FileWithUri(url)),
    });
    v03::Part { part: content, metadata: part.metadata }
}

fn from_task(task: v03::Task) -> v1::Task {
    v1::Task {
        id: task.id,
        context_id: task.context_id,
        status: task.status.map(from_status),
        artifacts: task.artifacts.into_iter().map(from_artifact).collect(),
        history: task.history.into_iter().map(from_message).collect(),
        metadata: task.metadata,
    }
}

fn from_status(status: v03::TaskStatus) -> v1::TaskStatus {
    let message = status.update.map(from_message);
    v1::TaskStatus { state: status.state, message, timestamp: status.timestamp }
}

fn from_artifact(artifact: v03::Artifact) -> v1::Artifact {
    v1::Artifact {
        artifact_id: artifact.artifact_id,
        name: artifact.name,
        description: artifact.description,
        parts: artifact.parts.into_iter().map(from_part).collect(),
        metadata: artifact.metadata,
        extensions: artifact.extensions,
    }
}

fn from_message(message: v03::Message) -> v1::Message {
    v1::Message {
        message_id: message.message_id,
        context_id: message.context_id,
        task_id: message.task_id,
        role: message.role,
        parts: message.content.into_iter().map(from_part).collect(),
        metadata: message.metadata,
        extensions: message.extensions,
        reference_task_ids: Vec::new(),
    }
}

fn from_part(part: v03::Part) -> v1::Part {
    use v1::part::Content;
    let mut read = v1::Part { metadata: part.metadata, ..v1::Part::default() };
    read.content = Some(match part.part.expect("a content") {
        v03::Content::Data(data) => data_of(data.data.expect("data")),
        v03::Content::File(file) => {
            (read.filename, read.media_type) = (file.name, file.mime_type);
            match file.file.expect("a place") {
                v03::File::FileWithBytes(bytes) => Content::Raw(bytes.to_vec()),
                v03::File::FileWithUri(uri) => Content::Url(uri),
            }
        }
        v03::Content::Text(text) => Content::Text(text),
    });
    read
}

fn data_of(object: Struct) -> v1::part::Content {
    v1::part::Content::Data(Tree { kind: Some(Kind::StructValue(object)) })
}

/// A stream's event. `final` is told by the state alone in 1.0, and must agree with it here.
fn event(response: v03::StreamResponse) -> Value {
    use v1::stream_response::Payload;
    let payload = match response.payload.expect("an event") {
        v03::Payload::ArtifactUpdate(update) => Payload::ArtifactUpdate(v1::TaskArtifactUpdateEvent {
            task_id: update.task_id,
            context_id: update.context_id,
            artifact: update.artifact.map(from_artifact),
            append: update.append,
            last_chunk: update.last_chunk,
            metadata: update.metadata,
        }),
        v03::Payload::StatusUpdate(update) => {
            let last = update.r#final.into();
            let update = v1::TaskStatusUpdateEvent {
                task_id: update.task_id,
                context_id: update.context_id,
                status: update.status.map(from_status),
                metadata: update.metadata,
            };
            super::form_03::check_final(&told::<json::TaskStatusUpdateEvent>(&update), &last);
            Payload::StatusUpdate(update)
        }
        v03::Payload::Task(task) => Payload::Task(from_task(task)),
    };
    told::<json::StreamResponse>(&v1::StreamResponse { payload: Some(payload) })
}

/// The name of the task that params are of.
fn name(params: &Value, of: &str) -> String {
    format!("tasks/{}", params[of].as_str().expect("an id"))
}

pub async fn ask(
    gateway: &Gateway,
    method: Method,
    params: Value,
    headers: &[(&str, &str)],
) -> Result<Told<Value>, Refusal> {
    let channel = channel(gateway.addr).await;
    let push = |rpc: &'static str| (rpc, with_metadata((), headers));
    let (rpc, empty) = match method {
        Method::Send => {
            let request = with_metadata(send(&params), headers);
            let answer = unary::<_, v03::SendMessageResponse>(channel, "SendMessage", request).await;
            return read(
                answer,
                |sent| serde_json::json!({"task": told::<json::Task>(&from_task(sent.task.expect("a task")))}),
            );
        }
        Method::Get => {
            let history_length = params["historyLength"].as_i64().unwrap_or_default();
            let history_length = i32::try_from(history_length).expect("a length");
            let request = v03::GetTaskRequest { name: name(&params, "id"), history_length };
            return read(unary(channel, "GetTask", with_metadata(request, headers)).await, task);
        }
        Method::Cancel => {
            let request = v03::CancelTaskRequest { name: name(&params, "id") };
            return read(unary(channel, "CancelTask", with_metadata(request, headers)).await, task);
        }
        Method::ExtendedCard => push("GetAgentCard"),
        Method::PushCreate => push("CreateTaskPushNotificationConfig"),
        Method::PushGet => push("GetTaskPushNotificationConfig"),
        Method::PushList => push("ListTaskPushNotificationConfig"),
        Method::PushDelete => push("DeleteTaskPushNotificationConfig"),
        Method::List | Method::Stream | Method::Subscribe => panic!("{method:?} has no answer here"),
    };
    read(unary::<_, ()>(channel, rpc, empty).await, |()| panic!("{method:?} is refused"))
}

fn task(task: v03::Task) -> Value {
    told::<json::Task>(&from_task(task))
}

fn read<T>(answer: Result<Response<T>, Status>, told: impl Fn(T) -> Value) -> Result<Told<Value>, Refusal> {
    let response = answer.map_err(|status| refused(&status))?;
    let extensions = extensions(response.metadata());
    Ok(Told { result: told(response.into_inner()), extensions })
}

/// What a status tells of a refusal: its text begins with the name of a class.
fn refused(status: &Status) -> Refusal {
    let mut refusal = refusal(status);
    let (class, message) = refusal.message.split_once(": ").expect("a class");
    assert!(class.ends_with("Error") && class.bytes().all(|byte| byte.is_ascii_alphabetic()), "{class}");
    refusal.message = message.to_owned();
    refusal
}

pub async fn open(gateway: &Gateway, method: Method, params: Value) -> Result<Events, Refusal> {
    let channel = channel(gateway.addr).await;
    let opened = match method {
        Method::Stream => stream(channel, "SendStreamingMessage", Request::new(send(&params))).await,
        _ => {
            let request = v03::TaskSubscriptionRequest { name: name(&params, "id") };
            stream(channel, "TaskSubscription", Request::new(request)).await
        }
    };
    let stream = opened.map_err(|status| refused(&status))?;
    let (sender, events) = mpsc::unbounded_channel();
    tokio::spawn(super::grpc::pass_on(stream, sender, event));
    Ok(events)
}
