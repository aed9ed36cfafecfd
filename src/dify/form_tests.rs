//! Forms of recorded apps, and forms that no recording shows.

use super::*;

fn form(items: &str) -> Form {
    Form::of_items(items)
}

fn recorded(name: &str) -> Form {
    Form::of_recording(name)
}

fn only(items: &str) -> Field {
    let mut fields = form(items).fields;
    assert_eq!(fields.len(), 1, "{items}");
    fields.remove(0)
}

#[test]
fn recorded_forms_are_the_same_in_both_versions() {
    for version in ["1.14.2", "0.15.3"] {
        let form = recorded(&format!("{version}/parameters_chatflow_inputs"));
        let shown: Vec<_> = form
            .fields
            .iter()
            .map(|field| (field.variable.as_str(), field.kind.name(), field.label.as_str(), field.required))
            .collect();
        let expected = [
            ("topic", "text-input", "Topic", true),
            ("tone", "select", "tone", false),
            ("words", "number", "words", false),
            ("notes", "paragraph", "notes", false),
        ];
        assert_eq!(shown, expected);
        assert!(matches!(form.fields[0].kind, Kind::Text { max_length: Some(200) }));
        assert!(matches!(&form.fields[1].kind, Kind::Select { options } if *options == ["formal", "casual"]));
        assert!(matches!(form.fields[3].kind, Kind::Paragraph { max_length: Some(2000) }));

        let older = recorded(&format!("{version}/parameters_chat_inputs"));
        assert!(matches!(older.fields[0].kind, Kind::Text { max_length: Some(48) }));
        assert!(older.fields.iter().all(|field| field.default.is_none() && !field.hidden));
        let completion = recorded(&format!("{version}/parameters_completion"));
        assert!(matches!(completion.field("query").unwrap().kind, Kind::Paragraph { max_length: None }));
        assert!(recorded(&format!("{version}/parameters_chat_basic")).fields.is_empty());

        let files = recorded(&format!("{version}/parameters_workflow_file"));
        let rules: Vec<_> = files.fields.iter().map(|field| field.kind.files().unwrap()).collect();
        assert!(rules[0].types.contains(&FileKind::Document));
        assert_eq!((rules[0].max_count, rules[1].max_count), (Some(1), Some(3)));
        assert!(rules[0].allows(Method::LocalFile) && rules[0].allows(Method::RemoteUrl));
    }
}

#[test]
fn what_no_recording_shows_is_read_too() {
    let field = only(
        r#"[{"checkbox":{"variable":"ok","label":" ","type":"checkbox","required":false,"default":true,
            "hide":true,"description":"Say yes"}}]"#,
    );
    assert!(matches!(field.kind, Kind::Checkbox) && field.hidden && !field.required);
    assert_eq!((field.label.as_str(), field.description.as_deref()), ("ok", Some("Say yes")));
    assert_eq!(field.default.unwrap().get(), "true");

    for schema in [r#"{"type":"object"}"#, r#""{\"type\":\"object\"}""#] {
        let field = only(&format!(r#"[{{"json_object":{{"variable":"o","json_schema":{schema}}}}}]"#));
        let Kind::JsonObject { schema: Some(schema) } = field.kind else { panic!("{field:?}") };
        assert_eq!(schema.get(), r#"{"type":"object"}"#);
    }
    for no_schema in ["null", "\"\"", "\"{\"", "3", "[]"] {
        let field = only(&format!(r#"[{{"json_object":{{"variable":"o","json_schema":{no_schema}}}}}]"#));
        assert!(matches!(field.kind, Kind::JsonObject { schema: None }), "{no_schema}");
    }
    assert!(matches!(only(r#"[{"colour":{"variable":"c"}}]"#).kind, Kind::Other(name) if name == "colour"));
}

#[test]
fn what_is_no_callers_input_or_cannot_be_read_is_left_out() {
    let form = form(
        r#"[{"external_data_tool":{"variable":"e","type":"api"}},{},{"text-input":{"label":"x"}},
            {"text-input":{"variable":"a","max_length":0,"default":"","required":"yes","options":null}},
            {"number":{"variable":"a"}}]"#,
    );
    assert_eq!(form.fields.len(), 1);
    let field = form.field("a").unwrap();
    assert!(matches!(field.kind, Kind::Text { max_length: None }), "{field:?}");
    assert!(!field.required && field.default.is_none());
}

#[test]
fn callers_are_shown_what_they_can_and_should_set() {
    let form = form(
        r#"[{"text-input":{"variable":"a"}},{"text-input":{"variable":"b","hide":true}},
            {"text-input":{"variable":"c","hide":true,"required":true}},{"text-input":{"variable":"d"}}]"#,
    );
    let locked = ["d".to_owned()];
    let shown: Vec<&str> = form.shown(&locked).map(|field| field.variable.as_str()).collect();
    assert_eq!(shown, ["a", "c"]);
}

#[test]
fn custom_files_need_the_type_and_their_ending() {
    let rules = |types: &[FileKind], extensions: &[&str]| FileRules {
        types: types.to_vec(),
        extensions: extensions.iter().map(|ending| (*ending).to_owned()).collect(),
        ..FileRules::default()
    };
    let (image, document, custom) = (FileKind::Image, FileKind::Document, FileKind::Custom);
    for (rules, kind, ending, expected) in [
        (rules(&[image], &[]), image, Some("png"), Some(image)),
        (rules(&[image], &["txt"]), document, Some("txt"), None),
        (rules(&[image, custom], &["txt"]), document, Some("txt"), Some(custom)),
        (rules(&[custom], &["bin"]), custom, Some("bin"), Some(custom)),
        (rules(&[custom], &["bin"]), custom, Some("exe"), None),
        (rules(&[custom], &[]), custom, Some("bin"), None),
        (rules(&[custom], &["bin"]), custom, None, None),
        (rules(&[], &[]), document, None, Some(document)),
        (rules(&[], &[]), custom, Some("bin"), None),
        (rules(&[], &["bin"]), custom, Some("bin"), Some(custom)),
    ] {
        assert_eq!(rules.fit(kind, ending), expected, "{rules:?} {kind:?} {ending:?}");
    }
    assert_eq!(rules(&[image, custom], &["bin"]).describe(), "image, or files that end in .bin");
    assert_eq!(rules(&[custom], &["bin"]).describe(), "files that end in .bin");
    assert_eq!(rules(&[custom], &[]).describe(), "no kind of file");
}
