//! Helpers of the tests of all apps: requests go in, answers and events come out, and recordings to compare with.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tower::ServiceExt;

use super::{App, Pace, app};
use crate::dify::fixture;

/// Where the files of a tested app are said to be.
pub(super) const ORIGIN: &str = "http://demo.test";

/// An app without pauses.
pub(super) fn instant(which: App) -> Router {
    app(which, Pace::instant(), ORIGIN)
}

pub(super) async fn call(app: &Router, request: Request<Body>) -> Response {
    app.clone().oneshot(request).await.unwrap()
}

pub(super) async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) async fn json_of(response: Response) -> Value {
    serde_json::from_str(&text(response).await).unwrap()
}

/// The status, code and message of an error.
pub(super) async fn refusal(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    let error = json_of(response).await;
    assert_eq!(error["status"], status);
    (status, error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
}

pub(super) fn get(path: &str) -> Request<Body> {
    Request::get(path).header("authorization", "Bearer app-demo").body(Body::empty()).unwrap()
}

pub(super) fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path)
        .header("authorization", "Bearer app-demo")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// The events of a finished stream.
pub(super) async fn events(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    events_in(&text(response).await)
}

/// The events of a stream's text, without pings.
pub(super) fn events_in(text: &str) -> Vec<Value> {
    text.split_terminator("\n\n")
        .filter(|frame| *frame != "event: ping")
        .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

/// The name of an event.
pub(super) fn name(event: &Value) -> &str {
    event["event"].as_str().unwrap()
}

/// The names of events; pieces of text behind one another count once.
pub(super) fn names(events: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(name).collect();
    names.dedup_by(|next, last| next == last && matches!(*next, "message" | "text_chunk"));
    names
}

/// The events of a recording of Dify 1.14.2.
pub(super) fn recorded(case: &str) -> Vec<Value> {
    let recording = fixture::recording(&format!("1.14.2/{case}"));
    let frames = fixture::frames(&recording.body);
    frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

/// Asserts that both are the same events, each with the same members at every depth.
pub(super) fn assert_alike(ours: &[Value], theirs: &[Value]) {
    assert_eq!(names(ours), names(theirs));
    let once = |events: &[Value]| {
        let mut once = events.to_vec();
        once.dedup_by(|next, last| {
            name(next) == name(last) && matches!(name(next), "message" | "text_chunk")
        });
        once
    };
    for (ours, theirs) in once(ours).iter().zip(once(theirs)) {
        assert_eq!(shape(ours), shape(&theirs), "{}", name(ours));
    }
}

/// Members whose content is the app's own business.
const OWN: [&str; 3] = ["inputs", "outputs", "process_data"];

/// What an object looks like: its members and their types.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let shaped = members.iter().map(|(name, value)| {
                let own = OWN.contains(&name.as_str()) && value.is_object();
                let shaped = if own { Value::from("own") } else { shape(value) };
                (name.clone(), shaped)
            });
            Value::Object(shaped.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(shape).collect()),
        Value::Null => Value::Null,
        Value::Bool(_) => Value::from("bool"),
        Value::Number(_) => Value::from("number"),
        Value::String(_) => Value::from("string"),
    }
}
