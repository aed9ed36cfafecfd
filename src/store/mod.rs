//! Implementations of [`crate::core::store::Store`]: where tasks and contexts are kept.

#[cfg(test)]
pub(crate) mod contract;
pub mod memory;
