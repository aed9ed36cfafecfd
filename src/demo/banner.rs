//! What `dify-a2a demo` prints once it listens: lines to copy into a second terminal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::App;

/// What the file of the example says.
const NOTES: &str = "Tea came to Europe in 1610.\n";

/// How the calls of a banner are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// By gRPC alone, which no tool that every machine has can speak.
    Grpc,
    /// By HTTP+JSON.
    Http,
    /// By JSON-RPC.
    Rpc,
}

/// Calls that work as printed against a gateway that listens on `addr`, with `app` behind it.
pub fn banner(app: App, addr: SocketAddr, way: Way) -> String {
    let base = format!("http://{}", reachable(addr));
    let head =
        format!("The demo agent listens on {base}. It needs no Dify and no key. In another terminal:\n");
    if way == Way::Grpc {
        return format!("The demo agent speaks gRPC alone, on {}; BINDINGS has more.\n", reachable(addr));
    }
    let to = To { base: &base, way };
    let calls = match app {
        App::Chat => chat(to),
        App::Workflow => workflow(to),
        App::Approval => approval(to),
    };
    let calls: Vec<String> = calls.iter().map(|(what, line)| format!("\n# {what}\n{line}\n")).collect();
    format!("{head}{}\n# or talk to it\ndify-a2a chat {base}\n", calls.concat())
}

type Calls = Vec<(&'static str, String)>;

fn chat(to: To<'_>) -> Calls {
    let say = |id: &str, text: &str| json!({"messageId": id, "contextId": "demo", "role": "ROLE_USER", "parts": [{"text": text}]});
    vec![
        ("tell it something", wait(to, &say("demo-1", "My name is Alice"))),
        ("watch an answer as it comes", watch(to, &say("demo-2", "Hello, what can you do?"))),
        ("ask for what it was told: the context remembers", wait(to, &say("demo-3", "What is my name?"))),
    ]
}

fn workflow(to: To<'_>) -> Calls {
    let message = |id: &str, parts: Value| json!({"messageId": id, "role": "ROLE_USER", "parts": parts});
    let file = json!({"raw": STANDARD.encode(NOTES), "filename": "notes.txt", "mediaType": "text/plain"});
    vec![
        (
            "fill in the form and watch the report come: text, values, and a file",
            watch(to, &message("demo-1", json!([{"data": {"topic": "tea", "words": 50}}]))),
        ),
        (
            "or leave the form out: the text is its topic, the only thing it must know",
            wait(to, &message("demo-2", json!([{"text": "The history of tea"}]))),
        ),
        (
            "say nothing of the topic: it asks for it (TASK_STATE_INPUT_REQUIRED)",
            wait(to, &message("demo-3", json!([{"data": {"tone": "casual"}}]))),
        ),
        (
            "give it a file to work from",
            wait(to, &message("demo-4", json!([{"data": {"topic": "tea", "words": 50}}, file]))),
        ),
    ]
}

fn approval(to: To<'_>) -> Calls {
    let ask = json!({"messageId": "demo-1", "role": "ROLE_USER", "parts": [{"text": "Buy 3 laptops"}]});
    let decide = json!({
        "messageId": "demo-2", "taskId": "$TASK", "role": "ROLE_USER",
        "parts": [{"data": {"action": "approve", "inputs": {"comment": "fine"}}}],
    });
    // Only in double quotes does the shell put in the task.
    let decide = wait(to, &decide).replace("\"$TASK\"", "\"'\"$TASK\"'\"");
    vec![
        ("ask for money; the task comes back as TASK_STATE_INPUT_REQUIRED, with a form", wait(to, &ask)),
        (
            match to.way {
                Way::Rpc => "put the id of that task (result.task.id in the answer) in the place of the dots",
                Way::Http | Way::Grpc => {
                    "put the id of that task (task.id in the answer) in the place of the dots"
                }
            },
            "TASK=...".to_owned(),
        ),
        ("decide: the same task goes on to its end", decide),
    ]
}

/// Whom the calls go to.
#[derive(Clone, Copy)]
struct To<'a> {
    base: &'a str,
    way: Way,
}

fn wait(to: To<'_>, message: &Value) -> String {
    call(to, "-s", ["SendMessage", "message:send"], message)
}

fn watch(to: To<'_>, message: &Value) -> String {
    call(to, "-sN", ["SendStreamingMessage", "message:stream"], message)
}

fn call(to: To<'_>, options: &str, [method, path]: [&str; 2], message: &Value) -> String {
    let (base, params) = (to.base, format!(r#"{{"message":{message}}}"#));
    let (path, body) = match to.way {
        Way::Rpc => ("a2a", format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)),
        Way::Http | Way::Grpc => (path, params),
    };
    format!(
        "curl {options} {base}/{path} -H 'Content-Type: application/json' -H 'A2A-Version: 1.0' -d '{body}'"
    )
}

/// The address under which this machine reaches a listener on `addr`.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of all calls of a banner, with `$TASK` put in as a shell would.
    fn messages(app: App) -> Vec<(String, Value)> {
        let text = banner(app, "0.0.0.0:4242".parse().unwrap(), Way::Rpc);
        let lines = text.lines().filter(|line| line.starts_with("curl "));
        lines
            .map(|line| {
                assert!(line.contains(" http://127.0.0.1:4242/a2a "), "{line}");
                let body = line.split_once(" -d '").unwrap().1.strip_suffix('\'').unwrap();
                let body = body.replace("'\"$TASK\"'", "task-1");
                assert!(!body.contains('\''), "{body}");
                let body: Value = serde_json::from_str(&body).unwrap();
                (body["method"].as_str().unwrap().to_owned(), body["params"]["message"].clone())
            })
            .collect()
    }

    #[test]
    fn three_calls_to_the_chat_can_be_copied_as_they_are() {
        let messages = messages(App::Chat);
        let methods: Vec<&str> = messages.iter().map(|(method, _)| method.as_str()).collect();
        assert_eq!(methods, ["SendMessage", "SendStreamingMessage", "SendMessage"]);
        assert_eq!(messages[0].1["contextId"], messages[2].1["contextId"]);
        assert!(banner(App::Chat, "[::]:80".parse().unwrap(), Way::Rpc).contains("http://[::1]:80/a2a"));
    }

    #[test]
    fn the_workflow_is_called_with_values_with_text_with_too_little_and_with_a_file() {
        let parts: Vec<Value> =
            messages(App::Workflow).into_iter().map(|(_, message)| message["parts"].clone()).collect();
        assert_eq!(parts[0], json!([{"data": {"topic": "tea", "words": 50}}]));
        assert_eq!(parts[1], json!([{"text": "The history of tea"}]));
        assert_eq!(parts[2], json!([{"data": {"tone": "casual"}}]));
        let raw = parts[3][1]["raw"].as_str().unwrap();
        assert_eq!(STANDARD.decode(raw).unwrap(), NOTES.as_bytes());
    }

    #[test]
    fn the_decision_is_about_the_task_that_was_asked_for() {
        let messages = messages(App::Approval);
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[1].1["taskId"], "task-1");
        let decision = json!({"action": "approve", "inputs": {"comment": "fine"}});
        assert_eq!(messages[1].1["parts"][0]["data"], decision);
        let text = banner(App::Approval, "127.0.0.1:1".parse().unwrap(), Way::Rpc);
        let (task, curl) = (text.find("TASK=...").unwrap(), text.rfind("curl ").unwrap());
        assert!(task < curl);
    }

    #[test]
    fn without_json_rpc_the_calls_are_those_of_http_json() {
        let text = banner(App::Chat, "127.0.0.1:1".parse().unwrap(), Way::Http);
        assert_eq!(text.matches("http://127.0.0.1:1/message:send ").count(), 2, "{text}");
        assert_eq!(text.matches("http://127.0.0.1:1/message:stream ").count(), 1);
        assert!(!text.contains("/a2a") && !text.contains("jsonrpc"), "{text}");
        assert!(!banner(App::Chat, "127.0.0.1:1".parse().unwrap(), Way::Grpc).contains("curl"));
    }
}
