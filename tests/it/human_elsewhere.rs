//! People's forms when things go otherwise: answered elsewhere or by nobody, without a token, a run that cannot be joined,
//! a gateway that ends.

use dify_a2a::bridge::backend::Limits;
use serde_json::json;

use super::support::client::PATIENCE;
use super::support::human_dify::{HumanDify, Trouble};
use super::support::human_script::{Script, edited, frames};
use super::support::walker::{WAYS, Walker, Way, check_secrets, eager};

#[tokio::test]
async fn a_form_that_is_answered_elsewhere_lets_the_task_go_on_by_itself() {
    for way in [(Way::V1, true), (Way::V03, true)] {
        for (script, text) in [
            (Script::workflow(), "yes\napprove"),
            (Script::chatflow(), "Before the question. Approved with: enjoy"),
        ] {
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::with(&human, way, eager()).await;
            let asked = walker.begin().await;
            human.answer_elsewhere("approve");
            let done = walker.subscribe(&asked).await;
            assert_eq!(done.state, "completed", "{way:?}");
            if script.mode == "workflow" {
                // Nobody read the run when it spoke, and what it said is not told again; its outputs are.
                assert!(walker.seen.contains(r#""data":{"comment":"yes","action":"approve"}"#));
            } else {
                assert_eq!(done.text, text, "{way:?}");
            }
            assert!(human.submissions().is_empty() && human.dify.stops().is_empty());
            assert!(!human.all("GET", "/v1/form/human_input/").is_empty(), "it was looked at");
            let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
            assert_eq!(code, -32004, "{why}");
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn the_rest_of_several_forms_is_asked_for_when_one_is_answered_elsewhere() {
    let script = Script::with_two_forms();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::with(&human, (Way::V1, false), eager()).await;
    let asked = walker.begin().await;
    human.answer_elsewhere("approve");
    let waiting = async {
        loop {
            let now = walker.get(&asked).await;
            if now.state == "input-required" && now.data().len() == 1 {
                return now;
            }
        }
    };
    let again = tokio::time::timeout(PATIENCE, waiting).await.expect("asked again");
    assert_eq!(again.data()[0]["form"], 2);
    let done = walker.say(&walker.text_part("Approve: yes"), Some(&again)).await;
    assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", "yes\napprove"));
    assert_eq!(human.submissions().len(), 1);
    check_secrets(&script, &walker);
}

#[tokio::test]
async fn an_answer_that_comes_a_moment_late_loses_and_the_task_goes_on() {
    for way in WAYS {
        for (script, text) in [
            (Script::workflow(), "yes\napprove"),
            (Script::chatflow(), "Before the question. Approved with: enjoy"),
        ] {
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            human.steal_next();
            let done = walker.say(&walker.text_part("Reject"), Some(&asked)).await;
            assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", text), "{way:?}");
            assert_eq!(human.submissions().len(), 1);
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn an_answer_after_the_run_has_ended_is_not_handed_in() {
    for way in WAYS {
        let mut script = Script::chatflow();
        // What the run's end tells is the text before moderation.
        script.approved = edited(
            &script.approved,
            &[(
                "Before the question. Approved with: enjoy",
                "Before the question. Approved with: [a secret]",
            )],
        );
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        human.answer_elsewhere("approve");
        let done = walker.say(&walker.text_part("Reject"), Some(&asked)).await;
        // The text is what Dify has stored, and only its rest is new.
        assert_eq!(
            (done.state.as_str(), done.text.as_str()),
            ("completed", "Before the question. Approved with: enjoy"),
            "{way:?}"
        );
        if way.1 {
            assert_eq!(done.deltas, ["Approved with: enjoy"]);
        }
        assert!(human.submissions().is_empty());
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_form_whose_time_is_over_lets_the_run_take_its_way() {
    for (script, text) in [(Script::workflow(), ""), (Script::chatflow(), "Before the question. ")] {
        // Looked at, and by an answer that comes too late.
        for is_late in [false, true] {
            let human = HumanDify::of(script.clone()).await;
            let limits = if is_late { Limits::default() } else { eager() };
            let mut walker = Walker::with(&human, (Way::V1, true), limits).await;
            let asked = walker.begin().await;
            human.expire();
            let done = match is_late {
                true => walker.say(&walker.text_part("Approve"), Some(&asked)).await,
                false => walker.subscribe(&asked).await,
            };
            assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", text));
            assert!(human.submissions().is_empty());
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_form_that_expires_while_its_answer_is_handed_in_is_no_trouble() {
    for way in WAYS {
        let script = Script::workflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        human.expire_next();
        let done = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
        assert_eq!((done.state.as_str(), done.text.as_str()), ("completed", ""), "{way:?}");
        assert!(walker.seen.contains(r#""data":{}"#), "its outputs are empty");
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_form_that_was_closed_while_its_run_stands_still_is_asked_for_again_with_the_reason() {
    for (is_expired, reason) in [
        (false, "The form was already answered elsewhere; the run has not gone on yet."),
        (true, "The form has expired; the run has not gone on yet."),
    ] {
        for way in WAYS {
            let mut script = Script::workflow();
            script.holds_after = Some(0);
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::with(&human, way, eager()).await;
            let asked = walker.begin().await;
            match is_expired {
                true => human.expire_next(),
                false => human.steal_next(),
            }
            let answer = walker.text_part("Reject");
            let saying = walker.say(&answer, Some(&asked));
            let again = tokio::time::timeout(PATIENCE, saying).await.expect("it does not wait for ever");
            assert_eq!(again.state, "input-required", "{way:?}");
            assert!(again.question().starts_with(reason), "{way:?}: {}", again.question());
            assert_eq!(human.submissions().len(), 1);
            human.release();
            let ending = async { while walker.get(&again).await.state != "completed" {} };
            tokio::time::timeout(PATIENCE, ending).await.expect("it goes on by itself");
            assert!(human.dify.stops().is_empty());
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn of_two_forms_the_one_that_was_closed_is_not_asked_for_again() {
    let mut script = Script::with_two_forms();
    script.holds_after = Some(0);
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::before(&human, (Way::V1, true)).await;
    let asked = walker.begin().await;
    human.steal_next();
    let again = walker.say(&walker.data_part(&json!({"action": "reject", "form": 1})), Some(&asked)).await;
    assert_eq!((again.state.as_str(), again.data().len()), ("input-required", 1));
    assert_eq!(again.data()[0]["form"], 2);
    assert!(again.question().starts_with("The form was already answered elsewhere;"), "{}", again.question());
    check_secrets(&script, &walker);
}

#[tokio::test]
async fn a_form_that_dify_no_longer_has_fails_the_task() {
    for way in WAYS {
        let script = Script::workflow();
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::before(&human, way).await;
        let asked = walker.begin().await;
        human.forget_next();
        let answer = walker.text_part("Approve");
        let saying = walker.say(&answer, Some(&asked));
        let done = tokio::time::timeout(PATIENCE, saying).await.expect("it does not wait for ever");
        assert_eq!(done.state, "failed", "{way:?}");
        assert!(walker.seen.contains(r#""code":"form_not_found""#), "{way:?}: {}", walker.seen);
        assert!(human.dify.stops().is_empty());
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn a_form_without_a_token_waits_for_somebody_else() {
    for way in [(Way::V1, true), (Way::V03, true)] {
        let recorded = Script::chatflow();
        let token = format!("\"form_token\":\"{}\"", recorded.tokens[0]);
        let script = recorded.with(&[(&token, "\"form_token\":null")]);
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::with(&human, way, eager()).await;
        let asked = walker.begin().await;
        assert_eq!((asked.state.as_str(), asked.data().len()), ("input-required", 0), "{way:?}");
        assert!(asked.question().contains("outside of this channel"), "{}", asked.question());
        let (code, why) = walker.refused(&walker.text_part("Approve"), &asked).await;
        assert_eq!(code, -32004, "{way:?}: {why}");
        assert!(why.contains("outside of this channel") && why.contains("goes on by itself"), "{why}");
        assert_eq!(walker.get(&asked).await.state, "input-required");
        human.answer_elsewhere("approve");
        let done = walker.subscribe(&asked).await;
        assert_eq!(
            (done.state.as_str(), done.text.as_str()),
            ("completed", "Before the question. Approved with: enjoy"),
            "{way:?}"
        );
        assert!(human.submissions().is_empty());
        check_secrets(&script, &walker);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_handed_in_is_asked_for_again() {
    for trouble in [Trouble::BadGateway, Trouble::Silent, Trouble::Ends] {
        for way in [(Way::V1, true), (Way::V03, false)] {
            let script = Script::chatflow();
            let human = HumanDify::of(script.clone()).await;
            let mut walker = Walker::before(&human, way).await;
            let asked = walker.begin().await;
            human.trouble_next(trouble);
            let again = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
            assert_eq!(again.state, "input-required", "{trouble:?}");
            let why = again.question().lines().next().unwrap_or_default().to_owned();
            assert!(
                why.contains("could not be handed in") && why.contains("send it again"),
                "{trouble:?}: {why}"
            );
            assert!(human.submissions().is_empty(), "{trouble:?}");
            let done = walker.say(&walker.text_part("approve: enjoy"), Some(&again)).await;
            assert_eq!(done.text, "Before the question. Approved with: enjoy", "{trouble:?}");
            check_secrets(&script, &walker);
        }
    }
}

#[tokio::test]
async fn a_run_that_dify_no_longer_has_fails() {
    let script = Script::workflow();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::before(&human, (Way::V1, true)).await;
    let asked = walker.begin().await;
    human.trouble_next(Trouble::Gone);
    let done = walker.say(&walker.text_part("Approve"), Some(&asked)).await;
    assert_eq!(done.state, "failed");
    assert!(human.submissions().is_empty() && human.dify.stops().is_empty());
    check_secrets(&script, &walker);
}

#[tokio::test]
async fn a_run_that_goes_on_slowly_after_another_answered_is_heard_as_it_speaks() {
    let mut script = Script::chatflow();
    script.holds_after = Some(0);
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::with(&human, (Way::V1, true), eager()).await;
    let asked = walker.begin().await;
    human.answer_elsewhere("reject");
    let joined = async {
        while human.all("GET", "/v1/workflow/").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, joined).await.expect("joined");
    let mut stream = walker.gateway.client.stream("SubscribeToTask", &json!({"id": asked.task})).await;
    let mut events = vec![stream.next().await.expect("the task")];
    human.release();
    events.extend(stream.all().await);
    let text: String = events.iter().map(|event| format!("data: {}\n", event.data)).collect();
    walker.seen.push_str(&text);
    let heard = walker.follow(&text);
    assert_eq!(heard.state, "completed");
    assert_eq!(heard.text, "Before the question. Rejected with: enjoy");
    assert_eq!(heard.deltas, ["Rejected with: ", "enjoy"]);
    assert!(human.submissions().is_empty());
    check_secrets(&script, &walker);
}

#[tokio::test]
async fn a_shutdown_while_it_waits_ends_the_task_and_leaves_the_run_alone() {
    let script = Script::workflow();
    let human = HumanDify::of(script.clone()).await;
    let mut walker = Walker::before(&human, (Way::V1, true)).await;
    let asked = walker.begin().await;
    let stream = walker.gateway.client.stream("SubscribeToTask", &json!({"id": asked.task})).await;
    let before = human.dify.received().len();
    walker.gateway.begin_shutdown();
    let events = stream.all().await;
    let text: String = events.iter().map(|event| format!("data: {}\n", event.data)).collect();
    let heard = walker.follow(&text);
    assert_eq!(heard.state, "failed");
    assert!(text.contains("\"retryable\":true"), "{text}");
    assert_eq!(human.dify.received().len(), before, "nothing was asked of Dify");
}

#[tokio::test]
async fn a_run_whose_stream_breaks_off_after_the_answer_is_joined_again() {
    for says_more_first in [true, false] {
        let mut script = Script::chatflow();
        let approved = std::str::from_utf8(&script.approved).expect("UTF-8");
        let first = frames(approved).iter().position(|frame| frame.contains("\"event\":\"message\""));
        script.holds_after = Some(first.expect("a message") + 1);
        let human = HumanDify::of(script.clone()).await;
        let mut walker = Walker::with(&human, (Way::V1, true), eager()).await;
        let asked = walker.begin().await;
        let decision = walker.data_part(&json!({"action": "approve", "inputs": {"comment": "enjoy"}}));
        let params = walker.params(&decision, Some(&asked));
        let mut stream = walker.gateway.client.stream("SendStreamingMessage", &params).await;
        let mut events = vec![stream.next().await.expect("the task")];
        let spoke = async { while !walker.get(&asked).await.text.contains("Approved with: ") {} };
        tokio::time::timeout(PATIENCE, spoke).await.expect("it goes on");
        let joins = human.all("GET", "/v1/workflow/").len();
        if says_more_first {
            // The run ends while nobody reads.
            human.hang_up();
            human.release();
        } else {
            human.hang_up();
            let joined = async {
                while human.all("GET", "/v1/workflow/").len() == joins {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(PATIENCE, joined).await.expect("joined again");
            human.release();
        }
        events.extend(stream.all().await);
        let text: String = events.iter().map(|event| format!("data: {}\n", event.data)).collect();
        let heard = walker.follow(&text);
        assert_eq!(heard.state, "completed", "{text}");
        assert_eq!(heard.text, "Before the question. Approved with: enjoy", "{says_more_first}");
        assert_eq!(heard.deltas, ["Approved with: ", "enjoy"], "{says_more_first}");
        assert_eq!(human.submissions().len(), 1);
    }
}
