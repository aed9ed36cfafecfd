use serde_json::Value;

use super::Legacy;
use crate::core::command::{List, PageStart, Send};
use crate::core::error::Error;
use crate::core::message::{Content, Role};
use crate::core::state::TaskState;
use crate::edge::dialect::{Call, Dialect, Operation, Page, StreamEnd};
use crate::edge::error::WireError;
use crate::edge::testing::{asking, call, completed, failed, streamed, submitted, text};
use crate::edge::view::View;

fn send(params: &str) -> Result<(Send, bool), Vec<String>> {
    call(&Legacy, Operation::Stream, params).map(|call| match call {
        Call::Send(send) => (send, false),
        Call::SendStreaming(send) => (send, true),
        other => panic!("{other:?}"),
    })
}

fn list(params: &str) -> Result<List, Vec<String>> {
    call(&Legacy, Operation::List, params).map(|call| match call {
        Call::List(list) => list,
        other => panic!("{other:?}"),
    })
}

#[test]
fn tasks_look_like_this() {
    let tasks = [submitted(), completed(), failed()]
        .map(|task| text(|buf| Legacy.task(buf, &task, &View::default())));
    insta::assert_snapshot!(tasks.join("\n"));
}

#[test]
fn a_stream_looks_like_this() {
    insta::assert_snapshot!(streamed(&Legacy, StreamEnd::Turn).join("\n"));
}

#[test]
fn the_text_of_a_stream_joined_is_the_answer() {
    let answer: String = streamed(&Legacy, StreamEnd::Turn)
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|result| Some(result["artifact"]["parts"][0]["text"].as_str()?.to_owned()))
        .collect();
    assert_eq!(answer, "Hello\u{2029}");
}

#[test]
fn a_stream_that_joins_late_is_given_what_was_said() {
    let mut task = completed();
    let mut status = (*task.status).clone();
    status.state = TaskState::Working;
    task.status = status.into();
    let mut lines = Vec::new();
    let mut encoder = Legacy.stream(&task.id, &task.context_id, StreamEnd::Turn, View::default());
    encoder.snapshot(&task, &mut |result| lines.push(serde_json::from_slice::<Value>(result).unwrap()));
    assert_eq!((&lines[0]["status"], lines.len()), (&"running".into(), 4));
    assert_eq!(lines[1]["artifact"]["parts"][0]["text"], "Hello \"Alice\"\n");
    assert_eq!(lines[2]["artifact"]["parts"][0]["data"]["n"], 1.0);
    assert_eq!(lines[3]["artifact"]["parts"][0]["uri"], "/files/f-1");
}

#[test]
fn a_task_that_waits_says_for_what() {
    let task = asking();
    let said: Value = serde_json::from_str(&text(|buf| Legacy.task(buf, &task, &View::default()))).unwrap();
    assert_eq!(said["status"], "input-required");
    let last = said["history"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["role"], &last["parts"][0]["text"]), (&"agent".into(), &"Shall I?".into()));
    assert_eq!(last["parts"][1]["data"]["form"], 1);
}

#[test]
fn both_forms_of_a_message_are_read() {
    let new = r#"{"contextId":"c","messages":[{"role":"agent","parts":[{"type":"text","text":"old"}]},
        {"role":"user","parts":[{"type":"text","text":"My name is Alice"},
        {"type":"file","name":"a","uri":"https://x"},{"type":"data","data":{"n":1.0}}]}]}"#;
    let (send_new, stream) = send(new).unwrap();
    assert!(stream, "streaming is the default");
    assert_eq!(send_new.message.parts.len(), 3);
    assert_eq!(send_new.message.parts[0].as_text(), Some("My name is Alice"));
    assert_eq!((send_new.message.role, send_new.message.context_id.unwrap().as_str()), (Role::User, "c"));
    assert!(!send_new.message.id.as_str().is_empty());
    let old = r#"{"messages":[{"role":"user","content":"Hi"}],"stream":false}"#;
    let (send_old, stream) = send(old).unwrap();
    assert!(!stream && send_old.message.context_id.is_none());
    assert!(matches!(&send_old.message.parts[0].content, Content::Text(text) if text == "Hi"));
    let inner =
        r#"{"messages":[{"role":"user","content":"Hi"}],"configuration":{"stream":false},"stream":true}"#;
    assert!(!send(inner).unwrap().1, "configuration wins");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    assert_eq!(send("{}").unwrap_err(), ["messages"]);
    assert_eq!(send(r#"{"messages":[]}"#).unwrap_err(), ["messages"]);
    let wrong = r#"{"messages":[{"role":"system","parts":[{"kind":"text","text":"x"}]}],"stream":"no"}"#;
    assert_eq!(send(wrong).unwrap_err(), ["messages[0].role", "messages[0].parts[0].type", "stream"]);
    assert_eq!(send(r#"{"messages":[{"role":"user"}]}"#).unwrap_err(), ["messages[0].parts"]);
    assert_eq!(call(&Legacy, Operation::Get, r#"{"id":"t"}"#).unwrap_err(), ["taskId"]);
}

#[test]
fn lists_are_paged_by_limit_and_offset() {
    let default = list("{}").unwrap();
    assert_eq!((default.page_size, default.start), (10, PageStart::Offset(0)));
    let some = list(r#"{"contextId":"c","status":"running","limit":2,"offset":4}"#).unwrap();
    assert_eq!((some.page_size, some.start), (2, PageStart::Offset(4)));
    assert_eq!(some.state, Some(TaskState::Working));
    assert_eq!(list(r#"{"limit":0,"offset":-1,"status":"done"}"#).unwrap_err().len(), 3);
    let page = Page { tasks: &[submitted()], more: true, page_size: 1, total: 9 };
    let said: Value =
        serde_json::from_str(&text(|buf| Legacy.list_result(buf, &page, &View::default()))).unwrap();
    assert_eq!((&said["total"], &said["tasks"][0]["id"]), (&9.into(), &"task-1".into()));
}

#[test]
fn errors_have_code_message_and_data() {
    let said = |error: Error| text(|buf| Legacy.error(buf, &WireError::from(error)));
    let lines = [said(Error::TaskNotFound("t".into())), said(Error::invalid("messages", "is required"))];
    insta::assert_snapshot!(lines.join("\n"));
}
