//! A run that waits for people, as a parked turn: what the stream told of it goes in, what is asked of the caller and
//! the memo to go on with come out.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::ending::Told;
use super::means::Means;
use crate::core::backend::TurnRequest;
use crate::core::event::{Failure, Outcome, Parked};
use crate::dify::human::HumanForm;
use crate::translate::ask::{self, Numbered};
use crate::translate::from_dify::Pause;
use crate::translate::memo::{Memo, PausedRun};

/// How long the text of a form is waited for.
const FORM_LIMIT: Duration = Duration::from_secs(5);

/// A pause, and what was known of the run before.
pub(super) struct Paused {
    pause: Pause,
    told: Told,
    /// Forms that the caller knows already.
    known: Vec<Numbered>,
    last_number: u32,
    is_first: bool,
}

impl Paused {
    /// The first pause of a run.
    pub(super) fn first(pause: Pause, told: Told) -> Self {
        Self { pause, told, known: Vec::new(), last_number: 0, is_first: true }
    }

    /// Another one. A pause that names no form is one for those that were still waiting.
    pub(super) fn again(pause: Pause, told: Told, before: &PausedRun, waiting: &[String]) -> Self {
        let Pause { mut forms, other_reasons } = pause;
        if forms.is_empty() && other_reasons.is_empty() {
            let still = before.forms.iter().filter(|numbered| waiting.contains(&numbered.form.form_id));
            forms = still.map(|numbered| numbered.form.clone()).collect();
        }
        Self {
            pause: Pause { forms, other_reasons },
            told,
            known: before.forms.clone(),
            last_number: before.last_number,
            is_first: false,
        }
    }
}

/// Parks the turn.
pub(super) async fn park(means: Means<'_>, turn: &TurnRequest, paused: Paused) -> Outcome {
    let Paused { pause, told, known, mut last_number, is_first } = paused;
    let Some(run_id) = told.run_id else {
        tracing::error!(task.id = %turn.task_id, "a run that waits has no name");
        return Outcome::Failed(Failure::internal());
    };
    let forms = join_all(pause.forms.into_iter().map(|form| rendered(means, form, &known, is_first))).await;
    let mut numbered: Vec<Numbered> = Vec::with_capacity(forms.len());
    for form in forms {
        let before = known.iter().find(|known| known.form.form_id == form.form_id);
        let number = before.map_or_else(
            || {
                last_number = last_number.saturating_add(1);
                last_number
            },
            |before| before.number,
        );
        numbered.push(Numbered { number, form });
    }
    numbered.sort_by_key(|form| form.number);
    let ask = match numbered.as_slice() {
        [] => ask::for_others(&pause.other_reasons),
        forms => ask::for_forms(forms, None),
    };
    let memo = Memo::People(PausedRun {
        run_id,
        task_id: told.task_id,
        conversation_id: told.conversation_id,
        message_id: told.message_id,
        forms: numbered,
        last_number,
        counts: told.counts,
    });
    Outcome::InputRequired(Parked { ask, leaves_work: true, memo: memo.write() })
}

/// The form with its text filled in. In what Dify tells of a run's past, the text is still a template.
async fn rendered(means: Means<'_>, mut form: HumanForm, known: &[Numbered], is_first: bool) -> HumanForm {
    if let Some(before) = known.iter().find(|known| known.form.form_id == form.form_id) {
        return before.form.clone();
    }
    if let (false, Some(token)) = (is_first, &form.form_token)
        && let Ok(Ok(told)) = timeout(FORM_LIMIT, means.client.form(token)).await
    {
        form.update(told);
    }
    form
}
