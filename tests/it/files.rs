//! Files both ways: those of callers to Dify, uploaded or fetched and uploaded or refused; those of answers from
//! Dify, kept and served, linked to, or within the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::support::app::{recorded_json, refusal, upload_id};
use super::support::file_server::{FileServer, bare, file};
use super::support::say::{say, say_03, say_in, say_old, say_to, state, violations};
use super::support::{App, Client, FakeDify, Gateway, Reply, Step};

/// A PNG of one dot, as far as anybody here looks at it.
pub const DOT: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR dot";

/// Lets the gateway fetch from this machine.
pub const HERE: (&str, &str) = ("EGRESS_ALLOW", "127.0.0.0/8");

pub fn raw(name: &str, media_type: &str, bytes: &[u8]) -> Value {
    json!({"raw": STANDARD.encode(bytes), "mediaType": media_type, "filename": name})
}

pub fn dot() -> Value {
    raw("dot.png", "image/png", DOT)
}

pub fn url(url: impl Into<String>) -> Value {
    json!({"url": url.into()})
}

pub fn uploaded(kind: &str, number: usize) -> Value {
    json!({"type": kind, "transfer_method": "local_file", "upload_file_id": upload_id(number)})
}

pub async fn sent(client: &Client, params: &Value) -> Value {
    client.result("SendMessage", params).await["task"].clone()
}

pub fn is(task: &Value, expected: &str) {
    assert_eq!(state(task), expected, "{task}");
}

/// The code and the source of a failure.
pub fn failure(task: &Value) -> (&str, &str) {
    let metadata = &task["status"]["message"]["metadata"];
    let text = |name: &str| metadata[name].as_str().unwrap_or_else(|| panic!("no {name} in {task}"));
    (text("code"), text("source"))
}

#[tokio::test]
async fn n08_bytes_are_uploaded_for_the_turns_user_and_named_in_the_message() {
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    let nameless = json!({"raw": STANDARD.encode("hi"), "mediaType": "text/plain"});
    let parts = json!([{"text": "look"}, dot(), raw("notes.md", "text/markdown", b"# hi"), nameless]);
    let task = sent(&gateway.client, &say_in("alice", parts)).await;
    is(&task, "COMPLETED");
    let uploads = app.uploads().await;
    let told: Vec<_> = uploads
        .iter()
        .map(|it| (it.user.as_str(), it.name.as_str(), it.media_type.as_str(), it.bytes.as_slice()))
        .collect();
    assert_eq!(
        told,
        [
            ("alice", "dot.png", "image/png", DOT),
            ("alice", "notes.md", "text/markdown", b"# hi"),
            // Dify goes by the ending, so it gets one.
            ("alice", "file.txt", "text/plain", b"hi"),
        ]
    );
    let [turn] = &app.turns().await[..] else { panic!("one turn") };
    assert_eq!((&turn.body["user"], &turn.body["query"]), (&json!("alice"), &json!("look")));
    let files = json!([uploaded("image", 0), uploaded("document", 1), uploaded("document", 2)]);
    assert_eq!(turn.body["files"], files);
    let last = app.requests().await.pop().expect("requests");
    assert_eq!(last.url.path(), "/v1/chat-messages", "first the files, then the message");
}

#[tokio::test]
async fn older_clients_send_files_too() {
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    let bytes = STANDARD.encode(DOT);
    let part = json!({"kind": "file", "file": {"name": "dot.png", "mimeType": "image/png", "bytes": bytes}});
    let parts = json!([{"kind": "text", "text": "look"}, part]);
    let task = gateway.client.result("message/send", &say_03(None, parts)).await;
    assert_eq!(task["status"]["state"], "completed");
    let part = json!({"type": "file", "name": "dot.png", "mimeType": "image/png", "bytes": bytes});
    let parts = json!([{"type": "text", "text": "look"}, part]);
    let task = gateway.client.result("message.send", &say_old(false, parts)).await;
    assert_eq!(task["status"], "completed");
    let uploads = app.uploads().await;
    assert!(uploads.len() == 2 && uploads.iter().all(|it| it.name == "dot.png" && it.bytes == DOT));
    let turns = app.turns().await;
    assert_eq!(turns[1].body["files"], json!([uploaded("image", 1)]));
}

#[tokio::test]
async fn files_go_to_the_inputs_of_a_workflow() {
    let app = App::recorded("1.14.2", "workflow_file").await;
    let gateway = app.gateway(&[]).await;
    let text = || raw("a.txt", "text/plain", b"hello");
    let mut named = dot();
    named["metadata"] = json!({"input": "more"});
    for (parts, inputs) in [
        (json!([text()]), json!({"doc": uploaded("document", 0)})),
        // The required one first, then the list.
        (
            json!([text(), dot(), dot()]),
            json!({"doc": uploaded("document", 1), "more": [uploaded("image", 2), uploaded("image", 3)]}),
        ),
        (json!([named, text()]), json!({"doc": uploaded("document", 5), "more": [uploaded("image", 4)]})),
    ] {
        is(&sent(&gateway.client, &say(parts)).await, "COMPLETED");
        let turn = app.turns().await.pop().expect("a turn");
        assert_eq!((&turn.body["inputs"], turn.body.get("files")), (&inputs, None));
    }
    // A missing file is asked for, and given as a part.
    let task = sent(&gateway.client, &say(json!([{"data": {}}]))).await;
    is(&task, "INPUT_REQUIRED");
    let ask = &task["status"]["message"]["parts"];
    assert!(ask[0]["text"].as_str().expect("text").contains("doc"), "{ask}");
    assert_eq!(ask[1]["data"]["inputs"]["required"], json!(["doc"]));
    let error = gateway.client.error("SendMessage", &say_to(&task, json!([{"text": "a.txt"}]))).await;
    assert_eq!(error["code"], -32602);
    is(&sent(&gateway.client, &say_to(&task, json!([text()]))).await, "COMPLETED");
    assert_eq!(app.inputs().await.pop().expect("inputs"), json!({"doc": uploaded("document", 6)}));
}

#[tokio::test]
async fn files_belong_to_one_turn() {
    let app = App::recorded("1.14.2", "workflow_file").await;
    let gateway = app.gateway(&[]).await;
    is(&sent(&gateway.client, &say_in("c", json!([raw("a.txt", "text/plain", b"x")]))).await, "COMPLETED");
    is(&sent(&gateway.client, &say_in("c", json!([{"data": {}}]))).await, "INPUT_REQUIRED");
}

#[tokio::test]
async fn an_address_that_dify_cannot_reach_is_fetched_and_uploaded() {
    let server = FileServer::start(|path| match path {
        "/dir/notes.txt" => file("text/plain; charset=utf-8", b"hello"),
        "/named" => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\
                        Content-Disposition: attachment; filename=\"dot.png\"\r\nConnection: close\r\n\r\n";
            // Without a length, in pieces.
            vec![Step::Send(head.into()), Step::Send(DOT[..5].to_vec()), Step::Send(DOT[5..].to_vec())]
        }
        "/moved.txt" => bare("302 Found", "Location: /dir/notes.txt\r\n"),
        _ => bare("404 Not Found", ""),
    })
    .await;
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[HERE]).await;
    let image = json!({"url": server.url("/named"), "mediaType": "image/png"});
    let parts =
        json!([{"text": "look"}, url(server.url("/dir/notes.txt")), image, url(server.url("/moved.txt"))]);
    is(&sent(&gateway.client, &say_in("c", parts)).await, "COMPLETED");
    let uploads = app.uploads().await;
    let told: Vec<_> =
        uploads.iter().map(|it| (it.name.as_str(), it.media_type.as_str(), it.bytes.as_slice())).collect();
    assert_eq!(told[..2], [("notes.txt", "text/plain", &b"hello"[..]), ("dot.png", "image/png", DOT)]);
    assert_eq!(told[2].2, b"hello");
    assert!(uploads.iter().all(|upload| upload.user == "c"));
    let turn = app.turns().await.pop().expect("a turn");
    let files = json!([uploaded("document", 0), uploaded("image", 1), uploaded("document", 2)]);
    assert_eq!(turn.body["files"], files, "Dify is never sent to an address of the gateway's own network");
    // What is not there is the caller's affair.
    let parts = json!([{"text": "look"}, url(server.url("/none.txt"))]);
    let task = sent(&gateway.client, &say(parts)).await;
    is(&task, "FAILED");
    assert_eq!(failure(&task), ("file_unreachable", "caller"));
    assert_eq!(app.turns().await.len(), 1);
}

#[tokio::test]
async fn a07_addresses_that_only_the_operator_may_go_to_are_refused_and_not_connected_to() {
    let server = FileServer::start(|_| file("text/plain", b"secret")).await;
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    let port = server.addr.port();
    for address in [
        server.url("/a.txt"),
        format!("http://localhost:{port}/a.txt"),
        format!("https://127.0.0.1:{port}/a.txt"),
        format!("http://2130706433:{port}/a.txt"),
        format!("http://0x7f.1:{port}/a.txt"),
        format!("http://[::1]:{port}/a.txt"),
        format!("http://[::ffff:127.0.0.1]:{port}/a.txt"),
        format!("http://0.0.0.0:{port}/a.txt"),
        "http://169.254.169.254/latest/meta-data/a.txt".to_owned(),
        "https://10.1.2.3/a.txt".to_owned(),
        "https://192.168.0.1/a.txt".to_owned(),
        "https://[fd00::1]/a.txt".to_owned(),
        // The gateway and Dify themselves are no exception.
        format!("{}/health/a.txt", gateway.client.base),
        format!("{}/info/a.txt", app.url()),
        // A public one in plain http, and one with a password in it.
        "http://1.1.1.1/a.txt".to_owned(),
        "https://user:pass@1.1.1.1/a.txt".to_owned(),
        "file:///etc/a.txt".to_owned(),
        "ftp://1.1.1.1/a.txt".to_owned(),
        "data:text/plain,a.txt".to_owned(),
        "no address.txt".to_owned(),
    ] {
        let before = app.requests().await.len();
        let v1 = say(json!([{"text": "x"}, {"url": address, "mediaType": "text/plain"}]));
        let part = json!({"kind": "file", "file": {"uri": address, "mimeType": "text/plain"}});
        let v03 = say_03(None, json!([{"kind": "text", "text": "x"}, part]));
        for (method, params) in [("SendMessage", v1), ("message/send", v03)] {
            let error = gateway.client.error(method, &params).await;
            assert_eq!(error["code"], -32602, "{address}: {error}");
            let [(field, _)] = &violations(&error)[..] else { panic!("{error}") };
            assert!(field.starts_with("message.parts[1]"), "{address}: {field}");
        }
        assert_eq!(app.requests().await.len(), before, "{address}");
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(gateway.client.result("ListTasks", &json!({})).await["totalSize"], 0);
}

#[tokio::test]
async fn an_address_in_a_data_part_or_in_an_answer_is_judged_alike() {
    let server = FileServer::start(|_| file("text/plain", b"secret")).await;
    let app = App::recorded("1.14.2", "workflow_file").await;
    let gateway = app.gateway(&[]).await;
    let described = |url: String| json!({"type": "document", "transfer_method": "remote_url", "url": url});
    let data = json!([{"data": {"doc": described(server.url("/a.txt"))}}]);
    let error = gateway.client.error("SendMessage", &say(data.clone())).await;
    assert_eq!(
        (&error["code"], violations(&error)[0].0.as_str()),
        (&json!(-32602), "message.parts[0].data.doc")
    );
    let task = sent(&gateway.client, &say(json!([{"data": {}}]))).await;
    for parts in [data, json!([url(server.url("/a.txt"))])] {
        let error = gateway.client.error("SendMessage", &say_to(&task, parts)).await;
        assert_eq!(error["code"], -32602, "{error}");
        is(&gateway.client.task(task["id"].as_str().expect("an id")).await, "INPUT_REQUIRED");
    }
    // Ids of uploads are not a caller's to give: they may be anybody's.
    let id = json!({"type": "document", "transfer_method": "local_file", "upload_file_id": upload_id(7)});
    let error = gateway.client.error("SendMessage", &say(json!([{"data": {"doc": id}}]))).await;
    assert_eq!(error["code"], -32602, "{error}");
    assert!(server.connections() == 0 && app.turns().await.is_empty() && app.uploads().await.is_empty());
}

#[tokio::test]
async fn a_public_address_is_left_to_dify() {
    // An address and not a name, so that nothing is looked up.
    let address = "https://1.1.1.1/a/b.png?x=1";
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    is(&sent(&gateway.client, &say(json!([{"text": "x"}, url(address)]))).await, "COMPLETED");
    let turn = app.turns().await.pop().expect("a turn");
    let remote = json!({"type": "image", "transfer_method": "remote_url", "url": address});
    assert_eq!(turn.body["files"], json!([remote]));
    assert!(app.uploads().await.is_empty());
}

#[tokio::test]
async fn a_redirect_to_where_nobody_may_go_is_not_followed() {
    let inside = FileServer::at("127.0.0.2", |_| file("text/plain", b"secret")).await;
    let target = inside.url("/a.txt");
    let server = FileServer::start(move |_| bare("302 Found", &format!("Location: {target}\r\n"))).await;
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[("EGRESS_ALLOW", "127.0.0.1")]).await;
    let task = sent(&gateway.client, &say(json!([{"text": "x"}, url(server.url("/a.txt"))]))).await;
    is(&task, "REJECTED");
    assert_eq!(failure(&task), ("file_address_refused", "caller"));
    assert_eq!((server.paths(), inside.connections()), (vec!["/a.txt".to_owned()], 0));
    assert!(app.turns().await.is_empty() && app.uploads().await.is_empty());
}

/// A chatflow that takes files of at most one megabyte.
async fn small_files() -> App {
    let mut parameters = recorded_json("1.14.2/parameters_chatflow_echo");
    parameters["system_parameters"]["file_size_limit"] = json!(1);
    App::of("1.14.2", recorded_json("1.14.2/info_chatflow_echo"), parameters, |_| None).await
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_by_its_length_and_cut_off_when_it_grows() {
    const MB: usize = 1 << 20;
    let app = small_files().await;
    let server = FileServer::start(|path| match path {
        "/told.txt" => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MB + 1);
            vec![Step::Send(head.into_bytes()), Step::Hang]
        }
        "/just.txt" => file("text/plain", &vec![b'x'; MB]),
        _ => {
            let mut steps = vec![Step::Send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec())];
            steps.extend((0..16).map(|_| Step::Send(vec![b'x'; MB / 4])));
            steps.push(Step::Hang);
            steps
        }
    })
    .await;
    let gateway = app.gateway(&[HERE]).await;
    for path in ["/told.txt", "/grows.txt"] {
        let task = sent(&gateway.client, &say(json!([{"text": "x"}, url(server.url(path))]))).await;
        is(&task, "FAILED");
        assert_eq!(failure(&task), ("file_too_large", "caller"), "{path}");
    }
    assert!(app.turns().await.is_empty() && app.uploads().await.is_empty());
    is(&sent(&gateway.client, &say(json!([{"text": "x"}, url(server.url("/just.txt"))]))).await, "COMPLETED");
    assert_eq!(app.uploads().await[0].bytes.len(), MB);
    // Of bytes the size is known before anything is begun.
    let large = raw("a.txt", "text/plain", &vec![b'x'; MB + 1]);
    let error = gateway.client.error("SendMessage", &say(json!([{"text": "x"}, large]))).await;
    assert_eq!((&error["code"], violations(&error)[0].0.as_str()), (&json!(-32602), "message.parts[1]"));
}

#[tokio::test]
async fn files_that_the_app_does_not_take_are_refused() {
    let text = || raw("a.txt", "text/plain", b"x");
    let odd = || raw("a.exe", "application/x-msdownload", b"x");
    for (name, parts, code, word) in [
        // The upload is switched off: Dify would drop the file without a word.
        (
            "chatflow_inputs",
            json!([{"text": "x"}, {"data": {"topic": "t"}}, dot()]),
            -32005,
            "takes no files",
        ),
        ("workflow_ok", json!([{"text": "x"}, dot()]), -32005, "takes no files"),
        // Pictures only.
        ("chat_inputs", json!([{"text": "x"}, {"data": {"topic": "t"}}, text()]), -32005, "image"),
        ("chatflow_echo", json!([{"text": "x"}, odd()]), -32005, ".exe"),
        ("workflow_file", json!([raw("a.mp3", "audio/mpeg", b"x")]), -32005, "audio"),
        // Three of them, and one document with three more files.
        (
            "chat_inputs",
            json!([{"text": "x"}, {"data": {"topic": "t"}}, dot(), dot(), dot(), dot()]),
            -32602,
            "too many",
        ),
        ("workflow_file", json!([dot(), dot(), dot(), dot(), dot()]), -32602, "too many"),
    ] {
        let app = App::recorded("1.14.2", name).await;
        let gateway = app.gateway(&[]).await;
        let error = gateway.client.error("SendMessage", &say(parts.clone())).await;
        assert_eq!(error["code"], code, "{name}: {error}");
        assert!(error["message"].as_str().expect("text").contains(word), "{name}: {error}");
        if code == -32602 {
            let last = parts.as_array().expect("parts").len() - 1;
            assert_eq!(violations(&error)[0].0, format!("message.parts[{last}]"));
        }
        assert!(app.turns().await.is_empty() && app.uploads().await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn what_dify_does_not_take_fails_the_task_and_names_whose_affair_it_is() {
    for (status, code, source) in [
        (413, "file_too_large", "caller"),
        (415, "unsupported_file_type", "caller"),
        (400, "file_extension_blocked", "caller"),
        (500, "internal_server_error", "dify"),
    ] {
        let app = App::answering("1.14.2", "chatflow_echo", move |request| {
            let is_upload = request.url.path() == "/v1/files/upload";
            is_upload.then(|| refusal(status, code, "no"))
        })
        .await;
        let gateway = app.gateway(&[]).await;
        let task = sent(&gateway.client, &say(json!([{"text": "x"}, dot()]))).await;
        is(&task, "FAILED");
        assert_eq!(failure(&task), (code, source), "{status}");
        assert!(app.turns().await.is_empty());
    }
    // What nginx says is no JSON.
    let page = || ResponseTemplate::new(413).set_body_raw("<html>413</html>", "text/html");
    let app = App::answering("1.14.2", "chatflow_echo", move |request| {
        (request.url.path() == "/v1/files/upload").then(page)
    })
    .await;
    let task = sent(&app.gateway(&[]).await.client, &say(json!([{"text": "x"}, dot()]))).await;
    assert_eq!((state(&task), failure(&task).1), ("FAILED", "caller"));
}

#[tokio::test]
async fn a_cancel_during_an_upload_ends_it_and_nothing_is_asked() {
    let dify = FakeDify::with(
        "1.14.2",
        |_| Reply::html(500),
        |received| match received.path.as_str() {
            "/v1/info" => Some(Reply::json(200, &recorded_json("1.14.2/info_chatflow_echo"))),
            "/v1/parameters" => Some(Reply::json(200, &recorded_json("1.14.2/parameters_chatflow_echo"))),
            "/v1/files/upload" => Some(Reply { status: 201, headers: Vec::new(), steps: vec![Step::Hang] }),
            _ => None,
        },
    )
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut params = say(json!([{"text": "x"}, dot()]));
    params["configuration"] = json!({"returnImmediately": true});
    let task = sent(&gateway.client, &params).await;
    let id = task["id"].as_str().expect("an id");
    let is_uploading = || dify.received().iter().any(|received| received.path == "/v1/files/upload");
    while !is_uploading() {
        is(&gateway.client.task(id).await, "SUBMITTED");
    }
    let canceled = gateway.client.result("CancelTask", &json!({"id": id})).await;
    is(&canceled, "CANCELED");
    assert!(dify.chats().is_empty() && dify.stops().is_empty());
}

#[tokio::test]
async fn a_file_without_a_text_is_enough_for_a_chat() {
    let app = App::recorded("1.14.2", "chatflow_echo").await;
    let gateway = app.gateway(&[]).await;
    is(&sent(&gateway.client, &say(json!([dot(), raw("a.txt", "text/plain", b"x")]))).await, "COMPLETED");
    let turn = app.turns().await.pop().expect("a turn");
    assert_eq!(turn.body["query"], "dot.png, a.txt", "Dify takes no empty one");
    assert_eq!(turn.body["files"], json!([uploaded("image", 0), uploaded("document", 1)]));
}
