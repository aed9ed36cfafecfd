//! The bindings: the ways in which the operations of A2A travel (A2A 1.0 §5.2), and which of them a gateway offers.

/// One way in which requests and answers travel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Binding {
    /// gRPC (A2A 1.0 §10).
    Grpc,
    /// HTTP and JSON (A2A 1.0 §11).
    Http,
    /// JSON-RPC over HTTP (A2A 1.0 §9).
    JsonRpc,
}

impl Binding {
    /// All of them, in the order in which they are offered by default.
    pub const ALL: [Self; 3] = [Self::JsonRpc, Self::Http, Self::Grpc];

    /// What Agent Cards of A2A 1.0 and 0.3 alike call it (A2A 1.0 §8.3, A2A 0.3 §5.6).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "GRPC",
            Self::Http => "HTTP+JSON",
            Self::JsonRpc => "JSONRPC",
        }
    }
}

/// The bindings that are on, the one that is preferred first. At least one, none twice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bindings(Vec<Binding>);

impl Bindings {
    /// These, in this order; `None` if there is none, or one twice.
    pub fn new(listed: Vec<Binding>) -> Option<Self> {
        let is_new = |(index, binding): (usize, &Binding)| !listed.iter().take(index).any(|it| it == binding);
        (!listed.is_empty() && listed.iter().enumerate().all(is_new)).then_some(Self(listed))
    }

    /// Whether it is on.
    pub fn has(&self, binding: Binding) -> bool {
        self.0.contains(&binding)
    }

    /// Each of them, in order of preference.
    pub fn iter(&self) -> impl Iterator<Item = Binding> {
        self.0.iter().copied()
    }
}

impl Default for Bindings {
    fn default() -> Self {
        Self(Binding::ALL.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_at_least_and_none_twice() {
        use Binding::{Grpc, Http, JsonRpc};
        assert_eq!(Bindings::new(vec![JsonRpc, Http, Grpc]), Some(Bindings::default()));
        assert_eq!(Bindings::new(Vec::new()), None);
        assert_eq!(Bindings::new(vec![Http, Grpc, Http]), None);
        let some = Bindings::new(vec![Grpc, JsonRpc]).unwrap();
        assert_eq!(some.iter().collect::<Vec<_>>(), [Grpc, JsonRpc]);
        assert!(some.has(Grpc) && !some.has(Http));
    }
}
