//! Answers to what a task asked: a caller's message in, the form's answer or the input's text out, or what is wrong with
//! it. A message that could be meant in more than one way is refused, and the task goes on waiting.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::memo::{MissingInputs, PausedRun};
use super::to_dify;
use crate::core::error::{Error, FieldViolation};
use crate::core::message::{Content, Json, Message};
use crate::dify::human_answer::FormAnswer;
use crate::dify::mend;

/// What a text among the answers gives: the input it is for, if it is for one.
///
/// # Errors
/// [`Error::InvalidParams`] for a text that could be for several inputs, or an answer that gives nothing.
pub fn to_inputs(memo: &MissingInputs, message: &Message) -> Result<Option<(String, String)>, Error> {
    let text = to_dify::text(message)?;
    let has_more = message.parts.iter().any(|part| !matches!(part.content, Content::Text(_)));
    let text = text.trim();
    match (memo.missing.as_slice(), text.is_empty(), has_more || message.metadata.is_some()) {
        (_, true, true) => Ok(None),
        (_, true, false) => Err(Error::invalid("message.parts", "must give what the task asks for")),
        // Words that go with data are for people.
        (_, false, true) => Ok(None),
        ([only], false, false) => Ok(Some((only.clone(), text.to_owned()))),
        (several, false, false) => Err(Error::invalid(
            "message.parts",
            format!(
                "a text alone could be for any of {}; send a data part that names them",
                several.join(", ")
            ),
        )),
    }
}

/// The form that a message answers, by its place among the run's forms, and its answer.
///
/// # Errors
/// [`Error::InvalidParams`] with all that is wrong with the answer; [`Error::UnsupportedOperation`] when none of the
/// forms can be answered here.
pub fn to_form(run: &PausedRun, message: &Message) -> Result<(usize, FormAnswer), Error> {
    let open: Vec<usize> = (0..run.forms.len()).filter(|index| is_open(run, *index)).collect();
    if open.is_empty() {
        return Err(Error::UnsupportedOperation(
            "the task waits for a person outside of this channel and takes no answer here; it goes on by itself \
             when that person has answered"
                .to_owned(),
        ));
    }
    let data = message.parts.iter().enumerate().find_map(|(index, part)| match &part.content {
        Content::Data(json) => Some((index, json)),
        _ => None,
    });
    match data {
        Some((index, json)) => by_data(run, &open, &format!("message.parts[{index}].data"), json),
        None => by_text(run, &open, message),
    }
}

fn is_open(run: &PausedRun, index: usize) -> bool {
    run.forms.get(index).is_some_and(|numbered| numbered.form.is_answerable())
}

fn by_data(run: &PausedRun, open: &[usize], path: &str, json: &Json) -> Result<(usize, FormAnswer), Error> {
    #[derive(Default, Deserialize)]
    struct Wire {
        #[serde(default)]
        action: Option<Box<RawValue>>,
        #[serde(default)]
        inputs: Option<Box<RawValue>>,
        #[serde(default)]
        form: Option<Box<RawValue>>,
    }
    let shape = "must be an object such as {\"action\": \"…\", \"inputs\": {…}}";
    // A list would be read as the members in their order.
    let object = Some(json.get()).filter(|text| text.starts_with('{'));
    let wire: Wire = object.and_then(mend::read).ok_or_else(|| Error::invalid(path, shape))?;
    let index = which(run, open, &format!("{path}.form"), present(wire.form.as_deref()))?;
    let numbered = run.forms.get(index).ok_or_else(|| Error::invalid(path, shape))?;
    let action = match present(wire.action.as_deref()) {
        None => None,
        Some(action) => Some(
            mend::read::<String>(action.get())
                .ok_or_else(|| Error::invalid(format!("{path}.action"), "must be the id of an action"))?,
        ),
    };
    let values: BTreeMap<String, Box<RawValue>> = match present(wire.inputs.as_deref()) {
        None => BTreeMap::new(),
        Some(inputs) => mend::read(inputs.get()).ok_or_else(|| {
            Error::invalid(format!("{path}.inputs"), "must be an object of the form's fields")
        })?,
    };
    let values: Vec<(String, Arc<RawValue>)> =
        values.into_iter().map(|(name, value)| (name, Arc::from(value))).collect();
    let answer = numbered.form.read_data(action.as_deref(), &values).map_err(|violations| {
        let violations = violations.into_iter();
        let with_path = |violation: crate::dify::human_answer::Violation| {
            FieldViolation::new(format!("{path}.{}", violation.field), violation.problem)
        };
        Error::InvalidParams(violations.map(with_path).collect())
    })?;
    Ok((index, answer))
}

fn present(json: Option<&RawValue>) -> Option<&RawValue> {
    json.filter(|json| json.get() != "null")
}

/// The place of the form that an answer is for.
fn which(run: &PausedRun, open: &[usize], path: &str, named: Option<&RawValue>) -> Result<usize, Error> {
    let numbers = || {
        let numbers = open.iter().filter_map(|index| run.forms.get(*index));
        numbers.map(|numbered| numbered.number.to_string()).collect::<Vec<_>>().join(", ")
    };
    let Some(named) = named else {
        return match open {
            [only] => Ok(*only),
            _ => Err(Error::invalid(path, format!("is required, since several forms wait: {}", numbers()))),
        };
    };
    let number: Option<u32> = serde_json::from_str(named.get()).ok();
    let is_named = |index: &&usize| run.forms.get(**index).is_some_and(|form| Some(form.number) == number);
    match open.iter().find(is_named) {
        Some(index) => Ok(*index),
        None => Err(Error::invalid(path, format!("must be the number of a form that waits: {}", numbers()))),
    }
}

fn by_text(run: &PausedRun, open: &[usize], message: &Message) -> Result<(usize, FormAnswer), Error> {
    let text = to_dify::text(message)?;
    let path = "message.parts";
    if text.trim().is_empty() {
        return Err(Error::invalid(path, "must answer the form: with a data part, or with a text"));
    }
    let [index] = open else {
        return Err(Error::invalid(
            path,
            "several forms wait, so a text alone could be for any of them; send a data part with \"form\"",
        ));
    };
    let Some(numbered) = run.forms.get(*index) else {
        return Err(Error::Internal("a form is gone".to_owned()));
    };
    match numbered.form.read_text(&text) {
        Ok(answer) => Ok((*index, answer)),
        Err(doubt) => Err(Error::invalid(
            path,
            format!("{doubt}; answer with a data part {{\"action\": \"…\", \"inputs\": {{…}}}}"),
        )),
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
