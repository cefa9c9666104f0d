//! The log of the process: lines on standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("`{filter}` does not say what to log: {source}")]
    Filter { filter: String, source: ParseError },
    #[error("the process logs already: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts to log to standard error, once for the process.
///
/// `filter` is a level or levels by module: `info,tidegate_proxy=debug`. With `json`, each line is
/// an object; otherwise it is for people, and coloured on a terminal.
///
/// # Errors
/// The filter is wrong, or the process logs already.
pub fn init_logging(filter: &str, json: bool) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| LogError::Filter { filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if json {
        lines.json().flatten_event(true).finish().try_init()?;
    } else {
        lines.with_ansi(stderr().is_terminal()).finish().try_init()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_and_a_second_start_are_refused() {
        let wrong = init_logging("tidegate=loud", false).unwrap_err();
        assert!(wrong.to_string().starts_with("`tidegate=loud` does not say"), "{wrong}");
        init_logging("off", false).unwrap();
        let twice = init_logging("off", true).unwrap_err();
        assert!(matches!(twice, LogError::Twice(_)), "{twice}");
    }
}
