//! The configuration: takes the defaults, files, the environment and the command line, gives one [`Settings`]
//! tree in which nothing is left to check, or every problem at once.
//!
//! Later wins: `config/default.toml` (embedded) < `gateway.toml` or `--config FILE` < `.env` < environment <
//! command line. Relative paths start at the working directory wherever they are written. An empty environment
//! variable counts as not set.

#[cfg(test)]
mod app_tests;
mod inputs;
mod network;
#[cfg(test)]
mod network_tests;
mod parse;
mod problem;
mod read;
mod settings;
mod sources;
mod table;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::Path;

pub use problem::{Finding, Problems};
pub use settings::{
    AnswerClose, Card, CardStyle, Cors, DefaultInputs, Dify, DifyUser, FileDelivery, Files, Log, LogFormat,
    MissingInputs, ProgressLevel, Push, Server, Settings, Store, StoreUrl, Think,
};
pub use sources::{CommandLine, DEFAULTS, Flag};

/// What the settings are wanted for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The built-in demo app: no key is needed.
    Demo,
    /// A real Dify app: the key is required.
    Dify,
}

/// Settings, and what the operator should know about them all the same.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Things that look wrong but do not stop the start.
    pub warnings: Vec<Finding>,
}

impl Settings {
    /// Reads every source once. `env` stands for the process's environment, which is not written, and read only
    /// where a value in `.env` refers to it as `$NAME`.
    ///
    /// # Errors
    /// Every problem there is, not just the first one.
    pub fn load(
        purpose: Purpose,
        command_line: &CommandLine,
        env: impl IntoIterator<Item = (OsString, OsString)>,
        working_dir: &Path,
    ) -> Result<Loaded, Problems> {
        let gathered = sources::Gathered::read(command_line, env, working_dir);
        read::settings(gathered, purpose, working_dir)
    }
}
