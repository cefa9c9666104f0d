//! What packing and unpacking need to work.

use flate2::{Compress, Compression, Decompress, FlushCompress, Status};
use tidegate_wire::Violation;
use zstd::bulk::Compressor;
use zstd::stream::raw::{DParameter, Decoder, Operation as _};

use super::incoming::Unpacker;
use super::{Algorithm, MALFORMED};

/// Of nine. Rows become a third as long in half the time of the sixth, which servers use and which
/// saves a fourteenth more.
const ZLIB_LEVEL: u32 = 3;

/// A packet becomes no more than 16 MiB, so nothing in it can refer further back.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;

/// Unpacking that is interrupted keeps what it works with; so many more are kept for the next.
const SPARE_MAX: usize = 8;

/// After a longer packet, what has unpacked zstd has grown with it, and is not kept.
const SPARE_PLAIN_MAX: usize = 256 << 10;

/// The working memory of the algorithms, up to a few megabytes. It remembers nothing from one
/// packet to the next, so all connections of a thread share it.
#[derive(Default)]
pub struct Engines {
    deflate: Option<Compress>,
    zstd: Option<(u8, Compressor<'static>)>,
    inflaters: Vec<Decompress>,
    decoders: Vec<Decoder<'static>>,
}

impl Engines {
    pub(super) fn unpacker(&mut self, algorithm: Algorithm) -> Result<Unpacker, Violation> {
        Ok(match algorithm {
            Algorithm::Zlib => {
                let spare = self.inflaters.pop();
                Unpacker::Zlib(spare.unwrap_or_else(|| Decompress::new(true)))
            }
            Algorithm::Zstd { .. } => Unpacker::Zstd(match self.decoders.pop() {
                Some(spare) => spare,
                None => decoder().map_err(|_| MALFORMED)?,
            }),
        })
    }

    /// Takes back what has unpacked a packet that became so long.
    pub(super) fn keep(&mut self, unpacker: Unpacker, plain_len: usize) {
        match unpacker {
            Unpacker::Zlib(mut inflater) => {
                if self.inflaters.len() < SPARE_MAX {
                    inflater.reset(true);
                    self.inflaters.push(inflater);
                }
            }
            Unpacker::Zstd(mut decoder) => {
                let wanted = self.decoders.len() < SPARE_MAX && plain_len <= SPARE_PLAIN_MAX;
                if wanted && decoder.reinit().is_ok() {
                    self.decoders.push(decoder);
                }
            }
        }
    }

    pub(super) fn take_deflate(&mut self) -> Compress {
        let deflate = self.deflate.take();
        deflate.unwrap_or_else(|| Compress::new(Compression::new(ZLIB_LEVEL), true))
    }

    pub(super) fn keep_deflate(&mut self, mut deflate: Compress) {
        deflate.reset();
        self.deflate = Some(deflate);
    }

    /// The length of what `plain` became, if that fits into `out`.
    pub(super) fn pack_zlib(&mut self, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut deflate = self.take_deflate();
        let packed = match deflate.compress(plain, out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => usize::try_from(deflate.total_out()).ok(),
            _ => None,
        };
        self.keep_deflate(deflate);
        packed
    }

    /// As [`Self::pack_zlib`].
    pub(super) fn pack_zstd(&mut self, level: u8, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        if self.zstd.as_ref().is_none_or(|(ready, _)| *ready != level) {
            self.zstd = Some((level, Compressor::new(level.into()).ok()?));
        }
        let (_, zstd) = self.zstd.as_mut()?;
        zstd.compress_to_buffer(plain, out).ok()
    }
}

fn decoder() -> std::io::Result<Decoder<'static>> {
    let mut decoder = Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
    Ok(decoder)
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines")
            .field("inflaters", &self.inflaters.len())
            .field("decoders", &self.decoders.len())
            .finish_non_exhaustive()
    }
}
