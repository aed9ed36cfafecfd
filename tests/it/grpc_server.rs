//! What stands beside the service of A2A over gRPC: health, reflection, a port of its own, an end in order.

use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use super::grpc::{followed, next, say};
use super::support::client::PATIENCE;
use super::support::wires::grpc::{channel, client};
use super::support::{FakeDify, Gateway};

const A2A: &str = "lf.a2a.v1.A2AService";

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn n04_health_is_told_by_grpc_too() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut health = HealthClient::new(channel(gateway.addr).await);
    for service in ["", A2A] {
        let told = health.check(of(service)).await.expect("an answer").into_inner();
        assert_eq!(told.status(), ServingStatus::Serving, "{service}");
    }
    assert_eq!(health.check(of("nonsense")).await.expect_err("a refusal").code(), Code::NotFound);
    let unknown = health.watch(of("nonsense")).await.expect("a stream").into_inner().message().await;
    assert_eq!(unknown.expect("a message").expect("one").status(), ServingStatus::ServiceUnknown);

    // Nobody listens there.
    let away = Gateway::at("http://127.0.0.1:1/v1", &[]).await;
    let mut health = HealthClient::new(channel(away.addr).await);
    let told = health.check(of(A2A)).await.expect("an answer").into_inner();
    assert_eq!(told.status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn n05_a_watcher_hears_of_the_end() {
    let dify = FakeDify::echo().await;
    let mut gateway = Gateway::before(&dify, &[]).await;
    let mut health = HealthClient::new(channel(gateway.addr).await);
    let mut watch = health.watch(of(A2A)).await.expect("a stream").into_inner();
    let first = watch.message().await.expect("a message").expect("one");
    assert_eq!(first.status(), ServingStatus::Serving);
    let before = std::time::Instant::now();
    gateway.begin_shutdown();
    let last = watch.message().await.expect("a message").expect("one");
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert_eq!(watch.message().await.expect_err("an end").code(), Code::Unavailable);
    drop((watch, health));
    gateway.shut_down().await;
    assert!(before.elapsed() < PATIENCE / 4, "a watcher does not hold the gateway");
}

/// What reflection answers in version 1.
pub(crate) async fn reflected(
    gateway: &Gateway,
    ask: v1::server_reflection_request::MessageRequest,
) -> v1::server_reflection_response::MessageResponse {
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel(gateway.addr).await);
    let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let requests = futures_util::stream::iter([request]);
    let mut answers = client.server_reflection_info(requests).await.expect("a stream").into_inner();
    answers.message().await.expect("a message").expect("one").message_response.expect("an answer")
}

#[tokio::test]
async fn q01_the_service_and_its_eleven_rpcs_are_told_by_reflection() {
    use v1::server_reflection_request::MessageRequest;
    use v1::server_reflection_response::MessageResponse;
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let MessageResponse::ListServicesResponse(list) =
        reflected(&gateway, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&A2A) && names.contains(&"grpc.health.v1.Health"), "{names:?}");
    let MessageResponse::FileDescriptorResponse(file) =
        reflected(&gateway, MessageRequest::FileContainingSymbol(A2A.to_owned())).await
    else {
        panic!("no file");
    };
    let file = FileDescriptorProto::decode(file.file_descriptor_proto[0].as_slice()).expect("a descriptor");
    assert_eq!(file.service[0].method.len(), 11);
    for import in file.dependency {
        let told = reflected(&gateway, MessageRequest::FileByFilename(import.clone())).await;
        assert!(matches!(told, MessageResponse::FileDescriptorResponse(_)), "{import}");
    }

    let mut older =
        v1alpha::server_reflection_client::ServerReflectionClient::new(channel(gateway.addr).await);
    let ask = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let answers = older.server_reflection_info(futures_util::stream::iter([request])).await;
    let answer = answers.expect("a stream").into_inner().message().await.expect("a message").expect("one");
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("no list");
    };
    assert!(list.service.iter().any(|service| service.name == A2A));
}

#[tokio::test]
async fn grpc_has_a_port_of_its_own_if_it_is_to() {
    let dify = FakeDify::until_stopped().await;
    let gateway = Gateway::before(&dify, &[("GRPC_PORT", "0"), ("SHUTDOWN_GRACE", "100ms")]).await;
    let own = gateway.grpc_addr.expect("a port");
    assert_ne!(own, gateway.addr);
    let elsewhere = client(&gateway).await.send_message(say("x", "c")).await.expect_err("a refusal");
    assert_eq!(elsewhere.code(), Code::Unimplemented);
    let http = gateway.client.http.get(format!("http://{own}/health")).send().await.expect("an answer");
    assert_eq!(http.status(), 404);
    let card: serde_json::Value = gateway
        .client
        .http
        .get(format!("{}/.well-known/agent-card.json", gateway.client.base))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let interfaces = card["supportedInterfaces"].as_array().expect("interfaces");
    let told = interfaces.iter().find(|interface| interface["protocolBinding"] == "GRPC").expect("gRPC");
    assert_eq!(told["url"], own.to_string());

    let mut client = a2a_pb::proto::a2a_service_client::A2aServiceClient::new(channel(own).await);
    let mut stream = client.send_streaming_message(say("x", "c")).await.expect("a stream").into_inner();
    for _ in 0..3 {
        next(&mut stream).await.expect("an event");
    }
    // Both ports end in the same order: the stream hears how its task ended.
    let (_, (_, state)) = tokio::join!(gateway.shut_down(), followed(stream));
    assert_eq!(state, a2a_pb::proto::TaskState::Failed);
    assert_eq!(dify.stops().len(), 1);
    assert!(tokio::net::TcpStream::connect(own).await.is_err(), "nobody listens any more");
}
