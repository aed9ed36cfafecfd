//! Watching a parked turn: asks Dify from time to time whether there is still something to wait for, until there is not.
//!
//! An open stream would tell it at once, and would cost Dify a connection for as long as people take, which is days.

use std::time::Duration;

use tokio::time::sleep;

use crate::core::event::Parked;
use crate::dify::client::Client;
use crate::dify::error::Error;
use crate::dify::event::RunStatus;
use crate::translate::memo::{Memo, PausedRun};

/// How long a caller may take to give missing inputs. Dify has its own limit for people's forms; this one is as long as
/// a finished task is kept by default.
const INPUTS_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Done when the turn has nothing more to wait for. `look` is the wait before the first look at Dify and the longest
/// between two.
pub(super) async fn watch(client: &Client, look: (Duration, Duration), parked: &Parked) {
    match Memo::read(&parked.memo) {
        Some(Memo::Inputs(_)) => sleep(INPUTS_LIMIT).await,
        Some(Memo::People(run)) => until_it_moves(client, look, &run).await,
        None => {}
    }
}

async fn until_it_moves(client: &Client, (first, longest): (Duration, Duration), run: &PausedRun) {
    let mut wait = first;
    loop {
        sleep(wait).await;
        if has_moved(client, run).await {
            return;
        }
        wait = (wait * 3 / 2).min(longest);
    }
}

/// Whether a form was closed, or the run goes on. What cannot be found out now is looked at again.
async fn has_moved(client: &Client, run: &PausedRun) -> bool {
    let tokens = run.forms.iter().filter_map(|numbered| numbered.form.form_token.as_ref());
    let mut has_token = false;
    for token in tokens {
        has_token = true;
        match client.form(token).await {
            Err(Error::Refused(refusal)) if refusal.closed_form().is_some() => return true,
            Ok(_) | Err(_) => {}
        }
    }
    if has_token && run.is_answerable() {
        return false;
    }
    match client.run_detail(&run.run_id).await {
        Ok(Some(detail)) => detail.status != RunStatus::Paused,
        Ok(None) | Err(_) => false,
    }
}
