//! Files of every kind on their way to every kind of app.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::core::ids::MessageId;
use crate::core::message::Role;

fn file(part: usize, filename: &str) -> CallerFile {
    CallerFile {
        part,
        filename: Some(filename.to_owned()),
        media_type: None,
        size: Some(10),
        is_url: false,
        input: None,
    }
}

fn named(part: usize, filename: &str, input: &str) -> CallerFile {
    CallerFile { input: Some(input.to_owned()), ..file(part, filename) }
}

fn files(names: &[&str]) -> Vec<CallerFile> {
    names.iter().enumerate().map(|(part, name)| file(part, name)).collect()
}

/// An app: its form and what messages may bring.
struct App {
    form: Form,
    upload: Option<FileRules>,
    limits: Limits,
    locked: Vec<String>,
    described: Vec<(&'static str, usize)>,
}

impl App {
    fn new(form: Form, upload: Option<FileRules>) -> Self {
        Self { form, upload, limits: Limits::default(), locked: Vec::new(), described: Vec::new() }
    }

    /// doc (file: image, document, .txt, .bin; required), more (file-list: image, document; at most 3).
    fn workflow() -> Self {
        Self::new(Form::of_recording("1.14.2/parameters_workflow_file"), None)
    }

    fn chat(types: &[FileKind], max_count: u32) -> Self {
        let rules = FileRules { types: types.to_vec(), max_count: Some(max_count), ..FileRules::default() };
        Self::new(Form::default(), Some(rules))
    }

    fn assign(&self, files: &[CallerFile]) -> Result<Vec<Assignment>, Error> {
        let places = Places {
            form: &self.form,
            upload: self.upload.as_ref(),
            limits: self.limits,
            locked: &self.locked,
        };
        assign(files, &places, |name| {
            self.described.iter().find(|(described, _)| *described == name).map_or(0, |(_, count)| *count)
        })
    }

    /// Where each file went: `doc`, `more`, or `-` for the message.
    fn slots(&self, files: &[CallerFile]) -> Vec<String> {
        let name = |assignment: Assignment| match assignment.slot {
            Slot::Message => "-".to_owned(),
            Slot::Input(name) => name,
        };
        self.assign(files).unwrap().into_iter().map(name).collect()
    }

    #[track_caller]
    fn refuses(&self, files: &[CallerFile], expected: &str) {
        let error = self.assign(files).unwrap_err();
        let Error::ContentTypeNotSupported(sentence) = error else { panic!("{error:?}") };
        assert!(sentence.contains(expected), "{sentence}");
    }

    #[track_caller]
    fn finds_wrong(&self, files: &[CallerFile], field: &str, expected: &str) {
        let error = self.assign(files).unwrap_err();
        let Error::InvalidParams(violations) = error else { panic!("{error:?}") };
        let told = violations.iter().find(|violation| violation.field == field);
        assert!(told.is_some_and(|told| told.description.contains(expected)), "{violations:?}");
    }
}

#[test]
fn required_inputs_come_first_then_the_message_then_the_others() {
    let workflow = App::workflow();
    assert_eq!(workflow.slots(&files(&["a.txt", "b.png", "c.pdf"])), ["doc", "more", "more"]);
    assert_eq!(workflow.slots(&files(&["a.bin", "b.png"])), ["doc", "more"]);
    let mut chatflow = App::workflow();
    chatflow.upload = App::chat(&[FileKind::Image, FileKind::Document], 1).upload;
    assert_eq!(chatflow.slots(&files(&["a.txt", "b.png", "c.pdf"])), ["doc", "-", "more"]);
    assert_eq!(App::chat(&[FileKind::Image], 3).slots(&files(&["a.png", "b.svg"])), ["-", "-"]);
    assert_eq!(App::chat(&[], 3).slots(&[]), [""; 0]);

    let form = Form::of_items(
        r#"[{"file":{"variable":"a"}},{"file-list":{"variable":"b","required":true,"max_length":2}},
            {"file":{"variable":"c","required":true}}]"#,
    );
    let app = App::new(form, None);
    assert_eq!(app.slots(&files(&["1.png", "2.png", "3.png", "4.png"])), ["b", "c", "b", "a"]);
}

#[test]
fn a_file_goes_to_the_input_that_it_names() {
    let workflow = App::workflow();
    let files = [file(0, "a.txt"), named(1, "b.png", "doc")];
    assert_eq!(workflow.slots(&files), ["more", "doc"]);
    let files = [named(0, "a.png", "more"), file(1, "b.bin")];
    assert_eq!(workflow.slots(&files), ["more", "doc"]);
    let path = "message.parts[0].metadata.input";
    workflow.finds_wrong(&[named(0, "a.png", "x")], path, "does not have; files go to doc, more");
    workflow.refuses(&[named(0, "a.mp3", "more")], "the input \"more\" takes image, document");
    let twice = [named(0, "a.png", "doc"), named(1, "b.png", "doc")];
    workflow.finds_wrong(&twice, "message.parts[1].metadata.input", "takes one file, and has one already");
    let many: Vec<_> = (0..4).map(|part| named(part, "a.png", "more")).collect();
    workflow.finds_wrong(&many, "message.parts[3].metadata.input", "takes at most 3 files");

    let mut mixed = App::workflow();
    mixed.form = Form::of_items(
        r#"[{"text-input":{"variable":"t"}},{"file":{"variable":"f"}},{"file":{"variable":"g"}}]"#,
    );
    mixed.locked = vec!["g".to_owned()];
    mixed.finds_wrong(&[named(0, "a.png", "t")], path, "of the type text-input and takes no file");
    mixed.finds_wrong(&[named(0, "a.png", "g")], path, "set by the operator");
    mixed.finds_wrong(&files_of(2), "message.parts[1]", "one file too many: the input \"f\" takes at most 1");
}

fn files_of(count: usize) -> Vec<CallerFile> {
    (0..count).map(|part| file(part, "a.png")).collect()
}

#[test]
fn what_was_described_in_data_takes_its_place() {
    let mut workflow = App::workflow();
    workflow.described = vec![("doc", 1), ("more", 2)];
    assert_eq!(workflow.slots(&files(&["a.png"])), ["more"]);
    workflow.finds_wrong(&files(&["a.png", "b.png"]), "message.parts[1]", "one file too many");
    workflow.finds_wrong(&[named(0, "a.png", "doc")], "message.parts[0].metadata.input", "has one already");
}

#[test]
fn apps_without_upload_refuse_files_instead_of_dropping_them() {
    App::new(Form::default(), None)
        .refuses(&files(&["a.png"]), "(a.png) cannot be given to this agent: the app takes no files");
    let form = Form::of_recording("1.14.2/parameters_chatflow_inputs");
    App::new(form, None).refuses(&files(&["a.png"]), "takes no files");
}

#[test]
fn kinds_and_endings_that_the_app_does_not_take_are_refused() {
    App::chat(&[FileKind::Image], 3).refuses(
        &files(&["a.pdf"]),
        "a file of the kind document (a.pdf) is not taken by the app: the message takes image",
    );
    App::workflow().refuses(&files(&["a.exe"]), "a .exe file (a.exe)");
    App::workflow().refuses(&files(&["a.mp3"]), "kind audio (a.mp3)");
    let nameless = CallerFile { filename: None, ..file(0, "") };
    App::workflow().refuses(std::slice::from_ref(&nameless), "a file of no known kind is not taken");
    let png = CallerFile { media_type: Some("image/png".to_owned()), ..nameless };
    assert_eq!(App::workflow().assign(&[png]).unwrap()[0].kind, FileKind::Image);
    assert_eq!(App::workflow().assign(&files(&["a.BIN"])).unwrap()[0].kind, FileKind::Custom);
}

#[test]
fn too_many_and_too_large_files_are_wrong_fields() {
    let chat = App::chat(&[FileKind::Image], 3);
    chat.finds_wrong(&files_of(4), "message.parts[3]", "one file too many: the message takes at most 3");
    let mut chat = App::chat(&[], 100);
    chat.limits.files = 10;
    assert_eq!(chat.slots(&files_of(10)).len(), 10);
    chat.finds_wrong(&files_of(11), "message.parts", "at most 10 files, and has 11");
    for (name, limit) in [("a.png", 10), ("a.pdf", 15), ("a.mp3", 50), ("a.mp4", 100)] {
        let sized = |size| CallerFile { size, ..file(0, name) };
        let most = limit * 1_048_576;
        assert_eq!(chat.assign(&[sized(Some(most))]).unwrap()[0].max_bytes, most);
        assert!(chat.assign(&[sized(None)]).is_ok());
        chat.finds_wrong(&[sized(Some(most + 1))], "message.parts[0]", &format!("at most {most}"));
    }
    // A list of its own may have no bound; what is described in data counts too.
    let form = Form::of_items(r#"[{"file-list":{"variable":"l"}}]"#);
    let mut app = App::new(form, None);
    assert_eq!(app.slots(&files_of(10)).len(), 10);
    app.described = vec![("l", 9)];
    app.finds_wrong(&files_of(2), "message.parts", "at most 10 files, and has 11");
}

#[test]
fn the_way_to_dify_is_one_that_the_app_allows() {
    let mut app = App::chat(&[FileKind::Image], 3);
    let url = CallerFile { is_url: true, size: None, ..file(0, "a.png") };
    let bytes = file(0, "a.png");
    let mut ways = |methods: &[Method], file: &CallerFile| {
        app.upload.as_mut().unwrap().methods = methods.to_vec();
        app.assign(std::slice::from_ref(file)).map(|done| (done[0].may_upload, done[0].may_link))
    };
    assert_eq!(ways(&[], &url).unwrap(), (true, true));
    assert_eq!(ways(&[], &bytes).unwrap(), (true, false));
    assert_eq!(ways(&[Method::LocalFile], &url).unwrap(), (true, false));
    assert_eq!(ways(&[Method::RemoteUrl], &url).unwrap(), (false, true));
    let refusal = ways(&[Method::RemoteUrl], &bytes).unwrap_err().to_string();
    assert!(refusal.contains("the message takes image by URL only"), "{refusal}");
}

#[test]
fn the_files_of_a_message_are_its_raw_and_url_parts() {
    let part = |content, filename: Option<&str>, metadata: Option<&str>| Part {
        content,
        filename: filename.map(str::to_owned),
        media_type: None,
        metadata: metadata.map(|text| RawValue::from_string(text.to_owned()).unwrap().into()),
    };
    let raw = || Content::Raw(Bytes::from_static(b"abc"));
    let ours = format!(r#"{{"input":"plain","{URI}":{{"input":"doc"}}}}"#);
    let message = Message {
        id: MessageId::from("m"),
        role: Role::User,
        parts: vec![
            Part::text("hi"),
            part(raw(), Some("a.bin"), Some(&ours)),
            part(Content::Url("https://h/x/b.png?y=1".to_owned()), None, Some(r#"{"input":"plain"}"#)),
            part(Content::Url("https://h/".to_owned()), None, Some(r#"{"input":5}"#)),
        ],
        context_id: None,
        task_id: None,
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    };
    let files = CallerFile::of_message(&message);
    let shown: Vec<_> = files
        .iter()
        .map(|file| (file.part, file.filename.as_deref(), file.size, file.is_url, file.input.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            (1, Some("a.bin"), Some(3), false, Some("doc")),
            (2, Some("b.png"), None, true, Some("plain")),
            (3, None, None, true, None),
        ]
    );
}

proptest! {
    #[test]
    fn every_file_has_one_place_or_the_request_is_refused(
        given in proptest::collection::vec((".{0,3}", 0_usize..5, proptest::option::of(0_usize..3)), 0..8),
    ) {
        let app = App { upload: App::chat(&[FileKind::Image, FileKind::Audio], 2).upload, ..App::workflow() };
        let files: Vec<CallerFile> = given
            .iter()
            .enumerate()
            .map(|(part, (name, ending, input))| CallerFile {
                input: input.map(|index| ["doc", "more", "x"][index].to_owned()),
                ..file(part, &format!("{name}.{}", ["png", "txt", "bin", "mp3", "exe"][*ending]))
            })
            .collect();
        if let Ok(done) = app.assign(&files) {
            let parts: Vec<usize> = done.iter().map(|assignment| assignment.part).collect();
            prop_assert_eq!(parts, (0..files.len()).collect::<Vec<_>>());
            for (slot, most) in [(Slot::Message, 2), (Slot::Input("doc".to_owned()), 1), (Slot::Input("more".to_owned()), 3)] {
                prop_assert!(done.iter().filter(|assignment| assignment.slot == slot).count() <= most);
            }
        }
    }
}
