//! The recorded answers of real Dify servers.

use a2a::{GetTaskRequest, TaskState};
use anyhow::{Context as _, Result, ensure};

use crate::answer::{answer_of, message_text};
use crate::judge::{Suite, Wanted, check, expect_equal};

pub async fn run(suite: &Suite) -> usize {
    let mut failed = 0;
    for (case, wanted) in &suite.recordings {
        failed += check(case, recording(suite, case, wanted)).await;
    }
    failed
}

async fn recording(suite: &Suite, case: &str, wanted: &Wanted) -> Result<()> {
    let told = suite.stream(&format!("replay:{case}"), None).await?.finish().await?;
    expect_equal("the answer", &told.answer.text(), &wanted.text)?;
    if !wanted.replaced {
        expect_equal("the joined deltas", &told.answer.streamed(), &wanted.text)?;
    }
    if let Some(code) = &wanted.fails {
        expect_equal("the state", &told.status.state, &TaskState::Failed)?;
        let failure = told.status.message.as_ref().context("the failure has no message")?;
        ensure!(!message_text(failure).is_empty(), "the failure has no text");
        let told = failure.metadata.as_ref().and_then(|metadata| metadata.get("code")?.as_str());
        expect_equal("the failure's code", &told, &Some(code.as_str()))?;
    } else {
        expect_equal("the state", &told.status.state, &TaskState::Completed)?;
    }
    let request = GetTaskRequest { id: told.task_id, history_length: None, tenant: None };
    let stored = suite.client().await?.get_task(&request).await?;
    expect_equal("the stored answer", &answer_of(&stored)?, &wanted.text)
}
