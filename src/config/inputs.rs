//! The settings about an app's inputs. A value of an input may be a secret, so none is ever repeated.

use std::collections::BTreeMap;

use figment::value::{Num, Value};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::parse::{self, Wrong, shown};
use super::settings::DefaultInputs;
use crate::core::message::Json;

/// Longest name of an input, characters (Dify: `user_input_form`).
const LONGEST_VARIABLE: usize = 100;
/// How the `toml` crate hands over dates.
const TOML_DATE: &str = "$__toml_private_datetime";

/// The id of a workflow's version.
pub(super) fn workflow_id(value: &Value) -> Result<String, Wrong> {
    let text = parse::text(value)?;
    match Uuid::parse_str(&text) {
        Ok(id) => Ok(id.to_string()),
        Err(_) => Err(Wrong::new(
            format!("{} is not the id of a workflow version", shown(&text)),
            "allowed: a UUID, as the version history in Dify shows it; leave it out to run the newest version",
        )),
    }
}

/// The name of an input.
pub(super) fn variable(value: &Value) -> Result<String, Wrong> {
    let text = parse::text(value)?;
    check_variable(&text)?;
    Ok(text)
}

fn check_variable(name: &str) -> Result<(), Wrong> {
    let is_long = name.chars().count() > LONGEST_VARIABLE;
    if name.is_empty() || is_long || name.chars().any(|letter| letter.is_whitespace() || letter.is_control())
    {
        return Err(Wrong::new(
            format!("{} is not the name of an input", shown(name)),
            format!("allowed: the variable of an input, 1 to {LONGEST_VARIABLE} characters without spaces"),
        ));
    }
    Ok(())
}

/// Names of inputs.
pub(super) fn locked(value: &Value) -> Result<Vec<String>, Wrong> {
    const ALLOWED: &str = "allowed: names of inputs such as [\"tenant\", \"secret\"], as a JSON list or with commas between them";
    let mut names = Vec::new();
    for name in parse::list(value, ALLOWED)? {
        let name = name.trim().to_owned();
        check_variable(&name)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Values of inputs: a TOML table, or a JSON object in a string, whose values stay as they are written.
pub(super) fn defaults(value: &Value) -> Result<DefaultInputs, Wrong> {
    const ALLOWED: &str = "allowed: a table such as { language = \"English\", words = 100 } in TOML, or a JSON object \
                           such as {\"language\":\"English\",\"words\":100}";
    let members: BTreeMap<String, Box<RawValue>> = match value {
        Value::Dict(_, entries) => {
            let raw = |value: &Value| {
                let json = plain(value).and_then(|value| serde_json::value::to_raw_value(&value).ok());
                json.ok_or_else(|| Wrong::new("holds a number that JSON does not have", ALLOWED))
            };
            entries.iter().map(|(name, value)| Ok((name.clone(), raw(value)?))).collect::<Result<_, _>>()?
        }
        Value::String(_, text) => {
            serde_json::from_str(text).map_err(|_| Wrong::new("is not a JSON object", ALLOWED))?
        }
        Value::Array(..) | Value::Bool(..) | Value::Char(..) | Value::Empty(..) | Value::Num(..) => {
            return Err(Wrong::new("is not a table", ALLOWED));
        }
    };
    for name in members.keys() {
        check_variable(name)?;
    }
    Ok(DefaultInputs(members.into_iter().map(|(name, value)| (name, Json::from(value))).collect()))
}

/// The value as JSON; `None` where it holds `nan` or `inf`.
fn plain(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::String(_, text) => text.clone().into(),
        Value::Char(_, letter) => letter.to_string().into(),
        Value::Bool(_, flag) => (*flag).into(),
        Value::Num(_, num) => number(*num)?.into(),
        Value::Empty(..) => serde_json::Value::Null,
        Value::Dict(_, entries) => match entries.get(TOML_DATE) {
            Some(date) => plain(date)?,
            None => entries
                .iter()
                .map(|(name, value)| Some((name.clone(), plain(value)?)))
                .collect::<Option<serde_json::Map<_, _>>>()?
                .into(),
        },
        Value::Array(_, items) => items.iter().map(plain).collect::<Option<Vec<_>>>()?.into(),
    })
}

fn number(num: Num) -> Option<serde_json::Number> {
    if let Some(real) = num.to_f64() {
        return serde_json::Number::from_f64(real);
    }
    num.to_i128()
        .and_then(serde_json::Number::from_i128)
        .or_else(|| num.to_u128().and_then(serde_json::Number::from_u128))
}
