//! The demo app that stops until somebody has decided.

use a2a::{Part, TaskState};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::judge::{Suite, expect_equal, nonce};
use crate::shown::{Send, Shown, cancel, follow, look, told};

const APPROVED: &str = "Approved. Go ahead. Comment: ";
const REJECTED: &str = "Rejected. Please do not spend it. Comment: ";

pub async fn run(suite: &Suite) -> usize {
    suite.check("ask-streaming", ask_streaming(suite)).await
        + suite.check("ask-blocking", ask_blocking(suite)).await
        + suite.check("approve", approve(suite)).await
        + suite.check("reject", reject(suite)).await
        + suite.check("wrong-action", wrong_action(suite)).await
        + suite.check("follow-waiting", follow_waiting(suite)).await
        + suite.check("cancel-waiting", cancel_waiting(suite)).await
}

fn wish() -> (String, Send<'static>) {
    let wish = format!("Buy 3 laptops {}", nonce());
    (wish.clone(), Send::new(vec![Part::text(wish)]))
}

/// Whether it asks for a decision as it should; gives the answer until then.
fn expect_asked(shown: &Shown, wish: &str) -> Result<String> {
    let (question, form) = shown.asked()?;
    ensure!(question.contains(wish), "the text does not say what is asked for: {question:?}");
    let actions: Vec<_> =
        form["actions"].as_array().into_iter().flatten().map(|action| &action["id"]).collect();
    expect_equal("the actions", &actions, &vec![&json!("approve"), &json!("reject")])?;
    let fields = form["inputs"]["properties"].as_object().context("the form has no fields")?;
    let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
    expect_equal("the form's fields", &fields, &vec!["comment"])?;
    let answer = format!("I have passed on your request: {wish}. Somebody has to decide. ");
    expect_equal("the answer until then", &shown.text().as_deref(), &Some(answer.as_str()))?;
    Ok(answer)
}

/// A request that waits, and the answer until then.
async fn begin(suite: &Suite) -> Result<(Shown, String)> {
    let (wish, send) = wish();
    let (waiting, _) = send.watch(suite).await?;
    let before = expect_asked(&waiting, &wish)?;
    Ok((waiting, before))
}

fn decision(decision: Value) -> Send<'static> {
    Send::new(vec![Part::data(decision)])
}

async fn ask_streaming(suite: &Suite) -> Result<()> {
    let (wish, send) = wish();
    let (waiting, answer) = send.watch(suite).await?;
    expect_equal("the joined deltas", &answer.streamed(), &expect_asked(&waiting, &wish)?)?;
    expect_equal("the task as it is kept", &look(suite, &waiting.id).await?, &waiting)
}

async fn ask_blocking(suite: &Suite) -> Result<()> {
    let (wish, send) = wish();
    let waiting = send.wait(suite).await?;
    expect_asked(&waiting, &wish)?;
    expect_equal("the task as it is kept", &look(suite, &waiting.id).await?, &waiting)
}

async fn approve(suite: &Suite) -> Result<()> {
    let (waiting, before) = begin(suite).await?;
    let decision = decision(json!({"action": "approve", "inputs": {"comment": "fine"}}));
    let (shown, answer) = decision.to(&waiting).watch(suite).await?;
    let rest = format!("{APPROVED}fine");
    let whole = format!("{before}{rest}");
    expect_equal("the task", &(&shown.id, &shown.context), &(&waiting.id, &waiting.context))?;
    expect_equal("the state", &shown.state, &TaskState::Completed)?;
    expect_equal("what the first event has of the answer", &answer.pieces.first(), &Some(&before))?;
    expect_equal("the new text", &answer.pieces[1..].concat(), &rest)?;
    expect_equal("the answer", &answer.text(), &whole)?;
    expect_equal("the answer as it is kept", &look(suite, &shown.id).await?.text(), &Some(whole))
}

async fn reject(suite: &Suite) -> Result<()> {
    let (waiting, before) = begin(suite).await?;
    // without a context: the task is enough
    let reject = Send { task: Some(&waiting.id), ..Send::new(vec![Part::text("Reject")]) };
    let shown = reject.wait(suite).await?;
    expect_equal("the state", &shown.state, &TaskState::Completed)?;
    expect_equal("the answer", &shown.text(), &Some(format!("{before}{REJECTED}no objections")))
}

async fn wrong_action(suite: &Suite) -> Result<()> {
    let (waiting, before) = begin(suite).await?;
    decision(json!({"action": "postpone"})).to(&waiting).expect_refused(suite).await?;
    expect_equal("the task after a wrong action", &look(suite, &waiting.id).await?, &waiting)?;
    let (shown, _) = decision(json!({"action": "approve"})).to(&waiting).watch(suite).await?;
    expect_equal("the state after the right one", &shown.state, &TaskState::Completed)?;
    expect_equal("the answer", &shown.text(), &Some(format!("{before}{APPROVED}no objections")))
}

async fn follow_waiting(suite: &Suite) -> Result<()> {
    let (waiting, before) = begin(suite).await?;
    let follower = follow(suite, &waiting.id).await?;
    let decided = Send::new(vec![Part::text("Approve: good")]).to(&waiting).wait(suite).await?;
    let (followed, answer) = told(follower.finish().await?);
    expect_equal(
        "what the follower's first event has of the answer",
        &answer.pieces.first(),
        &Some(&before),
    )?;
    expect_equal("the follower's new text", &answer.pieces[1..].concat(), &format!("{APPROVED}good"))?;
    expect_equal("the task as the follower saw it", &followed, &decided)?;
    expect_equal("the state", &followed.state, &TaskState::Completed)
}

async fn cancel_waiting(suite: &Suite) -> Result<()> {
    let (waiting, before) = begin(suite).await?;
    for shown in [cancel(suite, &waiting.id).await?, look(suite, &waiting.id).await?] {
        expect_equal("the state", &shown.state, &TaskState::Canceled)?;
        expect_equal("what is left of the answer", &shown.text().as_deref(), &Some(before.as_str()))?;
    }
    Ok(())
}
