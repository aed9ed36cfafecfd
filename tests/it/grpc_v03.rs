//! gRPC of A2A 0.3: what the suite of all bindings cannot ask, since only the clients of this service say and read it so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dify_a2a::edge::grpc::v03::messages as v03;
use prost::Message;
use prost_types::FileDescriptorProto;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1;
use tonic_types::StatusExt;

use super::files::DOT;
use super::grpc::{GRPC, framed, raw, status};
use super::grpc_server::reflected;
use super::support::client::{PATIENCE, send};
use super::support::wires::grpc::{channel, with_metadata};
use super::support::wires::grpc_03::{self, stream, unary};
use super::support::{App, FakeDify, Gateway};

const A2A: &str = "a2a.v1.A2AService";

/// A request that waits.
fn said(text: &str, context: &str) -> v03::SendMessageRequest {
    grpc_03::send(&send(text, Some(context)))
}

async fn sent(channel: &Channel, request: v03::SendMessageRequest) -> v03::Task {
    let answer = unary::<_, v03::SendMessageResponse>(channel.clone(), "SendMessage", Request::new(request));
    answer.await.expect("a task").into_inner().task.expect("a task")
}

async fn got(channel: &Channel, name: &str, history_length: i32) -> Result<Response<v03::Task>, Status> {
    let request = v03::GetTaskRequest { name: name.to_owned(), history_length };
    unary(channel.clone(), "GetTask", Request::new(request)).await
}

fn state(status: Option<&v03::TaskStatus>) -> a2a_pb::proto::TaskState {
    status.expect("a status").state()
}

async fn echoing() -> (FakeDify, Gateway, Channel) {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let channel = channel(gateway.addr).await;
    (dify, gateway, channel)
}

#[tokio::test]
async fn o02_o03_o12_a_turn_is_streamed_to_its_final_and_read() {
    use a2a_pb::proto::TaskState;
    let (_dify, gateway, channel) = echoing().await;
    let request = Request::new(said("a b", "c"));
    let mut events = stream(channel.clone(), "SendStreamingMessage", request).await.expect("a stream");
    let (mut tasks, mut finals, mut text) = (Vec::new(), Vec::new(), String::new());
    while let Some(response) =
        tokio::time::timeout(PATIENCE, events.message()).await.expect("in time").expect("a whole stream")
    {
        match response.payload.expect("an event") {
            v03::Payload::Task(task) => tasks.push(task),
            v03::Payload::StatusUpdate(update) => {
                finals.push(update.r#final);
                assert!(update.status.expect("a status").update.is_none(), "a message that there is not");
            }
            v03::Payload::ArtifactUpdate(update) if !update.last_chunk => {
                let artifact = update.artifact.expect("an artifact");
                let Some(v03::Content::Text(piece)) = &artifact.parts[0].part else { panic!("no text") };
                text.push_str(piece);
            }
            v03::Payload::ArtifactUpdate(_) => {}
        }
    }
    assert_eq!((tasks.len(), text.as_str()), (1, "You said: a b"));
    assert_eq!(finals.iter().filter(|last| **last).count(), 1);
    assert_eq!(finals.last(), Some(&true));

    let name = format!("tasks/{}", tasks[0].id);
    let all = got(&channel, &name, 0).await.expect("a task").into_inner();
    assert_eq!(state(all.status.as_ref()), TaskState::Completed);
    assert_eq!(all.history.len(), 1, "0 is all of it");
    let v03::Message { content, .. } = &all.history[0];
    assert_eq!(content[0].part, Some(v03::Content::Text("a b".to_owned())));

    let mut unsaid = said("at once", "d");
    unsaid.configuration = Some(v03::SendMessageConfiguration::default());
    let unsaid = sent(&channel, unsaid).await;
    assert_eq!(state(unsaid.status.as_ref()), TaskState::Submitted, "what is not said is false");
    gateway.client.until(&unsaid.id, "TASK_STATE_COMPLETED").await;
}

#[tokio::test]
async fn o04_o06_a_task_is_followed_and_canceled_by_its_name() {
    use a2a_pb::proto::TaskState;
    let dify = FakeDify::until_stopped().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let channel = channel(gateway.addr).await;
    let mut request = said("x", "c");
    request.configuration = Some(v03::SendMessageConfiguration::default());
    let name = format!("tasks/{}", sent(&channel, request).await.id);
    let follow = Request::new(v03::TaskSubscriptionRequest { name: name.clone() });
    let mut events = stream(channel.clone(), "TaskSubscription", follow).await.expect("a stream");
    let first = events.message().await.expect("a message").expect("one").payload;
    assert!(matches!(first, Some(v03::Payload::Task(_))), "{first:?}");
    let cancel = || Request::new(v03::CancelTaskRequest { name: name.clone() });
    let canceled = unary::<_, v03::Task>(channel.clone(), "CancelTask", cancel()).await.expect("a task");
    assert_eq!(state(canceled.get_ref().status.as_ref()), TaskState::Canceled);
    let mut last = None;
    while let Some(event) =
        tokio::time::timeout(PATIENCE, events.message()).await.expect("in time").expect("a whole stream")
    {
        last = event.payload;
    }
    let Some(v03::Payload::StatusUpdate(last)) = last else { panic!("{last:?}") };
    assert_eq!((state(last.status.as_ref()), last.r#final), (TaskState::Canceled, true));
    let again = unary::<_, v03::Task>(channel, "CancelTask", cancel()).await.expect_err("a refusal");
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert!(again.message().starts_with("TaskNotCancelableError: "), "{again:?}");
    assert_eq!(dify.stops().len(), 1);
}

#[tokio::test]
async fn o07_o08_o10_refusals_have_the_code_and_the_text_that_clients_go_by() {
    let (dify, _gateway, channel) = echoing().await;
    let unknown = got(&channel, "tasks/none", 0).await.expect_err("a refusal");
    assert_eq!(
        (unknown.code(), unknown.message()),
        (Code::NotFound, "TaskNotFoundError: task not found: none")
    );
    assert_eq!(unknown.get_details_error_info().expect("details").reason, "TASK_NOT_FOUND");
    for (name, length, fields) in
        [("none", 0, &["name"][..]), ("", 0, &["name"]), ("tasks/", -1, &["historyLength", "name"])]
    {
        let wrong = got(&channel, name, length).await.expect_err("a refusal");
        assert_eq!(wrong.code(), Code::InvalidArgument, "{name}");
        assert!(wrong.message().starts_with("InvalidParamsError: "), "{wrong:?}");
        let violations = wrong.get_details_bad_request().expect("details").field_violations;
        assert_eq!(violations.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(), fields, "{name}");
    }
    for rpc in ["Create", "Get", "List", "Delete"] {
        let rpc = format!("{rpc}TaskPushNotificationConfig");
        let push = unary::<_, ()>(channel.clone(), &rpc, Request::new(())).await.expect_err("a refusal");
        assert_eq!(push.code(), Code::Unimplemented, "{rpc}");
        assert!(push.message().starts_with("PushNotificationNotSupportedError: "), "{push:?}");
    }
    let card =
        unary::<_, ()>(channel.clone(), "GetAgentCard", Request::new(())).await.expect_err("a refusal");
    assert_eq!(card.code(), Code::FailedPrecondition);
    assert!(card.message().starts_with("ExtendedAgentCardNotConfiguredError: "), "{card:?}");
    let done = format!("tasks/{}", sent(&channel, said("x", "c")).await.id);
    let follow = Request::new(v03::TaskSubscriptionRequest { name: done });
    let ended = stream(channel, "TaskSubscription", follow).await.expect_err("a refusal");
    assert_eq!(ended.code(), Code::Unimplemented);
    assert!(ended.message().starts_with("UnsupportedOperationError: "), "{ended:?}");
    assert_eq!(dify.chats().len(), 1);
}

#[tokio::test]
async fn v07_v12_versions_and_extensions_are_metadata() {
    let (_dify, _gateway, channel) = echoing().await;
    let send = async |headers: &[(&str, &str)]| {
        let request = with_metadata(said("x", "c"), headers);
        unary::<_, v03::SendMessageResponse>(channel.clone(), "SendMessage", request).await
    };
    for version in ["0.3", "0.3.0", ""] {
        send(&[("a2a-version", version)]).await.expect("a task");
    }
    let newer = send(&[("a2a-version", "1.0")]).await.expect_err("a refusal");
    assert_eq!(newer.code(), Code::FailedPrecondition);
    assert!(newer.message().starts_with("VersionNotSupportedError: "), "{newer:?}");
    let ours = "urn:dify-a2a-gateway:extension:dify:v1";
    let told = send(&[("x-a2a-extensions", ours)]).await.expect("a task");
    assert_eq!(told.metadata().get("x-a2a-extensions").expect("an extension"), ours);
}

/// The official Python clients put the base64 text of a file where its bytes belong.
#[tokio::test]
async fn o13_o15_files_of_every_client_arrive_whole() {
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    let packed = STANDARD.encode(DOT).into_bytes();
    for (agent, bytes) in [
        ("grpc-node-js/1.14.7", DOT.to_vec()),
        ("grpc-python-asyncio/1.76.0", packed),
        ("grpc-python-asyncio/1.76.0", DOT.to_vec()),
    ] {
        let endpoint = Channel::from_shared(format!("http://{}", gateway.addr)).expect("an address");
        let channel = endpoint.user_agent(agent).expect("an agent").connect().await.expect("connected");
        let mut request = said("look", "c");
        let file = v03::FilePart {
            file: Some(v03::File::FileWithBytes(Bytes::from(bytes))),
            mime_type: "image/png".to_owned(),
            name: "dot.png".to_owned(),
        };
        let part = v03::Part { part: Some(v03::Content::File(file)), metadata: None };
        request.request.as_mut().expect("a message").content.push(part);
        let task = sent(&channel, request).await;
        assert_eq!(state(task.status.as_ref()), a2a_pb::proto::TaskState::Completed, "{agent}");
    }
    let uploads = app.uploads().await;
    assert!(uploads.len() == 3 && uploads.iter().all(|it| it.name == "dot.png" && it.bytes == DOT));
}

#[tokio::test]
async fn what_is_no_message_of_the_service_is_refused_as_such() {
    let (dify, gateway, _channel) = echoing().await;
    let path = |method: &str| format!("/{A2A}/{method}");
    let message = framed(&said("x", "c").encode_to_vec());
    for method in ["ListTasks", "Nonsense", ""] {
        let answer = raw(&gateway, &path(method), &[GRPC], message.clone()).await;
        assert_eq!(status(&answer).code(), Code::Unimplemented, "{method}");
    }
    let garbage = raw(&gateway, &path("SendMessage"), &[GRPC], framed(b"\xff\xff\xff")).await;
    let garbage = status(&garbage);
    assert_eq!(garbage.code(), Code::InvalidArgument, "{garbage:?}");
    assert!(garbage.message().starts_with("InvalidRequestError: "), "{garbage:?}");
    let large = Gateway::before(&dify, &[("MAX_BODY_BYTES", "100000")]).await;
    let large = raw(&large, &path("SendMessage"), &[GRPC], vec![0; 100_006]).await;
    assert_eq!(status(&large).code(), Code::ResourceExhausted);
    let json =
        raw(&gateway, &path("SendMessage"), &[("content-type", "application/json")], message.clone()).await;
    assert_eq!(json.status(), 415);
    assert!(dify.chats().is_empty());
    let hurry = [GRPC, ("grpc-timeout", "0n")];
    let late = raw(&gateway, &path("SendMessage"), &hurry, message).await;
    assert_eq!(status(&late).code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn n04_health_and_reflection_know_the_service() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let (_dify, gateway, channel) = echoing().await;
    let asked = HealthCheckRequest { service: A2A.to_owned() };
    let told = HealthClient::new(channel).check(asked).await.expect("an answer").into_inner();
    assert_eq!(told.status(), ServingStatus::Serving);
    let MessageResponse::FileDescriptorResponse(file) =
        reflected(&gateway, MessageRequest::FileContainingSymbol(A2A.to_owned())).await
    else {
        panic!("no file");
    };
    let file = FileDescriptorProto::decode(file.file_descriptor_proto[0].as_slice()).expect("a descriptor");
    assert_eq!((file.package(), file.service[0].method.len()), ("a2a.v1", 10));
    // In JSON some fields have other names than in the package.
    let request = file.message_type.iter().find(|it| it.name() == "SendMessageRequest").expect("a message");
    assert_eq!(json!([request.field[0].name(), request.field[0].json_name()]), json!(["request", "message"]));
}
