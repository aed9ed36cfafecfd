//! Steps of a run: as many as were asked for, and never what goes into them or comes out.

use serde_json::{Value, json};

use super::extras::playing;
use super::support::app::recorded;
use super::support::client::{Event, Stream, send, send_03, send_old};
use super::support::say::URI;

/// The levels, in the order of how much they tell.
const LEVELS: [&str; 3] = ["off", "brief", "full"];

/// How many steps a stream of 1.0 tells.
fn steps(events: &[Event]) -> usize {
    let metadata =
        |event: &&Event| event.data["result"]["statusUpdate"]["metadata"][URI]["progress"].is_object();
    events.iter().filter(metadata).count()
}

#[tokio::test]
async fn steps_are_told_as_the_setting_the_header_or_the_request_wants() {
    let app = playing("chatflow_echo", recorded("1.14.2/chatflow_llm_first_turn")).await;
    let mut told = Vec::new();
    for level in LEVELS {
        let gateway = app.gateway(&[("PROGRESS", level)]).await;
        let events = gateway.client.stream("SendStreamingMessage", &send("x", None)).await.all().await;
        told.push(steps(&events));
        // By the request's own wish, whatever the setting.
        for (wish, count) in [("off", 0), ("brief", 3), ("full", 6), ("nonsense", told[told.len() - 1])] {
            let mut params = send("x", None);
            params["metadata"] = json!({URI: {"progress": wish}});
            let events = gateway.client.stream("SendStreamingMessage", &params).await.all().await;
            assert_eq!(steps(&events), count, "{level} {wish}");
        }
        for (header, wish, count) in
            [("A2A-Extensions", None, 6), ("X-A2A-Extensions", None, 6), ("A2A-Extensions", Some("off"), 0)]
        {
            let mut params = send("x", None);
            if let Some(wish) = wish {
                params["metadata"] = json!({URI: {"progress": wish}});
            }
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": params});
            let request = gateway.client.http.post(format!("{}/a2a", gateway.client.base)).json(&body);
            let response = request.header(header, URI).send().await.expect("an answer");
            let echoed = response.headers().get(header).map(|uri| uri.to_str().expect("ASCII").to_owned());
            assert_eq!(echoed.as_deref(), Some(URI));
            assert_eq!(steps(&Stream::of(response).all().await), count, "{level} {header} {wish:?}");
        }
    }
    // start, llm and answer begin; each of them ends too.
    assert_eq!(told, [0, 3, 6]);
    let steps_at = async |level: &str| {
        let gateway = app.gateway(&[("PROGRESS", level)]).await;
        let events = gateway.client.stream("SendStreamingMessage", &send("x", None)).await.all().await;
        let step = |event: &Event| event.data["result"]["statusUpdate"]["metadata"][URI]["progress"].clone();
        events.iter().map(step).filter(Value::is_object).collect::<Vec<Value>>()
    };
    let begun = json!({"kind": "node", "title": "llm", "stepType": "llm", "state": "started"});
    assert_eq!(steps_at("brief").await[1], begun, "no more than its name");
    let full = steps_at("full").await;
    let llm: Vec<&Value> = full.iter().filter(|step| step["title"] == "llm").collect();
    assert_eq!((&llm[0]["state"], &llm[1]["state"]), (&json!("started"), &json!("finished")));
    assert!(llm[0]["id"].is_string() && llm[0]["id"] == llm[1]["id"], "{llm:?}");
    assert!(llm[0].get("elapsedMs").is_none() && llm[1]["elapsedMs"].is_u64(), "{llm:?}");
}

/// Puts a marker in the place of every text that goes into a step or comes out of it. What is left of an event: its
/// titles, types and times.
fn marked(name: &str) -> String {
    fn mark(value: &mut Value) {
        match value {
            Value::String(text) => *text = "canary".to_owned(),
            Value::Array(items) => items.iter_mut().for_each(mark),
            Value::Object(members) => {
                members.values_mut().for_each(mark);
                members.insert("canary".to_owned(), json!("canary"));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let text = String::from_utf8(recorded(name)).expect("UTF-8");
    let mut whole = String::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let mut event: Value = serde_json::from_str(line).expect("JSON");
        if let Some(data) = event.get_mut("data").and_then(Value::as_object_mut) {
            for name in ["inputs", "outputs", "process_data", "execution_metadata"] {
                if let Some(payload) = data.get_mut(name) {
                    mark(payload);
                }
            }
        }
        whole.push_str(&format!("data: {event}\n\n"));
    }
    assert!(whole.contains("canary"));
    whole
}

#[tokio::test]
async fn no_step_tells_what_goes_into_it_or_comes_out_of_it() {
    for (name, body, secrets) in [
        (
            "as recorded",
            String::from_utf8(recorded("1.14.2/chatflow_llm_first_turn")).expect("UTF-8"),
            &["You are a test model.", "fake-chat", "fakemodel", "process_data", "a72831d0-9d72-4a37"][..],
        ),
        ("marked", marked("1.14.2/chatflow_llm_first_turn"), &["canary"]),
        ("marked 0.15.3", marked("0.15.3/chatflow_llm_first_turn"), &["canary"]),
    ] {
        let app = playing("chatflow_echo", body).await;
        let gateway = app.gateway(&[("PROGRESS", "full")]).await;
        let client = &gateway.client;
        let mut said = Vec::new();
        for (method, params) in [
            ("SendStreamingMessage", send("hi", None)),
            ("SendMessage", send("hi", None)),
            ("message/stream", send_03("hi", None)),
            ("message/send", send_03("hi", None)),
            ("message.send", send_old("hi", "c")),
            ("ListTasks", json!({"includeArtifacts": true})),
        ] {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let text = client.post(&body).await.text().await.expect("a body");
            assert!(text.contains("hello") && text.contains("model"), "{name}: {text}");
            said.push(text);
        }
        let said = said.concat();
        assert!(said.contains("\"title\":\"llm\""), "steps are told");
        for secret in secrets {
            assert!(!said.contains(secret), "{name}: {secret}");
        }
    }
}

#[tokio::test]
async fn an_agents_tools_are_told_without_what_they_are_given() {
    let app = playing("agent_fc", recorded("1.14.2/agent_fc_tool")).await;
    let gateway = app.gateway(&[("PROGRESS", "full")]).await;
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": send("x", None)});
    let text = gateway.client.post(&body).await.text().await.expect("a body");
    assert!(text.contains("\"kind\":\"tool\"") && text.contains("current_time"), "{text}");
    assert!(!text.contains("tool_input") && !text.contains("observation"), "{text}");
}
