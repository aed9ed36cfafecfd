//! What every agent must do.

use std::time::{Duration, Instant};

use a2a::{
    CancelTaskRequest, GetTaskRequest, ListTasksRequest, Role, SubscribeToTaskRequest,
    TaskPushNotificationConfig, TaskState, error_code,
};
use anyhow::{Context as _, Result, ensure};

use crate::answer::{Follower, answer_of, message_text};
use crate::judge::{
    Suite, check, expect_equal, expect_error, message, nonce, refused, returning_immediately, task,
};

pub async fn run(suite: &Suite) -> usize {
    check("card", card(suite)).await
        + check("send", send(suite)).await
        + check("stream", stream(suite)).await
        + check("poll", poll(suite)).await
        + if suite.has_memory { check("second-turn", second_turn(suite)).await } else { 0 }
        + check("get", get(suite)).await
        + check("list", list(suite)).await
        + check("cancel", cancel(suite)).await
        + check("resubscribe", resubscribe(suite)).await
        + check("unknown-task", unknown_task(suite)).await
        + check("finished-task", finished_task(suite)).await
        + refused("push", push(suite)).await
        + check("slow-send", slow_send(suite)).await
        + check("slow-stream", slow_stream(suite)).await
}

pub fn get_request(id: &str) -> GetTaskRequest {
    GetTaskRequest { id: id.to_owned(), history_length: None, tenant: None }
}

pub fn cancel_request(id: &str) -> CancelTaskRequest {
    CancelTaskRequest { id: id.to_owned(), metadata: None, tenant: None }
}

pub fn subscribe_request(id: &str) -> SubscribeToTaskRequest {
    SubscribeToTaskRequest { id: id.to_owned(), tenant: None }
}

async fn card(suite: &Suite) -> Result<()> {
    let card = suite.card().await?;
    expect_equal("the card's name", &card.name, &suite.app)?;
    expect_equal("the capability of streaming", &card.capabilities.streaming, &Some(true))?;
    ensure!(!card.skills.is_empty(), "the card has no skill");
    let interfaces = card.supported_interfaces.iter();
    let interfaces: Vec<_> =
        interfaces.map(|each| (each.protocol_binding.as_str(), each.protocol_version.as_str())).collect();
    expect_equal("the preferred interface", &interfaces.first(), &Some(&("JSONRPC", "1.0")))?;
    ensure!(interfaces.contains(&(&suite.transport, "1.0")), "the card names the interfaces {interfaces:?}");
    Ok(())
}

async fn send(suite: &Suite) -> Result<()> {
    let text = format!("hello {} from a blocking client", nonce());
    let task = suite.send(&text, None).await?;
    expect_equal("the state", &task.status.state, &TaskState::Completed)?;
    expect_equal("the answer", &answer_of(&task)?, &format!("You said: {text}"))
}

async fn stream(suite: &Suite) -> Result<()> {
    let text = format!("hello {} from a streaming client", nonce());
    let told = suite.stream(&text, None).await?.finish().await?;
    expect_equal("the state", &told.status.state, &TaskState::Completed)?;
    expect_equal("the joined deltas", &told.answer.streamed(), &format!("You said: {text}"))?;
    expect_equal("the answer", &told.answer.text(), &format!("You said: {text}"))?;
    ensure!(told.answer.pieces.len() > 1, "the answer came in one piece");
    Ok(())
}

async fn poll(suite: &Suite) -> Result<()> {
    let text = format!("polled {} word for word", nonce());
    let client = suite.client().await?;
    let request = returning_immediately(message(&format!("drip 100 {text}"), None));
    let mut polled = task(client.send_message(&request).await?)?;
    ensure!(!polled.status.state.is_terminal(), "a send that returns immediately waited for the end");
    for _ in 0..50 {
        if polled.status.state.is_terminal() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        polled = client.get_task(&get_request(&polled.id)).await?;
    }
    expect_equal("the state", &polled.status.state, &TaskState::Completed)?;
    expect_equal("the answer", &answer_of(&polled)?, &text)
}

async fn second_turn(suite: &Suite) -> Result<()> {
    let name = nonce();
    let first = suite.send(&format!("My name is {name}."), None).await?;
    let second = suite.stream("What is my name?", Some(&first.context_id)).await?.finish().await?;
    expect_equal("the context", &second.context_id, &first.context_id)?;
    expect_equal("the answer of the second turn", &second.answer.text(), &format!("Your name is {name}."))?;
    let stranger = suite.send("What is my name?", None).await?;
    expect_equal(
        "the answer in another context",
        &answer_of(&stranger)?,
        &"I do not know your name.".to_owned(),
    )
}

async fn get(suite: &Suite) -> Result<()> {
    let text = format!("remember {}", nonce());
    let sent = suite.send(&text, None).await?;
    let client = suite.client().await?;
    let task = client.get_task(&get_request(&sent.id)).await?;
    let bare = client.get_task(&GetTaskRequest { history_length: Some(0), ..get_request(&sent.id) }).await?;
    expect_equal("the state", &task.status.state, &TaskState::Completed)?;
    expect_equal("the answer", &answer_of(&task)?, &format!("You said: {text}"))?;
    let users = task.history.iter().flatten().filter(|message| message.role == Role::User);
    expect_equal("what the history says of the user", &users.map(message_text).collect(), &vec![text])?;
    expect_equal("the length of a history of none", &bare.history.map_or(0, |history| history.len()), &0)
}

async fn list(suite: &Suite) -> Result<()> {
    let first = suite.send(&format!("first {}", nonce()), None).await?;
    let second = suite.send(&format!("second {}", nonce()), Some(&first.context_id)).await?;
    let client = suite.client().await?;
    let all = ListTasksRequest {
        context_id: Some(first.context_id.clone()),
        status: None,
        page_size: None,
        page_token: None,
        history_length: None,
        status_timestamp_after: None,
        include_artifacts: None,
        tenant: None,
    };
    let plain = client.list_tasks(&all).await?;
    let whole = client.list_tasks(&ListTasksRequest { include_artifacts: Some(true), ..all.clone() }).await?;
    let page = client.list_tasks(&ListTasksRequest { page_size: Some(1), ..all.clone() }).await?;
    let token = Some(page.next_page_token.clone());
    let rest = client.list_tasks(&ListTasksRequest { page_size: Some(1), page_token: token, ..all }).await?;

    let ids = |tasks: &[a2a::Task]| tasks.iter().map(|task| task.id.clone()).collect::<Vec<_>>();
    let wanted = vec![second.id.clone(), first.id.clone()];
    expect_equal("the listed tasks", &ids(&plain.tasks), &wanted)?;
    expect_equal("the total", &plain.total_size, &2)?;
    let artifacts = plain.tasks.iter().flat_map(|task| task.artifacts.iter().flatten()).count();
    expect_equal("the number of artifacts in a plain list", &artifacts, &0)?;
    let listed = whole.tasks.first().context("the list is empty")?;
    expect_equal("a listed answer", &answer_of(listed)?, &answer_of(&second)?)?;
    expect_equal("the pages", &[ids(&page.tasks), ids(&rest.tasks)].concat(), &wanted)?;
    expect_equal("the last page's token", &rest.next_page_token, &String::new())
}

async fn cancel(suite: &Suite) -> Result<()> {
    let text = format!("{} and never come to an end", nonce());
    let mut told = suite.stream(&format!("hold {text}"), None).await?;
    while told.answer.streamed() != text {
        ensure!(told.advance().await?, "the held turn ended by itself");
    }
    let canceled = suite.client().await?.cancel_task(&cancel_request(&told.task_id)).await?;
    let told = told.finish().await?;
    expect_equal("the state", &canceled.status.state, &TaskState::Canceled)?;
    expect_equal("the stream's state", &told.status.state, &TaskState::Canceled)?;
    expect_equal("what is left of the answer", &answer_of(&canceled)?, &text)?;
    suite.expect_stopped(&format!("hold {text}")).await
}

async fn resubscribe(suite: &Suite) -> Result<()> {
    let whole = format!("{} one two three four five six seven eight nine ten", nonce());
    // made before: the turn does not wait for it
    let other = suite.client().await?;
    let mut first = suite.stream(&format!("drip 150 {whole}"), None).await?;
    while first.answer.pieces.len() < 3 {
        ensure!(first.advance().await?, "the stream never had three deltas");
    }
    let second = async {
        let events = other.subscribe_to_task(&subscribe_request(&first.task_id)).await?;
        Follower::begin(events).await?.finish().await
    };
    let second = second.await?;
    let first = first.finish().await?;
    expect_equal("the first client's answer", &first.answer.text(), &whole)?;
    expect_equal("the second client's task", &second.task_id, &first.task_id)?;
    let snapshot = second.snapshot.as_deref().context("the snapshot has no answer")?;
    ensure!(whole.starts_with(snapshot) && snapshot != whole, "the snapshot holds {snapshot:?}");
    expect_equal("the snapshot and the rest", &second.answer.streamed(), &whole)?;
    expect_equal("the second client's answer", &second.answer.text(), &whole)?;
    expect_equal("the state", &second.status.state, &TaskState::Completed)
}

async fn unknown_task(suite: &Suite) -> Result<()> {
    let client = suite.client().await?;
    let unknown = error_code::TASK_NOT_FOUND;
    expect_error(unknown, client.get_task(&get_request(&nonce())).await)?;
    expect_error(unknown, client.cancel_task(&cancel_request(&nonce())).await)?;
    expect_error(unknown, client.subscribe_to_task(&subscribe_request(&nonce())).await)?;
    let mut astray = message("hello", None);
    astray.message.task_id = Some(nonce());
    expect_error(unknown, client.send_message(&astray).await)?;
    expect_error(unknown, client.send_streaming_message(&astray).await)
}

async fn finished_task(suite: &Suite) -> Result<()> {
    let done = suite.send(&format!("done {}", nonce()), None).await?;
    let client = suite.client().await?;
    expect_error(error_code::TASK_NOT_CANCELABLE, client.cancel_task(&cancel_request(&done.id)).await)?;
    let over = error_code::UNSUPPORTED_OPERATION;
    expect_error(over, client.subscribe_to_task(&subscribe_request(&done.id)).await)?;
    let mut late = message("more", Some(&done.context_id));
    late.message.task_id = Some(done.id);
    expect_error(over, client.send_message(&late).await)
}

async fn push(suite: &Suite) -> Result<()> {
    let offered = suite.card().await?.capabilities.push_notifications;
    ensure!(offered != Some(true), "the card offers push notifications");
    let done = suite.send(&format!("notify {}", nonce()), None).await?;
    let config = TaskPushNotificationConfig {
        task_id: done.id,
        url: "http://127.0.0.1:9/".to_owned(),
        id: None,
        token: None,
        authentication: None,
        tenant: None,
    };
    let code = error_code::PUSH_NOTIFICATION_NOT_SUPPORTED;
    expect_error(code, suite.client().await?.create_push_config(&config).await)
}

async fn slow_send(suite: &Suite) -> Result<()> {
    let text = format!("late but {} whole", nonce());
    let began = Instant::now();
    let task = suite.send(&format!("slow 6500 {text}"), None).await?;
    ensure!(began.elapsed() > Duration::from_secs(6), "the turn was not slow");
    expect_equal("the answer", &answer_of(&task)?, &text)
}

async fn slow_stream(suite: &Suite) -> Result<()> {
    let text = format!("late but {} whole", nonce());
    let began = Instant::now();
    let told = suite.stream(&format!("slow 6500 {text}"), None).await?.finish().await?;
    ensure!(began.elapsed() > Duration::from_secs(6), "the turn was not slow");
    expect_equal("the answer", &told.answer.text(), &text)?;
    expect_equal("the state", &told.status.state, &TaskState::Completed)
}
