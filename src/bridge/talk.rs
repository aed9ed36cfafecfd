//! What is said in a turn, on its way from Dify's frames to the core's sink.

use super::oddities::Oddities;
use crate::core::backend::{Sink, TurnRequest};
use crate::core::event::{Failure, TaskEvent};
use crate::core::facts::FactsUpdate;
use crate::dify::error::missing_input;
use crate::dify::event::{DifyEvent, Frame};
use crate::translate::from_dify::{Fold, Input, Verdict};

/// What is said in the turn: frames in, events to the sink.
pub(super) struct Talk<'a> {
    pub(super) turn: &'a TurnRequest,
    pub(super) sink: &'a mut dyn Sink,
    /// The conversation that Dify was asked to go on with.
    pub(super) conversation: Option<&'a str>,
    pub(super) restarted: bool,
    pub(super) fold: Fold,
    /// What could not be used.
    pub(super) oddities: Oddities,
    /// Dify's handle for stopping.
    pub(super) task_id: Option<String>,
    /// Dify's handle for reading on, for graphs.
    pub(super) run_id: Option<String>,
    /// Dify's name of the message that the answer belongs to.
    pub(super) message_id: Option<String>,
    /// The conversation that the stream belongs to.
    pub(super) told_conversation: Option<String>,
    /// Whether the conversation's id has been kept.
    pub(super) is_kept: bool,
    /// Whether a frame has come that is more than a sign of life.
    pub(super) has_begun: bool,
    /// Whether Dify said that an input is missing, as it does since 1.15 within the stream.
    pub(super) lacks_input: bool,
}

impl<'a> Talk<'a> {
    /// Nothing has been said yet, and nothing is known of a conversation.
    pub(super) fn new(turn: &'a TurnRequest, sink: &'a mut dyn Sink, fold: Fold) -> Self {
        Self {
            turn,
            sink,
            conversation: None,
            restarted: false,
            fold,
            oddities: Oddities::default(),
            task_id: None,
            run_id: None,
            message_id: None,
            told_conversation: None,
            is_kept: false,
            has_begun: false,
            lacks_input: false,
        }
    }

    /// Takes a frame: first its handles are kept, then its event is passed on.
    ///
    /// # Errors
    /// Why the turn cannot go on, when the conversation's id cannot be kept.
    pub(super) async fn frame(&mut self, frame: &Frame<'_>) -> Result<Verdict, Failure> {
        match &frame.event {
            DifyEvent::Ping => return Ok(Verdict::GoOn),
            DifyEvent::Unknown { name } => self.oddities.unknown(name),
            DifyEvent::Error(error) => self.lacks_input |= missing_input(&error.message).is_some(),
            DifyEvent::WorkflowFinished(finished) => {
                self.lacks_input |= finished.error.as_deref().and_then(missing_input).is_some();
            }
            _ => {}
        }
        self.has_begun = true;
        keep_first(&mut self.task_id, frame.task_id.as_deref());
        keep_first(&mut self.run_id, frame.workflow_run_id.as_deref());
        keep_first(&mut self.message_id, frame.message_id.as_deref());
        if let (Some(id), false) = (&frame.conversation_id, self.is_kept) {
            self.keep(id).await?;
        }
        Ok(self.step(Input::Frame(frame)))
    }

    async fn keep(&mut self, id: &str) -> Result<(), Failure> {
        if let Err(error) = self.sink.conversation(id).await {
            tracing::error!(task.id = %self.turn.task_id, %error, "the conversation's id cannot be kept");
            return Err(Failure::internal());
        }
        self.is_kept = true;
        self.told_conversation = Some(id.to_owned());
        if self.restarted || self.conversation.is_some_and(|sent| sent != id) {
            self.sink.emit(TaskEvent::Facts(FactsUpdate::ConversationRestarted));
        }
        Ok(())
    }

    /// Takes any other input.
    pub(super) fn step(&mut self, input: Input<'_>) -> Verdict {
        self.fold.step(input, &mut |event| self.sink.emit(event))
    }
}

fn keep_first(kept: &mut Option<String>, told: Option<&str>) {
    if kept.is_none() {
        *kept = told.filter(|told| !told.is_empty()).map(str::to_owned);
    }
}
