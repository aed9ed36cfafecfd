//! Looks at every byte of an answer, after the clock has stopped.
#![expect(clippy::indexing_slicing, reason = "a member that is missing from a JSON value reads as null")]

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::stand_in::{Answer, WORD, message_bytes};
use super::wire::Body;

/// What an answer turned out to be.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How many events brought text.
    pub events: usize,
    /// How many deltas had come, whole, at which moment; in order.
    pub progress: Vec<(usize, Instant)>,
}

/// Through nginx: exactly the bytes that the stand-in has sent.
pub(crate) fn nginx(body: &Body, answer: &Answer) -> Result<Seen> {
    if body.bytes != answer.events {
        let same = body.bytes.iter().zip(&answer.events).take_while(|(came, sent)| came == sent).count();
        bail!("through nginx, byte {same} of {} is wrong ({} came)", answer.events.len(), body.bytes.len());
    }
    let deltas = answer.text.len() / WORD;
    let progress = body.marks.iter().map(|(bytes, at)| ((bytes / message_bytes()).min(deltas), *at));
    Ok(Seen { events: deltas, progress: progress.collect() })
}

/// Through the gateway: the task as it was when the stream began (with what it had said by then, even all of it),
/// then pieces that make the text, then the whole text once more, then the end.
pub(crate) fn gateway(body: &Body, text: &str, id: u64) -> Result<Seen> {
    let mut seen = Seen::default();
    let mut marks = body.marks.iter().peekable();
    let (mut said, mut last_id, mut state, mut whole) = (String::with_capacity(text.len()), 0u64, None, None);
    let mut end = 0;
    for block in std::str::from_utf8(&body.bytes)?.split_inclusive("\n\n") {
        end += block.len();
        if block.starts_with(": ") {
            continue;
        }
        ensure!(state.as_deref() != Some("TASK_STATE_COMPLETED"), "there are events after the last status");
        let result = result(block, id, &mut last_id)?;
        let update = match (&state, result) {
            (None, Kind::Task(first, so_far)) => {
                state = Some(first);
                said = so_far;
                continue;
            }
            (None, _) => bail!("the first event is not the task: {block}"),
            (Some(_), Kind::Task(..)) => bail!("there is a second task: {block}"),
            (Some(_), Kind::Status(new)) => {
                state = Some(new);
                continue;
            }
            (Some(_), Kind::Artifact(update)) => update,
        };
        ensure!(whole.is_none(), "the artifact goes on after its end: {block}");
        if update.last {
            whole = Some(update);
            continue;
        }
        ensure!(update.append != said.is_empty(), "append is wrong: {block}");
        said.push_str(&update.text);
        ensure!(text.starts_with(&said), "the text goes wrong before byte {}: {block}", said.len());
        seen.events += 1;
        while marks.next_if(|(bytes, _)| *bytes < end).is_some() {}
        let (_, at) = marks.peek().context("the body is longer than what was read")?;
        seen.progress.push((said.len() / WORD, *at));
    }
    if seen.progress.is_empty() && state.as_deref() == Some("TASK_STATE_COMPLETED") && said == text {
        seen.events = 1;
        return Ok(seen);
    }
    let end = || {
        String::from_utf8_lossy(
            body.bytes.get(body.bytes.len().saturating_sub(1500)..).unwrap_or(&body.bytes),
        )
    };
    ensure!(said == text, "the pieces make {} of {} bytes, and the end is {}", said.len(), text.len(), end());
    let whole = whole.context("the artifact has no last chunk")?;
    ensure!(!whole.append && whole.text == text, "the closing text is not the whole text");
    ensure!(state.as_deref() == Some("TASK_STATE_COMPLETED"), "the task ended as {state:?}");
    Ok(seen)
}

enum Kind {
    /// Its state, and its answer so far.
    Task(String, String),
    Status(String),
    Artifact(Update),
}

struct Update {
    text: String,
    append: bool,
    last: bool,
}

/// One event, its numbers checked.
fn result(block: &str, id: u64, last_id: &mut u64) -> Result<Kind> {
    let (number, data) = block
        .strip_suffix("\n\n")
        .and_then(|lines| lines.strip_prefix("id: ")?.split_once("\ndata: "))
        .with_context(|| format!("not an event: {block}"))?;
    let number: u64 = number.parse().with_context(|| format!("not a number: {number}"))?;
    ensure!(number >= *last_id, "event {number} comes after event {last_id}");
    *last_id = number;
    let event: Value = serde_json::from_str(data).with_context(|| format!("not JSON: {data}"))?;
    ensure!(event["jsonrpc"] == "2.0" && event["id"] == id, "not an answer to {id}: {data}");
    let result = &event["result"];
    let state = |value: &Value| value["status"]["state"].as_str().map(str::to_owned);
    if let Some(task) = result.get("task") {
        let so_far = task["artifacts"][0]["parts"][0]["text"].as_str().unwrap_or_default();
        return Ok(Kind::Task(state(task).context("the task has no state")?, so_far.to_owned()));
    }
    if let Some(update) = result.get("statusUpdate") {
        return Ok(Kind::Status(state(update).context("the update has no state")?));
    }
    let update = result.get("artifactUpdate").with_context(|| format!("an unknown event: {data}"))?;
    let artifact = &update["artifact"];
    ensure!(artifact["artifactId"] == "answer", "an unknown artifact: {data}");
    let [part] = artifact["parts"].as_array().map_or(&[][..], Vec::as_slice) else {
        bail!("not one part: {data}");
    };
    let text = part["text"].as_str().context("the part has no text")?.to_owned();
    let flag = |name| update[name].as_bool().unwrap_or(false);
    Ok(Kind::Artifact(Update { text, append: flag("append"), last: flag("lastChunk") }))
}
