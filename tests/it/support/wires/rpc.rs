//! JSON-RPC.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::form_03;
use super::{Events, Method, Refusal, Told, Wire};
use crate::support::Gateway;
use crate::support::client::Stream;

fn method_of(wire: Wire, method: Method) -> &'static str {
    let (v1, v03) = match method {
        Method::Send => ("SendMessage", "message/send"),
        Method::Stream => ("SendStreamingMessage", "message/stream"),
        Method::Get => ("GetTask", "tasks/get"),
        Method::List => ("ListTasks", "tasks/list"),
        Method::Cancel => ("CancelTask", "tasks/cancel"),
        Method::Subscribe => ("SubscribeToTask", "tasks/resubscribe"),
        Method::ExtendedCard => ("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"),
        Method::PushCreate => ("CreateTaskPushNotificationConfig", "tasks/pushNotificationConfig/set"),
        Method::PushGet => ("GetTaskPushNotificationConfig", "tasks/pushNotificationConfig/get"),
        Method::PushList => ("ListTaskPushNotificationConfigs", "tasks/pushNotificationConfig/list"),
        Method::PushDelete => ("DeleteTaskPushNotificationConfig", "tasks/pushNotificationConfig/delete"),
    };
    if wire.is_03() { v03 } else { v1 }
}

async fn request(
    wire: Wire,
    gateway: &Gateway,
    method: Method,
    params: Value,
    headers: &[(&str, &str)],
) -> reqwest::Response {
    let params = if wire.is_03() { form_03::request(params) } else { params };
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method_of(wire, method), "params": params});
    let mut request = gateway.client.http.post(format!("{}/a2a", gateway.client.base)).json(&body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn result(wire: Wire, method: Method, mut answer: Value) -> Result<Value, Refusal> {
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)), "{answer}");
    if let Some(error) = answer.get("error") {
        return Err(Refusal::of_details(&error["message"], &error["data"]));
    }
    let result = answer["result"].take();
    if !wire.is_03() {
        return Ok(result);
    }
    Ok(match method {
        Method::Send => json!({"task": form_03::task(result)}),
        Method::Stream | Method::Subscribe => form_03::event(result),
        _ => form_03::task(result),
    })
}

pub async fn ask(
    wire: Wire,
    gateway: &Gateway,
    method: Method,
    params: Value,
    headers: &[(&str, &str)],
) -> Result<Told<Value>, Refusal> {
    let response = request(wire, gateway, method, params, headers).await;
    let extensions = super::http::extensions(&response);
    let answer: Value = response.json().await.expect("JSON");
    Ok(Told { result: result(wire, method, answer)?, extensions })
}

pub async fn open(wire: Wire, gateway: &Gateway, method: Method, params: Value) -> Result<Events, Refusal> {
    let response = request(wire, gateway, method, params, &[]).await;
    if !super::http::is_stream(&response) {
        let answer = response.json().await.expect("JSON");
        return Err(result(wire, method, answer).expect_err("a stream"));
    }
    let mut stream = Stream::of(response);
    let Some(first) = stream.next().await else { panic!("an empty stream") };
    let first = result(wire, method, first.data)?;
    let (sender, events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut event = first;
        while sender.send(event).is_ok() {
            let Some(next) = stream.next().await else { return };
            event = result(wire, method, next.data).expect("an event");
        }
    });
    Ok(events)
}
