//! What is wrong with a request, and where.

use std::cell::RefCell;
use std::fmt;

use crate::core::error::{Error, FieldViolation};

/// Most violations reported for one request; a hostile one could have a million.
const MAX_VIOLATIONS: usize = 20;

/// Where a field is in the request. Links to its parent on the stack; becomes text only for a violation.
#[derive(Clone, Debug)]
pub(super) struct Path<'a> {
    pub(super) parent: Option<&'a Self>,
    pub(super) step: Step<'a>,
}

#[derive(Clone, Debug)]
pub(super) enum Step<'a> {
    Index(usize),
    Member(&'a str),
    Root,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = match self.parent {
            None | Some(Path { step: Step::Root, .. }) => false,
            Some(parent) => {
                parent.fmt(f)?;
                true
            }
        };
        match self.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Member(name) if inside => write!(f, ".{name}"),
            Step::Member(name) => f.write_str(name),
            Step::Root => f.write_str("params"),
        }
    }
}

/// What is wrong with a request so far.
#[derive(Debug, Default)]
pub struct Violations(RefCell<Vec<FieldViolation>>);

impl Violations {
    /// Takes one more, unless there are enough.
    pub(super) fn add(&self, path: &Path<'_>, description: impl Into<String>) {
        let mut list = self.0.borrow_mut();
        if list.len() < MAX_VIOLATIONS {
            list.push(FieldViolation::new(path.to_string(), description));
        }
    }

    /// Everything that was reported.
    pub fn into_list(self) -> Vec<FieldViolation> {
        self.0.into_inner()
    }

    /// The value of a request in which nothing is wrong.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] with everything that was reported.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, Error> {
        let list = self.into_list();
        if !list.is_empty() {
            return Err(Error::InvalidParams(list));
        }
        value.ok_or_else(|| Error::invalid("params", "cannot be read"))
    }
}
