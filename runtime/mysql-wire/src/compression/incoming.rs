//! The compressed packet that is being read.

use flate2::{Decompress, FlushDecompress, Status};
use tidegate_wire::Violation;
use zstd::stream::raw::{Decoder, Operation as _};

use super::{MALFORMED, Progress};

pub(super) enum Incoming {
    Stored {
        left: usize,
    },
    Packed {
        unpacker: Unpacker,
        /// What its header promises.
        plain_len: usize,
        left: usize,
        plain_left: usize,
    },
}

/// What unpacks one packet, and remembers where it is.
pub(super) enum Unpacker {
    Zlib(Decompress),
    Zstd(Decoder<'static>),
}

impl Incoming {
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Stored { left } => *left == 0,
            Self::Packed { left, plain_left, .. } => *left == 0 && *plain_left == 0,
        }
    }

    /// Goes on with the packet. What is compressed must end after exactly so many bytes on both
    /// sides.
    pub(super) fn read(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Violation> {
        let (unpacker, left, plain_left) = match self {
            Self::Packed { unpacker, left, plain_left, .. } => (unpacker, left, plain_left),
            Self::Stored { left } => {
                let len = (*left).min(input.len()).min(output.len());
                output[..len].copy_from_slice(&input[..len]);
                *left -= len;
                return Ok(Progress { taken: len, given: len });
            }
        };
        let input = &input[..(*left).min(input.len())];
        // Behind the last byte stands a checksum; one byte more shows whether there is more than
        // that.
        let mut beyond = [0];
        let output = match *plain_left {
            0 => &mut beyond[..],
            most => {
                let most = most.min(output.len());
                &mut output[..most]
            }
        };
        let (step, ended) = unpacker.run(input, output)?;
        *left -= step.taken;
        *plain_left = plain_left.checked_sub(step.given).ok_or(MALFORMED)?;
        let whole = *left == 0 && *plain_left == 0;
        let stuck = *left == 0 && step == Progress::default() && !output.is_empty();
        if ended != whole && (ended || whole) || stuck {
            return Err(MALFORMED);
        }
        Ok(step)
    }
}

impl Unpacker {
    /// How far it came, and whether that is the end.
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Result<(Progress, bool), Violation> {
        match self {
            Self::Zlib(inflater) => {
                let (taken, given) = (inflater.total_in(), inflater.total_out());
                let status = inflater.decompress(input, output, FlushDecompress::None);
                let status = status.map_err(|_| MALFORMED)?;
                let since = |now: u64, then| usize::try_from(now - then).map_err(|_| MALFORMED);
                let step = Progress {
                    taken: since(inflater.total_in(), taken)?,
                    given: since(inflater.total_out(), given)?,
                };
                Ok((step, status == Status::StreamEnd))
            }
            Self::Zstd(decoder) => {
                let status = decoder.run_on_buffers(input, output).map_err(|_| MALFORMED)?;
                let step = Progress { taken: status.bytes_read, given: status.bytes_written };
                Ok((step, status.remaining == 0))
            }
        }
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stored { left } => f.debug_struct("Stored").field("left", left).finish(),
            Self::Packed { left, plain_left, .. } => f
                .debug_struct("Packed")
                .field("left", left)
                .field("plain_left", plain_left)
                .finish_non_exhaustive(),
        }
    }
}
