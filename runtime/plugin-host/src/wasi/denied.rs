//! The rest of WASI, which exists so that components link, and refuses to be called.
//!
//! `Linker::define_unknown_imports_as_traps` is not used: it asks for exact versions, and so would
//! lay its traps over what is provided under another 0.2 version.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

use super::cli::{Descriptor, TerminalInput, TerminalOutput};
use super::io::{InputStream, IoError, OutputStream, Pollable};
use super::versioned;
use crate::failure::refused;
use crate::state::State;

/// Defines what this component imports from WASI and `defined` does not hold.
pub(super) fn define(
    linker: &mut Linker<State>,
    defined: &HashSet<String>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    let ours: HashSet<&str> = defined.iter().filter_map(|d| d.split(' ').next()).collect();
    for (name, import) in component.component_type().imports(engine) {
        let Some(interface) = name.strip_prefix("wasi:").and_then(|n| n.split('@').next()) else {
            continue;
        };
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            continue;
        };
        // What is provided stands under our version; the rest of its interface must stand there too.
        let place = if ours.contains(interface) { versioned(interface) } else { name.to_owned() };
        let mut place = linker.instance(&place)?;
        for (item, export) in instance.exports(engine) {
            if !defined.contains(&format!("{interface} {item}")) {
                deny(&mut place, name, item, &export.ty)?;
            }
        }
    }
    Ok(())
}

fn deny(
    place: &mut LinkerInstance<'_, State>,
    interface: &str,
    item: &str,
    what: &ComponentItem,
) -> wasmtime::Result<()> {
    match what {
        ComponentItem::ComponentFunc(_) => {
            let why = format!("{interface} {item} is not granted to plugins");
            place.func_new(item, move |_, _, _, _| Err(refused(why.clone())))
        }
        ComponentItem::Resource(_) => {
            place.resource(item, resource(interface, item), |_, _| Ok(()))
        }
        _ => Ok(()),
    }
}

/// The type of a resource: one that is used in several interfaces must be the same in each.
fn resource(interface: &str, name: &str) -> ResourceType {
    match name {
        "error" if interface.starts_with("wasi:io/") => ResourceType::host::<IoError>(),
        "error" if interface.starts_with("wasi:filesystem/") => ResourceType::host::<IoError>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "terminal-input" => ResourceType::host::<TerminalInput>(),
        "terminal-output" => ResourceType::host::<TerminalOutput>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        other => {
            let mut hasher = DefaultHasher::new();
            other.hash(&mut hasher);
            let number = u32::try_from(hasher.finish() >> 32).unwrap_or_default();
            ResourceType::host_dynamic(number)
        }
    }
}
