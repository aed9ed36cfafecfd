//! The engine against a scripted backend: order, races, repeats, endings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::*;
use crate::core::accepted::Accepted;
use crate::core::backend::{Cause, Said, Sink, TurnRequest};
use crate::core::clock::SystemClock;
use crate::core::command::{PageStart, Send};
use crate::core::event::{Ask, Failure, Outcome, Parked, TaskEvent, TextArtifact};
use std::sync::Mutex;

use crate::core::event::LogEvent;
use crate::core::ids::{ContextId, RandomIds};
use crate::core::live::LINGER;
use crate::core::message::{Message, Part, Role};
use crate::core::reader::Batch;
use crate::store::memory::MemoryStore;

/// Does what the message says: `hold` waits to be released or stopped, `fail` fails, `panic` panics, `flood`
/// says too much, `late` ignores a stop and completes, `ask` asks until it is answered; all else is echoed.
#[derive(Default)]
struct Scripted {
    release: Notify,
    moved: Notify,
    running: AtomicUsize,
    most_running: AtomicUsize,
    turns: Mutex<Vec<TurnRequest>>,
}

impl Scripted {
    async fn play(&self, turn: &TurnRequest, sink: &mut dyn Sink) -> Outcome {
        let said = turn.message.parts[0].as_text().expect("text").to_owned();
        if let Some(resume) = &turn.resume {
            let answer = match &resume.cause {
                Cause::Answered => turn.answers.last().and_then(|told| told.message.parts[0].as_text()),
                Cause::Moved => Some("moved"),
            };
            let answer = answer.expect("text");
            let delta = format!("{} {answer}", resume.answer_so_far.len());
            sink.emit(TaskEvent::Text { artifact: TextArtifact::Answer, delta: &delta });
            return if answer == "again" { asks() } else { Outcome::Completed };
        }
        let conversation = turn.conversation_id.clone().unwrap_or_else(|| turn.user.clone().into());
        sink.conversation(&conversation).await.expect("kept");
        sink.emit(TaskEvent::Working);
        sink.emit(TaskEvent::Text { artifact: TextArtifact::Answer, delta: "You said: " });
        match said.as_str() {
            "hold" => tokio::select! {
                () = turn.stop.cancelled() => return Outcome::Stopped { confirmed: true },
                () = self.release.notified() => {}
            },
            "late" => self.release.notified().await,
            "ask" => return asks(),
            "fail" => return Outcome::Failed(Failure::internal()),
            "panic" => panic!("as told"),
            "flood" => {
                let much = "x".repeat(crate::core::log::MAX_ARTIFACT_TEXT);
                sink.emit(TaskEvent::Text { artifact: TextArtifact::Answer, delta: &much });
                turn.stop.cancelled().await;
                return Outcome::Stopped { confirmed: true };
            }
            _ => tokio::task::yield_now().await,
        }
        sink.emit(TaskEvent::Text { artifact: TextArtifact::Answer, delta: &said });
        Outcome::Completed
    }
}

fn asks() -> Outcome {
    let memo = serde_json::value::to_raw_value("secret").expect("json").into();
    Outcome::InputRequired(Parked { ask: Ask { parts: vec![Part::text("Well?")] }, leaves_work: true, memo })
}

impl Backend for Scripted {
    fn accept<'a>(&'a self, said: Said<'a>) -> BoxFuture<'a, Result<(), Error>> {
        let accepted = match said.message.parts[0].as_text() {
            Some(_) => Ok(()),
            None => Err(Error::ContentTypeNotSupported("text only".to_owned())),
        };
        std::future::ready(accepted).boxed()
    }

    fn accept_answer<'a>(&'a self, parked: &'a Parked, said: Said<'a>) -> BoxFuture<'a, Result<(), Error>> {
        assert_eq!(parked.memo.get(), "\"secret\"");
        let accepted = match said.message.parts[0].as_text() {
            Some("what?") => Err(Error::invalid("message.parts", "must be an answer")),
            _ => Ok(()),
        };
        std::future::ready(accepted).boxed()
    }

    fn watch<'a>(&'a self, _: &'a Parked) -> BoxFuture<'a, ()> {
        self.moved.notified().boxed()
    }

    fn run<'a>(&'a self, turn: TurnRequest, sink: &'a mut dyn Sink) -> BoxFuture<'a, Outcome> {
        async move {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_running.fetch_max(running, Ordering::SeqCst);
            self.turns.lock().expect("no panic").push(turn.clone());
            AssertRunning(&self.running).during(self.play(&turn, sink)).await
        }
        .boxed()
    }

    fn readiness(&self) -> BoxFuture<'_, Readiness> {
        async { Readiness::Ready }.boxed()
    }

    fn profile(&self) -> Arc<Profile> {
        Arc::default()
    }
}

/// Counts a turn as running until it is over or has panicked.
struct AssertRunning<'a>(&'a AtomicUsize);

impl AssertRunning<'_> {
    async fn during<T>(self, future: impl Future<Output = T>) -> T {
        let outcome = future.await;
        drop(self);
        outcome
    }
}

impl Drop for AssertRunning<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn engine_with(limits: Limits) -> (Engine, Arc<Scripted>) {
    let backend = Arc::new(Scripted::default());
    let parts = Parts {
        backend: Arc::clone(&backend) as Arc<dyn Backend>,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
        store: Arc::new(MemoryStore::new(Duration::from_secs(3600), 10_000)),
    };
    (Engine::new(parts, limits), backend)
}

fn limits() -> Limits {
    Limits { idempotency_window: Duration::from_secs(300), max_concurrent_turns: 256, user: UserPolicy::Auto }
}

fn say(context: Option<&str>, text: &str) -> Send {
    Send {
        message: Message {
            id: MessageId::from(Uuid::now_v7().to_string()),
            role: Role::User,
            parts: vec![Part::text(text)],
            context_id: context.map(ContextId::from),
            task_id: None,
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        },
        return_immediately: false,
        history_length: None,
        metadata: None,
        accepted: Accepted::default(),
        trace_id: None,
        wants_push: false,
    }
}

async fn begin(engine: &Engine, command: Send) -> Arc<TaskLog> {
    match engine.send(&Caller::anonymous(), command).await.expect("accepted") {
        Sent::Log(log) => log,
        Sent::Past(task) => panic!("{} is past", task.id),
    }
}

async fn end_of(log: &Arc<TaskLog>) -> Task {
    let (_, mut reader) = log.follow(Until::End, Closing::Mark);
    reader.finish().await;
    log.snapshot()
}

async fn until_working(log: &Arc<TaskLog>) {
    let (_, mut reader) = log.follow_from(0, Until::End, Closing::Mark).expect("the beginning");
    while log.present().state != TaskState::Working {
        reader.wait().await;
    }
}

fn id_of(log: &TaskLog) -> TaskId {
    log.head().id
}

#[tokio::test]
async fn a_turn_runs_without_its_request_and_is_read_from_anywhere() {
    let (engine, _) = engine_with(limits());
    let log = begin(&engine, say(None, "hello")).await;
    let task = end_of(&log).await;
    assert_eq!((task.status.state, task.answer()), (TaskState::Completed, Some("You said: hello")));
    let read = engine.get(&Caller::anonymous(), &Get { id: id_of(&log), history_length: None }).await;
    assert_eq!(read.expect("there").answer(), Some("You said: hello"));
    let theirs = engine.get(&Caller::named("them"), &Get { id: id_of(&log), history_length: None }).await;
    assert!(matches!(theirs, Err(Error::TaskNotFound(_))));
}

#[tokio::test]
async fn two_hundred_turns_of_one_context_use_one_conversation_in_order() {
    let (engine, backend) = engine_with(limits());
    let mut logs = Vec::new();
    for number in 0..200 {
        logs.push(begin(&engine, say(Some("c"), &number.to_string())).await);
    }
    for (number, log) in logs.iter().enumerate() {
        assert_eq!(end_of(log).await.answer(), Some(format!("You said: {number}").as_str()));
    }
    assert_eq!(backend.most_running.load(Ordering::SeqCst), 1);
    let turns = backend.turns.lock().expect("no panic");
    let said: Vec<_> = turns.iter().map(|turn| turn.message.parts[0].as_text().expect("text")).collect();
    assert!(said.iter().enumerate().all(|(number, said)| *said == number.to_string()));
    assert!(turns.iter().skip(1).all(|turn| turn.conversation_id.as_deref() == Some("c")));
}

#[tokio::test]
async fn x10_contexts_and_callers_do_not_mix() {
    let (engine, backend) = engine_with(limits());
    let one = begin(&engine, say(Some("a"), "hold")).await;
    let two = begin(&engine, say(Some("b"), "hello")).await;
    assert_eq!(end_of(&two).await.status.state, TaskState::Completed, "b does not wait for a");
    backend.release.notify_one();
    end_of(&one).await;
    let sent = engine.send(&Caller::named("eve"), say(Some("a"), "hello")).await.expect("accepted");
    let Sent::Log(theirs) = sent else { panic!("not a repeat") };
    end_of(&theirs).await;
    let turns = backend.turns.lock().expect("no panic");
    let last = turns.last().expect("three turns");
    assert_eq!((last.user.as_str(), last.conversation_id.as_deref()), ("eve", None), "eve's `a` is her own");
}

#[tokio::test]
async fn a_cancel_stops_a_running_turn_and_only_the_first_one_counts() {
    let (engine, _) = engine_with(limits());
    let log = begin(&engine, say(None, "hold")).await;
    until_working(&log).await;
    let task = engine.cancel(&Caller::anonymous(), &Cancel { id: id_of(&log) }).await.expect("canceled");
    assert_eq!((task.status.state, task.answer()), (TaskState::Canceled, Some("You said: ")));
    assert_eq!(task.facts.stop_confirmed, Some(true));
    let again = engine.cancel(&Caller::anonymous(), &Cancel { id: id_of(&log) }).await;
    assert!(matches!(again, Err(Error::TaskNotCancelable { .. })));
    let unknown = engine.cancel(&Caller::anonymous(), &Cancel { id: TaskId::from("none") }).await;
    assert!(matches!(unknown, Err(Error::TaskNotFound(_))));
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_says_so() {
    let (engine, backend) = engine_with(limits());
    let log = begin(&engine, say(None, "late")).await;
    until_working(&log).await;
    let (me, cancel) = (Caller::anonymous(), Cancel { id: id_of(&log) });
    let canceling = engine.cancel(&me, &cancel);
    backend.release.notify_one();
    assert!(matches!(canceling.await, Err(Error::TaskNotCancelable { state: TaskState::Completed, .. })));
    assert_eq!(log.snapshot().answer(), Some("You said: late"));
}

#[tokio::test]
async fn a_queued_turn_is_canceled_at_once_and_the_next_moves_up() {
    let (engine, backend) = engine_with(limits());
    let first = begin(&engine, say(Some("c"), "hold")).await;
    let second = begin(&engine, say(Some("c"), "second")).await;
    let third = begin(&engine, say(Some("c"), "third")).await;
    assert_eq!(second.present().state, TaskState::Submitted);
    engine.cancel(&Caller::anonymous(), &Cancel { id: id_of(&second) }).await.expect("canceled");
    backend.release.notify_one();
    assert_eq!(end_of(&first).await.status.state, TaskState::Completed);
    assert_eq!(end_of(&third).await.status.state, TaskState::Completed);
    assert_eq!(backend.turns.lock().expect("no panic").len(), 2, "the canceled one never ran");
}

#[tokio::test]
async fn a_failure_and_a_panic_end_the_task_and_let_the_next_turn_in() {
    let (engine, _) = engine_with(limits());
    for bad in ["fail", "panic"] {
        let log = begin(&engine, say(Some("c"), bad)).await;
        let task = end_of(&log).await;
        assert_eq!(task.status.state, TaskState::Failed);
        assert_eq!(task.status.failure().expect("a reason").code, "internal_error");
        assert_eq!(task.answer(), Some("You said: "), "what was said stays");
    }
    let log = begin(&engine, say(Some("c"), "fine")).await;
    assert_eq!(end_of(&log).await.status.state, TaskState::Completed);
}

#[tokio::test]
async fn a_runaway_answer_is_stopped() {
    let (engine, _) = engine_with(limits());
    let log = begin(&engine, say(None, "flood")).await;
    let task = end_of(&log).await;
    assert_eq!(task.status.failure().expect("a reason").code, "answer_too_large");
}

#[tokio::test]
async fn a_busy_engine_says_so_and_forgets_what_it_refused() {
    let (engine, backend) = engine_with(Limits { max_concurrent_turns: 1, ..limits() });
    let running = begin(&engine, say(Some("a"), "hold")).await;
    let refused = say(Some("b"), "hello");
    let answer = engine.send(&Caller::anonymous(), refused.clone()).await;
    assert!(matches!(answer, Err(Error::Busy { .. })));
    until_working(&running).await;
    backend.release.notify_one();
    end_of(&running).await;
    while engine.running() > 0 {
        tokio::task::yield_now().await;
    }
    let again = begin(&engine, refused).await;
    assert_eq!(end_of(&again).await.status.state, TaskState::Completed);
}

#[tokio::test]
async fn a_message_to_a_task_is_refused_by_the_rule_that_fits() {
    let (engine, backend) = engine_with(limits());
    let log = begin(&engine, say(Some("c"), "hold")).await;
    let mut follow_up = say(None, "more");
    follow_up.message.task_id = Some(id_of(&log));
    let me = Caller::anonymous();
    let working = engine.send(&me, follow_up.clone()).await;
    assert!(matches!(working, Err(Error::UnsupportedOperation(_))), "{working:?}");
    follow_up.message.context_id = Some(ContextId::from("other"));
    assert!(matches!(engine.send(&me, follow_up.clone()).await, Err(Error::InvalidParams(_))));
    follow_up.message.context_id = None;
    until_working(&log).await;
    backend.release.notify_one();
    end_of(&log).await;
    assert!(matches!(engine.send(&me, follow_up.clone()).await, Err(Error::UnsupportedOperation(_))));
    follow_up.message.task_id = Some(TaskId::from("none"));
    assert!(matches!(engine.send(&me, follow_up).await, Err(Error::TaskNotFound(_))));
}

#[tokio::test]
async fn a_subscription_begins_with_the_task_and_a_late_one_gets_what_it_missed() {
    let (engine, backend) = engine_with(limits());
    let log = begin(&engine, say(None, "hold")).await;
    until_working(&log).await;
    let me = Caller::anonymous();
    let (task, mut reader) = engine.subscribe(&me, &id_of(&log), None, Closing::Mark).await.expect("it runs");
    assert_eq!(task.status.state, TaskState::Working);
    backend.release.notify_one();
    reader.finish().await;
    let ended = engine.subscribe(&me, &id_of(&log), None, Closing::Mark).await;
    assert!(matches!(ended, Err(Error::UnsupportedOperation(_))));
    let (then, mut rest) = engine.subscribe(&me, &id_of(&log), Some(2), Closing::Mark).await.expect("a rest");
    assert_eq!(then.answer(), Some("You said: "));
    rest.finish().await;
    let all = log.snapshot_at_end().1;
    assert!(matches!(
        engine.subscribe(&me, &id_of(&log), Some(all), Closing::Mark).await,
        Err(Error::UnsupportedOperation(_))
    ));
    assert!(matches!(
        engine.subscribe(&me, &id_of(&log), Some(all + 1), Closing::Mark).await,
        Err(Error::InvalidParams(_))
    ));
}

#[tokio::test]
async fn a_list_shows_running_tasks_as_they_are() {
    let (engine, backend) = engine_with(limits());
    let log = begin(&engine, say(Some("c"), "hold")).await;
    until_working(&log).await;
    let query = List {
        context_id: None,
        state: Some(TaskState::Working),
        status_after: None,
        page_size: 10,
        start: PageStart::Offset(0),
        history_length: None,
        include_artifacts: true,
    };
    let page = engine.list(&Caller::anonymous(), &query).await.expect("listed");
    assert_eq!((page.total, page.tasks[0].answer()), (1, Some("You said: ")));
    backend.release.notify_one();
    end_of(&log).await;
    assert_eq!(engine.list(&Caller::anonymous(), &query).await.expect("listed").total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_grace_then_ends_what_runs_as_failed() {
    let (engine, _) = engine_with(limits());
    let log = begin(&engine, say(None, "hold")).await;
    until_working(&log).await;
    engine.drain(tokio::time::sleep(Duration::from_secs(30))).await;
    let task = log.snapshot();
    assert_eq!(task.status.failure().expect("a reason").code, "gateway_shutdown");
    assert!(matches!(engine.send(&Caller::anonymous(), say(None, "x")).await, Err(Error::Draining)));
    assert_eq!(engine.ready().await, Err(vec!["shutting down".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn an_ended_log_leaves_memory_and_its_record_stays() {
    let (engine, _) = engine_with(limits());
    let command = say(None, "hello");
    let log = begin(&engine, command.clone()).await;
    end_of(&log).await;
    tokio::time::sleep(LINGER + SWEEP_EVERY).await;
    assert_eq!(engine.0.live.len(), 0);
    let get = Get { id: id_of(&log), history_length: None };
    assert_eq!(engine.get(&Caller::anonymous(), &get).await.expect("kept").answer(), Some("You said: hello"));
    let repeated = engine.send(&Caller::anonymous(), command).await.expect("known");
    assert!(matches!(repeated, Sent::Past(task) if task.id == id_of(&log)));
}

#[test]
fn a_user_that_is_too_long_becomes_a_stable_short_one() {
    let (engine, _) =
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async { engine_with(limits()) });
    let key = |id: &str| ContextKey { caller: Caller::anonymous(), id: ContextId::from(id) };
    let long = "x".repeat(300);
    let user = engine.0.user_for(&key(&long));
    assert_eq!(user, engine.0.user_for(&key(&long)));
    assert!(user.starts_with("a2a:") && user.len() < 50);
    assert_eq!(engine.0.user_for(&key("short")), "short");
}

#[path = "engine_ask_tests.rs"]
mod asks;

#[path = "engine_caller_tests.rs"]
mod callers;

#[path = "engine_repeat_tests.rs"]
mod repeats;
