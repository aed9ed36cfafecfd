//! The service of A2A 1.0 (A2A 1.0 §10.3) for one request: its message in, what came of it out.

use std::convert::Infallible;

use a2a_pb::proto as pb;
use a2a_pb::proto::a2a_service_server::{A2aService, A2aServiceServer};
use axum::body::Body;
use tonic::{Request, Response, Status};
use tower::Service as _;

use super::call::{Called, Service};
use super::rpc::Rpc;
use super::status::status;
use super::stream::{Encoder, Updates};
use super::{decode, descriptor, encode};
use crate::edge::a2a_v1::V1;
use crate::edge::dialect::{Call, Dialect};
use crate::edge::error::EdgeError;

/// The service `lf.a2a.v1.A2AService`.
#[derive(Clone, Copy, Debug)]
pub struct ServiceV1;

impl Service for ServiceV1 {
    const NAME: &'static str = descriptor::A2A_V1;

    const DIALECT: &'static dyn Dialect = &V1;

    fn status(error: EdgeError) -> Status {
        status(error)
    }

    async fn serve(rpc: Rpc, _: &str, limit: usize, request: Called) -> axum::response::Response {
        let mut server = A2aServiceServer::new(rpc).max_decoding_message_size(limit);
        let called: Result<_, Infallible> = server.call(request).await;
        match called {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }
}

/// What an rpc gives.
type Given<T> = Result<Response<T>, Status>;

/// What a stream sends.
type Responses = Updates<pb::StreamResponse>;

#[tonic::async_trait]
impl A2aService for Rpc {
    type SendStreamingMessageStream = Responses;
    type SubscribeToTaskStream = Responses;

    async fn send_message(&self, request: Request<pb::SendMessageRequest>) -> Given<pb::SendMessageResponse> {
        let request = decode::send(request.into_inner(), Call::Send);
        let (task, view) = self.task(request).await.map_err(status)?;
        let payload = Some(pb::send_message_response::Payload::Task(encode::task(&task, &view)));
        Ok(Response::new(pb::SendMessageResponse { payload }))
    }

    async fn send_streaming_message(
        &self,
        request: Request<pb::SendMessageRequest>,
    ) -> Given<Self::SendStreamingMessageStream> {
        let request = decode::send(request.into_inner(), Call::SendStreaming);
        self.stream::<Encoder>(request).await.map(Response::new).map_err(status)
    }

    async fn get_task(&self, request: Request<pb::GetTaskRequest>) -> Given<pb::Task> {
        let (task, view) = self.task(decode::get(request.into_inner())).await.map_err(status)?;
        Ok(Response::new(encode::task(&task, &view)))
    }

    async fn list_tasks(&self, request: Request<pb::ListTasksRequest>) -> Given<pb::ListTasksResponse> {
        let (listed, view) = self.page(decode::list(request.into_inner())).await.map_err(status)?;
        Ok(Response::new(encode::page(&listed.page(), &view)))
    }

    async fn cancel_task(&self, request: Request<pb::CancelTaskRequest>) -> Given<pb::Task> {
        let (task, view) = self.task(decode::cancel(request.into_inner())).await.map_err(status)?;
        Ok(Response::new(encode::task(&task, &view)))
    }

    async fn subscribe_to_task(
        &self,
        request: Request<pb::SubscribeToTaskRequest>,
    ) -> Given<Self::SubscribeToTaskStream> {
        let request = decode::subscribe(request.into_inner());
        self.stream::<Encoder>(request).await.map(Response::new).map_err(status)
    }

    async fn create_task_push_notification_config(
        &self,
        _: Request<pb::TaskPushNotificationConfig>,
    ) -> Given<pb::TaskPushNotificationConfig> {
        Err(status(self.refused(Call::Push).await))
    }

    async fn get_task_push_notification_config(
        &self,
        _: Request<pb::GetTaskPushNotificationConfigRequest>,
    ) -> Given<pb::TaskPushNotificationConfig> {
        Err(status(self.refused(Call::Push).await))
    }

    async fn list_task_push_notification_configs(
        &self,
        _: Request<pb::ListTaskPushNotificationConfigsRequest>,
    ) -> Given<pb::ListTaskPushNotificationConfigsResponse> {
        Err(status(self.refused(Call::Push).await))
    }

    async fn delete_task_push_notification_config(
        &self,
        _: Request<pb::DeleteTaskPushNotificationConfigRequest>,
    ) -> Given<()> {
        Err(status(self.refused(Call::Push).await))
    }

    async fn get_extended_agent_card(
        &self,
        _: Request<pb::GetExtendedAgentCardRequest>,
    ) -> Given<pb::AgentCard> {
        Err(status(self.refused(Call::ExtendedCard).await))
    }
}
