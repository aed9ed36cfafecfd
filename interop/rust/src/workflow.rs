//! The demo app that writes a report from a form.

use a2a::{Part, PartContent, TaskState};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::judge::{Suite, expect_equal};
use crate::shown::{Send, Shown, as_doubles, fetched, look, said_by_user};

const NOTES: &[u8] = b"Tea came to Europe in 1610.\n";

pub async fn run(suite: &Suite) -> usize {
    suite.check("form-and-file", form_and_file(suite)).await
        + suite.check("text-only", text_only(suite)).await
        + suite.check("missing-input", missing_input(suite)).await
        + suite.check("wrong-input", wrong_input(suite)).await
        + suite.check("json-only", json_only(suite)).await
}

fn form(values: Value) -> Send<'static> {
    Send::new(vec![Part::data(values)])
}

/// A whole result: the report in the text, in the outputs and as a file.
async fn expect_report(shown: &Shown, begins: &str, words: usize) -> Result<()> {
    expect_equal("the state", &shown.state, &TaskState::Completed)?;
    expect_equal("the artifacts", &shown.names(), &vec!["answer", "outputs", "report.md"])?;
    let outputs = shown.outputs()?;
    let report = outputs["report"].as_str().context("the outputs have no report")?;
    ensure!(report.starts_with(begins), "the report is {report:?}");
    ensure!(shown.text().is_some_and(|text| text.starts_with(report)), "the text is not the report");
    let (_, body) = report.split_once("\n\n").context("the report is a heading")?;
    let count = body.split_whitespace().count();
    expect_equal("the words that the outputs count", &outputs["words"], &as_doubles(&json!(count)))?;
    ensure!(count <= words, "the report has {count} words");
    let (url, name, media_type) = shown.file("report.md")?;
    expect_equal("the file", &(name, media_type), &("report.md", "text/markdown"))?;
    let file = ("text/markdown".to_owned(), report.as_bytes().to_vec());
    expect_equal("the fetched file", &fetched(url).await?, &file)
}

async fn form_and_file(suite: &Suite) -> Result<()> {
    let file = Part::raw(NOTES.to_vec()).with_filename("notes.txt").with_media_type("text/plain");
    let send = Send::new(vec![Part::data(json!({"topic": "tea", "words": 50})), file.clone()]);
    let (shown, answer) = send.watch(suite).await?;
    ensure!(answer.pieces.len() > 1, "the text came in one piece");
    let account = "# Report: tea\n\nThis report gives an account of tea.";
    let begins = format!("{account} It rests on notes.txt ({} bytes).", NOTES.len());
    expect_report(&shown, &begins, 50).await?;
    expect_equal("the task as it is kept", &look(suite, &shown.id).await?, &shown)?;
    let said = said_by_user(suite, &shown.id).await?;
    let [form, files @ ..] = said.as_slice() else { bail!("the history has nothing of the user") };
    let PartContent::Data(form) = &form.content else { bail!("the form in the history is {form:?}") };
    expect_equal("the form in the history", form, &as_doubles(&json!({"topic": "tea", "words": 50})))?;
    expect_equal("the files in the history", &files.to_vec(), &vec![file])
}

async fn text_only(suite: &Suite) -> Result<()> {
    let shown = Send::new(vec![Part::text("The history of tea")]).wait(suite).await?;
    expect_report(&shown, "# Report: The history of tea\n\n", usize::MAX).await?;
    expect_equal("the keywords", &shown.outputs()?["keywords"], &json!(["the", "history", "tea"]))
}

async fn missing_input(suite: &Suite) -> Result<()> {
    let (waiting, _) = form(json!({"tone": "casual"})).watch(suite).await?;
    let (question, wanted) = waiting.asked()?;
    ensure!(question.contains("topic"), "the text does not name what is missing: {question:?}");
    expect_equal("what is missing", &wanted["inputs"]["required"], &json!(["topic"]))?;
    let (shown, _) = form(json!({"topic": "tea"})).to(&waiting).watch(suite).await?;
    expect_equal("the task", &shown.id, &waiting.id)?;
    // the tone was given before
    expect_report(&shown, "# Report: tea\n\nSo, tea: here is the short of it.", usize::MAX).await
}

async fn wrong_input(suite: &Suite) -> Result<()> {
    form(json!({"topic": "tea", "tone": "rude"})).expect_refused(suite).await
}

async fn json_only(suite: &Suite) -> Result<()> {
    let send = Send { accepted: Some("application/json"), ..form(json!({"topic": "tea", "words": 50})) };
    let (streamed, _) = send.clone().watch(suite).await?;
    for shown in [streamed, send.wait(suite).await?] {
        expect_equal("the state", &shown.state, &TaskState::Completed)?;
        expect_equal("the artifacts", &shown.names(), &vec!["outputs"])?;
        let report = shown.outputs()?["report"].as_str().context("the outputs have no report")?;
        ensure!(report.starts_with("# Report: tea\n\n"), "the report is {report:?}");
    }
    Ok(())
}
