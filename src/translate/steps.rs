//! Which steps of a turn have begun: Dify's ids go in, numbers that tell nothing come out, the same from a step's
//! beginning to its end.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most steps of one turn that are told apart, which bounds the memory for it. Dify ends a run after 500 nodes.
const MAX_STEPS: usize = 4096;

/// Where an id comes from: ids of one place may be those of another by chance.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Place {
    /// A node of the graph, however often it runs.
    Graph,
    /// A step of an Agent node.
    Log,
    /// A node that runs, or all the rounds of an iteration.
    Node,
    /// A round of an agent.
    Thought,
}

/// A step as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Its number, from 1.
    pub(super) number: u64,
    /// How many rounds it has, if it has any and that is known.
    pub(super) rounds: Option<u64>,
    is_over: bool,
}

/// The steps so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    /// By the hash of their ids, which may be long.
    all: HashMap<u64, Step>,
    /// The last number that was given.
    pub(super) last: u64,
}

impl Steps {
    /// A step begins, or one that has not ended is told of again. `None` when there are too many.
    pub(super) fn begin(&mut self, place: Place, id: &str, rounds: Option<u64>) -> Option<Step> {
        let key = key(place, id);
        if let Some(step) = self.all.get(&key).filter(|step| !step.is_over) {
            return Some(*step);
        }
        if self.all.len() >= MAX_STEPS && !self.all.contains_key(&key) {
            return None;
        }
        self.last = self.last.saturating_add(1);
        let step = Step { number: self.last, rounds, is_over: false };
        self.all.insert(key, step);
        Some(step)
    }

    /// The step goes by this id too, unless that is known. Where the step is not known, nothing.
    pub(super) fn alias(&mut self, from: (Place, &str), to: (Place, &str)) {
        if let Some(step) = self.all.get(&key(from.0, from.1)).copied().filter(|step| !step.is_over)
            && self.all.len() < MAX_STEPS
        {
            self.all.entry(key(to.0, to.1)).or_insert(step);
        }
    }

    /// Forgets the id.
    pub(super) fn forget(&mut self, place: Place, id: &str) {
        self.all.remove(&key(place, id));
    }

    /// A step ends: the step, if it has not ended before.
    pub(super) fn end(&mut self, place: Place, id: &str) -> Option<Step> {
        let step = self.all.get_mut(&key(place, id)).filter(|step| !step.is_over)?;
        step.is_over = true;
        Some(*step)
    }

    /// Whether it has begun.
    pub(super) fn knows(&self, place: Place, id: &str) -> bool {
        self.all.contains_key(&key(place, id))
    }
}

fn key(place: Place, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (place, id).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_number_until_it_ends() {
        let mut steps = Steps::default();
        let number = |step: Option<Step>| step.map(|step| step.number);
        assert_eq!(number(steps.begin(Place::Node, "a", Some(3))), Some(1));
        assert_eq!(number(steps.begin(Place::Log, "a", None)), Some(2));
        assert_eq!(steps.begin(Place::Node, "a", None).unwrap().rounds, Some(3));
        assert_eq!(number(steps.end(Place::Node, "a")), Some(1));
        assert_eq!(number(steps.end(Place::Node, "a")), None);
        assert!(steps.knows(Place::Node, "a") && !steps.knows(Place::Thought, "a"));
        // The same node again, in the next round of what it is in.
        assert_eq!(number(steps.begin(Place::Node, "a", None)), Some(3));
        steps.alias((Place::Node, "a"), (Place::Graph, "x"));
        steps.alias((Place::Graph, "x"), (Place::Node, "b"));
        steps.alias((Place::Graph, "y"), (Place::Node, "c"));
        assert_eq!(number(steps.end(Place::Node, "b")), Some(3));
        assert!(!steps.knows(Place::Node, "c"));
        steps.forget(Place::Node, "b");
        assert!(!steps.knows(Place::Node, "b"));
    }

    #[test]
    fn their_number_is_bounded() {
        let mut steps = Steps::default();
        let told = (0..10_000).filter(|id| steps.begin(Place::Node, &id.to_string(), None).is_some());
        assert_eq!(told.count(), MAX_STEPS);
        assert!(steps.begin(Place::Node, "0", None).is_some());
    }
}
