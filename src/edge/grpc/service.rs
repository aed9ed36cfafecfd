//! The service of A2A 1.0 (A2A 1.0 §10.3) for one request: its message in, what came of it out.

use a2a_pb::proto as pb;
use a2a_pb::proto::a2a_service_server::A2aService;
use tonic::{Request, Response, Status};

use super::deadline::Deadline;
use super::status::status;
use super::stream::{Responses, responses};
use super::{decode, encode};
use crate::core::error::Error;
use crate::core::task::Task;
use crate::edge::dialect::{self, Call};
use crate::edge::error::EdgeError;
use crate::edge::exchange::{Answer, Begun, Exchange};
use crate::edge::view::View;

/// One request, apart from its message.
pub(super) struct Rpc {
    /// What is known of it.
    pub(super) exchange: Exchange,
    /// Until when its stream may last. Other answers are cut off by whoever waits for them.
    pub(super) deadline: Deadline,
}

/// What an rpc gives.
type Given<T> = Result<Response<T>, Status>;

impl Rpc {
    async fn begin(&self, request: Result<dialect::Request, Error>) -> Result<Begun, EdgeError> {
        self.exchange.admit()?;
        self.exchange.clone().begin(request?).await
    }

    async fn answer(&self, request: Result<dialect::Request, Error>) -> Result<Answer, EdgeError> {
        match self.begin(request).await? {
            Begun::Answer(answer) => Ok(answer),
            Begun::Later(later) => later.await,
            Begun::Stream(_) => Err(misfit()),
        }
    }

    async fn task(&self, request: Result<dialect::Request, Error>) -> Result<(Task, View), Status> {
        match self.answer(request).await {
            Ok(Answer::Sent(task, view) | Answer::Task(task, view)) => Ok((task, view)),
            Ok(Answer::Page(..)) => Err(status(misfit())),
            Err(error) => Err(status(error)),
        }
    }

    async fn stream(&self, request: Result<dialect::Request, Error>) -> Given<Responses> {
        match self.begin(request).await {
            Ok(Begun::Stream(followed)) => Ok(Response::new(responses(followed, self.deadline))),
            Ok(Begun::Answer(_) | Begun::Later(_)) => Err(status(misfit())),
            Err(error) => Err(status(error)),
        }
    }

    /// What is refused whatever it says.
    async fn refused<T>(&self, call: Call) -> Given<T> {
        let error = self.begin(Ok(call.into())).await.err();
        Err(status(error.unwrap_or_else(misfit)))
    }
}

/// An answer of another kind than the question: the program's own fault.
fn misfit() -> EdgeError {
    Error::Internal("an answer does not fit its rpc".to_owned()).into()
}

#[tonic::async_trait]
impl A2aService for Rpc {
    type SendStreamingMessageStream = Responses;
    type SubscribeToTaskStream = Responses;

    async fn send_message(&self, request: Request<pb::SendMessageRequest>) -> Given<pb::SendMessageResponse> {
        let (task, view) = self.task(decode::send(request.into_inner(), Call::Send)).await?;
        let payload = Some(pb::send_message_response::Payload::Task(encode::task(&task, &view)));
        Ok(Response::new(pb::SendMessageResponse { payload }))
    }

    async fn send_streaming_message(
        &self,
        request: Request<pb::SendMessageRequest>,
    ) -> Given<Self::SendStreamingMessageStream> {
        self.stream(decode::send(request.into_inner(), Call::SendStreaming)).await
    }

    async fn get_task(&self, request: Request<pb::GetTaskRequest>) -> Given<pb::Task> {
        let (task, view) = self.task(decode::get(request.into_inner())).await?;
        Ok(Response::new(encode::task(&task, &view)))
    }

    async fn list_tasks(&self, request: Request<pb::ListTasksRequest>) -> Given<pb::ListTasksResponse> {
        match self.answer(decode::list(request.into_inner())).await {
            Ok(Answer::Page(listed, view)) => Ok(Response::new(encode::page(&listed.page(), &view))),
            Ok(Answer::Sent(..) | Answer::Task(..)) => Err(status(misfit())),
            Err(error) => Err(status(error)),
        }
    }

    async fn cancel_task(&self, request: Request<pb::CancelTaskRequest>) -> Given<pb::Task> {
        let (task, view) = self.task(decode::cancel(request.into_inner())).await?;
        Ok(Response::new(encode::task(&task, &view)))
    }

    async fn subscribe_to_task(
        &self,
        request: Request<pb::SubscribeToTaskRequest>,
    ) -> Given<Self::SubscribeToTaskStream> {
        self.stream(decode::subscribe(request.into_inner())).await
    }

    async fn create_task_push_notification_config(
        &self,
        _: Request<pb::TaskPushNotificationConfig>,
    ) -> Given<pb::TaskPushNotificationConfig> {
        self.refused(Call::Push).await
    }

    async fn get_task_push_notification_config(
        &self,
        _: Request<pb::GetTaskPushNotificationConfigRequest>,
    ) -> Given<pb::TaskPushNotificationConfig> {
        self.refused(Call::Push).await
    }

    async fn list_task_push_notification_configs(
        &self,
        _: Request<pb::ListTaskPushNotificationConfigsRequest>,
    ) -> Given<pb::ListTaskPushNotificationConfigsResponse> {
        self.refused(Call::Push).await
    }

    async fn delete_task_push_notification_config(
        &self,
        _: Request<pb::DeleteTaskPushNotificationConfigRequest>,
    ) -> Given<()> {
        self.refused(Call::Push).await
    }

    async fn get_extended_agent_card(
        &self,
        _: Request<pb::GetExtendedAgentCardRequest>,
    ) -> Given<pb::AgentCard> {
        self.refused(Call::ExtendedCard).await
    }
}
