//! What is wrong with a request, and where: the same for JSON and for messages of gRPC.

use std::cell::RefCell;
use std::fmt;

use super::rules::Ruled;
use crate::core::error::{Error, FieldViolation};

/// Most violations reported for one request; a hostile one could have a million.
const MAX_VIOLATIONS: usize = 20;

/// Where a field is in the request. Links to its parent on the stack; becomes text only for a violation.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    /// Where the field that holds it is; nothing for the request itself.
    pub parent: Option<&'a Self>,
    /// The last step to it.
    pub step: Step<'a>,
}

/// One step to a field.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// To an element of a list.
    Index(usize),
    /// To a member of an object, as the caller spells it.
    Member(&'a str),
    /// To the request as a whole.
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
    pub fn add(&self, path: &Path<'_>, description: impl Into<String>) {
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
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Error> {
        let list = self.into_list();
        if !list.is_empty() {
            return Err(Error::InvalidParams(list));
        }
        value.ok_or_else(|| Error::invalid("params", "cannot be read"))
    }
}

/// The place of a value in a request that has been read already, to say what is wrong with it.
#[derive(Debug)]
pub struct Place<'a> {
    path: Path<'a>,
    violations: &'a Violations,
}

impl<'a> Place<'a> {
    /// The request as a whole.
    pub fn root(violations: &'a Violations) -> Self {
        Self { path: Path { parent: None, step: Step::Root }, violations }
    }

    /// A member of the value here.
    pub fn member<'p>(&'p self, name: &'p str) -> Place<'p> {
        Place {
            path: Path { parent: Some(&self.path), step: Step::Member(name) },
            violations: self.violations,
        }
    }

    /// An element of the value here.
    pub fn element(&self, index: usize) -> Place<'_> {
        Place {
            path: Path { parent: Some(&self.path), step: Step::Index(index) },
            violations: self.violations,
        }
    }

    /// Reports that the value is wrong.
    pub fn refuse(&self, description: impl Into<String>) {
        self.violations.add(&self.path, description);
    }

    /// The value that obeys its rule; what is wrong with another one is reported.
    pub fn ruled<T>(&self, ruled: Ruled<T>) -> Option<T> {
        ruled.map_err(|problem| self.refuse(problem)).ok()
    }
}
