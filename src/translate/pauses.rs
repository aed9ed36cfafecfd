//! What a run waits for: the forms and pauses that Dify tells of go in, a [`Pause`] comes out.

use super::policy::line;
use crate::dify::event::WorkflowPaused;
use crate::dify::human::HumanForm;

/// Most forms of one turn that are kept. Dify asks as many people at once as a graph has nodes side by side.
const MAX_FORMS: usize = 64;

/// Most other reasons that are kept, for one line of a log.
const MAX_REASONS: usize = 16;

/// Longest name of a reason that is kept, characters; Dify's own have some 20.
const MAX_REASON_CHARS: usize = 64;

/// Why a run waits.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pause {
    /// The forms that people have to fill in. May be empty, when Dify did not tell.
    pub forms: Vec<HumanForm>,
    /// Whatever else it waits for, in Dify's words; nobody but Dify can do these.
    pub other_reasons: Vec<String>,
}

/// A form that is pending.
#[derive(Debug)]
struct Waiting {
    form: HumanForm,
    /// Whether it was told of before the run last went on.
    is_old: bool,
}

/// What a run waits for, as far as it has been told.
#[derive(Debug, Default)]
pub(super) struct Waits {
    forms: Vec<Waiting>,
    other_reasons: Vec<String>,
    is_paused: bool,
}

impl Waits {
    /// A form is pending.
    pub(super) fn require(&mut self, form: &HumanForm) {
        let mut form = form.clone();
        if let Some(old) = self.forms.iter_mut().find(|old| old.form.form_id == form.form_id) {
            complete(&mut form, &old.form);
            *old = Waiting { form, is_old: false };
        } else if self.forms.len() < MAX_FORMS {
            self.forms.push(Waiting { form, is_old: false });
        }
    }

    /// The run waits, for these reasons: all of them, if they are told.
    pub(super) fn pause(&mut self, paused: &WorkflowPaused) {
        self.is_paused = true;
        if !paused.forms.is_empty() {
            let is_told = |old: &Waiting| paused.forms.iter().any(|form| form.form_id == old.form.form_id);
            self.forms.retain(|old| !old.is_old || is_told(old));
        }
        for form in &paused.forms {
            match self.forms.iter_mut().find(|old| old.form.form_id == form.form_id) {
                Some(old) => complete(&mut old.form, form),
                None => self.require(form),
            }
        }
        if !paused.other_reasons.is_empty() {
            let reasons = paused.other_reasons.iter().take(MAX_REASONS);
            self.other_reasons = reasons.map(|reason| line(reason, MAX_REASON_CHARS)).collect();
        }
    }

    /// The form of this node is filled in, or its time is over.
    pub(super) fn settle(&mut self, node_id: &str) {
        self.go_on();
        self.forms.retain(|old| old.form.node_id != node_id);
    }

    /// The run goes on. Forms may be pending nevertheless.
    pub(super) fn go_on(&mut self) {
        self.is_paused = false;
        self.other_reasons.clear();
        for waiting in &mut self.forms {
            waiting.is_old = true;
        }
    }

    /// Whether the run waits for anything.
    pub(super) fn is_any(&self) -> bool {
        self.is_paused || !self.forms.is_empty()
    }

    /// All that it waits for.
    pub(super) fn as_pause(&self) -> Pause {
        Pause {
            forms: self.forms.iter().map(|waiting| waiting.form.clone()).collect(),
            other_reasons: self.other_reasons.clone(),
        }
    }
}

/// Fills in what is missing in a form by what is told of it elsewhere. Reasons do not say whether it is meant to be
/// shown, so that stays as it is.
fn complete(form: &mut HumanForm, told: &HumanForm) {
    let HumanForm { node_id, node_title, form_content, fields, actions, .. } = form;
    for (mine, other) in
        [(node_id, &told.node_id), (node_title, &told.node_title), (form_content, &told.form_content)]
    {
        if mine.is_empty() {
            mine.clone_from(other);
        }
    }
    if fields.is_empty() {
        fields.clone_from(&told.fields);
    }
    if actions.is_empty() {
        actions.clone_from(&told.actions);
    }
    if form.resolved_default_values.is_empty() {
        form.resolved_default_values.clone_from(&told.resolved_default_values);
    }
    if form.approval_channels.is_empty() {
        form.approval_channels.clone_from(&told.approval_channels);
    }
    form.form_token = form.form_token.take().or_else(|| told.form_token.clone());
    form.expiration_time = form.expiration_time.or(told.expiration_time);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::human::FormToken;

    fn form(id: &str, node: &str) -> HumanForm {
        HumanForm {
            form_id: id.to_owned(),
            node_id: node.to_owned(),
            display_in_ui: true,
            ..Default::default()
        }
    }

    fn ids(waits: &Waits) -> Vec<String> {
        waits.as_pause().forms.into_iter().map(|form| form.form_id).collect()
    }

    fn paused(forms: Vec<HumanForm>) -> WorkflowPaused {
        WorkflowPaused { forms, other_reasons: vec!["b\nc".repeat(50)], paused_nodes: Vec::new() }
    }

    #[test]
    fn a_reason_completes_its_form_and_does_not_show_it() {
        let mut waits = Waits::default();
        waits.require(&HumanForm { display_in_ui: false, ..form("1", "n") });
        let told = HumanForm {
            form_token: Some(FormToken::from("t".to_owned())),
            form_content: "Well?".to_owned(),
            expiration_time: Some(7),
            ..form("1", "n")
        };
        waits.pause(&paused(vec![told.clone(), form("2", "m")]));
        let pause = waits.as_pause();
        assert_eq!(pause.forms[0], HumanForm { display_in_ui: false, ..told });
        assert_eq!(ids(&waits), ["1", "2"]);
        assert_eq!(pause.other_reasons[0].chars().count(), MAX_REASON_CHARS);
        assert!(pause.other_reasons[0].starts_with("b cb c"));
    }

    #[test]
    fn what_was_answered_while_nobody_read_is_not_asked_again() {
        let mut waits = Waits::default();
        waits.require(&form("1", "a"));
        waits.require(&form("2", "b"));
        waits.pause(&paused(vec![form("1", "a"), form("2", "b")]));
        waits.go_on();
        assert!(waits.is_any());
        waits.pause(&paused(vec![form("2", "b")]));
        assert_eq!(ids(&waits), ["2"]);
        // Without its reasons a pause says nothing of forms.
        waits.go_on();
        waits.pause(&WorkflowPaused::default());
        assert_eq!(ids(&waits), ["2"]);
        waits.settle("b");
        assert!(!waits.is_any());
    }

    #[test]
    fn the_number_of_forms_is_bounded() {
        let mut waits = Waits::default();
        for id in 0..1000 {
            waits.require(&form(&id.to_string(), "n"));
        }
        waits.pause(&paused((0..1000).map(|id| form(&id.to_string(), "n")).collect()));
        assert_eq!(ids(&waits).len(), MAX_FORMS);
    }
}
