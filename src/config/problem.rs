//! What can be wrong with the configuration, told so that a person can mend it. Secrets never get in here.

use std::fmt;

/// One thing to say about one setting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Which setting: its environment name with its key in `gateway.toml`, or what the file has instead.
    pub setting: String,
    /// Where the value came from: a file with its path, the environment, the command line, the defaults.
    pub origin: String,
    /// What is wrong.
    pub wrong: String,
    /// What is allowed, or how to mend it.
    pub mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, from {}: {}", self.setting, self.origin, self.wrong)?;
        write!(f, "    {}", self.mend)
    }
}

/// Everything that keeps the program from starting, in the order of the settings; never empty.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Problems(Vec<Finding>);

impl Problems {
    /// All of `findings`.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self(findings)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a problem")?,
            count => write!(f, "the configuration has {count} problems")?,
        }
        for finding in &self.0 {
            write!(f, "\n  {finding}")?;
        }
        Ok(())
    }
}
