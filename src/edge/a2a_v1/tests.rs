use a2a::{ListTasksResponse, SendMessageResponse, StreamResponse, Task as OfficialTask};
use a2a_pb::protojson_conv;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::V1;
use crate::core::command::{List, PageStart, Send};
use crate::core::ids::CountingIds;
use crate::core::message::{Content, Role};
use crate::core::state::TaskState;
use crate::core::task::Task;
use crate::edge::a2a_v03_http::{Once, Twice, V03Http};
use crate::edge::dialect::{Call, Dialect, Operation, Page, StreamEnd};
use crate::edge::testing::{asking, call, completed, failed, json, message, streamed, submitted, text};
use crate::edge::view::View;

/// Both official decoders must take `text`.
fn official<T: protojson_conv::ProtoJsonPayload + serde::de::DeserializeOwned>(text: &str) -> T {
    protojson_conv::from_str::<T>(text).unwrap_or_else(|error| panic!("a2a-pb: {error}: {text}"));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("a2a-lf: {error}: {text}"))
}

fn page(tasks: &[Task], more: bool) -> String {
    text(|buf| V1.list_result(buf, &Page { tasks, more, page_size: 50, total: 7 }, &View::default()))
}

fn send(params: &str) -> Result<Send, Vec<String>> {
    call(&V1, Operation::Send, params).map(|call| match call {
        Call::Send(send) => send,
        other => panic!("{other:?}"),
    })
}

fn list(params: &str) -> Result<List, Vec<String>> {
    call(&V1, Operation::List, params).map(|call| match call {
        Call::List(list) => list,
        other => panic!("{other:?}"),
    })
}

/// A request whose message has `members` beside what it must have.
fn with(members: &str) -> String {
    format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{{"text":"hi"}}]{members}}}}}"#)
}

fn with_part(part: &str) -> String {
    format!(r#"{{"message":{{"messageId":"m","role":"ROLE_USER","parts":[{part}]}}}}"#)
}

#[test]
fn tasks_look_like_this() {
    let tasks =
        [submitted(), completed(), failed()].map(|task| text(|buf| V1.task(buf, &task, &View::default())));
    insta::assert_snapshot!(tasks.join("\n"));
}

#[test]
fn a_stream_looks_like_this() {
    insta::assert_snapshot!(streamed(&V1, StreamEnd::Turn).join("\n"));
}

#[test]
fn d01_d04_official_types_take_every_form() {
    for task in [submitted(), completed(), failed(), asking()] {
        official::<OfficialTask>(&text(|buf| V1.task(buf, &task, &View::default())));
        official::<SendMessageResponse>(&text(|buf| V1.send_result(buf, &task, &View::default())));
    }
    for line in streamed(&V1, StreamEnd::Task) {
        official::<StreamResponse>(&line);
    }
    let listed: ListTasksResponse = official(&page(&[submitted(), completed()], true));
    assert_eq!((listed.tasks.len(), listed.page_size, listed.total_size), (2, 50, 7));
}

#[test]
fn d12_nothing_of_03_is_said() {
    for line in streamed(&V1, StreamEnd::Turn) {
        for name in ["\"kind\":\"message", "\"kind\":\"t", "\"final\"", "\"index\""] {
            assert!(!line.replace("\"kind\":\"tool\"", "").contains(name), "{name} in {line}");
        }
    }
}

#[test]
fn the_conversation_id_never_leaves() {
    let task = completed();
    let said = text(|buf| V1.task(buf, &task, &View::default())) + &streamed(&V1, StreamEnd::Turn).concat();
    assert!(!said.contains("conversation-1"));
}

#[test]
fn l04_d11_an_empty_list_has_all_four_fields() {
    assert_eq!(page(&[], false), r#"{"tasks":[],"nextPageToken":"","pageSize":50,"totalSize":7}"#);
}

#[test]
fn l02_the_next_page_begins_after_the_last_task() {
    let first = page(&[submitted(), completed()], true);
    let token = serde_json::from_str::<ListTasksResponse>(&first).unwrap().next_page_token;
    let next = list(&format!(r#"{{"pageToken":"{token}"}}"#)).unwrap();
    let task = completed();
    assert_eq!(next.start, PageStart::After { at: task.status.at, id: task.id });
    assert!(!token.contains(['+', '/', '=']));
}

/// The table of departures that other decoders make from ProtoJSON, one change at a time.
#[test]
fn j15_input_is_read_as_protojson() {
    let base = send(&with("")).unwrap();
    assert_eq!((base.message.role, base.message.id.as_str()), (Role::User, "m"));
    let snake = r#"{"message":{"message_id":"m","role":1,"parts":[{"text":"hi","media_type":"text/x"}]}}"#;
    let snake = send(snake).unwrap();
    assert_eq!((snake.message.role, snake.message.id.as_str()), (Role::User, "m"));
    assert_eq!(snake.message.parts[0].media_type.as_deref(), Some("text/x"));
    for nulls in [r#","contextId":null,"taskId":null"#, r#","extensions":null,"metadata":null"#, ""] {
        let send = send(&with(nulls)).unwrap();
        assert!(send.message.context_id.is_none() && send.message.metadata.is_none());
    }
    for length in ["\"5\"", "5.0", "5"] {
        let params = format!(r#"{{"id":"t","historyLength":{length}}}"#);
        match call(&V1, Operation::Get, &params) {
            Ok(Call::Get(get)) => assert_eq!(get.history_length, Some(5)),
            other => panic!("{length}: {other:?}"),
        }
    }
    assert!(send(&with(r#","unknown":{"deep":[1]},"kind":"message""#)).is_ok(), "j14");
    assert_eq!(send(&with(r#","metadata":3"#)).unwrap_err(), ["message.metadata"]);
    assert_eq!(send(&with(r#","messageId":"n""#)).unwrap_err(), ["message.messageId"]);
    let no_parts = r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":null}}"#;
    assert_eq!(send(no_parts).unwrap_err(), ["message.parts"]);
}

#[test]
fn j07_every_missing_or_wrong_field_is_named() {
    assert_eq!(send("{}").unwrap_err(), ["message"]);
    assert_eq!(send("null").unwrap_err(), ["message"]);
    assert_eq!(send("[]").unwrap_err(), ["params"]);
    assert_eq!(
        send(r#"{"message":{},"configuration":{"historyLength":-1},"metadata":[]}"#).unwrap_err(),
        ["message.messageId", "message.role", "message.parts", "configuration.historyLength", "metadata"],
        "all of them, g06 among them"
    );
    let two = r#"{"message":{"messageId":"","role":"user","parts":[{"text":1},{"url":""},{"text":"x"}]}}"#;
    let fields = ["message.messageId", "message.role", "message.parts[0].text", "message.parts[1].url"];
    assert_eq!(send(two).unwrap_err(), fields);
}

#[test]
fn d05_part_with_two_contents_is_refused() {
    for part in [r#"{"text":"a","url":"https://x"}"#, r#"{"text":"a","data":1}"#, "{}", r#"{"text":null}"#] {
        assert_eq!(send(&with_part(part)).unwrap_err(), ["message.parts[0]"], "{part}");
    }
}

#[test]
fn d07_data_is_any_value_and_null_only_where_it_stands_alone() {
    let content = |part: &str| send(&with_part(part)).unwrap().message.parts.remove(0).content;
    for value in ["null", "[]", "3", "\"s\"", "{}"] {
        match content(&format!(r#"{{"data":{value}}}"#)) {
            Content::Data(json) => assert_eq!(json.get(), value),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(content(r#"{"text":"a","raw":null,"url":null,"data":null}"#), Content::Text(_)));
}

#[test]
fn d06_raw_is_base64_of_any_kind() {
    for raw in ["+/8=", "-_8"] {
        match send(&with_part(&format!(r#"{{"raw":"{raw}"}}"#))).unwrap().message.parts.remove(0).content {
            Content::Raw(bytes) => assert_eq!(&*bytes, [0xfb, 0xff]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(send(&with_part(r#"{"raw":"%"}"#)).unwrap_err(), ["message.parts[0].raw"]);
}

#[test]
fn d13_numbers_of_users_keep_their_digits() {
    let numbers = "[9007199254740993,1.0,1e400,-0.0,0.10000000000000000055]";
    let request = with_part(&format!(r#"{{"data":{numbers},"metadata":{{"n":{numbers}}}}}"#));
    let sent = send(&request).unwrap();
    let mut task = submitted();
    task.history = vec![sent.message.into()];
    let said = text(|buf| V1.task(buf, &task, &View::default()));
    assert!(said.contains(&format!(r#"{{"data":{numbers},"metadata":{{"n":{numbers}}}}}"#)), "{said}");
}

#[test]
fn d15_a_message_of_the_agent_is_accepted() {
    let request = r#"{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"hi"}]}}"#;
    assert_eq!(send(request).unwrap().message.role, Role::Agent);
    assert_eq!(send(&request.replace("ROLE_AGENT", "ROLE_UNSPECIFIED")).unwrap_err(), ["message.role"]);
}

#[test]
fn ids_are_bounded_and_the_empty_text_is_absence() {
    assert!(send(&with(r#","contextId":"""#)).unwrap().message.context_id.is_none());
    for bad in ["x".repeat(513), "a\\u0000b".to_owned(), "a\\u009fb".to_owned()] {
        assert_eq!(send(&with(&format!(r#","contextId":"{bad}""#))).unwrap_err(), ["message.contextId"]);
    }
    assert!(send(&with(&format!(r#","contextId":"{}""#, "x".repeat(512)))).is_ok());
    assert_eq!(call(&V1, Operation::Get, r#"{"id":""}"#).unwrap_err(), ["id"]);
    let parts = vec![r#"{"text":""}"#; 101].join(",");
    assert_eq!(send(&with_part(&parts)).unwrap_err(), ["message.parts"]);
}

#[test]
fn s03_s11_configuration_is_read() {
    let configuration = r#""configuration":{"returnImmediately":true,"historyLength":0,
        "acceptedOutputModes":["text/plain"],"taskPushNotificationConfig":{"url":"https://x"}}}"#;
    let request = with("").trim_end_matches('}').to_owned() + "}," + configuration;
    let send = send(&request).unwrap();
    assert!(send.return_immediately && send.wants_push);
    assert_eq!(send.history_length, Some(0));
}

#[test]
fn l06_l09_l11_lists_refuse_what_they_cannot_mean() {
    let default = list("{}").unwrap();
    assert_eq!((default.page_size, default.include_artifacts), (50, false));
    assert_eq!(default.start, PageStart::Offset(0));
    let full = r#"{"contextId":"c","status":"TASK_STATE_WORKING","pageSize":100,"pageToken":"",
        "statusTimestampAfter":"2026-01-01T00:00:00+01:00","includeArtifacts":true}"#;
    let full = list(full).unwrap();
    assert_eq!((full.state, full.page_size), (Some(TaskState::Working), 100));
    assert!(full.include_artifacts && full.status_after.is_some());
    assert_eq!(list(r#"{"status":"TASK_STATE_UNSPECIFIED"}"#).unwrap().state, None);
    for (params, field) in [
        (r#"{"pageSize":0}"#, "pageSize"),
        (r#"{"pageSize":101}"#, "pageSize"),
        (r#"{"pageToken":"bm9uc2Vuc2U"}"#, "pageToken"),
        (r#"{"pageToken":"%%"}"#, "pageToken"),
        (r#"{"status":"working"}"#, "status"),
        (r#"{"historyLength":-1}"#, "historyLength"),
        (r#"{"statusTimestampAfter":"yesterday"}"#, "statusTimestampAfter"),
    ] {
        assert_eq!(list(params).unwrap_err(), [field], "{params}");
    }
}

#[test]
fn d13_a_message_survives_its_own_encoding() {
    let mut task = submitted();
    task.history = vec![message().into()];
    let said = text(|buf| V1.task(buf, &task, &View::default()));
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let read = send(&format!(r#"{{"message":{}}}"#, said["history"][0])).unwrap().message;
    assert_eq!(read.parts.len(), message().parts.len());
    assert_eq!(read.reference_task_ids, message().reference_task_ids);
    assert_eq!(read.metadata.unwrap().get(), json(r#"{"trace":"x"}"#).get());
}

/// JSON of any shape, with the names that decoders look for among its members.
fn any_json() -> impl Strategy<Value = String> {
    let names =
        "message|messages|parts|text|data|raw|url|kind|type|file|role|configuration|id|taskId|pageSize|x";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<f32>().prop_filter("finite", |f| f.is_finite()).prop_map(|value| value.to_string()),
        "\\PC{0,8}|user|ROLE_USER|text|file|data".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((names, inner), 0..6).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_a_decoder_panic(text in any_json()) {
        let params: Box<RawValue> = serde_json::from_str(&text).unwrap();
        let over_http: [&dyn Dialect; 2] = [&V03Http::<Once>::DIALECT, &V03Http::<Twice>::DIALECT];
        let dialects: [&dyn Dialect; 3] = [&V1, &crate::edge::a2a_v03::V03, &crate::edge::legacy::Legacy];
        for dialect in dialects.into_iter().chain(over_http) {
            for operation in [Operation::Send, Operation::Get, Operation::List, Operation::Cancel] {
                drop(dialect.call(operation, Some(&params), &CountingIds::default()));
            }
        }
    }
}
