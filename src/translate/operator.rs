//! What the operator has decided about an app's inputs: settings in, which of the form's fields are open to callers out.

use std::fmt;

use super::input_rules;
use super::text_slot::TextSlot;
use crate::core::message::Json;
use crate::dify::app_info::AppInfo;
use crate::dify::form::Field;

/// What the operator has settled about the app's inputs. `Debug` shows no values: they may be secrets.
#[derive(Clone, Default)]
pub struct Operator {
    /// Values where a caller gives none, by name.
    pub inputs: Vec<(String, Json)>,
    /// Inputs that callers may not set.
    pub locked_inputs: Vec<String>,
    /// The input that takes the caller's text; `None`: found out from the form.
    pub query_input: Option<String>,
    /// The published version of a graph to run; `None`: the newest.
    pub workflow_id: Option<String>,
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.inputs.iter().map(|(name, _)| name).collect();
        f.debug_struct("Operator")
            .field("inputs", &names)
            .field("locked_inputs", &self.locked_inputs)
            .field("query_input", &self.query_input)
            .field("workflow_id", &self.workflow_id)
            .finish()
    }
}

impl Operator {
    /// Whether there is a value for this input that the app can take.
    pub fn provides(&self, field: &Field) -> bool {
        let value = self.inputs.iter().find(|(name, _)| *name == field.variable);
        value.is_some_and(|(_, json)| matches!(input_rules::check(field, json), Ok(Some(_))))
    }

    /// Where the caller's text goes in this app.
    ///
    /// # Errors
    /// A sentence for the operator if the configured input is not one that can take the text.
    pub fn slot(&self, app: &AppInfo) -> Result<TextSlot, String> {
        TextSlot::of(&app.mode, &app.form, self.query_input.as_deref(), &self.locked_inputs)
    }
}
