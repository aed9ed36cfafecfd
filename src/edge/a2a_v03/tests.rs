use serde_json::Value;

use super::V03;
use crate::core::command::Send;
use crate::core::message::Content;
use crate::edge::dialect::{Call, Dialect, Operation, StreamEnd};
use crate::edge::testing::{call, completed, failed, streamed, submitted, text};
use crate::edge::view::View;

fn send(params: &str) -> Result<Send, Vec<String>> {
    call(&V03, Operation::Send, params).map(|call| match call {
        Call::Send(send) => send,
        other => panic!("{other:?}"),
    })
}

fn with_part(part: &str) -> String {
    format!(r#"{{"message":{{"kind":"message","messageId":"m","role":"user","parts":[{part}]}}}}"#)
}

#[test]
fn tasks_look_like_this() {
    let tasks =
        [submitted(), completed(), failed()].map(|task| text(|buf| V03.task(buf, &task, &View::default())));
    insta::assert_snapshot!(tasks.join("\n"));
}

#[test]
fn a_stream_looks_like_this() {
    insta::assert_snapshot!(streamed(&V03, StreamEnd::Turn).join("\n"));
}

/// What the published types of 0.3 demand of each object, checked by hand.
#[test]
fn o01_o02_every_object_has_the_fields_of_its_kind() {
    for line in streamed(&V03, StreamEnd::Turn) {
        let value: Value = serde_json::from_str(&line).unwrap();
        let kind = value["kind"].as_str().unwrap();
        assert!(value["contextId"].is_string());
        match kind {
            "task" => assert!(value["id"].is_string() && value["status"]["state"].is_string()),
            "status-update" => assert!(value["taskId"].is_string() && value["final"].is_boolean()),
            "artifact-update" => {
                assert!(value["artifact"]["artifactId"].is_string());
                for part in value["artifact"]["parts"].as_array().unwrap() {
                    assert!(match part["kind"].as_str().unwrap() {
                        "data" => part["data"].is_object(),
                        "file" => part["file"]["uri"].is_string(),
                        "text" => part["text"].is_string(),
                        _ => false,
                    });
                }
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn o02_final_is_said_where_the_stream_closes() {
    let finals = |end| {
        let lines = streamed(&V03, end).join("\n");
        lines.lines().filter(|line| line.contains("\"final\":true")).count()
    };
    assert_eq!(finals(StreamEnd::Turn), 2, "input-required and failed");
    assert_eq!(finals(StreamEnd::Task), 1, "failed");
}

#[test]
fn o12_a_stream_of_a_finished_task_is_one_task_and_a_final_update() {
    let task = completed();
    let mut lines = Vec::new();
    let mut encoder = V03.stream(&task.id, &task.context_id, StreamEnd::Turn, View::default());
    encoder.snapshot(&task, &mut |result| lines.push(serde_json::from_slice::<Value>(result).unwrap()));
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["kind"], &lines[1]["final"]), (&"task".into(), &true.into()));
}

#[test]
fn o03_a_history_length_of_zero_is_all_of_it() {
    for (length, expected) in [("0", None), ("2", Some(2))] {
        match call(&V03, Operation::Get, &format!(r#"{{"id":"t","historyLength":{length}}}"#)) {
            Ok(Call::Get(get)) => assert_eq!(get.history_length, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn sending_waits_unless_blocking_is_false() {
    for (blocking, at_once) in [("", false), (r#""blocking":true"#, false), (r#""blocking":false"#, true)] {
        let request = with_part(r#"{"kind":"text","text":"hi"}"#).replacen(
            '{',
            &format!("{{\"configuration\":{{{blocking}}},"),
            1,
        );
        assert_eq!(send(&request).unwrap().return_immediately, at_once, "{request}");
    }
}

#[test]
fn parts_of_every_kind_are_read() {
    let parts = r#"{"kind":"text","text":"a"},{"text":"no kind"},{"type":"text","text":"as before 0.2"},
        {"kind":"file","file":{"bytes":"+/8=","mimeType":"image/png","name":"a.png"}},
        {"kind":"file","file":{"uri":"https://x"},"metadata":{"m":1.0}},{"kind":"data","data":{"n":1.0}}"#;
    let parts = send(&with_part(parts)).unwrap().message.parts;
    let kinds = parts.iter().map(|part| match &part.content {
        Content::Data(json) => json.get(),
        Content::Raw(_) => "raw",
        Content::Served(_) => "served",
        Content::Text(text) => text,
        Content::Url(url) => url,
    });
    assert_eq!(
        kinds.collect::<Vec<_>>(),
        ["a", "no kind", "as before 0.2", "raw", "https://x", r#"{"n":1.0}"#]
    );
    assert_eq!(parts[3].filename.as_deref(), Some("a.png"));
    assert_eq!(parts[4].metadata.as_deref().unwrap().get(), r#"{"m":1.0}"#);
}

#[test]
fn o08_what_is_missing_or_wrong_is_named() {
    assert_eq!(send("{}").unwrap_err(), ["message"]);
    let empty = send(r#"{"message":{"kind":"task","role":"ROLE_USER"}}"#).unwrap_err();
    assert_eq!(empty, ["message.kind", "message.messageId", "message.role", "message.parts"]);
    for (part, field) in [
        (r#"{"kind":"data","data":[1]}"#, "message.parts[0].data"),
        (r#"{"kind":"file","file":{"uri":"u","bytes":""}}"#, "message.parts[0].file"),
        (r#"{"kind":"file","file":{}}"#, "message.parts[0].file"),
        (r#"{"kind":"video"}"#, "message.parts[0].kind"),
        (r#"{"type":"video","text":"not a text part"}"#, "message.parts[0].type"),
        ("{}", "message.parts[0].kind"),
    ] {
        assert_eq!(send(&with_part(part)).unwrap_err(), [field], "{part}");
    }
}
