//! What an answer has beside its text: sources, costs, steps, speech, questions to go on with; and the trace that a
//! turn belongs to.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::Notify;
use wiremock::{Request, ResponseTemplate};

use super::support::app::{chat_event, events, finished, recorded, recorded_json, refusal, stream};
use super::support::client::{Event, send, send_03, send_old};
use super::support::dify_frames::{frame, message};
use super::support::say::{URI, artifact, artifact_ids, facts, say, state};
use super::support::{App, FakeDify, Gateway, Reply, Step};

pub fn is(task: &Value, expected: &str) {
    assert_eq!(state(task), expected, "{task}");
}

/// A recorded app whose turns are these bytes.
pub async fn playing(app: &str, body: impl Into<Vec<u8>>) -> App {
    let body = body.into();
    App::answering("1.14.2", app, move |request| {
        let is_turn = request.method.as_str() == "POST" && !request.url.path().ends_with("/stop");
        is_turn.then(|| stream(body.clone()))
    })
    .await
}

pub fn text_of(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// A whole answer with this metadata at its end.
pub fn with_metadata(metadata: Value) -> String {
    text_of(&[
        chat_event("message", json!({"answer": "You have 12 days left [1]."})),
        chat_event("message_end", json!({"metadata": metadata})),
    ])
}

#[tokio::test]
async fn sources_are_a_data_part_behind_the_answer() {
    let source = json!({
        "position": 1, "dataset_id": "secret-dataset", "dataset_name": "Handbook", "document_id": "secret-document",
        "document_name": "leave.md", "data_source_type": "upload_file", "segment_id": "secret-segment",
        "retriever_from": "api", "score": 0.87, "content": "Each year has 30 days. ".repeat(100)
    });
    let body = with_metadata(json!({"retriever_resources": [source, {"position": 2}]}));
    let app = playing("chat_basic", body).await;
    let gateway = app.gateway(&[]).await;
    let check = |parts: &Value| {
        assert_eq!(parts[0]["text"], "You have 12 days left [1].");
        let citations = &parts[1]["data"]["citations"];
        assert_eq!(citations.as_array().map(Vec::len), Some(2), "{parts}");
        let first = &citations[0];
        assert_eq!(
            (&first["datasetName"], &first["documentName"], &first["score"]),
            (&json!("Handbook"), &json!("leave.md"), &json!(0.87))
        );
        let excerpt = first["excerpt"].as_str().expect("an excerpt");
        assert!(excerpt.starts_with("Each year") && excerpt.chars().count() <= 300);
        assert_eq!(citations[1], json!({"position": 2}));
    };
    let task = gateway.client.send("x", None).await;
    check(&artifact(&task, "answer").expect("an answer")["parts"]);
    assert!(!task.to_string().contains("secret-"), "{task}");
    let events = gateway.client.stream("SendStreamingMessage", &send("x", None)).await.all().await;
    let closes = |event: &&Event| event.data["result"]["artifactUpdate"]["lastChunk"] == true;
    let close = events.iter().find(closes).expect("the end of the answer");
    check(&close.data["result"]["artifactUpdate"]["artifact"]["parts"]);
    let task = gateway.client.result("message/send", &send_03("x", None)).await;
    check(&artifact(&task, "answer").expect("an answer")["parts"]);
    // Who wants text alone gets text alone.
    let mut params = send("x", None);
    params["configuration"] = json!({"acceptedOutputModes": ["text/plain"]});
    let task = gateway.client.result("SendMessage", &params).await["task"].clone();
    assert_eq!(artifact(&task, "answer").expect("an answer")["parts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn an_answer_that_people_wrote_says_so() {
    let reply =
        json!({"id": "secret-annotation", "account": {"id": "secret-account", "name": "Owner Secret"}});
    let app = playing("chat_basic", with_metadata(json!({"annotation_reply": reply}))).await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("x", None).await;
    assert_eq!(facts(&task)["annotated"], true, "{task}");
    assert!(!task.to_string().to_lowercase().contains("secret"), "{task}");
}

#[tokio::test]
async fn costs_are_told_as_dify_counts_them() {
    let app = playing("chatflow_echo", recorded("1.14.2/chatflow_llm_first_turn")).await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("hello model", None).await;
    is(&task, "COMPLETED");
    for told in [facts(&task), &artifact(&task, "answer").expect("an answer")["metadata"][URI]] {
        let usage = &told["usage"];
        assert_eq!(
            (&usage["promptTokens"], &usage["totalTokens"], &usage["totalPrice"], &usage["currency"]),
            (&json!(13), &json!(18), &json!("0.0000230"), &json!("USD")),
            "{told}"
        );
    }
    let mut params = send_old("hello model", "c");
    params["configuration"]["stream"] = json!(false);
    let task = gateway.client.result("message.send", &params).await;
    assert_eq!(task["metadata"]["tokens"], json!({"prompt": 13, "completion": 5, "total": 18}));
    assert!(task["metadata"]["execution_time_ms"].is_u64(), "{task}");
}

#[tokio::test]
async fn a_run_that_succeeded_in_part_is_a_success_that_says_so() {
    let app =
        playing("workflow_ok", text_of(&finished("partial-succeeded", &json!({"text": "most of it"})))).await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("x", None).await;
    is(&task, "COMPLETED");
    assert_eq!(
        (&facts(&task)["runStatus"], &facts(&task)["exceptions"]),
        (&json!("partial-succeeded"), &json!(2))
    );
    assert_eq!(artifact(&task, "answer").expect("an answer")["parts"][0]["text"], "most of it");
    assert_eq!(
        artifact(&task, "outputs").expect("outputs")["parts"][0]["data"],
        json!({"text": "most of it"})
    );
    for version in ["0.15.3", "1.14.2"] {
        let app = playing("workflow_ok", recorded(&format!("{version}/workflow_partial"))).await;
        let task = app.gateway(&[]).await.client.send("x", None).await;
        is(&task, "COMPLETED");
        assert_eq!(facts(&task)["runStatus"], "partial-succeeded", "{version}: {task}");
    }
    let app = playing("workflow_ok", recorded("1.14.2/workflow_ok")).await;
    let task = app.gateway(&[]).await.client.send("x", None).await;
    assert!(facts(&task).get("runStatus").is_none(), "{task}");
}

#[tokio::test]
async fn only_apps_that_forget_say_that_they_do() {
    for (name, forgets) in
        [("workflow_ok", true), ("completion", true), ("chat_basic", false), ("chatflow_echo", false)]
    {
        let app = App::recorded("1.14.2", name).await;
        let gateway = app.gateway(&[]).await;
        let expected = forgets.then_some(&json!(false)).cloned();
        let task = gateway.client.send("x", Some("c")).await;
        is(&task, "COMPLETED");
        assert_eq!(facts(&task).get("memory").cloned(), expected, "{name}");
        let task = gateway.client.result("message/send", &send_03("x", Some("c"))).await;
        assert_eq!(facts(&task).get("memory").cloned(), expected, "{name}");
        // The context groups the tasks all the same.
        let listed = gateway.client.result("ListTasks", &json!({"contextId": "c"})).await;
        assert_eq!(listed["totalSize"], 2);
        let has_conversation = app.turns().await[1].body.get("conversation_id").is_some();
        assert_eq!(has_conversation, !forgets, "{name}");
    }
}

/// A chatbot that suggests questions, if `is_on`, and answers like this when asked for them.
async fn suggesting(is_on: bool, reply: fn() -> ResponseTemplate) -> App {
    let mut parameters = recorded_json("1.14.2/parameters_chat_basic");
    parameters["suggested_questions_after_answer"]["enabled"] = json!(is_on);
    App::of("1.14.2", recorded_json("1.14.2/info_chat_basic"), parameters, move |request| {
        request.url.path().ends_with("/suggested").then(reply)
    })
    .await
}

/// The requests for questions.
async fn asked_for_questions(app: &App) -> Vec<Request> {
    let requests = app.requests().await.into_iter();
    requests.filter(|request| request.url.path().ends_with("/suggested")).collect()
}

#[tokio::test]
async fn questions_to_go_on_with_are_asked_for_only_where_both_sides_want_them() {
    let questions =
        || ResponseTemplate::new(200).set_body_json(json!({"result": "success", "data": ["Why?", "How?"]}));
    for (setting, app_has, expected) in [("on", true, true), ("off", true, false), ("on", false, false)] {
        let app = suggesting(app_has, questions).await;
        let gateway = app.gateway(&[("SUGGESTED", setting)]).await;
        let task = gateway.client.send("x", Some("c")).await;
        is(&task, "COMPLETED");
        let told = facts(&task).get("suggestedQuestions");
        assert_eq!(told, expected.then_some(&json!(["Why?", "How?"])), "{setting} {app_has}");
        let asked = asked_for_questions(&app).await;
        assert_eq!(asked.len(), usize::from(expected));
        for request in asked {
            assert_eq!(request.url.path(), "/v1/messages/m-1/suggested");
            assert_eq!(request.url.query(), Some("user=c"));
        }
    }
    let app = suggesting(true, questions).await;
    let gateway = app.gateway(&[("SUGGESTED", "on")]).await;
    let events = gateway.client.stream("SendStreamingMessage", &send("x", None)).await.all().await;
    let last = &events.last().expect("an event").data["result"]["statusUpdate"];
    assert_eq!(last["metadata"][URI]["suggestedQuestions"], json!(["Why?", "How?"]), "{last}");
}

#[tokio::test]
async fn no_question_is_worth_an_answer() {
    let broken: [fn() -> ResponseTemplate; 3] = [
        || refusal(400, "bad_request", "Suggested Questions Is Disabled."),
        || refusal(500, "internal_server_error", "boom"),
        || ResponseTemplate::new(200).set_body_raw("<html>", "text/html"),
    ];
    for reply in broken {
        let app = suggesting(true, reply).await;
        let task = app.gateway(&[("SUGGESTED", "on")]).await.client.send("x", None).await;
        is(&task, "COMPLETED");
        assert!(facts(&task).get("suggestedQuestions").is_none(), "{task}");
        assert_eq!(asked_for_questions(&app).await.len(), 1);
    }
}

#[tokio::test]
async fn n03_a_trace_goes_on_in_dify() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for name in ["chat_basic", "completion", "workflow_ok"] {
        let app = App::recorded("1.14.2", name).await;
        let gateway = app.gateway(&[("IDEMPOTENCY_WINDOW", "0")]).await;
        // Without one the message's own id stands for it, where Dify takes it.
        let long = "x".repeat(129);
        for (header, message_id, expected) in [
            (Some(format!("00-{trace}-00f067aa0ba902b7-01")), "tck-1_A", Some(trace)),
            (Some("00-nonsense-01".to_owned()), "tck-1_A", Some("tck-1_A")),
            (None, "tck-1_A", Some("tck-1_A")),
            (None, "urn:message:1", None),
            (None, &long, None),
        ] {
            let mut params = send("x", None);
            params["message"]["messageId"] = message_id.into();
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params});
            let mut request = gateway.client.http.post(format!("{}/a2a", gateway.client.base)).json(&body);
            if let Some(header) = &header {
                request = request.header("traceparent", header);
            }
            let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
            is(&answer["result"]["task"], "COMPLETED");
            let turn = app.turns().await.pop().expect("a turn");
            let told = turn.body.get("trace_id");
            assert_eq!(told, expected.map(|id| json!(id)).as_ref(), "{name} {header:?} {message_id}");
        }
    }
}

#[tokio::test]
async fn speech_is_a_file_for_who_asks_for_it() {
    let audio = |bytes: &[u8]| json!({"audio": STANDARD.encode(bytes)});
    let body = text_of(&[
        chat_event("message", json!({"answer": "Hello"})),
        chat_event("tts_message", audio(b"ID3 one ")),
        chat_event("message_end", json!({"metadata": {}})),
        chat_event("tts_message", audio(b"two")),
        chat_event("tts_message_end", json!({"audio": ""})),
    ]);
    let app = playing("chat_basic", body).await;
    let gateway = app.gateway(&[]).await;
    for (modes, is_spoken) in [
        (json!([]), false),
        (json!(["text/plain"]), false),
        (json!(["*/*"]), false),
        (json!(["text/plain", "audio/mpeg"]), true),
        (json!(["text/plain", "audio/*"]), true),
    ] {
        let mut params = say(json!([{"text": "x"}]));
        params["configuration"] = json!({"acceptedOutputModes": modes});
        let task = gateway.client.result("SendMessage", &params).await["task"].clone();
        is(&task, "COMPLETED");
        let expected: &[&str] = if is_spoken { &["answer", "file-1"] } else { &["answer"] };
        assert_eq!(artifact_ids(&task), expected, "{modes}");
        if let Some(speech) = artifact(&task, "file-1") {
            let part = &speech["parts"][0];
            assert_eq!((&part["mediaType"], &part["filename"]), (&json!("audio/mpeg"), &json!("speech.mp3")));
            assert_eq!(part["raw"], STANDARD.encode("ID3 one two"), "{part}");
            let later = gateway.client.task(task["id"].as_str().expect("an id")).await;
            let address = &artifact(&later, "file-1").expect("a file")["parts"][0]["url"];
            let response = gateway.client.http.get(address.as_str().expect("an address")).send().await;
            assert_eq!(response.expect("an answer").bytes().await.expect("a body"), "ID3 one two");
        }
    }
}

#[tokio::test]
async fn each_kind_of_app_is_stopped_at_its_own_endpoint() {
    for (app, turn_path, stop_path) in [
        ("workflow_ok", "/v1/workflows/run", "/v1/workflows/tasks/t-9/stop"),
        ("completion", "/v1/completion-messages", "/v1/completion-messages/t-9/stop"),
        ("chatflow_echo", "/v1/chat-messages", "/v1/chat-messages/t-9/stop"),
    ] {
        let stopped = Arc::new(Notify::new());
        let begins: Arc<Mutex<Vec<String>>> = Arc::default();
        let (gate, seen) = (Arc::clone(&stopped), Arc::clone(&begins));
        let begin = move |path: &str, first: Vec<u8>, last: Vec<u8>| {
            seen.lock().expect("no panic").push(path.to_owned());
            Reply::stream(vec![Step::Send(first), Step::Wait(Arc::clone(&gate)), Step::Send(last)])
        };
        let for_chat = begin.clone();
        let chat = move |received: &super::support::Received| {
            let end = json!({"event": "message_end", "task_id": "t-9", "metadata": {}});
            for_chat(&received.path, message(received, "t-9", "so far"), frame(&end))
        };
        let dify = FakeDify::with("1.14.2", chat, move |received| match received.path.as_str() {
            "/v1/info" => Some(Reply::json(200, &recorded_json(&format!("1.14.2/info_{app}")))),
            "/v1/parameters" => Some(Reply::json(200, &recorded_json(&format!("1.14.2/parameters_{app}")))),
            "/v1/workflows/run" => {
                let run = |event: &str, data: Value| {
                    frame(&json!({"event": event, "task_id": "t-9", "workflow_run_id": "r", "data": data}))
                };
                let chunk = run("text_chunk", json!({"text": "so far"}));
                let end = run("workflow_finished", json!({"id": "r", "status": "stopped", "outputs": {}}));
                Some(begin(&received.path, chunk, end))
            }
            "/v1/completion-messages" => {
                let of = |event: &str, answer: &str| {
                    frame(&json!({"event": event, "task_id": "t-9", "message_id": "m", "answer": answer}))
                };
                Some(begin(&received.path, of("message", "so far"), of("message_end", "")))
            }
            path if path.ends_with("/stop") => {
                stopped.notify_one();
                Some(Reply::json(200, &json!({"result": "success"})))
            }
            _ => None,
        })
        .await;
        let gateway = Gateway::before(&dify, &[]).await;
        let mut events = gateway.client.stream("SendStreamingMessage", &send("x", Some("c"))).await;
        let first = events.next().await.expect("the task").data["result"]["task"].clone();
        while events.next().await.expect("the answer").data["result"]["artifactUpdate"].is_null() {}
        let task = gateway.client.result("CancelTask", &json!({"id": first["id"]})).await;
        is(&task, "CANCELED");
        assert_eq!(facts(&task)["stopConfirmed"], true, "{app}");
        assert_eq!(artifact(&task, "answer").expect("an answer")["parts"][0]["text"], "so far");
        assert_eq!(*begins.lock().expect("no panic"), [turn_path]);
        let stops = dify.stops();
        let [stop] = &stops[..] else { panic!("{app}: {stops:?}") };
        assert_eq!((stop.path.as_str(), &stop.body), (stop_path, &json!({"user": "c"})));
    }
}

#[tokio::test]
async fn several_things_at_once_do_not_get_in_each_others_way() {
    let picture =
        json!({"id": "f", "type": "image", "belongs_to": "assistant", "url": "/files/tools/a.png?sign=1"});
    let turn = [
        chat_event("message", json!({"answer": "Look"})),
        chat_event("message_file", picture),
        chat_event(
            "message_end",
            json!({"metadata": {
                "retriever_resources": [{"position": 1, "document_name": "a.md"}],
                "usage": {"total_tokens": 7, "total_price": "0.1", "currency": "USD"}
            }}),
        ),
    ];
    let mut parameters = recorded_json("1.14.2/parameters_chat_basic");
    parameters["suggested_questions_after_answer"]["enabled"] = json!(true);
    let app =
        App::of("1.14.2", recorded_json("1.14.2/info_chat_basic"), parameters, move |request| match request
            .url
            .path()
        {
            "/v1/chat-messages" => Some(events(&turn)),
            "/v1/messages/m-1/suggested" => {
                Some(ResponseTemplate::new(200).set_body_json(json!({"data": ["And now?"]})))
            }
            "/files/tools/a.png" => Some(ResponseTemplate::new(200).set_body_raw("png", "image/png")),
            _ => None,
        })
        .await;
    let gateway = app.gateway(&[("SUGGESTED", "on")]).await;
    let task = gateway.client.send("x", None).await;
    is(&task, "COMPLETED");
    let mut ids = artifact_ids(&task);
    ids.sort_unstable();
    assert_eq!(ids, ["answer", "file-1"]);
    let told = facts(&task);
    assert_eq!(
        (&told["usage"]["totalTokens"], &told["suggestedQuestions"]),
        (&json!(7), &json!(["And now?"]))
    );
    assert_eq!(
        artifact(&task, "answer").expect("an answer")["parts"][1]["data"],
        json!({"citations": [{"position": 1, "documentName": "a.md"}]})
    );
}
