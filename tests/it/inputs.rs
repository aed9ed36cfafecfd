//! Values for an app's inputs, from every place where callers put them to the body that Dify gets; and what becomes
//! of those that are wrong or missing.

use serde_json::{Value, json};

use super::support::app::recorded_json;
use super::support::client::{Event, send};
use super::support::say::{URI, artifact, facts, say, say_03, say_old, state, violations, violations_old};
use super::support::{App, Client};

pub async fn sent(client: &Client, params: &Value) -> Value {
    client.result("SendMessage", params).await["task"].clone()
}

pub fn is(task: &Value, expected: &str) {
    assert_eq!(state(task), expected, "{task}");
}

/// The names of the inputs that a task asks for; it must name each in its text too.
pub fn asked(status: &Value) -> Vec<String> {
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
pub fn last_status(events: &[Event]) -> Value {
    let last = &events.last().expect("an event").data["result"];
    let status = if last["task"].is_object() { &last["task"] } else { &last["statusUpdate"] };
    status["status"].clone()
}

pub fn with_form(mut parameters: Value, form: Value) -> Value {
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
            json!({
                "inputs": inputs, "user": task["contextId"], "response_mode": "streaming",
                "trace_id": task["history"][0]["messageId"]
            })
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
        json!({
            "inputs": {"query": "hello"}, "user": "c", "response_mode": "streaming",
            "trace_id": task["history"][0]["messageId"]
        }),
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
