//! `check` before apps of every kind: the page as people get it, and the exit code that scripts get.

use super::program::{output, text};
use super::support::fake_dify::KEY;
use super::support::{FakeDify, Reply};
use serde_json::{Value, json};

/// The body of a recorded answer of Dify.
fn recorded(version: &str, name: &str) -> Value {
    let path = format!("{}/fixtures/dify/{version}/{name}.http", env!("CARGO_MANIFEST_DIR"));
    let raw = std::fs::read_to_string(&path).expect("a recording");
    serde_json::from_str(raw.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON")
}

/// A Dify whose app has these answers of `/info` and `/parameters`. One that tells no mode is a text generator.
async fn app(version: &'static str, info: Value, parameters: Value) -> FakeDify {
    let wrong_app = "Please check if your app mode matches the right API route.";
    FakeDify::with(
        version,
        |_| Reply::html(500),
        move |received| match received.path.as_str() {
            "/v1/info" => Some(Reply::json(200, &info)),
            "/v1/parameters" => Some(Reply::json(200, &parameters)),
            "/v1/conversations" => Some(Reply::error(400, "not_chat_app", wrong_app)),
            path if path.starts_with("/v1/workflows/run/") => {
                Some(Reply::error(400, "not_workflow_app", wrong_app))
            }
            _ => None,
        },
    )
    .await
}

/// The app of recorded answers.
async fn recorded_app(version: &'static str, name: &str) -> FakeDify {
    let (info, parameters) =
        (recorded(version, &format!("info_{name}")), recorded(version, &format!("parameters_{name}")));
    app(version, info, parameters).await
}

/// What `check` prints before this app, with a mark for the address, and its exit code.
async fn check(dify: &FakeDify, env: &[(&str, &str)]) -> (String, Option<i32>) {
    let url = dify.url();
    let mut all = vec![("DIFY_API_URL", url.as_str()), ("DIFY_API_KEY", KEY), ("HOST", "127.0.0.1")];
    all.extend(env);
    let output = output(&["check"], &all).await;
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(dify.chats().is_empty(), "never a test message");
    let page = text(&output.stdout);
    for line in page.lines() {
        assert_eq!(line, line.trim_end(), "{page}");
    }
    (page.replace(&dify.addr.to_string(), "[address]"), output.status.code())
}

#[tokio::test]
async fn pages_of_recorded_apps() {
    let pinned = [("DIFY_WORKFLOW_ID", "01a2150e-b5bc-4210-8963-be6b4628d470"), ("PROGRESS", "full")];
    let settled = [
        ("DIFY_INPUTS", r#"{"topic":"a secret topic","tone":"casual"}"#),
        ("DIFY_LOCKED_INPUTS", "tone"),
        ("MISSING_INPUTS", "reject"),
        ("FILES", "link"),
    ];
    let mut pages = Vec::new();
    for (version, name, env) in [
        ("1.14.2", "workflow_ok", &pinned[..]),
        ("1.14.2", "workflow_file", &[("EGRESS_ALLOW", "files.example.com")]),
        ("1.14.2", "completion", &[]),
        ("1.14.2", "chatflow_inputs", &settled),
        ("1.14.2", "chatflow_echo", &[]),
        ("0.15.3", "completion", &[("PROGRESS", "off")]),
    ] {
        let (page, code) = check(&recorded_app(version, name).await, env).await;
        assert_eq!(code, Some(0), "{page}");
        assert!(!page.contains("secret"), "{page}");
        pages.push(format!("== {name} of {version}\n\n{page}"));
    }
    insta::assert_snapshot!(pages.join("\n"));
}

#[tokio::test]
async fn the_page_of_an_app_that_has_everything() {
    let parameters = json!({
        "speech_to_text": {"enabled": true}, "text_to_speech": {"enabled": true, "voice": "alloy"},
        "suggested_questions_after_answer": {"enabled": true}, "retriever_resource": {"enabled": true},
        "annotation_reply": {"enabled": true}, "sensitive_word_avoidance": {"enabled": true},
        "user_input_form": [
            {"text-input": {"variable": "名前", "label": "Name\u{1b}[31m", "required": true, "max_length": 48}},
            {"select": {"variable": "country", "required": false, "options": (0..30).map(|n| format!("c{n}")).collect::<Vec<_>>()}},
            {"checkbox": {"variable": "agreed", "required": true, "default": true}},
            {"json_object": {"variable": "extra", "json_schema": {"type": "object"}}},
            {"paragraph": {"variable": "internal", "hide": true}},
            {"colour": {"variable": "paint"}},
            {"file-list": {"variable": "plans", "allowed_file_types": ["document"], "max_length": 2,
                "allowed_file_upload_methods": ["local_file"]}},
        ],
        "file_upload": {"image": {"enabled": true, "number_limits": 3, "transfer_methods": ["remote_url"]}},
        "system_parameters": {"image_file_size_limit": 2, "workflow_file_upload_limit": 4},
    });
    let info =
        json!({"name": "Everything", "description": "Two\nlines", "tags": [], "mode": "advanced-chat"});
    let dify = app("1.16.0", info, parameters).await;
    let (page, code) = check(&dify, &[("SUGGESTED", "on")]).await;
    assert_eq!(code, Some(0), "{page}");
    insta::assert_snapshot!(page);
}

/// Each problem is on the page with its remedy, and is a reason for the exit code.
#[tokio::test]
async fn what_keeps_serve_from_working_is_named() {
    let texts =
        json!({"user_input_form": [{"text-input": {"variable": "a"}}, {"paragraph": {"variable": "b"}}]});
    let workflow = json!({"name": "w", "mode": "workflow"});
    let ambiguous = app("1.14.2", workflow.clone(), texts.clone()).await;
    let old = app("1.7.1", workflow, texts).await;
    let chat = FakeDify::echo().await;
    let version = ("DIFY_WORKFLOW_ID", "01a2150e-b5bc-4210-8963-be6b4628d470");
    for (dify, env, wrong, mend) in [
        (&ambiguous, &[][..], "the app requires none of a, b", "set DIFY_QUERY_INPUT to one of a, b"),
        (&ambiguous, &[("DIFY_QUERY_INPUT", "c")], "DIFY_QUERY_INPUT is \"c\"", "it has a, b"),
        (
            &ambiguous,
            &[("DIFY_QUERY_INPUT", "a"), ("DIFY_INPUTS", r#"{"b":5}"#)],
            "input \"b\" is wrong",
            "DIFY_INPUTS",
        ),
        (
            &ambiguous,
            &[("DIFY_QUERY_INPUT", "a"), ("DIFY_INPUTS", r#"{"x":5}"#)],
            "no input \"x\"",
            "DIFY_INPUTS",
        ),
        (
            &ambiguous,
            &[("DIFY_QUERY_INPUT", "a"), ("DIFY_LOCKED_INPUTS", "y")],
            "no input \"y\"",
            "DIFY_LOCKED_INPUTS",
        ),
        (
            &old,
            &[("DIFY_QUERY_INPUT", "a"), version],
            "Dify 1.7.1 runs the newest version only",
            "leave DIFY_WORKFLOW_ID out",
        ),
        (&chat, &[version], "an app of the mode chat has no workflow", "leave DIFY_WORKFLOW_ID out"),
    ] {
        let (page, code) = check(dify, env).await;
        let problems = page.split("\nProblems\n").nth(1).unwrap_or_else(|| panic!("no problems in {page}"));
        assert!(problems.contains(wrong) && problems.contains(mend), "{wrong}: {page}");
        assert!(page.ends_with("\nserve would not work\n"), "{page}");
        assert_eq!(code, Some(1), "{page}");
    }
    // Each of the two that were wrong above is right with the other's remedy.
    let (page, code) = check(&ambiguous, &[("DIFY_QUERY_INPUT", "b")]).await;
    assert_eq!(code, Some(0), "{page}");
    assert!(page.contains("text    goes to the input b (DIFY_QUERY_INPUT)"), "{page}");
}

#[tokio::test]
async fn an_app_that_is_not_published_does_not_work() {
    let dify = FakeDify::with(
        "1.14.2",
        |_| Reply::html(500),
        |received| {
            (received.path == "/v1/parameters").then(|| {
                Reply::error(400, "app_unavailable", "App unavailable, please check your app configurations.")
            })
        },
    )
    .await;
    let (page, code) = check(&dify, &[("DIFY_INPUTS", r#"{"x":5}"#)]).await;
    assert_eq!(code, Some(1), "{page}");
    assert!(page.contains("app_unavailable") && page.contains("publish it"), "{page}");
    assert!(page.contains("Inputs\n         not told by Dify") && !page.contains("no input \"x\""), "{page}");
}

/// Not even root can make a folder in `/proc`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_for_files_that_nobody_can_write_to_is_a_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let dify = FakeDify::echo().await;
    let (page, code) = check(&dify, &[("FILES_DIR", "/proc")]).await;
    assert_eq!(code, Some(1), "{page}");
    assert!(
        page.contains("the folder for files cannot be made in /proc") && page.contains("set FILES_DIR"),
        "{page}"
    );
    // Nothing is kept where clients get Dify's own addresses.
    let (page, code) = check(&dify, &[("FILES_DIR", "/proc"), ("FILES", "link")]).await;
    assert_eq!(code, Some(0), "{page}");
    let kept = folder.path().to_str().expect("UTF-8");
    let (page, code) = check(&dify, &[("FILES_DIR", kept)]).await;
    assert_eq!(code, Some(0), "{page}");
    assert_eq!(std::fs::read_dir(kept).expect("a folder").count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn what_has_no_effect_is_a_warning_and_no_more() {
    let chat = FakeDify::echo().await;
    let workflow = recorded_app("1.14.2", "workflow_ok").await;
    let silent = FakeDify::with(
        "1.14.2",
        |_| Reply::html(500),
        |received| {
            (received.path == "/v1/parameters").then(|| Reply::error(500, "internal_server_error", "x"))
        },
    )
    .await;
    for (dify, env, warning) in [
        (&chat, &[("SUGGESTED", "on")][..], "the app has its follow-up questions switched off"),
        (&workflow, &[("SUGGESTED", "on")], "only apps with conversations suggest questions"),
        (&chat, &[("DIFY_QUERY_INPUT", "a")], "this app takes the caller's text as its query"),
        (&silent, &[], "Dify did not tell the app's inputs, files and features"),
    ] {
        let (page, code) = check(dify, env).await;
        let warnings = page.split("\nWarnings\n").nth(1).unwrap_or_else(|| panic!("no warnings in {page}"));
        assert!(warnings.contains(warning), "{page}");
        assert_eq!(code, Some(0), "{page}");
    }
}

/// What versions mean, by a line that must be there and one that must not.
#[tokio::test]
async fn the_version_decides_what_is_said() {
    for (version, mode, there, not_there) in [
        ("0.15.3", "old chat", "before 1.0: a conversation keeps the inputs of its first message", "1.13"),
        ("0.15.3", "old chat", "since 1.14", "goes through a worker"),
        ("1.12.1", "workflow", "a request that Dify refuses fails at once", "before 1.0"),
        ("1.13.3", "workflow", "before 1.14 the API cannot answer forms", "at once, with"),
        ("1.14.2", "advanced-chat", "1.13 to 1.15: runs go through a worker", "at once, with"),
        ("1.14.2", "chat", "a request that Dify refuses fails at once", "through a worker"),
        ("1.16.0", "workflow", "since 1.16: runs go through a worker", "stays silent"),
        ("1.6.0", "chat", "trace id            not in this version of Dify", "before 1.4"),
        ("nightly", "chat", "not told, and taken for a newer one", "not in this version of Dify"),
    ] {
        let info = match mode {
            "old chat" => json!({"name": "n"}),
            mode => json!({"name": "n", "mode": mode}),
        };
        let is_old = mode == "old chat";
        let dify = FakeDify::with(
            version,
            |_| Reply::html(500),
            move |received| (received.path == "/v1/info").then(|| Reply::json(200, &info)),
        )
        .await;
        let (page, code) = check(&dify, &[]).await;
        assert_eq!(code, Some(0), "{page}");
        assert_eq!(page.contains("(chat family)"), is_old, "{page}");
        let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&one_line(there)), "{version} {mode}: {there}: {page}");
        assert!(!words.contains(not_there), "{version} {mode}: {not_there}: {page}");
    }
}
