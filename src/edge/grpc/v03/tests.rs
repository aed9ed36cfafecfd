//! The messages and what is made of them, against the descriptors and against what HTTP+JSON says in 0.3.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message as _;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, Kind, ReflectMessage, Value as Dynamic};
use serde_json::{Map, Value, json};

use super::messages::*;
use super::stream::Encoder;
use super::{decode, encode, encode_v1};
use crate::core::accepted::Accepted;
use crate::core::error::Error;
use crate::core::message::Content as CoreContent;
use crate::edge::a2a_v03_http::{FileBytes, Once, Twice, V03Http};
use crate::edge::dialect::{Call, Dialect, Request, StreamEnd};
use crate::edge::grpc::descriptor;
use crate::edge::grpc::stream::Encode;
use crate::edge::testing::{asking, completed, failed, stream_events, streamed_as, submitted, text};
use crate::edge::view::View;

fn pool() -> DescriptorPool {
    DescriptorPool::from_file_descriptor_set(descriptor::files()).unwrap()
}

/// A message as the descriptors understand it.
fn described(pool: &DescriptorPool, name: &str, message: &impl prost::Message) -> DynamicMessage {
    let descriptor = pool.get_message_by_name(&format!("a2a.v1.{name}")).unwrap();
    DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).unwrap()
}

/// A message from its text form, as the descriptors understand that.
fn written<M: prost::Message + Default>(name: &str, text: &str) -> M {
    let descriptor = pool().get_message_by_name(&format!("a2a.v1.{name}")).unwrap();
    let message = DynamicMessage::parse_text_format(descriptor, text).unwrap();
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

/// The ProtoJSON of a message. Nothing in it may be unknown to the descriptors.
fn told(message: &DynamicMessage) -> Value {
    assert_eq!(message.unknown_fields().count(), 0, "{message:?}");
    match message.descriptor().full_name() {
        "google.protobuf.Timestamp" => {
            let number = |name| message.get_field_by_name(name).unwrap();
            let (seconds, nanos) = (number("seconds"), number("nanos"));
            let at = jiff::Timestamp::new(seconds.as_i64().unwrap(), nanos.as_i32().unwrap()).unwrap();
            json!(format!("{at:.3}"))
        }
        "google.protobuf.Struct" => told_value(&message.get_field_by_name("fields").unwrap(), None),
        "google.protobuf.ListValue" => told_value(&message.get_field_by_name("values").unwrap(), None),
        "google.protobuf.Value" => {
            let (field, value) = message.fields().next().unwrap();
            if field.name() == "null_value" { Value::Null } else { told_value(value, None) }
        }
        _ => {
            let members = message.fields();
            let members = members
                .map(|(field, value)| (field.json_name().to_owned(), told_value(value, Some(field.kind()))));
            Value::Object(members.collect())
        }
    }
}

fn told_value(value: &Dynamic, kind: Option<Kind>) -> Value {
    match value {
        Dynamic::Bool(flag) => json!(flag),
        Dynamic::Bytes(bytes) => json!(STANDARD.encode(bytes)),
        Dynamic::EnumNumber(number) => match kind {
            Some(Kind::Enum(names)) => json!(names.get_value(*number).unwrap().name()),
            other => panic!("{other:?}"),
        },
        Dynamic::F64(number) => json!(number),
        Dynamic::I32(number) => json!(number),
        Dynamic::List(list) => list.iter().map(|value| told_value(value, kind.clone())).collect(),
        Dynamic::Map(map) => {
            let members =
                map.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), told_value(value, None)));
            Value::Object(members.collect())
        }
        Dynamic::Message(message) => told(message),
        Dynamic::String(text) => json!(text),
        other => panic!("{other:?}"),
    }
}

/// JSON as ProtoJSON has it: numbers are doubles, and what is false is left away.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(list) => list.into_iter().map(plain).collect(),
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, value)| name != "final" || *value == true);
            Value::Object(kept.map(|(name, value)| (name, plain(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn of_json(text: &str) -> Value {
    plain(serde_json::from_str(text).unwrap())
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

fn tasks_are_the_same<F: FileBytes>() {
    let pool = pool();
    for view in views() {
        for task in [submitted(), completed(), failed(), asking()] {
            let json = text(|buf| V03Http::<F>::DIALECT.task(buf, &task, &view));
            let message = encode::task::<F>(encode_v1::task(&task, &view));
            assert_eq!(plain(told(&described(&pool, "Task", &message))), of_json(&json));
        }
    }
}

#[test]
fn o13_a_task_is_the_one_that_http_and_json_tell() {
    tasks_are_the_same::<Once>();
    tasks_are_the_same::<Twice>();
}

#[test]
fn o02_o12_o13_a_stream_is_the_one_that_http_and_json_tell() {
    let pool = pool();
    for view in views() {
        for end in [StreamEnd::Turn, StreamEnd::Task] {
            let lines = streamed_as(&V03Http::<Once>::DIALECT, end, view.clone());
            let task = submitted();
            let encoder = Encoder::<Once>::new(&task.id, &task.context_id, end, view.clone());
            let mut got = Vec::from(encoder.snapshot(&task));
            stream_events(|event| got.extend(encoder.event(event)));
            let got: Vec<Value> =
                got.iter().map(|it| plain(told(&described(&pool, "StreamResponse", it)))).collect();
            let expected: Vec<Value> = lines.iter().map(|line| of_json(line)).collect();
            assert_eq!(got, expected);
        }
    }
}

#[test]
fn o06_a_stream_of_a_task_that_is_over_says_so() {
    let (pool, view) = (pool(), View::default());
    for (task, responses) in [(completed(), 2), (failed(), 2), (asking(), 1), (submitted(), 1)] {
        let encoder = Encoder::<Once>::new(&task.id, &task.context_id, StreamEnd::Turn, view.clone());
        let got: Vec<Value> =
            encoder.snapshot(&task).iter().map(|it| told(&described(&pool, "StreamResponse", it))).collect();
        assert_eq!(got.len(), responses, "{got:?}");
        assert!(
            got[0].get("task").is_some() && got.iter().skip(1).all(|it| it["statusUpdate"]["final"] == true)
        );
    }
}

/// Every request with every field: each text is the name of the field that it is in.
#[test]
fn requests_are_those_of_the_descriptors() {
    let pool = pool();
    let text = |name: &str| name.to_owned();
    let file = |file| Part {
        part: Some(Content::File(FilePart {
            file: Some(file),
            mime_type: text("mime_type"),
            name: text("name"),
        })),
        metadata: None,
    };
    let object = prost_types::Struct::default;
    let message = Message {
        message_id: text("message_id"),
        context_id: text("context_id"),
        task_id: text("task_id"),
        role: 1,
        content: vec![
            Part { part: Some(Content::Text(text("text"))), metadata: Some(object()) },
            file(File::FileWithUri(text("file_with_uri"))),
            file(File::FileWithBytes(Bytes::from_static(b"x"))),
            Part { part: Some(Content::Data(DataPart { data: Some(object()) })), metadata: None },
        ],
        metadata: Some(object()),
        extensions: vec![text("extensions")],
    };
    let configuration = SendMessageConfiguration {
        accepted_output_modes: vec![text("accepted_output_modes")],
        push_notification: Some(()),
        history_length: 7,
        blocking: true,
    };
    let send = SendMessageRequest {
        request: Some(message),
        configuration: Some(configuration),
        metadata: Some(object()),
    };
    let get = GetTaskRequest { name: text("name"), history_length: 7 };
    let (cancel, follow) =
        (CancelTaskRequest { name: text("name") }, TaskSubscriptionRequest { name: text("name") });
    let requests = [
        described(&pool, "SendMessageRequest", &send),
        described(&pool, "GetTaskRequest", &get),
        described(&pool, "CancelTaskRequest", &cancel),
        described(&pool, "TaskSubscriptionRequest", &follow),
    ];
    let fields: usize = requests.iter().map(named).sum();
    assert_eq!(fields, 30);
}

/// How many fields there are, to the last; each text must be the name of its field.
fn named(message: &DynamicMessage) -> usize {
    assert_eq!(message.unknown_fields().count(), 0, "{message:?}");
    let count = |name: &str, value: &Dynamic| match value {
        Dynamic::Message(inner) => named(inner),
        Dynamic::String(text) => {
            assert_eq!(text, name);
            0
        }
        _ => 0,
    };
    let fields = message.fields().map(|(field, value)| {
        let inner: usize = match value {
            Dynamic::List(list) => list.iter().map(|it| count(field.name(), it)).sum(),
            other => count(field.name(), other),
        };
        inner + 1
    });
    fields.sum()
}

fn wrong(result: Result<Request, Error>) -> Vec<String> {
    match result {
        Err(Error::InvalidParams(list)) => list.into_iter().map(|it| it.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn sent<F: FileBytes>(text: &str) -> Result<Request, Error> {
    decode::send::<F>(written("SendMessageRequest", text), Call::Send)
}

const SAID: &str = r#"message_id: "m" role: ROLE_USER"#;

#[test]
fn o13_a_message_is_read_with_all_that_it_says() {
    let text = format!(
        r#"request {{ {SAID} context_id: "c" task_id: "t" extensions: "urn:x"
             content {{ text: "hi" metadata {{ fields {{ key: "k" value {{ bool_value: true }} }} }} }}
             content {{ data {{ data {{ fields {{ key: "n" value {{ number_value: 1 }} }} }} }} }}
             content {{ file {{ file_with_uri: "https://example.org/x" name: "x.png" mime_type: "image/png" }} }} }}
           configuration {{ blocking: true history_length: 3 accepted_output_modes: "text/plain" push_notification {{}} }}
           metadata {{}}"#
    );
    let Call::Send(send) = sent::<Once>(&text).unwrap().call else { panic!("no send") };
    assert_eq!((send.return_immediately, send.history_length, send.wants_push), (false, Some(3), true));
    assert_eq!(send.metadata.unwrap().get(), "{}");
    assert!(send.accepted.takes_text() && !send.accepted.takes_data());
    let message = send.message;
    assert_eq!((message.context_id.unwrap().as_str(), message.task_id.unwrap().as_str()), ("c", "t"));
    assert_eq!(message.extensions, ["urn:x"]);
    assert_eq!(message.parts[0].metadata.as_ref().unwrap().get(), r#"{"k":true}"#);
    assert!(matches!(&message.parts[1].content, CoreContent::Data(data) if data.get() == r#"{"n":1}"#));
    let file = &message.parts[2];
    assert_eq!((file.filename.as_deref(), file.media_type.as_deref()), (Some("x.png"), Some("image/png")));
    assert!(matches!(&file.content, CoreContent::Url(url) if url == "https://example.org/x"));
}

#[test]
fn o03_what_is_not_said_is_not_to_wait_and_all_of_the_history() {
    for (configuration, at_once) in
        [("", false), ("configuration {}", true), ("configuration { blocking: true }", false)]
    {
        let text = format!(r#"request {{ {SAID} content {{ text: "hi" }} }} {configuration}"#);
        let Call::Send(send) = sent::<Once>(&text).unwrap().call else { panic!("no send") };
        assert_eq!((send.return_immediately, send.history_length, send.wants_push), (at_once, None, false));
    }
    let get: GetTaskRequest = written("GetTaskRequest", r#"name: "tasks/t/1""#);
    let Call::Get(get) = decode::get(get).unwrap().call else { panic!("no get") };
    assert_eq!((get.id.as_str(), get.history_length), ("t/1", None));
}

#[test]
fn files_of_every_client_are_read() {
    fn read<F: FileBytes>(sent_as: &str) -> Bytes {
        let text = format!(r#"request {{ {SAID} content {{ file {{ file_with_bytes: "{sent_as}" }} }} }}"#);
        let Call::Send(send) = sent::<F>(&text).unwrap().call else { panic!("no send") };
        match &send.message.parts[0].content {
            CoreContent::Raw(bytes) => bytes.clone(),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read::<Once>("aGVsbG8="), "aGVsbG8=");
    assert_eq!(read::<Twice>("aGVsbG8="), "hello");
    assert_eq!(read::<Twice>("hello"), "hello");
}

#[test]
fn o08_what_is_wrong_is_named_as_in_json() {
    assert_eq!(wrong(sent::<Once>("")), ["message"]);
    assert_eq!(
        wrong(sent::<Once>("request {} configuration { history_length: -1 }")),
        ["message.messageId", "message.role", "message.content", "configuration.historyLength"]
    );
    let parts =
        r#"content {} content { file {} } content { file { file_with_uri: "" } } content { data {} }"#;
    assert_eq!(
        wrong(sent::<Once>(&format!("request {{ {SAID} {parts} }}"))),
        [
            "message.content[0]",
            "message.content[1].file",
            "message.content[2].file.fileWithUri",
            "message.content[3].data.data"
        ]
    );
    for name in ["", "t", "tasks/", "task/t", "Tasks/t", "tasks/a\u{7}"] {
        assert_eq!(wrong(decode::get(GetTaskRequest { name: name.to_owned(), history_length: 0 })), ["name"]);
        assert_eq!(wrong(decode::cancel(CancelTaskRequest { name: name.to_owned() })), ["name"]);
        assert_eq!(wrong(decode::subscribe(TaskSubscriptionRequest { name: name.to_owned() })), ["name"]);
    }
    assert_eq!(
        wrong(decode::get(GetTaskRequest { name: String::new(), history_length: -1 })),
        ["historyLength", "name"]
    );
}
