//! One context is one Dify conversation, turns run in order, and nothing mixes.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::support::client::send;
use super::support::dify_frames::{answer, conversation_of};
use super::support::{FakeDify, Gateway, Reply};

fn text_of(task: &serde_json::Value) -> &str {
    task["artifacts"][0]["parts"][0]["text"].as_str().unwrap_or_else(|| panic!("no answer in {task}"))
}

#[tokio::test]
async fn x07_a_second_turn_goes_on_with_the_same_conversation_and_user() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let first = gateway.client.send("one", None).await;
    let context = first["contextId"].as_str().expect("made by the gateway");
    let second = gateway.client.send("two", Some(context)).await;
    assert_eq!((text_of(&first), text_of(&second)), ("You said: one", "You said: two"));
    assert_eq!(second["contextId"], context);
    let chats = dify.chats();
    assert_eq!(chats[0].body.get("conversation_id").and_then(|id| id.as_str()).unwrap_or(""), "");
    assert_eq!(chats[1].body["conversation_id"], conversation_of(&chats[0]).as_str());
    assert_eq!((chats[0].user(), chats[1].user()), (context, context));
    for chat in &chats {
        assert_eq!(chat.body["response_mode"], "streaming");
        assert_eq!(chat.body["auto_generate_name"], false);
        assert_eq!(chat.body["inputs"], serde_json::json!({}));
    }
}

#[tokio::test]
async fn x03_the_clients_own_context_is_kept_exactly() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    for context in ["session-user-alice", "ünïcödé \u{1F980}", "a/b:c?d#e"] {
        let task = gateway.client.send("hi", Some(context)).await;
        assert_eq!(task["contextId"], context);
    }
}

#[tokio::test]
async fn two_hundred_contexts_at_once_never_mix() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let turns = (0..200).map(|number| {
        let client = gateway.client.clone();
        async move {
            let context = format!("context-{number}");
            for turn in 0..2 {
                let text = format!("turn {turn} of {number}");
                let task = client.send(&text, Some(&context)).await;
                assert_eq!(text_of(&task), format!("You said: {text}"));
                assert_eq!(task["contextId"], context.as_str());
            }
        }
    });
    join_all(turns).await;
    let mut conversations: HashMap<String, Vec<String>> = HashMap::new();
    for chat in dify.chats() {
        conversations.entry(conversation_of(&chat)).or_default().push(chat.said().to_owned());
    }
    assert_eq!(conversations.len(), 200);
    for said in conversations.values() {
        let numbers: Vec<_> = said.iter().filter_map(|text| text.rsplit(' ').next()).collect();
        assert_eq!(numbers.len(), 2);
        assert_eq!(numbers[0], numbers[1], "{said:?}");
    }
}

#[tokio::test]
async fn two_hundred_turns_of_one_context_use_one_conversation_one_at_a_time() {
    let running = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counting = std::sync::Arc::clone(&running);
    let dify = FakeDify::chat(move |received| {
        counting.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::bytes(answer(received, "t", &["You said: ", received.said()]))
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let turns = (0..200).map(|number| {
        let client = gateway.client.clone();
        async move {
            let text = format!("turn {number}");
            let task = client.send(&text, Some("c")).await;
            assert_eq!(text_of(&task), format!("You said: {text}"));
        }
    });
    join_all(turns).await;
    let chats = dify.chats();
    assert_eq!(chats.len(), 200);
    let begun = chats.iter().filter(|chat| chat.body["conversation_id"].as_str().unwrap_or("").is_empty());
    assert_eq!(begun.count(), 1, "only the first turn begins a conversation");
}

#[tokio::test]
async fn five_concurrent_calls_get_five_answers() {
    let dify = FakeDify::echo().await;
    let gateway = Gateway::before(&dify, &[]).await;
    let calls = (0..5).map(|number| {
        let client = gateway.client.clone();
        async move { text_of(&client.send(&number.to_string(), None).await).to_owned() }
    });
    let answers = join_all(calls).await;
    assert_eq!(answers, ["You said: 0", "You said: 1", "You said: 2", "You said: 3", "You said: 4"]);
}

#[tokio::test]
async fn turns_of_one_context_run_in_order_of_arrival() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let held = std::sync::Arc::clone(&gate);
    let dify = FakeDify::chat(move |received| {
        use super::support::Step;
        let bytes = answer(received, "t", &[received.said()]);
        if received.said() == "first" {
            Reply::stream(vec![Step::Wait(std::sync::Arc::clone(&held)), Step::Send(bytes)])
        } else {
            Reply::bytes(bytes)
        }
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let mut ids = Vec::new();
    for text in ["first", "second", "third"] {
        let mut params = send(text, Some("c"));
        params["configuration"] = serde_json::json!({"returnImmediately": true});
        let task = gateway.client.result("SendMessage", &params).await["task"].clone();
        assert_ne!(task["status"]["state"], "TASK_STATE_COMPLETED");
        ids.push(task["id"].as_str().expect("an id").to_owned());
    }
    let waiting = gateway.client.task(&ids[1]).await;
    assert_eq!(waiting["status"]["state"], "TASK_STATE_SUBMITTED");
    gate.notify_one();
    for id in &ids {
        gateway.client.until(id, "TASK_STATE_COMPLETED").await;
    }
    let said: Vec<_> = dify.chats().iter().map(|chat| chat.said().to_owned()).collect();
    assert_eq!(said, ["first", "second", "third"]);
}

#[tokio::test]
async fn a_lost_conversation_is_begun_anew_and_says_so() {
    let dify = FakeDify::chat(|received| {
        if received.body["conversation_id"] == "conv-c" {
            return Reply::error(404, "not_found", "Conversation Not Exists. You have requested this URI [/v1/chat-messages] but did you mean /v1/chat-messages ?");
        }
        Reply::bytes(answer(received, "t", &["hello"]))
    })
    .await;
    let gateway = Gateway::before(&dify, &[]).await;
    let first = gateway.client.send("one", Some("c")).await;
    assert!(!first.to_string().contains("conversationRestarted"), "{first}");
    let second = gateway.client.send("two", Some("c")).await;
    assert_eq!(
        (second["status"]["state"].as_str(), text_of(&second)),
        (Some("TASK_STATE_COMPLETED"), "hello")
    );
    assert!(second.to_string().contains("\"conversationRestarted\":true"), "{second}");
    assert_eq!(dify.chats().len(), 3);
    assert!(!second.to_string().contains("conv-c"), "the conversation id stays inside");
}
