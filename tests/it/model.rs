//! The data model of 1.0 on the wire: every name, value and time that an answer or an event has.

use serde_json::{Value, json};

use super::support::app::{events, finished, ran};
use super::support::client::send;
use super::support::say::{artifact, say, say_to, state};
use super::support::{App, FakeDify, Gateway};

/// Everything that a client of 1.0 is told of tasks of every kind: answers and events, by what they tell of.
async fn told() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let file = json!({"dify_model_identity": "__dify__file__", "related_id": "f", "filename": "a.png",
        "url": "https://1.1.1.1/a.png", "transfer_method": "remote_url", "mime_type": "image/png"});
    let outputs = json!({"text": "done", "count": 3, "picture": file});
    let run = App::answering("1.14.2", "workflow_ok", move |request| {
        (request.url.path() == "/v1/workflows/run").then(|| events(&ran(&outputs)))
    });
    let failing = App::answering("1.14.2", "workflow_ok", |request| {
        (request.url.path() == "/v1/workflows/run").then(|| events(&finished("failed", &json!({}))))
    });
    let asking = App::recorded("1.14.2", "chatflow_inputs");
    let chat = App::recorded("1.14.2", "chat_basic");
    for (name, app) in
        [("run", run.await), ("failing", failing.await), ("asking", asking.await), ("chat", chat.await)]
    {
        let gateway = app.gateway(&[]).await;
        let client = &gateway.client;
        let sent = client.result("SendMessage", &send("x", None)).await;
        let id = sent["task"]["id"].clone();
        all.push((format!("{name}: sent"), sent));
        let stream = client.stream("SendStreamingMessage", &send("x", None)).await.all().await;
        all.extend(
            stream.into_iter().map(|event| (format!("{name}: streamed"), event.data["result"].clone())),
        );
        all.push((format!("{name}: read"), client.result("GetTask", &json!({"id": id})).await));
        all.push((
            format!("{name}: listed"),
            client.result("ListTasks", &json!({"includeArtifacts": true})).await,
        ));
        if name == "asking" {
            all.push((format!("{name}: canceled"), client.result("CancelTask", &json!({"id": id})).await));
        }
        let card = client.http.get(format!("{}/.well-known/agent-card.json", client.base));
        let card: Value = card.send().await.expect("an answer").json().await.expect("JSON");
        if name == "chat" {
            all.push((format!("{name}: card"), card));
        }
    }
    all
}

/// Visits every member below `value` but what is in `skipped`.
fn visit<'v>(value: &'v Value, skipped: &[&str], each: &mut dyn FnMut(&'v str, &'v Value, &'v Value)) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                each(name, inner, value);
                if !skipped.contains(&name.as_str()) {
                    visit(inner, skipped, each);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| visit(inner, skipped, each)),
        _ => {}
    }
}

#[tokio::test]
async fn d01_d12_names_are_camel_case_and_none_is_of_0_3() {
    let mut names = std::collections::BTreeSet::new();
    for (what, value) in told().await {
        // What is in data parts is the app's.
        visit(&value, &["data"], &mut |name, _, _| {
            let is_uri = name.contains(':');
            let is_camel = name.starts_with(|first: char| first.is_ascii_lowercase())
                && name.chars().all(|it| it.is_ascii_alphanumeric());
            assert!(is_uri || is_camel, "{name} in {what}: {value}");
        });
        // A step of ours has a kind, in the metadata that is ours.
        visit(&value, &["data", "metadata"], &mut |name, _, _| {
            assert!(!["kind", "final", "index"].contains(&name), "{name} in {what}: {value}");
            names.insert(name.to_owned());
        });
    }
    // What came of it is what was to be looked at.
    for name in
        ["contextId", "artifactId", "messageId", "lastChunk", "nextPageToken", "mediaType", "statusUpdate"]
    {
        assert!(names.contains(name), "{name} never came: {names:?}");
    }
}

#[tokio::test]
async fn d02_d03_d09_d10_tasks_have_ids_and_states_in_words_at_a_time() {
    let (mut states, mut tasks) = (std::collections::BTreeSet::new(), 0);
    for (what, value) in told().await {
        visit(&value, &["data", "metadata"], &mut |name, inner, _| {
            if name == "state" {
                let state = inner.as_str().unwrap_or_else(|| panic!("{what}: {inner}"));
                assert!(
                    state.starts_with("TASK_STATE_") && state != "TASK_STATE_UNSPECIFIED",
                    "{what}: {state}"
                );
                states.insert(state.to_owned());
            }
            if name == "role" {
                assert!(
                    ["ROLE_USER", "ROLE_AGENT"].map(|role| json!(role)).contains(inner),
                    "{what}: {inner}"
                );
            }
            if name == "timestamp" {
                let text = inner.as_str().expect("text");
                let shape: String =
                    text.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
                assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{what}");
            }
            if name == "status" {
                assert!(inner["state"].is_string() && inner["timestamp"].is_string(), "{what}: {inner}");
            }
        });
        let listed = value["tasks"].as_array().into_iter().flatten();
        let bare = Some(&value).filter(|value| value.get("status").is_some());
        for task in listed.chain(value.get("task")).chain(bare) {
            tasks += 1;
            for id in ["id", "contextId"] {
                assert!(task[id].as_str().is_some_and(|id| !id.is_empty()), "{what}: no {id} in {task}");
            }
            assert!(task["status"]["state"].is_string(), "{what}: {task}");
        }
    }
    assert!(tasks >= 16, "{tasks} tasks");
    let seen = ["CANCELED", "COMPLETED", "FAILED", "INPUT_REQUIRED", "SUBMITTED", "WORKING"];
    assert_eq!(states.into_iter().collect::<Vec<_>>(), seen.map(|state| format!("TASK_STATE_{state}")));
}

#[tokio::test]
async fn d04_d08_messages_and_artifacts_are_whole() {
    let (mut of_agent, mut most) = (0, 0);
    for (what, value) in told().await {
        visit(&value, &["data", "metadata"], &mut |name, inner, around| {
            if name == "messageId" {
                assert!(inner.as_str().is_some_and(|id| !id.is_empty()), "{what}");
                assert!(
                    around["parts"].as_array().is_some_and(|parts| !parts.is_empty()),
                    "{what}: {around}"
                );
                assert!(around["role"].is_string(), "{what}: {around}");
                for id in ["contextId", "taskId"] {
                    assert!(around[id].is_string(), "{what}: no {id} in {around}");
                }
                of_agent += usize::from(around["role"] == "ROLE_AGENT");
            }
            if name == "artifactId" {
                assert!(inner.as_str().is_some_and(|id| !id.is_empty()), "{what}");
                assert!(
                    around["parts"].as_array().is_some_and(|parts| !parts.is_empty()),
                    "{what}: {around}"
                );
            }
            if name == "artifacts" {
                let mut ids: Vec<&str> = inner
                    .as_array()
                    .expect("a list")
                    .iter()
                    .filter_map(|it| it["artifactId"].as_str())
                    .collect();
                let count = ids.len();
                most = most.max(count);
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), count, "{what}: {inner}");
            }
            if name == "parts" {
                for part in inner.as_array().expect("a list") {
                    let contents =
                        ["text", "raw", "url", "data"].iter().filter(|it| part.get(**it).is_some());
                    assert_eq!(contents.count(), 1, "{what}: {part}");
                }
            }
        });
    }
    assert!(of_agent >= 4 && most == 3, "{of_agent} messages, {most} artifacts");
}

#[tokio::test]
async fn d13_what_clients_add_comes_back_as_it_was() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    // To the letter, as a client may write it; numbers that no double holds among it.
    let metadata =
        r#"{"urn:theirs":{"n":9007199254740993,"f":1.0,"e":1E400,"list":[null,true]},"trace_id":"x"}"#;
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{{"messageId":"m-1","role":"ROLE_USER",
        "extensions":["urn:theirs"],"metadata":{metadata},"parts":[{{"text":"x","metadata":{metadata}}}]}}}}}}"#
    );
    let url = format!("{}/a2a", gateway.client.base);
    let post =
        |body: String| gateway.client.http.post(&url).header("Content-Type", "application/json").body(body);
    let sent = post(body).send().await.expect("an answer").text().await.expect("a body");
    let task: Value = serde_json::from_str(&sent.replace("1E400", "1")).expect("JSON");
    let id = &task["result"]["task"]["id"];
    let get = json!({"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": id}}).to_string();
    let read = post(get).send().await.expect("an answer").text().await.expect("a body");
    for answer in [sent, read] {
        assert_eq!(answer.matches(metadata).count(), 2, "of the message and of its part: {answer}");
        assert!(answer.contains(r#""extensions":["urn:theirs"]"#) && answer.contains("\"m-1\""), "{answer}");
    }
}

#[tokio::test]
async fn d14_results_are_artifacts_and_no_messages() {
    for (what, value) in told().await {
        assert!(value.get("message").is_none(), "{what}: {value}");
        let tasks = value["tasks"].as_array().into_iter().flatten().chain(value.get("task"));
        for task in tasks.filter(|task| state(task) == "COMPLETED") {
            assert!(!task["artifacts"].as_array().expect("artifacts").is_empty(), "{what}: {task}");
            assert!(task["status"].get("message").is_none(), "{what}: {task}");
            let history = task["history"].as_array().into_iter().flatten();
            assert!(history.clone().all(|message| message["role"] == "ROLE_USER"), "{what}: {task}");
        }
    }
}

#[tokio::test]
async fn d15_a_message_in_the_agents_role_is_taken_like_another() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut params = send("as you said", None);
    params["message"]["role"] = json!("ROLE_AGENT");
    let task = gateway.client.result("SendMessage", &params).await["task"].clone();
    assert_eq!(artifact(&task, "answer").expect("an answer")["parts"][0]["text"], "You said: as you said");
    assert_eq!(task["history"][0]["role"], "ROLE_AGENT");
}

#[tokio::test]
async fn d07_data_may_be_any_json_and_what_the_app_cannot_use_is_no_wrong_field() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("x", None).await;
    for value in [json!(null), json!([1, "a"]), json!(3), json!("s"), json!(true), json!({"a": {}})] {
        // Whether this app can do anything with it is another matter, and its error tells so.
        let answer = gateway.client.rpc("SendMessage", &say_to(&task, json!([{"data": value}]))).await;
        let error = answer["error"].to_string();
        assert!(!error.contains("exactly one") && !error.contains("-32600"), "{value}: {answer}");
    }
    let done =
        gateway.client.result("SendMessage", &say_to(&task, json!([{"data": {"topic": "dogs"}}]))).await;
    assert_eq!(state(&done["task"]), "COMPLETED");
}

#[tokio::test]
async fn d16_any_text_survives_both_ways() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let long = "ü€🦀 \"\\/\u{0}\u{7f}\u{2028}\u{2029}\u{85}\u{feff}\u{fffd}\r\n\t".repeat(40_000);
    assert!(long.len() > 1024 * 1024);
    for text in ["你好，世界 👩‍👩‍👧‍👦 e\u{301} \u{202e}abc", "  blanks around  ", "</script>&amp;<b>", &long]
    {
        let task = gateway.client.send(text, None).await;
        assert_eq!(state(&task), "COMPLETED");
        let came = dify.chats().pop().expect("a message").said().to_owned();
        // But for NUL, which Dify's database cannot keep.
        let expected = text.replace('\0', "");
        assert!(came == expected, "to Dify: {} bytes of {}", came.len(), text.len());
        let read = gateway.client.task(task["id"].as_str().expect("an id")).await;
        assert!(read["history"][0]["parts"] == json!([{"text": text}]), "kept");
        let said = read["artifacts"][0]["parts"][0]["text"].as_str().expect("text");
        assert!(
            said.strip_prefix("You said: ") == Some(expected.as_str()),
            "from Dify: {} bytes",
            said.len()
        );
    }
    // An empty text is a part like others.
    let sent = gateway.client.result("SendMessage", &say(json!([{"text": ""}, {"text": "x"}]))).await;
    assert_eq!(sent["task"]["history"][0]["parts"], json!([{"text": ""}, {"text": "x"}]));
    assert_eq!(dify.chats().pop().expect("a message").said().trim(), "x");
}
