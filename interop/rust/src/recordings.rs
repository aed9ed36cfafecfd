//! The recorded answers of real Dify servers.

use a2a::{Part, PartContent, TaskState};
use anyhow::{Result, ensure};

use crate::answer::text_of;
use crate::judge::{Suite, Wanted, check, expect_equal};
use crate::shown::{Send, as_doubles, fetched, look, said_by_user};

pub async fn run(suite: &Suite) -> usize {
    let mut failed = 0;
    for (case, wanted) in &suite.recordings {
        failed += check(case, recording(suite, case, wanted)).await;
    }
    failed
}

/// Its text, its outputs, its files and its outcome, streamed and as they are kept.
async fn recording(suite: &Suite, case: &str, wanted: &Wanted) -> Result<()> {
    let files = wanted.files.iter().map(|file| file.part()).collect::<Result<Vec<_>>>()?;
    let said = if files.is_empty() { vec![Part::text(format!("replay:{case}"))] } else { files.clone() };
    // the recorded server's address is the stand-in's here
    let text = wanted.text.as_ref().map(|text| text.replace("{dify}", &suite.replay));
    let (told, answer) = Send::new(said).watch(suite).await?;
    expect_equal("the answer", &told.text(), &text)?;
    if let Some(text) = text.as_ref().filter(|_| !wanted.replaced) {
        expect_equal("the joined deltas", &answer.streamed(), text)?;
    }
    if wanted.fails.is_some() {
        expect_equal("the state", &told.state, &TaskState::Failed)?;
        ensure!(!text_of(&told.said).is_empty(), "the failure has no text");
        expect_equal("the failure's code", &told.code, &wanted.fails)?;
    } else {
        expect_equal("the state", &told.state, &TaskState::Completed)?;
    }
    expect_equal("the stored task", &look(suite, &told.id).await?, &told)?;
    if !files.is_empty() {
        expect_equal("what the history says of the user", &said_by_user(suite, &told.id).await?, &files)?;
    }

    let mut names: Vec<&str> = text.iter().map(|_| "answer").collect();
    if let Some(reasoning) = &wanted.reasoning {
        names.push("reasoning");
        expect_equal("the reasoning", &told.artifacts.get("reasoning"), &Some(&vec![Part::text(reasoning)]))?;
    }
    if let Some(outputs) = &wanted.outputs {
        names.push("outputs");
        expect_equal("the outputs", told.outputs()?, &as_doubles(outputs))?;
    }
    for (file, part) in wanted.files.iter().zip(&files) {
        names.push(&file.name);
        let (url, name, media_type) = told.file(&file.name)?;
        expect_equal("the file", &(name, media_type), &(file.name.as_str(), file.media_type.as_str()))?;
        let PartContent::Raw(bytes) = &part.content else { anyhow::bail!("the sent file has no bytes") };
        expect_equal("the fetched file", &fetched(url).await?, &(file.media_type.clone(), bytes.clone()))?;
    }
    names.sort_unstable();
    expect_equal("the names of the artifacts", &told.names(), &names)
}
