//! What the gateway writes of its own, held against the schemas that it publishes; and what they refuse.

use std::cell::RefCell;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::*;
use crate::core::accepted::Accepted;
use crate::core::event::FailureSource;
use crate::core::ids::MessageId;
use crate::core::message::{Message, Part, Role};
use crate::core::progress::Detail;
use crate::dify::form::Form;
use crate::edge::a2a_v1::V1;
use crate::edge::a2a_v03::V03;
use crate::edge::dialect::{Dialect, StreamEnd};
use crate::edge::testing::{self, facts, text};
use crate::translate::answer;
use crate::translate::ask::{Numbered, for_forms, for_inputs};
use crate::translate::memo::PausedRun;

const DOCUMENT: &str = include_str!("../../docs/extensions/dify-v1.md");

/// Every schema that is published, by the name that the document has for it.
const SCHEMAS: [(&str, &str); 8] = [
    ("citations", include_str!("../../docs/extensions/dify-v1/citations.schema.json")),
    ("failure", include_str!("../../docs/extensions/dify-v1/failure.schema.json")),
    ("form", include_str!("../../docs/extensions/dify-v1/form.schema.json")),
    ("form-answer", include_str!("../../docs/extensions/dify-v1/form-answer.schema.json")),
    ("metadata", include_str!("../../docs/extensions/dify-v1/metadata.schema.json")),
    ("missing-inputs", include_str!("../../docs/extensions/dify-v1/missing-inputs.schema.json")),
    ("params", include_str!("../../docs/extensions/dify-v1/params.schema.json")),
    ("request", include_str!("../../docs/extensions/dify-v1/request.schema.json")),
];

fn schema(name: &str) -> Value {
    let (_, text) = SCHEMAS.iter().find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(text).unwrap()
}

fn published(name: &str) -> Validator {
    jsonschema::draft202012::new(&schema(name)).unwrap()
}

/// The same schema, with every member refused that it does not name: what the gateway itself writes is all described.
fn closed(name: &str) -> Validator {
    fn close(schema: &mut Value) {
        let Value::Object(members) = schema else { return };
        if members.get("properties").is_some() && members.get("additionalProperties").is_none() {
            members.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        for (name, inner) in members.iter_mut() {
            match (name.as_str(), inner) {
                ("properties", Value::Object(all)) => all.values_mut().for_each(close),
                ("items" | "additionalProperties", inner) => close(inner),
                _ => {}
            }
        }
    }
    let mut schema = schema(name);
    close(&mut schema);
    jsonschema::draft202012::new(&schema).unwrap()
}

fn holds(validator: &Validator, value: &Value) {
    if let Err(error) = validator.validate(value) {
        panic!("{error} at {}: {value}", error.instance_path());
    }
}

/// Calls `see` for every object of a value.
fn each_object(value: &Value, see: &mut dyn FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            see(members);
            members.values().for_each(|inner| each_object(inner, see));
        }
        Value::Array(list) => list.iter().for_each(|inner| each_object(inner, see)),
        _ => {}
    }
}

/// Everything that a dialect writes of tasks and streams, to a client that wants to see all of it.
fn written(dialect: &dyn Dialect) -> Vec<Value> {
    let view = View { accepted: Accepted::default(), progress: Level::Full, ..View::default() };
    let tasks = [testing::submitted(), testing::completed(), testing::asking(), testing::failed()];
    let mut lines: Vec<String> =
        tasks.iter().map(|task| text(|buf| dialect.task(buf, task, &view))).collect();
    for end in [StreamEnd::Turn, StreamEnd::Task] {
        lines.extend(testing::streamed_as(dialect, end, view.clone()));
    }
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn schemas_are_valid_files_that_stand_alone_and_the_document_names_each() {
    for (name, text) in SCHEMAS {
        let schema: Value = serde_json::from_str(text).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        assert!(!text.contains("\"$ref\""), "{name}");
        let id = if name == "metadata" { URI.to_owned() } else { format!("{URI}:{name}") };
        assert_eq!(schema["$id"], *id);
        assert!(DOCUMENT.contains(&format!("[{name}](dify-v1/{name}.schema.json)")), "{name}");
    }
}

#[test]
fn the_examples_of_the_document_fit_the_schemas() {
    let blocks: Vec<Value> = DOCUMENT
        .split("```json")
        .skip(1)
        .map(|rest| serde_json::from_str(rest.split("```").next().unwrap()).unwrap())
        .collect();
    let (metadata, citations) = (closed("metadata"), closed("citations"));
    let mut seen = Vec::new();
    let mut see = |name: &'static str, value: &Value| {
        holds(&closed(name), value);
        seen.push(name);
    };
    for block in &blocks {
        match block.as_object().unwrap() {
            card if card.contains_key("params") => see("params", &card["params"]),
            failure if failure.contains_key("code") => see("failure", block),
            form if form.contains_key("actions") => see("form", block),
            answer if answer.contains_key("action") => see("form-answer", block),
            asked if asked.contains_key("inputs") => see("missing-inputs", block),
            request if request.contains_key("metadata") => see("request", &request["metadata"][URI]),
            _ => each_object(block, &mut |object| {
                if let Some(ours) = object.get(URI) {
                    holds(&metadata, ours);
                }
                if object.contains_key("citations") {
                    holds(&citations, &Value::Object(object.clone()));
                }
            }),
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["failure", "form", "form-answer", "missing-inputs", "params", "request"]);
    assert_eq!(blocks.len(), seen.len() + 2, "and two of streams");
}

#[test]
fn every_fact_is_in_the_document() {
    let facts = facts();
    let said = text(|buf| {
        let mut object = ObjectWriter::open(buf);
        Metadata { facts: Some(&facts), thought: true, ..Metadata::default() }.write_into(&mut object);
        object.close();
    });
    let said: Value = serde_json::from_str(&said).unwrap();
    let named = schema("metadata");
    for (name, _) in said["metadata"][URI].as_object().unwrap() {
        assert!(DOCUMENT.contains(&format!("| `{name}` |")), "{name}");
    }
    for (name, _) in named["properties"].as_object().unwrap() {
        assert!(DOCUMENT.contains(&format!("| `{name}` |")), "{name}");
        assert!(said["metadata"][URI].get(name).is_some() || name == "progress", "{name} is never written");
    }
}

#[test]
fn what_is_written_of_tasks_and_streams_fits_the_schemas() {
    let (metadata, failure, citations) = (closed("metadata"), closed("failure"), closed("citations"));
    for dialect in [&V1 as &dyn Dialect, &V03] {
        let seen = RefCell::new([0; 4]);
        for value in written(dialect) {
            each_object(&value, &mut |object| {
                let mut seen = seen.borrow_mut();
                if let Some(ours) = object.get(URI) {
                    holds(&metadata, ours);
                    seen[0] += 1;
                    seen[1] += usize::from(ours.get("progress").is_some());
                }
                if object.contains_key("retryable") {
                    holds(&failure, &Value::Object(object.clone()));
                    seen[2] += 1;
                }
                if let Some(data) = object.get("data").filter(|data| data.get("citations").is_some()) {
                    holds(&citations, data);
                    seen[3] += 1;
                }
            });
        }
        let seen = seen.into_inner();
        assert!(seen.iter().all(|count| *count > 0), "{}: {seen:?}", dialect.name());
    }
}

#[test]
fn every_kind_of_step_fits_the_schema() {
    use ProgressKind::{Agent, Human, Iteration, Node, Tool};
    use ProgressState::{Expired, Failed, Finished, Retrying, Started};
    let metadata = closed("metadata");
    for kind in [Agent, Human, Iteration, Node, Tool] {
        for state in [Expired, Failed, Finished, Retrying, Started] {
            let detail = Detail {
                id: Some("s".to_owned()),
                round: Some(0),
                rounds: Some(2),
                elapsed_ms: Some(u64::from(u32::MAX) + 1),
            };
            let step_type = Some("llm".to_owned());
            let title = String::new();
            let progress = Progress { level: Level::Full, kind, title, step_type, state, detail };
            for level in [Level::Brief, Level::Full] {
                let said = text(|buf| {
                    let mut object = ObjectWriter::open(buf);
                    write_progress(&mut object, &progress, level);
                    object.close();
                });
                holds(&metadata, &serde_json::from_str(&said).unwrap());
            }
        }
    }
    let mut wrong = json!({"progress": {"kind": "node", "title": "x", "state": "started"}});
    holds(&metadata, &wrong);
    wrong["progress"]["state"] = json!("waiting");
    assert!(!published("metadata").is_valid(&wrong));
    for wrong in [
        json!({}),
        json!({"memory": true}),
        json!({"citations": []}),
        json!({"elapsedMs": -1}),
        json!({"exceptions": 1}),
        json!({"progress": {"kind": "node"}}),
    ] {
        assert!(!published("metadata").is_valid(&wrong), "{wrong}");
    }
}

#[test]
fn every_source_of_failures_fits_the_schema() {
    let failure = closed("failure");
    for source in [FailureSource::Caller, FailureSource::Dify, FailureSource::Gateway] {
        let said = text(|buf| write_failure(buf, &Failure { source, ..testing::failure() }));
        holds(&failure, &serde_json::from_str(&said).unwrap());
    }
    for own in [Failure::internal(), Failure::shutdown()] {
        holds(&failure, &serde_json::from_str(&text(|buf| write_failure(buf, &own))).unwrap());
    }
    for wrong in [
        json!({"code": "x", "retryable": true}),
        json!({"code": "Bad Code", "retryable": true, "source": "dify"}),
        json!({"code": "x", "retryable": "yes", "source": "dify"}),
        json!({"code": "x", "retryable": true, "source": "model"}),
    ] {
        assert!(!published("failure").is_valid(&wrong), "{wrong}");
    }
}

/// The data parts of a question.
fn data(ask: &crate::core::event::Ask) -> Vec<Value> {
    let data = ask.parts.iter().filter_map(|part| match &part.content {
        crate::core::message::Content::Data(json) => Some(serde_json::from_str(json.get()).unwrap()),
        _ => None,
    });
    data.collect()
}

#[test]
fn questions_for_inputs_fit_the_schema() {
    let validator = closed("missing-inputs");
    for (recording, names) in [
        ("1.14.2/parameters_chatflow_inputs", &["topic", "tone", "words"][..]),
        ("1.14.2/parameters_workflow_file", &["doc", "more"]),
    ] {
        let form = Form::of_recording(recording);
        let fields: Vec<_> = names.iter().map(|name| form.field(name).unwrap()).collect();
        let asked = data(&for_inputs(&fields));
        let [asked] = &asked[..] else { panic!("{asked:?}") };
        holds(&validator, asked);
        jsonschema::draft202012::meta::validate(&asked["inputs"]).unwrap();
        for name in names {
            assert!(asked["inputs"]["properties"][name].is_object(), "{name}");
        }
    }
    assert!(!published("missing-inputs").is_valid(&json!({"inputs": {"type": "object", "properties": {}}})));
}

/// A form with two actions, a field without a default and one with.
fn form() -> Numbered {
    let form = json!({
        "form_id": "f", "node_id": "n", "node_title": "Review", "form_content": "Well?", "form_token": "t",
        "display_in_ui": true, "expiration_time": 1_795_310_752_u64,
        "actions": [{"id": "approve", "title": "Approve"}, {"id": "reject", "title": "Reject"}],
        "inputs": [
            {"output_variable_name": "comment", "type": "paragraph"},
            {"output_variable_name": "tone", "type": "select",
             "option_source": {"value": ["kind", "curt"]}, "default": {"type": "constant", "value": "kind"}},
            {"output_variable_name": "papers", "type": "file-list", "number_limits": 3, "default": {"type": "constant", "value": ""}},
        ],
    });
    Numbered { number: 1, form: serde_json::from_str(&form.to_string()).unwrap() }
}

#[test]
fn forms_fit_the_schema() {
    let validator = closed("form");
    let mut bare = form();
    bare.number = 2;
    bare.form.fields.clear();
    bare.form.expiration_time = None;
    let asked = data(&for_forms(&[form(), bare], None));
    assert_eq!(asked.len(), 2);
    for asked in &asked {
        holds(&validator, asked);
        jsonschema::draft202012::meta::validate(&asked["inputs"]).unwrap();
    }
    assert!(asked[0]["defaults"].is_object() && asked[0]["expiresAt"].is_string());
    for member in ["form", "title", "inputs", "actions"] {
        let mut lacking = asked[0].clone();
        lacking.as_object_mut().unwrap().remove(member);
        assert!(!published("form").is_valid(&lacking), "{member}");
    }
    let mut wrong = asked[0].clone();
    wrong["expiresAt"] = json!("tomorrow");
    assert!(!published("form").is_valid(&wrong));
}

#[test]
fn the_gateway_takes_the_answers_that_the_schema_describes_and_no_others() {
    let validator = published("form-answer");
    let mut only = form();
    only.form.actions.truncate(1);
    only.form.fields.retain(|field| field.name == "tone");
    let run = PausedRun {
        run_id: "r".to_owned(),
        task_id: None,
        conversation_id: None,
        message_id: None,
        forms: vec![Numbered { number: 1, form: only.form }],
        last_number: 1,
        counts: Default::default(),
    };
    for (answer, fits) in [
        (json!({}), true),
        (json!({"action": "approve"}), true),
        (json!({"action": "approve", "inputs": {"tone": "curt"}, "form": 1}), true),
        (json!({"action": null, "inputs": null, "form": null}), true),
        (json!({"action": 1}), false),
        (json!({"inputs": []}), false),
        (json!({"form": "1"}), false),
        (json!({"form": 0}), false),
        (json!({"action": "approve", "comment": "x"}), false),
        (json!([]), false),
        (json!("approve"), false),
    ] {
        assert_eq!(validator.is_valid(&answer), fits, "{answer}");
        let message = Message {
            id: MessageId::from("m"),
            role: Role::User,
            parts: vec![Part::data(testing::json(&answer.to_string()))],
            context_id: None,
            task_id: None,
            metadata: None,
            extensions: Vec::new(),
            reference_task_ids: Vec::new(),
        };
        let taken = answer::to_form(&run, &message);
        assert_eq!(taken.is_ok(), fits, "{answer}: {taken:?}");
    }
}

#[test]
fn wishes_are_those_of_the_schema() {
    let validator = published("request");
    for level in schema("request")["properties"]["progress"]["enum"].as_array().unwrap() {
        let wish = json!({URI: {"progress": level}});
        assert!(wished_level(&testing::json(&wish.to_string())).is_some(), "{wish}");
    }
    for wrong in [json!("FULL"), json!("all"), json!(1), Value::Null] {
        assert!(!validator.is_valid(&json!({ "progress": wrong })), "{wrong}");
        let wish = json!({URI: {"progress": wrong}});
        assert!(wished_level(&testing::json(&wish.to_string())).is_none(), "{wish}");
    }
    for fits in [json!({}), json!({"inputs": {"topic": "x"}}), json!({"input": "doc"}), json!({"later": 1})] {
        holds(&validator, &fits);
    }
}

#[test]
fn facts_that_say_nothing_leave_no_trace() {
    let silent = Facts { conversation_id: Some("c".into()), ..Facts::default() };
    let said = text(|buf| {
        let mut object = ObjectWriter::open(buf);
        Metadata::of_task(&silent).write_into(&mut object);
        object.close();
    });
    assert_eq!(said, "{}");
}
