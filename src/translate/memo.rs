//! What a parked turn must know to go on, as the core keeps it for the backend: JSON that never leaves the gateway, for
//! the tokens of forms are in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::ask::Numbered;
use super::from_dify::Counts;
use crate::core::message::Json;

/// A parked turn.
///
/// The variant's name stands around its members: a tag among them would have serde read them twice, which raw JSON, as
/// the fields of a form are read, does not bear.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Memo {
    /// Dify has not been asked yet: inputs are missing.
    Inputs(MissingInputs),
    /// A run of Dify waits for people.
    People(PausedRun),
}

/// What was asked for, and what texts have answered so far.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct MissingInputs {
    /// The inputs that the last question named.
    pub missing: Vec<String>,
    /// Values that texts gave, by input.
    pub texts: BTreeMap<String, String>,
}

/// Where a run stands.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PausedRun {
    /// Dify's id of the run, by which its events are read.
    pub run_id: String,
    /// Dify's id of the task, by which it is stopped once it goes on.
    pub task_id: Option<String>,
    /// The conversation, where there is one.
    pub conversation_id: Option<String>,
    /// The message that the answer belongs to, where there is a conversation.
    pub message_id: Option<String>,
    /// The forms that wait. Those without a token are answered elsewhere.
    pub forms: Vec<Numbered>,
    /// The highest number that a form of this task has had.
    pub last_number: u32,
    /// How far its files and steps are counted.
    pub counts: Counts,
}

impl Memo {
    /// The memo as the core keeps it.
    pub fn write(&self) -> Json {
        // Texts, numbers and names only, which all have a JSON form.
        to_raw_value(self).unwrap_or_else(|_| RawValue::NULL.to_owned()).into()
    }

    /// Reads what [`Memo::write`] wrote.
    pub fn read(json: &RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }
}

impl PausedRun {
    /// Whether the caller can answer any of the forms.
    pub fn is_answerable(&self) -> bool {
        self.forms.iter().any(|numbered| numbered.form.is_answerable())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dify::event::{DifyEvent, Frame};
    use crate::dify::fixture;

    #[test]
    fn a_memo_survives_being_kept_with_all_that_it_takes_to_go_on() {
        let frames = fixture::frames(&fixture::recording("1.14.2/human_input").body);
        let paused = frames.iter().find(|frame| frame.contains("workflow_paused")).unwrap();
        let Ok(Frame { event: DifyEvent::WorkflowPaused(paused), .. }) = Frame::decode(paused) else {
            panic!("{paused}")
        };
        let form = paused.forms.into_iter().next().unwrap();
        let token = form.form_token.as_ref().unwrap().expose().to_owned();
        let memo = Memo::People(PausedRun {
            run_id: "r".to_owned(),
            task_id: Some("t".to_owned()),
            conversation_id: None,
            message_id: None,
            forms: vec![Numbered { number: 1, form }],
            last_number: 1,
            counts: Counts::default(),
        });
        let Some(Memo::People(read)) = Memo::read(&memo.write()) else { panic!("unreadable") };
        assert!(read.is_answerable());
        assert_eq!(read.forms[0].form.form_token.as_ref().unwrap().expose(), token);
        assert_eq!(read.forms[0].form.text(), "Please approve: the budget\n\nComment: [comment: looks fine]");
        assert!(!format!("{memo:?}").contains(&token), "a token must not be shown");

        let texts = BTreeMap::from([("topic".to_owned(), "tea".to_owned())]);
        let memo = Memo::Inputs(MissingInputs { missing: vec!["tone".to_owned()], texts });
        let Some(Memo::Inputs(read)) = Memo::read(&memo.write()) else { panic!("unreadable") };
        assert_eq!((read.missing[0].as_str(), read.texts["topic"].as_str()), ("tone", "tea"));
    }
}
