//! The workflow app: writes a report from a form and gives it as text, as values and as a file. Frames and their
//! order follow recordings of Dify 1.14. A topic with the word "slow" gives time to stop it, one with "fail" fails.

mod inputs;
mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use http::HeaderMap;
use serde_json::Value;
use uuid::Uuid;

use super::conversations::words;
use super::files::{File, Files};
use super::frames::{End, Left, Node};
use super::request::{self, Faults, Mode, user_of};
use super::runs::{Run, WORKFLOW_ID, seconds_since};
use super::skeleton::{self, About, Shared};
use super::stream::{Until, follow, silence};
use super::usage::Usage;
use super::wire::{Object, PING, dumped_response, object};
use super::{Pace, rejoin};
use inputs::Inputs;
use report::Report;

const START: Node = Node { id: "start", kind: "start", title: "Start" };
const OUTLINE: Node = Node { id: "outline", kind: "code", title: "Find keywords" };
const WRITE: Node = Node { id: "write", kind: "llm", title: "Write" };
const BIND: Node = Node { id: "bind", kind: "tool", title: "Make a file" };
const FINISH: Node = Node { id: "end", kind: "end", title: "End" };

const MODEL_PROVIDER: &str = "demo/demo/demo";
const MODEL_NAME: &str = "demo-writer";
/// What the demo's model says when it was asked to fail.
const FAILURE: &str =
    "[demo] Server Unavailable Error, the demo model went away, because it was asked to fail";

/// What it tells about itself.
pub(super) fn about() -> About {
    About {
        name: "Report writer",
        description: "Writes a short report on a topic and gives it as a file too. Built into the gateway.",
        mode: "workflow",
        icon: "📄",
        opening: "",
        suggested: &[],
        form: inputs::form(),
        file_upload: object! {"enabled": false},
        moderation: object! {"enabled": false},
    }
}

/// Its own routes.
pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/workflows/run", post(run))
        .route("/workflows/tasks/{task_id}/stop", post(stop))
        .route("/chat-messages", skeleton::wrong_mode("not_chat_app"))
        .merge(rejoin::routes())
}

async fn run(State(state): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let body = match request::json_object(&headers, &body) {
        Ok(body) => body,
        Err(refusal) => return *refusal,
    };
    let user = match user_of(&body) {
        Ok(user) => user,
        Err(refusal) => return *refusal,
    };
    let mut faults = Faults::of("WorkflowRunPayload", &body);
    faults.inputs();
    let mode = faults.mode();
    if let Err(refusal) = faults.end() {
        return *refusal;
    }
    let sent = body.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default();
    let inputs = match (Inputs::read(&sent, &user, &state.files), mode) {
        (Ok(inputs), _) => inputs,
        (Err(complaint), Mode::Blocking) => return *request::invalid(&complaint),
        // Dify 1.14 finds it out when it has answered already.
        (Err(_), Mode::Streaming) => return silence(state.pace.ping),
    };
    let run = Arc::new(Run::new(&user, inputs.object(), None));
    let live = run.story().subscribe();
    state.runs.keep(Arc::clone(&run));
    state.runs.work(write(Arc::clone(&run), inputs, state.files.clone(), state.pace));
    match mode {
        Mode::Streaming => follow(state.pace.ping, [PING], live, Until::Paused),
        Mode::Blocking => {
            rejoin::settled(live).await;
            blocking_answer(&run)
        }
    }
}

async fn stop(
    State(state): State<Shared>,
    Path(task): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    rejoin::stop(&state, &task, true, &headers, &body)
}

/// From the form to the end. Whoever stops it gets what was said until then.
async fn write(run: Arc<Run>, inputs: Inputs, files: Files, pace: Pace) {
    let report = Report::write(&inputs);
    let topic = inputs.topic.to_lowercase();
    let asked = |word| topic.split(|letter: char| !letter.is_alphanumeric()).any(|said| said == word);
    let pause = if asked("slow") { pace.slow_word } else { pace.word };

    run.begin(false);
    run.enter(START);
    let given: Vec<Object> = inputs.source.iter().map(|source| source.object.clone()).collect();
    let values = inputs.object();
    run.leave(START, &Left { inputs: values.clone(), outputs: values, files: given, ..Left::default() });

    run.enter(OUTLINE);
    if !run.goes_on_after(pause).await {
        return run.finish(End::stopped(Object::new()));
    }
    let outputs = object! {"keywords": report.keywords, "tone": report.tone};
    let asked_for = object! {"topic": inputs.topic, "tone": inputs.tone};
    run.leave(OUTLINE, &Left { inputs: asked_for, outputs, ..Left::default() });

    run.enter(WRITE);
    let began = tokio::time::Instant::now();
    let first_token = pause.as_secs_f64();
    let fails = asked("fail");
    let half = report.pieces.len() / 2;
    for piece in report.pieces.iter().take(if fails { half } else { usize::MAX }) {
        if !run.goes_on_after(pause).await {
            return run.finish(End::stopped(Object::new()));
        }
        run.say(piece, [WRITE.id, "text"]);
    }
    let model = object! {"model_provider": MODEL_PROVIDER, "model_name": MODEL_NAME};
    if fails {
        run.leave(WRITE, &Left { inputs: model, error: Some(FAILURE), ..Left::default() });
        return run.finish(End { status: "failed", error: Some(FAILURE), ..End::default() });
    }
    let prompt = format!("Write a {} report on {}.", report.tone, inputs.topic);
    let usage = Usage::complete(words(&prompt), report.pieces.len(), first_token, seconds_since(began));
    run.say("\n", [FINISH.id, "answer"]);
    run.leave(WRITE, &written(&report, &prompt, &usage, model));

    run.enter(BIND);
    if !run.goes_on_after(pause).await {
        return run.finish(End::stopped(Object::new()));
    }
    let file = File {
        id: Uuid::new_v4(),
        user: None,
        name: "report.md".to_owned(),
        mime: "text/markdown".to_owned(),
        bytes: Bytes::from(report.text()),
    };
    files.keep(file.clone());
    // Dify renders every output into the text, one under the other; each time a file is told its address is new.
    run.say(&report.words.to_string(), [BIND.id, "words"]);
    run.say("\n", [FINISH.id, "answer"]);
    let listed: Vec<String> = report.keywords.iter().map(|keyword| format!("- {keyword}")).collect();
    run.say(&listed.join("\n"), [OUTLINE.id, "keywords"]);
    run.say("\n", [FINISH.id, "answer"]);
    run.say(report.tone, [OUTLINE.id, "tone"]);
    run.say("\n", [FINISH.id, "answer"]);
    run.say(&format!("[{}]({})", file.name, files.address(&file)), [BIND.id, "file"]);
    let made = object! {"words": report.words, "file": files.object(&file)};
    let bound = vec![files.object(&file)];
    let text = object! {"text": report.text()};
    run.leave(BIND, &Left { inputs: text, outputs: made, files: bound, ..Left::default() });

    run.enter(FINISH);
    let outputs = || {
        object! {
            "report": report.text(), "words": report.words, "keywords": report.keywords, "tone": report.tone,
            "file": files.object(&file),
        }
    };
    let bound = || vec![files.object(&file)];
    run.leave(FINISH, &Left { inputs: outputs(), outputs: outputs(), files: bound(), ..Left::default() });
    run.finish(End {
        status: "succeeded",
        outputs: outputs(),
        files: bound(),
        error: None,
        tokens: usage.total_tokens(),
    });
}

/// What the model's node leaves behind: everything that Dify tells of a model, its prompts too.
fn written(report: &Report, prompt: &str, usage: &Usage, model: Object) -> Left {
    let said = |role: &str, text: &str| object! {"role": role, "text": text, "files": [(); 0]};
    Left {
        process: object! {
            "model_mode": "chat",
            "prompts": [said("system", "You write short reports."), said("user", prompt)],
            "usage": usage,
            "finish_reason": "stop",
        }
        .and(&model),
        inputs: model,
        outputs: object! {
            "text": report.text(), "reasoning_content": "", "usage": usage, "finish_reason": "stop",
        },
        metadata: Some(usage.node_metadata()),
        ..Left::default()
    }
}

fn blocking_answer(run: &Run) -> Response {
    let story = run.story();
    dumped_response(&object! {
        "task_id": run.task.to_string(), "workflow_run_id": run.id.to_string(),
        "data": object! {
            "id": run.id.to_string(), "workflow_id": WORKFLOW_ID.to_string(), "status": story.status,
            "outputs": story.outputs, "error": story.error, "elapsed_time": story.elapsed,
            "total_tokens": story.tokens, "total_steps": story.steps.len(), "created_at": run.created_at,
            "finished_at": story.finished_at,
        },
    })
}
