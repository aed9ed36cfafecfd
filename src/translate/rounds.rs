//! What an agent has said, round by round. Its rounds come without anything between them, and a New Agent sends the
//! whole again at the end.

/// What Dify itself puts between the rounds of a stored answer.
pub(super) const BETWEEN_ROUNDS: &str = "\n";

/// The rounds so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    /// Those that are over.
    past: Vec<Round>,
    /// The one that is going on.
    present: Round,
    /// The number of the round that is going on, if told.
    position: Option<u64>,
    /// Whether the round that is going on follows another and has not come forth yet.
    is_new: bool,
}

/// What one round came to.
#[derive(Clone, Debug, Default)]
struct Round {
    /// As Dify sent it.
    raw: String,
    /// The answer in it.
    said: String,
}

impl Rounds {
    /// A round is told of; the same one again and again while it goes on.
    pub(super) fn at(&mut self, position: u64) {
        if self.position.is_some_and(|last| position > last) && !self.is_empty() {
            self.is_new = true;
        }
        self.position = self.position.max(Some(position));
    }

    /// Whether the delta that comes now is the first of a round that follows another.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The next round begins: what is taken in from now on belongs to it.
    pub(super) fn begin(&mut self) {
        self.is_new = false;
        self.past.push(std::mem::take(&mut self.present));
    }

    /// Takes in the next text as it came.
    pub(super) fn hear(&mut self, text: &str) {
        self.present.raw.push_str(text);
    }

    /// Takes in the next text of the answer.
    pub(super) fn say(&mut self, text: &str) {
        self.present.said.push_str(text);
    }

    /// The text so far is void, this is it now: as it came, and the answer in it.
    pub(super) fn replace(&mut self, raw: &str, said: String) {
        self.past.clear();
        self.present = Round { raw: raw.to_owned(), said };
    }

    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.all().all(|round| round.said.is_empty())
    }

    /// Whether this is what came, with or without something between the rounds.
    pub(super) fn came_as(&self, whole: &str) -> bool {
        amount_to(whole, self.all().map(|round| &*round.raw))
    }

    /// Whether this is the answer in it, with or without something between the rounds.
    pub(super) fn said(&self, whole: &str) -> bool {
        amount_to(whole, self.all().map(|round| &*round.said))
    }

    fn all(&self) -> impl Iterator<Item = &Round> {
        self.past.iter().chain([&self.present])
    }
}

fn amount_to<'t>(whole: &str, parts: impl Iterator<Item = &'t str>) -> bool {
    let mut rest = whole;
    for (index, part) in parts.enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(BETWEEN_ROUNDS).unwrap_or(rest);
        }
        let Some(tail) = rest.strip_prefix(part) else { return false };
        rest = tail;
    }
    rest.is_empty()
}
