//! One turn of the demo app: takes the script, gives Dify's frames one by one until it ends, fails or is
//! stopped.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::script::{End, Script, Speed};
use super::state::{Begun, Memory, Message};
use super::wire::{self, Event, Ids, Usage};

/// What the demo's model says when it was asked to fail.
const FAILURE: &str = "the demo model went away, because it was asked to fail";

/// A running turn. Whatever way it ends, also by being dropped, the memory keeps what was said.
pub(super) struct Turn {
    memory: Memory,
    begun: Begun,
    ids: Ids,
    query: String,
    answer: String,
    error: Option<&'static str>,
    stage: Stage,
    /// When the next piece may go out.
    due: Instant,
    next_ping: Instant,
    started: Instant,
    first_token: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    /// The piece of this number is next.
    Piece(usize),
    /// The empty piece that Dify puts behind the last one.
    Tail,
    /// `message_end`.
    End,
    /// Nothing.
    Over,
}

/// How a turn stands after one step.
enum Step {
    /// The answer goes on by the piece of this number.
    Piece(usize),
    /// The answer is complete; an empty piece says so.
    Tail,
    /// It ended well, or was stopped.
    End(Box<Usage>),
    /// The model failed.
    Failed,
    /// Time for a sign of life.
    Ping,
}

impl Turn {
    /// A turn that has begun, made into a message at `now` (Unix seconds).
    pub(super) fn new(memory: Memory, begun: Begun, query: String, now: i64) -> Self {
        let ids = Ids {
            conversation: begun.conversation,
            message: Uuid::new_v4(),
            task: begun.task,
            created_at: now,
        };
        let started = Instant::now();
        let mut turn = Self {
            next_ping: started + memory.pace.ping,
            memory,
            begun,
            ids,
            query,
            answer: String::new(),
            error: None,
            stage: Stage::Piece(0),
            due: started,
            started,
            first_token: Duration::ZERO,
        };
        turn.due += turn.pause();
        turn
    }

    /// The frames of the stream.
    pub(super) fn frames(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        unfold(self, |mut turn| async move {
            let step = turn.step().await?;
            Some((Ok(turn.frame(&step)), turn))
        })
    }

    /// Runs to the end and answers in one piece.
    pub(super) async fn blocking(mut self) -> Response {
        let mut usage = Box::new(Usage::stopped(0.0));
        while let Some(step) = self.step().await {
            match step {
                Step::End(used) => usage = used,
                Step::Failed => return wire::error(StatusCode::BAD_REQUEST, wire::MODEL_FAILED, FAILURE),
                Step::Piece(_) | Step::Ping | Step::Tail => {}
            }
        }
        let body = json!({
            "event": "message",
            "task_id": self.ids.task.to_string(),
            "id": self.ids.message.to_string(),
            "message_id": self.ids.message.to_string(),
            "conversation_id": self.ids.conversation.to_string(),
            "mode": "chat",
            "answer": self.answer,
            "metadata": wire::Metadata::new(&usage),
            "created_at": self.ids.created_at,
        });
        wire::json_response(StatusCode::OK, &body)
    }

    fn script(&self) -> &Script {
        &self.begun.script
    }

    fn pause(&self) -> Duration {
        match self.script().speed {
            Speed::Rush => Duration::ZERO,
            Speed::Slow => self.memory.pace.slow_word,
            Speed::Usual => self.memory.pace.word,
        }
    }

    /// The next thing that happens; `None` at the end.
    async fn step(&mut self) -> Option<Step> {
        let Stage::Piece(number) = self.stage else { return self.close() };
        if !self.pause().is_zero() {
            tokio::select! {
                biased;
                () = self.begun.stop.cancelled() => {}
                () = sleep_until(self.next_ping) => {
                    self.next_ping += self.memory.pace.ping;
                    return Some(Step::Ping);
                }
                () = sleep_until(self.due) => {}
            }
        }
        if self.begun.stop.is_cancelled() {
            self.stage = Stage::Over;
            return Some(Step::End(Box::new(Usage::stopped(self.latency()))));
        }
        let Some(piece) = self.begun.script.pieces.get(number) else {
            self.stage = Stage::Tail;
            return self.close();
        };
        self.answer.push_str(piece);
        if number == 0 {
            self.first_token = self.started.elapsed();
        }
        self.stage = Stage::Piece(number + 1);
        self.due += self.pause();
        Some(Step::Piece(number))
    }

    /// What comes after the last piece.
    fn close(&mut self) -> Option<Step> {
        match (self.stage, self.script().end) {
            (Stage::Over | Stage::Piece(_), _) => None,
            (Stage::Tail | Stage::End, End::Fails) => {
                self.stage = Stage::Over;
                self.error = Some(FAILURE);
                Some(Step::Failed)
            }
            (Stage::Tail, End::Well) => {
                self.stage = Stage::End;
                Some(Step::Tail)
            }
            (Stage::End, End::Well) => {
                self.stage = Stage::Over;
                let (prompt, completion) = (self.begun.prompt_words, self.script().pieces.len());
                let first_token = self.first_token.as_secs_f64();
                let usage = Usage::complete(prompt, completion, first_token, self.latency());
                Some(Step::End(Box::new(usage)))
            }
        }
    }

    fn frame(&self, step: &Step) -> Bytes {
        let event = match step {
            Step::Piece(number) => {
                Event::Message(self.script().pieces.get(*number).map_or("", String::as_str))
            }
            Step::Tail => Event::Message(""),
            Step::End(usage) => Event::MessageEnd(usage),
            Step::Failed => Event::Error(FAILURE),
            Step::Ping => return wire::PING,
        };
        wire::frame(self.ids, &event)
    }

    fn latency(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let message = Message {
            id: self.ids.message,
            query: std::mem::take(&mut self.query),
            answer: std::mem::take(&mut self.answer),
            created_at: self.ids.created_at,
            error: self.error,
        };
        self.memory.end(self.ids.task, self.ids.conversation, message);
    }
}
