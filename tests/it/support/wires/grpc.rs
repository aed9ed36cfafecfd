//! gRPC, with the generated client of the official crate. What it says in JSON is what that crate's own ProtoJSON says.

use std::str::FromStr;

use a2a_pb::proto::a2a_service_client::A2aServiceClient;
use a2a_pb::protojson as json;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tonic::metadata::{AsciiMetadataKey, MetadataMap};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};
use tonic_types::StatusExt;

use super::{Events, Method, Refusal, Told};
use crate::support::Gateway;

/// A client of the service of A2A 1.0.
pub type Client = A2aServiceClient<Channel>;

/// Connects to whatever speaks gRPC at this address.
pub async fn channel(address: std::net::SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("an address");
    endpoint.connect().await.expect("connected")
}

/// A client of one gateway.
pub async fn client(gateway: &Gateway) -> Client {
    A2aServiceClient::new(channel(gateway.addr).await).max_decoding_message_size(usize::MAX)
}

/// The message that JSON tells, as the official crate reads it.
pub fn message<J, P>(params: &Value) -> P
where
    J: DeserializeOwned + Message,
    P: Message + Default,
{
    let text = params.to_string();
    let read: J = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    P::decode(read.encode_to_vec().as_slice()).expect("the same message")
}

/// A message in JSON, as the official crate writes it.
pub fn told<J>(message: &impl Message) -> Value
where
    J: Serialize + Message + Default,
{
    let read = J::decode(message.encode_to_vec().as_slice()).expect("the same message");
    serde_json::to_value(read).expect("JSON")
}

/// A request with metadata.
pub fn with_metadata<T>(message: T, headers: &[(&str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in headers {
        let name = AsciiMetadataKey::from_str(name).expect("a name");
        request.metadata_mut().append(name, value.parse().expect("a value"));
    }
    request
}

/// What a status tells of a refusal (A2A 1.0 §10.6).
pub fn refusal(status: &Status) -> Refusal {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no details: {status:?}"));
    assert_eq!(info.domain, "a2a-protocol.org");
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    let delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
    Refusal {
        reason: info.reason,
        fields: violations.into_iter().map(|violation| violation.field).collect(),
        message: status.message().to_owned(),
        retry_after: delay.map(|delay| delay.as_secs() + u64::from(delay.subsec_nanos() > 0)),
    }
}

/// The extensions that an answer says were used.
pub fn extensions(metadata: &MetadataMap) -> Option<String> {
    let named = metadata.get("a2a-extensions").or_else(|| metadata.get("x-a2a-extensions"));
    named.map(|value| value.to_str().expect("text").to_owned())
}

fn read<J, P>(answer: Result<Response<P>, Status>) -> Result<Told<Value>, Refusal>
where
    J: Serialize + Message + Default,
    P: Message,
{
    let response = answer.map_err(|status| refusal(&status))?;
    let extensions = extensions(response.metadata());
    Ok(Told { result: told::<J>(response.get_ref()), extensions })
}

pub async fn ask(
    gateway: &Gateway,
    method: Method,
    params: Value,
    headers: &[(&str, &str)],
) -> Result<Told<Value>, Refusal> {
    let mut client = client(gateway).await;
    /// Asks for `$rpc` with `$request` and reads `$answer`.
    macro_rules! ask {
        ($rpc:ident, $request:ident, $answer:ident) => {{
            let request = with_metadata(message::<json::$request, _>(&params), headers);
            read::<json::$answer, _>(client.$rpc(request).await)
        }};
    }
    match method {
        Method::Send => ask!(send_message, SendMessageRequest, SendMessageResponse),
        Method::Get => ask!(get_task, GetTaskRequest, Task),
        Method::List => {
            let mut page = ask!(list_tasks, ListTasksRequest, ListTasksResponse)?;
            // ProtoJSON leaves out what is empty; the other bindings must not (A2A 1.0 §5.7).
            for (name, empty) in [("tasks", Value::Array(Vec::new())), ("nextPageToken", "".into())] {
                let member = &mut page.result[name];
                if member.is_null() {
                    *member = empty;
                }
            }
            for name in ["pageSize", "totalSize"] {
                if page.result[name].is_null() {
                    page.result[name] = 0.into();
                }
            }
            Ok(page)
        }
        Method::Cancel => ask!(cancel_task, CancelTaskRequest, Task),
        Method::ExtendedCard => ask!(get_extended_agent_card, GetExtendedAgentCardRequest, AgentCard),
        Method::PushCreate => {
            ask!(create_task_push_notification_config, TaskPushNotificationConfig, TaskPushNotificationConfig)
        }
        Method::PushGet => {
            ask!(
                get_task_push_notification_config,
                GetTaskPushNotificationConfigRequest,
                TaskPushNotificationConfig
            )
        }
        Method::PushList => {
            ask!(
                list_task_push_notification_configs,
                ListTaskPushNotificationConfigsRequest,
                ListTaskPushNotificationConfigsResponse
            )
        }
        Method::PushDelete => {
            let request = message::<json::DeleteTaskPushNotificationConfigRequest, _>(&params);
            let answer = client.delete_task_push_notification_config(with_metadata(request, headers)).await;
            let response = answer.map_err(|status| refusal(&status))?;
            Ok(Told { result: Value::Object(Map::new()), extensions: extensions(response.metadata()) })
        }
        Method::Stream | Method::Subscribe => panic!("{method:?} gives a stream"),
    }
}

pub async fn open(gateway: &Gateway, method: Method, params: Value) -> Result<Events, Refusal> {
    let mut client = client(gateway).await;
    let opened = match method {
        Method::Stream => {
            client
                .send_streaming_message(with_metadata(message::<json::SendMessageRequest, _>(&params), &[]))
                .await
        }
        _ => {
            client
                .subscribe_to_task(with_metadata(message::<json::SubscribeToTaskRequest, _>(&params), &[]))
                .await
        }
    };
    let stream = opened.map_err(|status| refusal(&status))?.into_inner();
    let (sender, events) = mpsc::unbounded_channel();
    tokio::spawn(pass_on(stream, sender, |event| told::<json::StreamResponse>(&event)));
    Ok(events)
}

/// Reads a stream for as long as somebody listens.
pub async fn pass_on<T>(
    mut stream: Streaming<T>,
    sender: mpsc::UnboundedSender<Value>,
    told: impl Fn(T) -> Value,
) {
    loop {
        tokio::select! {
            event = stream.message() => {
                let Some(event) = event.expect("a whole stream") else { return };
                if sender.send(told(event)).is_err() {
                    return;
                }
            }
            // Nobody listens any more: the stream is left.
            () = sender.closed() => return,
        }
    }
}
