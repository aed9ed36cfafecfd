//! Guarded fetching: takes URLs that strangers name, gives what is there, and never lets them lead the gateway to
//! where only its operator may go. Knows nothing of tasks, Dify or the edge.
//!
//! A name is looked up once per hop. Every address of it is judged ([`address`], [`policy`]), and the connection goes
//! to exactly those addresses, so that a second look-up cannot tell another story. Redirects are followed by hand and
//! judged like the first URL.

pub mod address;
pub mod cidr;
pub mod error;
pub mod fetch;
pub mod gate;
pub mod naming;
pub mod policy;
pub mod resolve;

pub use error::{FetchError, Refused, SetupError};
pub use fetch::{Body, Egress, Fetched, Limits};
pub use gate::Reach;
pub use policy::{BadEntry, EgressPolicy};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
