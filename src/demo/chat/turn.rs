//! One turn of the chat app: takes the script, gives Dify's frames one by one until it ends, fails or is
//! stopped.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use http::StatusCode;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::script::{End, Script, Speed};
use crate::demo::conversations::{Message, Standing};
use crate::demo::skeleton::Shared;
use crate::demo::usage::{self, Usage};
use crate::demo::wire::{self, Object, object};

/// Code that Dify gives when the call of the model failed.
const MODEL_FAILED: &str = "completion_request_error";
/// What the demo's model says when it was asked to fail.
const FAILURE: &str = "the demo model went away, because it was asked to fail";

/// A turn that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// Which conversation it is in.
    pub(super) conversation: Uuid,
    /// The turn's own id, by which it can be stopped.
    pub(super) task: Uuid,
    /// Fires when it shall stop.
    pub(super) stop: CancellationToken,
    /// What to say.
    pub(super) script: Script,
    /// Words that the model would have read: the conversation so far and the query.
    pub(super) prompt_words: usize,
}

/// A running turn. Whatever way it ends, also by being dropped, the conversation keeps what was said.
pub(super) struct Turn {
    state: Shared,
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

/// What every event of a turn repeats.
#[derive(Clone, Copy, Debug)]
struct Ids {
    conversation: Uuid,
    message: Uuid,
    task: Uuid,
    /// When the message was made, Unix seconds.
    created_at: i64,
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
    pub(super) fn new(state: Shared, begun: Begun, query: String, now: i64) -> Self {
        let ids = Ids {
            conversation: begun.conversation,
            message: Uuid::new_v4(),
            task: begun.task,
            created_at: now,
        };
        let started = Instant::now();
        let mut turn = Self {
            next_ping: started + state.pace.ping,
            state,
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
                Step::Failed => return wire::error(StatusCode::BAD_REQUEST, MODEL_FAILED, FAILURE),
                Step::Piece(_) | Step::Ping | Step::Tail => {}
            }
        }
        let body = object! {
            "event": "message",
            "task_id": self.ids.task.to_string(),
            "id": self.ids.message.to_string(),
            "message_id": self.ids.message.to_string(),
            "conversation_id": self.ids.conversation.to_string(),
            "mode": "chat",
            "answer": self.answer,
            "metadata": usage::metadata(Some(&usage)),
            "created_at": self.ids.created_at,
        };
        wire::dumped_response(&body)
    }

    fn script(&self) -> &Script {
        &self.begun.script
    }

    fn pause(&self) -> Duration {
        match self.script().speed {
            Speed::Rush => Duration::ZERO,
            Speed::Slow => self.state.pace.slow_word,
            Speed::Usual => self.state.pace.word,
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
                    self.next_ping += self.state.pace.ping;
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
                self.ids.message(self.script().pieces.get(*number).map_or("", String::as_str))
            }
            Step::Tail => self.ids.message(""),
            Step::End(usage) => self.ids.message_end(usage),
            Step::Failed => self.ids.error(FAILURE),
            Step::Ping => return wire::PING,
        };
        wire::frame(&event)
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
            standing: self.error.map_or(Standing::Normal, Standing::Error),
            extra: Vec::new(),
        };
        self.state.stops.forget(self.ids.task);
        self.state.conversations.keep(self.ids.conversation, message);
    }
}

impl Ids {
    fn head(self, event: &str) -> Object {
        object! {
            "event": event,
            "conversation_id": self.conversation.to_string(),
            "message_id": self.message.to_string(),
            "created_at": self.created_at,
        }
    }

    fn longer_head(self, event: &str) -> Object {
        let ids = object! {"task_id": self.task.to_string(), "id": self.message.to_string()};
        self.head(event).and(&ids)
    }

    /// The answer goes on by this.
    fn message(self, answer: &str) -> Object {
        self.longer_head("message").and(&object! {"answer": answer, "from_variable_selector": ()})
    }

    /// The answer is complete, or was stopped.
    fn message_end(self, used: &Usage) -> Object {
        self.longer_head("message_end").and(&object! {"metadata": usage::metadata(Some(used)), "files": ()})
    }

    /// The model failed with this message.
    fn error(self, message: &str) -> Object {
        self.head("error").and(&object! {"code": MODEL_FAILED, "status": 400, "message": message})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Ids = Ids {
        conversation: Uuid::from_u128(1),
        message: Uuid::from_u128(2),
        task: Uuid::from_u128(3),
        created_at: 1_795_310_829,
    };

    #[test]
    fn events_are_spelled_as_dify_spells_them() {
        let head = r#""conversation_id":"00000000-0000-0000-0000-000000000001","message_id":"00000000-0000-0000-0000-000000000002","created_at":1795310829"#;
        let ids =
            r#""task_id":"00000000-0000-0000-0000-000000000003","id":"00000000-0000-0000-0000-000000000002""#;
        assert_eq!(
            IDS.message("You ").text(),
            format!(r#"{{"event":"message",{head},{ids},"answer":"You ","from_variable_selector":null}}"#)
        );
        assert_eq!(
            IDS.error("gone").text(),
            format!(
                r#"{{"event":"error",{head},"code":"completion_request_error","status":400,"message":"gone"}}"#
            )
        );
        let usage = Usage::stopped(0.25);
        let metadata = usage::metadata(Some(&usage)).text();
        assert_eq!(
            IDS.message_end(&usage).text(),
            format!(r#"{{"event":"message_end",{head},{ids},"metadata":{metadata},"files":null}}"#)
        );
    }
}
