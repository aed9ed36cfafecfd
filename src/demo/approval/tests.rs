use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use http::StatusCode;
use serde_json::{Value, json};

use crate::demo::testing::{
    ORIGIN, assert_alike, call, events, events_in, get, instant, json_of, names, post, recorded, refusal,
    text,
};
use crate::demo::{App, KEY, Pace, Server, app, skeleton};

fn asked(query: &str, conversation: Option<&str>) -> Value {
    json!({
        "inputs": {}, "query": query, "user": "alice", "response_mode": "streaming",
        "conversation_id": conversation,
    })
}

/// The events up to the pause.
async fn ask(app: &Router, query: &str, conversation: Option<&str>) -> Vec<Value> {
    events(call(app, post("/v1/chat-messages", &asked(query, conversation))).await).await
}

fn run_of(events: &[Value]) -> String {
    events[0]["workflow_run_id"].as_str().unwrap().to_owned()
}

fn token_of(events: &[Value]) -> String {
    events.last().unwrap()["data"]["reasons"][0]["form_token"].as_str().unwrap().to_owned()
}

fn answer(events: &[Value]) -> String {
    events
        .iter()
        .filter(|event| event["event"] == "message")
        .filter_map(|event| event["answer"].as_str())
        .collect()
}

async fn rejoin(app: &Router, run: &str, more: &str) -> Response {
    call(app, get(&format!("/v1/workflow/{run}/events?user=alice{more}"))).await
}

async fn submit(app: &Router, token: &str, action: &str, inputs: Value) -> Response {
    let body = json!({"inputs": inputs, "action": action, "user": "alice"});
    call(app, post(&format!("/v1/form/human_input/{token}"), &body)).await
}

/// Listens, submits, and gives what came until the end.
async fn decide(app: &Router, paused: &[Value], action: &str, comment: &str) -> Vec<Value> {
    let live = rejoin(app, &run_of(paused), "").await;
    let done = submit(app, &token_of(paused), action, json!({"comment": comment})).await;
    assert_eq!(done.status(), StatusCode::OK);
    assert_eq!(text(done).await, "{}\n");
    events(live).await
}

#[tokio::test]
async fn a_request_pauses_at_the_form_as_recorded() {
    let app = instant(App::Approval);
    let response = call(&app, post("/v1/chat-messages", &asked("Buy 3 laptops", None))).await;
    let text = text(response).await;
    assert!(text.starts_with("event: ping\n\ndata: {\"event\":\"workflow_started\",\"conversation_id\":"));
    let paused = events_in(&text);
    assert_alike(&paused, &recorded("chatflow_human_input"));
    assert_eq!(answer(&paused), "I have passed on your request: Buy 3 laptops. Somebody has to decide. ");
    let required = &paused[paused.len() - 2]["data"];
    assert_eq!(required["form_content"], "Please decide: Buy 3 laptops\n\nComment: {{#$output.comment#}}");
    let waits = required["expiration_time"].as_i64().unwrap() - paused[0]["created_at"].as_i64().unwrap();
    assert!((129_600..129_660).contains(&waits), "{waits}");
}

#[tokio::test]
async fn an_approved_request_goes_on_with_the_new_text_only() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy 3 laptops", None).await;
    let rest = decide(&app, &paused, "approve", "fine").await;
    assert_alike(&rest, &recorded("chatflow_human_events_no_snapshot"));
    assert_eq!(answer(&rest), "Approved. Go ahead. Comment: fine");
    let filled = rest.iter().find(|event| event["event"] == "human_input_form_filled").unwrap();
    assert_eq!(filled["data"]["rendered_content"], "Please decide: Buy 3 laptops\n\nComment: fine");
    let outputs = &rest.last().unwrap()["data"]["outputs"];
    assert_eq!(outputs["answer"], answer(&paused) + "Approved. Go ahead. Comment: fine");
    for id in ["task_id", "workflow_run_id", "message_id", "conversation_id"] {
        assert_eq!(rest[0][id], paused[0][id], "{id}");
    }
}

#[tokio::test]
async fn a_rejected_request_says_so_and_the_conversation_remembers_it() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy a boat", None).await;
    let rest = decide(&app, &paused, "reject", "no").await;
    assert_eq!(answer(&rest), "Rejected. Please do not spend it. Comment: no");
    assert_eq!(rest.last().unwrap()["data"]["status"], "succeeded");
    let again = ask(&app, "A smaller one", paused[0]["conversation_id"].as_str()).await;
    assert!(answer(&again).contains(" Your last one was rejected. "), "{}", answer(&again));
    assert_eq!(again[0]["data"]["inputs"]["sys.dialogue_count"], 2);
}

#[tokio::test]
async fn a_snapshot_tells_it_again_and_closes_at_the_pause_unless_it_shall_go_on() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy 3 laptops", None).await;
    let run = run_of(&paused);
    let snapshot = events(rejoin(&app, &run, "&include_state_snapshot=true").await).await;
    let before = recorded("chatflow_human_events_after_submit");
    assert_alike(&snapshot, &before);
    assert_eq!(snapshot[1]["answer"], answer(&paused));
    assert_eq!(snapshot.last().unwrap()["data"]["reasons"][0]["form_token"], token_of(&paused));
    let template = "Please decide: {{#sys.query#}}\n\nComment: {{#$output.comment#}}";
    assert_eq!(snapshot[snapshot.len() - 2]["data"]["form_content"], template);

    let live = rejoin(&app, &run, "&include_state_snapshot=true&continue_on_pause=true").await;
    submit(&app, &token_of(&paused), "approve", json!({"comment": "fine"})).await;
    let after = recorded("chatflow_human_events_no_snapshot");
    assert_alike(&events(live).await, &[before, after].concat());
}

#[tokio::test]
async fn a_finished_run_is_one_frame_in_the_print_of_python() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy 3 laptops", None).await;
    let run = run_of(&paused);
    decide(&app, &paused, "approve", "fine").await;
    for more in ["", "&include_state_snapshot=true&continue_on_pause=true"] {
        let text = text(rejoin(&app, &run, more).await).await;
        let head = format!(
            "data: {{\"event\": \"workflow_finished\", \"task_id\": \"{run}\", \"workflow_run_id\": \"{run}\", \
             \"data\": {{\"id\": \"{run}\", "
        );
        assert!(text.starts_with(&head), "{text}");
        assert_eq!(names(&events_in(&text)), ["workflow_finished"]);
    }
}

#[tokio::test]
async fn runs_are_for_their_user() {
    let app = instant(App::Approval);
    let run = run_of(&ask(&app, "Buy 3 laptops", None).await);
    let foreign = call(&app, get(&format!("/v1/workflow/{run}/events?user=mallory"))).await;
    assert_eq!(refusal(foreign).await, (404, "not_found".to_owned(), "Workflow run not found".to_owned()));
    let nobody = call(&app, get(&format!("/v1/workflow/{run}/events"))).await;
    assert_eq!(refusal(nobody).await.2, "Arg user must be provided.");
    let unknown = call(&app, get("/v1/workflows/run/5b0a1d1e-1111-4222-8333-444455556666")).await;
    assert_eq!(refusal(unknown).await, (404, "not_found".to_owned(), "Workflow run not found.".to_owned()));
}

#[tokio::test]
async fn a_form_is_shown_refused_taken_and_closed() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy 3 laptops", None).await;
    let token = token_of(&paused);
    let path = format!("/v1/form/human_input/{token}");
    let shown = text(call(&app, get(&path)).await).await;
    let expires = &paused.last().unwrap()["data"]["reasons"][0]["expiration_time"];
    assert_eq!(
        shown,
        format!(
            "{{\"form_content\": \"Please decide: Buy 3 laptops\\n\\nComment: {{{{#$output.comment#}}}}\", \
             \"inputs\": [{{\"output_variable_name\": \"comment\", \"type\": \"paragraph\", \"default\": \
             {{\"type\": \"constant\", \"selector\": [], \"value\": \"no objections\"}}}}], \
             \"resolved_default_values\": {{}}, \"user_actions\": [{{\"id\": \"approve\", \"title\": \
             \"Approve\", \"button_style\": \"primary\"}}, {{\"id\": \"reject\", \"title\": \"Reject\", \
             \"button_style\": \"default\"}}], \"expiration_time\": {expires}}}"
        )
    );
    let good = json!({"comment": "fine"});
    for (action, inputs, status, code, message) in [
        ("explode", good.clone(), 400, "invalid_form_data", "Invalid action: explode"),
        ("approve", json!({}), 400, "invalid_form_data", "Missing required inputs: comment"),
    ] {
        let refused = refusal(submit(&app, &token, action, inputs).await).await;
        assert_eq!(refused, (status, code.to_owned(), message.to_owned()));
    }
    let no_user = call(&app, post(&path, &json!({"inputs": good, "action": "approve"}))).await;
    assert_eq!(refusal(no_user).await.2, "Arg user must be provided.");
    let no_action = call(&app, post(&path, &json!({"inputs": good, "user": "alice"}))).await;
    assert!(refusal(no_action).await.2.starts_with("1 validation error for "));

    assert_eq!(submit(&app, &token, "approve", good.clone()).await.status(), StatusCode::OK);
    for closed in [submit(&app, &token, "reject", good.clone()).await, call(&app, get(&path)).await] {
        let (status, code, message) = refusal(closed).await;
        assert_eq!((status, code.as_str()), (412, "human_input_form_submitted"));
        assert!(
            message.starts_with("This form has already been submitted by another user, form_id="),
            "{message}"
        );
    }
    for unknown in
        [submit(&app, "nope", "approve", good).await, call(&app, get("/v1/form/human_input/nope")).await]
    {
        let (status, code, message) = refusal(unknown).await;
        assert_eq!((status, code.as_str()), (404, "not_found"));
        assert!(message.starts_with("Form not found. You have requested this URI "), "{message}");
    }
}

#[tokio::test]
async fn a_form_expires() {
    let state = skeleton::state(App::Approval, Pace::instant(), ORIGIN);
    let app = skeleton::router(super::routes(), Arc::clone(&state));
    let token = token_of(&ask(&app, "Buy 3 laptops", None).await);
    let run = state.runs.of_form(&token).unwrap();
    run.story().form.as_mut().unwrap().expires_at = 0;
    let path = format!("/v1/form/human_input/{token}");
    let late = [submit(&app, &token, "approve", json!({"comment": "x"})).await, call(&app, get(&path)).await];
    for closed in late {
        let (status, code, message) = refusal(closed).await;
        assert_eq!((status, code.as_str()), (412, "human_input_form_expired"));
        assert!(message.starts_with("This form has expired, form_id="), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_stopped_before_its_form_is_kept() {
    let app = app(App::Approval, Pace::default(), ORIGIN);
    let response = call(&app, post("/v1/chat-messages", &asked("Buy 3 laptops", None))).await;
    let mut frames = response.into_body().into_data_stream();
    frames.next().await.unwrap().unwrap();
    let first = frames.next().await.unwrap().unwrap();
    let first = events_in(std::str::from_utf8(&first).unwrap()).remove(0);
    let path = format!("/v1/chat-messages/{}/stop", first["task_id"].as_str().unwrap());
    call(&app, post(&path, &json!({"user": "alice"}))).await;
    let mut rest = Vec::new();
    while let Some(frame) = frames.next().await {
        rest.extend(events_in(std::str::from_utf8(&frame.unwrap()).unwrap()));
    }
    assert_eq!(names(&rest), ["node_started", "workflow_finished"]);
    assert_eq!(rest[1]["data"]["status"], "stopped");
    let conversation = first["conversation_id"].as_str().unwrap();
    let path = format!("/v1/messages?user=alice&conversation_id={conversation}");
    let kept = json_of(call(&app, get(&path)).await).await;
    assert_eq!(kept["data"][0]["status"], "normal");
}

#[tokio::test]
async fn the_run_and_its_message_tell_how_they_stand() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy 3 laptops", None).await;
    let detail =
        async || json_of(call(&app, get(&format!("/v1/workflows/run/{}", run_of(&paused)))).await).await;
    let message = async || {
        let conversation = paused[0]["conversation_id"].as_str().unwrap();
        let path = format!("/v1/messages?user=alice&conversation_id={conversation}");
        json_of(call(&app, get(&path)).await).await["data"][0].clone()
    };
    let before = detail().await;
    assert_eq!((&before["status"], &before["finished_at"]), (&json!("paused"), &Value::Null));
    let inputs: Value = serde_json::from_str(before["inputs"].as_str().unwrap()).unwrap();
    assert_eq!(inputs["sys.query"], "Buy 3 laptops");
    let said = message().await;
    assert_eq!((&said["status"], &said["answer"]), (&json!("paused"), &json!(answer(&paused))));
    assert_eq!(said["extra_contents"][0]["submitted"], false);
    assert_eq!(said["extra_contents"][0]["form_definition"]["form_token"], token_of(&paused));

    decide(&app, &paused, "approve", "fine").await;
    let after = detail().await;
    assert_eq!((&after["status"], &after["total_steps"]), (&json!("succeeded"), &json!(4)));
    let said = message().await;
    assert_eq!((&said["status"], &said["answer"]), (&json!("normal"), &after["outputs"]["answer"]));
    assert_eq!(said["extra_contents"][0]["form_submission_data"]["action_id"], "approve");
}

#[tokio::test]
async fn a_paused_run_is_stopped_only_when_it_goes_on() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy 3 laptops", None).await;
    let path = format!("/v1/chat-messages/{}/stop", paused[0]["task_id"].as_str().unwrap());
    for user in ["mallory", "alice"] {
        let told = json_of(call(&app, post(&path, &json!({"user": user}))).await).await;
        assert_eq!(told, json!({"result": "success"}));
    }
    let detail = json_of(call(&app, get(&format!("/v1/workflows/run/{}", run_of(&paused)))).await).await;
    assert_eq!(detail["status"], "paused");
    let rest = decide(&app, &paused, "approve", "anyway").await;
    let theirs = recorded("chatflow_human_events_after_stop");
    assert_eq!(names(&rest), names(&theirs));
    let (ours, theirs) = (&rest.last().unwrap()["data"], &theirs.last().unwrap()["data"]);
    assert_eq!((&ours["status"], &ours["error"]), (&theirs["status"], &theirs["error"]));
}

#[tokio::test]
async fn only_its_user_stops_it() {
    let app = instant(App::Approval);
    let paused = ask(&app, "Buy 3 laptops", None).await;
    let path = format!("/v1/chat-messages/{}/stop", paused[0]["task_id"].as_str().unwrap());
    call(&app, post(&path, &json!({"user": "mallory"}))).await;
    let rest = decide(&app, &paused, "approve", "fine").await;
    assert_eq!(rest.last().unwrap()["data"]["status"], "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_foreign_conversation_gets_silence_or_in_one_piece_a_404() {
    let app = instant(App::Approval);
    let mut request = asked("x", Some("5b0a1d1e-1111-4222-8333-444455556666"));
    let silent = text(call(&app, post("/v1/chat-messages", &request)).await).await;
    assert_eq!(silent, "event: ping\n\n".repeat(30));
    request["response_mode"] = json!("blocking");
    let (status, code, message) = refusal(call(&app, post("/v1/chat-messages", &request)).await).await;
    assert_eq!((status, code.as_str()), (404, "not_found"));
    assert!(message.starts_with("Conversation Not Exists."), "{message}");
}

#[tokio::test]
async fn in_one_piece_it_tells_the_pause() {
    let app = instant(App::Approval);
    let mut request = asked("Buy 3 laptops", None);
    request["response_mode"] = json!("blocking");
    let body = json_of(call(&app, post("/v1/chat-messages", &request)).await).await;
    assert_eq!((&body["event"], &body["mode"]), (&json!("workflow_paused"), &json!("advanced-chat")));
    assert_eq!(body["data"]["status"], "paused");
    assert_eq!(body["data"]["reasons"][0]["TYPE"], "human_input_required");
    assert_eq!(body["answer"], "I have passed on your request: Buy 3 laptops. Somebody has to decide. ");
}

#[tokio::test]
async fn the_whole_walk_over_a_real_socket() {
    let server = Server::start(App::Approval, Pace::instant()).await.unwrap();
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", server.base_url());
    let post = async |path: &str, body: Value| {
        let request = client.post(url(path)).bearer_auth(KEY).json(&body);
        request.send().await.unwrap().text().await.unwrap()
    };
    let info = client.get(url("/info")).bearer_auth(KEY).send().await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&info).unwrap()["mode"], "advanced-chat");

    let paused = events_in(&post("/chat-messages", asked("Buy 3 laptops", None)).await);
    let query = "include_state_snapshot=true&continue_on_pause=true&user=alice";
    let path = format!("/workflow/{}/events?{query}", run_of(&paused));
    let mut live = client.get(url(&path)).bearer_auth(KEY).send().await.unwrap();
    let mut seen = String::new();
    let mut read_until = async |end: &str| {
        while !seen.contains(end) {
            seen.push_str(std::str::from_utf8(&live.chunk().await.unwrap().unwrap()).unwrap());
        }
        seen.clone()
    };
    read_until("\"workflow_paused\"").await;
    let decision = json!({"inputs": {"comment": "fine"}, "action": "approve", "user": "alice"});
    let form = format!("/form/human_input/{}", token_of(&paused));
    assert_eq!(post(&form, decision).await, "{}\n");
    let text = read_until("\"workflow_finished\"").await;
    assert!(text.contains("\"answer\":\"Approved. Go ahead. Comment: \""), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn it_is_no_workflow_app() {
    let app = instant(App::Approval);
    let body = json!({"inputs": {}, "user": "alice"});
    let (status, code, _) = refusal(call(&app, post("/v1/workflows/run", &body)).await).await;
    assert_eq!((status, code.as_str()), (400, "not_workflow_app"));
    let mut request = get("/v1/info");
    *request.body_mut() = Body::empty();
    request.headers_mut().remove("authorization");
    assert_eq!(call(&app, request).await.status(), StatusCode::UNAUTHORIZED);
}
