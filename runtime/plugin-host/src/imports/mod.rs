//! What a plugin can call: one file for each interface of the contract.
//!
//! Everything here returns at once: the hot engine cannot interrupt a host call.

mod answer;
mod clock;
mod config;
mod kv;
mod log;
mod metrics;
mod session;
mod statement;
mod targets;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::tidegate::plugin;
use crate::state::State;

/// Links every interface of the contract. `state` finds the host's side in the store's data.
pub(crate) fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    state: for<'a> fn(&'a mut T) -> &'a mut State,
) -> wasmtime::Result<()> {
    plugin::answer::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::clock::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::config::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::kv::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::log::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::metrics::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::session::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::statement::add_to_linker::<T, HasSelf<State>>(linker, state)?;
    plugin::targets::add_to_linker::<T, HasSelf<State>>(linker, state)
}
