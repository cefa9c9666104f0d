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
mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

use tidegate_wire::Violation;

pub use engines::Engines;

use self::incoming::Incoming;
use self::outgoing::Outgoing;
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
    incoming: Option<Incoming>,
    outgoing: Option<Outgoing>,
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
        Self { algorithm, sequence: 0, incoming: None, outgoing: None }
    }

    /// The number of the next compressed packet, whoever sends it.
    #[must_use]
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// Reads from `input` what fits into `output`, and not beyond the compressed packet at hand:
    /// [`Self::sequence`] belongs to the command that the bytes given last are of.
    ///
    /// No length is believed: what a packet becomes is given as it is unpacked, and memory is used
    /// for what has come and for what was given, at most 16 MiB of it.
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
                Some(incoming) => incoming.read(rest, room)?,
                None if progress.given > 0 => return Ok(progress),
                None => self.open(engines, rest)?,
            };
            if self.incoming.as_ref().is_some_and(Incoming::is_done)
                && let Some(Incoming::Packed { unpacker, plain_len, .. }) = self.incoming.take()
            {
                engines.keep(unpacker, plain_len);
            }
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
        self.incoming = Some(match plain_len {
            0 => Incoming::Stored { left: len },
            plain_len => {
                let unpacker = engines.unpacker(self.algorithm)?;
                Incoming::Packed { unpacker, plain_len, left: len, plain_left: plain_len }
            }
        });
        Ok(Progress { taken: HEADER_LEN, given: 0 })
    }

    /// Writes `plain` behind what is in `out`, in as many compressed packets as it needs; or at the
    /// end of the one that [`Self::compress_part`] has begun.
    pub fn compress(&mut self, engines: &mut Engines, plain: &[u8], out: &mut Vec<u8>) {
        if self.outgoing.is_some() {
            self.compress_part(engines, plain, out);
            return self.end_part(engines, out);
        }
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

    /// Writes the next part of something that should not be cut, into the compressed packet that
    /// is open in `out`, or a new one there. What is in `out` may be sent, and taken out of it,
    /// only when [`Self::is_open`] no longer holds.
    ///
    /// Only zlib can: clients that mind have nothing else.
    pub fn compress_part(&mut self, engines: &mut Engines, plain: &[u8], out: &mut Vec<u8>) {
        if self.algorithm != Algorithm::Zlib {
            return self.compress(engines, plain, out);
        }
        let mut rest = plain;
        while !rest.is_empty() {
            let mut open = match self.outgoing.take() {
                Some(open) => open,
                None => Outgoing::begin(engines.take_deflate(), out),
            };
            rest = open.add(rest, out);
            self.outgoing = Some(open);
            if !rest.is_empty() {
                self.end_part(engines, out);
            }
        }
    }

    /// Ends the compressed packet that is open in `out`, if one is.
    pub fn end_part(&mut self, engines: &mut Engines, out: &mut Vec<u8>) {
        if let Some(open) = self.outgoing.take() {
            engines.keep_deflate(open.end(self.sequence, out));
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    /// A compressed packet has been begun and not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outgoing.is_some()
    }
}

/// What is compressed says something else than its header, or nothing at all.
const MALFORMED: Violation = Violation::Malformed { what: "a compressed packet" };
