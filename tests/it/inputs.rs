//! Values for an app's inputs, from every place where callers put them to the body that Dify gets; and what becomes
//! of those that are wrong or missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::support::app::{recorded_json, refusal};
use super::support::client::{Event, send};
use super::support::dify_frames::{answer, frame, ping};
use super::support::say::{
    URI, artifact, facts, say, say_03, say_in, say_old, say_to, state, violations, violations_old,
};
use super::support::{App, Client, FakeDify, Gateway, Received, Reply, Step};

async fn sent(client: &Client, params: &Value) -> Value {
    client.result("SendMessage", params).await["task"].clone()
}

fn is(task: &Value, expected: &str) {
    assert_eq!(state(task), expected, "{task}");
}

/// The names of the inputs that a task asks for; it must name each in its text too.
fn asked(status: &Value) -> Vec<String> {
    let parts = status["message"]["parts"].as_array().unwrap_or_else(|| panic!("{status}"));
    let text = parts[0]["text"].as_str().expect("text");
    let schema = &parts[1]["data"]["inputs"];
    let names: Vec<String> = schema["required"]
        .as_array()
        .unwrap_or_else(|| panic!("{status}"))
        .iter()
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect();
    for name in &names {
        assert!(text.contains(name.as_str()), "{name} is not in {text:?}");
        assert!(schema["properties"][name].is_object(), "{schema}");
    }
    assert_eq!(schema["properties"].as_object().expect("properties").len(), names.len());
    names
}

/// The last status of a stream in 1.0.
fn last_status(events: &[Event]) -> Value {
    let last = &events.last().expect("an event").data["result"];
    let status = if last["task"].is_object() { &last["task"] } else { &last["statusUpdate"] };
    status["status"].clone()
}

fn with_form(mut parameters: Value, form: Value) -> Value {
    parameters["user_input_form"] = form;
    parameters
}

#[tokio::test]
async fn a_workflow_takes_data_text_or_both() {
    let app = App::recorded("1.14.2", "workflow_ok").await;
    let gateway = app.gateway(&[]).await;
    for (parts, inputs, unused_text) in [
        (json!([{"data": {"text": "a", "times": 3}}]), json!({"text": "a", "times": 3}), false),
        (json!([{"text": "b"}]), json!({"text": "b"}), false),
        (json!([{"text": "c"}, {"data": {"times": "2"}}]), json!({"text": "c", "times": "2"}), false),
        (json!([{"data": {"inputs": {"text": "d"}}}]), json!({"text": "d"}), false),
        (json!([{"text": "e"}, {"data": {"text": "f"}}]), json!({"text": "f"}), true),
    ] {
        // Each in a context of its own: what was given before is sent again.
        let task = sent(&gateway.client, &say(parts)).await;
        is(&task, "COMPLETED");
        let turn = app.turns().await.pop().expect("a turn");
        assert_eq!(turn.path, "/v1/workflows/run");
        assert_eq!(
            turn.body,
            json!({"inputs": inputs, "user": task["contextId"], "response_mode": "streaming"})
        );
        let outputs = artifact(&task, "outputs").expect("outputs");
        assert_eq!(
            outputs["parts"],
            json!([{"data": {"text": "done"}, "mediaType": "application/json"}]),
            "{task}"
        );
        assert_eq!(artifact(&task, "answer").expect("an answer")["parts"], json!([{"text": "done"}]));
        assert_eq!(facts(&task)["memory"], false, "{task}");
        assert_eq!(facts(&task).get("unusedText"), unused_text.then_some(&json!(true)), "{task}");
    }
}

#[tokio::test]
async fn dify_query_input_says_where_the_text_goes() {
    let text = |name: &str| json!({"text-input": {"variable": name, "label": name, "required": false}});
    let form = json!([text("first"), text("second")]);
    let parameters = with_form(recorded_json("1.14.2/parameters_workflow_ok"), form);
    let info = recorded_json("1.14.2/info_workflow_ok");
    let app = App::of("1.14.2", info, parameters, |_| None).await;
    let gateway = app.gateway(&[("DIFY_QUERY_INPUT", "second")]).await;
    is(&gateway.client.send("hello", None).await, "COMPLETED");
    assert_eq!(app.inputs().await, [json!({"second": "hello"})]);
    // Without the setting nobody knows which of the two is meant.
    let gateway = app.gateway(&[]).await;
    let error = gateway.client.error("SendMessage", &send("hello", None)).await;
    assert_eq!(error["code"], -32004, "{error}");
    assert!(error["message"].as_str().expect("text").contains("DIFY_QUERY_INPUT"), "{error}");
    is(&sent(&gateway.client, &say(json!([{"data": {"first": "x"}}]))).await, "COMPLETED");
    assert_eq!(app.inputs().await[1..], [json!({"first": "x"})]);
}

#[tokio::test]
async fn a_pinned_version_is_in_the_path_of_workflows_and_in_the_body_of_chatflows() {
    let id = "676bb90e-7fe7-4297-b96a-e376fb8c9d64";
    let pinned = [("DIFY_WORKFLOW_ID", id)];
    for (name, path, in_body) in [
        ("workflow_ok", format!("/v1/workflows/{id}/run"), Value::Null),
        ("chatflow_echo", "/v1/chat-messages".to_owned(), json!(id)),
        ("completion", "/v1/completion-messages".to_owned(), Value::Null),
    ] {
        let app = App::recorded("1.14.2", name).await;
        is(&app.gateway(&pinned).await.client.send("hello", None).await, "COMPLETED");
        let turn = app.turns().await.pop().expect("a turn");
        assert_eq!((turn.path, &turn.body["workflow_id"]), (path, &in_body), "{name}");
    }
}

#[tokio::test]
async fn a_text_generator_takes_the_text_as_its_input() {
    let app = App::recorded("1.14.2", "completion").await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("hello", Some("c")).await;
    is(&task, "COMPLETED");
    assert_eq!(facts(&task)["memory"], false);
    let turn = app.turns().await.pop().expect("a turn");
    assert_eq!(turn.path, "/v1/completion-messages");
    assert_eq!(
        turn.body,
        json!({"inputs": {"query": "hello"}, "user": "c", "response_mode": "streaming"}),
        "no conversation, no name for one"
    );
    // What was said is not remembered, so the second message needs its own.
    gateway.client.send("again", Some("c")).await;
    assert_eq!(app.inputs().await[1], json!({"query": "again"}));
}

#[tokio::test]
async fn later_places_win_and_each_is_read_plainly_and_under_our_name() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let defaults = [("DIFY_INPUTS", r#"{"topic": "default", "words": 1.0, "notes": "by the operator"}"#)];
    let gateway = app.gateway(&defaults).await;
    let plain = |topic: &str| json!({"inputs": {"topic": topic}});
    let ours = |topic: &str| json!({URI: {"inputs": {"topic": topic}}, "inputs": "somebody else's"});
    for under in [&plain as &dyn Fn(&str) -> Value, &ours] {
        let mut params = say(json!([{"text": "hi"}]));
        for (place, expected) in [
            ("", "default"),
            ("request", "by the request"),
            ("message", "by the message"),
            ("part", "by the data part"),
        ] {
            let message = &mut params["message"];
            message["messageId"] = format!("{place} {}", under("")).into();
            match place {
                "part" => message["parts"] = json!([{"text": "hi"}, {"data": {"topic": expected}}]),
                "message" => message["metadata"] = under(expected),
                "request" => params["metadata"] = under(expected),
                _ => {}
            }
            is(&sent(&gateway.client, &params).await, "COMPLETED");
            let inputs = app.inputs().await.pop().expect("inputs");
            assert_eq!(inputs, json!({"topic": expected, "words": 1.0, "notes": "by the operator"}));
        }
    }
}

#[tokio::test]
async fn what_only_the_operator_sets_is_sent_and_never_told() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway =
        app.gateway(&[("DIFY_INPUTS", r#"{"notes": "hush-hush"}"#), ("DIFY_LOCKED_INPUTS", "notes")]).await;
    let task = sent(&gateway.client, &say(json!([{"text": "hi"}, {"data": {"topic": "t"}}]))).await;
    is(&task, "COMPLETED");
    assert_eq!(app.inputs().await, [json!({"topic": "t", "notes": "hush-hush"})]);
    assert!(!task.to_string().contains("hush"), "{task}");
    let params = say(json!([{"text": "hi"}, {"data": {"topic": "t", "notes": "mine"}}]));
    let error = gateway.client.error("SendMessage", &params).await;
    assert_eq!(error["code"], -32602);
    let [(field, why)] = &violations(&error)[..] else { panic!("{error}") };
    assert!(field.starts_with("message.parts[1].data") && why.contains("operator"), "{error}");
    assert!(!error.to_string().contains("hush"), "{error}");
    let card = gateway.client.http.get(format!("{}/.well-known/agent-card.json", gateway.client.base));
    let card = card.send().await.expect("an answer").text().await.expect("a body");
    assert!(card.contains("topic") && !card.contains("hush") && !card.contains("notes"), "{card}");
    assert_eq!(app.turns().await.len(), 1);
}

#[tokio::test]
async fn numbers_reach_dify_with_all_their_digits() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    for number in
        ["1.0", "12345678901234567890", "123456789012345678901234567890.10", "1.50e2", "-0", "\"7\""]
    {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{{"messageId":{id},
               "role":"ROLE_USER","parts":[{{"text":"hi"}},{{"data":{{"topic":"t","words":{number}}}}}]}}}}}}"#,
            id = json!(number)
        );
        let request = gateway.client.http.post(format!("{}/a2a", gateway.client.base));
        let request = request.header("Content-Type", "application/json").body(body);
        let task: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        is(&task["result"]["task"], "COMPLETED");
        let turn = app.turns().await.pop().expect("a turn");
        assert!(turn.text.contains(&format!("\"words\":{number}}}")), "{number}: {}", turn.text);
    }
}

#[tokio::test]
async fn values_that_the_app_does_not_know_are_not_sent_and_told() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let data = json!({"topic": "t", "color": "red", "size": {"deep": 1}});
    let task = sent(&gateway.client, &say(json!([{"text": "hi"}, {"data": data}]))).await;
    is(&task, "COMPLETED");
    assert_eq!(facts(&task)["unusedInputs"], json!(["color", "size"]), "{task}");
    let parts = json!([{"kind": "text", "text": "hi"}, {"kind": "data", "data": data}]);
    let task = gateway.client.result("message/send", &say_03(None, parts)).await;
    assert_eq!(facts(&task)["unusedInputs"], json!(["color", "size"]), "{task}");
    assert_eq!(app.inputs().await, [json!({"topic": "t"}), json!({"topic": "t"})]);
}

/// A workflow with every kind of input.
async fn every_kind() -> App {
    let file = |kind: &str, name: &str| {
        json!({kind: {
            "variable": name, "label": name, "type": kind, "required": false, "max_length": 2,
            "allowed_file_types": ["image", "document"], "allowed_file_extensions": [],
            "allowed_file_upload_methods": ["remote_url"]
        }})
    };
    let item = |kind: &str, name: &str, more: Value| {
        let mut members = json!({"variable": name, "label": name, "type": kind, "required": false});
        for (name, value) in more.as_object().expect("an object") {
            members[name] = value.clone();
        }
        json!({ kind: members })
    };
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]});
    let form = json!([
        item("text-input", "line", json!({"max_length": 3})),
        item("paragraph", "text", json!({"max_length": 5})),
        item("select", "choice", json!({"options": ["formal", "casual"]})),
        item("number", "count", json!({})),
        item("checkbox", "flag", json!({})),
        item("json_object", "object", json!({"json_schema": schema.to_string()})),
        file("file", "doc"),
        file("file-list", "docs"),
    ]);
    let parameters = with_form(recorded_json("1.14.2/parameters_workflow_ok"), form);
    App::of("1.14.2", recorded_json("1.14.2/info_workflow_ok"), parameters, |_| None).await
}

/// Wrong values, each with the end of the field that is named and a word of the complaint (Dify:
/// `base_app_generator.py` `_validate_inputs`, `file_factory`).
fn wrong_values() -> Vec<(Value, &'static str, &'static str)> {
    let remote = |kind: &str, url: &str| json!({"type": kind, "transfer_method": "remote_url", "url": url});
    let good = "https://example.com/a.png";
    vec![
        (json!({"line": 5}), ".line", "string"),
        (json!({"line": "äöüß"}), ".line", "at most 3"),
        (json!({"line": {"a": 1}}), ".line", "string"),
        (json!({"text": ["x"]}), ".text", "string"),
        (json!({"text": "123456"}), ".text", "at most 5"),
        (json!({"choice": "rude"}), ".choice", "\"formal\", \"casual\""),
        (json!({"choice": 1}), ".choice", "string"),
        (json!({"choice": ""}), ".choice", "one of"),
        (json!({"count": "many"}), ".count", "number"),
        (json!({"count": true}), ".count", "number"),
        (json!({"count": [1]}), ".count", "number"),
        (json!({"flag": "maybe"}), ".flag", "true or false"),
        (json!({"flag": 2}), ".flag", "true or false"),
        (json!({"object": "text"}), ".object", "object"),
        (json!({"object": [1]}), ".object", "object"),
        (json!({"object": {"age": "old"}}), ".object", "/age"),
        (json!({"object": {}}), ".object", "age"),
        (json!({"doc": "a.png"}), ".doc", "one file"),
        (json!({"doc": [remote("image", good)]}), ".doc", "one file"),
        (json!({"doc": {"type": "image"}}), ".doc.transfer_method", "required"),
        (json!({"doc": {"type": "image", "transfer_method": "pigeon"}}), ".doc.transfer_method", "must be"),
        (
            json!({"doc": {"type": "image", "transfer_method": "local_file", "upload_file_id": "x"}}),
            ".doc.transfer_method",
            "not allowed",
        ),
        (json!({"doc": remote("video", good)}), ".doc.type", "not allowed"),
        (json!({"doc": remote("custom", good)}), ".doc.type", "not allowed"),
        (json!({"doc": remote("image", "")}), ".doc.url", "address"),
        (json!({"doc": remote("image", "ftp://example.com/a.png")}), ".doc.url", "address"),
        (json!({"docs": remote("image", good)}), ".docs", "list of files"),
        (json!({"docs": ["a.png"]}), ".docs", "list of files"),
        (json!({"docs": [remote("image", good), remote("image", "nowhere")]}), ".docs[1].url", "address"),
        (
            json!({"docs": [remote("image", good), remote("image", good), remote("image", good)]}),
            ".docs",
            "at most 2",
        ),
    ]
}

#[tokio::test]
async fn every_kind_of_wrong_value_is_refused_in_every_dialect_before_dify_is_asked() {
    let app = every_kind().await;
    let gateway = app.gateway(&[]).await;
    let client = &gateway.client;
    for (data, end, word) in wrong_values() {
        let v1 = say(json!([{ "data": data }]));
        let v03 = say_03(None, json!([{"kind": "data", "data": data}]));
        let old = json!([{"type": "data", "data": data}]);
        let mut told = Vec::new();
        for (method, params) in [("SendMessage", &v1), ("message/send", &v03)] {
            let error = client.error(method, params).await;
            told.push((error["code"].clone(), violations(&error)));
        }
        for (method, params) in [("SendStreamingMessage", &v1), ("message/stream", &v03)] {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let text = client.post(&body).await.text().await.expect("a body");
            let answer: Value =
                serde_json::from_str(text.trim().trim_start_matches("data: ")).expect("one answer");
            told.push((answer["error"]["code"].clone(), violations(&answer["error"])));
        }
        let error = client.error("message.send", &say_old(false, old.clone())).await;
        told.push((error["code"].clone(), violations_old(&error)));
        let events = client.stream("message.send", &say_old(true, old)).await.all().await;
        let [event] = &events[..] else { panic!("{events:?}") };
        told.push((event.data["error"]["code"].clone(), violations_old(&event.data["error"])));
        for (code, violations) in told {
            let [(field, why)] = &violations[..] else { panic!("{data}: {violations:?}") };
            assert_eq!((code, field), (json!(-32602), &format!("message.parts[0].data{end}")), "{data}");
            assert!(why.contains(word), "{data}: {why:?} without {word:?}");
        }
    }
    let several = say(json!([{"data": {"line": 1, "count": "x", "flag": []}}]));
    assert_eq!(violations(&client.error("SendMessage", &several).await).len(), 3, "all at once");
    assert!(app.turns().await.is_empty() && app.uploads().await.is_empty());
    assert_eq!(client.result("ListTasks", &json!({})).await["totalSize"], 0, "no task is made of it");
}

#[tokio::test]
async fn values_that_dify_would_take_are_taken() {
    let app = every_kind().await;
    let gateway = app.gateway(&[]).await;
    for (given, sent_on) in [
        (json!({"line": "äöü", "text": ""}), json!({"line": "äöü", "text": ""})),
        (json!({"count": "1_000", "choice": "casual"}), json!({"count": "1_000", "choice": "casual"})),
        (json!({"count": "", "flag": null}), json!({})),
        (
            json!({"flag": "yes", "object": {"age": 3, "more": [1]}}),
            json!({"flag": true, "object": {"age": 3, "more": [1]}}),
        ),
        (json!({"flag": 0}), json!({"flag": false})),
    ] {
        let task = sent(&gateway.client, &say(json!([{ "data": given }]))).await;
        is(&task, "COMPLETED");
        assert_eq!(app.inputs().await.pop().expect("inputs"), sent_on, "{given}");
    }
}

#[tokio::test]
async fn what_is_missing_is_asked_for_and_a_data_part_or_a_text_gives_it() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    for (parts, topic) in [
        (json!([{"data": {"topic": "dogs"}}]), "dogs"),
        (json!([{"text": "Here you are"}, {"data": {"topic": "cats", "tone": "formal"}}]), "cats"),
        (json!([{"text": " birds \n"}]), "birds"),
    ] {
        let before = app.turns().await.len();
        let task = gateway.client.send("Tell me a story", None).await;
        is(&task, "INPUT_REQUIRED");
        assert_eq!(asked(&task["status"]), ["topic"]);
        let property = &task["status"]["message"]["parts"][1]["data"]["inputs"]["properties"]["topic"];
        assert_eq!(
            property,
            &json!({"title": "Topic", "type": "string", "maxLength": 200, "x-dify-type": "text-input"})
        );
        assert_eq!(app.turns().await.len(), before, "Dify is not asked yet");
        let done = sent(&gateway.client, &say_to(&task, parts)).await;
        is(&done, "COMPLETED");
        assert_eq!((&done["id"], &done["contextId"]), (&task["id"], &task["contextId"]));
        let roles = done["history"].as_array().expect("a history").iter().map(|said| &said["role"]);
        assert_eq!(roles.collect::<Vec<_>>(), ["ROLE_USER", "ROLE_AGENT", "ROLE_USER"]);
        let turn = app.turns().await.pop().expect("a turn");
        assert_eq!(
            (&turn.body["query"], &turn.body["inputs"]["topic"]),
            (&json!("Tell me a story"), &json!(topic))
        );
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_question_and_the_answer_streams_on() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let client = &gateway.client;
    let events = client.stream("SendStreamingMessage", &say(json!([{"text": "hi"}]))).await.all().await;
    let status = last_status(&events);
    assert_eq!(status["state"], "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(asked(&status), ["topic"]);
    let task = &events[0].data["result"]["task"];
    let params = say_to(task, json!([{"data": {"topic": "dogs"}}]));
    let events = client.stream("SendStreamingMessage", &params).await.all().await;
    assert_eq!(events[0].data["result"]["task"]["id"], task["id"]);
    assert_eq!(last_status(&events)["state"], "TASK_STATE_COMPLETED");
    assert_eq!(app.inputs().await, [json!({"topic": "dogs"})]);
}

#[tokio::test]
async fn older_clients_are_asked_too() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let client = &gateway.client;
    let text = json!([{"kind": "text", "text": "hi"}]);
    let task = client.result("message/send", &say_03(None, text.clone())).await;
    assert_eq!(task["status"]["state"], "input-required");
    assert_eq!(task["status"]["message"]["parts"][1]["kind"], "data");
    assert_eq!(asked(&task["status"]), ["topic"]);
    let data = json!([{"kind": "data", "data": {"topic": "dogs"}}]);
    let done = client.result("message/send", &say_03(Some(&task), data.clone())).await;
    assert_eq!((&done["id"], &done["status"]["state"]), (&task["id"], &json!("completed")));

    let events = client.stream("message/stream", &say_03(None, text)).await.all().await;
    let last = &events.last().expect("an event").data["result"];
    assert_eq!((&last["status"]["state"], &last["final"]), (&json!("input-required"), &json!(true)));
    assert_eq!(asked(&last["status"]), ["topic"]);
    let task = &events[0].data["result"];
    let events = client.stream("message/stream", &say_03(Some(task), data)).await.all().await;
    let last = &events.last().expect("an event").data["result"];
    assert_eq!((&last["status"]["state"], &last["final"]), (&json!("completed"), &json!(true)));

    let text = json!([{"type": "text", "text": "hi"}]);
    let task = client.result("message.send", &say_old(false, text)).await;
    assert_eq!(task["status"], "input-required", "{task}");
    let mut params = say_old(true, json!([{"type": "data", "data": {"topic": "dogs"}}]));
    params["taskId"] = task["id"].clone();
    let events = client.stream("message.send", &params).await.all().await;
    assert_eq!(events.last().expect("an event").data["result"]["status"], "completed");
    assert_eq!(app.inputs().await, vec![json!({"topic": "dogs"}); 3]);
}

/// A chatflow that requires `topic` and `audience`.
async fn two_required() -> App {
    let mut parameters = recorded_json("1.14.2/parameters_chatflow_inputs");
    let audience = json!({"text-input": {"variable": "audience", "label": "For whom", "required": true, "max_length": 8}});
    parameters["user_input_form"].as_array_mut().expect("a form").push(audience);
    App::of("1.14.2", recorded_json("1.14.2/info_chatflow_inputs"), parameters, |_| None).await
}

#[tokio::test]
async fn inputs_are_given_step_by_step_and_a_wrong_answer_leaves_the_question_open() {
    let app = two_required().await;
    let gateway = app.gateway(&[]).await;
    let client = &gateway.client;
    let task = client.send("hi", None).await;
    assert_eq!(asked(&task["status"]), ["topic", "audience"]);
    for (parts, field) in [
        (json!([{"text": "which of the two?"}]), "message.parts"),
        (json!([{"data": {"topic": 5}}]), "message.parts[0].data.topic"),
        (json!([{"data": {"audience": "far too many"}}]), "message.parts[0].data.audience"),
        (json!([{"text": " "}]), "message.parts"),
    ] {
        let error = client.error("SendMessage", &say_to(&task, parts)).await;
        assert_eq!((&error["code"], violations(&error)[0].0.as_str()), (&json!(-32602), field), "{error}");
        is(&client.task(task["id"].as_str().expect("an id")).await, "INPUT_REQUIRED");
    }
    let again = sent(client, &say_to(&task, json!([{"data": {"topic": "dogs"}}]))).await;
    is(&again, "INPUT_REQUIRED");
    assert_eq!(asked(&again["status"]), ["audience"]);
    assert!(app.turns().await.is_empty());
    let error = client.error("SendMessage", &say_to(&task, json!([{"text": "far too many"}]))).await;
    assert_eq!(error["code"], -32602, "{error}");
    is(&sent(client, &say_to(&task, json!([{"text": "kids"}]))).await, "COMPLETED");
    assert_eq!(app.inputs().await, [json!({"topic": "dogs", "audience": "kids"})]);
}

#[tokio::test]
async fn an_answer_that_sets_what_is_the_operators_leaves_the_question_open() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway =
        app.gateway(&[("DIFY_INPUTS", r#"{"notes": "hush-hush"}"#), ("DIFY_LOCKED_INPUTS", "notes")]).await;
    let task = gateway.client.send("hi", None).await;
    is(&task, "INPUT_REQUIRED");
    let params = say_to(&task, json!([{"data": {"topic": "dogs", "notes": "mine"}}]));
    let error = gateway.client.error("SendMessage", &params).await;
    assert_eq!((&error["code"], violations(&error).len()), (&json!(-32602), 1), "{error}");
    is(&gateway.client.task(task["id"].as_str().expect("an id")).await, "INPUT_REQUIRED");
    is(&sent(&gateway.client, &say_to(&task, json!([{"text": "dogs"}]))).await, "COMPLETED");
    assert_eq!(app.inputs().await, [json!({"topic": "dogs", "notes": "hush-hush"})]);
}

#[tokio::test]
async fn a_task_that_asks_can_be_canceled_and_takes_nothing_after_that() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("hi", None).await;
    is(&task, "INPUT_REQUIRED");
    let canceled = gateway.client.result("CancelTask", &json!({"id": task["id"]})).await;
    is(&canceled, "CANCELED");
    let late = say_to(&task, json!([{"data": {"topic": "dogs"}}]));
    assert_eq!(gateway.client.error("SendMessage", &late).await["code"], -32004);
    assert!(app.requests().await.iter().all(|request| request.method.as_str() == "GET"));
}

#[tokio::test]
async fn missing_inputs_are_refused_where_that_is_wanted() {
    let app = two_required().await;
    let gateway = app.gateway(&[("MISSING_INPUTS", "reject")]).await;
    let error = gateway.client.error("SendMessage", &say(json!([{"text": "hi"}]))).await;
    assert_eq!(error["code"], -32602);
    let fields: Vec<String> = violations(&error).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["inputs.topic", "inputs.audience"]);
    assert_eq!(gateway.client.result("ListTasks", &json!({})).await["totalSize"], 0);
    let data = json!({"topic": "dogs", "audience": "kids"});
    is(&sent(&gateway.client, &say(json!([{"text": "hi"}, {"data": data}]))).await, "COMPLETED");
    assert_eq!(app.turns().await.len(), 1);
}

#[tokio::test]
async fn a_context_remembers_its_inputs_and_no_other_does() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let client = &gateway.client;
    let text = json!({"text": "hi"});
    for data in [
        Some(json!({"topic": "dogs", "words": 12345678901234567890_u64})),
        None,
        Some(json!({"tone": "formal", "topic": "cats"})),
        None,
    ] {
        let parts: Vec<Value> =
            std::iter::once(text.clone()).chain(data.map(|data| json!({ "data": data }))).collect();
        is(&sent(client, &say_in("c", json!(parts))).await, "COMPLETED");
    }
    let first = json!({"topic": "dogs", "words": 12345678901234567890_u64});
    let then = json!({"topic": "cats", "tone": "formal", "words": 12345678901234567890_u64});
    assert_eq!(app.inputs().await, [first.clone(), first, then.clone(), then]);
    // What was refused is not remembered, and neither is it shared.
    let wrong = say_in("c", json!([text, {"data": {"topic": "birds", "words": "x"}}]));
    assert_eq!(client.error("SendMessage", &wrong).await["code"], -32602);
    is(&sent(client, &say_in("c", json!([text]))).await, "COMPLETED");
    assert_eq!(app.inputs().await[4]["topic"], "cats");
    is(&sent(client, &say_in("other", json!([text]))).await, "INPUT_REQUIRED");
}

#[tokio::test]
async fn inputs_that_a_task_asked_for_are_remembered_too() {
    let app = App::recorded("1.14.2", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("hi", Some("c")).await;
    is(&sent(&gateway.client, &say_to(&task, json!([{"text": "dogs"}]))).await, "COMPLETED");
    is(&gateway.client.send("and now?", Some("c")).await, "COMPLETED");
    assert_eq!(app.inputs().await, vec![json!({"topic": "dogs"}); 2]);
}

#[tokio::test]
async fn a_workflow_remembers_what_was_set_and_not_what_was_said() {
    let app = App::recorded("1.14.2", "workflow_ok").await;
    let gateway = app.gateway(&[]).await;
    sent(&gateway.client, &say_in("c", json!([{"text": "one"}, {"data": {"times": 2}}]))).await;
    gateway.client.send("two", Some("c")).await;
    assert_eq!(app.inputs().await, [json!({"text": "one", "times": 2}), json!({"text": "two", "times": 2})]);
}

#[tokio::test]
async fn an_old_dify_keeps_the_first_inputs_and_the_caller_is_told() {
    let app = App::recorded("0.15.3", "chatflow_inputs").await;
    let gateway = app.gateway(&[]).await;
    let client = &gateway.client;
    let parts = |data: Value| json!([{"text": "hi"}, {"data": data}]);
    is(&sent(client, &say_in("c", json!([{"text": "hi"}]))).await, "INPUT_REQUIRED");
    let task = sent(client, &say_in("c", parts(json!({"topic": "dogs"})))).await;
    is(&task, "COMPLETED");
    assert!(facts(&task).get("keptInputs").is_none());
    // Dify has them, so nothing is asked for.
    is(&client.send("again", Some("c")).await, "COMPLETED");
    let task = sent(client, &say_in("c", parts(json!({"topic": "cats", "tone": "formal"})))).await;
    is(&task, "COMPLETED");
    assert_eq!(facts(&task)["keptInputs"], json!(["tone", "topic"]), "{task}");
    let task = sent(client, &say_in("c", parts(json!({"topic": "dogs"})))).await;
    assert!(facts(&task).get("keptInputs").is_none(), "the same again changes nothing: {task}");
}

/// The recorded chatflow before its author asks for a topic.
fn earlier() -> Value {
    with_form(recorded_json("1.14.2/parameters_chatflow_inputs"), json!([]))
}

#[tokio::test]
async fn what_dify_refuses_for_a_missing_input_is_asked_for_when_the_author_has_republished() {
    let info = recorded_json("1.14.2/info_chatflow_inputs");
    let app = App::of("1.12.1", info, earlier(), |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let lacks = request.url.path() == "/v1/chat-messages" && body["inputs"]["topic"].is_null();
        lacks.then(|| refusal(400, "invalid_param", "topic is required in input form"))
    })
    .await;
    let gateway = app.gateway(&[]).await;
    // The form says that nothing is required, so the refusal is the end of it.
    let task = gateway.client.send("hi", None).await;
    assert_eq!(
        (state(&task), &task["status"]["message"]["metadata"]["code"]),
        ("FAILED", &json!("invalid_param"))
    );
    app.publish(recorded_json("1.14.2/parameters_chatflow_inputs"));
    let task = gateway.client.send("hello", None).await;
    is(&task, "INPUT_REQUIRED");
    assert_eq!(asked(&task["status"]), ["topic"]);
    is(&sent(&gateway.client, &say_to(&task, json!([{"text": "dogs"}]))).await, "COMPLETED");
    let turn = app.turns().await.pop().expect("a turn");
    assert_eq!((&turn.body["query"], &turn.body["inputs"]), (&json!("hello"), &json!({"topic": "dogs"})));
    // From now on it is known beforehand.
    let turns = app.turns().await.len();
    is(&gateway.client.send("hello", None).await, "INPUT_REQUIRED");
    assert_eq!(app.turns().await.len(), turns);
}

/// A chatflow that is republished with a required input once the gateway knows it, and then answers like this to
/// whoever gives none.
async fn republished(lacking: fn(&Received) -> Reply) -> (FakeDify, Gateway) {
    let is_new = Arc::new(AtomicBool::new(false));
    let published = Arc::clone(&is_new);
    let chat = move |received: &Received| match received.body["inputs"]["topic"].is_null() {
        true => lacking(received),
        false => Reply::bytes(answer(received, "t", &["done"])),
    };
    let dify = FakeDify::with("1.14.2", chat, move |received| match received.path.as_str() {
        "/v1/info" => Some(Reply::json(200, &recorded_json("1.14.2/info_chatflow_inputs"))),
        "/v1/parameters" if published.load(Ordering::SeqCst) => {
            Some(Reply::json(200, &recorded_json("1.14.2/parameters_chatflow_inputs")))
        }
        "/v1/parameters" => Some(Reply::json(200, &earlier())),
        _ => None,
    })
    .await;
    let gateway = Gateway::before(&dify, &[("DIFY_FIRST_EVENT_TIMEOUT", "300ms")]).await;
    is_new.store(true, Ordering::SeqCst);
    (dify, gateway)
}

/// Has the task ask, and answers.
async fn asks_and_is_answered((dify, gateway): (FakeDify, Gateway)) {
    let task = gateway.client.send("hi", None).await;
    is(&task, "INPUT_REQUIRED");
    assert_eq!(asked(&task["status"]), ["topic"]);
    is(&sent(&gateway.client, &say_to(&task, json!([{"data": {"topic": "dogs"}}]))).await, "COMPLETED");
    let inputs: Vec<Value> = dify.chats().iter().map(|chat| chat.body["inputs"].clone()).collect();
    assert_eq!(inputs, [json!({}), json!({"topic": "dogs"})]);
}

#[tokio::test]
async fn silence_about_a_missing_input_is_asked_about_when_the_author_has_republished() {
    asks_and_is_answered(republished(|_| Reply::stream(vec![Step::Send(ping()), Step::Hang])).await).await;
}

#[tokio::test]
async fn a_run_that_failed_at_once_for_a_missing_input_is_asked_about_likewise() {
    // Dify 1.16 makes up a run that fails.
    asks_and_is_answered(
        republished(|_| {
            let run = |event: &str, data: Value| {
                frame(&json!({"event": event, "task_id": "r", "workflow_run_id": "r", "data": data}))
            };
            let failed = json!({"id": "r", "status": "failed", "outputs": null,
                "error": "topic is required in input form", "elapsed_time": 0.0, "exceptions_count": 1});
            Reply::bytes(
                [ping(), run("workflow_started", json!({"id": "r"})), run("workflow_finished", failed)]
                    .concat(),
            )
        })
        .await,
    )
    .await;
    // Dify 1.15 says so in an error without a code.
    asks_and_is_answered(
        republished(|_| {
            let error = json!({"event": "error", "message": "topic is required in input form"});
            Reply::stream(vec![Step::Send([ping(), frame(&error)].concat()), Step::Hang])
        })
        .await,
    )
    .await;
}
