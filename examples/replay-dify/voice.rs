//! Says a turn that was not recorded as Dify would: its events, in the order of the app's kind and version.

use std::time::Duration;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::Kind;
use crate::memory::Ids;
use crate::script::Script;

/// Dify sends one after ten seconds of silence.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING: &str = "event: ping\n\n";

/// Says one turn in Dify's form.
pub struct Voice {
    pub ids: Ids,
    pub kind: Kind,
    /// Whether it is a version that runs workflows in the API process: no ping comes first, and `workflow_finished`
    /// comes before `message_end`.
    pub is_old: bool,
}

impl Voice {
    /// Streams the whole turn; ends early when nobody reads it any more.
    pub async fn say(
        &self,
        frames: &mpsc::Sender<Bytes>,
        answer: &str,
        script: &Script,
        delay: Duration,
        stopping: &CancellationToken,
    ) -> Result<(), mpsc::error::SendError<Bytes>> {
        if self.kind.is_workflow() {
            if !self.is_old {
                frames.send(PING.into()).await?;
            }
            frames.send(self.workflow_started()).await?;
            tokio::time::sleep(script.silence).await;
        }
        for word in answer.split_inclusive(' ') {
            frames.send(self.word(word)).await?;
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stopping.cancelled() => break,
            }
        }
        while script.held && !stopping.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(PING_EVERY) => frames.send(PING.into()).await?,
                () = stopping.cancelled() => {}
            }
        }
        for frame in self.ending(answer, stopping.is_cancelled()) {
            frames.send(frame).await?;
        }
        Ok(())
    }

    fn word(&self, word: &str) -> Bytes {
        if self.kind == Kind::Workflow {
            let data = json!({"text": word, "from_variable_selector": ["llm", "text"]});
            return self.frame("text_chunk", json!({"workflow_run_id": self.ids.run, "data": data}));
        }
        self.frame("message", json!({"id": self.ids.message, "answer": word}))
    }

    fn frame(&self, event: &str, extra: Value) -> Bytes {
        let mut frame = json!({"event": event, "task_id": self.ids.task});
        let message = json!({"message_id": self.ids.message, "created_at": 1_795_310_829});
        let conversation = json!({"conversation_id": self.ids.conversation});
        let head = match self.kind {
            Kind::Chat | Kind::Chatflow => vec![message, conversation],
            Kind::Completion => vec![message],
            Kind::Workflow => vec![],
        };
        for more in head.into_iter().chain([extra]) {
            if let (Value::Object(frame), Value::Object(more)) = (&mut frame, more) {
                frame.extend(more);
            }
        }
        format!("data: {frame}\n\n").into()
    }

    fn workflow_started(&self) -> Bytes {
        let run = &self.ids.run;
        let data = json!({"id": run, "workflow_id": run, "inputs": {}, "created_at": 1_795_310_829});
        self.frame("workflow_started", json!({"workflow_run_id": run, "data": data}))
    }

    fn workflow_finished(&self, answer: &str, stopped: bool) -> Bytes {
        let run = &self.ids.run;
        let (status, error, outputs) = match stopped {
            true => ("stopped", json!("Stopped by user."), json!({})),
            false if self.kind == Kind::Workflow => ("succeeded", Value::Null, json!({"text": answer})),
            false => ("succeeded", Value::Null, json!({"answer": answer, "files": []})),
        };
        let data = json!({
            "id": run, "workflow_id": run, "status": status, "outputs": outputs, "error": error,
            "elapsed_time": 0.4, "total_tokens": 0, "total_steps": 2, "created_at": 1_795_310_829,
            "finished_at": 1_795_310_830, "exceptions_count": 0, "files": [],
        });
        self.frame("workflow_finished", json!({"workflow_run_id": run, "data": data}))
    }

    fn message_end(&self) -> Bytes {
        let usage = json!({"prompt_tokens": 13, "completion_tokens": 5, "total_tokens": 18, "latency": 0.1});
        let metadata = json!({"annotation_reply": null, "retriever_resources": [], "usage": usage});
        let files = if self.kind == Kind::Chatflow { json!([]) } else { Value::Null };
        self.frame("message_end", json!({"id": self.ids.message, "metadata": metadata, "files": files}))
    }

    fn ending(&self, answer: &str, stopped: bool) -> Vec<Bytes> {
        let finished = self.workflow_finished(answer, stopped);
        match (self.kind, self.is_old, stopped) {
            (Kind::Chat | Kind::Completion, _, _) => vec![self.message_end()],
            (Kind::Workflow, _, _) | (Kind::Chatflow, false, true) => vec![finished],
            (Kind::Chatflow, true, _) => vec![finished, self.message_end()],
            (Kind::Chatflow, false, false) => vec![self.message_end(), finished],
        }
    }
}
