//! Plans: what is asked of Dify, what is missing, what is refused, what is remembered and told.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::*;
use crate::core::error::FieldViolation;
use crate::core::ids::MessageId;
use crate::core::message::Role;
use crate::dify::app_info::AppMode;
use crate::dify::file_kind::FileKind;

fn json(text: &str) -> Json {
    RawValue::from_string(text.to_owned()).unwrap().into()
}

fn text(text: &str) -> Part {
    Part::text(text)
}

fn data(text: &str) -> Part {
    Part::data(json(text))
}

fn file(name: &str) -> Part {
    let content = Content::Raw(Bytes::from_static(b"x"));
    Part { content, filename: Some(name.to_owned()), media_type: None, metadata: None }
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

/// What was said to one app, and what is known.
struct Scene {
    app: AppInfo,
    operator: Operator,
    message: Message,
    metadata: Option<Json>,
    answers: Vec<Told>,
    texts: BTreeMap<String, String>,
    remembered: Option<Json>,
    has_conversation: bool,
}

impl Scene {
    /// A recorded app of 1.14.2 that is told these parts.
    fn new(mode: AppMode, app: &str, parts: Vec<Part>) -> Self {
        Self::of(AppInfo::of_recordings(mode, "1.14.2", app), parts)
    }

    /// topic (text, required), tone, words, notes.
    fn chatflow(parts: Vec<Part>) -> Self {
        Self::new(AppMode::AdvancedChat, "chatflow_inputs", parts)
    }

    fn of(app: AppInfo, parts: Vec<Part>) -> Self {
        Self {
            app,
            operator: Operator::default(),
            message: message(parts),
            metadata: None,
            answers: Vec::new(),
            texts: BTreeMap::new(),
            remembered: None,
            has_conversation: false,
        }
    }

    fn answered(mut self, parts: Vec<Part>) -> Self {
        self.answers.push(Told { message: Arc::new(message(parts)), metadata: None });
        self
    }

    fn remembering(mut self, inputs: &str) -> Self {
        self.remembered = Some(json(inputs));
        self
    }

    fn plan(&self) -> Result<Plan<'_>, Error> {
        let request = Request {
            message: &self.message,
            metadata: self.metadata.as_ref(),
            answers: &self.answers,
            texts: &self.texts,
            remembered: self.remembered.as_ref(),
            has_conversation: self.has_conversation,
        };
        Plan::of(&self.app, &self.operator, &request)
    }

    /// The inputs, what is missing, and what is remembered.
    fn told(&self) -> (String, Vec<String>, Option<String>) {
        let plan = self.plan().unwrap();
        let inputs = super::super::inputs::to_object(&plan.resolved.inputs).get().to_owned();
        let missing = plan.missing().iter().map(|field| field.variable.clone()).collect();
        (inputs, missing, plan.remember.map(|json| json.get().to_owned()))
    }

    fn violations(&self) -> Vec<FieldViolation> {
        match self.plan() {
            Err(Error::InvalidParams(violations)) => violations,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_chat_is_asked_with_its_text_and_its_inputs() {
    let scene = Scene::chatflow(vec![text("one"), text("two"), data(r#"{"words":1.0,"topic":"dogs"}"#)]);
    let plan = scene.plan().unwrap();
    assert_eq!(plan.query.as_deref(), Some("one\n\ntwo"));
    let expected = r#"{"topic":"dogs","words":1.0}"#;
    assert_eq!(scene.told(), (expected.to_owned(), Vec::new(), Some(expected.to_owned())));
    assert!(plan.facts.is_empty() && plan.files.is_empty());
}

#[test]
fn a_text_goes_where_the_app_has_a_place_for_it() {
    for (mode, app, input, places) in [
        (AppMode::Workflow, "workflow_ok", "text", 1),
        (AppMode::Completion, "completion", "query", 1),
        (AppMode::Workflow, "workflow_file", "", 0),
    ] {
        let scene = Scene::new(mode, app, vec![text("hi"), file("a.txt")].into_iter().take(1).collect());
        let plan = scene.plan().unwrap();
        assert_eq!(plan.query, None, "{app}");
        assert_eq!(plan.resolved.inputs.len(), places);
        if places == 1 {
            assert_eq!(
                (plan.resolved.inputs[0].0.as_str(), plan.resolved.inputs[0].1.get()),
                (input, "\"hi\"")
            );
        }
        let is_unused = plan.facts.iter().any(|fact| matches!(fact, FactsUpdate::UnusedText));
        assert_eq!(is_unused, places == 0, "{app}");
        assert!(matches!(plan.facts[0], FactsUpdate::NoMemory), "{app}");
        assert!(plan.remember.is_none(), "what was said is of one turn: {app}");
    }
}

#[test]
fn answers_and_their_texts_join_what_was_said_first() {
    let scene = Scene::chatflow(vec![text("tell me"), data(r#"{"tone":"formal"}"#)]);
    assert_eq!(scene.told().1, ["topic"]);
    let mut scene = scene
        .answered(vec![data(r#"{"words":3}"#)])
        .answered(vec![text("for people"), data(r#"{"tone":"casual"}"#)]);
    assert_eq!(scene.told().1, ["topic"]);
    scene.texts.insert("topic".to_owned(), "dogs".to_owned());
    assert_eq!(scene.told().0, r#"{"topic":"dogs","tone":"casual","words":3}"#);
    assert_eq!(
        scene.plan().unwrap().query.as_deref(),
        Some("tell me"),
        "answers are no part of the question"
    );
}

#[test]
fn files_of_answers_keep_apart_from_those_before() {
    let scene = Scene::new(AppMode::Workflow, "workflow_file", vec![data("{}")]);
    assert_eq!(scene.told().1, ["doc"]);
    let scene = scene.answered(vec![file("a.txt")]).answered(vec![text("more"), file("b.png")]);
    let plan = scene.plan().unwrap();
    let told: Vec<_> = plan
        .files
        .iter()
        .map(|(part, assignment)| (part.filename.as_deref().unwrap(), &assignment.slot, assignment.kind))
        .collect();
    let slot = |name: &str| Slot::Input(name.to_owned());
    assert_eq!(
        told,
        [("a.txt", &slot("doc"), FileKind::Document), ("b.png", &slot("more"), FileKind::Image)]
    );
    assert!(plan.missing().is_empty());
}

#[test]
fn a_chat_that_is_given_files_alone_is_asked_with_their_names() {
    let mut nameless = file("x");
    nameless.filename = None;
    nameless.media_type = Some("image/png".to_owned());
    let scene = Scene::new(AppMode::AdvancedChat, "chatflow_echo", vec![file("a.png"), nameless]);
    let plan = scene.plan().unwrap();
    assert_eq!(plan.query.as_deref(), Some("a.png, file"));
    assert!(plan.files.iter().all(|(_, assignment)| assignment.slot == Slot::Message));
    for nothing in [vec![text(" \n")], vec![text("\0")], vec![data(r#"{"topic":"dogs"}"#)]] {
        let violations = Scene::chatflow(nothing).violations();
        assert_eq!(violations[0].field, "message.parts");
    }
}

#[test]
fn data_is_refused_where_it_is_of_no_use_and_let_through_where_that_is_not_known() {
    let scene = Scene::new(AppMode::AdvancedChat, "chatflow_echo", vec![text("x"), data(r#"{"a":1}"#)]);
    assert!(matches!(scene.plan(), Err(Error::ContentTypeNotSupported(_))));
    let unknown = AppInfo { mode: AppMode::AdvancedChat, ..AppInfo::default() };
    let scene = Scene::of(unknown, vec![text("x"), data(r#"{"a":1}"#)]);
    assert!(
        matches!(&scene.plan().unwrap().facts[..], [FactsUpdate::UnusedInputs(names)] if names == &["a"])
    );
}

#[test]
fn what_is_unclear_is_the_operators_affair() {
    let mut scene = Scene::new(AppMode::Workflow, "workflow_ok", vec![text("x")]);
    scene.operator.query_input = Some("nowhere".to_owned());
    assert!(matches!(scene.plan(), Err(Error::UnsupportedOperation(why)) if why.contains("nowhere")));
    let mut scene = Scene::new(AppMode::Workflow, "workflow_ok", vec![data("{}")]);
    scene.operator.locked_inputs = vec!["text".to_owned()];
    assert_eq!(scene.violations()[0].field, "message", "needed, locked, and not set");
    let mut app = AppInfo::of_recordings(AppMode::Workflow, "1.14.2", "workflow_ok");
    let mut other = app.form.fields[0].clone();
    other.variable = "other".to_owned();
    app.form.fields.push(other);
    app.form.fields.iter_mut().for_each(|field| field.required = false);
    let ambiguous = Scene::of(app.clone(), vec![text("x")]);
    assert!(matches!(ambiguous.plan(), Err(Error::UnsupportedOperation(why)) if why.contains("text, other")));
    // Without a text there is no question where it goes.
    assert_eq!(Scene::of(app, vec![data(r#"{"other":"x"}"#)]).told().0, r#"{"other":"x"}"#);
}

#[test]
fn what_is_remembered_is_sent_again_and_kept_only_when_it_changes() {
    let scene = Scene::chatflow(vec![text("x")]).remembering(r#"{"topic":"dogs","words":1.50}"#);
    assert_eq!(scene.told(), (r#"{"topic":"dogs","words":1.50}"#.to_owned(), Vec::new(), None));
    let scene =
        Scene::chatflow(vec![text("x"), data(r#"{"tone":"formal"}"#)]).remembering(r#"{"topic":"dogs"}"#);
    let whole = r#"{"topic":"dogs","tone":"formal"}"#.to_owned();
    assert_eq!(scene.told(), (whole.clone(), Vec::new(), Some(whole)));
    // What the app takes no more is forgotten.
    let scene = Scene::chatflow(vec![text("x"), data(r#"{"topic":"cats"}"#)])
        .remembering(r#"{"gone":1,"tone":"rude","topic":"dogs"}"#);
    let whole = r#"{"topic":"cats"}"#.to_owned();
    assert_eq!(scene.told(), (whole.clone(), Vec::new(), Some(whole)));
}

#[test]
fn the_operators_values_are_sent_and_never_remembered() {
    let mut scene = Scene::chatflow(vec![text("x")]);
    scene.operator.inputs = vec![("topic".to_owned(), json("\"default\""))];
    assert_eq!(scene.told(), (r#"{"topic":"default"}"#.to_owned(), Vec::new(), None));
    scene.operator.locked_inputs = vec!["topic".to_owned()];
    scene.remembered = Some(json(r#"{"topic":"mine"}"#));
    let (inputs, _, remember) = scene.told();
    assert_eq!((inputs.as_str(), remember.as_deref()), (r#"{"topic":"default"}"#, Some("{}")));
}

#[test]
fn a_dify_that_keeps_the_first_inputs_is_not_asked_to_change_them() {
    let old = |parts| {
        let mut scene =
            Scene::of(AppInfo::of_recordings(AppMode::ChatFamily, "0.15.3", "chatflow_inputs"), parts);
        scene.has_conversation = true;
        scene
    };
    let told = |scene: &Scene| {
        let facts = scene.plan().unwrap().facts;
        let kept = facts.into_iter().find_map(|fact| match fact {
            FactsUpdate::KeptInputs(names) => Some(names),
            _ => None,
        });
        (scene.told().1, scene.told().2, kept)
    };
    assert_eq!(told(&old(vec![text("x")])), (Vec::new(), None, None), "it has them already");
    let scene =
        old(vec![text("x"), data(r#"{"topic":"cats","tone":"formal"}"#)]).remembering(r#"{"topic":"dogs"}"#);
    assert_eq!(told(&scene), (Vec::new(), None, Some(vec!["tone".to_owned(), "topic".to_owned()])));
    // Its first turn is like everybody's.
    let mut first = old(vec![text("x")]);
    first.has_conversation = false;
    assert_eq!(told(&first).0, ["topic"]);
    // A workflow has no conversation that could keep anything.
    let mut run =
        Scene::of(AppInfo::of_recordings(AppMode::Workflow, "0.15.3", "workflow_ok"), vec![data("{}")]);
    run.has_conversation = true;
    assert_eq!(told(&run).0, ["text"]);
}

#[test]
fn an_answer_is_checked_by_itself() {
    let app = AppInfo::of_recordings(AppMode::AdvancedChat, "1.14.2", "chatflow_inputs");
    let operator = Operator { locked_inputs: vec!["notes".to_owned()], ..Operator::default() };
    let check = |parts: Vec<Part>, metadata: Option<&str>, text: Option<&str>| {
        let text = text.map(|text| ("topic".to_owned(), text.to_owned()));
        check_answer(&app, &operator, &message(parts), metadata.map(json).as_ref(), text)
    };
    // It need not be all.
    assert!(check(vec![data(r#"{"tone":"formal"}"#)], None, None).unwrap().is_empty());
    assert!(check(vec![text("dogs")], None, Some("dogs")).is_ok());
    for (parts, metadata, said) in [
        (vec![data(r#"{"tone":"rude"}"#)], None, None),
        (vec![text("x")], Some(r#"{"inputs":{"words":"many"}}"#), None),
        (vec![text("x")], None, Some("x".repeat(201))),
    ] {
        let checked = check(parts, metadata, said.as_deref());
        assert!(matches!(checked, Err(Error::InvalidParams(_))), "{checked:?}");
    }
    assert!(matches!(check(vec![file("a.png")], None, None), Err(Error::ContentTypeNotSupported(_))));
    let app = AppInfo::of_recordings(AppMode::Workflow, "1.14.2", "workflow_file");
    let link = r#"{"doc":{"type":"image","transfer_method":"remote_url","url":"https://a.example/b.png"}}"#;
    let links = check_answer(&app, &operator, &message(vec![data(link)]), None, None).unwrap();
    let expected = ("message.parts[0].data.doc".to_owned(), "https://a.example/b.png".to_owned());
    assert_eq!(links, [expected]);
}

#[test]
fn an_answer_cannot_set_what_is_the_operators() {
    let app = AppInfo::of_recordings(AppMode::AdvancedChat, "1.14.2", "chatflow_inputs");
    let operator = Operator { locked_inputs: vec!["notes".to_owned()], ..Operator::default() };
    let answer = message(vec![data(r#"{"topic":"dogs","notes":"mine"}"#)]);
    let checked = check_answer(&app, &operator, &answer, None, None);
    assert!(
        matches!(&checked, Err(Error::InvalidParams(violations)) if violations[0].description.contains("operator")),
        "{checked:?}"
    );
}
