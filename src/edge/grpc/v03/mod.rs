//! gRPC as A2A 0.3 has it: the service `a2a.v1.A2AService`, for which nobody publishes code. Its messages are those of
//! HTTP+JSON in 0.3, whose ProtoJSON the dialect [`a2a_v03_http`](crate::edge::a2a_v03_http) is.

pub mod decode;
pub mod encode;
pub mod messages;
mod status;
mod stream;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, header};
use prost::Message;
use tonic::Status;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;
use tower::service_fn;

use self::messages::{SendMessageResponse, StreamResponse, Task};
use self::stream::Encoder;
use super::call::{Called, Service, refuse};
use super::rpc::Rpc;
use super::{descriptor, encode as encode_v1};
use crate::core::error::Error;
use crate::edge::a2a_v03_http::{FileBytes, Once, Twice, V03Http};
use crate::edge::dialect::{Call, Dialect, Request};
use crate::edge::error::EdgeError;

/// What the official Python client calls itself. It writes the bytes of files in a way of its own.
const PYTHON: &str = "grpc-python";

/// The service `a2a.v1.A2AService`.
#[derive(Clone, Copy, Debug)]
pub struct ServiceV03;

impl Service for ServiceV03 {
    const NAME: &'static str = descriptor::A2A_V03;

    const DIALECT: &'static dyn Dialect = &V03Http::<Once>::DIALECT;

    fn status(error: EdgeError) -> Status {
        status::status(error)
    }

    async fn serve(rpc: Rpc, method: &str, limit: usize, request: Called) -> Response {
        if is_python(request.headers()) {
            serve::<Twice>(&rpc, method, limit, request).await
        } else {
            serve::<Once>(&rpc, method, limit, request).await
        }
    }
}

fn is_python(headers: &HeaderMap) -> bool {
    headers
        .get(header::USER_AGENT)
        .is_some_and(|agent| agent.to_str().is_ok_and(|agent| agent.contains(PYTHON)))
}

type Decoded = Result<Request, Error>;

/// Serves the method of this name, for clients that write the bytes of files like this.
async fn serve<F: FileBytes>(rpc: &Rpc, method: &str, limit: usize, request: Called) -> Response {
    match method {
        "SendMessage" => {
            unary(limit, request, |said| async move {
                let task = task::<F>(rpc, decode::send::<F>(said, Call::Send)).await?;
                Ok(SendMessageResponse { task: Some(task) })
            })
            .await
        }
        "SendStreamingMessage" => {
            streaming::<F, _>(rpc, limit, request, |said| decode::send::<F>(said, Call::SendStreaming)).await
        }
        "GetTask" => unary(limit, request, |said| task::<F>(rpc, decode::get(said))).await,
        "CancelTask" => unary(limit, request, |said| task::<F>(rpc, decode::cancel(said))).await,
        "TaskSubscription" => streaming::<F, _>(rpc, limit, request, decode::subscribe).await,
        "GetAgentCard" => refuse::<ServiceV03>(rpc.refused(Call::ExtendedCard).await),
        "CreateTaskPushNotificationConfig"
        | "GetTaskPushNotificationConfig"
        | "ListTaskPushNotificationConfig"
        | "DeleteTaskPushNotificationConfig" => refuse::<ServiceV03>(rpc.refused(Call::Push).await),
        _ => refuse::<ServiceV03>(EdgeError::method_not_found(method)),
    }
}

async fn task<F: FileBytes>(rpc: &Rpc, request: Decoded) -> Result<Task, EdgeError> {
    let (task, view) = rpc.task(request).await?;
    Ok(encode::task::<F>(encode_v1::task(&task, &view)))
}

/// Decodes the message, and encodes what `answer` makes of it.
async fn unary<I, O, A>(limit: usize, request: Called, mut answer: impl FnMut(I) -> A + Send) -> Response
where
    I: Message + Default + 'static,
    O: Message + 'static,
    A: Future<Output = Result<O, EdgeError>> + Send,
{
    let service = service_fn(|said: tonic::Request<I>| {
        let answer = answer(said.into_inner());
        async move { answer.await.map(tonic::Response::new).map_err(status::status) }
    });
    let mut server = Grpc::new(ProstCodec::<O, I>::default()).max_decoding_message_size(limit);
    server.unary(service, request).await.map(Body::new)
}

/// Decodes the message with `decode`, and streams what comes of it.
async fn streaming<F: FileBytes, I: Message + Default + 'static>(
    rpc: &Rpc,
    limit: usize,
    request: Called,
    decode: impl Fn(I) -> Decoded + Send,
) -> Response {
    let service = service_fn(|said: tonic::Request<I>| {
        let request = decode(said.into_inner());
        async move {
            let stream = rpc.stream::<Encoder<F>>(request).await;
            stream.map(tonic::Response::new).map_err(status::status)
        }
    });
    let mut server = Grpc::new(ProstCodec::<StreamResponse, I>::default()).max_decoding_message_size(limit);
    server.server_streaming(service, request).await.map(Body::new)
}

#[cfg(test)]
mod tests;
