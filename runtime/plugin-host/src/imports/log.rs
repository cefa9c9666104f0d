//! `log`: messages of the plugin, with its name, rate limited.

use tracing::Level;

use crate::bindings::tidegate::plugin::log;
use crate::plugin::log_enabled;
use crate::state::State;

impl log::Host for State {
    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        Ok(log_enabled(level.into()))
    }

    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.plugin.log(level.into(), &message);
        Ok(())
    }
}

impl From<log::Level> for Level {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Trace => Self::TRACE,
            log::Level::Debug => Self::DEBUG,
            log::Level::Info => Self::INFO,
            log::Level::Warn => Self::WARN,
            log::Level::Error => Self::ERROR,
        }
    }
}
