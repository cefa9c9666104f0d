//! What packing and unpacking need to work.

use flate2::{Compress, Compression, Decompress, FlushCompress, Status};
use tidegate_wire::Violation;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::WriteBuf;

use super::MALFORMED;

/// Of nine. Rows become a third as long in half the time of the sixth, which servers use and which
/// saves a fourteenth more.
const ZLIB_LEVEL: u32 = 3;

/// Unpacking that is interrupted keeps what it works with; so many more are kept for the next.
const SPARE_MAX: usize = 8;

/// The working memory of the algorithms, up to a few megabytes. It remembers nothing from one
/// packet to the next, so all connections of a thread share it.
#[derive(Default)]
pub struct Engines {
    deflate: Option<Compress>,
    inflaters: Vec<Decompress>,
    zstd: Option<(u8, Compressor<'static>)>,
    unzstd: Option<Decompressor<'static>>,
}

impl Engines {
    pub(super) fn inflater(&mut self) -> Decompress {
        self.inflaters.pop().unwrap_or_else(|| Decompress::new(true))
    }

    pub(super) fn keep(&mut self, mut inflater: Decompress) {
        if self.inflaters.len() < SPARE_MAX {
            inflater.reset(true);
            self.inflaters.push(inflater);
        }
    }

    /// The length of what `plain` became, if that fits into `out`.
    pub(super) fn pack_zlib(&mut self, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        let deflate =
            self.deflate.get_or_insert_with(|| Compress::new(Compression::new(ZLIB_LEVEL), true));
        deflate.reset();
        match deflate.compress(plain, out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => usize::try_from(deflate.total_out()).ok(),
            _ => None,
        }
    }

    /// As [`Self::pack_zlib`].
    pub(super) fn pack_zstd(&mut self, level: u8, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        if self.zstd.as_ref().is_none_or(|(ready, _)| *ready != level) {
            self.zstd = Some((level, Compressor::new(level.into()).ok()?));
        }
        let (_, zstd) = self.zstd.as_mut()?;
        zstd.compress_to_buffer(plain, out).ok()
    }

    /// Puts what `packed` holds into `out`; it must be `len` bytes.
    pub(super) fn unpack_zstd(
        &mut self,
        packed: &[u8],
        out: &mut (impl WriteBuf + ?Sized),
        len: usize,
    ) -> Result<(), Violation> {
        let unzstd = self.unzstd.get_or_insert_with(Decompressor::default);
        match unzstd.decompress_to_buffer(packed, out) {
            Ok(unpacked) if unpacked == len => Ok(()),
            _ => Err(MALFORMED),
        }
    }
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").field("inflaters", &self.inflaters.len()).finish_non_exhaustive()
    }
}
