//! `wasi:io`: streams that end in the log.

use wasmtime::component::{ComponentType, Lift, Lower, Resource};

use super::Wasi;
use crate::printed::Stream;

pub(super) struct IoError;
pub(super) struct Pollable;
pub(super) struct InputStream;
pub(super) struct OutputStream;

/// The number of the one input stream, which is always at its end.
pub(super) const STDIN: u32 = 0;
pub(super) const STDOUT: u32 = 1;
pub(super) const STDERR: u32 = 2;

/// A guest writes no more than this at a time.
const WRITE_MAX: u64 = 4096;

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lower, Lift)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    /// A case of the WASI type that nothing here runs into.
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Written = Result<(), StreamError>;

/// Not more than printing needs: what waits for something (`pollable.block`) is left out, and so
/// refused.
pub(super) fn define(wasi: &mut Wasi) -> wasmtime::Result<()> {
    wasi.resource::<IoError>("io/error", "error")?;
    wasi.resource::<Pollable>("io/poll", "pollable")?;
    wasi.resource::<InputStream>("io/streams", "input-stream")?;
    wasi.resource::<OutputStream>("io/streams", "output-stream")?;
    define_output(wasi)?;
    for read in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        wasi.function("io/streams", read, |_, (_, _): (Resource<InputStream>, u64)| {
            Ok((Err::<Vec<u8>, _>(StreamError::Closed),))
        })?;
    }
    Ok(())
}

fn define_output(wasi: &mut Wasi) -> wasmtime::Result<()> {
    let streams = "io/streams";
    wasi.function(
        streams,
        "[method]output-stream.check-write",
        |_, (_,): (Resource<OutputStream>,)| Ok((Ok::<u64, StreamError>(WRITE_MAX),)),
    )?;
    for write in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        wasi.function(
            streams,
            write,
            |state, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                state.printed(stream_of(&stream), &bytes);
                Ok((Written::Ok(()),))
            },
        )?;
    }
    for flush in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        wasi.function(streams, flush, |_, (_,): (Resource<OutputStream>,)| Ok((Written::Ok(()),)))?;
    }
    // The standard library subscribes before it writes; it asks nothing of the pollable.
    wasi.function(
        streams,
        "[method]output-stream.subscribe",
        |_, (_,): (Resource<OutputStream>,)| Ok((Resource::<Pollable>::new_own(0),)),
    )
}

fn stream_of(stream: &Resource<OutputStream>) -> Stream {
    if stream.rep() == STDERR { Stream::Error } else { Stream::Out }
}
