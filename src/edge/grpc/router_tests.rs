use std::sync::Arc;
use std::time::Duration;

use a2a_pb::proto as pb;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::Request;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::ServiceExt;

use super::v03::messages as v03;
use super::{descriptor, router};
use crate::core::backend::{Backend, Profile, Readiness, Said, Sink, TurnRequest};
use crate::core::clock::{Clock, SystemClock};
use crate::core::engine::{Engine, Limits, Parts, UserPolicy};
use crate::core::error::Error;
use crate::core::event::{Outcome, Parked};
use crate::core::ids::RandomIds;
use crate::core::progress::Level;
use crate::core::reader::Closing;
use crate::edge::Edge;
use crate::edge::binding::Bindings;
use crate::edge::card::CardSource;
use crate::edge::discovery::Cards;
use crate::edge::public_url::{Proxies, PublicUrl};
use crate::edge::routes::{EdgeSettings, Origins};
use crate::store::memory::MemoryStore;

/// A backend with a bug.
struct Broken;

impl Backend for Broken {
    fn accept<'a>(&'a self, _: Said<'a>) -> BoxFuture<'a, Result<(), Error>> {
        panic!("the secret of the house")
    }

    fn accept_answer<'a>(&'a self, _: &'a Parked, _: Said<'a>) -> BoxFuture<'a, Result<(), Error>> {
        panic!("nothing is asked")
    }

    fn run<'a>(&'a self, _: TurnRequest, _: &'a mut dyn Sink) -> BoxFuture<'a, Outcome> {
        panic!("nothing is accepted")
    }

    fn watch<'a>(&'a self, _: &'a Parked) -> BoxFuture<'a, ()> {
        panic!("nothing is asked")
    }

    fn readiness(&self) -> BoxFuture<'_, Readiness> {
        panic!("the secret of the house")
    }

    fn profile(&self) -> Arc<Profile> {
        Arc::default()
    }
}

fn broken() -> Arc<Edge> {
    let parts = Parts {
        backend: Arc::new(Broken),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        store: Arc::new(MemoryStore::new(Duration::from_secs(60), 10)),
    };
    let limits = Limits {
        idempotency_window: Duration::ZERO,
        max_concurrent_turns: 1,
        user: UserPolicy::Fixed("user".into()),
    };
    let address = PublicUrl::new(None, Proxies::new(Vec::new()), "http://127.0.0.1".to_owned());
    Arc::new(Edge {
        cards: Cards::new(CardSource::default(), Arc::new(address), SystemClock.now()),
        engine: Engine::new(parts, limits),
        files: None,
        ids: Arc::new(RandomIds),
        settings: EdgeSettings {
            bindings: Bindings::default(),
            closing: Closing::Mark,
            keep_alive: Duration::from_secs(1),
            progress: Level::Off,
            max_body_bytes: 1000,
            origins: Origins::Off,
        },
    })
}

/// The status that a call ends with.
async fn status(path: &str, message: &[u8]) -> Status {
    let length = u32::try_from(message.len()).unwrap();
    let body = [&[0], &length.to_be_bytes()[..], message].concat();
    let request = Request::post(path).header("content-type", "application/grpc").body(Body::from(body));
    let response = router(broken()).oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn q03_a_panic_is_an_internal_error_that_tells_nothing() {
    let part = pb::Part { content: Some(pb::part::Content::Text("x".to_owned())), ..pb::Part::default() };
    let message =
        pb::Message { message_id: "m".to_owned(), role: 1, parts: vec![part], ..pb::Message::default() };
    let of_v1 = pb::SendMessageRequest { message: Some(message), ..pb::SendMessageRequest::default() };
    let content = vec![v03::Part { part: Some(v03::Content::Text("x".to_owned())), metadata: None }];
    let message = v03::Message { message_id: "m".to_owned(), role: 1, content, ..v03::Message::default() };
    let of_v03 = v03::SendMessageRequest { request: Some(message), ..v03::SendMessageRequest::default() };
    for (service, method, message, text) in [
        (descriptor::A2A_V1, "SendMessage", of_v1.encode_to_vec(), "internal error"),
        (descriptor::A2A_V1, "SendStreamingMessage", of_v1.encode_to_vec(), "internal error"),
        (descriptor::A2A_V03, "SendMessage", of_v03.encode_to_vec(), "InternalError: internal error"),
        (descriptor::HEALTH, "Check", Vec::new(), "internal error"),
    ] {
        let status = status(&format!("/{service}/{method}"), &message).await;
        assert_eq!((status.code(), status.message()), (Code::Internal, text), "{service}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL_ERROR");
    }
}
