//! What is wrong between an app and the settings: what Dify tells of the app and what the operator has set in, problems
//! with their remedies out.

use super::check::Problem;
use crate::app;
use crate::config::Dify;
use crate::dify::app_info::{AppInfo, AppMode};
use crate::translate::inputs;
use crate::translate::text_slot::TextSlot;

/// The first version that runs any other but the newest published version of an app.
const PINNING: (u32, u32, u32) = (1, 7, 2);

fn problem(wrong: impl Into<String>, mend: impl Into<String>) -> Problem {
    Problem { wrong: wrong.into(), mend: mend.into() }
}

/// What keeps turns from working.
pub(super) fn problems(info: &AppInfo, dify: &Dify) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(wrong) = pinned_in_vain(info, dify) {
        problems.push(problem(wrong, "leave DIFY_WORKFLOW_ID out"));
    }
    if !info.has_parameters {
        // Nothing is known of the inputs.
        return problems;
    }
    match app::operator(dify).slot(info) {
        Err(wrong) => problems.push(problem(wrong, "correct DIFY_QUERY_INPUT, or leave it out")),
        Ok(TextSlot::Ambiguous(names)) => problems.push(problem(
            format!(
                "it is not clear which input takes the caller's text: the app requires none of {}",
                names.join(", ")
            ),
            format!("set DIFY_QUERY_INPUT to one of {}", names.join(", ")),
        )),
        Ok(TextSlot::Input(_) | TextSlot::Nowhere | TextSlot::Query) => {}
    }
    for wrong in inputs::problems(&info.form, &dify.inputs.0, &dify.locked_inputs) {
        problems.push(problem(
            wrong,
            "correct DIFY_INPUTS and DIFY_LOCKED_INPUTS (in TOML dify.inputs and dify.locked_inputs)",
        ));
    }
    problems
}

/// Why the app has no version of that id to run.
fn pinned_in_vain(info: &AppInfo, dify: &Dify) -> Option<String> {
    dify.workflow_id.as_ref()?;
    let mode = info.mode.name();
    if !matches!(
        info.mode,
        AppMode::AdvancedChat | AppMode::ChatFamily | AppMode::Unknown | AppMode::Workflow
    ) {
        return Some(format!("DIFY_WORKFLOW_ID is set, but an app of the mode {mode} has no workflow"));
    }
    let (major, minor, patch) = PINNING;
    let version = info.parsed_version().filter(|version| !version.is_since(major, minor, patch))?;
    Some(format!(
        "DIFY_WORKFLOW_ID is set, but Dify {}.{}.{} runs the newest version only; others since {major}.{minor}.{patch}",
        version.major, version.minor, version.patch
    ))
}

/// What has no effect, or may surprise.
pub(super) fn doubts(info: &AppInfo, dify: &Dify) -> Vec<Problem> {
    let mut doubts = Vec::new();
    if !info.has_parameters && info.problems.is_empty() {
        doubts.push(problem(
            "Dify did not tell the app's inputs, files and features, so nothing can be said about them",
            "see that /parameters of the Dify API can be read, and look again",
        ));
    }
    if dify.suggested && !info.mode.has_conversation() {
        doubts.push(problem(
            "SUGGESTED is on, but only apps with conversations suggest questions",
            "leave it out",
        ));
    } else if dify.suggested && info.has_parameters && !info.features.suggested_questions_after_answer {
        doubts.push(problem(
            "SUGGESTED is on, but the app has its follow-up questions switched off",
            "switch \"Follow-up\" on among the app's features in Dify, and publish it; or leave SUGGESTED out",
        ));
    }
    if dify.query_input.is_some() && info.mode.has_conversation() {
        doubts.push(problem(
            "DIFY_QUERY_INPUT is set, but this app takes the caller's text as its query",
            "leave it out",
        ));
    }
    doubts
}
