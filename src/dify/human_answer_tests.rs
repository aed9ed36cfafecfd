//! Answers to forms.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A form with these actions, by id and title, and fields.
fn form(actions: &[(&str, &str)], fields: serde_json::Value) -> HumanForm {
    let actions: Vec<_> = actions.iter().map(|(id, title)| json!({"id": id, "title": title})).collect();
    serde_json::from_str(&json!({"actions": actions, "inputs": fields}).to_string()).unwrap()
}

fn paragraph(name: &str, default: Option<&str>) -> serde_json::Value {
    match default {
        Some(value) => json!({
            "output_variable_name": name, "type": "paragraph",
            "default": {"type": "constant", "selector": [], "value": value},
        }),
        None => json!({"output_variable_name": name, "type": "paragraph"}),
    }
}

fn select(name: &str) -> serde_json::Value {
    json!({"output_variable_name": name, "type": "select",
           "option_source": {"type": "constant", "selector": [], "value": ["Red", "blue"]}})
}

fn values(json: serde_json::Value) -> Vec<(String, Arc<RawValue>)> {
    json.as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), Arc::from(RawValue::from_string(value.to_string()).unwrap())))
        .collect()
}

fn shown(answer: &FormAnswer) -> String {
    serde_json::to_string(answer).unwrap()
}

const BOTH: &[(&str, &str)] = &[("approve", "Approve"), ("reject", "Reject it")];
const ONE: &[(&str, &str)] = &[("go", "Go on")];

#[test]
fn data_is_taken_as_it_is_and_defaults_fill_the_rest() {
    let form = form(BOTH, json!([paragraph("comment", Some("looks fine")), paragraph("why", Some(""))]));
    for (action, given, answer) in [
        ("approve", json!({"comment": "yes"}), r#"{"action":"approve","inputs":{"comment":"yes","why":""}}"#),
        ("approve", json!({}), r#"{"action":"approve","inputs":{"comment":"looks fine","why":""}}"#),
        (
            "Reject It",
            json!({"why": null}),
            r#"{"action":"reject","inputs":{"comment":"looks fine","why":""}}"#,
        ),
        (
            "reject",
            json!({"why": "", "comment": ""}),
            r#"{"action":"reject","inputs":{"comment":"","why":""}}"#,
        ),
    ] {
        assert_eq!(shown(&form.read_data(Some(action), &values(given)).unwrap()), answer);
    }
    let other = form.read_data(Some("approve"), &values(json!({"other": 1}))).unwrap_err();
    assert_eq!(other.iter().map(|it| it.field.as_str()).collect::<Vec<_>>(), ["inputs.other"]);
    let answer = form.read_data(Some("approve"), &[]).unwrap();
    assert_eq!(
        serde_json::to_string(&answer.body("alice")).unwrap(),
        r#"{"inputs":{"comment":"looks fine","why":""},"action":"approve","user":"alice"}"#
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_quotes_nothing() {
    let form = form(
        BOTH,
        json!([
            paragraph("comment", None),
            select("tone"),
            {"output_variable_name": "doc", "type": "file", "allowed_file_upload_methods": ["local_file"]},
            {"output_variable_name": "more", "type": "file-list", "number_limits": 1},
        ]),
    );
    let check = |action: Option<&str>, given: serde_json::Value, wrong: &[(&str, &str)]| {
        let violations = form.read_data(action, &values(given.clone())).err().unwrap_or_default();
        let found: Vec<_> = violations.iter().map(|one| (one.field.as_str(), one.problem.as_str())).collect();
        assert_eq!(found, wrong, "{given}");
    };
    let upload = json!({"transfer_method": "local_file", "upload_file_id": "u"});
    let remote = json!({"transfer_method": "remote_url", "url": "https://h/a"});
    let tone = ("inputs.tone", "has to be one of: Red, blue");
    check(
        None,
        json!({}),
        &[
            ("action", "has to be one of: approve, reject"),
            ("inputs.comment", "is missing"),
            ("inputs.tone", "is missing"),
            ("inputs.doc", "is missing"),
            ("inputs.more", "is missing"),
        ],
    );
    check(
        Some("explode"),
        json!({"comment": 7, "tone": "red", "doc": "a.txt", "more": upload}),
        &[
            ("action", "has to be one of: approve, reject"),
            ("inputs.comment", "has to be a string"),
            tone,
            ("inputs.doc", "has to be a file"),
            ("inputs.more", "has to be an array of files"),
        ],
    );
    check(
        Some("approve"),
        json!({"comment": "", "tone": 1, "doc": remote, "more": [upload, upload]}),
        &[
            ("inputs.tone", "has to be a string"),
            ("inputs.doc", "has to be an uploaded file, not an address"),
            ("inputs.more", "has to be at most 1 files"),
        ],
    );
    for bad in [
        json!({"transfer_method": "local_file"}),
        json!({"transfer_method": "local_file", "upload_file_id": ""}),
        json!({"transfer_method": "pigeon", "url": "x"}),
        json!(["local_file", "u", null]),
    ] {
        check(
            Some("approve"),
            json!({"comment": "", "tone": "Red", "doc": bad, "more": []}),
            &[("inputs.doc", "has to be a file")],
        );
    }
    check(Some("approve"), json!({"comment": "", "tone": "blue", "doc": upload, "more": [remote]}), &[]);
}

#[test]
fn the_only_action_need_not_be_named() {
    let form = form(ONE, json!([]));
    assert_eq!(shown(&form.read_data(None, &[]).unwrap()), r#"{"action":"go","inputs":{}}"#);
    assert!(form.read_data(Some("stop"), &[]).is_err());
}

#[test]
fn a_text_answers_where_it_can_mean_one_thing_only() {
    let defaults = json!([paragraph("comment", Some("fine"))]);
    let open = json!([paragraph("comment", None)]);
    for (actions, fields, text, answer) in [
        (BOTH, json!([]), "approve", r#"{"action":"approve","inputs":{}}"#),
        (BOTH, json!([]), " REJECT IT! ", r#"{"action":"reject","inputs":{}}"#),
        (BOTH, defaults.clone(), "Approve.", r#"{"action":"approve","inputs":{"comment":"fine"}}"#),
        (
            BOTH,
            defaults.clone(),
            "reject: too dear",
            r#"{"action":"reject","inputs":{"comment":"too dear"}}"#,
        ),
        (
            BOTH,
            open.clone(),
            "Reject it\ntoo: dear",
            r#"{"action":"reject","inputs":{"comment":"too: dear"}}"#,
        ),
        (ONE, json!([]), "whatever", r#"{"action":"go","inputs":{}}"#),
        (ONE, open.clone(), "go", r#"{"action":"go","inputs":{"comment":"go"}}"#),
        (ONE, open.clone(), "say \"é\"", r#"{"action":"go","inputs":{"comment":"say \"é\""}}"#),
        (ONE, defaults.clone(), "go on", r#"{"action":"go","inputs":{"comment":"fine"}}"#),
        (ONE, json!([select("tone")]), "RED", r#"{"action":"go","inputs":{"tone":"Red"}}"#),
        (
            BOTH,
            json!([paragraph("a", Some("1")), paragraph("b", Some(""))]),
            "approve",
            r#"{"action":"approve","inputs":{"a":"1","b":""}}"#,
        ),
    ] {
        assert_eq!(shown(&form(actions, fields).read_text(text).unwrap()), answer, "{text}");
    }
}

#[test]
fn a_text_in_doubt_is_not_guessed_at() {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let open = json!([paragraph("comment", None)]);
    let two = json!([paragraph("a", None), paragraph("b", Some("x"))]);
    let file = json!([{"output_variable_name": "doc", "type": "file"}]);
    for (actions, fields, text, doubt) in [
        (BOTH, json!([]), "looks good", Doubt::Action(names(&["Approve", "Reject it"]))),
        (BOTH, json!([]), "", Doubt::Action(names(&["Approve", "Reject it"]))),
        (BOTH, open.clone(), "looks good", Doubt::Action(names(&["Approve", "Reject it"]))),
        (BOTH, open.clone(), "well: yes", Doubt::Action(names(&["Approve", "Reject it"]))),
        (BOTH, open.clone(), "approve", Doubt::Fields(names(&["comment"]))),
        (BOTH, two.clone(), "approve", Doubt::Fields(names(&["a"]))),
        (ONE, two.clone(), "anything", Doubt::TooMuch(names(&["a", "b"]))),
        (ONE, file.clone(), "anything", Doubt::File("doc".to_owned())),
        (ONE, json!([select("tone")]), "green", Doubt::Option("tone".to_owned(), names(&["Red", "blue"]))),
        (&[("a", "Yes"), ("b", "yes")], json!([]), "yes", Doubt::Action(names(&["Yes", "yes"]))),
        (&[], json!([]), "yes", Doubt::Action(names(&[]))),
    ] {
        let found = form(actions, fields).read_text(text).unwrap_err();
        assert_eq!(found, doubt, "{text}");
        assert!(!found.to_string().is_empty());
    }
}

#[test]
fn the_hint_says_what_text_would_do() {
    let hint = |actions: &[(&str, &str)], fields| form(actions, fields).text_hint();
    assert_eq!(hint(BOTH, json!([])).as_deref(), Some("answer with one of: Approve, Reject it"));
    assert_eq!(hint(ONE, json!([])).as_deref(), Some("any answer means: Go on"));
    assert_eq!(hint(ONE, json!([paragraph("c", None)])).as_deref(), Some("answer with the text for c"));
    assert!(hint(BOTH, json!([paragraph("c", Some("x"))])).unwrap().ends_with("a colon and the text for c"));
    assert!(hint(BOTH, json!([paragraph("c", None)])).unwrap().contains("then a colon"));
    assert_eq!(hint(BOTH, json!([paragraph("a", None), paragraph("b", None)])), None);
    assert_eq!(hint(ONE, json!([{"output_variable_name": "doc", "type": "file"}])), None);
    assert_eq!(hint(&[], json!([])), None);
}

proptest! {
    #[test]
    fn what_a_text_means_is_also_right_as_data(
        text in "(approve|go|red|[a-z: \\n]{0,12}){1,2}",
        actions in prop::sample::select(vec![BOTH, ONE]),
        fields in prop::sample::subsequence(
            vec![paragraph("a", None), paragraph("b", Some("x")), paragraph("c", Some("")), select("tone")],
            0..3,
        ),
    ) {
        let form = form(actions, json!(fields));
        if let Ok(answer) = form.read_text(&text) {
            let again = form.read_data(Some(&answer.action), &answer.inputs).unwrap();
            prop_assert_eq!(shown(&again), shown(&answer));
        }
    }
}
