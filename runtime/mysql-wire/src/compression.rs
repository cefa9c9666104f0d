//! Compression: a layer of its own under the packets, from the end of the login on.
//!
//! ```text
//!  0         3      4            7
//!  ┌─────────┬──────┬────────────┬───────────────┐
//!  │ length  │number│ length     │ a piece of    │
//!  │ as sent │      │ before, or │ the stream of │
//!  │         │      │ 0: stored  │ packets       │
//!  └─────────┴──────┴────────────┴───────────────┘
//! ```
//! The stream may be cut anywhere: a compressed packet holds a part of a packet, or many.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_compression.html>

mod engines;
#[cfg(test)]
mod tests;

use flate2::{Decompress, FlushDecompress, Status};
use tidegate_wire::Violation;

pub use engines::Engines;

use crate::capabilities::Capabilities;
use crate::frame::PAYLOAD_MAX;

/// The lengths as sent and before, and the number between them.
pub const HEADER_LEN: usize = 7;

/// Shorter pieces gain nothing; servers and clients store them as well.
const COMPRESSED_MIN: usize = 50;

/// What clients may ask for goes up to 22, where a worker would be busy with one reply for longer
/// than its other sessions can wait. Any level can be read by any client.
const ZSTD_LEVEL_MAX: u8 = 9;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Zlib,
    Zstd {
        /// From 1 to 9.
        level: u8,
    },
}

impl Algorithm {
    /// What a client and a server compress with that have agreed on these capabilities. A client
    /// that can do both means zlib, and knows that servers take it so.
    #[must_use]
    pub fn agreed(capabilities: Capabilities, zstd_level: u8) -> Option<Self> {
        if capabilities.contains(Capabilities::COMPRESS) {
            return Some(Self::Zlib);
        }
        let level = zstd_level.clamp(1, ZSTD_LEVEL_MAX);
        capabilities.contains(Capabilities::ZSTD_COMPRESSION).then_some(Self::Zstd { level })
    }
}

/// What stands before each piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    len: usize,
    sequence: u8,
    /// 0 where the piece is stored as it is.
    plain_len: usize,
}

impl Header {
    fn decode([a, b, c, sequence, x, y, z]: [u8; HEADER_LEN]) -> Self {
        let int3 = |[a, b, c]: [u8; 3]| usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        Self { len: int3([a, b, c]), sequence, plain_len: int3([x, y, z]) }
    }

    /// Both lengths must be at most [`PAYLOAD_MAX`].
    fn encode(self) -> [u8; HEADER_LEN] {
        debug_assert!(self.len <= PAYLOAD_MAX && self.plain_len <= PAYLOAD_MAX);
        let [a, b, c, ..] = self.len.to_le_bytes();
        let [x, y, z, ..] = self.plain_len.to_le_bytes();
        [a, b, c, self.sequence, x, y, z]
    }
}

/// The server's side of a compressed connection.
///
/// Both directions share one row of numbers. A client begins each command with 0, and where one
/// command ends and the next begins is not seen here; so a 0 is always right, and what is checked
/// is that nothing else is out of order.
#[derive(Debug)]
pub struct Codec {
    algorithm: Algorithm,
    sequence: u8,
    incoming: Incoming,
}

/// The compressed packet that is being read.
#[derive(Debug)]
enum Incoming {
    Nothing,
    Stored {
        left: usize,
    },
    /// Unpacked as it comes, so that its length before costs no memory.
    Zlib {
        inflater: Decompress,
        left: usize,
        plain_left: usize,
    },
    /// Unpacked when it is whole: whoever reads a frame of zstd must hold what it becomes anyway.
    Zstd {
        len: usize,
        plain_len: usize,
    },
    Unpacked {
        plain: Vec<u8>,
        given: usize,
    },
}

/// How far reading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// So many bytes of the input are done with. What follows them is needed again, with more.
    pub taken: usize,
    /// So many bytes were put at the front of the output. With none of these, more input is
    /// needed.
    pub given: usize,
}

impl Codec {
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self { algorithm, sequence: 0, incoming: Incoming::Nothing }
    }

    /// The number of the next compressed packet, whoever sends it.
    #[must_use]
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Reads from `input` what fits into `output`, and not beyond the compressed packet at hand:
    /// [`Self::sequence`] belongs to the command that the bytes given last are of.
    ///
    /// `input` has to grow up to the length of a compressed packet, by what has really come. The
    /// only memory that a length in a header is believed for is the one before, at most 16 MiB,
    /// for zstd, once the packet is there whole.
    ///
    /// # Errors
    /// A violation if the numbers or lengths are wrong, or what is compressed cannot be read. The
    /// stream is lost then.
    pub fn decompress(
        &mut self,
        engines: &mut Engines,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Progress, Violation> {
        let mut progress = Progress::default();
        loop {
            let rest = input.get(progress.taken..).unwrap_or_default();
            let room = output.get_mut(progress.given..).unwrap_or_default();
            let step = match &mut self.incoming {
                Incoming::Nothing if progress.given > 0 => return Ok(progress),
                Incoming::Nothing => self.open(engines, rest)?,
                Incoming::Stored { left } => {
                    let len = (*left).min(rest.len()).min(room.len());
                    room[..len].copy_from_slice(&rest[..len]);
                    *left -= len;
                    Progress { taken: len, given: len }
                }
                Incoming::Zlib { inflater, left, plain_left } => {
                    inflate(inflater, left, plain_left, rest, room)?
                }
                Incoming::Zstd { len, plain_len } => {
                    let (len, plain_len) = (*len, *plain_len);
                    let Some(packed) = rest.get(..len) else {
                        return Ok(progress);
                    };
                    self.unpack(engines, packed, plain_len, room)?
                }
                Incoming::Unpacked { plain, given } => {
                    let left = plain.get(*given..).unwrap_or_default();
                    let len = left.len().min(room.len());
                    room[..len].copy_from_slice(&left[..len]);
                    *given += len;
                    Progress { taken: 0, given: len }
                }
            };
            self.finish(engines);
            if step == Progress::default() {
                return Ok(progress);
            }
            progress.taken += step.taken;
            progress.given += step.given;
        }
    }

    /// Takes the header of the next compressed packet, if it is there.
    fn open(&mut self, engines: &mut Engines, input: &[u8]) -> Result<Progress, Violation> {
        let Some(header) = input.first_chunk::<HEADER_LEN>() else {
            return Ok(Progress::default());
        };
        let Header { len, sequence, plain_len } = Header::decode(*header);
        if sequence != self.sequence && sequence != 0 {
            return Err(Violation::OutOfOrder { expected: self.sequence, got: sequence });
        }
        self.sequence = sequence.wrapping_add(1);
        self.incoming = match self.algorithm {
            _ if plain_len == 0 => Incoming::Stored { left: len },
            Algorithm::Zlib => {
                Incoming::Zlib { inflater: engines.inflater(), left: len, plain_left: plain_len }
            }
            Algorithm::Zstd { .. } => Incoming::Zstd { len, plain_len },
        };
        Ok(Progress { taken: HEADER_LEN, given: 0 })
    }

    /// Unpacks a frame of zstd that is there whole: in place, if there is the room.
    fn unpack(
        &mut self,
        engines: &mut Engines,
        packed: &[u8],
        plain_len: usize,
        room: &mut [u8],
    ) -> Result<Progress, Violation> {
        if let Some(room) = room.get_mut(..plain_len) {
            engines.unpack_zstd(packed, room, plain_len)?;
            self.incoming = Incoming::Nothing;
            return Ok(Progress { taken: packed.len(), given: plain_len });
        }
        let mut plain = Vec::with_capacity(plain_len);
        engines.unpack_zstd(packed, &mut plain, plain_len)?;
        self.incoming = Incoming::Unpacked { plain, given: 0 };
        Ok(Progress { taken: packed.len(), given: 0 })
    }

    /// Lets go of a compressed packet that was read to its end.
    fn finish(&mut self, engines: &mut Engines) {
        let done = match &self.incoming {
            Incoming::Stored { left } => *left == 0,
            Incoming::Zlib { left, plain_left, .. } => *left == 0 && *plain_left == 0,
            Incoming::Unpacked { plain, given } => *given == plain.len(),
            Incoming::Nothing | Incoming::Zstd { .. } => false,
        };
        if done
            && let Incoming::Zlib { inflater, .. } =
                std::mem::replace(&mut self.incoming, Incoming::Nothing)
        {
            engines.keep(inflater);
        }
    }

    /// Writes `plain` behind what is in `out`, in as many compressed packets as it needs.
    pub fn compress(&mut self, engines: &mut Engines, plain: &[u8], out: &mut Vec<u8>) {
        for piece in plain.chunks(PAYLOAD_MAX) {
            let start = out.len();
            out.resize(start + HEADER_LEN + piece.len(), 0);
            let (head, room) = out[start..].split_at_mut(HEADER_LEN);
            // One byte less room: what does not get shorter is stored.
            let shorter = &mut room[..piece.len() - 1];
            let packed = match self.algorithm {
                _ if piece.len() < COMPRESSED_MIN => None,
                Algorithm::Zlib => engines.pack_zlib(piece, shorter),
                Algorithm::Zstd { level } => engines.pack_zstd(level, piece, shorter),
            };
            let (len, plain_len) = match packed {
                Some(len) => (len, piece.len()),
                None => {
                    room.copy_from_slice(piece);
                    (piece.len(), 0)
                }
            };
            head.copy_from_slice(&Header { len, sequence: self.sequence, plain_len }.encode());
            out.truncate(start + HEADER_LEN + len);
            self.sequence = self.sequence.wrapping_add(1);
        }
    }
}

/// What is compressed says something else than its header, or nothing at all.
const MALFORMED: Violation = Violation::Malformed { what: "a compressed packet" };

/// Goes on with a stream that must end after exactly so many bytes on both sides.
fn inflate(
    inflater: &mut Decompress,
    left: &mut usize,
    plain_left: &mut usize,
    input: &[u8],
    output: &mut [u8],
) -> Result<Progress, Violation> {
    let input = &input[..(*left).min(input.len())];
    let (taken_before, given_before) = (inflater.total_in(), inflater.total_out());
    // Behind the last byte stands a checksum; one byte more shows whether there is more than that.
    let mut beyond = [0];
    let output = match *plain_left {
        0 => &mut beyond[..],
        most => {
            let most = most.min(output.len());
            &mut output[..most]
        }
    };
    let status = inflater.decompress(input, output, FlushDecompress::None);
    let status = status.map_err(|_| MALFORMED)?;
    let count = |now: u64, before: u64| usize::try_from(now - before).map_err(|_| MALFORMED);
    let step = Progress {
        taken: count(inflater.total_in(), taken_before)?,
        given: count(inflater.total_out(), given_before)?,
    };
    *left -= step.taken;
    *plain_left = plain_left.checked_sub(step.given).ok_or(MALFORMED)?;
    let whole = *left == 0 && *plain_left == 0;
    let stuck = *left == 0 && step == Progress::default() && !output.is_empty();
    match status {
        Status::StreamEnd if whole => Ok(step),
        Status::StreamEnd => Err(MALFORMED),
        _ if whole || stuck => Err(MALFORMED),
        _ => Ok(step),
    }
}
