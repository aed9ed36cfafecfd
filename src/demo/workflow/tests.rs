use axum::Router;
use axum::body::Body;
use futures_util::StreamExt;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::demo::testing::{
    ORIGIN, call, events, events_in, get, instant, json_of, names, post, refusal, text,
};
use crate::demo::{App, KEY, Pace, Server, app};

fn inputs(inputs: Value) -> Value {
    json!({"inputs": inputs, "user": "alice", "response_mode": "streaming"})
}

fn blocking(sent: Value) -> Value {
    let mut body = inputs(sent);
    body["response_mode"] = json!("blocking");
    body
}

async fn run(app: &Router, sent: Value) -> Vec<Value> {
    events(call(app, post("/v1/workflows/run", &inputs(sent))).await).await
}

fn said(events: &[Value]) -> String {
    let chunks = events.iter().filter(|event| event["event"] == "text_chunk");
    chunks.filter_map(|event| event["data"]["text"].as_str()).collect()
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A part of a form: its name, for a file its name and type, and its content.
type FormPart<'a> = (&'a str, Option<(&'a str, &'a str)>, &'a [u8]);

/// A multipart body, written by hand.
fn upload(parts: &[FormPart<'_>]) -> Request<Body> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        body.extend_from_slice(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
        if let Some((filename, mime)) = file {
            body.extend_from_slice(format!("; filename=\"{filename}\"").as_bytes());
            if !mime.is_empty() {
                body.extend_from_slice(format!("\r\nContent-Type: {mime}").as_bytes());
            }
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    Request::post("/v1/files/upload")
        .header("authorization", "Bearer app-demo")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(Body::from(body))
        .unwrap()
}

const HELLO: FormPart<'static> = ("file", Some(("hello.txt", "text/plain")), b"hello world");

#[tokio::test]
async fn a_report_is_streamed_as_recorded() {
    let app = instant(App::Workflow);
    let sent = inputs(json!({"topic": "tea", "words": 50, "tone": "casual"}));
    let text = text(call(&app, post("/v1/workflows/run", &sent)).await).await;
    assert!(text.starts_with("event: ping\n\ndata: {\"event\":\"workflow_started\",\"workflow_run_id\":"));
    let events = events_in(&text);
    // Dify 1.14.2 sends it like this for each node, with the text inside the node that it waited for.
    let node = ["node_started", "node_finished"];
    let speaking = ["node_started", "text_chunk", "node_finished"];
    let nodes = [&node[..], &node, &speaking, &speaking, &node].concat();
    let expected = [&["workflow_started"], nodes.as_slice(), &["workflow_finished"]].concat();
    assert_eq!(names(&events), expected);
    assert!(events.iter().filter(|event| event["event"] == "text_chunk").count() > 20, "several pieces");
    for event in &events {
        assert_eq!(members(event), ["data", "event", "task_id", "workflow_run_id"]);
    }

    let end = &events.last().unwrap()["data"];
    assert_eq!(
        members(end),
        [
            "created_at",
            "created_by",
            "elapsed_time",
            "error",
            "exceptions_count",
            "files",
            "finished_at",
            "id",
            "outputs",
            "status",
            "total_steps",
            "total_tokens",
            "workflow_id"
        ]
    );
    assert_eq!(
        (&end["status"], &end["total_steps"], &end["error"]),
        (&json!("succeeded"), &json!(5), &Value::Null)
    );
    let outputs = &end["outputs"];
    assert_eq!((&outputs["keywords"], &outputs["tone"]), (&json!(["tea"]), &json!("casual")));
    let words = outputs["words"].as_u64().unwrap();
    assert!((35..=50).contains(&words), "{words}");
    // Every output is rendered into the text, one under the other; the file's address is signed anew each time.
    let report = outputs["report"].as_str().unwrap();
    let head = format!("{report}\n{words}\n- tea\ncasual\n[report.md]({ORIGIN}/files/tools/");
    assert!(said(&events).starts_with(&head), "{}", said(&events));
    assert!(!said(&events).contains(outputs["file"]["url"].as_str().unwrap()));
}

#[tokio::test]
async fn the_file_it_gives_back_is_served_to_whoever_has_its_address() {
    let app = instant(App::Workflow);
    let events = run(&app, json!({"topic": "tea"})).await;
    let end = &events.last().unwrap()["data"];
    let file = &end["outputs"]["file"];
    assert_eq!(members(file), members(&end["files"][0]));
    assert_eq!(
        members(file),
        [
            "dify_model_identity",
            "extension",
            "filename",
            "id",
            "mime_type",
            "reference",
            "related_id",
            "remote_url",
            "size",
            "transfer_method",
            "type",
            "url"
        ]
    );
    assert_eq!((&file["dify_model_identity"], &file["type"]), (&json!("__dify__file__"), &json!("document")));
    assert_eq!((&file["transfer_method"], &file["filename"]), (&json!("tool_file"), &json!("report.md")));
    let path = file["url"].as_str().unwrap().strip_prefix(ORIGIN).unwrap();
    let open = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let served = call(&app, open(path)).await;
    assert_eq!(
        (served.status(), &served.headers()["content-type"]),
        (StatusCode::OK, &"text/markdown".parse().unwrap())
    );
    let body = text(served).await;
    assert_eq!(body, end["outputs"]["report"].as_str().unwrap());
    assert_eq!(file["size"].as_u64().unwrap(), body.len() as u64);
    let unsigned = call(&app, open(path.split_once('?').unwrap().0)).await;
    assert_eq!(unsigned.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_upload_is_described_and_goes_into_the_report() {
    let app = instant(App::Workflow);
    let response = call(&app, upload(&[("user", None, b"alice"), HELLO])).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let told = json_of(response).await;
    assert_eq!(
        members(&told),
        [
            "conversation_id",
            "created_at",
            "created_by",
            "extension",
            "file_key",
            "id",
            "mime_type",
            "name",
            "original_url",
            "preview_url",
            "size",
            "source_url",
            "tenant_id",
            "user_id"
        ]
    );
    assert_eq!(
        (&told["name"], &told["size"], &told["extension"], &told["mime_type"]),
        (&json!("hello.txt"), &json!(11), &json!("txt"), &json!("text/plain"))
    );
    let path = told["source_url"].as_str().unwrap().strip_prefix(ORIGIN).unwrap();
    assert_eq!(text(call(&app, Request::get(path).body(Body::empty()).unwrap()).await).await, "hello world");

    let source = json!({"type": "document", "transfer_method": "local_file", "upload_file_id": told["id"]});
    let events = run(&app, json!({"topic": "tea", "source": source})).await;
    assert!(said(&events).contains("It rests on hello.txt (11 bytes)."), "{}", said(&events));
    let given = &events[0]["data"]["inputs"]["source"];
    assert_eq!((&given["filename"], &given["related_id"]), (&json!("hello.txt"), &told["id"]));
    assert_eq!(events[2]["data"]["files"][0]["filename"], "hello.txt");
}

#[tokio::test]
async fn uploads_are_refused_as_dify_does() {
    let app = instant(App::Workflow);
    let large = vec![b'x'; (15 << 20) + 1];
    let huge = vec![b'x'; 18 << 20];
    let picture = vec![b'x'; (10 << 20) + 1];
    for (parts, status, code) in [
        (vec![("user", None, &b"alice"[..])], 400, "no_file_uploaded"),
        (vec![("file", Some(("", "text/plain")), b"x")], 400, "filename_not_exists_error"),
        (vec![("file", Some(("a/b.txt", "text/plain")), b"x")], 400, "invalid_param"),
        (vec![("file", Some(("a.txt", "")), b"x")], 415, "unsupported_file_type"),
        (vec![("file", Some(("a.txt", "text/plain")), &large)], 413, "file_too_large"),
        (vec![("file", Some(("a.png", "image/png")), &picture)], 413, "file_too_large"),
        (vec![("file", Some(("a.txt", "text/plain")), &huge)], 413, "file_too_large"),
    ] {
        let refused = refusal(call(&app, upload(&parts)).await).await;
        assert_eq!((refused.0, refused.1.as_str()), (status, code));
    }
    // Without a user it belongs to nobody who could use it.
    let told = json_of(call(&app, upload(&[HELLO])).await).await;
    let source = json!({"type": "document", "transfer_method": "local_file", "upload_file_id": told["id"]});
    let sent = blocking(json!({"topic": "tea", "source": source}));
    let refused = refusal(call(&app, post("/v1/workflows/run", &sent)).await).await;
    assert_eq!((refused.0, refused.2.as_str()), (400, "Invalid upload file"));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_input_gets_silence_or_in_one_piece_a_400() {
    let app = instant(App::Workflow);
    let silent = call(&app, post("/v1/workflows/run", &inputs(json!({"tone": "casual"})))).await;
    assert_eq!(silent.status(), StatusCode::OK);
    assert_eq!(text(silent).await, "event: ping\n\n".repeat(30));
    let refused = refusal(call(&app, post("/v1/workflows/run", &blocking(json!({})))).await).await;
    let message = "topic is required in input form".to_owned();
    assert_eq!(refused, (400, "invalid_param".to_owned(), message));
    for (body, message) in [
        (json!({"inputs": {"topic": "x"}}), "Arg user must be provided."),
        (json!({"user": "u"}), "1 validation error for WorkflowRunPayload\ninputs\n  Field required"),
    ] {
        let (status, code, said) = refusal(call(&app, post("/v1/workflows/run", &body)).await).await;
        assert_eq!((status, code.as_str()), (400, "invalid_param"));
        assert!(said.starts_with(message), "{said}");
    }
    let (_, code, _) = refusal(call(&app, post("/v1/chat-messages", &inputs(json!({})))).await).await;
    assert_eq!(code, "not_chat_app");
}

#[tokio::test]
async fn in_one_piece_and_later_it_tells_the_same() {
    let app = instant(App::Workflow);
    let sent = blocking(json!({"topic": "tea"}));
    let whole = text(call(&app, post("/v1/workflows/run", &sent)).await).await;
    assert!(whole.starts_with("{\"task_id\": \""), "{whole}");
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["data"]["status"], "succeeded");
    let run = whole["workflow_run_id"].as_str().unwrap();
    let detail = json_of(call(&app, get(&format!("/v1/workflows/run/{run}"))).await).await;
    assert_eq!(detail["outputs"], whole["data"]["outputs"]);
    assert_eq!(detail["status"], "succeeded");
    let inputs = detail["inputs"].as_str().unwrap();
    assert!(inputs.starts_with("{\"topic\": \"tea\", \"tone\": null, "), "{inputs}");
    let old = events(call(&app, get(&format!("/v1/workflow/{run}/events?user=alice"))).await).await;
    assert_eq!(old[0]["data"]["outputs"], whole["data"]["outputs"]);
}

#[tokio::test]
async fn a_failing_model_fails_the_run() {
    let app = instant(App::Workflow);
    let events = run(&app, json!({"topic": "how to fail"})).await;
    let [.., node, end] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&node["event"], &node["data"]["status"]), (&json!("node_finished"), &json!("failed")));
    assert_eq!((&end["data"]["status"], &end["data"]["outputs"]), (&json!("failed"), &json!({})));
    assert_eq!(end["data"]["error"], node["data"]["error"]);
    assert_eq!(end["data"]["exceptions_count"], 1);
    assert!(!said(&events).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_report_pings_and_is_stopped_by_anybody() {
    let app = app(App::Workflow, Pace::default(), ORIGIN);
    let response = call(&app, post("/v1/workflows/run", &inputs(json!({"topic": "slow food"})))).await;
    let mut frames = response.into_body().into_data_stream();
    assert_eq!(frames.next().await.unwrap().unwrap(), "event: ping\n\n");
    let started: Vec<u8> = frames.next().await.unwrap().unwrap().to_vec();
    let started = events_in(std::str::from_utf8(&started).unwrap()).remove(0);
    while frames.next().await.unwrap().unwrap() != "event: ping\n\n" {}
    let path = format!("/v1/workflows/tasks/{}/stop", started["task_id"].as_str().unwrap());
    let told = json_of(call(&app, post(&path, &json!({"user": "mallory"}))).await).await;
    assert_eq!(told, json!({"result": "success"}));
    let mut rest = Vec::new();
    while let Some(frame) = frames.next().await {
        rest.extend(events_in(std::str::from_utf8(&frame.unwrap()).unwrap()));
    }
    let [end] = rest.as_slice() else { panic!("{rest:?}") };
    assert_eq!((&end["event"], &end["data"]["status"]), (&json!("workflow_finished"), &json!("stopped")));
    assert_eq!((&end["data"]["error"], &end["data"]["outputs"]), (&json!("Stopped by user."), &json!({})));
}

#[tokio::test]
async fn a_run_goes_on_without_its_reader() {
    let app = instant(App::Workflow);
    let response = call(&app, post("/v1/workflows/run", &inputs(json!({"topic": "tea"})))).await;
    let mut frames = response.into_body().into_data_stream();
    frames.next().await.unwrap().unwrap();
    let started: Vec<u8> = frames.next().await.unwrap().unwrap().to_vec();
    let run = events_in(std::str::from_utf8(&started).unwrap())[0]["workflow_run_id"].clone();
    drop(frames);
    let path = format!("/v1/workflow/{}/events?user=alice", run.as_str().unwrap());
    let rest = events(call(&app, get(&path)).await).await;
    assert_eq!(rest.last().unwrap()["data"]["status"], "succeeded");
}

#[tokio::test]
async fn the_app_describes_itself_over_a_real_socket() {
    let server = Server::start(App::Workflow, Pace::instant()).await.unwrap();
    let client = reqwest::Client::new();
    let fetch = async |path: &str| -> Value {
        let url = format!("{}{path}", server.base_url());
        let text = client.get(url).bearer_auth(KEY).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(fetch("/info").await["mode"], "workflow");
    assert_eq!(fetch("/site").await["title"], "Report writer");
    let form = fetch("/parameters").await["user_input_form"].clone();
    let kinds: Vec<(&str, &Value, &Value)> = form
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let (kind, field) = item.as_object().unwrap().iter().next().unwrap();
            assert_eq!(field["type"], kind.as_str());
            (kind.as_str(), &field["variable"], &field["required"])
        })
        .collect();
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(
        kinds,
        [
            ("text-input", &json!("topic"), &yes),
            ("select", &json!("tone"), &no),
            ("number", &json!("words"), &no),
            ("file", &json!("source"), &no),
        ]
    );
    let url = format!("{}/workflows/run", server.base_url());
    let sent = client.post(url).bearer_auth(KEY).json(&inputs(json!({"topic": "tea"})));
    let events = events_in(&sent.send().await.unwrap().text().await.unwrap());
    let file = events.last().unwrap()["data"]["outputs"]["file"]["url"].as_str().unwrap().to_owned();
    let report = client.get(file).send().await.unwrap().text().await.unwrap();
    assert!(report.starts_with("# Report: tea\n\n"), "{report}");
    server.stop().await;
}
