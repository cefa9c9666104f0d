//! `wasi:random`: the system's randomness.

use super::Wasi;
use crate::failure::refused;

/// A guest gets no more random bytes than this at a time.
const BYTES_MAX: u64 = 64 << 10;

pub(super) fn define(wasi: &mut Wasi) -> wasmtime::Result<()> {
    for (interface, bytes, number) in [
        ("random/random", "get-random-bytes", "get-random-u64"),
        ("random/insecure", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ] {
        wasi.function(interface, bytes, |_, (len,): (u64,)| Ok((random_bytes(len)?,)))?;
        wasi.function(interface, number, |_, (): ()| Ok((random_number()?,)))?;
    }
    wasi.function("random/insecure-seed", "insecure-seed", |_, (): ()| {
        Ok(((random_number()?, random_number()?),))
    })
}

fn random_bytes(len: u64) -> wasmtime::Result<Vec<u8>> {
    if len > BYTES_MAX {
        return Err(refused(format!("it asked for {len} random bytes")));
    }
    let mut bytes = vec![0; usize::try_from(len)?];
    getrandom::fill(&mut bytes).map_err(wasmtime::Error::new)?;
    Ok(bytes)
}

fn random_number() -> wasmtime::Result<u64> {
    getrandom::u64().map_err(wasmtime::Error::new)
}
