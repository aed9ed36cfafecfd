//! Tasks that ask their callers: answers, refusals, races, and what goes on meanwhile.

use super::*;

async fn wait_for(log: &Arc<TaskLog>) -> Task {
    let (_, mut reader) = log.follow(Until::Interrupted, Closing::Mark);
    reader.finish().await;
    log.snapshot()
}

fn answer(task: &Task, text: &str) -> Send {
    let mut command = say(None, text);
    command.message.task_id = Some(task.id.clone());
    command
}

#[tokio::test]
async fn a_task_that_asks_goes_on_with_its_answer_as_often_as_it_asks() {
    let (engine, backend) = engine_with(limits());
    let log = begin(&engine, say(Some("c"), "ask")).await;
    let asked = wait_for(&log).await;
    assert_eq!(asked.status.state, TaskState::InputRequired);
    let stored = engine.0.store.task(&asked.id).await.expect("read").expect("kept");
    assert_eq!(stored.status.state, TaskState::InputRequired, "a store must know before a client does");
    for text in ["again", "fine"] {
        let (before, mut reader) = log.follow(Until::End, Closing::Mark);
        assert_eq!(before.status.state, TaskState::InputRequired);
        let resumed = begin(&engine, answer(&asked, text)).await;
        assert!(Arc::ptr_eq(&log, &resumed));
        assert_ne!(
            resumed.present().state,
            TaskState::InputRequired,
            "a reader from now on must not stop at once"
        );
        wait_for(&resumed).await;
        let mut batch = Batch::default();
        reader.take(&mut batch);
        let first = batch.events().next();
        assert!(
            matches!(first, Some((_, LogEvent::Status { status, .. })) if status.state == TaskState::Working)
        );
    }
    let done = log.snapshot();
    assert_eq!(done.status.state, TaskState::Completed);
    assert_eq!(done.answer(), Some("You said: 10 again18 fine"));
    let said: Vec<_> = done.history.iter().filter_map(|message| message.parts[0].as_text()).collect();
    assert_eq!(said, ["ask", "Well?", "again", "Well?", "fine"]);
    assert!(done.history.iter().all(|message| message.task_id.as_ref() == Some(&done.id)));
    assert_eq!(backend.running.load(Ordering::SeqCst), 0);
    assert_eq!(engine.running(), 0);
}

#[tokio::test]
async fn an_answer_that_is_none_changes_nothing_and_of_two_the_first_counts() {
    let (engine, _) = engine_with(limits());
    let me = Caller::anonymous();
    let log = begin(&engine, say(Some("c"), "ask")).await;
    let asked = wait_for(&log).await;
    let refused = engine.send(&me, answer(&asked, "what?")).await;
    assert!(matches!(refused, Err(Error::InvalidParams(_))), "{refused:?}");
    assert_eq!(log.snapshot().history.len(), 1);
    let mut elsewhere = answer(&asked, "fine");
    elsewhere.message.context_id = Some("d".into());
    assert!(matches!(engine.send(&me, elsewhere).await, Err(Error::InvalidParams(_))));
    let stranger = engine.send(&Caller::named("eve"), answer(&asked, "fine")).await;
    assert!(matches!(stranger, Err(Error::TaskNotFound(_))));
    let (first, second) = (answer(&asked, "fine"), answer(&asked, "no"));
    let (first, second) = tokio::join!(engine.send(&me, first), engine.send(&me, second));
    assert!(first.is_ok());
    assert!(matches!(second, Err(Error::UnsupportedOperation(_))), "{second:?}");
    assert_eq!(end_of(&log).await.answer(), Some("You said: 10 fine"));
}

#[tokio::test]
async fn a_repeated_answer_finds_its_task() {
    let (engine, _) = engine_with(limits());
    let log = begin(&engine, say(Some("c"), "ask")).await;
    let asked = wait_for(&log).await;
    let command = answer(&asked, "fine");
    let first = begin(&engine, command.clone()).await;
    let second = begin(&engine, command).await;
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(end_of(&log).await.history.len(), 3, "what was said, the question, one answer");
}

#[tokio::test]
async fn other_turns_of_the_context_go_on_while_one_waits() {
    let (engine, _) = engine_with(Limits { max_concurrent_turns: 1, ..limits() });
    let log = begin(&engine, say(Some("c"), "ask")).await;
    wait_for(&log).await;
    let other = begin(&engine, say(Some("c"), "hi")).await;
    assert_eq!(end_of(&other).await.answer(), Some("You said: hi"));
    assert_eq!(log.present().state, TaskState::InputRequired);
}

#[tokio::test]
async fn a_task_that_waits_can_be_cancelled_and_can_go_on_by_itself() {
    let (engine, backend) = engine_with(limits());
    let log = begin(&engine, say(Some("c"), "ask")).await;
    let asked = wait_for(&log).await;
    let cancelled =
        engine.cancel(&Caller::anonymous(), &Cancel { id: asked.id.clone() }).await.expect("stopped");
    assert_eq!(cancelled.status.state, TaskState::Canceled);
    let said: Vec<_> = cancelled.history.iter().filter_map(|message| message.parts[0].as_text()).collect();
    assert_eq!(said, ["ask", "Well?"], "the question is not lost");
    assert_eq!(cancelled.facts.stop_confirmed, Some(false), "what waits at the backend goes on waiting");
    let stored = engine.0.store.task(&asked.id).await.expect("read").expect("kept");
    assert_eq!(stored.history.len(), 2);
    let late = engine.send(&Caller::anonymous(), answer(&asked, "fine")).await;
    assert!(matches!(late, Err(Error::UnsupportedOperation(_))), "{late:?}");

    let log = begin(&engine, say(Some("d"), "ask")).await;
    wait_for(&log).await;
    backend.moved.notify_one();
    assert_eq!(end_of(&log).await.answer(), Some("You said: 10 moved"));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_callers_who_have_not_answered() {
    let (engine, _) = engine_with(limits());
    let log = begin(&engine, say(Some("c"), "ask")).await;
    wait_for(&log).await;
    engine.drain(std::future::pending()).await;
    let end = log.snapshot();
    assert_eq!(end.status.failure().map(|failure| failure.code.as_ref()), Some("gateway_shutdown"));
}
