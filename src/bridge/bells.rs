//! The moments at which an attempt stops waiting, and what each of them means.

use tokio::time::Instant;

/// Why waiting ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Bell {
    /// Dify has been silent long enough to ask whether it still has the conversation.
    Check,
    /// Dify should have begun to answer.
    FirstFrame,
    /// What could still follow the decision has had its time.
    Grace,
    /// A stop has had its time.
    Stop,
    /// The whole turn has had its time.
    Turn,
}

/// When each bell rings, if it is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bells {
    pub(super) check: Option<Instant>,
    pub(super) first_frame: Option<Instant>,
    pub(super) grace: Option<Instant>,
    pub(super) stop: Option<Instant>,
    pub(super) turn: Instant,
}

impl Bells {
    /// None but the last.
    pub(super) fn until(turn: Instant) -> Self {
        Self { check: None, first_frame: None, grace: None, stop: None, turn }
    }

    /// The bell that rings next.
    pub(super) fn next(&self) -> (Instant, Bell) {
        let set = [
            (self.check, Bell::Check),
            (self.first_frame, Bell::FirstFrame),
            (self.grace, Bell::Grace),
            (self.stop, Bell::Stop),
        ];
        let mut next = (self.turn, Bell::Turn);
        for (at, bell) in set {
            if let Some(at) = at.filter(|at| *at < next.0) {
                next = (at, bell);
            }
        }
        next
    }
}
