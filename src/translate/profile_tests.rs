use serde_json::{Value, json};

use super::*;
use crate::core::message::Json;
use crate::dify::form::Form;
use crate::translate::input_rules;

fn app(mode: AppMode, items: &str) -> AppInfo {
    let parameters = format!(r#"{{"user_input_form":[{items}],"file_upload":{{"enabled":false}}}}"#);
    AppInfo::of_answers(mode, "1.14.2", br#"{"name":"n"}"#, parameters.as_bytes())
}

fn operator(inputs: &[(&str, &str)], locked: &[&str], query_input: Option<&str>) -> Operator {
    let json = |text: &str| -> Json { serde_json::from_str::<Box<_>>(text).map(Json::from).unwrap() };
    Operator {
        inputs: inputs.iter().map(|(name, value)| ((*name).to_owned(), json(value))).collect(),
        locked_inputs: locked.iter().map(|name| (*name).to_owned()).collect(),
        query_input: query_input.map(str::to_owned),
        ..Operator::default()
    }
}

fn schema(profile: &Profile) -> Value {
    serde_json::from_str(profile.inputs.as_deref().unwrap()).unwrap()
}

/// The data parts among the examples; each is what the app takes.
fn data(app: &AppInfo, profile: &Profile) -> Vec<Value> {
    let examples: Vec<Value> =
        profile.examples.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let Some(inputs) = &profile.inputs else {
        assert!(examples.is_empty());
        return examples;
    };
    let validator = jsonschema::draft202012::new(&serde_json::from_str(inputs).unwrap()).unwrap();
    for example in &examples {
        assert!(validator.is_valid(example), "{example} for {inputs}");
        for (name, value) in example.as_object().unwrap() {
            let value = serde_json::value::to_raw_value(value).unwrap().into();
            assert!(input_rules::check(app.form.field(name).unwrap(), &value).is_ok(), "{name} in {example}");
        }
    }
    examples
}

#[test]
fn recorded_apps_of_both_versions_have_these_profiles() {
    let mut told = Vec::new();
    for version in ["0.15.3", "1.14.2"] {
        for (case, mode) in [
            ("agent_fc", AppMode::AgentChat),
            ("chat_inputs", AppMode::Chat),
            ("chatflow_echo", AppMode::AdvancedChat),
            ("chatflow_inputs", AppMode::AdvancedChat),
            ("completion", AppMode::Completion),
            ("workflow_file", AppMode::Workflow),
            ("workflow_ok", AppMode::Workflow),
        ] {
            let app = AppInfo::of_recordings(mode, version, case);
            let profile = of(&app, &Operator::default());
            data(&app, &profile);
            told.push((case, profile));
        }
    }
    let (old, new) = told.split_at(told.len() / 2);
    // The author of `chatflow_echo` let other files in there.
    for (old, new) in old.iter().zip(new).filter(|(old, _)| old.0 != "chatflow_echo") {
        assert_eq!(old, new, "what a card tells does not hang on the version");
    }
    let shown: Vec<String> = new
        .iter()
        .map(|(case, profile)| {
            let Profile { input_lines, examples, input_modes, output_modes, .. } = profile;
            let has = [("text", profile.takes_text), ("memory", profile.has_memory)];
            let has: Vec<&str> = has.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
            format!(
                "{case}: {}\n  inputs {}\n  lines {input_lines:?}\n  text input {:?}\n  examples {examples:?}\n  in {}\n  out {}",
                has.join(", "),
                profile.inputs.as_deref().unwrap_or("none"),
                profile.text_input,
                input_modes.join(" "),
                output_modes.join(" ")
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn what_the_operator_has_settled_shows() {
    let items = r#"{"text-input":{"variable":"a","required":true,"default":"Dify's"}},
        {"select":{"variable":"b","required":true,"options":["x","y"]}},{"number":{"variable":"c","required":true}}"#;
    let app = app(AppMode::Chat, items);
    let profile = of(&app, &operator(&[("a", r#""secret""#), ("b", r#""z""#)], &["c"], None));
    let schema = schema(&profile);
    assert_eq!(schema["required"], json!(["b"]), "a is set, and b's value is none that the app takes");
    assert!(schema["properties"]["c"].is_null() && schema["properties"]["a"]["default"].is_null());
    assert!(!format!("{profile:?}").contains("secret"));
    assert_eq!(profile.input_lines, ["a: text", r#"b: one of "x", "y" (required)"#]);
    assert_eq!(data(&app, &profile), [json!({"b": "x"})]);

    let all = of(&app, &operator(&[], &["a", "b", "c"], None));
    assert!(all.inputs.is_none() && all.examples.is_empty() && all.input_modes == ["text/plain"]);
    let shown = format!("{:?}", operator(&[("a", r#""secret""#)], &[], None));
    assert!(shown.contains("\"a\"") && !shown.contains("secret"), "{shown}");
}

#[test]
fn where_the_text_goes_and_that_nothing_is_remembered() {
    let texts = r#"{"text-input":{"variable":"a"}},{"paragraph":{"variable":"b"}}"#;
    let told = |mode: AppMode, items: &str, query_input: Option<&str>| {
        let profile = of(&app(mode, items), &operator(&[], &[], query_input));
        (profile.text_input, profile.takes_text, profile.has_memory)
    };
    assert_eq!(told(AppMode::Chat, texts, None), (None, true, true));
    assert_eq!(told(AppMode::Workflow, texts, Some("b")), (Some("b".to_owned()), true, false));
    assert_eq!(told(AppMode::Workflow, texts, None), (None, false, false));
    assert_eq!(told(AppMode::Workflow, texts, Some("c")), (None, false, false));
    assert_eq!(told(AppMode::Completion, "", None), (None, true, false));
    // An app that is not known yet is taken for a chat.
    let unknown = of(&AppInfo::default(), &Operator::default());
    assert!(unknown.takes_text && unknown.has_memory);
    let untold = AppInfo { mode: AppMode::Workflow, ..AppInfo::default() };
    assert!(of(&untold, &Operator::default()).takes_text);
}

#[test]
fn examples_are_what_the_app_would_take_or_none() {
    for (items, expected) in [
        // Only what goes into the text part.
        (r#"{"text-input":{"variable":"a","required":true,"label":"Topic"}}"#, None),
        // Label cut to the length, default, option, and nothing optional that has neither.
        (
            r#"{"text-input":{"variable":"a","required":true,"label":"Überschrift","max_length":4}},
               {"select":{"variable":"b","options":["x","y"],"default":"y"}},{"number":{"variable":"c","default":"5"}},
               {"checkbox":{"variable":"d","required":true,"default":"yes"}},{"paragraph":{"variable":"e"}}"#,
            Some(json!({"a": "Über", "b": "y", "c": 1, "d": true})),
        ),
        // Nothing but optional ones: all of them, without files.
        (
            r#"{"number":{"variable":"c"}},{"json_object":{"variable":"d"}},{"file":{"variable":"f"}}"#,
            Some(json!({"c": 1, "d": {}})),
        ),
        // What nobody can make up.
        (
            r#"{"number":{"variable":"c","required":true}},{"json_object":{"variable":"d","required":true,
               "json_schema":{"type":"object","required":["x"]}}}"#,
            None,
        ),
        (r#"{"select":{"variable":"b","required":true,"options":[]}},{"number":{"variable":"c"}}"#, None),
        // Files: by address where that is allowed, as a kind that is allowed.
        (
            r#"{"file-list":{"variable":"f","required":true,"allowed_file_types":["custom"],
               "allowed_file_extensions":[".BIN"]}}"#,
            Some(json!({"f": [{"type": "custom", "transfer_method": "remote_url",
                "url": "https://example.com/file.bin"}]})),
        ),
        (
            r#"{"file":{"variable":"f","required":true,"allowed_file_upload_methods":["local_file"]}},
               {"number":{"variable":"c","required":true}}"#,
            None,
        ),
    ] {
        let app = app(AppMode::Workflow, items);
        let profile = of(&app, &Operator::default());
        assert_eq!(data(&app, &profile).first(), expected.as_ref(), "{items}");
    }
}

#[test]
fn questions_come_first_and_are_bounded() {
    let questions: Vec<String> =
        (0..20).map(|number| format!(" q{number} ")).chain([" ".to_owned()]).collect();
    let questions = [vec!["x".repeat(MAX_QUESTION + 1)], questions].concat();
    let parameters = json!({"suggested_questions": questions,
        "user_input_form": [{"number": {"variable": "n", "required": true}}]});
    let app = AppInfo::of_answers(AppMode::Chat, "1.14.2", b"{}", parameters.to_string().as_bytes());
    let profile = of(&app, &Operator::default());
    assert_eq!((profile.examples.len(), profile.examples[0].as_str()), (11, "q0"));
    assert_eq!(profile.examples[10], r#"{"n":1}"#);
}

#[test]
fn media_types_are_those_of_files_that_the_app_takes() {
    let types = |item: &str| {
        let form = Form::of_items(&format!("[{{\"file\":{item}}}]"));
        media_types(form.fields[0].kind.files().unwrap()).join(" ")
    };
    assert_eq!(
        types(r#"{"variable":"f","allowed_file_types":["image"]}"#),
        "image/gif image/jpeg image/png image/svg+xml image/webp"
    );
    assert_eq!(
        types(r#"{"variable":"f","allowed_file_types":["custom"],"allowed_file_extensions":["PDF",".zip"]}"#),
        "application/pdf application/zip"
    );
    assert_eq!(
        types(r#"{"variable":"f","allowed_file_types":["custom"],"allowed_file_extensions":["cad"]}"#),
        "application/octet-stream"
    );
    let any = types(r#"{"variable":"f"}"#);
    assert!(
        any.contains("application/pdf") && any.contains("video/mp4") && !any.contains("application/zip"),
        "{any}"
    );
}

#[test]
fn speech_and_sources_are_among_the_answers_where_they_are_on() {
    let modes = |parameters: &str| {
        let app = AppInfo::of_answers(AppMode::Chat, "1.14.2", b"{}", parameters.as_bytes());
        of(&app, &Operator::default()).output_modes.join(" ")
    };
    assert_eq!(modes("{}"), "text/plain");
    let both = r#"{"retriever_resource":{"enabled":true},"text_to_speech":{"enabled":true}}"#;
    assert_eq!(modes(both), "text/plain application/json audio/mpeg");
}

#[test]
fn large_forms_are_told_in_part() {
    let long = "ä".repeat(2000);
    let field = |number: usize| {
        format!(
            r#"{{"text-input":{{"variable":"v{number}","required":true,"description":"{long}","default":"{long}"}}}}"#
        )
    };
    let some: Vec<String> = (0..50).map(field).collect();
    let app_of_some = app(AppMode::Chat, &some.join(","));
    let profile = of(&app_of_some, &Operator::default());
    assert_eq!((profile.input_lines.len(), profile.input_count), (MAX_LINES, 50));
    assert!(profile.input_lines.iter().all(|line| line.chars().count() <= MAX_LINE + " (required)".len()));
    let told = schema(&profile);
    assert!(told["properties"]["v0"]["default"].is_null());
    assert_eq!(told["properties"]["v0"]["description"].as_str().unwrap().chars().count(), MAX_DESCRIPTION);
    assert_eq!(data(&app_of_some, &profile).len(), 1);

    let many: Vec<String> = (0..500).map(field).collect();
    let profile = of(&app(AppMode::Chat, &many.join(",")), &Operator::default());
    assert!(profile.inputs.is_none() && profile.examples.is_empty());
    assert_eq!(profile.input_count, 500);

    let own =
        format!(r#"{{"json_object":{{"variable":"o","json_schema":{{"title":"{}"}}}}}}"#, "x".repeat(20_000));
    assert!(
        schema(&of(&app(AppMode::Chat, &own), &Operator::default()))["properties"]["o"]["allOf"].is_null()
    );
}
