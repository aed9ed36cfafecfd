use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::core::command::{List, Send};
use crate::core::message::{Content, Role};
use crate::core::state::TaskState;
use crate::edge::testing::{asking, call, completed, failed, message, streamed, submitted, text};

const ONCE: V03Http<Once> = V03Http::DIALECT;
const TWICE: V03Http<Twice> = V03Http::DIALECT;

fn send_as(dialect: &dyn Dialect, params: &str) -> Result<Send, Vec<String>> {
    call(dialect, Operation::Send, params).map(|call| match call {
        Call::Send(send) => send,
        other => panic!("{other:?}"),
    })
}

fn send(params: &str) -> Result<Send, Vec<String>> {
    send_as(&ONCE, params)
}

fn list(params: &str) -> Result<List, Vec<String>> {
    call(&ONCE, Operation::List, params).map(|call| match call {
        Call::List(list) => list,
        other => panic!("{other:?}"),
    })
}

/// A request with one part, as ProtoJSON has it.
fn with_part(part: &str) -> String {
    format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER","content":[{part}]}}}}"#)
}

fn content(dialect: &dyn Dialect, part: &str) -> Content {
    send_as(dialect, &with_part(part)).unwrap().message.parts.remove(0).content
}

#[test]
fn tasks_look_like_this() {
    let tasks =
        [submitted(), completed(), failed()].map(|task| text(|buf| ONCE.task(buf, &task, &View::default())));
    insta::assert_snapshot!(tasks.join("\n"));
}

#[test]
fn a_stream_looks_like_this() {
    insta::assert_snapshot!(streamed(&ONCE, StreamEnd::Turn).join("\n"));
}

#[test]
fn o01_a_canceled_task_has_two_l() {
    let mut task = submitted();
    let status = crate::core::event::Status::plain(TaskState::Canceled, task.created_at);
    task.status = std::sync::Arc::new(status);
    assert!(text(|buf| ONCE.task(buf, &task, &View::default())).contains("TASK_STATE_CANCELLED"));
}

/// The members that package `a2a.v1` has, by message.
fn members(message: &str) -> &'static [(&'static str, &'static str)] {
    match message {
        "Task" => &[
            ("id", ""),
            ("contextId", ""),
            ("status", "TaskStatus"),
            ("artifacts", "Artifact"),
            ("history", "Message"),
            ("metadata", "Struct"),
        ],
        "TaskStatus" => &[("state", ""), ("message", "Message"), ("timestamp", "")],
        "Message" => &[
            ("messageId", ""),
            ("contextId", ""),
            ("taskId", ""),
            ("role", ""),
            ("content", "Part"),
            ("metadata", "Struct"),
            ("extensions", ""),
        ],
        "Part" => &[("text", ""), ("file", "FilePart"), ("data", "DataPart"), ("metadata", "Struct")],
        "FilePart" => &[("fileWithUri", ""), ("fileWithBytes", ""), ("mimeType", ""), ("name", "")],
        "DataPart" => &[("data", "Struct")],
        "Artifact" => &[
            ("artifactId", ""),
            ("name", ""),
            ("description", ""),
            ("parts", "Part"),
            ("metadata", "Struct"),
            ("extensions", ""),
        ],
        "StatusUpdate" => &[
            ("taskId", ""),
            ("contextId", ""),
            ("status", "TaskStatus"),
            ("final", ""),
            ("metadata", "Struct"),
        ],
        "ArtifactUpdate" => &[
            ("taskId", ""),
            ("contextId", ""),
            ("artifact", "Artifact"),
            ("append", ""),
            ("lastChunk", ""),
            ("metadata", "Struct"),
        ],
        "StreamResponse" => &[
            ("task", "Task"),
            ("message", "Message"),
            ("statusUpdate", "StatusUpdate"),
            ("artifactUpdate", "ArtifactUpdate"),
        ],
        other => panic!("{other}"),
    }
}

fn check(message: &str, value: &Value) {
    match (message, value) {
        ("", _) => assert!(!value.is_object(), "{value}"),
        ("Struct", _) => assert!(value.is_object(), "{value}"),
        (_, Value::Array(list)) => list.iter().for_each(|item| check(message, item)),
        (_, Value::Object(object)) => {
            for (name, value) in object {
                let known = members(message).iter().find(|(known, _)| known == name);
                check(known.unwrap_or_else(|| panic!("{message} has no {name}: {object:?}")).1, value);
            }
        }
        _ => panic!("{message} is no {value}"),
    }
}

/// A widespread client reads answers with a parser that refuses every member it does not know.
#[test]
fn o13_answers_have_no_member_that_the_package_does_not_have() {
    for task in [submitted(), completed(), failed(), asking()] {
        let task = text(|buf| ONCE.send_result(buf, &task, &View::default()));
        check("StreamResponse", &serde_json::from_str(&task).unwrap());
    }
    for line in streamed(&ONCE, StreamEnd::Turn) {
        check("StreamResponse", &serde_json::from_str(&line).unwrap());
    }
}

#[test]
fn o02_final_is_said_where_the_stream_closes() {
    let finals = |end| {
        let lines = streamed(&ONCE, end).join("\n");
        lines.lines().filter(|line| line.contains("\"final\":true")).count()
    };
    assert_eq!((finals(StreamEnd::Turn), finals(StreamEnd::Task)), (2, 1));
    let task = completed();
    let mut lines = Vec::new();
    let mut encoder = ONCE.stream(&task.id, &task.context_id, StreamEnd::Turn, View::default());
    encoder.snapshot(&task, &mut |result| lines.push(serde_json::from_slice::<Value>(result).unwrap()));
    assert_eq!((lines.len(), &lines[1]["statusUpdate"]["final"]), (2, &true.into()));
}

/// As the official clients write it: names of the package or of JSON.
#[test]
fn o15_requests_are_read_as_both_python_clients_and_the_javascript_one_write_them() {
    let camel = r#"{"message":{"messageId":"m1","role":"ROLE_USER","content":[{"text":"hi"},
        {"data":{"data":{"b":[1.0,"x"],"a":1.0}}},
        {"file":{"fileWithBytes":"+/8=","mimeType":"text/plain","name":"n.txt"}}],"metadata":{"k":2.0}},
        "configuration":{"acceptedOutputModes":["text/plain"],"historyLength":3,"blocking":true}}"#;
    let snake = r#"{"request":{"message_id":"m1","role":"ROLE_USER","content":[{"text":"hi"},
        {"data":{"data":{"b":[1.0,"x"],"a":1.0}}},
        {"file":{"file_with_bytes":"+/8=","mime_type":"text/plain","name":"n.txt"}}],"metadata":{"k":2.0}},
        "configuration":{"accepted_output_modes":["text/plain"],"history_length":3,"blocking":true}}"#;
    for request in [camel, snake] {
        let send = send(request).unwrap();
        assert!(!send.return_immediately && !send.wants_push && send.accepted.takes_text());
        assert_eq!((send.history_length, send.message.role), (Some(3), Role::User));
        let [hi, data, file] = &send.message.parts[..] else { panic!("{:?}", send.message.parts) };
        assert_eq!(hi.as_text(), Some("hi"));
        assert!(matches!(&data.content, Content::Data(json) if json.get() == r#"{"b":[1.0,"x"],"a":1.0}"#));
        assert!(matches!(&file.content, Content::Raw(bytes) if **bytes == [0xfb, 0xff]));
        let (name, media_type) = (file.filename.as_deref(), file.media_type.as_deref());
        assert_eq!((name, media_type), (Some("n.txt"), Some("text/plain")));
        assert_eq!(send.message.metadata.unwrap().get(), r#"{"k":2.0}"#);
    }
}

#[test]
fn the_form_of_json_rpc_is_taken_with_its_meaning() {
    let request = |blocking: &str| {
        format!(
            r#"{{"message":{{"kind":"message","messageId":"m","role":"user","parts":[{{"kind":"text","text":"hi"}},
            {{"kind":"data","data":{{"data":{{}}}}}},{{"kind":"file","file":{{"bytes":"aGk="}}}},
            {{"kind":"file","file":{{"uri":"https://x"}}}}]}},"configuration":{{{blocking}}}}}"#
        )
    };
    let sent = send(&request("")).unwrap();
    assert!(!sent.return_immediately);
    let [_, data, bytes, uri] = &sent.message.parts[..] else { panic!("{:?}", sent.message.parts) };
    assert!(matches!(&data.content, Content::Data(json) if json.get() == r#"{"data":{}}"#));
    assert!(matches!(&bytes.content, Content::Raw(bytes) if **bytes == *b"hi"));
    assert!(matches!(&uri.content, Content::Url(url) if url == "https://x"));
    assert!(send(&request(r#""blocking":false"#)).unwrap().return_immediately);
    assert!(send(&request(r#""pushNotificationConfig":{"url":"https://x"}"#)).unwrap().wants_push);
}

/// ProtoJSON leaves out what is false, but a client that says nothing of it at all is answered as over JSON-RPC.
#[test]
fn an_absent_blocking_is_false_and_an_absent_configuration_says_nothing() {
    let request =
        |configuration: &str| with_part(r#"{"text":"x"}"#).replacen('{', &format!("{{{configuration}"), 1);
    for (configuration, at_once) in [
        ("", false),
        (r#""configuration":null,"#, false),
        (r#""configuration":{},"#, true),
        (r#""configuration":{"blocking":false},"#, true),
        (r#""configuration":{"blocking":true},"#, false),
    ] {
        assert_eq!(send(&request(configuration)).unwrap().return_immediately, at_once, "{configuration}");
    }
    let push = r#""configuration":{"pushNotification":{"url":"https://x"},"historyLength":0},"#;
    let push = send(&request(push)).unwrap();
    assert!(push.wants_push && push.history_length.is_none(), "0 is all of it");
}

/// base64 of base64, from clients that are known for it; and only then.
#[test]
fn files_of_python_are_unpacked_twice() {
    let raw =
        |dialect: &dyn Dialect, bytes: &str| match content(dialect, &format!(r#"{{"file":{{{bytes}}}}}"#)) {
            Content::Raw(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        };
    let twice = r#""fileWithBytes":"YUdWc2JHOD0=""#;
    assert_eq!((raw(&TWICE, twice), raw(&ONCE, twice)), ("hello".to_owned(), "aGVsbG8=".to_owned()));
    let once = r#""fileWithBytes":"aGVsbG8=""#;
    assert_eq!((raw(&TWICE, once), raw(&ONCE, once)), ("hello".to_owned(), "hello".to_owned()));
    assert_eq!(raw(&TWICE, r#""fileWithBytes":"""#), "");
    assert_eq!(raw(&TWICE, r#""bytes":"YUdWc2JHOD0=""#), "aGVsbG8=", "the other form is whole");
    let mut task = submitted();
    task.history = vec![message().into()];
    let said = |dialect: &dyn Dialect| text(|buf| dialect.task(buf, &task, &View::default()));
    assert!(
        said(&ONCE).contains(r#""fileWithBytes":"+/8=""#)
            && said(&TWICE).contains(r#""fileWithBytes":"Ky84PQ==""#)
    );
}

#[test]
fn data_is_found_with_and_without_its_inner_object() {
    for (part, expected) in [
        (r#"{"data":{"data":{"a":1}}}"#, r#"{"a":1}"#),
        (r#"{"data":{"a":1}}"#, r#"{"a":1}"#),
        (r#"{"data":{"data":{"a":1},"b":2}}"#, r#"{"data":{"a":1},"b":2}"#),
        (r#"{"data":{}}"#, "{}"),
    ] {
        assert!(matches!(content(&ONCE, part), Content::Data(json) if json.get() == expected), "{part}");
    }
    assert_eq!(send(&with_part(r#"{"data":{"data":[1]}}"#)).unwrap_err(), ["message.content[0].data.data"]);
}

#[test]
fn o08_what_is_missing_or_wrong_is_named() {
    assert_eq!(send("{}").unwrap_err(), ["message"]);
    assert_eq!(send(r#"{"message":{},"request":{}}"#).unwrap_err(), ["request"]);
    let empty =
        send(r#"{"message":{"kind":"task","role":"x"},"configuration":{"historyLength":-1}}"#).unwrap_err();
    let expected = ["message.kind", "message.messageId", "message.role", "message.content"];
    assert_eq!(
        (&empty[..4], empty[4].as_str()),
        (&expected.map(str::to_owned)[..], "configuration.historyLength")
    );
    for (part, field) in [
        ("{}", ""),
        (r#"{"text":"a","data":{}}"#, ""),
        (r#"{"kind":"video"}"#, ".kind"),
        (r#"{"data":[1]}"#, ".data"),
        (r#"{"file":{}}"#, ".file"),
        (r#"{"file":{"fileWithUri":"u","fileWithBytes":""}}"#, ".file"),
        (r#"{"file":{"fileWithUri":""}}"#, ".file.fileWithUri"),
        (r#"{"file":{"fileWithBytes":"%"}}"#, ".file.fileWithBytes"),
    ] {
        assert_eq!(send(&with_part(part)).unwrap_err(), [format!("message.content[0]{field}")], "{part}");
    }
}

#[test]
fn r13_a_body_may_name_the_task_as_a_resource() {
    for params in [r#"{"id":"x"}"#, r#"{"id":"x","name":"tasks/x"}"#] {
        assert!(
            matches!(call(&ONCE, Operation::Cancel, params), Ok(Call::Cancel(cancel)) if cancel.id == "x".into())
        );
    }
    for name in ["tasks/y", "x", ""] {
        let params = format!(r#"{{"id":"x","name":"{name}"}}"#);
        assert_eq!(call(&ONCE, Operation::Subscribe, &params).unwrap_err(), ["name"], "{name}");
    }
    assert_eq!(call(&ONCE, Operation::Get, "{}").unwrap_err(), ["id"]);
}

#[test]
fn a_list_is_asked_for_as_in_1_0_with_the_states_of_0_3() {
    assert_eq!(list(r#"{"status":"TASK_STATE_CANCELLED"}"#).unwrap().state, Some(TaskState::Canceled));
    assert_eq!(list(r#"{"historyLength":"0"}"#).unwrap().history_length, None);
    assert_eq!(list(r#"{"status":"working","pageSize":"0"}"#).unwrap_err(), ["status", "pageSize"]);
    let tasks = [submitted(), completed()];
    let page = Page { tasks: &tasks, more: true, page_size: 2, total: 7 };
    let page = text(|buf| ONCE.list_result(buf, &page, &View::default()));
    let page: Value = serde_json::from_str(&page).unwrap();
    check("Task", &page);
    assert_eq!(page.as_array().unwrap().len(), 2);
}

#[test]
fn errors_look_like_this() {
    let refusals = [
        Error::TaskNotFound("t".into()),
        Error::TaskNotCancelable { id: "t".into(), state: TaskState::Completed },
        Error::PushNotSupported,
        Error::UnsupportedOperation("no".to_owned()),
        Error::ContentTypeNotSupported("no".to_owned()),
        Error::invalid("message", "is required"),
        Error::Internal("secret".to_owned()),
        Error::Busy { what: "too many turns", retry_after: Duration::from_secs(2) },
        Error::Draining,
    ]
    .map(EdgeError::from);
    let edge = [
        EdgeError::ExtendedCardNotConfigured,
        EdgeError::InvalidRequest("x".to_owned()),
        EdgeError::Parse("x".to_owned()),
        EdgeError::PayloadTooLarge { limit: 1 },
        EdgeError::VersionNotSupported { requested: "1.0".to_owned(), supported: "0.3" },
        EdgeError::ContentType { given: "text/plain".to_owned() },
        EdgeError::no_such_path("/v1/x"),
        EdgeError::http_verb(&http::Method::PUT, "GET, HEAD".to_owned()),
        EdgeError::ExtensionRequired { uri: "urn:x".to_owned() },
    ];
    let lines = refusals.into_iter().chain(edge).map(|error| {
        let error = WireError::from(error);
        format!("{} {}", status(&error).as_u16(), text(|buf| ONCE.error(buf, &error)))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn d13_a_message_survives_its_own_encoding() {
    let mut task = submitted();
    task.history = vec![message().into()];
    let said = text(|buf| ONCE.task(buf, &task, &View::default()));
    let said: Value = serde_json::from_str(&said).unwrap();
    let read = send(&format!(r#"{{"message":{}}}"#, said["history"][0])).unwrap().message;
    assert_eq!(read.parts.len(), message().parts.len());
    assert!(matches!(&read.parts[1].content, Content::Raw(bytes) if **bytes == [0xfb, 0xff]));
}
