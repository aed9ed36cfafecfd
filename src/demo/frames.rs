//! The events of a run: what happens comes in, the frames that Dify 1.14 sends for it go out to all readers, and the
//! story of the run is kept for those who come later.

use uuid::Uuid;

use super::runs::{Run, Step, Story, WORKFLOW_ID, now, seconds_since};
use super::stream::After;
use super::usage::{Usage, metadata};
use super::wire::{Object, object};
use crate::demo::approval::form::{Filled, Form};

/// A node of a workflow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Node {
    /// Its id.
    pub(super) id: &'static str,
    /// Its type.
    pub(super) kind: &'static str,
    /// What its author called it.
    pub(super) title: &'static str,
}

/// What a node leaves behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    /// What it was given.
    pub(super) inputs: Object,
    /// What it did; for a model its prompts and usage.
    pub(super) process: Object,
    /// What came out.
    pub(super) outputs: Object,
    /// Tokens and price, for a model.
    pub(super) metadata: Option<Object>,
    /// Files among the outputs.
    pub(super) files: Vec<Object>,
    /// Why it failed, if it did.
    pub(super) error: Option<&'static str>,
}

/// How a run ends.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// `succeeded`, `failed` or `stopped`.
    pub(super) status: &'static str,
    /// What came out.
    pub(super) outputs: Object,
    /// Files among that.
    pub(super) files: Vec<Object>,
    /// Why it did not go well.
    pub(super) error: Option<&'static str>,
    /// Tokens in all.
    pub(super) tokens: usize,
}

impl End {
    /// What Dify says of a run that was stopped.
    pub(super) fn stopped(outputs: Object) -> Self {
        Self { status: "stopped", outputs, error: Some("Stopped by user."), ..Self::default() }
    }
}

impl Run {
    /// What each event of a stream begins with.
    fn head(&self, event: &str) -> Object {
        let (run, task) = (self.id.to_string(), self.task.to_string());
        match self.message_ids() {
            Some(ids) => {
                object! {"event": event}.and(&ids).and(&object! {"task_id": task, "workflow_run_id": run})
            }
            None => object! {"event": event, "workflow_run_id": run, "task_id": task},
        }
    }

    /// The ids of the message, in a chatflow.
    pub(super) fn message_ids(&self) -> Option<Object> {
        let talk = self.talk.as_ref()?;
        Some(object! {
            "conversation_id": talk.conversation.to_string(),
            "message_id": talk.message.to_string(),
            "created_at": self.created_at,
        })
    }

    /// `workflow_started`, for the first time or behind a pause.
    pub(super) fn begin(&self, resumed: bool) {
        self.tell(|story| {
            story.status = "running";
            if resumed {
                story.began = (tokio::time::Instant::now(), now());
            }
            let data = self.started_data(resumed, story.began.1, false);
            (self.head("workflow_started").with("data", &data), After::Going)
        });
    }

    /// The data of `workflow_started`. Snapshots of workflows have a time stamp among the inputs.
    pub(super) fn started_data(&self, resumed: bool, at: i64, snapshot: bool) -> Object {
        let inputs = self.inputs.clone().and(&self.system_inputs(resumed, snapshot && self.talk.is_none()));
        object! {
            "id": self.id.to_string(),
            "workflow_id": WORKFLOW_ID.to_string(),
            "inputs": inputs,
            "created_at": at,
            "reason": if resumed { "resumption" } else { "initial" },
        }
    }

    /// `node_started`. A node that had paused keeps its id.
    pub(super) fn enter(&self, node: Node) {
        self.tell(|story| {
            let began = (tokio::time::Instant::now(), now());
            let fresh = Step {
                id: Uuid::new_v4(),
                node,
                status: "running",
                began,
                elapsed: 0.0,
                finished_at: began.1,
            };
            let step = match story.steps.iter_mut().find(|step| step.node == node) {
                Some(paused) => {
                    *paused = Step { id: paused.id, ..fresh };
                    paused.clone()
                }
                None => {
                    story.steps.push(fresh.clone());
                    fresh
                }
            };
            let data = step.head(1).and(&object! {
                "inputs": (), "inputs_truncated": false, "created_at": began.1, "extras": Object::new(),
                "iteration_id": (), "loop_id": (), "agent_strategy": (),
            });
            (self.head("node_started").with("data", &data), After::Going)
        });
    }

    /// `node_finished`.
    pub(super) fn leave(&self, node: Node, left: &Left) {
        self.tell(|story| {
            let mut step = story.step(node);
            step.status = if left.error.is_some() { "failed" } else { "succeeded" };
            step.elapsed = seconds_since(step.began.0);
            step.finished_at = now();
            story.put(step.clone());
            let data = step.head(1).and(&object! {
                "inputs": left.inputs, "inputs_truncated": false,
                "process_data": left.process, "process_data_truncated": false,
                "outputs": left.outputs, "outputs_truncated": false,
                "status": step.status, "error": left.error, "elapsed_time": step.elapsed,
                "execution_metadata": left.metadata, "created_at": step.began.1,
                "finished_at": step.finished_at, "files": left.files,
                "iteration_id": (), "loop_id": (),
            });
            (self.head("node_finished").with("data", &data), After::Going)
        });
    }

    /// The text goes on: a `message` of a chatflow, a `text_chunk` of a workflow.
    pub(super) fn say(&self, text: &str, selector: [&str; 2]) {
        self.tell(|story| {
            let event = match self.message_head("message") {
                Some(head) => {
                    story.answer.push_str(text);
                    head.and(&object! {"answer": text, "from_variable_selector": selector})
                }
                None => {
                    let data = object! {"text": text, "from_variable_selector": selector};
                    self.head("text_chunk").with("data", &data)
                }
            };
            (event, After::Going)
        });
    }

    fn message_head(&self, event: &str) -> Option<Object> {
        let message = self.talk.as_ref()?.message.to_string();
        let ids = object! {"task_id": self.task.to_string(), "id": message};
        Some(object! {"event": event}.and(&self.message_ids()?).and(&ids))
    }

    /// `human_input_required` and `workflow_paused`: the run waits for the form.
    pub(super) fn pause(&self, node: Node, form: Form) {
        let content = form.rendered.clone();
        self.tell(|_| {
            let data = form.required(node, &content);
            (self.head("human_input_required").with("data", &data), After::Going)
        });
        self.tell(|story| {
            let mut step = story.step(node);
            step.status = "paused";
            step.elapsed = seconds_since(step.began.0);
            story.put(step);
            story.status = "paused";
            let elapsed = seconds_since(story.began.0);
            let reason = form.reason(node, &content);
            let data = self.paused_data(story, node, &Object::new(), &reason, story.began.1, elapsed);
            story.form = Some(form);
            (self.head("workflow_paused").with("data", &data), After::Paused)
        });
    }

    /// The data of `workflow_paused`.
    pub(super) fn paused_data(
        &self,
        story: &Story,
        node: Node,
        outputs: &Object,
        reason: &Object,
        created_at: i64,
        elapsed: f64,
    ) -> Object {
        object! {
            "workflow_run_id": self.id.to_string(), "paused_nodes": [node.id], "outputs": outputs,
            "reasons": [reason], "status": "paused", "created_at": created_at, "elapsed_time": elapsed,
            "total_tokens": story.tokens, "total_steps": story.steps.len(),
        }
    }

    /// `human_input_form_filled`.
    pub(super) fn filled(&self, node: Node, filled: &Filled) {
        self.tell(|_| (self.head("human_input_form_filled").with("data", &filled.data(node)), After::Going));
    }

    /// `message_end` of a chatflow.
    pub(super) fn message_end(&self) {
        self.tell(|story| {
            let elapsed = seconds_since(story.began.0);
            let usage = Usage::no_model(elapsed, 0.0);
            let end = object! {"metadata": metadata(Some(&usage)), "files": [(); 0]};
            let head = self.message_head("message_end").unwrap_or_default();
            (head.and(&end), After::Going)
        });
    }

    /// `workflow_finished`.
    pub(super) fn finish(&self, end: End) {
        self.tell(|story| {
            story.status = end.status;
            story.outputs = end.outputs;
            story.files = end.files;
            story.error = end.error;
            story.tokens = end.tokens;
            story.finished_at = Some(now());
            story.elapsed = seconds_since(story.began.0);
            let data = self.finished_data(story, story.began.1);
            (self.head("workflow_finished").with("data", &data), After::Finished)
        });
    }

    /// The data of `workflow_finished`.
    pub(super) fn finished_data(&self, story: &Story, created_at: i64) -> Object {
        object! {
            "id": self.id.to_string(), "workflow_id": WORKFLOW_ID.to_string(), "status": story.status,
            "outputs": story.outputs, "error": story.error, "elapsed_time": story.elapsed,
            "total_tokens": story.tokens, "total_steps": story.steps.len(),
            "created_by": self.created_by(), "created_at": created_at, "finished_at": story.finished_at,
            "exceptions_count": u8::from(story.status == "failed"), "files": story.files,
        }
    }
}

impl Step {
    /// What events about a node begin with. Live ones always say 1 for its place, snapshots count.
    pub(super) fn head(&self, index: usize) -> Object {
        object! {
            "id": self.id.to_string(), "node_id": self.node.id, "node_type": self.node.kind,
            "title": self.node.title, "index": index, "predecessor_node_id": (),
        }
    }
}

impl Story {
    /// The execution of a node that was begun.
    fn step(&self, node: Node) -> Step {
        let found = self.steps.iter().find(|step| step.node == node);
        debug_assert!(found.is_some(), "a node is entered before it is left");
        found.cloned().unwrap_or_else(|| Step {
            id: Uuid::new_v4(),
            node,
            status: "running",
            began: self.began,
            elapsed: 0.0,
            finished_at: self.began.1,
        })
    }

    fn put(&mut self, step: Step) {
        if let Some(kept) = self.steps.iter_mut().find(|kept| kept.node == step.node) {
            *kept = step;
        }
    }
}
