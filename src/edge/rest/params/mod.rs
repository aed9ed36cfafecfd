//! What a request says in its path, its query and its body, together as one JSON text: the params that the dialects
//! read, so that no field has a second set of rules here.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::table::{Found, Kind, Parameter};
use crate::core::error::Error;
use crate::edge::error::EdgeError;
use crate::edge::json::{read_params, same_name, write_str};

/// The params of a request; `None` if it says nothing. A body that says it all is not copied.
///
/// # Errors
/// [`EdgeError::Parse`] for a body that is not JSON; [`Error::InvalidParams`] for one that is no object, and for a body
/// or query that contradicts the path.
pub fn read<'b>(
    found: &Found,
    query: Option<&str>,
    body: &'b [u8],
) -> Result<Option<Cow<'b, RawValue>>, EdgeError> {
    let body = object(body)?;
    let mut fields = found.fields.clone();
    if let Some(body) = body {
        fields = without_repeated(fields, body)?;
    }
    let query = query_fields(found.route.query, query, &fields)?;
    if fields.is_empty() && query.is_empty() {
        return Ok(body.map(Cow::Borrowed));
    }
    let mut text = Vec::with_capacity(body.map_or(0, |body| body.get().len()).saturating_add(128));
    for (name, value) in &fields {
        member(&mut text, name, value, Kind::Text);
    }
    for (name, value, kind) in &query {
        member(&mut text, name, value, *kind);
    }
    let rest = body.map_or("", inside);
    text.push(if rest.is_empty() { b'}' } else { b',' });
    if !rest.is_empty() {
        text.extend_from_slice(rest.as_bytes());
        text.push(b'}');
    }
    let raw = String::from_utf8(text).ok().and_then(|text| RawValue::from_string(text).ok());
    let raw = raw.ok_or_else(|| Error::Internal("params of a path are no JSON".to_owned()))?;
    Ok(Some(Cow::Owned(raw)))
}

/// The body as an object; nothing if it is empty or `null`.
fn object(body: &[u8]) -> Result<Option<&RawValue>, EdgeError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| EdgeError::Parse(error.to_string()))?;
    match raw.get() {
        "null" => Ok(None),
        text if text.starts_with('{') => Ok(Some(raw)),
        _ => Err(Error::invalid("body", "must be an object").into()),
    }
}

/// The members of an object as text, without its braces.
fn inside(object: &RawValue) -> &str {
    let text = object.get();
    text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default().trim_ascii()
}

/// The fields of the path that the body does not repeat; some clients do.
fn without_repeated(
    mut fields: Vec<(&'static str, String)>,
    body: &RawValue,
) -> Result<Vec<(&'static str, String)>, Error> {
    if fields.is_empty() {
        return Ok(fields);
    }
    read_params(Some(body), |members| {
        fields.retain(|(name, value)| {
            let Some(field) = members.field(name) else { return true };
            if field.text().is_some_and(|said| said != *value) {
                field.refuse(contradiction(value));
            }
            false
        });
        Some(())
    })?;
    Ok(fields)
}

fn contradiction(value: &str) -> String {
    format!("contradicts the path, which says {value:?}")
}

/// The parameters of `known` that a query gives, under the names that members of a body may have, each as often as it is given: that one is given twice is for the
/// reader of params to refuse.
fn query_fields(
    known: &'static [Parameter],
    query: Option<&str>,
    path: &[(&'static str, String)],
) -> Result<Vec<(&'static str, String, Kind)>, Error> {
    let mut fields = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some(parameter) = known.iter().find(|parameter| same_name(parameter.name, &name)) else {
            continue;
        };
        match path.iter().find(|(name, _)| *name == parameter.name) {
            Some((_, said)) if *said == value => {}
            Some((name, said)) => return Err(Error::invalid(*name, contradiction(said))),
            None => fields.push((parameter.name, value.into_owned(), parameter.kind)),
        }
    }
    Ok(fields)
}

/// Appends a member, with a brace or a comma before it. Text stands for numbers too: readers of ProtoJSON take it.
fn member(text: &mut Vec<u8>, name: &str, value: &str, kind: Kind) {
    text.push(if text.is_empty() { b'{' } else { b',' });
    write_str(text, name);
    text.push(b':');
    match (kind, value) {
        (Kind::Boolean, "true" | "false") => text.extend_from_slice(value.as_bytes()),
        (Kind::Boolean | Kind::Number | Kind::Text, _) => write_str(text, value),
    }
}

#[cfg(test)]
mod tests;
