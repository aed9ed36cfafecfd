//! Missing inputs: asked for, given, refused, remembered; and what Dify itself says of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::inputs::{asked, is, last_status, sent, with_form};
use super::support::app::{recorded_json, refusal};
use super::support::dify_frames::{answer, frame, ping};
use super::support::say::{facts, say, say_03, say_in, say_old, say_to, state, violations};
use super::support::{App, FakeDify, Gateway, Received, Reply, Step};

#[tokio::test]
async fn s02_x05_what_is_missing_is_asked_for_and_a_data_part_or_a_text_gives_it() {
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
async fn t06_a_stream_ends_with_the_question_and_the_answer_streams_on() {
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
async fn o05_older_clients_are_asked_too() {
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

#[tokio::test]
async fn a_message_that_waits_for_the_one_before_it_counts_on_what_that_one_gave() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&gate);
    let dify = FakeDify::with(
        "1.14.2",
        move |received| match received.said() {
            "first" => Reply::stream(vec![
                Step::Wait(Arc::clone(&held)),
                Step::Send(answer(received, "t", &["done"])),
            ]),
            _ => Reply::bytes(answer(received, "t", &["done"])),
        },
        |received| match received.path.as_str() {
            "/v1/info" => Some(Reply::json(200, &recorded_json("1.14.2/info_chatflow_inputs"))),
            "/v1/parameters" => Some(Reply::json(200, &recorded_json("1.14.2/parameters_chatflow_inputs"))),
            _ => None,
        },
    )
    .await;
    let gateway = Gateway::before(&dify, &[("MISSING_INPUTS", "reject")]).await;
    let mut tasks = Vec::new();
    for parts in [json!([{"text": "first"}, {"data": {"topic": "dogs"}}]), json!([{"text": "second"}])] {
        let mut params = say_in("c", parts);
        params["configuration"] = json!({"returnImmediately": true});
        tasks.push(sent(&gateway.client, &params).await);
    }
    gate.notify_one();
    for task in &tasks {
        gateway.client.until(task["id"].as_str().expect("an id"), "TASK_STATE_COMPLETED").await;
    }
    let inputs: Vec<Value> = dify.chats().iter().map(|chat| chat.body["inputs"].clone()).collect();
    assert_eq!(inputs, vec![json!({"topic": "dogs"}); 2]);
}

#[tokio::test]
async fn s16_inputs_are_checked_before_dify_is_asked_although_it_was_away_at_the_start() {
    let is_there = Arc::new(AtomicBool::new(false));
    let came_back = Arc::clone(&is_there);
    let app = App::answering("1.14.2", "chatflow_inputs", move |_| {
        (!came_back.load(Ordering::SeqCst)).then(|| refusal(503, "unavailable", "starting"))
    })
    .await;
    let gateway = app.gateway(&[]).await;
    is_there.store(true, Ordering::SeqCst);
    // What the app wants is known only once the task is begun, so it is the task that is refused.
    let task = sent(&gateway.client, &say(json!([{"text": "hi"}, {"data": {"topic": 5}}]))).await;
    is(&task, "REJECTED");
    let message = &task["status"]["message"];
    assert_eq!(message["metadata"]["source"], "caller");
    assert!(message["parts"][0]["text"].as_str().expect("text").contains("parts[1].data.topic"), "{message}");
    is(&gateway.client.send("hi", None).await, "INPUT_REQUIRED");
    assert!(app.turns().await.is_empty());
}
