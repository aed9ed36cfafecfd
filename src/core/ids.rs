//! Newtypes for every identifier, and the one place where new ones are drawn.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Declares a cheap-to-clone string identifier.
macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier as it travels on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(Arc::from(value))
            }
        }

        impl From<String> for $name {
            fn from(value: String) -> Self {
                Self(Arc::from(value))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

string_id!(
    /// A task's id: made by the gateway only (A2A 1.0 §3.4.2), a UUIDv7.
    TaskId
);
string_id!(
    /// A context's id: the caller's own, kept as it is, or made by the gateway (A2A 1.0 §3.4.1).
    ContextId
);
string_id!(
    /// The id of a file that the gateway serves: made by the gateway, random, so that nobody can guess it.
    FileId
);
string_id!(
    /// A message's id, made by whoever wrote the message.
    MessageId
);

/// Who is calling, as far as the gateway can tell. Tasks and contexts belong to a caller.
///
/// Until a caller is authenticated there is just one, the anonymous caller, which has no name. A caller may keep things
/// apart by naming a tenant (A2A 1.0 §3.1): what belongs to one tenant is not to be found under another.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Caller {
    name: Option<Arc<str>>,
    tenant: Option<Arc<str>>,
}

impl Caller {
    /// The caller of requests that carry no identity.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// An authenticated caller.
    pub fn named(name: &str) -> Self {
        Self { name: Some(Arc::from(name)), tenant: None }
    }

    /// The same caller on behalf of this tenant.
    pub fn in_tenant(self, tenant: &str) -> Self {
        Self { tenant: Some(Arc::from(tenant)), ..self }
    }

    /// The authenticated name, if there is one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether both are the same caller, whatever tenants they name.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Draws new identifiers. One value of it serves the whole program; tests inject a counting one.
pub trait IdSource: Send + Sync + 'static {
    /// A fresh identifier, unique for ever.
    fn draw(&self) -> Uuid;
}

/// Time-ordered random identifiers (UUIDv7).
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn draw(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Identifiers that count from one, for tests with stable output.
#[derive(Debug, Default)]
pub struct CountingIds(std::sync::atomic::AtomicU64);

impl IdSource for CountingIds {
    fn draw(&self) -> Uuid {
        let next = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        Uuid::from_u128(u128::from(next))
    }
}
