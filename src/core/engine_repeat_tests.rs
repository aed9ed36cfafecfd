//! Sends that are repeated, and what is remembered although the store has forgotten it.

use super::*;

#[tokio::test]
async fn a_repeated_send_gets_the_task_that_it_began() {
    let (engine, backend) = engine_with(limits());
    let command = say(None, "hello");
    let first = begin(&engine, command.clone()).await;
    let second = begin(&engine, command.clone()).await;
    assert_eq!(id_of(&first), id_of(&second));
    end_of(&first).await;
    let third = begin(&engine, command).await;
    assert_eq!(id_of(&first), id_of(&third));
    assert_eq!(backend.turns.lock().expect("no panic").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_of_a_send_whose_task_is_forgotten_begins_anew() {
    let (engine, backend) = engine_with(limits());
    let command = say(None, "hello");
    let first = begin(&engine, command.clone()).await;
    end_of(&first).await;
    tokio::time::sleep(LINGER + SWEEP_EVERY).await;
    let long_after = engine.now() + Duration::from_secs(7200);
    engine.0.store.sweep(long_after).await.expect("swept");
    let second = begin(&engine, command).await;
    assert_ne!(id_of(&first), id_of(&second));
    assert_eq!(end_of(&second).await.status.state, TaskState::Completed);
    assert_eq!(backend.turns.lock().expect("no panic").len(), 2);
}

#[tokio::test]
async fn a_repeat_is_known_even_when_nothing_else_can_begin() {
    let (engine, backend) = engine_with(Limits { max_concurrent_turns: 1, ..limits() });
    let command = say(None, "hold");
    let first = begin(&engine, command.clone()).await;
    let second = begin(&engine, command).await;
    assert_eq!(id_of(&first), id_of(&second));
    until_working(&first).await;
    backend.release.notify_one();
    end_of(&first).await;
}

#[tokio::test]
async fn a_context_in_use_outlives_its_record() {
    let (engine, backend) = engine_with(limits());
    let first = begin(&engine, say(Some("c"), "hold")).await;
    let second = begin(&engine, say(Some("c"), "hello")).await;
    until_working(&first).await;
    let long_after = engine.now() + Duration::from_secs(7200);
    engine.0.store.sweep(long_after).await.expect("swept");
    backend.release.notify_one();
    end_of(&second).await;
    let turns = backend.turns.lock().expect("no panic");
    assert_eq!(turns[1].conversation_id.as_deref(), Some("c"));
}

#[tokio::test]
async fn x09_an_expired_context_is_a_new_one_of_that_name_as_the_settings_say() {
    let (engine, backend) = engine_with(limits());
    for (said, conversation) in [("one", None), ("two", Some("c")), ("long after", None)] {
        if said == "long after" {
            while engine.running() > 0 {
                tokio::task::yield_now().await;
            }
            let long_after = engine.now() + Duration::from_secs(7200);
            engine.0.store.sweep(long_after).await.expect("swept");
        }
        let task = end_of(&begin(&engine, say(Some("c"), said)).await).await;
        assert_eq!((task.status.state, task.context_id.as_str()), (TaskState::Completed, "c"), "{said}");
        let turns = backend.turns.lock().expect("no panic");
        assert_eq!(turns.last().expect("a turn").conversation_id.as_deref(), conversation, "{said}");
    }
    let settings = include_str!("../../config/default.toml");
    let (_, told) = settings.split_once("idle contexts are kept").expect("documented");
    assert!(told.lines().next().is_some_and(|line| line.ends_with("TASK_TTL")), "{told:.80}");
}
