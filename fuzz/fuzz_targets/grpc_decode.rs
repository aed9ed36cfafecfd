//! Messages of gRPC in 1.0 and 0.3, by the number in the first byte, and JSON as `google.protobuf.Value`.
//!
//! No input panics; a message that is accepted is encoded as it came, or for 0.3 as it is encoded ever after, and JSON
//! says the same of it; what is refused names a field; no number of a value is infinite, and none is lost.
#![no_main]

use a2a_pb::proto as pb;
use dify_a2a::core::command::Send;
use dify_a2a::core::error::Error;
use dify_a2a::core::ids::CountingIds;
use dify_a2a::core::message::{Json, Message};
use dify_a2a::edge::a2a_v1::V1;
use dify_a2a::edge::a2a_v03_http::{FileBytes, Once, Twice, V03Http};
use dify_a2a::edge::dialect::{Call, Dialect, Operation, Request};
use dify_a2a::edge::grpc::v03::messages as v03;
use dify_a2a::edge::grpc::{decode, encode, v03 as grpc_v03, value};
use dify_a2a::edge::json::within_depth;
use dify_a2a::edge::view::View;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use prost_types::{Struct, Value};
use serde_json::value::RawValue;
use support::dialect::{in_history, refused, shown_by_all};
use support::values::{depth, is_finite, plain, plain_object};

/// Values that nest deeper than this are told in another way.
const MAX_NESTING: usize = 30;

fuzz_target!(|data: &[u8]| {
    let Some((which, bytes)) = data.split_first() else { return };
    match which % 12 {
        0 => read(bytes, send),
        1 => read(bytes, |said| asks(&V1, decode::get(said))),
        2 => read(bytes, |said| asks(&V1, decode::list(said))),
        3 => read(bytes, |said| asks(&V1, decode::cancel(said))),
        4 => read(bytes, |said| asks(&V1, decode::subscribe(said))),
        5 => read(bytes, send_v03::<Once>),
        6 => read(bytes, send_v03::<Twice>),
        7 => read(bytes, |said| asks(&V03, grpc_v03::decode::get(said))),
        8 => read(bytes, |said| asks(&V03, grpc_v03::decode::cancel(said))),
        9 => read(bytes, |said| asks(&V03, grpc_v03::decode::subscribe(said))),
        10 => read(bytes, told),
        _ => of_json(bytes),
    }
});

const V03: V03Http<Once> = V03Http::DIALECT;

fn read<M: prost::Message + Default>(bytes: &[u8], with: impl FnOnce(M)) {
    if let Ok(message) = M::decode(bytes) {
        with(message);
    }
}

/// What is asked for makes sense.
fn asks(dialect: &dyn Dialect, read: Result<Request, Error>) {
    let request = match read {
        Ok(request) => request,
        Err(error) => return refused(dialect, error),
    };
    assert_ne!(request.tenant.as_deref(), Some(""));
    match request.call {
        Call::Get(get) => assert!(!get.id.as_str().is_empty()),
        Call::Cancel(cancel) => assert!(!cancel.id.as_str().is_empty()),
        Call::Subscribe(subscribe) => assert!(!subscribe.id.as_str().is_empty()),
        Call::List(list) => assert!((1..=100).contains(&list.page_size)),
        other => panic!("{other:?} was not asked for"),
    }
}

/// What was sent, or nothing when it was refused.
fn sent(dialect: &dyn Dialect, read: Result<Request, Error>) -> Option<Send> {
    match read {
        Ok(Request { call: Call::Send(send), .. }) => Some(send),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            refused(dialect, error);
            None
        }
    }
}

fn send(said: pb::SendMessageRequest) {
    let Some(send) = sent(&V1, decode::send(said.clone(), Call::Send)) else { return };
    if let (Some(told), Some(came)) = (&send.metadata, said.metadata) {
        assert!(value::object(told.get()) == Some(plain_object(came.clone())) || is_deep(&Some(came)));
    }
    let encoded = shown(&send.message);
    let came = said.message.expect("only a message is accepted");
    if !came.parts.iter().any(is_deep_part) && !is_deep(&came.metadata) {
        assert_eq!(encoded, plain_message(came));
    }
    let again =
        pb::SendMessageRequest { message: Some(encoded.clone()), ..pb::SendMessageRequest::default() };
    let again = pb::SendMessageRequest::decode(again.encode_to_vec().as_slice()).expect("we can read it");
    let again = sent(&V1, decode::send(again, Call::Send)).expect("what is told is accepted");
    assert_eq!(shown(&again.message), encoded);
    shown_by_all(&send.message);
    in_json(&send.message);
}

/// JSON says the same, and is read so.
fn in_json(message: &Message) {
    let params = format!(r#"{{"message":{}}}"#, in_history(&V1, message.clone()));
    let raw: &RawValue = serde_json::from_str(&params).expect("what was encoded is JSON");
    match V1.call(Operation::Send, Some(raw), &CountingIds::default()) {
        Ok(Request { call: Call::Send(again), .. }) => {
            assert_eq!(format!("{:?}", again.message), format!("{message:?}"));
        }
        other => panic!("{params} reads as {other:?}"),
    }
}

fn send_v03<F: FileBytes>(said: v03::SendMessageRequest) {
    let Some(send) = sent(&V03, grpc_v03::decode::send::<F>(said, Call::Send)) else { return };
    let encoded = shown_v03::<F>(&send.message);
    let again = v03::SendMessageRequest { request: Some(encoded.clone()), ..Default::default() };
    let again = v03::SendMessageRequest::decode(again.encode_to_vec().as_slice()).expect("we can read it");
    let again = sent(&V03, grpc_v03::decode::send::<F>(again, Call::Send)).expect("what is told is accepted");
    assert_eq!(shown_v03::<F>(&again.message), encoded);
    shown_by_all(&send.message);
    in_json(&send.message);
}

/// The message as it is shown in a task's history.
fn shown(message: &Message) -> pb::Message {
    let task = encode::task(&support::task(vec![message.clone()]), &View::default());
    task.history.into_iter().next().expect("a task with a history")
}

/// The same in 0.3.
fn shown_v03<F: FileBytes>(message: &Message) -> v03::Message {
    let task = encode::task(&support::task(vec![message.clone()]), &View::default());
    let task = grpc_v03::encode::task::<F>(task);
    task.history.into_iter().next().expect("a task with a history")
}

fn plain_message(mut message: pb::Message) -> pb::Message {
    message.metadata = message.metadata.map(plain_object);
    for part in &mut message.parts {
        part.metadata = part.metadata.take().map(plain_object);
        if let Some(pb::part::Content::Data(data)) = &mut part.content {
            *data = plain(std::mem::take(data));
        }
    }
    message
}

fn is_deep_part(part: &pb::Part) -> bool {
    let data = match &part.content {
        Some(pb::part::Content::Data(data)) => depth(data),
        _ => 0,
    };
    data > MAX_NESTING || is_deep(&part.metadata)
}

fn is_deep(object: &Option<Struct>) -> bool {
    object.iter().flat_map(|object| object.fields.values()).any(|inner| depth(inner) >= MAX_NESTING)
}

/// A value is told in JSON unless a number of it is none, and is the same when it comes back.
fn told(value: Value) {
    match value::json(&value) {
        Ok(json) => {
            assert!(is_finite(&value), "{value:?} is {json}");
            assert!(within_depth(json.get().as_bytes()));
            let back = comes_back(&json);
            assert!(depth(&value) > MAX_NESTING || back == plain(value), "{json}");
        }
        Err(_) => assert!(!is_finite(&value), "{value:?} cannot be told"),
    }
}

/// JSON of users as a value.
fn of_json(bytes: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Box<RawValue>>(bytes) else { return };
    if within_depth(json.get().as_bytes()) {
        comes_back(&Json::from(json));
    }
}

/// The value that JSON becomes, which decoders take, and which stays the same from then on.
fn comes_back(json: &Json) -> Value {
    let first = value::value(json);
    assert!(is_finite(&first) && depth(&first) <= MAX_NESTING, "{json} is {first:?}");
    let read = Value::decode(first.encode_to_vec().as_slice()).expect("decoders take it");
    assert_eq!(read, first);
    let again = value::json(&first).expect("it has only numbers that JSON has");
    assert_eq!(value::value(&again), first);
    assert_eq!(
        value::object(json.get()).is_some(),
        matches!(first.kind, Some(prost_types::value::Kind::StructValue(_)))
    );
    first
}
