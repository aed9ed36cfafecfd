use a2a_pb::proto as pb;
use a2a_pb::protojson;
use prost::Message as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::decode;
use super::encode;
use super::stream::{Encode, Encoder};
use crate::core::accepted::Accepted;
use crate::core::error::Error;
use crate::core::ids::CountingIds;
use crate::core::task::Task;
use crate::edge::a2a_v1::V1;
use crate::edge::dialect::{Call, Dialect, Operation, Page, Request, StreamEnd};
use crate::edge::testing::{asking, completed, failed, raw, stream_events, streamed_as, submitted, text};
use crate::edge::view::View;

/// What the official crate makes of JSON: `J` is a message as it reads it, `P` the same message as gRPC has it.
fn official<J: DeserializeOwned + prost::Message, P: prost::Message + Default>(json: &str) -> P {
    let read: J = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    P::decode(read.encode_to_vec().as_slice()).unwrap()
}

fn views() -> Vec<View> {
    let modes: [&[&str]; 4] = [&[], &["text/plain"], &["image/png", "application/json"], &["file"]];
    let view = |modes: &[&str]| View {
        base: "https://a.example".to_owned(),
        accepted: Accepted::new(modes.iter().map(|mode| (*mode).to_owned())),
        ..View::default()
    };
    modes.into_iter().map(view).collect()
}

fn tasks() -> [Task; 4] {
    [submitted(), completed(), failed(), asking()]
}

#[test]
fn q06_a_task_is_the_one_that_json_tells() {
    for view in views() {
        for task in tasks() {
            let json = text(|buf| V1.task(buf, &task, &view));
            assert_eq!(encode::task(&task, &view), official::<protojson::Task, _>(&json), "{json}");
        }
    }
}

#[test]
fn q06_a_page_is_the_one_that_json_tells() {
    for (tasks, more) in [(tasks().to_vec(), true), (tasks().to_vec(), false), (Vec::new(), false)] {
        let page = Page { tasks: &tasks, more, page_size: 50, total: 7 };
        let json = text(|buf| V1.list_result(buf, &page, &View::default()));
        let expected: pb::ListTasksResponse = official::<protojson::ListTasksResponse, _>(&json);
        assert_eq!(encode::page(&page, &View::default()), expected);
    }
}

#[test]
fn q06_a_stream_is_the_one_that_json_tells() {
    for view in views() {
        let lines = streamed_as(&V1, StreamEnd::Turn, view.clone());
        let expected: Vec<pb::StreamResponse> =
            lines.iter().map(|line| official::<protojson::StreamResponse, _>(line)).collect();
        let task = submitted();
        let encoder = Encoder::new(&task.id, &task.context_id, StreamEnd::Turn, view);
        let mut got = Vec::from(encoder.snapshot(&task));
        stream_events(|event| got.extend(encoder.event(event)));
        assert_eq!(got, expected);
    }
}

/// A call without what differs for reasons of its own: the text of JSON, which has lost its spaces and its order.
fn shown(request: &Request) -> String {
    fn plain(text: &str) -> String {
        serde_json::from_str::<Value>(text).unwrap().to_string()
    }
    let mut shown = format!("{:?}", request.tenant);
    match &request.call {
        Call::Send(send) | Call::SendStreaming(send) => {
            let mut send = send.clone();
            let mut texts = vec![send.metadata.take(), send.message.metadata.take()];
            for part in &mut send.message.parts {
                texts.push(part.metadata.take());
                if let crate::core::message::Content::Data(json) = &part.content {
                    texts.push(Some(json.clone()));
                    part.content = crate::core::message::Content::Text(String::new());
                }
            }
            let texts = texts.iter().map(|text| text.as_ref().map(|json| plain(json.get())));
            shown += &format!("{send:?}{:?}", texts.collect::<Vec<_>>());
        }
        other => shown += &format!("{other:?}"),
    }
    shown
}

/// Reads the same request in JSON and as a message, and compares what comes of it.
fn same(operation: Operation, json: &str) -> Result<String, Vec<String>> {
    let params = raw(json);
    let by_json = V1.call(operation, Some(&params), &CountingIds::default());
    let by_grpc = match operation {
        Operation::Send => decode::send(official::<protojson::SendMessageRequest, _>(json), Call::Send),
        Operation::Get => decode::get(official::<protojson::GetTaskRequest, _>(json)),
        Operation::List => decode::list(official::<protojson::ListTasksRequest, _>(json)),
        Operation::Cancel => decode::cancel(official::<protojson::CancelTaskRequest, _>(json)),
        Operation::Subscribe => decode::subscribe(official::<protojson::SubscribeToTaskRequest, _>(json)),
        Operation::ExtendedCard | Operation::Push | Operation::Stream => panic!("nothing is read of these"),
    };
    let told = |result: Result<Request, Error>| match result {
        Ok(request) => Ok(shown(&request)),
        Err(Error::InvalidParams(list)) => Err(list.into_iter().map(|it| it.field).collect::<Vec<_>>()),
        Err(other) => panic!("{other:?}"),
    };
    let (by_json, by_grpc) = (told(by_json), told(by_grpc));
    assert_eq!(by_json, by_grpc, "{json}");
    by_grpc
}

fn with(members: &str) -> String {
    format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"text":"hi"}}]{members}}}}}"#)
}

fn with_part(part: &str) -> String {
    format!(r#"{{"message":{{"messageId":"m","role":"ROLE_AGENT","parts":[{part}]}}}}"#)
}

#[test]
fn q06_requests_are_read_as_in_json() {
    let full = with(
        r#","contextId":"c","taskId":"t","metadata":{"b":[1,null],"a":{}},"extensions":["urn:x"],"referenceTaskIds":["r"]"#,
    );
    let full = full.trim_end_matches('}').to_owned()
        + r#"},"tenant":"acme","metadata":{},"configuration":{"returnImmediately":true,"historyLength":0,
            "acceptedOutputModes":["text/plain","image/*"],"taskPushNotificationConfig":{"url":"https://x"}}}"#;
    same(Operation::Send, &full).unwrap();
    for part in [
        r#"{"text":""}"#,
        r#"{"raw":"+/8=","filename":"a.bin","mediaType":"image/png","metadata":{"k":true}}"#,
        r#"{"url":"https://example.org/x"}"#,
        r#"{"data":[1,"x",{"y":false}]}"#,
        r#"{"data":{"n":9007199254740991,"f":0.25}}"#,
    ] {
        same(Operation::Send, &with_part(part)).unwrap();
    }
    same(Operation::Get, r#"{"id":"t","tenant":"x","historyLength":5}"#).unwrap();
    same(Operation::Cancel, r#"{"id":"t","metadata":{"why":"x"}}"#).unwrap();
    same(Operation::Subscribe, r#"{"id":"t"}"#).unwrap();
    for list in [
        "{}",
        r#"{"contextId":"c","status":"TASK_STATE_WORKING","pageSize":100,"pageToken":"","historyLength":0,
            "statusTimestampAfter":"2026-01-01T00:00:00.5Z","includeArtifacts":true}"#,
        r#"{"status":"TASK_STATE_UNSPECIFIED"}"#,
    ] {
        same(Operation::List, list).unwrap();
    }
}

#[test]
fn q06_requests_are_refused_as_in_json() {
    let refused = |operation, json: &str| same(operation, json).unwrap_err();
    assert_eq!(refused(Operation::Send, "{}"), ["message"]);
    assert_eq!(
        refused(Operation::Send, r#"{"message":{},"configuration":{"historyLength":-1},"tenant":"a\nb"}"#),
        ["tenant", "message.messageId", "message.role", "message.parts", "configuration.historyLength"]
    );
    let parts = r#"{"text":"x"},{"url":""},{}"#;
    assert_eq!(refused(Operation::Send, &with_part(parts)), ["message.parts[1].url", "message.parts[2]"]);
    let many = |count, one: &str| vec![one; count].join(",");
    for (json, field) in [
        (with_part(&many(101, r#"{"text":""}"#)), "message.parts"),
        (with(&format!(r#","extensions":[{}]"#, many(101, r#""x""#))), "message.extensions"),
        (with(&format!(r#","referenceTaskIds":[{}]"#, many(101, r#""x""#))), "message.referenceTaskIds"),
        (with(&format!(r#","contextId":"{}""#, "x".repeat(513))), "message.contextId"),
        (with(r#","taskId":"a\u009fb""#), "message.taskId"),
        (with("").replace("ROLE_USER", "ROLE_UNSPECIFIED"), "message.role"),
    ] {
        assert_eq!(refused(Operation::Send, &json), [field]);
    }
    let modes = format!(r#","configuration":{{"acceptedOutputModes":[{}]}}}}"#, many(101, r#""x""#));
    let modes = with("").trim_end_matches('}').to_owned() + "}" + &modes;
    assert_eq!(refused(Operation::Send, &modes), ["configuration.acceptedOutputModes"]);
    for operation in [Operation::Get, Operation::Cancel, Operation::Subscribe] {
        assert_eq!(refused(operation, "{}"), ["id"]);
        assert_eq!(refused(operation, r#"{"id":"a\u0000"}"#), ["id"]);
    }
    for (json, field) in [
        (r#"{"pageSize":0}"#, "pageSize"),
        (r#"{"pageSize":101}"#, "pageSize"),
        (r#"{"pageToken":"bm9uc2Vuc2U"}"#, "pageToken"),
        (r#"{"historyLength":-1}"#, "historyLength"),
        (r#"{"contextId":"a\u0007"}"#, "contextId"),
    ] {
        assert_eq!(refused(Operation::List, json), [field]);
    }
}

#[test]
fn what_only_messages_can_say_is_refused_too() {
    let fields = |result: Result<Request, Error>| match result {
        Err(Error::InvalidParams(list)) => list.into_iter().map(|it| it.field).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let number = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(f64::NAN)) };
    let object = prost_types::Struct { fields: [("n".to_owned(), number.clone())].into() };
    let part = pb::Part {
        content: Some(pb::part::Content::Data(number)),
        metadata: Some(object.clone()),
        ..pb::Part::default()
    };
    let message = pb::Message {
        message_id: "m".to_owned(),
        role: 7,
        parts: vec![part],
        metadata: Some(object),
        ..pb::Message::default()
    };
    let request = pb::SendMessageRequest { message: Some(message), ..pb::SendMessageRequest::default() };
    assert_eq!(
        fields(decode::send(request, Call::Send)),
        ["message.role", "message.parts[0].metadata", "message.parts[0].data", "message.metadata"]
    );
    let at = |seconds, nanos| pb::ListTasksRequest {
        status_timestamp_after: Some(prost_types::Timestamp { seconds, nanos }),
        ..pb::ListTasksRequest::default()
    };
    for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (0, -1), (0, 1_000_000_000), (0, i32::MIN)] {
        assert_eq!(fields(decode::list(at(seconds, nanos))), ["statusTimestampAfter"]);
    }
    let state = pb::ListTasksRequest { status: 9, ..pb::ListTasksRequest::default() };
    assert_eq!(fields(decode::list(state)), ["status"]);
}

#[test]
fn the_deepest_answer_is_one_that_decoders_take() {
    let deep = format!("{}1{}", "{\"a\":".repeat(120), "}".repeat(120));
    let mut task = completed();
    task.history = vec![std::sync::Arc::new(crate::core::message::Message {
        parts: vec![crate::core::message::Part::data(crate::edge::testing::json(&deep))],
        ..crate::edge::testing::message()
    })];
    let page = encode::page(&Page { tasks: &[task], more: false, page_size: 1, total: 1 }, &View::default());
    pb::ListTasksResponse::decode(page.encode_to_vec().as_slice()).unwrap();
}
