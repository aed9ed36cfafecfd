//! What is known about a task and its answer beside the text: usage, sources, what was set aside and why.

use std::sync::Arc;

use super::message::Json;

/// Token usage of a turn.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Dify's own usage object with its members named as A2A names members; money is in decimal strings there.
    pub json: Json,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
    /// Both together.
    pub total_tokens: Option<u64>,
}

/// Where a piece of the answer came from (Dify: `retriever_resources`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation {
    /// The number by which the answer may refer to it.
    pub position: Option<u64>,
    /// Name of the knowledge base.
    pub dataset_name: Option<String>,
    /// Name of the document.
    pub document_name: Option<String>,
    /// The passage, cut to a few hundred characters.
    pub excerpt: Option<String>,
    /// How well it fits, 0 to 1.
    pub score: Option<f64>,
}

/// What is known about a task and its answer beside the text.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether an annotation of the app's owner gave the answer instead of the model.
    pub annotated: bool,
    /// Sources of the answer.
    pub citations: Vec<Citation>,
    /// Dify's id of the conversation. Leaves the gateway in the `message.send` dialect alone.
    pub conversation_id: Option<Arc<str>>,
    /// Dify had lost the conversation, so it was begun anew: earlier turns are forgotten.
    pub conversation_restarted: bool,
    /// How long Dify worked, milliseconds.
    pub elapsed_ms: Option<u64>,
    /// How many nodes failed in a run that went on without them (Dify: `partial-succeeded`).
    pub exceptions: Option<u64>,
    /// Why the text was replaced, if it was (Dify: `message_replace.reason`); may be empty.
    pub replaced: Option<String>,
    /// Inputs that the caller gave and an older Dify will not take: its conversation keeps those of its first turn.
    pub kept_inputs: Vec<String>,
    /// The app remembers nothing from one task of the context to the next.
    pub no_memory: bool,
    /// After a cancel: whether Dify showed that it stopped.
    pub stop_confirmed: Option<bool>,
    /// Questions that the app suggests to go on with.
    pub suggested: Vec<String>,
    /// Inputs that the caller gave and the app does not have; they were not used.
    pub unused_inputs: Vec<String>,
    /// The app has no place for the caller's text, or its place was taken by a value; the text was not used.
    pub unused_text: bool,
    /// Token usage.
    pub usage: Option<Usage>,
}

/// One addition to the [`Facts`].
#[derive(Clone, Debug)]
pub enum FactsUpdate {
    /// See [`Facts::annotated`].
    Annotated,
    /// See [`Facts::citations`].
    Citations(Vec<Citation>),
    /// See [`Facts::conversation_restarted`].
    ConversationRestarted,
    /// See [`Facts::elapsed_ms`].
    ElapsedMs(u64),
    /// See [`Facts::exceptions`].
    Exceptions(u64),
    /// See [`Facts::kept_inputs`].
    KeptInputs(Vec<String>),
    /// See [`Facts::no_memory`].
    NoMemory,
    /// See [`Facts::replaced`].
    Replaced(String),
    /// See [`Facts::suggested`].
    Suggested(Vec<String>),
    /// See [`Facts::unused_inputs`].
    UnusedInputs(Vec<String>),
    /// See [`Facts::unused_text`].
    UnusedText,
    /// See [`Facts::usage`].
    Usage(Usage),
}

impl Facts {
    /// Takes an addition in.
    pub fn apply(&mut self, update: FactsUpdate) {
        match update {
            FactsUpdate::Annotated => self.annotated = true,
            FactsUpdate::Citations(citations) => self.citations = citations,
            FactsUpdate::ConversationRestarted => self.conversation_restarted = true,
            FactsUpdate::ElapsedMs(elapsed) => self.elapsed_ms = Some(elapsed),
            FactsUpdate::Exceptions(count) => self.exceptions = Some(count),
            FactsUpdate::KeptInputs(names) => self.kept_inputs = names,
            FactsUpdate::NoMemory => self.no_memory = true,
            FactsUpdate::Replaced(reason) => self.replaced = Some(reason),
            FactsUpdate::Suggested(questions) => self.suggested = questions,
            FactsUpdate::UnusedInputs(names) => self.unused_inputs = names,
            FactsUpdate::UnusedText => self.unused_text = true,
            FactsUpdate::Usage(usage) => self.usage = Some(usage),
        }
    }
}
