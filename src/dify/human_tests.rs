//! Forms, as they were recorded and as they may be.

use proptest::prelude::*;

use super::*;
use crate::dify::event::{DifyEvent, Frame};
use crate::dify::fixture;

/// All forms that a recorded stream tells of.
fn forms(name: &str) -> Vec<HumanForm> {
    let mut forms = Vec::new();
    for frame in fixture::frames(&fixture::recording(name).body) {
        match Frame::decode(&frame).unwrap().event {
            DifyEvent::HumanInputRequired(form) => forms.push(*form),
            DifyEvent::WorkflowPaused(paused) => forms.extend(paused.forms),
            _ => {}
        }
    }
    forms
}

fn form(json: serde_json::Value) -> HumanForm {
    serde_json::from_str(&json.to_string()).unwrap()
}

fn schema(form: &HumanForm) -> String {
    serde_json::to_string(&form.schema()).unwrap()
}

#[test]
fn every_recorded_form_can_be_shown_and_answered() {
    let mut count = 0;
    for (name, text) in [
        ("human_input", "Please approve: the budget\n\nComment: [comment: looks fine]"),
        ("human_input_3", "Please approve: third\n\nComment: [comment: looks fine]"),
        // A snapshot has the text as its author wrote it.
        ("human_input_events_continue_on_pause", "Please approve: …\n\nComment: [comment: looks fine]"),
        ("chatflow_human_input", "Please approve: lunch\n\nComment: [comment: looks fine]"),
        ("chatflow_human_events_after_submit", "Please approve: …\n\nComment: [comment: looks fine]"),
    ] {
        for form in forms(&format!("1.14.2/{name}")) {
            count += 1;
            assert_eq!(form.text(), text, "{name}");
            assert!(form.is_answerable());
            let actions: Vec<_> =
                form.actions.iter().map(|action| (action.id.as_str(), action.label())).collect();
            assert_eq!(actions, [("approve", "Approve"), ("reject", "Reject")]);
            assert_eq!(
                schema(&form),
                r#"{"type":"object","properties":{"comment":{"type":"string","default":"looks fine"}}}"#
            );
        }
    }
    assert_eq!(count, 10);
}

#[test]
fn the_forms_own_endpoint_tells_the_rendered_text() {
    let mut snapshot = forms("1.14.2/human_input_events_continue_on_pause").remove(0);
    let token = snapshot.form_token.clone();
    let told = String::from_utf8(fixture::recording("1.14.2/human_input_form_get").body).unwrap();
    snapshot.update(serde_json::from_str(&told).unwrap());
    assert_eq!(snapshot.text(), "Please approve: the budget\n\nComment: [comment: looks fine]");
    assert_eq!((snapshot.node_title.as_str(), snapshot.form_token), ("Approve it", token));
    assert_eq!((snapshot.actions.len(), snapshot.expiration_time), (2, Some(1_795_440_405)));
}

#[test]
fn a_form_reads_back_as_itself_and_hides_its_token_from_logs() {
    let form = forms("1.14.2/human_input").remove(0);
    let kept = serde_json::to_string(&form).unwrap();
    assert!(kept.contains("4y7VruODqDhZ2SIisyKIcP"));
    assert_eq!(serde_json::from_str::<HumanForm>(&kept).unwrap(), form);
    assert!(!format!("{form:?} {form:#?}").contains("4y7V"));
}

#[test]
fn placeholders_become_what_people_can_read() {
    let of = |content: &str| {
        form(serde_json::json!({
            "form_content": content,
            "inputs": [
                {"output_variable_name": "a", "type": "paragraph"},
                {"output_variable_name": "b", "type": "paragraph", "default": {"type": "constant", "value": ""}},
                {"output_variable_name": "c", "type": "paragraph", "default": {"type": "variable", "selector": ["x", "y"]}},
            ],
            "resolved_default_values": {"c": "two\n lines"},
        }))
        .text()
    };
    for (content, text) in [
        ("", ""),
        ("plain", "plain"),
        ("{{#$output.a#}} {{#$output.b#}}{{#$output.c#}}", "[a] [b][c: two lines]"),
        ("{{#$output.other#}}", "[other]"),
        ("x {{#start.subject#}}!", "x …!"),
        ("{{#", "{{#"),
        ("{{# not a selector #}} {{#a#}}", "{{# not a selector #}} …"),
        ("{{#{{#a#}}", "{{#…"),
        ("# T\n\n{{#$output.a#}}\n", "# T\n\n[a]"),
        ("{{x}} #}}", "{{x}} #}}"),
    ] {
        assert_eq!(of(content), text, "{content}");
    }
    let long = form(serde_json::json!({
        "form_content": "{{#$output.a#}}",
        "inputs": [{"output_variable_name": "a", "type": "paragraph",
                    "default": {"type": "constant", "value": "é".repeat(500)}}],
    }));
    assert!(long.text().chars().count() < 100);
}

#[test]
fn the_schema_keeps_the_order_and_tells_what_is_required() {
    let all = form(serde_json::json!({"inputs": [
        {"output_variable_name": "z", "type": "paragraph"},
        {"output_variable_name": "tone", "type": "select", "option_source": {"type": "constant", "selector": [], "value": ["a", "b"]}},
        {"output_variable_name": "any", "type": "select", "option_source": {"type": "variable", "selector": ["x"], "value": []}},
        {"output_variable_name": "doc", "type": "file", "allowed_file_types": ["document", "custom"],
         "allowed_file_extensions": [".MD"], "allowed_file_upload_methods": ["local_file"]},
        {"output_variable_name": "more", "type": "file-list", "allowed_file_types": ["image"],
         "allowed_file_extensions": [".x"], "number_limits": 3},
        {"output_variable_name": "new", "type": "hologram", "default": null},
        {"output_variable_name": "a", "type": "paragraph", "default": {"type": "variable", "selector": ["s"], "value": ""}},
    ], "resolved_default_values": {"a": 7, "z": null}}));
    assert_eq!(
        schema(&all),
        concat!(
            r#"{"type":"object","properties":{"z":{"type":"string"},"tone":{"type":"string","enum":["a","b"]},"#,
            r#""any":{"type":"string"},"doc":{"type":"object","description":"a file (document, .md)"},"#,
            r#""more":{"type":"array","description":"files (image)","maxItems":3},"new":{},"#,
            r#""a":{"type":"string","default":"7"}},"required":["z","tone","any","doc","more","new"]}"#,
        )
    );
    assert_eq!(schema(&HumanForm::default()), r#"{"type":"object","properties":{}}"#);
}

#[test]
fn a_form_of_another_shape_is_read_as_far_as_it_goes() {
    let odd = form(serde_json::json!({
        "form_id": 7, "form_token": "", "inputs": [7, {"type": "paragraph"}], "actions": {}, "expiration_time": "12",
        "display_in_ui": false, "approval_channels": ["email", {}], "resolved_default_values": [], "new": {},
    }));
    assert_eq!((odd.form_id.as_str(), odd.fields.len(), odd.actions.len()), ("", 1, 0));
    assert_eq!((odd.expiration_time, odd.display_in_ui), (Some(12), false));
    assert_eq!(odd.approval_channels, ["email"]);
    assert!(!odd.is_answerable());
    let action = r#"[{"id":"go"}]"#;
    for (display_in_ui, form_token, actions, is_answerable) in [
        ("true", "\"t\"", action, true),
        ("null", "\"t\"", action, true),
        ("false", "\"t\"", action, false),
        ("true", "null", action, false),
        ("true", "\"t\"", "[]", false),
    ] {
        let json =
            format!(r#"{{"display_in_ui":{display_in_ui},"form_token":{form_token},"actions":{actions}}}"#);
        let form: HumanForm = serde_json::from_str(&json).unwrap();
        assert_eq!(form.is_answerable(), is_answerable, "{json}");
    }
}

proptest! {
    #[test]
    fn a_text_without_placeholders_is_shown_as_it_is(content in "[a-z{}#$. \n]{0,40}") {
        let form = HumanForm { form_content: content.clone(), ..HumanForm::default() };
        let text = form.text();
        if !content.contains("{{#") {
            prop_assert_eq!(text, content.trim());
        }
    }

    #[test]
    fn no_placeholder_of_a_field_is_left(before in "[a-z#} \n]{0,10}", name in "[a-z_.]{1,10}", after in "[a-z#{ \n]{0,10}") {
        let form_content = format!("{before}{{{{#$output.{name}#}}}}{after}");
        let form = HumanForm { form_content, ..HumanForm::default() };
        let expected = format!("{before}[{name}]{after}");
        prop_assert_eq!(form.text(), expected.trim());
    }
}
