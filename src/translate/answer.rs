//! Answers to what a task asked: a caller's message in, the form's answer or the input's text out, or what is wrong with
//! it. A message that could be meant in more than one way is refused, and the task goes on waiting. An answer to a form
//! cannot be taken back, so nothing of it is guessed, and nothing is left out.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
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
    let mut data = None;
    let mut violations = Vec::new();
    for (index, part) in message.parts.iter().enumerate() {
        let path = format!("message.parts[{index}]");
        match &part.content {
            Content::Text(_) => {}
            Content::Data(json) if data.is_none() => data = Some((format!("{path}.data"), json)),
            Content::Data(_) => violations.push(FieldViolation::new(
                format!("{path}.data"),
                "must not be there, since an answer is one data part".to_owned(),
            )),
            Content::Raw(_) | Content::Url(_) | Content::Served(_) => violations.push(FieldViolation::new(
                path,
                "must not be there, since a form takes no files as parts; name their addresses in \"inputs\""
                    .to_owned(),
            )),
        }
    }
    if !violations.is_empty() {
        return Err(Error::InvalidParams(violations));
    }
    let Some((path, json)) = data else { return by_text(run, &open, message) };
    let (index, answer) = by_data(run, &open, &path, json)?;
    let text = to_dify::text(message)?;
    let meant = run.forms.get(index).and_then(|numbered| numbered.form.action_of_text(&text));
    // Words that go with data are for people, unless they decide otherwise.
    if !text.trim().is_empty() && meant.is_some_and(|meant| meant != answer.action) {
        return Err(Error::invalid("message.parts", "must not name one action as text and another as data"));
    }
    Ok((index, answer))
}

fn is_open(run: &PausedRun, index: usize) -> bool {
    run.forms.get(index).is_some_and(|numbered| numbered.form.is_answerable())
}

fn by_data(run: &PausedRun, open: &[usize], path: &str, json: &Json) -> Result<(usize, FormAnswer), Error> {
    let shape = "must be an object such as {\"action\": \"…\", \"inputs\": {…}}";
    let Members(members) = mend::read(json.get()).ok_or_else(|| Error::invalid(path, shape))?;
    let mut violations = Vec::new();
    let (mut action, mut inputs, mut form) = (None, None, None);
    for (name, value) in &members {
        let place = match name.as_str() {
            "action" => &mut action,
            "inputs" => &mut inputs,
            "form" => &mut form,
            _ => {
                let problem = "is not known; an answer has \"action\", \"inputs\" and \"form\"";
                violations.push(FieldViolation::new(format!("{path}.{name}"), problem.to_owned()));
                continue;
            }
        };
        if place.replace(&**value).is_some() {
            violations.push(FieldViolation::new(format!("{path}.{name}"), TWICE.to_owned()));
        }
    }
    let index = which(run, open, &format!("{path}.form"), present(form))?;
    let numbered = run.forms.get(index).ok_or_else(|| Error::invalid(path, shape))?;
    let action = match present(action) {
        None => None,
        Some(action) => Some(
            mend::read::<String>(action.get())
                .ok_or_else(|| Error::invalid(format!("{path}.action"), "must be the id of an action"))?,
        ),
    };
    let Members(values) = match present(inputs) {
        None => Members(Vec::new()),
        Some(inputs) => mend::read(inputs.get()).ok_or_else(|| {
            Error::invalid(format!("{path}.inputs"), "must be an object of the form's fields")
        })?,
    };
    for (index, (name, _)) in values.iter().enumerate() {
        if values.iter().take(index).any(|(before, _)| before == name) {
            violations.push(FieldViolation::new(format!("{path}.inputs.{name}"), TWICE.to_owned()));
        }
    }
    let values: Vec<(String, Arc<RawValue>)> =
        values.into_iter().map(|(name, value)| (name, Arc::from(value))).collect();
    match numbered.form.read_data(action.as_deref(), &values) {
        Ok(answer) if violations.is_empty() => Ok((index, answer)),
        Ok(_) => Err(Error::InvalidParams(violations)),
        Err(more) => {
            violations.extend(more.into_iter().map(|violation| {
                FieldViolation::new(format!("{path}.{}", violation.field), violation.problem)
            }));
            Err(Error::InvalidParams(violations))
        }
    }
}

const TWICE: &str = "must be there once";

/// The members of an object as they were written, those of one name too.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
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
