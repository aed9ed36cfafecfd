//! gRPC: what the suite of all bindings cannot ask, since no other has it: codes and their details, metadata, deadlines,
//! sizes, and what is no call of ours.

use std::sync::Arc;
use std::time::Duration;

use a2a_pb::proto::{self as pb, stream_response::Payload};
use prost::Message;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::support::app::App;
use super::support::client::{PATIENCE, send};
use super::support::dify_frames::{message, message_end};
use super::support::wires::grpc::{self, client, with_metadata};
use super::support::{FakeDify, Gateway, Reply, Step};

/// A message of one text.
pub(crate) fn say(text: &str, context: &str) -> pb::SendMessageRequest {
    let mut params = send(text, None);
    params["message"]["contextId"] = context.into();
    grpc::message::<a2a_pb::protojson::SendMessageRequest, _>(&params)
}

/// The next message of a stream, in time.
pub(crate) async fn next(stream: &mut Streaming<pb::StreamResponse>) -> Option<Payload> {
    let message = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
    message.expect("a whole stream").and_then(|response| response.payload)
}

/// The answer's text and the last state in a stream, to its end.
pub(crate) async fn followed(mut stream: Streaming<pb::StreamResponse>) -> (String, pb::TaskState) {
    let (mut text, mut state) = (String::new(), pb::TaskState::Unspecified);
    while let Some(payload) = next(&mut stream).await {
        match payload {
            Payload::Task(task) => state = task.status.expect("a status").state(),
            Payload::StatusUpdate(update) => state = update.status.expect("a status").state(),
            Payload::ArtifactUpdate(update) => {
                if !update.append {
                    text.clear();
                }
                text.push_str(&text_of(&update.artifact.expect("an artifact")));
            }
            Payload::Message(_) => panic!("no message is sent"),
        }
    }
    (text, state)
}

fn text_of(artifact: &pb::Artifact) -> String {
    match &artifact.parts[0].content {
        Some(pb::part::Content::Text(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn id_of(payload: Option<Payload>) -> String {
    match payload {
        Some(Payload::Task(task)) => task.id,
        other => panic!("{other:?}"),
    }
}

/// A Dify that says one word and waits for the gate before the next.
async fn held() -> (FakeDify, Arc<Notify>) {
    let gate = Arc::new(Notify::new());
    let waits = Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        Reply::stream(vec![
            Step::Send(message(received, "t", "one ")),
            Step::Wait(Arc::clone(&waits)),
            Step::Send(message(received, "t", "two")),
            Step::Send(message_end(received, "t")),
        ])
    })
    .await;
    (dify, gate)
}

/// Posts these bytes over HTTP/2, as no client of gRPC would.
pub(crate) async fn raw(gateway: &Gateway, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
    let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().expect("a client");
    let mut request = http.post(format!("{}{path}", gateway.client.base)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    tokio::time::timeout(PATIENCE, request.send()).await.expect("in time").expect("an answer")
}

/// A message as it stands in a body.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a length");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// The status of a response that is nothing but one.
pub(crate) fn status(response: &Response) -> Status {
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/grpc".parse().expect("a value"))
    );
    Status::from_header_map(response.headers()).expect("a status")
}

pub(crate) const GRPC: (&str, &str) = ("content-type", "application/grpc");
const SEND: &str = "/lf.a2a.v1.A2AService/SendMessage";

#[tokio::test]
async fn q03_each_refusal_has_its_code_and_details() {
    let (dify, gate) = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut client = client(&gateway).await;
    let unknown = pb::GetTaskRequest { id: "none".to_owned(), ..pb::GetTaskRequest::default() };
    let not_found = client.get_task(unknown).await.expect_err("a refusal");
    assert_eq!((not_found.code(), not_found.message()), (Code::NotFound, "task not found: none"));
    let info = not_found.get_details_error_info().expect("details");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TASK_NOT_FOUND", "a2a-protocol.org"));
    assert_eq!(info.metadata["taskId"], "none");

    let invalid = client.get_task(pb::GetTaskRequest::default()).await.expect_err("a refusal");
    assert_eq!(invalid.code(), Code::InvalidArgument);
    assert_eq!(invalid.get_details_bad_request().expect("details").field_violations[0].field, "id");
    assert_eq!(invalid.get_details_error_info().expect("details").reason, "INVALID_PARAMS");

    let push = pb::ListTaskPushNotificationConfigsRequest { task_id: "t".to_owned(), ..Default::default() };
    let push = client.list_task_push_notification_configs(push).await.expect_err("a refusal");
    let card = client.get_extended_agent_card(pb::GetExtendedAgentCardRequest::default()).await;
    let card = card.expect_err("a refusal");
    let version = with_metadata(say("x", "c"), &[("a2a-version", "2.0")]);
    let version = client.send_message(version).await.expect_err("a refusal");
    for (status, reason) in [
        (push, "PUSH_NOTIFICATION_NOT_SUPPORTED"),
        (card, "UNSUPPORTED_OPERATION"),
        (version, "VERSION_NOT_SUPPORTED"),
    ] {
        assert_eq!(status.code(), Code::FailedPrecondition, "{reason}");
        assert_eq!(status.get_details_error_info().expect("details").reason, reason);
    }
    gate.notify_one();
    let done = client.send_message(say("x", "c")).await.expect("a task").into_inner();
    let Some(pb::send_message_response::Payload::Task(task)) = done.payload else { panic!("no task") };
    let cancel = pb::CancelTaskRequest { id: task.id.clone(), ..pb::CancelTaskRequest::default() };
    let cancel = client.cancel_task(cancel).await.expect_err("a refusal");
    assert_eq!(cancel.get_details_error_info().expect("details").reason, "TASK_NOT_CANCELABLE");
    // Before the first event a stream's refusal is that of the rpc.
    let ended = pb::SubscribeToTaskRequest { id: task.id, ..pb::SubscribeToTaskRequest::default() };
    let ended = client.subscribe_to_task(ended).await.expect_err("a refusal");
    assert_eq!(ended.get_details_error_info().expect("details").reason, "UNSUPPORTED_OPERATION");
}

#[tokio::test]
async fn q03_the_status_of_many_wrong_fields_is_small_enough_for_every_client() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut request = say("x", "c");
    if let Some(message) = &mut request.message {
        message.parts = vec![pb::Part::default(); 100];
    }
    let refused = client(&gateway).await.send_message(request).await.expect_err("a refusal");
    assert_eq!(refused.get_details_bad_request().expect("details").field_violations.len(), 20);
}

#[tokio::test]
async fn q02_metadata_carries_the_trace_and_the_place_to_go_on_from() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let app = App::recorded("1.14.2", "chat_basic").await;
    let gateway = app.gateway(&[]).await;
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let request = with_metadata(say("x", "c"), &[("traceparent", &parent)]);
    client(&gateway).await.send_message(request).await.expect("a task");
    assert_eq!(app.turns().await[0].body["trace_id"], trace);

    let (dify, gate) = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut client = client(&gateway).await;
    let mut stream = client.send_streaming_message(say("x", "c")).await.expect("a stream").into_inner();
    let id = id_of(next(&mut stream).await);
    while !matches!(next(&mut stream).await, Some(Payload::ArtifactUpdate(_))) {}
    let again = |place: &'static str| {
        let request = pb::SubscribeToTaskRequest { id: id.clone(), ..pb::SubscribeToTaskRequest::default() };
        with_metadata(request, &[("last-event-id", place)])
    };
    // The place before the first event: all of them come again.
    let mut all = client.subscribe_to_task(again("0")).await.expect("a stream").into_inner();
    let Some(Payload::Task(task)) = next(&mut all).await else { panic!("no task") };
    assert_eq!(task.status.expect("a status").state(), pb::TaskState::Submitted);
    gate.notify_one();
    assert_eq!(followed(all).await, ("one two".to_owned(), pb::TaskState::Completed));
    let refused = client.subscribe_to_task(again("x")).await.expect_err("a refusal");
    assert_eq!(
        refused.get_details_bad_request().expect("details").field_violations[0].field,
        "Last-Event-ID"
    );
}

#[tokio::test]
async fn q04_a_deadline_ends_the_call_and_not_the_task() {
    let (dify, gate) = held().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let late =
        raw(&gateway, SEND, &[GRPC, ("grpc-timeout", "700m")], framed(&say("x", "late").encode_to_vec()))
            .await;
    let late = status(&late);
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    assert_eq!(late.get_details_error_info().expect("details").reason, "DEADLINE_EXCEEDED");

    let mut client = client(&gateway).await;
    let request = with_metadata(say("x", "stream"), &[("grpc-timeout", "700m")]);
    let mut stream = client.send_streaming_message(request).await.expect("a stream").into_inner();
    let id = id_of(next(&mut stream).await);
    let ended = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ends well"),
                Err(status) => return status,
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, ended).await.expect("in time");
    assert_eq!(ended.code(), Code::DeadlineExceeded, "{ended:?}");

    let list = json!({"contextId": "late"});
    let listed = gateway.client.result("ListTasks", &list).await;
    for id in [listed["tasks"][0]["id"].as_str().expect("a task"), &id] {
        assert_eq!(gateway.client.task(id).await["status"]["state"], "TASK_STATE_WORKING");
        gate.notify_one();
    }
    for id in [listed["tasks"][0]["id"].as_str().expect("a task"), &id] {
        let done = gateway.client.until(id, "TASK_STATE_COMPLETED").await;
        assert_eq!(done["artifacts"][0]["parts"][0]["text"], "one two");
    }
    assert!(dify.stops().is_empty());
}

#[tokio::test]
async fn a06_a_message_may_be_as_large_as_the_setting_says() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[("MAX_BODY_BYTES", "100000")]).await;
    let mut client = client(&gateway).await;
    client.send_message(say(&"x".repeat(90_000), "c")).await.expect("a task");
    for size in [100_001, 5_000_000] {
        let refused = client.send_message(say(&"x".repeat(size), "c")).await.expect_err("a refusal");
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
        let info = refused.get_details_error_info().expect("details");
        assert_eq!(
            (info.reason.as_str(), info.metadata["limitBytes"].as_str()),
            ("PAYLOAD_TOO_LARGE", "100000")
        );
    }
    client.send_message(say("the connection is whole", "c")).await.expect("a task");
}

#[tokio::test]
async fn t15_a_reader_that_stands_still_loses_nothing() {
    // 5 MiB of answer: more than windows and buffers between take.
    let (piece, pieces) = ("0123456789abcdef".repeat(256), 1280);
    let (sent, length) = (piece.clone(), piece.len() * pieces);
    let dify = FakeDify::chat(move |received| {
        let mut steps: Vec<Step> = (0..pieces).map(|_| Step::Send(message(received, "t", &sent))).collect();
        steps.push(Step::Send(message_end(received, "t")));
        Reply::stream(steps)
    })
    .await;
    let gateway = Gateway::before(&dify, &[("ANSWER_CLOSE", "delta")]).await;
    let mut client = client(&gateway).await;
    let mut stream = client.send_streaming_message(say("x", "c")).await.expect("a stream").into_inner();
    let id = id_of(next(&mut stream).await);
    gateway.client.until(&id, "TASK_STATE_COMPLETED").await;
    let (text, state) = followed(stream).await;
    assert_eq!((text.len(), state), (length, pb::TaskState::Completed));
    // The whole of it in one message is more than most clients take by default, and sent all the same.
    let request = pb::GetTaskRequest { id, ..pb::GetTaskRequest::default() };
    let task = client.get_task(request).await.expect("a task").into_inner();
    assert_eq!(text_of(&task.artifacts[0]).len(), length);
}

#[tokio::test]
async fn q01_a_call_to_any_other_path_is_unimplemented() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let without = Gateway::before(&dify, &[("BINDINGS", "jsonrpc,http")]).await;
    let message = framed(&say("x", "c").encode_to_vec());
    let calls = [
        (&gateway, "/"),
        (&gateway, "/a2a"),
        (&gateway, "/health"),
        (&gateway, "/message:send"),
        (&gateway, "/lf.a2a.v1.A2AService/Nonsense"),
        (&gateway, "/lf.a2a.v1.A2AService/"),
        (&gateway, "/lf.a2a.v1.A2AService/SendMessage/x"),
        (&gateway, "/lf.a2a.v2.A2AService/SendMessage"),
        (&gateway, "/grpc.health.v1.Health/Nonsense"),
        (&without, SEND),
        (&without, "/grpc.health.v1.Health/Check"),
    ];
    for (gateway, path) in calls {
        for kind in ["application/grpc", "application/grpc+proto"] {
            let answer = raw(gateway, path, &[("content-type", kind)], message.clone()).await;
            assert_eq!(status(&answer).code(), Code::Unimplemented, "{path}");
        }
    }
    assert!(dify.chats().is_empty());
}

#[tokio::test]
async fn what_is_no_call_is_answered_in_its_own_way() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let body = json!({"message": {}}).to_string().into_bytes();
    for path in
        [SEND, "/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]
    {
        for kind in ["application/json", "application/grpc-web", "application/grpc+json"] {
            let answer = raw(&gateway, path, &[("content-type", kind)], body.clone()).await;
            assert_eq!(
                (answer.status(), &answer.headers()["content-type"]),
                (reqwest::StatusCode::UNSUPPORTED_MEDIA_TYPE, &"application/json".parse().expect("a value"))
            );
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(
                (&answer["error"]["code"], &answer["error"]["details"][0]["reason"]),
                (&json!(415), &json!("CONTENT_TYPE_NOT_SUPPORTED"))
            );
        }
    }
    let garbage = raw(&gateway, SEND, &[GRPC], framed(b"\xff\xff\xff")).await;
    let garbage = status(&garbage);
    assert_eq!(garbage.code(), Code::InvalidArgument, "{garbage:?}");
    assert_eq!(garbage.get_details_error_info().expect("details").reason, "INVALID_REQUEST");
    let compressed = raw(&gateway, SEND, &[GRPC, ("grpc-encoding", "gzip")], framed(b"")).await;
    assert_eq!(status(&compressed).code(), Code::Unimplemented);
    for broken in [Vec::new(), vec![0, 0], vec![0, 0, 0, 0, 9, 1], vec![7, 0, 0, 0, 0]] {
        let broken = raw(&gateway, SEND, &[GRPC], broken).await;
        assert_eq!(status(&broken).code(), Code::Internal);
    }
}

#[tokio::test]
async fn q06_every_binding_is_served_on_one_port_at_once() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut client = client(&gateway).await;
    let calls = (0..20).map(|number| {
        let (mut grpc, http) = (client.clone(), gateway.client.clone());
        async move {
            let text = format!("number {number}");
            let stream = grpc.send_streaming_message(say(&text, "c")).await.expect("a stream").into_inner();
            let (by_grpc, by_json) = tokio::join!(followed(stream), http.send(&text, None));
            let by_json = by_json["artifacts"][0]["parts"][0]["text"].clone();
            (json!(by_grpc.0), by_json, json!(format!("You said: {text}")))
        }
    });
    for (by_grpc, by_json, expected) in futures_util::future::join_all(calls).await {
        assert_eq!((&by_grpc, &by_json), (&expected, &expected));
    }
    let listed = client.list_tasks(pb::ListTasksRequest::default()).await.expect("a page").into_inner();
    assert_eq!(listed.total_size, 40, "a task is readable in every binding");
}

#[tokio::test]
async fn a_call_that_is_late_before_it_begins_is_not_waited_for() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let before = std::time::Instant::now();
    let late =
        raw(&gateway, SEND, &[GRPC, ("grpc-timeout", "0n")], framed(&say("x", "c").encode_to_vec())).await;
    assert!(matches!(status(&late).code(), Code::DeadlineExceeded));
    assert!(before.elapsed() < Duration::from_secs(10));
}
