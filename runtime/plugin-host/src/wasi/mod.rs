//! WASI as a hot hook sees it: printing goes to the log, clocks and randomness work, all else is
//! refused.
//!
//! Nothing here blocks, allocates a table or needs tokio: `wasmtime-wasi`'s synchronous linker
//! panics on a tokio worker, and its asynchronous one would put every call on a fiber. Resources
//! are plain numbers, since the guest can do nothing with them but hand them back.

mod cli;
mod clocks;
mod denied;
mod io;
mod random;

use std::collections::HashSet;

use wasmtime::component::{Component, ComponentNamedList, Lift, Linker, Lower, ResourceType};
use wasmtime::{Engine, StoreContextMut};

use crate::state::State;

/// The linker serves any later 0.2 version by this one.
const VERSION: &str = "0.2.0";

/// The WASI that is provided, and what of it.
pub(crate) struct Wasi {
    linker: Linker<State>,
    /// `interface function` for all that is defined.
    defined: HashSet<String>,
}

impl Wasi {
    /// Adds the WASI of hot hooks to a linker.
    pub(crate) fn new(linker: Linker<State>) -> wasmtime::Result<Self> {
        let mut wasi = Self { linker, defined: HashSet::new() };
        io::define(&mut wasi)?;
        cli::define(&mut wasi)?;
        clocks::define(&mut wasi)?;
        random::define(&mut wasi)?;
        Ok(wasi)
    }

    /// The linker for one component: what it wants beyond what is provided is refused when called.
    ///
    /// So a plugin whose library could open a file loads, and fails only if it does.
    pub(crate) fn linker_for(
        &self,
        component: &Component,
        engine: &Engine,
    ) -> wasmtime::Result<Linker<State>> {
        let mut linker = self.linker.clone();
        denied::define(&mut linker, &self.defined, component, engine)?;
        Ok(linker)
    }

    fn function<Params, Return>(
        &mut self,
        interface: &str,
        name: &str,
        call: impl Fn(&mut State, Params) -> wasmtime::Result<Return> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        Params: ComponentNamedList + Lift + 'static,
        Return: ComponentNamedList + Lower + 'static,
    {
        self.defined.insert(format!("{interface} {name}"));
        self.linker.instance(&versioned(interface))?.func_wrap(
            name,
            move |mut store: StoreContextMut<'_, State>, params: Params| {
                call(store.data_mut(), params)
            },
        )
    }

    fn resource<R: 'static>(&mut self, interface: &str, name: &str) -> wasmtime::Result<()> {
        self.defined.insert(format!("{interface} {name}"));
        let mut instance = self.linker.instance(&versioned(interface))?;
        instance.resource(name, ResourceType::host::<R>(), |_, _| Ok(()))
    }
}

fn versioned(interface: &str) -> String {
    format!("wasi:{interface}@{VERSION}")
}
