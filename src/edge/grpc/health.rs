//! `grpc.health.v1.Health`: what `GET /ready` says, for those who ask by gRPC. All services are well when a turn could
//! begin now.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::descriptor;
use crate::core::engine::Engine;
use crate::edge::Edge;

/// How often a watcher's answer is looked at anew. Readiness itself is asked for far less often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The service, for one router.
pub fn server(edge: &Arc<Edge>) -> HealthServer<Probe> {
    HealthServer::new(Probe { engine: edge.engine.clone() })
}

/// Asks whether a turn could begin.
#[derive(Clone)]
pub struct Probe {
    engine: Engine,
}

/// What a watcher was told last.
struct Watch {
    engine: Engine,
    is_known: bool,
    last: Option<ServingStatus>,
    is_over: bool,
}

fn is_known(service: &str) -> bool {
    ["", descriptor::A2A_V1, descriptor::A2A_V03].contains(&service)
}

async fn serving(engine: &Engine) -> ServingStatus {
    match engine.ready().await {
        Ok(()) => ServingStatus::Serving,
        Err(_) => ServingStatus::NotServing,
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Probe {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Status::not_found("this gateway has no such service"));
        }
        Ok(Response::new(response(serving(&self.engine).await)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let is_known = is_known(&request.get_ref().service);
        let watch = Watch { engine: self.engine.clone(), is_known, last: None, is_over: false };
        let changes =
            stream::unfold(
                watch,
                |mut watch| async move { watch.change().await.map(|change| (change, watch)) },
            );
        Ok(Response::new(changes.boxed()))
    }
}

impl Watch {
    /// The next change. The end of the gateway is the end of the watch.
    async fn change(&mut self) -> Option<Result<HealthCheckResponse, Status>> {
        if self.is_over {
            return None;
        }
        loop {
            let now = if self.is_known { serving(&self.engine).await } else { ServingStatus::ServiceUnknown };
            if self.last != Some(now) {
                self.last = Some(now);
                return Some(Ok(response(now)));
            }
            tokio::select! {
                biased;
                () = self.engine.draining() => return Some(self.end()),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// The last of what is told: not serving, and then that the gateway is gone.
    fn end(&mut self) -> Result<HealthCheckResponse, Status> {
        if self.is_known && self.last != Some(ServingStatus::NotServing) {
            self.last = Some(ServingStatus::NotServing);
            return Ok(response(ServingStatus::NotServing));
        }
        self.is_over = true;
        Err(Status::unavailable("the gateway is shutting down"))
    }
}
