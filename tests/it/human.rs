//! People's forms: a run that waits, and its answer, as clients of 1.0 and 0.3 see it, before a Dify that follows
//! recorded traffic.

use serde_json::{Value, json};

use super::support::client::PATIENCE;
use super::support::human_dify::HumanDify;
use super::support::human_script::Script;
use super::support::walker::{WAYS, Walker, Way, check_secrets, check_submission};

#[tokio::test]
async fn a_workflow_is_approved_and_rejected() {
    for way in WAYS {
        for (action, comment, text, states) in [
            ("approve", "yes", "yes\napprove", ["yes", "\n", "approve"].as_slice()),
            ("reject", "no", "no", &["no"]),
        ] {
            let script = Script::workflow();
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            assert_eq!(asked.state, "input-required", "{way:?}");
            assert!(asked.question().starts_with("Please approve: third\n\nComment: [comment: looks fine]"));
            assert_eq!(asked.data().len(), 1);
            let waiting = walker.get(&asked).await;
            assert_eq!((&waiting.state, &waiting.asked), (&asked.state, &asked.asked), "{way:?}");
            let answer = walker.data_part(&json!({"action": action, "inputs": {"comment": comment}}));
            let done = walker.say(&answer, Some(&asked)).await;
            assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", text), "{way:?}");
            assert_eq!(done.task, asked.task, "the same task");
            if way.1 {
                assert_eq!(done.deltas, states, "{way:?}");
                assert_eq!(done.states, ["working", "completed"], "{way:?}");
            }
            let outputs = match action {
                "approve" => r#"{"comment":"yes","action":"approve"}"#,
                _ => r#"{"rejected":"no"}"#,
            };
            assert!(walker.seen.contains(&format!("\"data\":{outputs}")), "{way:?}: {}", walker.seen);
            check_submission(&human, &json!({"comment": comment}), action);
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_chatflow_is_approved_and_rejected_and_only_new_text_is_streamed() {
    for way in WAYS {
        for (action, said) in [("approve", "Approved with: "), ("reject", "Rejected with: ")] {
            let script = Script::chatflow();
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            assert_eq!(
                (asked.state.as_str(), asked.text.as_str()),
                ("input-required", "Before the question. ")
            );
            if way.1 {
                assert_eq!(asked.deltas, ["Before the question. "]);
            }
            let answer = walker.text_part(&format!("{action}: enjoy"));
            let done = walker.say(&answer, Some(&asked)).await;
            assert_eq!(done.state, "completed", "{way:?}");
            assert_eq!(done.text, format!("Before the question. {said}enjoy"), "{way:?}");
            if way.1 {
                assert_eq!(done.deltas, [said, "enjoy"], "{way:?}");
            }
            assert_eq!(walker.get(&asked).await.text, done.text, "{way:?}");
            check_submission(&human, &json!({"comment": "enjoy"}), action);
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn an_answer_may_be_a_text_or_data() {
    enum Said {
        Data(Value),
        Text(&'static str),
    }
    for way in [(Way::V1, false), (Way::V03, true)] {
        for (said, action, comment) in [
            (Said::Text("Approve"), "approve", "looks fine"),
            (Said::Text(" reject. "), "reject", "looks fine"),
            (Said::Text("Reject: too dear"), "reject", "too dear"),
            (Said::Text("approve:a: b"), "approve", "a: b"),
            (Said::Data(json!({"action": "approve"})), "approve", "looks fine"),
            (Said::Data(json!({"action": "reject", "inputs": {}})), "reject", "looks fine"),
            (
                Said::Data(json!({"action": "Approve", "inputs": {"comment": "ü\n"}, "form": 1})),
                "approve",
                "ü\n",
            ),
        ] {
            let human = HumanDify::of(Script::workflow()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            let parts = match said {
                Said::Data(data) => walker.data_part(&data),
                Said::Text(text) => walker.text_part(text),
            };
            assert_eq!(walker.say(&parts, Some(&asked)).await.state, "completed", "{parts}");
            check_submission(&human, &json!({"comment": comment}), action);
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_refused_and_the_task_stays_open() {
    let no_default = r#""default":null"#;
    let default = r#""default":{"type":"constant","selector":[],"value":"looks fine"}"#;
    for way in WAYS {
        let script = Script::workflow().with(&[(default, no_default)]);
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        assert_eq!(asked.data()[0].get("defaults"), None);
        for (data, field) in [
            (json!({"action": "explode", "inputs": {"comment": "x"}}), "message.parts[0].data.action"),
            (json!({"inputs": {"comment": "x"}}), "message.parts[0].data.action"),
            (json!({"action": "approve"}), "message.parts[0].data.inputs.comment"),
            (json!({"action": "approve", "inputs": {"comment": 7}}), "message.parts[0].data.inputs.comment"),
            (json!({"action": "approve", "inputs": []}), "message.parts[0].data.inputs"),
            (
                json!({"action": "approve", "inputs": {"comment": "x", "other": 1}}),
                "message.parts[0].data.inputs.other",
            ),
            (
                json!({"action": "approve", "inputs": {"comment": "x"}, "comment": "y"}),
                "message.parts[0].data.comment",
            ),
            (
                json!({"action": "approve", "inputs": {"comment": "x"}, "form": 2}),
                "message.parts[0].data.form",
            ),
        ] {
            let (code, why) = walker.refused(&walker.data_part(&data), &asked).await;
            assert_eq!(code, -32602, "{way:?} {data}: {why}");
            assert!(why.contains(field), "{way:?} {data}: {why}");
        }
        for text in ["hm", "Approve", "approve reject: x", "  "] {
            let (code, why) = walker.refused(&walker.text_part(text), &asked).await;
            assert_eq!(code, -32602, "{way:?} {text}: {why}");
            assert!(why.contains("message.parts"), "{way:?} {text}: {why}");
        }
        let waiting = walker.get(&asked).await;
        assert_eq!((waiting.state.as_str(), &waiting.asked), ("input-required", &asked.asked));
        assert!(human.submissions().is_empty() && human.all("GET", "/v1/workflow/").is_empty());
        let done = walker.say(&walker.text_part("approve: yes"), Some(&asked)).await;
        assert_eq!(done.state, "completed");
        check_submission(&human, &json!({"comment": "yes"}), "approve");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn of_several_forms_each_is_asked_for_until_it_is_answered() {
    for way in WAYS {
        let script = Script::with_two_forms();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        let titles: Vec<&Value> = asked.data().into_iter().map(|data| &data["title"]).collect();
        assert_eq!(titles, ["Approve it", "Check it twice"], "{way:?}");
        assert!(asked.question().contains("Form 1: ") && asked.question().contains("Form 2: "));
        let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
        assert!(code == -32602 && why.contains("several forms"), "{why}");
        let (code, why) = walker.refused(&walker.data_part(&json!({"action": "approve"})), &asked).await;
        assert!(code == -32602 && why.contains("data.form"), "{why}");

        let answer = walker.data_part(&json!({"action": "approve", "form": 1}));
        let again = walker.say(&answer, Some(&asked)).await;
        assert_eq!(again.state, "input-required", "{way:?}");
        let left: Vec<&Value> = again.data().into_iter().map(|data| &data["form"]).collect();
        assert_eq!(left, [2], "{way:?}: {again:?}");
        assert!(again.question().starts_with("Please approve"), "{}", again.question());

        let done = walker.say(&walker.text_part("Approve: yes"), Some(&again)).await;
        assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", "yes\napprove"), "{way:?}");
        let tokens: Vec<String> =
            human.submissions().iter().map(|it| it.path.replace("/v1/form/human_input/", "")).collect();
        assert_eq!(tokens, script.tokens, "{way:?}");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn an_answer_that_dify_does_not_take_is_asked_for_again() {
    for way in WAYS {
        let script = Script::chatflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        human.refuse_next();
        let again = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
        assert_eq!(again.state, "input-required", "{way:?}");
        assert!(
            again.question().starts_with("Dify did not take the answer: Missing required inputs: comment."),
            "{}",
            again.question()
        );
        assert_eq!(again.data(), asked.data(), "{way:?}");
        assert_eq!(again.text, "Before the question. ");
        let done = walker.say(&walker.text_part("approve: enjoy"), Some(&again)).await;
        assert_eq!(done.text, "Before the question. Approved with: enjoy", "{way:?}");
        assert_eq!(human.submissions().len(), 2);
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_cancel_while_it_waits_is_no_business_of_dify() {
    for way in [(Way::V1, true), (Way::V03, true)] {
        for script in [Script::workflow(), Script::chatflow()] {
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            let before = human.dify.received().len();
            let canceled = walker.cancel(&asked).await;
            assert_eq!(canceled.state, "canceled", "{way:?}");
            let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
            assert_eq!(code, -32004, "{way:?}: {why}");
            assert_eq!(walker.get(&asked).await.state, "canceled");
            assert_eq!(human.dify.received().len(), before, "{way:?}: nothing was asked of Dify");
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_cancel_after_the_answer_stops_the_run_where_it_belongs() {
    for way in [Way::V1, Way::V03] {
        for (mut script, stop, held) in [
            (Script::workflow(), "/v1/workflows/tasks/3cef3dd0-183e-4557-8c79-22aa554876ae/stop", 4),
            (Script::chatflow(), "/v1/chat-messages/015aef23-ed98-46ef-9788-519b4e51b07d/stop", 4),
        ] {
            script.holds_after = Some(held);
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, (way, false)).await;
            let asked = walker.begin().await;
            // The answer, without waiting for what comes of it.
            let mut params = walker.params(&walker.text_part("Approve"), Some(&asked));
            params["configuration"] = match way {
                Way::V1 => json!({"returnImmediately": true}),
                Way::V03 => json!({"blocking": false}),
            };
            walker.call(walker.method(), &params).await;
            let speaking = async {
                loop {
                    let now = walker.get(&asked).await;
                    if now.text.len() > asked.text.len() {
                        return now;
                    }
                }
            };
            let speaking = tokio::time::timeout(PATIENCE, speaking).await.expect("it goes on");
            assert_eq!(speaking.state, "working");
            let canceled = walker.cancel(&asked).await;
            assert_eq!((canceled.state.as_str(), &canceled.text), ("canceled", &speaking.text), "{way:?}");
            assert!(walker.seen.contains("\"stopConfirmed\":true"), "{way:?}");
            let stops = human.dify.stops();
            assert_eq!((stops.len(), stops[0].path.as_str()), (1, stop), "{way:?}");
            assert_eq!(stops[0].body, json!({"user": human.submissions()[0].user()}));
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_second_message_while_it_waits_is_a_task_of_its_own() {
    for way in WAYS {
        let script = Script::chatflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let first = walker.begin().await;
        let mut params = walker.params(&walker.text_part("are you there"), None);
        params["message"]["contextId"] = first.context.clone().into();
        let text = walker.call(walker.method(), &params).await;
        let second = if way.1 { walker.follow(&text) } else { Walker::task(&text) };
        assert_ne!(second.task, first.task);
        assert_eq!((second.state.as_str(), &second.context), ("input-required", &first.context), "{way:?}");
        let chats = human.dify.chats();
        let conversation = &script.secrets()[4];
        assert_eq!(
            chats[1].body["conversation_id"].as_str(),
            Some(conversation.as_str()),
            "one conversation"
        );
        // The first one waits as before, and can be answered.
        assert_eq!(walker.get(&first).await.state, "input-required");
        let done = walker.say(&walker.text_part("approve: enjoy"), Some(&first)).await;
        assert_eq!(done.text, "Before the question. Approved with: enjoy", "{way:?}");
        assert!(human.submissions()[0].path.ends_with(&script.tokens[0]));
        assert_eq!(walker.get(&second).await.state, "input-required", "{way:?}");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn u07_who_subscribes_sees_the_whole_walk_in_order() {
    for way in [Way::V1, Way::V03] {
        let script = Script::chatflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, (way, true)).await;
        let asked = walker.begin().await;
        let method = if way == Way::V1 { "SubscribeToTask" } else { "tasks/resubscribe" };
        let mut stream = walker.gateway.client.stream(method, &json!({"id": asked.task})).await;
        let first = stream.next().await.expect("the task as it is");
        human.refuse_next();
        let again = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
        walker.say(&walker.text_part("approve: enjoy"), Some(&again)).await;
        let mut events = vec![first];
        events.extend(stream.all().await);
        let text: String = events.iter().map(|event| format!("data: {}\n", event.data)).collect();
        walker.seen.push_str(&text);
        let heard = walker.follow(&text);
        assert_eq!(
            heard.states,
            ["input-required", "working", "input-required", "working", "completed"],
            "{way:?}"
        );
        assert_eq!(heard.deltas, ["Approved with: ", "enjoy"], "{way:?}");
        assert_eq!(heard.text, "Before the question. Approved with: enjoy", "{way:?}");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn of_two_answers_at_once_one_counts() {
    let script = Script::chatflow();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::before(&human, (Way::V1, false)).await;
    let asked = walker.begin().await;
    let answers = ["Approve", "Reject"].map(|text| {
        let params = walker.params(&walker.text_part(text), Some(&asked));
        let client = walker.gateway.client.clone();
        async move { client.rpc("SendMessage", &params).await }
    });
    let answers = futures_util::future::join_all(answers).await;
    let codes: Vec<Option<i64>> = answers.iter().map(|answer| answer["error"]["code"].as_i64()).collect();
    assert!(codes == [None, Some(-32004)] || codes == [Some(-32004), None], "{answers:?}");
    assert_eq!(human.submissions().len(), 1);
    assert_eq!(walker.get(&asked).await.state, "completed");
    check_secrets(&script, &walker);
}
