//! `wasi:clocks`: what time it is. Waiting for a time is not provided.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::{ComponentType, Lift, Lower};

use super::Wasi;

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lower, Lift)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

pub(super) fn define(wasi: &mut Wasi) -> wasmtime::Result<()> {
    wasi.function("clocks/monotonic-clock", "now", |state, (): ()| {
        Ok((state.plugin.pulse.monotonic_ns(),))
    })?;
    wasi.function("clocks/monotonic-clock", "resolution", |_, (): ()| Ok((1_u64,)))?;
    wasi.function("clocks/wall-clock", "now", |_, (): ()| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok((Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() },))
    })?;
    wasi.function("clocks/wall-clock", "resolution", |_, (): ()| {
        Ok((Datetime { seconds: 0, nanoseconds: 1 },))
    })
}
