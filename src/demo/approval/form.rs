//! The form of a Human Input node: its text, its one field, its two buttons; what is filled in comes in, Dify's JSON
//! or the reason why it is not good goes out.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::demo::frames::Node;
use crate::demo::wire::{Object, object};

/// How long a form waits, seconds: 36 hours, as Dify's does unless its author says otherwise.
const WAITS: i64 = 36 * 60 * 60;
/// The field.
const FIELD: &str = "comment";
/// What the field is filled with unless somebody writes something else.
const DEFAULT: &str = "no objections";
/// The buttons: id, text, style.
const ACTIONS: [(&str, &str, &str); 2] = [("approve", "Approve", "primary"), ("reject", "Reject", "default")];
/// The text as its author wrote it. Snapshots of a run show it like this.
const TEMPLATE: &str = "Please decide: {{#sys.query#}}\n\nComment: {{#$output.comment#}}";
const QUERY_PLACE: &str = "{{#sys.query#}}";
const COMMENT_PLACE: &str = "{{#$output.comment#}}";
/// Letters of a token.
const TOKEN_LETTERS: usize = 22;

/// A form that waits, or waited.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Form {
    /// Its id, in refusals.
    pub(in crate::demo) id: Uuid,
    /// What opens it.
    pub(in crate::demo) token: String,
    /// Its text with everything but the field.
    pub(in crate::demo) rendered: String,
    /// When it stops waiting, Unix seconds.
    pub(in crate::demo) expires_at: i64,
    /// What became of it.
    pub(in crate::demo) filled: Option<Filled>,
}

/// What somebody decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::demo) struct Filled {
    /// Which button.
    pub(in crate::demo) action: &'static str,
    /// What the button says.
    pub(in crate::demo) title: &'static str,
    /// What they wrote.
    pub(in crate::demo) comment: String,
    /// The form's text with all of it.
    pub(in crate::demo) rendered: String,
}

impl Form {
    /// A form about this request, made at `now` (Unix seconds).
    pub(in crate::demo) fn about(query: &str, now: i64) -> Self {
        let token = Uuid::new_v4().simple().to_string().chars().take(TOKEN_LETTERS).collect();
        Self {
            id: Uuid::now_v7(),
            token,
            rendered: TEMPLATE.replace(QUERY_PLACE, query),
            expires_at: now.saturating_add(WAITS),
            filled: None,
        }
    }

    /// The text as its author wrote it.
    pub(in crate::demo) fn template() -> &'static str {
        TEMPLATE
    }

    /// What was filled in, or why it is not good, in Dify's words. Defaults are the reader's business, not Dify's.
    pub(super) fn fill(&self, action: &str, inputs: &Map<String, Value>) -> Result<Filled, String> {
        let Some((action, title, _)) = ACTIONS.into_iter().find(|(id, _, _)| *id == action) else {
            return Err(format!("Invalid action: {action}"));
        };
        let comment = match inputs.get(FIELD) {
            None => return Err(format!("Missing required inputs: {FIELD}")),
            Some(Value::String(comment)) => comment.clone(),
            Some(other) => other.to_string(),
        };
        let rendered = self.rendered.replace(COMMENT_PLACE, &comment);
        Ok(Filled { action, title, comment, rendered })
    }

    /// The answer of `GET /form/human_input/{token}`.
    pub(super) fn shown(&self) -> Object {
        object! {
            "form_content": self.rendered, "inputs": [field()], "resolved_default_values": Object::new(),
            "user_actions": actions(), "expiration_time": self.expires_at,
        }
    }

    /// The data of `human_input_required`, with the text rendered or as its author wrote it.
    pub(in crate::demo) fn required(&self, node: Node, content: &str) -> Object {
        object! {
            "form_id": self.id.to_string(), "node_id": node.id, "node_title": node.title,
            "form_content": content, "inputs": [field()], "actions": actions(), "display_in_ui": true,
            "form_token": self.token, "resolved_default_values": Object::new(),
            "expiration_time": self.expires_at,
        }
    }

    /// The same as a reason of `workflow_paused`.
    pub(in crate::demo) fn reason(&self, node: Node, content: &str) -> Object {
        object! {
            "TYPE": "human_input_required", "form_id": self.id.to_string(), "form_content": content,
            "inputs": [field()], "actions": actions(), "node_id": node.id, "node_title": node.title,
            "resolved_default_values": Object::new(), "form_token": self.token,
            "expiration_time": self.expires_at,
        }
    }

    /// Itself as `extra_contents` of its message.
    pub(super) fn extra(&self, run: Uuid, node: Node) -> Object {
        let definition = self.filled.is_none().then(|| self.required(node, &self.rendered));
        object! {
            "workflow_run_id": run.to_string(), "submitted": self.filled.is_some(),
            "form_definition": definition,
            "form_submission_data": self.filled.as_ref().map(|filled| filled.data(node)),
            "type": "human_input",
        }
    }
}

impl Filled {
    /// The data of `human_input_form_filled`.
    pub(in crate::demo) fn data(&self, node: Node) -> Object {
        object! {
            "node_id": node.id, "node_title": node.title, "rendered_content": self.rendered,
            "action_id": self.action, "action_text": self.title,
        }
    }
}

fn field() -> Object {
    object! {
        "output_variable_name": FIELD, "type": "paragraph",
        "default": object! {"type": "constant", "selector": [(); 0], "value": DEFAULT},
    }
}

fn actions() -> Vec<Object> {
    let object = |(id, title, style): (&str, &str, &str)| {
        object! {"id": id, "title": title, "button_style": style}
    };
    ACTIONS.into_iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_filled_or_says_why_not() {
        let form = Form::about("Buy 3 laptops", 1_000);
        assert_eq!(form.expires_at, 1_000 + 129_600);
        assert_eq!(form.rendered, "Please decide: Buy 3 laptops\n\nComment: {{#$output.comment#}}");
        let fill = |action, inputs: Value| form.fill(action, inputs.as_object().unwrap());
        let filled = fill("approve", json!({"comment": "fine", "more": 1})).unwrap();
        assert_eq!((filled.action, filled.title), ("approve", "Approve"));
        assert_eq!(filled.rendered, "Please decide: Buy 3 laptops\n\nComment: fine");
        assert_eq!(fill("explode", json!({"comment": "x"})), Err("Invalid action: explode".to_owned()));
        assert_eq!(fill("reject", json!({})), Err("Missing required inputs: comment".to_owned()));
        assert_eq!(fill("reject", json!({"comment": ""})).unwrap().comment, "");
    }

    #[test]
    fn tokens_differ() {
        let (one, other) = (Form::about("x", 0), Form::about("x", 0));
        assert_ne!(one.token, other.token);
        assert_eq!(one.token.len(), TOKEN_LETTERS);
    }
}
