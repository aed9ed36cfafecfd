//! What a turn asks of Dify: the messages of a task, the app's form and the operator's settings in; a text, inputs and
//! files with their places out, or what is missing, or what is wrong. Nothing is uploaded or asked here.

use std::collections::{BTreeMap, BTreeSet};

use super::inputs::{Beside, Given, Resolved};
use super::operator::Operator;
use super::slots::{self, Assignment, CallerFile, Places, Slot};
use super::text_slot::TextSlot;
use super::to_dify;
use crate::core::backend::Told;
use crate::core::error::Error;
use crate::core::facts::FactsUpdate;
use crate::core::message::{Content, Json, Message, Part};
use crate::dify::app_info::AppInfo;
use crate::dify::form::Field;
use crate::dify::mend;

/// What has been said for one turn.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The message that began the task.
    pub message: &'a Message,
    /// The metadata of its request.
    pub metadata: Option<&'a Json>,
    /// What was said since, each time that an input was asked for.
    pub answers: &'a [Told],
    /// Values that texts among the answers gave, by input.
    pub texts: &'a BTreeMap<String, String>,
    /// The inputs that the context remembers.
    pub remembered: Option<&'a Json>,
    /// Whether the turn goes on with a conversation.
    pub has_conversation: bool,
}

/// A turn that Dify can be asked for.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Dify's `query`, for apps that have one.
    pub query: Option<String>,
    /// The inputs, but for the files of file parts.
    pub resolved: Resolved<'a>,
    /// The files of file parts, each with its part.
    pub files: Vec<(&'a Part, Assignment)>,
    /// What the caller is to know of it.
    pub facts: Vec<FactsUpdate>,
    /// What the context is to remember, a JSON object.
    pub remember: Option<Json>,
}

impl<'a> Plan<'a> {
    /// Makes the plan.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] and [`Error::ContentTypeNotSupported`] for what is wrong with the request;
    /// [`Error::UnsupportedOperation`] for what only the operator can mend.
    pub fn of(app: &'a AppInfo, operator: &'a Operator, request: &Request<'a>) -> Result<Self, Error> {
        let slot = operator.slot(app).map_err(Error::UnsupportedOperation)?;
        refuse_data_without_form(app, request)?;
        let text = to_dify::text(request.message)?;
        if let (TextSlot::Ambiguous(names), false) = (&slot, text.trim().is_empty()) {
            return Err(ambiguous(names));
        }
        let mut given = Given::new(&app.form);
        given.configured(&operator.inputs);
        if let Some(remembered) = request.remembered {
            given.remembered(remembered, &operator.locked_inputs);
        }
        for (message, metadata) in request.messages() {
            given.metadata("metadata", metadata);
            given.message(message);
        }
        given.texts(request.texts);
        let files = request.files();
        let places = places(app, operator);
        let described: Vec<CallerFile> = files.iter().map(|(file, _)| file.clone()).collect();
        let assigned = slots::assign(&described, &places, |variable| given.described_files(variable))?;
        let filled: BTreeSet<String> = assigned.iter().filter_map(input_of).collect();
        let beside = Beside { locked: &operator.locked_inputs, slot: &slot, text: &text, files: &filled };
        let mut resolved = given.resolve(&beside).map_err(Error::InvalidParams)?;
        let keeps_first = app.parsed_version().is_some_and(|version| version.keeps_first_inputs());
        let is_kept = keeps_first && request.has_conversation && app.mode.has_conversation();
        if is_kept {
            // Such a Dify has them from the conversation's first turn.
            resolved.missing.clear();
        }
        let query = query(&slot, text, &files)?;
        let mut facts = facts(app, &resolved);
        let remember = remember(&resolved, request.remembered, is_kept, &mut facts);
        let part_of = |assignment: Assignment| {
            let part = files.iter().find(|(file, _)| file.part == assignment.part).map(|(_, part)| *part);
            part.map(|part| (part, assignment))
        };
        let files = assigned.into_iter().filter_map(part_of).collect();
        Ok(Self { query, resolved, files, facts, remember })
    }

    /// What the app needs and nobody has given.
    pub fn missing(&self) -> &[&'a Field] {
        &self.resolved.missing
    }
}

/// Holds the answer to a question for inputs against the app's rules, by itself: whatever it does not give is asked for
/// again. `text` is what its text gives, by input. Gives the addresses that it describes, each with its place.
///
/// # Errors
/// As [`Plan::of`].
pub fn check_answer(
    app: &AppInfo,
    operator: &Operator,
    message: &Message,
    metadata: Option<&Json>,
    text: Option<(String, String)>,
) -> Result<Vec<(String, String)>, Error> {
    let mut given = Given::new(&app.form);
    given.configured(&operator.inputs);
    given.metadata("metadata", metadata);
    given.message(message);
    given.texts(&text.into_iter().collect());
    let files = CallerFile::of_message(message);
    let places = places(app, operator);
    let assigned = slots::assign(&files, &places, |variable| given.described_files(variable))?;
    let filled: BTreeSet<String> = assigned.iter().filter_map(input_of).collect();
    let locked = &operator.locked_inputs;
    let beside = Beside { locked, slot: &TextSlot::Query, text: "", files: &filled };
    given.resolve(&beside).map(|resolved| resolved.links).map_err(Error::InvalidParams)
}

/// Where files can go. Apps without conversations have inputs for files; those of the message are a relic there, for
/// apps that have no such input.
fn places<'a>(app: &'a AppInfo, operator: &'a Operator) -> Places<'a> {
    let has_inputs = app.form.fields.iter().any(|field| field.kind.files().is_some());
    let of_message = app.mode.has_conversation() || !has_inputs;
    Places {
        form: &app.form,
        upload: app.upload.as_ref().filter(|_| of_message),
        limits: app.limits,
        locked: &operator.locked_inputs,
    }
}

impl<'a> Request<'a> {
    /// All messages with the metadata of their requests, oldest first.
    fn messages(&self) -> impl Iterator<Item = (&'a Message, Option<&'a Json>)> {
        let answers = self.answers.iter().map(|told| (&*told.message, told.metadata.as_ref()));
        std::iter::once((self.message, self.metadata)).chain(answers)
    }

    /// The files of all messages. Their parts are counted through: those of the first message keep their numbers.
    fn files(&self) -> Vec<(CallerFile, &'a Part)> {
        let mut files = Vec::new();
        let mut before = 0_usize;
        for (message, _) in self.messages() {
            for mut file in CallerFile::of_message(message) {
                let Some(part) = message.parts.get(file.part) else { continue };
                file.part = file.part.saturating_add(before);
                files.push((file, part));
            }
            before = before.saturating_add(message.parts.len());
        }
        files
    }
}

/// The text for `query`. One without any is refused, unless files came: then their names stand for it, since Dify takes
/// no empty one.
fn query(slot: &TextSlot, text: String, files: &[(CallerFile, &Part)]) -> Result<Option<String>, Error> {
    if *slot != TextSlot::Query {
        return Ok(None);
    }
    if !text.trim().is_empty() {
        return Ok(Some(text));
    }
    if files.is_empty() {
        return Err(Error::invalid("message.parts", "must have a text part that is not empty"));
    }
    let names: Vec<&str> = files.iter().map(|(file, _)| file.filename.as_deref().unwrap_or("file")).collect();
    Ok(Some(names.join(", ")))
}

/// An app without inputs has no use for data; to drop it would lose what the caller said.
fn refuse_data_without_form(app: &AppInfo, request: &Request<'_>) -> Result<(), Error> {
    if !app.has_parameters || !app.form.fields.is_empty() {
        return Ok(());
    }
    let mut parts = request.messages().flat_map(|(message, _)| &message.parts);
    if parts.any(|part| matches!(part.content, Content::Data(_))) {
        return Err(Error::ContentTypeNotSupported(
            "incompatible content type: a data part is not supported by this agent; the app has no inputs"
                .to_owned(),
        ));
    }
    Ok(())
}

fn ambiguous(names: &[String]) -> Error {
    Error::UnsupportedOperation(format!(
        "the app has several inputs for text ({}) and requires none of them, so it is not clear where a text goes; \
         send a data part that names the input, or have the operator set DIFY_QUERY_INPUT",
        names.join(", ")
    ))
}

fn input_of(assignment: &Assignment) -> Option<String> {
    match &assignment.slot {
        Slot::Input(variable) => Some(variable.clone()),
        Slot::Message => None,
    }
}

fn facts(app: &AppInfo, resolved: &Resolved<'_>) -> Vec<FactsUpdate> {
    let mut facts = Vec::new();
    if !app.mode.has_conversation() {
        facts.push(FactsUpdate::NoMemory);
    }
    if !resolved.unused.is_empty() {
        facts.push(FactsUpdate::UnusedInputs(resolved.unused.clone()));
    }
    if resolved.unused_text {
        facts.push(FactsUpdate::UnusedText);
    }
    facts
}

/// What the context remembers from now on; nothing where it stays as it is.
fn remember(
    resolved: &Resolved<'_>,
    before: Option<&Json>,
    is_kept: bool,
    facts: &mut Vec<FactsUpdate>,
) -> Option<Json> {
    let now = resolved.to_remember();
    let unchanged = match before {
        Some(before) => before.get() == now.get(),
        None => now.get() == "{}",
    };
    if unchanged {
        return None;
    }
    if !is_kept {
        return Some(now);
    }
    let members = |json: &Json| -> BTreeMap<String, Json> { mend::read(json.get()).unwrap_or_default() };
    let before = before.map(members).unwrap_or_default();
    let is_new = |name: &str, value: &Json| before.get(name).is_none_or(|known| known.get() != value.get());
    let changed: Vec<String> =
        members(&now).into_iter().filter(|(name, value)| is_new(name, value)).map(|(name, _)| name).collect();
    if !changed.is_empty() {
        facts.push(FactsUpdate::KeptInputs(changed));
    }
    None
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
