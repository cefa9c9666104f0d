//! `clock`: what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bindings::tidegate::plugin::clock;
use crate::state::State;

impl clock::Host for State {
    fn now_unix_ns(&mut self) -> wasmtime::Result<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn monotonic_ns(&mut self) -> wasmtime::Result<u64> {
        Ok(self.plugin.pulse.monotonic_ns())
    }
}
