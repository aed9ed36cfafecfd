//! The suite that every store must pass: the promises of [`crate::core::store::Store`], one after the other.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};

use crate::core::command::{List, PageStart};
use crate::core::event::{Status, TextArtifact};
use crate::core::ids::{Caller, ContextId, TaskId};
use crate::core::state::TaskState;
use crate::core::store::{ContextKey, ContextRecord, Store, StoreError};
use crate::core::task::{Artifact, Task};

/// The limits that a store under test shall have.
pub(crate) struct StoreLimits {
    pub(crate) ttl: Duration,
    pub(crate) max_tasks: usize,
}

/// Runs the whole suite, each promise against a fresh store.
pub(crate) async fn run<S: Store>(make: impl Fn(StoreLimits) -> S) {
    let usual = || make(StoreLimits { ttl: Duration::from_secs(3600), max_tasks: 1000 });
    reads_what_was_put(&usual()).await;
    lists_newest_first_and_pages_without_gap(&usual()).await;
    filters_are_anded(&usual()).await;
    callers_are_apart(&usual()).await;
    contexts_are_kept(&usual()).await;
    old_ones_are_swept(&usual()).await;
    the_oldest_ended_task_makes_room(&make(StoreLimits { ttl: Duration::from_secs(3600), max_tasks: 2 }))
        .await;
}

/// A task with an answer.
pub(crate) fn task(id: &str, context: &str, state: TaskState, at: Timestamp) -> Arc<Task> {
    Arc::new(Task {
        id: TaskId::from(id),
        context_id: ContextId::from(context),
        caller: Caller::anonymous(),
        created_at: at,
        status: Arc::new(Status::plain(state, at)),
        history: Vec::new(),
        artifacts: vec![Artifact::Text { kind: TextArtifact::Answer, text: format!("answer of {id}") }],
        facts: Arc::default(),
    })
}

fn query() -> List {
    List {
        context_id: None,
        state: None,
        status_after: None,
        page_size: 100,
        start: PageStart::Offset(0),
        history_length: None,
        include_artifacts: false,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + seconds.seconds()
}

async fn ids(store: &impl Store, caller: &Caller, query: &List) -> Vec<String> {
    let page = store.list(caller, query).await.expect("listed");
    page.tasks.iter().map(|task| task.id.to_string()).collect()
}

async fn reads_what_was_put(store: &impl Store) {
    assert!(store.task(&TaskId::from("none")).await.expect("read").is_none());
    store.put_task(task("a", "c", TaskState::Working, at(1))).await.expect("kept");
    store.put_task(task("a", "c", TaskState::Completed, at(2))).await.expect("kept");
    let read = store.task(&TaskId::from("a")).await.expect("read").expect("there");
    assert_eq!((read.status.state, read.answer()), (TaskState::Completed, Some("answer of a")));
    assert_eq!(ids(store, &Caller::anonymous(), &query()).await, ["a"]);
}

async fn lists_newest_first_and_pages_without_gap(store: &impl Store) {
    for number in 0..25 {
        let id = format!("t{number:02}");
        store.put_task(task(&id, "c", TaskState::Completed, at(number / 2))).await.expect("kept");
    }
    let all = ids(store, &Caller::anonymous(), &query()).await;
    let expected: Vec<_> = (0..25).rev().map(|number| format!("t{number:02}")).collect();
    assert_eq!(all, expected);

    let mut walked = Vec::new();
    let mut start = PageStart::Offset(0);
    loop {
        let page =
            store.list(&Caller::anonymous(), &List { page_size: 4, start, ..query() }).await.expect("listed");
        assert_eq!(page.total, 25);
        walked.extend(page.tasks.iter().map(|task| task.id.to_string()));
        let Some(next) = page.next else { break };
        start = next;
    }
    assert_eq!(walked, expected);
    assert_eq!(walked.iter().collect::<HashSet<_>>().len(), 25);
    let skipped = List { page_size: 3, start: PageStart::Offset(23), ..query() };
    assert_eq!(ids(store, &Caller::anonymous(), &skipped).await, ["t01", "t00"]);
}

async fn filters_are_anded(store: &impl Store) {
    store.put_task(task("a", "c", TaskState::Working, at(1))).await.expect("kept");
    store.put_task(task("b", "c", TaskState::Completed, at(2))).await.expect("kept");
    store.put_task(task("d", "other", TaskState::Completed, at(3))).await.expect("kept");
    let me = Caller::anonymous();
    let context_id = Some(ContextId::from("c"));
    assert_eq!(ids(store, &me, &List { context_id: context_id.clone(), ..query() }).await, ["b", "a"]);
    assert_eq!(ids(store, &me, &List { state: Some(TaskState::Completed), ..query() }).await, ["d", "b"]);
    assert_eq!(ids(store, &me, &List { status_after: Some(at(2)), ..query() }).await, ["d", "b"]);
    let both = List { context_id, state: Some(TaskState::Completed), status_after: Some(at(2)), ..query() };
    assert_eq!(ids(store, &me, &both).await, ["b"]);
    let none = List { context_id: Some(ContextId::from("unknown")), ..query() };
    assert!(ids(store, &me, &none).await.is_empty());
}

async fn callers_are_apart(store: &impl Store) {
    let mut theirs = Task::clone(&task("a", "c", TaskState::Working, at(1)));
    theirs.caller = Caller::named("them");
    store.put_task(Arc::new(theirs)).await.expect("kept");
    assert!(ids(store, &Caller::anonymous(), &query()).await.is_empty());
    let context = List { context_id: Some(ContextId::from("c")), ..query() };
    assert!(ids(store, &Caller::anonymous(), &context).await.is_empty());
    assert_eq!(ids(store, &Caller::named("them"), &context).await, ["a"]);
}

async fn contexts_are_kept(store: &impl Store) {
    let key = ContextKey { caller: Caller::named("me"), id: ContextId::from("c") };
    assert_eq!(store.context(&key).await.expect("read"), None);
    for conversation in ["one", "two"] {
        let record = ContextRecord {
            conversation_id: Some(conversation.into()),
            user: "me".into(),
            inputs: serde_json::value::to_raw_value(&[conversation]).ok().map(Into::into),
            used_at: at(1),
        };
        store.put_context(key.clone(), record.clone()).await.expect("kept");
        assert_eq!(store.context(&key).await.expect("read"), Some(record));
    }
    let theirs = ContextKey { caller: Caller::named("them"), ..key };
    assert_eq!(store.context(&theirs).await.expect("read"), None);
}

async fn old_ones_are_swept(store: &impl Store) {
    let key = ContextKey { caller: Caller::anonymous(), id: ContextId::from("c") };
    let record = ContextRecord { conversation_id: None, user: "me".into(), inputs: None, used_at: at(0) };
    store.put_context(key.clone(), record).await.expect("kept");
    store.put_task(task("ended", "c", TaskState::Completed, at(0))).await.expect("kept");
    store.put_task(task("running", "c", TaskState::Working, at(0))).await.expect("kept");
    store.put_task(task("fresh", "c", TaskState::Failed, at(3000))).await.expect("kept");
    store.sweep(at(3601)).await.expect("swept");
    assert_eq!(ids(store, &Caller::anonymous(), &query()).await, ["fresh", "running"]);
    assert!(store.task(&TaskId::from("ended")).await.expect("read").is_none());
    assert_eq!(store.context(&key).await.expect("read"), None);
}

async fn the_oldest_ended_task_makes_room(store: &impl Store) {
    store.put_task(task("a", "c", TaskState::Completed, at(2))).await.expect("kept");
    store.put_task(task("b", "c", TaskState::Completed, at(1))).await.expect("kept");
    store.put_task(task("c", "c", TaskState::Working, at(3))).await.expect("kept");
    assert_eq!(ids(store, &Caller::anonymous(), &query()).await, ["c", "a"]);
    store.put_task(task("d", "c", TaskState::Working, at(4))).await.expect("kept");
    assert_eq!(store.put_task(task("e", "c", TaskState::Working, at(5))).await, Err(StoreError::Full));
    assert_eq!(ids(store, &Caller::anonymous(), &query()).await, ["d", "c"]);
}
