//! A backend in front of a scripted Dify, and a sink that remembers what it hears, for tests.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::afterwards::Afterwards;
use super::backend::{DifyBackend, Limits, MissingInputs, Settings};
use super::outlets::Outlets;
use super::scripted::{Answer, Scripted};
use crate::core::accepted::Accepted;
use crate::core::backend::{Backend, Known, Said, Sink, TurnRequest};
use crate::core::clock::SystemClock;
use crate::core::error::Error;
use crate::core::event::{Outcome, TaskEvent, TextArtifact};
use crate::core::facts::FactsUpdate;
use crate::core::ids::{Caller, ContextId, MessageId, TaskId};
use crate::core::message::{Json, Message, Part, Role, Served};
use crate::dify::client::{Client, ClientSettings};
use crate::egress::{self, Egress, EgressPolicy};
use crate::files::{Shelf, ShelfSettings};
use crate::translate::operator::Operator;
use crate::translate::think::ThinkMode;

/// Where turns are asked for.
pub(super) const CHAT: &str = "POST /v1/chat-messages";

pub(super) const HELLO: &str =
    r#"{"event":"message","conversation_id":"c1","task_id":"t1","answer":"hello"}"#;
pub(super) const END: &str = r#"{"event":"message_end","conversation_id":"c1","task_id":"t1","metadata":{}}"#;
pub(super) const STARTED: &str =
    r#"{"event":"workflow_started","conversation_id":"c1","task_id":"t1","workflow_run_id":"r","data":{}}"#;

/// A sink that remembers, and sets off a stop at a word.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) remembered: Option<String>,
    pub(super) log: Vec<String>,
    pub(super) answer: String,
    pub(super) stop_at: Option<(&'static str, CancellationToken)>,
    pub(super) refuses: bool,
}

impl Sink for Notes {
    fn emit(&mut self, event: TaskEvent<'_>) {
        let line = match event {
            TaskEvent::Facts(FactsUpdate::ConversationRestarted) => "restarted".to_owned(),
            TaskEvent::Facts(_) => "fact".to_owned(),
            TaskEvent::Artifact(whole) => format!("artifact {}", whole.id),
            TaskEvent::Progress(progress) => format!("progress {}", progress.title),
            TaskEvent::Replace { artifact, text } | TaskEvent::Text { artifact, delta: text } => {
                if artifact == TextArtifact::Answer {
                    self.answer.push_str(text);
                }
                format!("text {text}")
            }
            TaskEvent::Working => "working".to_owned(),
        };
        if let Some((word, stop)) = &self.stop_at
            && line.contains(word)
        {
            stop.cancel();
        }
        self.log.push(line);
    }

    fn conversation<'a>(&'a mut self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            tokio::task::yield_now().await;
            self.log.push(format!("keep {id}"));
            if self.refuses { Err(Error::Internal("no store".to_owned())) } else { Ok(()) }
        }
        .boxed()
    }

    fn answer(&self) -> String {
        self.answer.clone()
    }

    fn shelve(&mut self, message: &MessageId, part: usize, served: Served) {
        self.log.push(format!("shelved {message} {part}: {} bytes", served.size));
    }

    fn remember(&mut self, inputs: Json) {
        self.remembered = Some(inputs.get().to_owned());
    }
}

/// What a caller says, who has said nothing before.
pub(super) fn said(message: &Message) -> Said<'_> {
    static ANYTHING: Accepted = Accepted::anything();
    Said { message, metadata: None, accepted: &ANYTHING, context: Known::Nothing }
}

pub(super) struct Stage {
    pub(super) dify: Scripted,
    pub(super) backend: DifyBackend,
    pub(super) client: Client,
    pub(super) afterwards: Afterwards,
}

pub(super) fn settings() -> Settings {
    let short = Duration::from_millis(300);
    Settings {
        first_event_timeout: Duration::from_millis(600),
        turn_timeout: Duration::from_secs(5),
        think: ThinkMode::Metadata,
        missing_inputs: MissingInputs::Ask,
        suggested: false,
        limits: Limits {
            backoff: [Duration::from_millis(5), Duration::from_millis(10)],
            conversation_check: Duration::from_millis(100),
            drain: short,
            files: Duration::from_secs(2),
            grace: short,
            look: (short, short),
            max_event_bytes: 1 << 20,
            pursuit: Duration::from_secs(30),
            stop_after_call: short,
            stop_before_begin: short,
        },
    }
}

pub(super) async fn stage_with(script: Vec<(&'static str, Vec<Answer>)>, settings: Settings) -> Stage {
    let dify = Scripted::start(script).await;
    let client = Client::new(&ClientSettings {
        url: dify.url.clone(),
        key: SecretString::from("app-test"),
        connect_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_millis(1500),
    });
    let client = client.unwrap();
    let afterwards = Afterwards::default();
    let policy = EgressPolicy::parse(&["127.0.0.0/8".to_owned()]).unwrap();
    let outlets = Outlets {
        egress: Egress::new(policy, egress::Limits::default()).unwrap(),
        shelf: Some(Shelf::new(ShelfSettings::default()).unwrap()),
        max_bytes: 1 << 20,
        dify: dify.url.parse().unwrap(),
        clock: Arc::new(SystemClock),
    };
    let backend =
        DifyBackend::new(client.clone(), settings, Operator::default(), outlets, afterwards.clone());
    Stage { dify, backend, client, afterwards }
}

pub(super) async fn on_stage(script: Vec<(&'static str, Vec<Answer>)>) -> Stage {
    stage_with(script, settings()).await
}

/// A Dify that gives this stream to every turn.
pub(super) async fn chat(answer: Answer) -> Stage {
    on_stage(vec![(CHAT, vec![answer])]).await
}

pub(super) fn message(text: &str) -> Message {
    Message {
        id: MessageId::from("m"),
        role: Role::User,
        parts: vec![Part::text(text)],
        context_id: None,
        task_id: None,
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    }
}

pub(super) fn turn(conversation: Option<&str>) -> TurnRequest {
    TurnRequest {
        task_id: TaskId::from("task"),
        context_id: ContextId::from("context"),
        caller: Caller::anonymous(),
        message: Arc::new(message("hi")),
        metadata: None,
        accepted: Accepted::default(),
        trace_id: None,
        inputs: None,
        answers: Vec::new(),
        resume: None,
        user: "alice".to_owned(),
        conversation_id: conversation.map(Arc::from),
        stop: CancellationToken::new(),
    }
}

impl Stage {
    pub(super) async fn play(&self, turn: TurnRequest, mut notes: Notes) -> (Outcome, Notes) {
        let outcome = tokio::time::timeout(Duration::from_secs(10), self.backend.run(turn, &mut notes)).await;
        (outcome.expect("bounded"), notes)
    }

    pub(super) async fn play_new(&self) -> (Outcome, Notes) {
        self.play(turn(None), Notes::default()).await
    }

    /// A turn that is stopped when the word is said.
    pub(super) async fn play_stopped_at(&self, word: &'static str) -> (Outcome, Notes) {
        let turn = turn(None);
        let notes = Notes { stop_at: Some((word, turn.stop.clone())), ..Notes::default() };
        self.play(turn, notes).await
    }

    pub(super) async fn settle(&self) {
        tokio::time::timeout(Duration::from_secs(5), self.afterwards.end()).await.unwrap();
    }
}
