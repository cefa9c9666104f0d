//! `targets`: names to numbers, once.

use crate::bindings::tidegate::plugin::targets;
use crate::state::State;

impl targets::Host for State {
    fn resolve(&mut self, name: String) -> wasmtime::Result<Result<u32, String>> {
        let found = self.targets.resolve(&name);
        Ok(found.map(|target| target.get()).map_err(|unknown| unknown.to_string()))
    }
}
