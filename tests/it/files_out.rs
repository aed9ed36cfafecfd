//! Files of answers: kept and served, linked to, or within the answer; and the kinds of output that a caller accepts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::files::{DOT, is, raw, sent};
use super::support::app::{chat_event, events, ran, recorded, run_event, stream};
use super::support::client::{send_03, send_old};
use super::support::file_server::{FileServer, bare, file};
use super::support::say::{artifact, artifact_ids, say, say_03, say_old};
use super::support::{App, Step};

/// Where the files of the recordings were.
const RECORDED: &str = "http://127.0.0.1:5001";
/// The paths of the two files of the recorded run.
const TEXT_PATH: &str = "/files/ea5b7e76-38d4-4e4d-ab26-9116219e111b/file-preview";
const DOT_PATH: &str = "/files/bda4b7a8-95bb-4c96-8df7-dd3bab43d404/file-preview";

/// Lets the gateway go to the file servers of these tests: they are not of Dify's own origin.
pub const ALLOW: (&str, &str) = ("EGRESS_ALLOW", "127.0.0.1");

/// The recorded run whose outputs are a text and a picture, with these files behind it.
pub async fn run_with_files(server: &FileServer) -> App {
    let body = String::from_utf8(recorded("1.14.2/workflow_file_ok")).expect("UTF-8");
    let body = body.replace(RECORDED, &server.url(""));
    assert!(body.contains(&server.url("/files")));
    App::answering("1.14.2", "workflow_file", move |request| {
        (request.url.path() == "/v1/workflows/run").then(|| stream(body.clone()))
    })
    .await
}

/// Both files of that run.
pub async fn both_files() -> FileServer {
    FileServer::start(|path| match path.split('?').next() {
        Some(TEXT_PATH) => file("text/plain; charset=utf-8", b"hello there"),
        Some(DOT_PATH) => file("image/png", DOT),
        _ => bare("404 Not Found", ""),
    })
    .await
}

/// What that app is asked with.
pub fn document() -> Value {
    json!([raw("a.txt", "text/plain", b"x")])
}

fn accepting(mut params: Value, modes: &[&str]) -> Value {
    params["configuration"]["acceptedOutputModes"] = json!(modes);
    params
}

#[tokio::test]
async fn n08_files_of_outputs_are_fetched_once_and_served() {
    let server = both_files().await;
    let app = run_with_files(&server).await;
    let gateway = app.gateway(&[ALLOW]).await;
    let task = sent(&gateway.client, &say(document())).await;
    is(&task, "COMPLETED");
    let mut ids = artifact_ids(&task);
    ids.sort_unstable();
    assert_eq!(ids, ["answer", "file-1", "file-2", "outputs"]);
    let reference = |id: &str, name: &str, media_type: &str, size: u64| json!({"artifactId": id, "filename": name, "mediaType": media_type, "size": size});
    let outputs = artifact(&task, "outputs").expect("outputs");
    assert_eq!(
        outputs["parts"][0]["data"],
        json!({
            "file": reference("file-1", "hello.txt", "text/plain", 11),
            "files": [reference("file-2", "dot.png", "image/png", 70)]
        })
    );
    for secret in ["sign=", "upload_file_id", "related_id", "dify_model_identity", "tenant"] {
        assert!(!outputs.to_string().contains(secret), "{secret}");
    }
    let mut paths: Vec<String> =
        server.paths().iter().map(|path| path.split('?').next().expect("a path").to_owned()).collect();
    paths.sort();
    assert_eq!(paths, [DOT_PATH, TEXT_PATH], "each once");

    for (id, name, media_type, bytes, disposition) in [
        ("file-1", "hello.txt", "text/plain", &b"hello there"[..], "inline"),
        ("file-2", "dot.png", "image/png", DOT, "inline"),
    ] {
        let whole = artifact(&task, id).expect("a file");
        assert_eq!(whole["name"], name);
        let part = &whole["parts"][0];
        assert_eq!((&part["filename"], &part["mediaType"]), (&json!(name), &json!(media_type)));
        let address = part["url"].as_str().expect("an address");
        assert!(address.starts_with(&format!("{}/files/", gateway.client.base)), "{address}");
        let response = gateway.client.http.get(address).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(header("content-type"), media_type);
        assert_eq!(header("content-length"), bytes.len().to_string());
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-security-policy").contains("sandbox"));
        assert!(header("cache-control").contains("private"));
        let told = header("content-disposition");
        assert!(told.starts_with(disposition) && told.contains(name), "{told}");
        assert_eq!(response.bytes().await.expect("a body"), bytes);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_found() {
    let app = App::recorded("1.14.2", "chat_basic").await;
    for env in [&[][..], &[("FILES", "link")][..]] {
        let gateway = app.gateway(env).await;
        for id in ["0", "01998c5e-7b1c-7e3a-9c55-0b6f7a1d2e3f", "..%2F..%2Fetc%2Fpasswd"] {
            let response = gateway.client.http.get(format!("{}/files/{id}", gateway.client.base));
            let response = response.send().await.expect("an answer");
            assert_eq!(response.status(), 404, "{id}");
            let body: Value = response.json().await.expect("JSON");
            assert_eq!(body["error"]["status"], "NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn files_are_only_linked_to_where_that_is_wanted_or_nothing_else_can_be() {
    let broken = FileServer::start(|path| match path.split('?').next() {
        Some(TEXT_PATH) => bare("500 Internal Server Error", ""),
        _ => vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\nhalf".to_vec()), Step::Cut],
    })
    .await;
    let good = both_files().await;
    let large = FileServer::start(|path| match path.split('?').next() {
        Some(TEXT_PATH) => file("text/plain", &[b'x'; 1025]),
        // Without a length, it shows only as it comes.
        _ => vec![Step::Send([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[b'x'; 1025]].concat()), Step::Hang],
    })
    .await;
    for (server, env, asked) in [
        (&good, &[("FILES", "link")][..], 0),
        (&large, &[("FILES_MAX_BYTES", "1024"), ALLOW][..], 2),
        (&broken, &[ALLOW][..], 2),
        // Another port of Dify's host is not Dify.
        (&good, &[][..], 0),
    ] {
        let app = run_with_files(server).await;
        let gateway = app.gateway(env).await;
        let before = server.paths().len();
        let task = sent(&gateway.client, &say(document())).await;
        is(&task, "COMPLETED");
        for (id, path) in [("file-1", TEXT_PATH), ("file-2", DOT_PATH)] {
            let part = &artifact(&task, id).expect("a file")["parts"][0];
            let address = part["url"].as_str().expect("an address");
            assert!(address.starts_with(&server.url(path)) && address.contains("sign="), "{address}");
        }
        assert_eq!(server.paths().len() - before, asked, "{env:?}");
    }
}

#[tokio::test]
async fn a_small_file_is_in_the_answer_for_who_asks_for_its_type() {
    let server = both_files().await;
    let app = run_with_files(&server).await;
    let gateway = app.gateway(&[ALLOW]).await;
    let bytes = json!(STANDARD.encode(DOT));
    let modes = ["image/png", "text/plain"];
    let params = || accepting(say(document()), &modes);
    let task = sent(&gateway.client, &params()).await;
    let part = &artifact(&task, "file-2").expect("a file")["parts"][0];
    assert_eq!((&part["raw"], &part["mediaType"], part.get("url")), (&bytes, &json!("image/png"), None));
    // A text is the answer's; a file of text has an address.
    assert!(artifact(&task, "file-1").expect("a file")["parts"][0]["url"].is_string());
    assert!(artifact(&task, "outputs").is_none(), "data is not among what was asked for");
    let events = gateway.client.stream("SendStreamingMessage", &params()).await.all().await;
    assert!(
        events
            .iter()
            .any(|event| { event.data["result"]["artifactUpdate"]["artifact"]["parts"][0]["raw"] == bytes })
    );
    // Whoever reads the task later has not asked for anything.
    let later = gateway.client.task(task["id"].as_str().expect("an id")).await;
    assert!(artifact(&later, "file-2").expect("a file")["parts"][0]["url"].is_string());

    let part = json!({"kind": "file", "file": {"name": "a.txt", "mimeType": "text/plain", "bytes": "eA=="}});
    let params = accepting(say_03(None, json!([part])), &modes);
    let task = gateway.client.result("message/send", &params).await;
    let part = &artifact(&task, "file-2").expect("a file")["parts"][0];
    assert_eq!(
        (&part["kind"], &part["file"]["bytes"], &part["file"]["mimeType"]),
        (&json!("file"), &bytes, &json!("image/png"))
    );

    let part = json!({"type": "file", "name": "a.txt", "mimeType": "text/plain", "bytes": "eA=="});
    let params = accepting(say_old(false, json!([part])), &modes);
    let task = gateway.client.result("message.send", &params).await;
    let part = &artifact(&task, "file-2").expect("a file")["parts"][0];
    assert_eq!((&part["type"], &part["bytes"], &part["name"]), (&json!("file"), &bytes, &json!("dot.png")));
}

#[tokio::test]
async fn files_of_a_chat_message_come_by_event_and_with_its_end() {
    let picture = json!({
        "id": "f-1", "type": "image", "belongs_to": "assistant", "url": "/files/tools/x.png?timestamp=1&nonce=2&sign=3"
    });
    let named = json!({
        "dify_model_identity": "__dify__file__", "type": "document", "transfer_method": "tool_file",
        "related_id": "f-2", "filename": "r\u{e9}sum\u{e9} \"1\".html", "extension": ".html", "mime_type": "text/html", "size": 4,
        "url": "/files/tools/y.html?sign=4"
    });
    let turn = vec![
        chat_event("message", json!({"answer": "Here "})),
        chat_event("message_file", picture),
        // Once there is a file, Dify calls its text so.
        chat_event("message_file", json!({"answer": "it is"})),
        chat_event("message_end", json!({"metadata": {}, "files": [named]})),
    ];
    let app = App::answering("1.14.2", "chat_basic", move |request| match request.url.path() {
        "/v1/chat-messages" => Some(events(&turn)),
        "/files/tools/x.png" => Some(ResponseTemplate::new(200).set_body_raw(DOT, "image/png")),
        "/files/tools/y.html" => Some(ResponseTemplate::new(200).set_body_raw("<p>x", "text/html")),
        _ => None,
    })
    .await;
    let gateway = app.gateway(&[]).await;
    let task = gateway.client.send("draw", None).await;
    is(&task, "COMPLETED");
    assert_eq!(artifact(&task, "answer").expect("an answer")["parts"], json!([{"text": "Here it is"}]));
    let address = |id: &str| {
        artifact(&task, id).expect("a file")["parts"][0]["url"].as_str().expect("an address").to_owned()
    };
    let get = |url: String| gateway.client.http.get(url).send();
    let response = get(address("file-1")).await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.bytes().await.expect("a body"), DOT);
    // A page that an app made is saved and not shown.
    let response = get(address("file-2")).await.expect("an answer");
    let disposition = response.headers()["content-disposition"].to_str().expect("ASCII");
    assert!(
        disposition.starts_with("attachment;") && disposition.contains("r%C3%A9sum%C3%A9"),
        "{disposition}"
    );
    assert!(!task.to_string().contains("sign="), "{task}");
}

/// An app whose run gives one file, got in this way from this address.
async fn run_with_file_at(transfer_method: &str, url: &str) -> App {
    let file = json!({
        "dify_model_identity": "__dify__file__", "type": "image", "transfer_method": transfer_method,
        "remote_url": url, "filename": "a\n.png", "extension": ".png", "mime_type": "image/png",
        "size": -1, "related_id": null, "url": url
    });
    App::answering("1.14.2", "workflow_ok", move |request| {
        (request.url.path() == "/v1/workflows/run").then(|| events(&ran(&json!({"f": file}))))
    })
    .await
}

#[tokio::test]
async fn what_somebody_outside_gave_dify_is_had_only_where_anybody_may_go() {
    let inside = FileServer::at("127.0.0.2", |_| file("image/png", DOT)).await;
    let app = run_with_file_at("remote_url", &inside.url("/a.png")).await;
    for files in ["serve", "link"] {
        let gateway = app.gateway(&[("FILES", files)]).await;
        let task = gateway.client.send("x", None).await;
        is(&task, "COMPLETED");
        let whole = artifact(&task, "file-1").expect("a file");
        assert_eq!(
            whole["parts"],
            json!([{"text": format!("{}: this file cannot be had", whole["name"].as_str().expect("a name"))}])
        );
        assert!(!whole["name"].as_str().expect("a name").contains('\n'), "{whole}");
        assert!(!task.to_string().contains("127.0.0.2"), "{task}");
        assert_eq!(inside.connections(), 0);
    }
    // The operator lets it through.
    let gateway = app.gateway(&[("FILES", "link"), ("EGRESS_ALLOW", "127.0.0.2")]).await;
    let task = gateway.client.send("x", None).await;
    assert_eq!(artifact(&task, "file-1").expect("a file")["parts"][0]["url"], inside.url("/a.png"));
}

#[tokio::test]
async fn where_a_strangers_file_redirects_to_a_private_place_there_is_no_file() {
    let away = |_: &str| bare("302 Found", "Location: http://127.0.0.3:9/a.png\r\n");
    let server = FileServer::start(away).await;
    let app = run_with_file_at("remote_url", &server.url("/a.png")).await;
    let gateway = app.gateway(&[ALLOW]).await;
    let task = gateway.client.send("x", None).await;
    assert_eq!(server.connections(), 1);
    assert!(artifact(&task, "file-1").expect("a file")["parts"][0]["text"].is_string(), "{task}");
}

#[tokio::test]
async fn no_client_gets_an_address_that_is_not_http_or_names_a_user() {
    for (transfer_method, url, is_given) in [
        ("tool_file", "ftp://files.example/a.png", false),
        ("tool_file", "file:///etc/passwd", false),
        ("tool_file", "javascript:alert(1)", false),
        ("tool_file", "data:image/png;base64,eA==", false),
        ("tool_file", "http://", false),
        ("tool_file", "http://user@127.0.0.1:9/a.png", false),
        ("tool_file", "http://user:word@127.0.0.1:9/a.png", false),
        ("remote_url", "javascript:alert(1)", false),
        ("remote_url", "https://user:word@8.8.8.8/a.png", false),
        ("remote_url", "http://169.254.169.254/latest/meta-data/", false),
        ("remote_url", "https://[::ffff:10.0.0.1]/a.png", false),
        // Dify's own may be private.
        ("tool_file", "http://127.0.0.1:9/a.png", true),
    ] {
        let app = run_with_file_at(transfer_method, url).await;
        for files in ["serve", "link"] {
            let task = app.gateway(&[("FILES", files)]).await.client.send("x", None).await;
            is(&task, "COMPLETED");
            let part = &artifact(&task, "file-1").expect("a file")["parts"][0];
            assert_eq!(part["url"].as_str(), is_given.then_some(url), "{files} {part}");
            assert_eq!(part["text"].is_string(), !is_given, "{files} {part}");
        }
    }
}

#[tokio::test]
async fn s09_callers_get_the_kinds_of_output_that_they_accept() {
    let server = both_files().await;
    let app = run_with_files(&server).await;
    let gateway = app.gateway(&[ALLOW]).await;
    for (modes, expected) in [
        (&["text/plain"][..], &["answer", "file-1"][..]),
        (&["application/json"], &["outputs"]),
        (&["image/*"], &["file-2"]),
        (&["text/plain", "application/json"], &["answer", "file-1", "outputs"]),
        (&["*/*"], &["answer", "file-1", "file-2", "outputs"]),
    ] {
        let task = sent(&gateway.client, &accepting(say(document()), modes)).await;
        let mut ids = artifact_ids(&task);
        ids.sort_unstable();
        assert_eq!(ids, expected, "{modes:?}");
    }
    let before = app.turns().await.len();
    let part = json!({"kind": "file", "file": {"name": "a.txt", "mimeType": "text/plain", "bytes": "eA=="}});
    for modes in [&["smoke-signals"][..], &["braille", "morse"]] {
        for (method, params) in
            [("SendMessage", say(document())), ("message/send", say_03(None, json!([part])))]
        {
            let error = gateway.client.error(method, &accepting(params, modes)).await;
            assert_eq!(error["code"], -32005, "{modes:?} {error}");
        }
    }
    assert_eq!(app.turns().await.len(), before);
    // A chat gives no data, whatever it is asked.
    let chat = App::recorded("1.14.2", "chat_basic").await;
    let gateway = chat.gateway(&[]).await;
    for (method, params) in [
        ("SendMessage", say(json!([{"text": "x"}]))),
        ("message/send", send_03("x", None)),
        ("message.send", {
            let mut params = send_old("x", "c");
            params["configuration"]["stream"] = json!(false);
            params
        }),
    ] {
        let error = gateway.client.error(method, &accepting(params, &["application/json"])).await;
        assert_eq!(error["code"], -32005, "{method} {error}");
    }
    assert!(chat.turns().await.is_empty());
}

#[tokio::test]
async fn files_that_were_made_before_a_failure_are_given() {
    let file = json!({"dify_model_identity": "__dify__file__", "related_id": "f", "filename": "a.png",
        "url": "/files/tools/a.png?sign=1"});
    let failed = json!({"id": "r-1", "status": "failed", "outputs": {"f": file}, "error": "boom", "elapsed_time": 0.1});
    let run =
        vec![run_event("workflow_started", json!({"id": "r-1"})), run_event("workflow_finished", failed)];
    let app = App::answering("1.14.2", "workflow_ok", move |request| match request.url.path() {
        "/v1/workflows/run" => Some(events(&run)),
        "/files/tools/a.png" => Some(ResponseTemplate::new(200).set_body_raw(DOT, "image/png")),
        _ => None,
    })
    .await;
    let task = app.gateway(&[]).await.client.send("x", None).await;
    is(&task, "FAILED");
    assert_eq!(artifact_ids(&task), ["file-1"], "{task}");
}

#[tokio::test]
async fn a_large_file_of_a_caller_is_named_in_the_history_and_not_held_there() {
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    let large = vec![7_u8; 300 * 1024];
    let part =
        |bytes: &[u8]| json!({"raw": STANDARD.encode(bytes), "mediaType": "image/png", "filename": "a.png"});
    let task = sent(&gateway.client, &say(json!([{"text": "look"}, part(&large), part(b"small")]))).await;
    is(&task, "COMPLETED");
    assert_eq!(app.uploads().await[0].bytes, large);
    let parts = &task["history"][0]["parts"];
    assert_eq!((&parts[1]["filename"], &parts[1]["mediaType"]), (&json!("a.png"), &json!("image/png")));
    assert_eq!(parts[2]["raw"], STANDARD.encode("small"), "small ones stay as they came");
    let kept = reqwest::get(parts[1]["url"].as_str().expect("an address")).await.expect("served");
    assert_eq!(kept.bytes().await.expect("bytes"), large);
    let stored = gateway.client.result("GetTask", &json!({"id": task["id"]})).await;
    assert_eq!(stored["history"], task["history"]);
}
