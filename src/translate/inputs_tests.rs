//! Values from every place, which of them wins, and what is told of the rest.

use proptest::prelude::*;

use super::*;
use crate::core::ids::MessageId;
use crate::core::message::{Part, Role};
use crate::dify::fixture;

fn json(text: &str) -> Json {
    RawValue::from_string(text.to_owned()).unwrap().into()
}

fn data(text: &str) -> Part {
    Part { content: Content::Data(json(text)), filename: None, media_type: None, metadata: None }
}

fn message(metadata: Option<&str>, parts: Vec<Part>) -> Message {
    Message {
        id: MessageId::from("m"),
        role: Role::User,
        parts,
        context_id: None,
        task_id: None,
        metadata: metadata.map(json),
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    }
}

/// topic (text, required), tone (select), words (number), notes (paragraph).
fn topic_form() -> Form {
    Form::of_recording("1.14.2/parameters_chatflow_inputs")
}

/// Settings of a turn whose text has no place among the inputs.
struct Turn {
    locked: Vec<String>,
    slot: TextSlot,
    text: String,
    files: BTreeSet<String>,
}

impl Turn {
    fn new() -> Self {
        Self { locked: Vec::new(), slot: TextSlot::Query, text: String::new(), files: BTreeSet::new() }
    }

    fn text(variable: &str, text: &str) -> Self {
        Self { slot: TextSlot::Input(variable.to_owned()), text: text.to_owned(), ..Self::new() }
    }

    fn resolve<'f>(&self, given: Given<'f>) -> Result<Resolved<'f>, Vec<FieldViolation>> {
        let Self { locked, slot, text, files } = self;
        given.resolve(&Beside { locked, slot, text, files })
    }
}

fn shown(entries: &[(String, Json)]) -> String {
    to_object(entries).get().to_owned()
}

fn names(fields: &[&Field]) -> Vec<String> {
    fields.iter().map(|field| field.variable.clone()).collect()
}

/// The violations, each `field: description`.
fn violations(result: Result<Resolved<'_>, Vec<FieldViolation>>) -> Vec<String> {
    let list = result.expect_err("violations");
    list.iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect()
}

#[test]
fn later_places_win_and_values_stay_as_they_are() {
    let form = topic_form();
    let mut given = Given::new(&form);
    let all = |value: &str| format!(r#"{{"inputs":{{"topic":"{value}"}}}}"#);
    let tell = |given: &Given<'_>, topic: &str| {
        let resolved = Turn::new().resolve(given.clone()).unwrap();
        assert_eq!(shown(&resolved.inputs), format!(r#"{{"topic":"{topic}","words":1.50}}"#));
    };
    given.configured(&[("words".to_owned(), json("1.50")), ("topic".to_owned(), json("\"configured\""))]);
    tell(&given, "configured");
    given.remembered(&json(r#"{"topic":"remembered"}"#), &[]);
    tell(&given, "remembered");
    given.metadata("metadata", Some(&json(&all("params"))));
    tell(&given, "params");
    given.message(&message(Some(&all("message")), vec![]));
    tell(&given, "message");
    let both = format!(r#"{{"inputs":{{"topic":"plain"}},"{URI}":{}}}"#, all("ours"));
    given.message(&message(Some(&both), vec![]));
    tell(&given, "ours");
    given.message(&message(Some(&all("message")), vec![data(r#"{"topic":"data"}"#)]));
    tell(&given, "data");
    given.message(&message(None, vec![data(r#"{"topic":"data"}"#), Part::text("x"), data(&all("wrapped"))]));
    tell(&given, "wrapped");
}

#[test]
fn what_is_missing_is_told_in_the_order_of_the_form() {
    let missing: serde_json::Value =
        serde_json::from_slice(&fixture::recording("0.15.3/chat_error_400_missing_input").body).unwrap();
    assert_eq!(missing["message"], "topic is required in input form");
    let form = topic_form();
    assert_eq!(names(&Turn::new().resolve(Given::new(&form)).unwrap().missing), ["topic"]);
    for (value, is_missing) in [("null", true), ("\"\"", false)] {
        let mut given = Given::new(&form);
        given.message(&message(None, vec![data(&format!(r#"{{"topic":{value},"tone":null}}"#))]));
        let resolved = Turn::new().resolve(given).unwrap();
        assert_eq!(resolved.missing.len(), usize::from(is_missing), "{value}");
        assert!(!shown(&resolved.inputs).contains("tone"));
    }

    let form = Form::of_items(
        r#"[{"number":{"variable":"b","required":true}},{"file":{"variable":"f","required":true}},
            {"text-input":{"variable":"a","required":true,"default":"x"}},{"text-input":{"variable":"c","default":"y"}}]"#,
    );
    let mut given = Given::new(&form);
    given.message(&message(None, vec![data(r#"{"b":"","f":""}"#)]));
    assert_eq!(names(&Turn::new().resolve(given.clone()).unwrap().missing), ["b", "f", "a"]);
    let with_file = Turn { files: BTreeSet::from(["f".to_owned()]), ..Turn::new() };
    assert_eq!(names(&with_file.resolve(given).unwrap().missing), ["b", "a"]);
}

#[test]
fn what_is_wrong_is_told_with_its_path() {
    let form = topic_form();
    let mut given = Given::new(&form);
    given.metadata("metadata", Some(&json(r#"{"inputs":{"words":"many"}}"#)));
    let metadata = format!(r#"{{"{URI}":{{"inputs":{{"tone":"rude"}}}}}}"#);
    given.message(&message(Some(&metadata), vec![Part::text("x"), data(r#"{"topic":5}"#), data("[1]")]));
    assert_eq!(
        violations(Turn::new().resolve(given)),
        [
            "message.parts[2].data: must be a JSON object of the app's inputs".to_owned(),
            "message.parts[1].data.topic: must be a string".to_owned(),
            format!(r#"message.metadata.{URI}.inputs.tone: must be one of: "formal", "casual""#),
            "metadata.inputs.words: must be a number".to_owned(),
        ]
    );
    let mut given = Given::new(&form);
    given.metadata("metadata", Some(&json(&format!(r#"{{"inputs":5,"{URI}":{{"inputs":[]}}}}"#))));
    let told = violations(Turn::new().resolve(given));
    assert_eq!(told, [format!("metadata.{URI}.inputs: must be an object of the app's inputs")]);
    let mut given = Given::new(&form);
    given.message(&message(None, vec![data(r#"{"inputs":{"topic":5}}"#)]));
    assert_eq!(
        violations(Turn::new().resolve(given)),
        ["message.parts[0].data.inputs.topic: must be a string"]
    );
}

#[test]
fn a_wrong_value_inside_a_file_has_its_own_path() {
    let form = Form::of_recording("1.14.2/parameters_workflow_file");
    let mut given = Given::new(&form);
    given.message(&message(None, vec![data(r#"{"more":[{}]}"#)]));
    let told = violations(Turn::new().resolve(given));
    assert!(told[0].starts_with("message.parts[0].data.more[0].transfer_method: is required"), "{told:?}");
}

#[test]
fn what_the_app_does_not_know_is_reported_and_not_sent() {
    let form = topic_form();
    let mut given = Given::new(&form);
    given.configured(&[("nobody".to_owned(), json("1"))]);
    given.remembered(&json(r#"{"gone":1}"#), &[]);
    given.message(&message(None, vec![data(r#"{"zebra":1,"topic":"t","apple":{"x":1},"inputs":3}"#)]));
    let resolved = Turn::new().resolve(given).unwrap();
    assert_eq!(resolved.unused, ["apple", "inputs", "zebra"]);
    assert_eq!(shown(&resolved.inputs), r#"{"topic":"t"}"#);

    let many: BTreeMap<String, u32> = (0..1_000).map(|number| (format!("{number:0>500}"), number)).collect();
    let mut given = Given::new(&form);
    given.message(&message(None, vec![data(&serde_json::to_string(&many).unwrap())]));
    let unused = Turn::new().resolve(given).unwrap().unused;
    assert_eq!((unused.len(), unused[0].chars().count()), (MOST_TOLD, LONGEST_NAME));
}

#[test]
fn an_input_of_the_name_inputs_is_one_like_others() {
    let form =
        Form::of_items(r#"[{"json_object":{"variable":"inputs"}},{"text-input":{"variable":"topic"}}]"#);
    let mut given = Given::new(&form);
    given.message(&message(None, vec![data(r#"{"inputs":{"topic":"t"}}"#)]));
    assert_eq!(shown(&Turn::new().resolve(given).unwrap().inputs), r#"{"inputs":{"topic":"t"}}"#);
}

#[test]
fn locked_inputs_are_the_operators() {
    let form = topic_form();
    let turn = Turn { locked: vec!["topic".to_owned()], ..Turn::new() };
    let defaults = [("topic".to_owned(), json("\"ours\""))];
    let mut given = Given::new(&form);
    given.configured(&defaults);
    given.remembered(&json(r#"{"tone":"casual"}"#), &[]);
    assert_eq!(shown(&turn.resolve(given.clone()).unwrap().inputs), r#"{"topic":"ours","tone":"casual"}"#);
    for value in ["\"mine\"", "null", "5"] {
        let mut given = given.clone();
        given.message(&message(None, vec![data(&format!(r#"{{"topic":{value}}}"#))]));
        let told = violations(turn.resolve(given));
        assert_eq!(told, ["message.parts[0].data.topic: is set by the operator of this agent; leave it out"]);
    }
    // What was remembered before the operator locked it does not count, and nobody can be asked for it.
    let mut given = Given::new(&form);
    given.remembered(&json(r#"{"topic":"mine"}"#), &turn.locked);
    assert!(violations(turn.resolve(given))[0].contains("which the operator has not set"));
}

#[test]
fn the_text_has_one_place() {
    let form = Form::of_recording("1.14.2/parameters_workflow_ok");
    let said = |given: Given<'_>| {
        Turn::text("text", "hi\n\"there\"").resolve(given).map(|r| (shown(&r.inputs), r.unused_text))
    };
    let mut given = Given::new(&form);
    let ours = (r#"{"text":"hi\n\"there\""}"#.to_owned(), false);
    assert_eq!(said(given.clone()).unwrap(), ours);
    given.configured(&[("text".to_owned(), json("\"a\""))]);
    given.remembered(&json(r#"{"text":"b"}"#), &[]);
    assert_eq!(said(given.clone()).unwrap(), ours);
    given.message(&message(None, vec![data(r#"{"text":null}"#)]));
    assert_eq!(said(given.clone()).unwrap(), ours);
    given.message(&message(None, vec![data(r#"{"text":"data"}"#)]));
    assert_eq!(said(given).unwrap(), (r#"{"text":"data"}"#.to_owned(), true));

    assert_eq!(names(&Turn::text("text", " \n").resolve(Given::new(&form)).unwrap().missing), ["text"]);
    let long = "x".repeat(201);
    let told = violations(Turn::text("text", &long).resolve(Given::new(&form)));
    assert_eq!(told, ["message.parts: must have at most 200 characters, and has 201"]);
    for slot in [TextSlot::Nowhere, TextSlot::Ambiguous(vec!["a".to_owned()])] {
        let turn = Turn { slot, text: "hi".to_owned(), ..Turn::new() };
        assert!(turn.resolve(Given::new(&form)).unwrap().unused_text);
    }
    let talk = Turn { text: "hi".to_owned(), ..Turn::new() };
    assert!(!talk.resolve(Given::new(&form)).unwrap().unused_text);
}

#[test]
fn only_what_callers_said_for_good_is_remembered() {
    let form = Form::of_items(
        r#"[{"text-input":{"variable":"text"}},{"text-input":{"variable":"a"}},{"number":{"variable":"b"}},
            {"number":{"variable":"c"}},{"file":{"variable":"f"}},{"checkbox":{"variable":"d"}}]"#,
    );
    let file = r#"{"type":"image","transfer_method":"remote_url","url":"https://h/a.png"}"#;
    let mut given = Given::new(&form);
    given.configured(&[("a".to_owned(), json("\"configured\""))]);
    given.remembered(&json(r#"{"b":1.0,"c":2,"x":3}"#), &[]);
    given.message(&message(None, vec![data(&format!(r#"{{"c":null,"d":"yes","f":{file}}}"#))]));
    let resolved = Turn::text("text", "hi").resolve(given).unwrap();
    assert_eq!(resolved.to_remember().get(), r#"{"b":1.0,"d":true}"#);
    assert_eq!(
        shown(&resolved.inputs),
        format!(r#"{{"text":"hi","a":"configured","b":1.0,"f":{file},"d":true}}"#)
    );
}

#[test]
fn what_no_longer_fits_the_form_is_forgotten() {
    let form = topic_form();
    let mut given = Given::new(&form);
    given.configured(&[("tone".to_owned(), json("\"formal\"")), ("words".to_owned(), json("\"many\""))]);
    given.remembered(&json(r#"{"tone":"rude","topic":5,"notes":"n"}"#), &[]);
    given.remembered(&json("[]"), &[]);
    let resolved = Turn::new().resolve(given).unwrap();
    assert_eq!(shown(&resolved.inputs), r#"{"tone":"formal","notes":"n"}"#);
    assert_eq!(names(&resolved.missing), ["topic"]);
}

#[test]
fn the_files_of_file_parts_join_the_inputs() {
    let form = Form::of_recording("1.14.2/parameters_workflow_file");
    let one = r#"{"type":"image","transfer_method":"remote_url","url":"https://h/a.png"}"#;
    let mut given = Given::new(&form);
    given.message(&message(None, vec![data(&format!(r#"{{"more":[{one}]}}"#))]));
    assert_eq!((given.described_files("more"), given.described_files("doc")), (1, 0));
    let resolved = Turn { files: BTreeSet::from(["doc".to_owned()]), ..Turn::new() }.resolve(given).unwrap();
    let files = [("more".to_owned(), json("{\"b\":1}")), ("doc".to_owned(), json("{\"a\":1}"))];
    assert_eq!(shown(&resolved.complete(&files)), format!(r#"{{"doc":{{"a":1}},"more":[{one},{{"b":1}}]}}"#));
    assert_eq!(shown(&resolved.complete(&[])), format!(r#"{{"more":[{one}]}}"#));

    let mut given = Given::new(&form);
    given.configured(&[("more".to_owned(), json(&format!("[{one}]")))]);
    assert_eq!(given.described_files("more"), 0);
    let turn = Turn { files: BTreeSet::from(["more".to_owned()]), ..Turn::new() };
    let resolved = turn.resolve(given).unwrap();
    assert_eq!(shown(&resolved.complete(&[("more".to_owned(), json("{}"))])), r#"{"more":[{}]}"#);
}

#[test]
fn an_operators_mistakes_are_told() {
    let form = topic_form();
    let defaults = |text: &str| {
        let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
        members.into_iter().map(|(name, value)| (name, Json::from(value))).collect::<Vec<_>>()
    };
    assert!(problems(&form, &defaults(r#"{"tone":"formal","topic":"t"}"#), &["topic".to_owned()]).is_empty());
    let told = problems(
        &form,
        &defaults(r#"{"tone":"rude","x":1,"topic":null}"#),
        &["topic".to_owned(), "y".to_owned()],
    );
    for (sentence, part) in told.iter().zip([
        "\"tone\" is wrong",
        "no input \"x\"",
        "needs the input \"topic\"",
        "no input \"y\"",
    ]) {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert_eq!(told.len(), 4);
}

proptest! {
    #[test]
    fn any_json_can_be_given(text in r#"[\[\]{}"\\udnulltopicwrds0-9:,. -]{0,40}"#) {
        let Ok(any) = RawValue::from_string(text) else { return Ok(()) };
        let any = Json::from(any);
        let form = topic_form();
        let mut given = Given::new(&form);
        given.configured(&[("topic".to_owned(), any.clone())]);
        given.remembered(&any, &[]);
        given.metadata("metadata", Some(&any));
        let inside = json(&format!("{{\"inputs\":{}, \"{URI}\":{}}}", any.get(), any.get()));
        given.metadata("metadata", Some(&inside));
        let part = |json: &Json| data(json.get());
        let topic = json(&format!("{{\"topic\":{}}}", any.get()));
        given.message(&message(Some(any.get()), vec![part(&any), part(&inside), part(&topic)]));
        let _ = Turn::new().resolve(given);
    }
}
