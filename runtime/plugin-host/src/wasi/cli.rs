//! `wasi:cli` and the root of the file system: no arguments, no environment, no terminal, no
//! directory.

use wasmtime::component::Resource;

use super::Wasi;
use super::io::{InputStream, OutputStream, STDERR, STDIN, STDOUT};
use crate::failure::refused;

pub(super) struct TerminalInput;
pub(super) struct TerminalOutput;
pub(super) struct Descriptor;

pub(super) fn define(wasi: &mut Wasi) -> wasmtime::Result<()> {
    let environment = "cli/environment";
    wasi.function(environment, "get-environment", |_, (): ()| {
        Ok((Vec::<(String, String)>::new(),))
    })?;
    wasi.function(environment, "get-arguments", |_, (): ()| Ok((Vec::<String>::new(),)))?;
    wasi.function(environment, "initial-cwd", |_, (): ()| Ok((None::<String>,)))?;
    wasi.function("cli/exit", "exit", |_, (_,): (Result<(), ()>,)| {
        Err::<(), _>(refused("it called exit"))
    })?;
    define_streams(wasi)?;
    wasi.resource::<Descriptor>("filesystem/types", "descriptor")?;
    wasi.function("filesystem/preopens", "get-directories", |_, (): ()| {
        Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
    })
}

fn define_streams(wasi: &mut Wasi) -> wasmtime::Result<()> {
    wasi.function("cli/stdin", "get-stdin", |_, (): ()| {
        Ok((Resource::<InputStream>::new_own(STDIN),))
    })?;
    wasi.function("cli/stdout", "get-stdout", |_, (): ()| {
        Ok((Resource::<OutputStream>::new_own(STDOUT),))
    })?;
    wasi.function("cli/stderr", "get-stderr", |_, (): ()| {
        Ok((Resource::<OutputStream>::new_own(STDERR),))
    })?;
    wasi.resource::<TerminalInput>("cli/terminal-input", "terminal-input")?;
    wasi.resource::<TerminalOutput>("cli/terminal-output", "terminal-output")?;
    wasi.function("cli/terminal-stdin", "get-terminal-stdin", |_, (): ()| {
        Ok((None::<Resource<TerminalInput>>,))
    })?;
    wasi.function("cli/terminal-stdout", "get-terminal-stdout", |_, (): ()| {
        Ok((None::<Resource<TerminalOutput>>,))
    })?;
    wasi.function("cli/terminal-stderr", "get-terminal-stderr", |_, (): ()| {
        Ok((None::<Resource<TerminalOutput>>,))
    })
}
