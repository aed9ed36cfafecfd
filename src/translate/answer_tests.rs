//! Answers to questions for inputs and to forms; and what is kept of a turn between question and answer.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::core::ids::MessageId;
use crate::core::message::{Part, Role};
use crate::dify::human::HumanForm;
use crate::translate::ask::Numbered;
use crate::translate::memo::Memo;

fn raw(value: &serde_json::Value) -> Json {
    RawValue::from_string(value.to_string()).unwrap().into()
}

fn data(value: serde_json::Value) -> Part {
    Part::data(raw(&value))
}

fn message(parts: Vec<Part>) -> Message {
    Message {
        id: MessageId::from("m"),
        role: Role::User,
        parts,
        context_id: None,
        task_id: None,
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    }
}

fn says(text: &str) -> Message {
    message(vec![Part::text(text)])
}

/// A form with a token, actions and paragraphs, as Dify tells of it.
fn form(number: u32, actions: &[&str], fields: &[&str]) -> Numbered {
    let actions: Vec<_> = actions.iter().map(|id| json!({"id": id, "title": id.to_uppercase()})).collect();
    let fields: Vec<_> =
        fields.iter().map(|name| json!({"output_variable_name": name, "type": "paragraph"})).collect();
    let form = json!({
        "form_id": format!("form-{number}"), "node_id": "n", "node_title": "Review", "form_content": "Well?",
        "inputs": fields, "actions": actions, "form_token": format!("token-{number}"), "display_in_ui": true
    });
    Numbered { number, form: serde_json::from_str::<HumanForm>(&form.to_string()).unwrap() }
}

fn by_mail(mut numbered: Numbered) -> Numbered {
    numbered.form.form_token = None;
    numbered
}

fn run(forms: Vec<Numbered>) -> PausedRun {
    PausedRun {
        run_id: "run-secret".to_owned(),
        task_id: Some("t".to_owned()),
        conversation_id: Some("conversation-secret".to_owned()),
        message_id: None,
        counts: crate::translate::from_dify::Counts::default(),
        last_number: forms.iter().map(|form| form.number).max().unwrap_or_default(),
        forms,
    }
}

/// The place of the form, the action and the values that a message gives.
fn taken(run: &PausedRun, message: &Message) -> (usize, String) {
    let (index, answer) = to_form(run, message).unwrap_or_else(|error| panic!("{error}"));
    (index, serde_json::to_string(&answer).unwrap())
}

/// The fields that are wrong.
fn wrong(run: &PausedRun, message: &Message) -> Vec<String> {
    match to_form(run, message) {
        Err(Error::InvalidParams(violations)) => violations.into_iter().map(|it| it.field).collect(),
        other => panic!("{other:?}"),
    }
}

fn missing(names: &[&str]) -> MissingInputs {
    MissingInputs {
        missing: names.iter().map(|name| (*name).to_owned()).collect(),
        ..MissingInputs::default()
    }
}

#[test]
fn a_text_gives_the_one_input_that_is_missing() {
    let one = missing(&["topic"]);
    let given = ("topic".to_owned(), "dogs and cats".to_owned());
    assert_eq!(to_inputs(&one, &says(" dogs and cats\n")).unwrap(), Some(given));
    // Words that come with data are for people.
    let both = message(vec![Part::text("Here:"), data(json!({"topic": "dogs"}))]);
    assert_eq!(to_inputs(&one, &both).unwrap(), None);
    let mut in_metadata = says("Here:");
    in_metadata.metadata = Some(raw(&json!({"inputs": {"topic": "dogs"}})));
    assert_eq!(to_inputs(&one, &in_metadata).unwrap(), None);
    assert_eq!(to_inputs(&missing(&["a", "b"]), &message(vec![data(json!({}))])).unwrap(), None);
}

#[test]
fn a_text_that_could_be_for_several_inputs_or_says_nothing_is_refused() {
    let several = to_inputs(&missing(&["topic", "tone"]), &says("dogs"));
    assert!(matches!(&several, Err(Error::InvalidParams(_))), "{several:?}");
    assert!(several.unwrap_err().to_string().contains("topic, tone"));
    for nothing in ["", " \n", "\0"] {
        assert!(matches!(to_inputs(&missing(&["topic"]), &says(nothing)), Err(Error::InvalidParams(_))));
    }
}

#[test]
fn data_names_the_action_and_the_fields() {
    let run = run(vec![form(1, &["approve", "reject"], &["comment"])]);
    for (answer, expected) in [
        (
            json!({"action": "approve", "inputs": {"comment": "fine"}}),
            r#"{"action":"approve","inputs":{"comment":"fine"}}"#,
        ),
        (
            json!({"action": "REJECT", "inputs": {"comment": ""}, "form": 1}),
            r#"{"action":"reject","inputs":{"comment":""}}"#,
        ),
        (
            json!({"action": "approve", "inputs": {"comment": "x"}, "form": null}),
            r#"{"action":"approve","inputs":{"comment":"x"}}"#,
        ),
    ] {
        assert_eq!(taken(&run, &message(vec![Part::text("well"), data(answer)])), (0, expected.to_owned()));
    }
    for (answer, fields) in [
        (json!({"inputs": {"comment": "x"}}), &["action"][..]),
        (json!({"action": "approve"}), &["inputs.comment"]),
        (json!({"action": "maybe", "inputs": {"comment": 1}}), &["action", "inputs.comment"]),
        (json!({"action": 1}), &["action"]),
        (json!({"action": "approve", "inputs": {"comment": "x", "more": null}}), &["inputs.more"]),
        (json!({"action": "approve", "comment": "x", "inputs": {"comment": "x"}}), &["comment"]),
        (json!({"Action": "approve"}), &["Action", "action", "inputs.comment"]),
        (json!({"action": "approve", "inputs": []}), &["inputs"]),
        (json!({"action": "approve", "inputs": {"comment": "x"}, "form": 2}), &["form"]),
        (json!({"action": "approve", "inputs": {"comment": "x"}, "form": "1"}), &["form"]),
        (json!([]), &[""]),
        (json!("approve"), &[""]),
    ] {
        let expected: Vec<String> = fields
            .iter()
            .map(|field| format!("message.parts[0].data.{field}").trim_end_matches('.').to_owned())
            .collect();
        assert_eq!(wrong(&run, &message(vec![data(answer.clone())])), expected, "{answer}");
    }
}

#[test]
fn nothing_of_an_answer_is_guessed_or_dropped() {
    let run = run(vec![form(1, &["approve", "reject"], &["comment"])]);
    let approve = || data(json!({"action": "approve", "inputs": {"comment": "x"}}));
    let file = |content| Part { content, ..Part::text("") };
    let url = || file(Content::Url("https://example.org/a.png".to_owned()));
    let bytes = || file(Content::Raw(bytes::Bytes::from_static(b"x")));
    for (parts, fields) in [
        (vec![approve(), approve()], &["message.parts[1].data"][..]),
        (
            vec![Part::text("x"), approve(), url(), data(json!({}))],
            &["message.parts[2]", "message.parts[3].data"],
        ),
        (vec![bytes(), approve()], &["message.parts[0]"]),
        (vec![Part::text("approve: x"), url()], &["message.parts[1]"]),
    ] {
        assert_eq!(wrong(&run, &message(parts)), fields);
    }
    for (twice, field) in [
        (r#"{"action":"approve","action":"reject","inputs":{"comment":"x"}}"#, "action"),
        (r#"{"action":"approve","inputs":{"comment":"x","comment":"y"}}"#, "inputs.comment"),
    ] {
        let part = Part::data(RawValue::from_string(twice.to_owned()).unwrap().into());
        assert_eq!(wrong(&run, &message(vec![part])), [format!("message.parts[0].data.{field}")]);
    }
}

#[test]
fn a_text_beside_data_may_not_decide_otherwise() {
    let run = run(vec![form(1, &["approve", "reject"], &["comment"])]);
    let with = |text: &str| {
        message(vec![Part::text(text), data(json!({"action": "approve", "inputs": {"comment": "x"}}))])
    };
    for text in ["", "Here you are.", "Approve", "approve: with joy", "I would not reject it"] {
        assert_eq!(taken(&run, &with(text)).0, 0, "{text}");
    }
    for text in ["Reject", " reject. ", "reject: no", "REJECT\nit is too dear"] {
        assert_eq!(wrong(&run, &with(text)), ["message.parts"], "{text}");
    }
}

#[test]
fn a_text_answers_one_form_where_it_can_mean_one_thing() {
    let buttons = run(vec![form(1, &["approve", "reject"], &[])]);
    assert_eq!(taken(&buttons, &says("Approve")), (0, r#"{"action":"approve","inputs":{}}"#.to_owned()));
    assert_eq!(wrong(&buttons, &says("perhaps")), ["message.parts"]);
    assert_eq!(wrong(&buttons, &says(" ")), ["message.parts"]);
    let field = run(vec![form(1, &["send"], &["comment"])]);
    let expected = r#"{"action":"send","inputs":{"comment":"All fine."}}"#;
    assert_eq!(taken(&field, &says("All fine.")), (0, expected.to_owned()));
    assert_eq!(wrong(&run(vec![form(1, &["send"], &["a", "b"])]), &says("x")), ["message.parts"]);
}

#[test]
fn of_several_forms_one_has_to_be_named() {
    let run = run(vec![form(1, &["go"], &[]), by_mail(form(2, &["go"], &[])), form(3, &["go"], &[])]);
    assert_eq!(wrong(&run, &says("go")), ["message.parts"]);
    assert_eq!(wrong(&run, &message(vec![data(json!({"action": "go"}))])), ["message.parts[0].data.form"]);
    let third = message(vec![data(json!({"action": "go", "form": 3}))]);
    assert_eq!(taken(&run, &third).0, 2);
    // The one that went out by e-mail is not for the caller.
    let second = message(vec![data(json!({"action": "go", "form": 2}))]);
    assert_eq!(wrong(&run, &second), ["message.parts[0].data.form"]);
}

#[test]
fn where_only_one_form_is_the_callers_it_needs_no_number() {
    let run = run(vec![form(1, &["go"], &[]), by_mail(form(2, &["go"], &[]))]);
    assert_eq!(taken(&run, &says("go")).0, 0);
}

#[test]
fn what_nobody_here_can_answer_takes_no_answer() {
    for forms in [Vec::new(), vec![by_mail(form(1, &["go"], &[]))]] {
        let refused = to_form(&run(forms), &says("go"));
        assert!(matches!(refused, Err(Error::UnsupportedOperation(_))), "{refused:?}");
    }
}

#[test]
fn a_memo_reads_back_as_it_was_with_its_tokens() {
    let memo = Memo::People(run(vec![form(1, &["go"], &["comment"]), by_mail(form(4, &["go"], &[]))]));
    let written = memo.write();
    assert!(written.get().contains("token-1"), "what the form is answered with is kept");
    let Some(Memo::People(read)) = Memo::read(&written) else { panic!("{written}") };
    let Memo::People(before) = memo else { panic!("another memo") };
    assert_eq!((&read.run_id, &read.conversation_id), (&before.run_id, &before.conversation_id));
    assert_eq!((read.last_number, read.forms.len()), (4, 2));
    for (read, before) in read.forms.iter().zip(&before.forms) {
        assert_eq!((read.number, &read.form), (before.number, &before.form));
    }
    assert_eq!(read.forms[0].form.form_token.as_ref().map(|token| token.expose()), Some("token-1"));
    assert!(read.is_answerable() && read.forms[1].form.form_token.is_none());

    let texts = BTreeMap::from([("topic".to_owned(), "dogs \u{1F436}".to_owned())]);
    let memo = Memo::Inputs(MissingInputs { texts: texts.clone(), ..missing(&["tone"]) });
    let Some(Memo::Inputs(read)) = Memo::read(&memo.write()) else { panic!() };
    assert_eq!((read.missing, read.texts), (vec!["tone".to_owned()], texts));
}

#[test]
fn a_memo_shows_no_token_and_what_is_none_is_not_read() {
    let memo = Memo::People(run(vec![form(1, &["go"], &[])]));
    assert!(!format!("{memo:?}").contains("token-1"), "{memo:?}");
    for none in ["null", "{}", "[]", r#"{"waits_for":"rain"}"#, r#"{"waits_for":"people"}"#] {
        assert!(Memo::read(&RawValue::from_string(none.to_owned()).unwrap()).is_none(), "{none}");
    }
}
