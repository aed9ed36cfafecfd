//! What can be said of a message before a task is made of it: whether the app could take it, and whether its addresses
//! are ones to go to.

use futures_util::future::try_join_all;
use url::Url;

use super::backend::MissingInputs;
use super::means::Means;
use crate::core::backend::{Known, Said};
use crate::core::error::{Error, FieldViolation};
use crate::core::event::Parked;
use crate::core::message::{Content, Message, Part};
use crate::dify::app_info::{AppInfo, AppMode};
use crate::translate::memo::Memo;
use crate::translate::plan::{self, Plan, Request};
use crate::translate::{answer, schema};

/// Whether a message can begin a task.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn message(means: Means<'_>, app: &AppInfo, said: Said<'_>) -> Result<(), Error> {
    if let Some(problem) = app.mode.problem() {
        return Err(Error::UnsupportedOperation(problem));
    }
    modes(&app.mode, said)?;
    if app.mode == AppMode::Unknown {
        // Dify has not told yet what the app is; the turn asks it first.
        return something(said.message);
    }
    let (remembered, has_conversation) = match said.context {
        Known::Nothing | Known::NotYet => (None, false),
        Known::Record(inputs) => (inputs, true),
    };
    let texts = std::collections::BTreeMap::new();
    let request = Request {
        message: said.message,
        metadata: said.metadata,
        answers: &[],
        texts: &texts,
        remembered,
        has_conversation,
    };
    let plan = Plan::of(app, means.operator, &request)?;
    let is_sure = !matches!(said.context, Known::NotYet);
    if means.settings.missing_inputs == MissingInputs::Reject && is_sure && !plan.missing().is_empty() {
        return Err(missing(&plan));
    }
    addresses(means, said.message, &plan.resolved.links).await
}

/// Whether a message answers what a parked turn asks.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn an_answer(
    means: Means<'_>,
    app: &AppInfo,
    parked: &Parked,
    said: Said<'_>,
) -> Result<(), Error> {
    match Memo::read(&parked.memo) {
        Some(Memo::Inputs(asked)) => {
            let text = answer::to_inputs(&asked, said.message)?;
            let links = plan::check_answer(app, means.operator, said.message, said.metadata, text)?;
            addresses(means, said.message, &links).await
        }
        Some(Memo::People(run)) => answer::to_form(&run, said.message).map(drop),
        None => Err(Error::Internal("a parked turn cannot be read".to_owned())),
    }
}

/// The refusal of a message that lacks inputs.
pub(super) fn missing(plan: &Plan<'_>) -> Error {
    let violations = plan.missing().iter().map(|field| {
        let what = format!("is required by the app: {}", schema::sentence(field));
        FieldViolation::new(format!("inputs.{}", field.variable), what)
    });
    Error::InvalidParams(violations.collect())
}

/// Whether a message says anything at all.
fn something(message: &Message) -> Result<(), Error> {
    let is_said = |part: &Part| part.as_text().is_none_or(|text| !text.replace('\0', "").trim().is_empty());
    if message.parts.iter().any(is_said) {
        return Ok(());
    }
    Err(Error::invalid("message.parts", "must have a text part that is not empty"))
}

/// Whether the app can give anything that the caller accepts. Which files an app makes shows only when it makes them.
fn modes(mode: &AppMode, said: Said<'_>) -> Result<(), Error> {
    let accepted = said.accepted;
    let gives_data = *mode == AppMode::Workflow;
    if accepted.takes_text() || accepted.may_take_files() || (gives_data && accepted.takes_data()) {
        return Ok(());
    }
    let gives = if gives_data { "text/plain, application/json and files" } else { "text/plain and files" };
    Err(Error::ContentTypeNotSupported(format!(
        "incompatible content type, not supported here: none of the accepted output modes can be given; this agent \
         gives {gives}"
    )))
}

/// Looks at the addresses that a message names: nothing leads where only the operator may go.
async fn addresses(means: Means<'_>, message: &Message, links: &[(String, String)]) -> Result<(), Error> {
    let parts = message.parts.iter().enumerate().filter_map(|(index, part)| match &part.content {
        Content::Url(url) => Some((format!("message.parts[{index}].url"), url.as_str())),
        _ => None,
    });
    let links = links.iter().map(|(path, url)| (path.clone(), url.as_str()));
    let looking = parts.chain(links).map(|(path, address)| async move {
        let url = Url::parse(address).map_err(|_| Error::invalid(&path, "must be a URL"))?;
        match means.outlets.egress.classify(&url).await {
            Ok(_) => Ok(()),
            Err(why) => Err(Error::invalid(path, format!("is not fetched: {why}"))),
        }
    });
    try_join_all(looking).await.map(drop)
}
