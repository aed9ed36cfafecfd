//! Dify's rules, type by type; where a real Dify was recorded refusing the same value, its words stand beside ours.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dify::fixture;
use crate::dify::form::Form;

fn raw(text: &str) -> Json {
    RawValue::from_string(text.to_owned()).unwrap().into()
}

fn field(kind: &str, members: &str) -> Field {
    let item = format!(r#"[{{"{kind}":{{"variable":"v"{members}}}}}]"#);
    Form::of_items(&item).fields.remove(0)
}

/// What a value becomes: `Ok("")` is none.
fn outcome(field: &Field, value: &str) -> Result<String, String> {
    match check(field, &raw(value)) {
        Ok(json) => Ok(json.map(|json| json.get().to_owned()).unwrap_or_default()),
        Err(Fault { at, what }) => Err(format!("{at} {what}").trim_start().to_owned()),
    }
}

#[track_caller]
fn passes(field: &Field, values: &[&str]) {
    for value in values {
        assert_eq!(outcome(field, value).as_deref(), Ok(*value), "{field:?}");
    }
}

#[track_caller]
fn becomes(field: &Field, values: &[&str], expected: &str) {
    for value in values {
        assert_eq!(outcome(field, value).as_deref(), Ok(expected), "{value}");
    }
}

#[track_caller]
fn fails(field: &Field, values: &[&str], expected: &str) {
    for value in values {
        let wrong = outcome(field, value).expect_err(value);
        assert!(wrong.contains(expected), "{value}: {wrong}");
    }
}

#[test]
fn what_dify_was_recorded_to_refuse_is_refused() {
    let chatflow = Form::of_recording("0.15.3/parameters_chatflow_inputs");
    let workflow = Form::of_recording("0.15.3/parameters_workflow_file");
    let long = format!("\"{}\"", "t".repeat(300));
    let audio = r#"{"type":"audio","transfer_method":"local_file",
        "upload_file_id":"542b030c-67c0-4309-8229-9695f756aa0e"}"#;
    for (recording, form, variable, value, difys, ours) in [
        (
            "error_400_bad_select",
            &chatflow,
            "tone",
            "\"rude\"",
            "tone in input form must be one of the following: ['formal', 'casual']",
            r#"must be one of: "formal", "casual""#,
        ),
        (
            "error_400_input_too_long",
            &chatflow,
            "topic",
            &long,
            "topic in input form must be less than 200 characters",
            "must have at most 200 characters, and has 300",
        ),
        (
            "error_400_input_wrong_type",
            &chatflow,
            "topic",
            "5",
            "(type 'text-input') topic in input form must be a string",
            "must be a string",
        ),
        (
            "error_400_number_not_number",
            &chatflow,
            "words",
            "\"many\"",
            "words in input form must be a valid number",
            "must be a number",
        ),
        (
            "workflow_file_as_string",
            &workflow,
            "doc",
            "\"hello\"",
            "doc in input form must be a file",
            "must be one file",
        ),
        (
            "workflow_file_wrong_kind",
            &workflow,
            "doc",
            audio,
            "File validation failed for file: hello.txt",
            ".type audio is not allowed by the app",
        ),
    ] {
        let answer: Value =
            serde_json::from_slice(&fixture::recording(&format!("0.15.3/{recording}")).body).unwrap();
        assert_eq!(answer["message"], difys, "{recording}");
        fails(form.field(variable).unwrap(), &[value], ours);
    }
}

#[test]
fn texts_are_strings_of_so_many_code_points() {
    for kind in ["text-input", "paragraph"] {
        let three = field(kind, r#","max_length":3"#);
        passes(&three, &["\"\"", "\" \"", "\"abc\"", "\"éßñ\"", "\"🙂🙂🙂\"", r#""\u00e9\n\"""#]);
        // Three are allowed, though Dify says "less than 3 characters".
        fails(
            &three,
            &["\"abcd\"", "\"🙂🙂🙂🙂\"", "\"e\u{301}e\u{301}\""],
            "at most 3 characters, and has 4",
        );
        fails(&three, &["5", "true", "[]", "{}", r#"["a"]"#], "must be a string");
        becomes(&three, &["null"], "");
        becomes(&three, &[r#""\ud83d""#], "\"\u{fffd}\"");
        passes(&field(kind, ""), &[&format!("\"{}\"", "x".repeat(100_000))]);
        passes(&field(kind, r#","max_length":0"#), &["\"abcd\""]);
    }
}

#[test]
fn options_are_chosen_as_they_are_written() {
    let tone = field("select", r#","options":["formal","Casual",""]"#);
    passes(&tone, &["\"formal\"", "\"Casual\"", "\"\""]);
    fails(&tone, &["\"casual\"", "\"formal \""], r#"must be one of: "formal", "Casual", """#);
    fails(&tone, &["1", "true", r#"["formal"]"#, "{}"], "must be a string");
    fails(&field("select", r#","options":["a"]"#), &["\"\""], "must be one of");
    let many: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let many = field("select", &format!(r#","options":{}"#, json!(many)));
    fails(&many, &["\"x\""], "\"19\", …");
}

#[test]
fn numbers_are_numbers_or_what_python_makes_numbers_of() {
    let words = field("number", "");
    passes(&words, &["5", "-0", "1.50", "1e400", "12345678901234567890.12345678901234567890", "0E-7"]);
    passes(
        &words,
        &["\"5\"", "\" -5 \"", "\"+1_000\"", "\"007\"", "\"1.5\"", "\".5\"", "\"5.\"", "\"1.5e-3\""],
    );
    becomes(&words, &["null", "\"\"", "\"  \""], "");
    fails(
        &words,
        &["\"many\"", "\"1e5\"", "\"1,5\"", "\"0x10\"", "\".\"", "\"1__0\"", "\"_1\"", "\"1.5e\""],
        "a number",
    );
    // Dify answers these with HTTP 500, but for the booleans, which it takes for 0 and 1.
    fails(&words, &["[]", "{}", "[1]", "true", "false"], "must be a number");
}

#[test]
fn checkboxes_become_booleans() {
    let box_ = field("checkbox", "");
    becomes(&box_, &["true", "1", "1.0", "10e-1", "\"true\"", "\" YES \"", "\"on\"", "\"1\""], "true");
    becomes(&box_, &["false", "0", "-0.0", "\"False\"", "\"no\"", "\"off\"", "\"0\""], "false");
    becomes(&box_, &["null", "\"\""], "");
    fails(&box_, &["2", "\"maybe\"", "[]", "{}", "[{}]"], "must be true or false");
}

#[test]
fn objects_match_the_schema_of_the_app() {
    let plain = field("json_object", "");
    passes(&plain, &["{}", r#"{"b":1.50,"a":[]}"#]);
    becomes(&plain, &["null", "\"\""], "");
    fails(&plain, &["[]", "0", "false", "\"{}\"", "[{}]"], "must be a JSON object");

    let schema = r#","json_schema":{"type":"object","properties":{"n":{"type":"integer","minimum":1},
        "s":{"pattern":"^a+$","format":"date"}},"required":["n"],"additionalProperties":false}"#;
    let strict = field("json_object", schema);
    passes(&strict, &[r#"{"n":1}"#, r#"{"n":12345678901234567890,"s":"aaa"}"#]);
    fails(&strict, &[r#"{"n":0}"#], "the app's schema at /n: ");
    fails(&strict, &["{}"], "\"n\" is a required property");
    fails(&strict, &[r#"{"n":1,"s":"b"}"#, r#"{"n":1,"x":2}"#], "does not match the app's schema");
    fails(&strict, &[r#"{"n":1,"s":"\ud800"}"#, r#"{"n":1e999}"#], "cannot be held against");
    let long = outcome(&strict, &format!(r#"{{"n":1,"s":"{}"}}"#, "b".repeat(5_000))).unwrap_err();
    assert!(long.chars().count() < 300, "{long}");
}

#[test]
fn schemas_that_cannot_be_used_are_left_to_dify() {
    for schema in [
        r#"{"type":"nonsense"}"#,
        r#"{"$ref":"https://example.com/schema.json"}"#,
        r#"{"$ref":"file:///etc/passwd"}"#,
        r#"{"properties":{"a":{"pattern":"(?=x)"}}}"#,
    ] {
        passes(&field("json_object", &format!(r#","json_schema":{schema}"#)), &[r#"{"a":"b"}"#]);
    }
    let endless = field("json_object", r##","json_schema":{"$ref":"#"}"##);
    assert!(outcome(&endless, "{}").is_ok());
}

const ID: &str = "542b030c-67c0-4309-8229-9695f756aa0e";

fn file_members() -> &'static str {
    r#","max_length":2,"allowed_file_types":["image","custom"],"allowed_file_extensions":[".bin"],
        "allowed_file_upload_methods":["remote_url","local_file"]"#
}

#[test]
fn a_file_is_one_description_of_a_file() {
    let doc = field("file", file_members());
    let local = format!(r#"{{"type":"image","transfer_method":"local_file","upload_file_id":"{ID}"}}"#);
    let custom = format!(r#"{{"transfer_method":"local_file","upload_file_id":"{ID}"}}"#);
    let remote = r#"{"type":"image","transfer_method":"remote_url","url":"https://h/a.png"}"#;
    passes(&doc, &[&local, &custom, remote]);
    passes(&doc, &[r#"{"type":"custom","transfer_method":"remote_url","remote_url":"http://h/a.BIN?x=1"}"#]);
    becomes(&doc, &["null", "\"\""], "");
    fails(&doc, &["[]", &format!("[{local}]"), "5", "true", "\"hello\""], "must be one file");
    for (wrong, expected) in [
        ("{}", ".transfer_method is required"),
        (r#"{"transfer_method":""}"#, ".transfer_method is required"),
        (
            r#"{"transfer_method":"tool_file","tool_file_id":"x"}"#,
            ".transfer_method must be local_file or remote_url",
        ),
        (r#"{"transfer_method":5}"#, "must be an object whose members are strings"),
        (r#"{"type":"image","transfer_method":"local_file"}"#, ".upload_file_id must be the id"),
        (
            r#"{"type":"image","transfer_method":"local_file","upload_file_id":"1"}"#,
            ".upload_file_id must be the id",
        ),
        (
            r#"{"type":"image","transfer_method":"remote_url","url":""}"#,
            ".url must be an http or https address",
        ),
        (r#"{"type":"image","transfer_method":"remote_url","url":"file:///x"}"#, ".url must be an http"),
        (
            r#"{"type":"audio","transfer_method":"remote_url","url":"https://h/a"}"#,
            ".type audio is not allowed",
        ),
        (
            r#"{"type":"folder","transfer_method":"remote_url","url":"https://h/a"}"#,
            ".type folder is not allowed",
        ),
        (r#"{"transfer_method":"remote_url","url":"https://h/a.exe"}"#, ".type custom is not allowed"),
    ] {
        fails(&doc, &[wrong], expected);
    }
    let by_address = field("file", r#","allowed_file_upload_methods":["remote_url"]"#);
    fails(&by_address, &[&local], ".transfer_method local_file is not allowed");
    fails(&field("file", r#","allowed_file_types":["image"]"#), &[&custom], ".type custom is not allowed");
}

#[test]
fn a_list_of_files_is_a_list_of_descriptions() {
    let more = field("file-list", file_members());
    let one = r#"{"type":"image","transfer_method":"remote_url","url":"https://h/a.png"}"#;
    passes(&more, &["[]", &format!("[{one}]"), &format!("[{one}, {one}]")]);
    becomes(&more, &["null", "\"\""], "");
    fails(&more, &[one, "5", "\"x\"", "[1]", &format!("[{one},null]")], "must be a list of files");
    // Two are allowed, though Dify says "less than 2 files".
    fails(&more, &[&format!("[{one},{one},{one}]")], "must have at most 2 files, and has 3");
    fails(&more, &[&format!("[{one},{{}}]")], "[1].transfer_method is required");
}

#[test]
fn types_of_later_versions_pass() {
    passes(&field("colour", ""), &["\"\"", "5", "[{}]", "{\"a\":1}"]);
}

proptest! {
    #[test]
    fn any_value_has_an_outcome(value in r#"[\[\]{}"\\udnulltrefas0-9:,.e+ -]{0,24}"#, text in ".{0,12}") {
        let string = json!(text).to_string();
        let listed = json!([{"type": text, "transfer_method": text, "url": text}]).to_string();
        let object = json!({"type": "image", "transfer_method": "remote_url", "url": text, "a": text}).to_string();
        for value in [value, string, listed, object] {
            let Ok(value) = RawValue::from_string(value) else { continue };
            let value = Json::from(value);
            for kind in ["text-input", "paragraph", "select", "number", "checkbox", "json_object", "file", "file-list"] {
                let field = field(kind, r#","max_length":5,"options":["a"],"json_schema":{"required":["a"]}"#);
                let _ = check(&field, &value);
            }
        }
    }

    #[test]
    fn lengths_are_counted_in_code_points(text in "[a-zé🙂\u{301}三\0\n]{0,12}", most in 1_usize..12) {
        let field = field("text-input", &format!(r#","max_length":{most}"#));
        let fits = text.chars().count() <= most;
        prop_assert_eq!(check(&field, &json(&text)).is_ok(), fits);
    }

    #[test]
    fn written_numbers_are_numbers(whole in any::<i64>(), real in any::<f32>().prop_filter("finite", |real| real.is_finite())) {
        let field = field("number", "");
        let real = format!("{real:?}");
        passes(&field, &[&whole.to_string(), &format!("\"{whole}\""), &real]);
        if real.contains('.') {
            passes(&field, &[&format!("\"{real}\"")]);
        }
    }
}
