//! The log: takes the `[log]` settings, gives lines on stderr, so that stdout belongs to the commands.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// Why the log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Something else of this process has already set one up.
    #[error("a log has already been set up in this process")]
    Occupied,
    /// The filter has a part that makes no sense.
    #[error("{part:?} is neither a level nor a filter directive")]
    Filter {
        /// The part between commas.
        part: String,
    },
}

/// What a filter may look like, for people.
pub const FILTERS: &str = "allowed: off, error, warn, info, debug, trace, or directives with commas between \
                           them, such as info,dify_a2a=debug";

/// Reads a filter. A word that is no level is refused, although the filter's own grammar would take it for the
/// name of a module: it is a misspelled level far more often.
///
/// # Errors
/// [`LogError::Filter`] names the first part that makes no sense.
pub fn filter(text: &str) -> Result<EnvFilter, LogError> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    for part in &parts {
        let is_bare = !part.contains(['=', ':', '[']);
        if part.is_empty() || (is_bare && part.parse::<LevelFilter>().is_err()) {
            return Err(LogError::Filter { part: (*part).to_owned() });
        }
    }
    EnvFilter::try_new(parts.join(",")).map_err(|_| LogError::Filter { part: text.to_owned() })
}

/// Sets up the log of the whole process, once. Colours only when stderr is a terminal.
///
/// # Errors
/// A filter that makes no sense, or a log that is already there.
pub fn init(log: &Log) -> Result<(), LogError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(&log.filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => lines.finish().try_init(),
    }
    .map_err(|_| LogError::Occupied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_levels_or_directives() {
        for good in ["info", "INFO", "off", "warn,dify_a2a=debug", "dify_a2a::core=trace", "info, hyper=off"]
        {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "inof", "info,", "warning", "dify_a2a=loud"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
