//! What an agent has said, round by round. Its rounds come without anything between them, and a New Agent sends the
//! whole again at the end.

/// What Dify itself puts between the rounds of a stored answer.
pub(super) const BETWEEN_ROUNDS: &str = "\n";

/// The rounds so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// The text of each round that said something.
    said: Vec<String>,
    /// The number of the round that is going on, if told.
    position: Option<u64>,
    /// Whether the round that is going on follows another and has not come forth yet.
    is_new: bool,
    /// Whether the next text is the first of its round.
    is_first: bool,
}

impl Rounds {
    /// A round is told of; the same one again and again while it goes on.
    pub(super) fn at(&mut self, position: u64) {
        if self.position.is_some_and(|last| position > last) && !self.said.is_empty() {
            self.is_new = true;
        }
        self.position = self.position.max(Some(position));
    }

    /// Whether the delta that comes now is the first of a round that follows another. Says so once for each.
    pub(super) fn begins(&mut self) -> bool {
        self.is_first |= self.is_new;
        std::mem::take(&mut self.is_new)
    }

    /// Takes in the next text.
    pub(super) fn say(&mut self, text: &str) {
        let is_first = std::mem::take(&mut self.is_first);
        match self.said.last_mut() {
            Some(round) if !is_first => round.push_str(text),
            Some(_) | None => self.said.push(text.to_owned()),
        }
    }

    /// The text so far is void, this is it now.
    pub(super) fn replace(&mut self, text: String) {
        self.said = vec![text];
    }

    /// Whether anything was said.
    pub(super) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Whether `whole` is what was said, with or without something between the rounds.
    pub(super) fn amount_to(&self, whole: &str) -> bool {
        let mut rest = whole;
        for (index, round) in self.said.iter().enumerate() {
            if index > 0 {
                rest = rest.strip_prefix(BETWEEN_ROUNDS).unwrap_or(rest);
            }
            let Some(tail) = rest.strip_prefix(round.as_str()) else { return false };
            rest = tail;
        }
        rest.is_empty()
    }
}
