//! What turns work with: the client, the settings, and where everything goes.

use super::afterwards::Afterwards;
use super::backend::Settings;
use super::outlets::Outlets;
use crate::dify::client::Client;
use crate::translate::operator::Operator;

/// What a turn works with.
#[derive(Clone, Copy)]
pub(super) struct Means<'a> {
    pub(super) client: &'a Client,
    pub(super) settings: &'a Settings,
    /// Owns what goes on after a turn.
    pub(super) afterwards: &'a Afterwards,
    /// Where files go.
    pub(super) outlets: &'a Outlets,
    /// What the operator has decided about inputs.
    pub(super) operator: &'a Operator,
}
