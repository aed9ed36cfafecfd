//! What is asked: a text for people, data for programs, and nothing that is not theirs.

use serde_json::{Value, json};

use super::*;
use crate::core::message::Content;
use crate::dify::form::Form;

/// The text and the data of what is asked.
fn told(ask: &Ask) -> (String, Vec<Value>) {
    let text = ask.parts[0].as_text().expect("the text is first").to_owned();
    let data = ask.parts[1..].iter().map(|part| match &part.content {
        Content::Data(json) => serde_json::from_str(json.get()).unwrap(),
        other => panic!("{other:?}"),
    });
    (text, data.collect())
}

fn asked_for(form: &str, names: &[&str]) -> (String, Vec<Value>) {
    let form = Form::of_recording(form);
    let fields: Vec<&Field> = names.iter().map(|name| form.field(name).unwrap()).collect();
    told(&for_inputs(&fields))
}

#[test]
fn a_missing_input_is_named_with_its_rules_and_can_be_given_as_text() {
    let (text, data) = asked_for("1.14.2/parameters_chatflow_inputs", &["topic"]);
    assert!(
        text.contains("topic") && text.contains("200") && text.contains("or just the text for topic."),
        "{text}"
    );
    let [data] = &data[..] else { panic!("{data:?}") };
    assert_eq!(
        data,
        &json!({"inputs": {
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "properties": {"topic": {"title": "Topic", "type": "string", "maxLength": 200, "x-dify-type": "text-input"}},
            "required": ["topic"]
        }})
    );
}

#[test]
fn several_are_asked_for_in_one_go_and_need_data() {
    let (text, data) = asked_for("1.14.2/parameters_chatflow_inputs", &["topic", "tone", "words"]);
    for name in ["topic", "tone", "words"] {
        assert!(text.contains(name), "{text}");
        assert!(data[0]["inputs"]["properties"][name].is_object());
    }
    assert!(!text.contains("just the text"), "{text}");
}

#[test]
fn files_are_asked_for_as_parts() {
    let (text, data) = asked_for("1.14.2/parameters_workflow_file", &["doc"]);
    assert!(text.contains("has the file as a part") && !text.contains("just the text"), "{text}");
    assert_eq!(data[0]["inputs"]["properties"]["doc"]["x-dify-type"], "file");
    let (text, _) = asked_for("1.14.2/parameters_workflow_file", &["doc", "more"]);
    assert!(text.contains("files as parts of their own"), "{text}");
}

fn form(number: u32, members: Value) -> Numbered {
    let mut whole = json!({
        "form_id": "form-secret", "node_id": "node-secret", "node_title": "Review",
        "form_content": "Is this good?", "form_token": "token-secret", "display_in_ui": true,
        "actions": [{"id": "approve", "title": "Approve"}, {"id": "reject", "title": "Reject"}], "inputs": []
    });
    for (name, value) in members.as_object().unwrap() {
        whole[name] = value.clone();
    }
    Numbered { number, form: serde_json::from_str(&whole.to_string()).unwrap() }
}

fn comment() -> Value {
    json!([{
        "output_variable_name": "comment", "type": "paragraph",
        "default": {"type": "constant", "selector": [], "value": "fine"}
    }])
}

#[test]
fn a_form_is_told_with_its_actions_defaults_and_end() {
    let form = form(1, json!({"inputs": comment(), "expiration_time": 1_795_310_752_u64}));
    let (text, data) = told(&for_forms(std::slice::from_ref(&form), None));
    assert!(text.starts_with("Is this good?"), "{text}");
    assert!(text.contains("\"action\": \"approve\"") && text.contains("\"inputs\""), "{text}");
    assert!(text.contains("approve, reject") && !text.contains("\"form\""), "{text}");
    let [data] = &data[..] else { panic!("{data:?}") };
    let members: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(members, ["actions", "defaults", "expiresAt", "form", "inputs", "title"]);
    assert_eq!((&data["form"], &data["title"]), (&json!(1), &json!("Review")));
    assert_eq!(
        data["actions"],
        json!([{"id": "approve", "title": "Approve"}, {"id": "reject", "title": "Reject"}])
    );
    assert_eq!(data["defaults"], json!({"comment": "fine"}));
    assert_eq!(data["expiresAt"], "2026-11-22T01:25:52.000Z");
    assert!(data["inputs"]["properties"]["comment"].is_object(), "{data}");
}

#[test]
fn what_does_not_apply_is_left_out() {
    let (text, data) = told(&for_forms(&[form(1, json!({}))], Some("The answer was not taken.")));
    assert!(text.starts_with("The answer was not taken.\n\nIs this good?"), "{text}");
    assert!(!text.contains("\"inputs\""), "there is nothing to fill in: {text}");
    assert!(data[0].get("defaults").is_none() && data[0].get("expiresAt").is_none(), "{data:?}");
}

#[test]
fn several_forms_are_numbered_and_those_of_others_have_no_data() {
    let forms =
        [form(2, json!({})), form(5, json!({"form_token": null})), form(6, json!({"inputs": comment()}))];
    let (text, data) = told(&for_forms(&forms, None));
    for part in ["Form 2: ", "Form 5: ", "Form 6: ", "\"form\": 2", "\"form\": 6", "by e-mail"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("\"form\": 5"), "{text}");
    let numbers: Vec<&Value> = data.iter().map(|data| &data["form"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(6)]);
}

#[test]
fn a_form_without_actions_says_that_it_cannot_be_answered() {
    let (text, data) = told(&for_forms(&[form(1, json!({"actions": []}))], None));
    assert!(text.contains("no action to choose, so it cannot be answered here"), "{text}");
    assert!(!text.contains("To answer"), "{text}");
    assert_eq!(data, Vec::<Value>::new());
}

#[test]
fn nothing_secret_is_asked() {
    let forms = [form(1, json!({"inputs": comment()})), form(2, json!({"form_token": null}))];
    for ask in [for_forms(&forms, None), for_forms(&forms[..1], None)] {
        let whole = format!("{:?}", told(&ask));
        assert!(!whole.contains("secret"), "{whole}");
    }
    assert!(!format!("{forms:?}").contains("token-secret"));
}

#[test]
fn a_run_that_waits_for_something_else_says_so() {
    let (text, data) = told(&for_others(&["scheduled pause".to_owned()]));
    assert!(text.contains("(scheduled pause)") && text.contains("by itself") && data.is_empty(), "{text}");
    assert!(!told(&for_others(&[])).0.contains('('));
}
