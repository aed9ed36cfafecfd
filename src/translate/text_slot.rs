//! Where the text of a caller's message goes: an app's mode and form in, a [`TextSlot`] out.
//!
//! Only apps with conversations take a `query`. The others have inputs, and one of them has to be the text's.

use crate::dify::app_info::AppMode;
use crate::dify::form::{Field, Form};

/// Where the caller's text goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TextSlot {
    /// Dify's `query`.
    Query,
    /// The input of that name.
    Input(String),
    /// Nowhere: the app takes no text.
    Nowhere,
    /// It is not clear: none of these text inputs is required.
    Ambiguous(Vec<String>),
}

/// The input that text generators have by default, for what is said.
const QUERY: &str = "query";

impl TextSlot {
    /// The slot of an app: `configured` (`DIFY_QUERY_INPUT`) if set; else the first text that the app requires; else
    /// its only one. Inputs in `locked` are not a caller's. A text generator prefers the input `query`.
    ///
    /// # Errors
    /// A sentence for the operator if the configured input is not one that can take the text.
    pub fn of(
        mode: &AppMode,
        form: &Form,
        configured: Option<&str>,
        locked: &[String],
    ) -> Result<Self, String> {
        if mode.has_conversation() {
            return Ok(Self::Query);
        }
        let is_open = |field: &&Field| field.kind.is_text() && !locked.contains(&field.variable);
        let texts: Vec<&Field> = form.fields.iter().filter(is_open).collect();
        let named = |name: &str| texts.iter().find(|field| field.variable == name);
        if let Some(name) = configured {
            return match named(name) {
                Some(field) => Ok(Self::Input(field.variable.clone())),
                None => Err(format!(
                    "DIFY_QUERY_INPUT is {name:?}, but the app has no text input of that name that callers may set; {}",
                    listed(&texts)
                )),
            };
        }
        let usual = named(QUERY).filter(|_| *mode == AppMode::Completion);
        let required = || texts.iter().find(|field| field.required);
        Ok(match (usual.or_else(required), texts.as_slice()) {
            (Some(field), _) => Self::Input(field.variable.clone()),
            (None, []) if *mode == AppMode::Completion => Self::Query,
            (None, []) => Self::Nowhere,
            (None, [only]) => Self::Input(only.variable.clone()),
            (None, several) => Self::Ambiguous(several.iter().map(|field| field.variable.clone()).collect()),
        })
    }
}

fn listed(texts: &[&Field]) -> String {
    let names: Vec<&str> = texts.iter().map(|field| field.variable.as_str()).collect();
    if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(items: &str) -> Form {
        Form::of_items(&format!("[{items}]"))
    }

    #[test]
    fn the_text_has_its_place_in_every_kind_of_app() {
        let workflow = AppMode::Workflow;
        let input = |name: &str| TextSlot::Input(name.to_owned());
        let text = |name: &str, required: bool| {
            format!(r#"{{"text-input":{{"variable":"{name}","required":{required}}}}}"#)
        };
        let number = r#"{"number":{"variable":"n","required":true}}"#.to_owned();
        let check = |mode: &AppMode, items: &[String], expected: TextSlot| {
            assert_eq!(
                TextSlot::of(mode, &form(&items.join(",")), None, &[]),
                Ok(expected),
                "{mode:?} {items:?}"
            );
        };
        check(&AppMode::Chat, &[text("a", true)], TextSlot::Query);
        check(&AppMode::Unknown, &[], TextSlot::Query);
        check(&workflow, &[], TextSlot::Nowhere);
        check(&workflow, std::slice::from_ref(&number), TextSlot::Nowhere);
        check(&workflow, &[number.clone(), text("a", false), text("b", true), text("c", true)], input("b"));
        check(&workflow, &[number.clone(), text("a", false)], input("a"));
        let several = TextSlot::Ambiguous(vec!["a".to_owned(), "query".to_owned()]);
        check(&workflow, &[text("a", false), text("query", false)], several);
        check(&AppMode::Completion, &[text("a", true), text("query", false)], input("query"));
        check(&AppMode::Completion, &[text("a", true), text("b", true)], input("a"));
        check(&AppMode::Completion, &[number], TextSlot::Query);
    }

    #[test]
    fn a_configured_input_must_be_a_text_of_the_app() {
        let form = form(
            r#"{"text-input":{"variable":"a","required":true}},{"paragraph":{"variable":"b"}},{"number":{"variable":"n"}}"#,
        );
        let of =
            |mode: AppMode, name: &str, locked: &[String]| TextSlot::of(&mode, &form, Some(name), locked);
        assert_eq!(of(AppMode::Workflow, "b", &[]), Ok(TextSlot::Input("b".to_owned())));
        assert_eq!(of(AppMode::Chat, "n", &[]), Ok(TextSlot::Query));
        for (name, locked) in [("n", &[][..]), ("x", &[]), ("b", &["b".to_owned()])] {
            let problem = of(AppMode::Workflow, name, locked).unwrap_err();
            assert!(problem.contains(name) && problem.contains("it has a"), "{problem}");
        }
        let locked = ["a".to_owned()];
        assert_eq!(
            TextSlot::of(&AppMode::Workflow, &form, None, &locked),
            Ok(TextSlot::Input("b".to_owned()))
        );
    }
}
