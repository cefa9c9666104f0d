//! From the bytes of a file to something that can be instantiated, with words for what is wrong.

use tracing::Level;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine};

use crate::background::BackgroundState;
use crate::bindings::exports::tidegate::plugin as exports;
use crate::directory::Hash;
use crate::failure::{Failure, one_line};
use crate::imports;
use crate::link;
use crate::sidecar::SidecarError;
use crate::state::State;
use crate::wasi::Wasi;

/// A file larger than this is not read.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;

/// The hot hooks run on the worker's own stack; this much of it, and the guest traps.
const STACK_BYTES: usize = 256 << 10;

/// Why a plugin cannot be loaded, in one line for its author.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the file cannot be read: {0}")]
    Read(String),
    #[error("the file is larger than {} MiB", FILE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the file is empty")]
    Empty,
    #[error("the file is not WebAssembly")]
    NotWasm,
    #[error(
        "the file is precompiled machine code, which is not run: drop the component that it was \
         made from"
    )]
    Precompiled,
    #[error("it is a core module, not a component: build it for the target wasm32-wasip2")]
    CoreModule,
    #[error("it does not compile: {0}")]
    Compile(String),
    #[error("{0}")]
    Link(String),
    #[error("{0}")]
    Sidecar(#[from] SidecarError),
    #[error("its init refused: {0}")]
    Refused(String),
    #[error("it does not start: {0}")]
    Start(Failure),
}

/// The hooks that a component exports, found once.
#[derive(Clone, Default)]
pub(crate) struct Exports {
    pub(crate) lifecycle: Option<exports::lifecycle::GuestIndices>,
    pub(crate) ticker: Option<exports::ticker::GuestIndices>,
    pub(crate) connection: Option<exports::connection_hooks::GuestIndices>,
    pub(crate) connection_observer: Option<exports::connection_observer::GuestIndices>,
    pub(crate) sql: Option<exports::sql_hooks::GuestIndices>,
    pub(crate) sql_observer: Option<exports::sql_observer::GuestIndices>,
}

/// What must be kept at hand for a component while it decides a statement.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reads {
    pub(crate) bytes: bool,
    pub(crate) attributes: bool,
}

/// A component that is compiled and linked.
pub(crate) struct Compiled {
    pub(crate) hot: InstancePre<State>,
    /// For the instance that runs `ticker`; it can wait, and so is linked otherwise.
    pub(crate) background: InstancePre<BackgroundState>,
    pub(crate) exports: Exports,
    /// The interfaces that it imports: what it can do.
    pub(crate) imports: Vec<String>,
    /// It can ask for the bytes of the statement in hand, and for what is attached to it.
    pub(crate) reads: Reads,
    /// Of the file.
    pub(crate) hash: Hash,
}

/// Compiles components for one engine.
pub(crate) struct Compiler {
    engine: Engine,
    wasi: Wasi,
    background: Linker<BackgroundState>,
}

impl Compiler {
    /// An engine for calls that never wait, and the linkers for both kinds of instances.
    ///
    /// Both are of one engine, so that a component is compiled once: what may wait is decided by
    /// what is linked.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let mut hot = Linker::new(&engine);
        imports::add_to_linker(&mut hot, |state| state)?;
        let mut background = Linker::new(&engine);
        imports::add_to_linker(&mut background, BackgroundState::state)?;
        wasmtime_wasi::p2::add_to_linker_async(&mut background)?;
        Ok(Self { wasi: Wasi::new(hot)?, background, engine })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Compiles and links. This takes tens of milliseconds.
    pub(crate) fn compile(
        &self,
        plugin: &str,
        bytes: &[u8],
        hash: Hash,
    ) -> Result<Compiled, LoadError> {
        check_format(bytes)?;
        let component = Component::from_binary(&self.engine, bytes)
            .map_err(|error| LoadError::Compile(one_line(format!("{error:#}"))))?;
        let link_error = |error: wasmtime::Error| {
            LoadError::Link(link::explain_imports(&component, &self.engine, &error))
        };
        let linker = self.wasi.linker_for(&component, &self.engine).map_err(link_error)?;
        let hot = linker.instantiate_pre(&component).map_err(link_error)?;
        let background = self.background.instantiate_pre(&component).map_err(link_error)?;
        let exports = Exports::of(&hot);
        self.check_exports(plugin, &component, &exports)?;
        let imports = self.imports(&component);
        let reads = self.reads(&component);
        Ok(Compiled { hot, background, exports, imports, reads, hash })
    }

    fn imports(&self, component: &Component) -> Vec<String> {
        component.component_type().imports(&self.engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// Found by functions: a component that imports one of an interface has not those it does not call.
    fn reads(&self, component: &Component) -> Reads {
        let ty = component.component_type();
        let calls = |function: &str| {
            ty.imports(&self.engine).any(|(name, import)| match import.ty {
                ComponentItem::ComponentInstance(interface) => {
                    name.starts_with("tidegate:plugin/statement@")
                        && interface.get_export(&self.engine, function).is_some()
                }
                _ => false,
            })
        };
        Reads { bytes: calls("bytes"), attributes: calls("attribute") }
    }

    fn check_exports(
        &self,
        plugin: &str,
        component: &Component,
        exports: &Exports,
    ) -> Result<(), LoadError> {
        let ty = component.component_type();
        let names: Vec<&str> = ty.exports(&self.engine).map(|(name, _)| name).collect();
        let found = link::check_exports(&names, &exports.names()).map_err(LoadError::Link)?;
        for unknown in found {
            tracing::event!(
                target: "plugin", Level::WARN, plugin,
                "it exports {unknown}, which this host does not call"
            );
        }
        Ok(())
    }
}

fn config() -> Config {
    let mut config = Config::new();
    // Otherwise each call makes a task, which more than doubles its price.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK_BYTES);
    config
}

/// The first bytes tell a component from what people drop by mistake.
fn check_format(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.is_empty() {
        return Err(LoadError::Empty);
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(LoadError::Precompiled);
    }
    match bytes.strip_prefix(b"\0asm") {
        None => Err(LoadError::NotWasm),
        Some([1, 0, 0, 0, ..]) => Err(LoadError::CoreModule),
        Some(_) => Ok(()),
    }
}

impl Exports {
    fn of(pre: &InstancePre<State>) -> Self {
        Self {
            lifecycle: exports::lifecycle::GuestIndices::new(pre).ok(),
            ticker: exports::ticker::GuestIndices::new(pre).ok(),
            connection: exports::connection_hooks::GuestIndices::new(pre).ok(),
            connection_observer: exports::connection_observer::GuestIndices::new(pre).ok(),
            sql: exports::sql_hooks::GuestIndices::new(pre).ok(),
            sql_observer: exports::sql_observer::GuestIndices::new(pre).ok(),
        }
    }

    /// The interfaces of the contract that were found.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let all = [
            ("lifecycle", self.lifecycle.is_some()),
            ("ticker", self.ticker.is_some()),
            ("connection-hooks", self.connection.is_some()),
            ("connection-observer", self.connection_observer.is_some()),
            ("sql-hooks", self.sql.is_some()),
            ("sql-observer", self.sql_observer.is_some()),
        ];
        all.into_iter().filter(|(_, found)| *found).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_called_by_its_name() {
        let error = |bytes: &[u8]| check_format(bytes).unwrap_err().to_string();
        assert!(error(b"").contains("empty"));
        assert!(error(b"#!/bin/sh").contains("not WebAssembly"));
        assert!(error(b"\0asm\x01\0\0\0").contains("wasm32-wasip2"));
        check_format(b"\0asm\x0d\0\x01\0").unwrap();
    }
}
