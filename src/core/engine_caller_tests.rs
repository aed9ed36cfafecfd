//! Callers and tenants: nothing of another's is found, by whatever operation.

use super::*;
use crate::core::state::TaskState;

/// What an operation says of a task that there is not, with that task's id taken out.
fn of_no_task<T: std::fmt::Debug>(answer: Result<T, Error>, id: &TaskId) -> String {
    let error = answer.expect_err("nobody else's");
    assert!(matches!(error, Error::TaskNotFound(_)), "{error:?}");
    error.to_string().replace(id.as_str(), "ID")
}

#[tokio::test]
async fn a03_g02_l01_l09_nothing_of_another_caller_is_found_by_any_operation() {
    let (engine, backend) = engine_with(limits());
    let (me, none) = (Caller::named("me"), TaskId::from("none"));
    let mut mine = Vec::new();
    for said in ["hello", "ask", "hold"] {
        let sent = engine.send(&me, say(Some("c"), said)).await.expect("accepted");
        let Sent::Log(log) = sent else { panic!("not a repeat") };
        if said == "hold" {
            until_working(&log).await
        } else {
            let _ = end_of_turn(&log).await;
        }
        mine.push(id_of(&log));
    }
    for eve in [Caller::named("eve"), Caller::anonymous(), me.clone().in_tenant("other")] {
        for id in &mine {
            let get =
                async |id: &TaskId| engine.get(&eve, &Get { id: id.clone(), history_length: None }).await;
            assert_eq!(of_no_task(get(id).await, id), of_no_task(get(&none).await, &none));
            let cancel = async |id: &TaskId| engine.cancel(&eve, &Cancel { id: id.clone() }).await;
            assert_eq!(of_no_task(cancel(id).await, id), of_no_task(cancel(&none).await, &none));
            let follow = async |id: &TaskId| {
                let followed = engine.subscribe(&eve, id, None, Closing::Mark).await;
                followed.map(|(task, _)| task)
            };
            assert_eq!(of_no_task(follow(id).await, id), of_no_task(follow(&none).await, &none));
            let tell = async |id: &TaskId| {
                let mut told = say(None, "more");
                told.message.task_id = Some(id.clone());
                engine.send(&eve, told).await.map(|_| ())
            };
            assert_eq!(of_no_task(tell(id).await, id), of_no_task(tell(&none).await, &none));
        }
        // Neither by the context nor from behind a task that she knows of.
        let starts = mine.iter().map(|id| PageStart::After { at: engine.now(), id: id.clone() });
        for start in starts.chain([PageStart::Offset(0)]) {
            for context_id in [None, Some(ContextId::from("c"))] {
                let query = List {
                    context_id,
                    state: None,
                    status_after: None,
                    page_size: 10,
                    start: start.clone(),
                    history_length: None,
                    include_artifacts: true,
                };
                let page = engine.list(&eve, &query).await.expect("listed");
                assert_eq!((page.tasks.len(), page.total, page.next), (0, 0, None));
            }
        }
    }
    // And all of it is still there for its owner, as it was.
    let mut states = Vec::new();
    for id in &mine {
        let task = engine.get(&me, &Get { id: id.clone(), history_length: None }).await.expect("there");
        states.push(task.status.state);
    }
    assert_eq!(states, [TaskState::Completed, TaskState::InputRequired, TaskState::Working]);
    assert_eq!(backend.turns.lock().expect("no panic").len(), 3);
    backend.release.notify_one();
}

/// Waits until the turn has ended or asks.
async fn end_of_turn(log: &Arc<TaskLog>) -> Task {
    let (_, mut reader) = log.follow(Until::Interrupted, Closing::Mark);
    reader.finish().await;
    log.snapshot()
}
