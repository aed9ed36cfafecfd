//! The program as people run it: commands, settings, output, signals.

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::streams::follow;
use super::support::client::{PATIENCE, send};
use super::support::dify_frames::{self, message};
use super::support::fake_dify::KEY;
use super::support::{Client, FakeDify, Gateway, Reply, Step};

fn program(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dify-a2a"));
    let empty = std::env::temp_dir();
    command.args(args).env_clear().envs(env.iter().copied()).current_dir(empty);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

pub(crate) async fn output(args: &[&str], env: &[(&str, &str)]) -> Output {
    tokio::time::timeout(PATIENCE, program(args, env).output()).await.expect("in time").expect("run")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A serving program, and where it listens.
pub(crate) struct Serving {
    child: Child,
    pub(crate) base: String,
    out: BufReader<ChildStdout>,
    err: ChildStderr,
}

impl Serving {
    pub(crate) async fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut child = program(args, env).spawn().expect("started");
        let mut out = BufReader::new(child.stdout.take().expect("stdout"));
        let err = child.stderr.take().expect("stderr");
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, out.read_line(&mut line)).await.expect("in time").expect("a line");
        let from = line.find("http://").unwrap_or_else(|| panic!("no address in {line:?}"));
        let base =
            line[from..].trim_end().trim_end_matches(". It needs no Dify and no key. In another terminal:");
        Self { child, base: base.to_owned(), out, err }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    fn terminate(&self) {
        let pid = self.pid().to_string();
        let told = std::process::Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(told.success());
    }

    /// Waits for the end; gives the exit code and the log.
    async fn end(mut self) -> (Option<i32>, String) {
        let status =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("in time").expect("an end");
        let mut log = String::new();
        self.err.read_to_string(&mut log).await.expect("a log");
        (status.code(), log)
    }
}

#[tokio::test]
async fn a09_n05_serve_prints_where_it_listens_and_ends_in_order_when_told_to() {
    let dify = FakeDify::until_stopped().await;
    let url = dify.url();
    let env = [
        ("DIFY_API_URL", url.as_str()),
        ("DIFY_API_KEY", KEY),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("SHUTDOWN_GRACE", "200ms"),
        ("LOG_LEVEL", "trace"),
        ("LOG_FORMAT", "json"),
    ];
    let serving = Serving::start(&[], &env).await;
    let client = Client::new(serving.base.clone());
    let mut stream = client.stream("SendStreamingMessage", &send("a very private question", None)).await;
    let mut events = vec![stream.next().await.expect("the task"), stream.next().await.expect("working")];
    serving.terminate();
    events.extend(stream.all().await);
    assert_eq!(follow(&events).1.last().map(String::as_str), Some("TASK_STATE_FAILED"));
    let (code, log) = serving.end().await;
    assert_eq!(code, Some(0));
    assert_eq!(dify.stops().len(), 1);
    let first: Value = serde_json::from_str(log.lines().next().expect("a line")).expect("JSON lines");
    assert!(first["timestamp"].is_string());
    for secret in [KEY, "a very private question", "so far"] {
        assert!(!log.contains(secret), "{secret:?} in the log even at trace");
    }
}

#[tokio::test]
async fn a10_a_cancel_leaves_a_line_in_the_log() {
    let dify = FakeDify::until_stopped().await;
    let url = dify.url();
    let env = [("DIFY_API_URL", url.as_str()), ("DIFY_API_KEY", KEY), ("HOST", "127.0.0.1"), ("PORT", "0")];
    let serving = Serving::start(&[], &env).await;
    let client = Client::new(serving.base.clone());
    let mut stream = client.stream("SendStreamingMessage", &send("x", None)).await;
    let id = stream.next().await.expect("the task").data["result"]["task"]["id"].clone();
    stream.next().await.expect("working");
    client.result("CancelTask", &json!({"id": id})).await;
    stream.all().await;
    serving.terminate();
    // Without a word about the log in the settings.
    let (_, log) = serving.end().await;
    let id = id.as_str().expect("an id");
    let lines: Vec<&str> =
        log.lines().filter(|line| line.contains(id) && line.contains("task ended")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("Canceled") && lines[0].contains("INFO"), "{lines:?}");
}

#[tokio::test]
async fn told_twice_to_stop_it_does_not_wait_for_the_grace() {
    let dify = FakeDify::chat(|received| {
        Reply::stream(vec![
            Step::Send(message(received, "run", "so far")),
            Step::WaitForStop("run".to_owned()),
        ])
    })
    .await;
    let url = dify.url();
    let env = [
        ("DIFY_API_URL", url.as_str()),
        ("DIFY_API_KEY", KEY),
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("SHUTDOWN_GRACE", "1h"),
    ];
    let serving = Serving::start(&[], &env).await;
    let client = Client::new(serving.base.clone());
    let mut stream = client.stream("SendStreamingMessage", &send("x", None)).await;
    stream.next().await.expect("the task");
    stream.next().await.expect("working");
    serving.terminate();
    while tokio::net::TcpStream::connect(serving.base.trim_start_matches("http://")).await.is_ok() {
        tokio::task::yield_now().await;
    }
    serving.terminate();
    let _ = stream.all().await;
    assert_eq!(serving.end().await.0, Some(0));
    assert_eq!(dify.stops().len(), 1);
}

#[tokio::test]
async fn every_wrong_setting_is_reported_at_once_without_secrets() {
    let env = [
        ("DIFY_API_KEY", "app-secret\u{1}"),
        ("DIFY_API_URL", "ftp://x"),
        ("PORT", "99999"),
        ("DIFY_THINK", "loudly"),
        ("KEEP_ALIVE", "soon"),
        ("AUTH_API_KEYS", "a:b"),
        ("STORE_URL", "postgres://x"),
    ];
    let output = output(&["serve"], &env).await;
    assert_eq!(output.status.code(), Some(2));
    let shown = text(&output.stderr);
    for (name, _) in env {
        assert!(shown.contains(name), "{name} in {shown}");
    }
    assert!(!shown.contains("app-secret"), "{shown}");
    assert!(output.stdout.is_empty());
    let missing = super::program::output(&["serve"], &[]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("DIFY_API_KEY"));
}

#[tokio::test]
async fn an_address_that_is_taken_is_a_clear_error() {
    let dify = FakeDify::echo().await;
    let port = dify.addr.port().to_string();
    let url = dify.url();
    let env = [("DIFY_API_URL", url.as_str()), ("DIFY_API_KEY", KEY), ("HOST", "127.0.0.1"), ("PORT", &port)];
    let output = output(&["serve"], &env).await;
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.lines().next().expect("a line").contains(&port), "{shown}");
}

#[tokio::test]
async fn check_tells_what_the_app_is_and_what_is_in_the_way() {
    let dify = FakeDify::echo().await;
    let url = dify.url();
    let good = output(&["check"], &[("DIFY_API_URL", &url), ("DIFY_API_KEY", KEY)]).await;
    let shown = text(&good.stdout);
    assert_eq!(good.status.code(), Some(0), "{shown}{}", text(&good.stderr));
    assert!(shown.contains("Test app (chat)") && shown.contains("1.14.2") && !shown.contains(KEY), "{shown}");

    let warned = "Warnings\n         PUBLIC_URL (server.public_url in TOML), from nowhere: is not set, so the card will \
                  give http://<Host of each request>\n           behind a TLS proxy set PUBLIC_URL, or TRUSTED_PROXIES to \
                  the address of the proxy\n";
    assert!(shown.contains(warned) && shown.ends_with("\nserve would work\n"), "{shown}");
    for (name, value) in [
        ("PUBLIC_URL", "https://a.example"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("HOST", "127.0.0.1"),
        ("HOST", "::1"),
        ("HOST", "localhost"),
    ] {
        let env = [("DIFY_API_URL", url.as_str()), ("DIFY_API_KEY", KEY), (name, value)];
        let quiet = text(&output(&["check"], &env).await.stdout);
        assert!(quiet.contains("serve would work") && !quiet.contains("Warnings"), "{name}: {quiet}");
    }

    let refused = output(&["check"], &[("DIFY_API_URL", &url), ("DIFY_API_KEY", "app-wrong")]).await;
    let shown = text(&refused.stdout);
    assert_eq!(refused.status.code(), Some(1));
    assert!(shown.contains("DIFY_API_KEY") && !shown.contains("app-wrong"), "{shown}");

    let nowhere =
        output(&["check"], &[("DIFY_API_URL", "http://127.0.0.1:9/v1"), ("DIFY_API_KEY", KEY)]).await;
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(text(&nowhere.stdout).contains("DIFY_API_URL"));
    assert!(dify.chats().is_empty(), "never a test message");
}

#[tokio::test]
async fn check_tells_old_and_unsupported_apps_apart_by_reading_only() {
    // 0.15.3 tells no mode: a chat app answers the list of conversations, a workflow app refuses it.
    let info = json!({"name": "old", "description": "", "tags": []});
    let old_info = info.clone();
    let old = FakeDify::with(
        "0.15.3",
        |_| Reply::html(500),
        move |received| (received.path == "/v1/info").then(|| Reply::json(200, &old_info)),
    )
    .await;
    let url = old.url();
    let chat = output(&["check"], &[("DIFY_API_URL", &url), ("DIFY_API_KEY", KEY)]).await;
    assert_eq!(chat.status.code(), Some(0), "{}", text(&chat.stdout));
    assert!(text(&chat.stdout).contains("chat family"));
    assert!(old.chats().is_empty());

    let robot = FakeDify::with(
        "1.14.2",
        |_| Reply::html(500),
        |received| (received.path == "/v1/info").then(|| Reply::json(200, &dify_frames::info("robot"))),
    )
    .await;
    let url = robot.url();
    let refused = output(&["check"], &[("DIFY_API_URL", &url), ("DIFY_API_KEY", KEY)]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("robot"), "{}", text(&refused.stdout));
}

#[tokio::test]
async fn card_prints_what_serve_would_show() {
    let dify = FakeDify::echo().await;
    let url = dify.url();
    let told =
        [("PUBLIC_URL", "https://a.example/x"), ("BINDINGS", "grpc,http"), ("GRPC_URL", "grpc.example:7443")];
    let mut env = vec![("DIFY_API_URL", url.as_str()), ("DIFY_API_KEY", KEY)];
    env.extend(told);
    let printed = output(&["card"], &env).await;
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stderr));
    let card: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!(card["supportedInterfaces"][0]["url"], "grpc.example:7443");
    let gateway = Gateway::before(&dify, &told).await;
    let served = gateway.client.http.get(format!("{}/.well-known/agent-card.json", gateway.client.base));
    let served: Value = served.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(card, served);
    assert_eq!(output(&["card", "--extended"], &env).await.status.code(), Some(1));
    let env = [("DIFY_API_URL", "http://127.0.0.1:9/v1"), ("DIFY_API_KEY", KEY)];
    let nowhere = output(&["card"], &env).await;
    assert_eq!(nowhere.status.code(), Some(1));
    let shown = text(&nowhere.stderr);
    assert_eq!(shown.matches("dify cannot be reached").count(), 1, "each cause once: {shown}");
    assert_eq!(shown.lines().count(), 1, "{shown}");
}

/// Does what this line of `curl` would.
async fn as_curl(line: &str) -> String {
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("a URL");
    let body = line.split("-d '").nth(1).expect("a body").trim_end().trim_end_matches('\'');
    let request = reqwest::Client::new().post(url).header("Content-Type", "application/json");
    let answer = request.header("A2A-Version", "1.0").body(body.to_owned()).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.text().await.expect("a body")
}

#[tokio::test]
async fn the_lines_that_demo_prints_work_as_printed() {
    let env = [("HOST", "127.0.0.1"), ("PORT", "0")];
    let mut demo = Serving::start(&["demo"], &env).await;
    let mut banner = String::new();
    while banner.matches("curl ").count() < 3 {
        demo.out.read_line(&mut banner).await.expect("a line");
    }
    let lines: Vec<&str> = banner.lines().filter(|line| line.starts_with("curl ")).collect();
    let mut answers = Vec::new();
    for line in &lines {
        answers.push(as_curl(line).await);
    }
    assert!(answers[0].contains("TASK_STATE_COMPLETED") && answers[1].contains("TASK_STATE_COMPLETED"));
    let last: Value = serde_json::from_str(&answers[2]).expect("JSON");
    assert_eq!(last["result"]["task"]["artifacts"][0]["parts"][0]["text"], "Your name is Alice.");
    // People repeat a line to watch again.
    let again = as_curl(lines[1]).await;
    assert!(again.matches("\ndata: ").count() > 3, "a stream of its own: {again}");
    assert!(again.contains("TASK_STATE_SUBMITTED") && again.contains("TASK_STATE_WORKING"), "{again}");
    demo.terminate();
    assert_eq!(demo.end().await.0, Some(0));
}

/// Runs `chat` with these lines on a pipe.
async fn chat_over_a_pipe(address: &str, lines: &[u8]) -> Output {
    use tokio::io::AsyncWriteExt;
    let mut command = program(&["chat", address], &[]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("started");
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(lines).await.expect("written");
    drop(stdin);
    tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("in time").expect("an end")
}

#[tokio::test]
async fn chat_talks_to_the_gateway_over_a_pipe() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let output = chat_over_a_pipe(&gateway.client.base, b"hello there\nand again\n/quit\n").await;
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(shown.contains("You said: hello there") && shown.contains("You said: and again"), "{shown}");
    assert_eq!(shown.matches("hello there").count(), 1, "the closing whole is not shown twice: {shown}");
    let chats = dify.chats();
    assert_eq!(chats[0].user(), chats[1].user(), "one conversation");
}

#[tokio::test]
async fn chat_tells_a_script_that_the_last_turn_failed_and_takes_the_address_in_the_card() {
    let dify = FakeDify::chat(|received| match received.said() {
        "fail" => Reply::bytes(dify_frames::error(received, "completion_request_error", "no model")),
        _ => Reply::bytes(dify_frames::echo(received)),
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let interface = format!("{}/a2a", gateway.client.base);
    let failed = chat_over_a_pipe(&interface, b"hello\nfail\n").await;
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(text(&failed.stdout), "You said: hello\n");
    let shown = text(&failed.stderr);
    assert!(shown.contains("[failed: ") && shown.lines().count() == 1, "told once: {shown}");
    let mended = chat_over_a_pipe(&interface, b"fail\nhello\n").await;
    assert_eq!(mended.status.code(), Some(0));
    let nowhere = chat_over_a_pipe(&format!("{interface}/card.json"), b"hello\n").await;
    assert_eq!(nowhere.status.code(), Some(1));
    let shown = text(&nowhere.stderr);
    assert!(shown.contains(&format!("no Agent Card at {interface}/card.json")), "{shown}");
}

#[tokio::test]
async fn version_and_help() {
    let version = output(&["--version"], &[]).await;
    assert_eq!(text(&version.stdout).trim(), concat!("dify-a2a ", env!("CARGO_PKG_VERSION")));
    let help = text(&output(&["--help"], &[]).await.stdout);
    for command in ["serve", "demo", "check", "card", "chat", "--config"] {
        assert!(help.contains(command), "{command}");
    }
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("the card appends /a2a"), "PUBLIC_URL is a base: {help}");
}
