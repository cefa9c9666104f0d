//! A compressed packet that is written part by part.

use flate2::{Compress, FlushCompress, Status};

use super::{HEADER_LEN, Header};
use crate::frame::PAYLOAD_MAX;

/// So much goes into one: what cannot be compressed gets a little longer, and must still fit.
const PLAIN_MAX: usize = PAYLOAD_MAX - (64 << 10);

/// How much room is made at a time for what comes out of nothing new.
const ROOM: usize = 4 << 10;

/// What was begun in a buffer, and where.
#[derive(Debug)]
pub(super) struct Outgoing {
    deflate: Compress,
    start: usize,
    plain_len: usize,
}

impl Outgoing {
    /// Leaves room for the header behind what is in `out`.
    pub(super) fn begin(deflate: Compress, out: &mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0; HEADER_LEN]);
        Self { deflate, start, plain_len: 0 }
    }

    /// Adds what fits, and returns the rest.
    pub(super) fn add<'a>(&mut self, plain: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let (part, rest) = plain.split_at(plain.len().min(PLAIN_MAX - self.plain_len));
        self.plain_len += part.len();
        self.pack(part, FlushCompress::None, out);
        rest
    }

    /// Writes the header, now that the lengths are known.
    pub(super) fn end(mut self, sequence: u8, out: &mut Vec<u8>) -> Compress {
        self.pack(&[], FlushCompress::Finish, out);
        let len = out.len() - self.start - HEADER_LEN;
        let header = Header { len, sequence, plain_len: self.plain_len }.encode();
        out[self.start..self.start + HEADER_LEN].copy_from_slice(&header);
        self.deflate
    }

    fn pack(&mut self, mut part: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
        loop {
            out.reserve(ROOM.max(part.len() / 2));
            let before = self.deflate.total_in();
            let status = self.deflate.compress_vec(part, out, flush);
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(part.len());
            part = part.get(taken..).unwrap_or_default();
            let done = match flush {
                FlushCompress::Finish => !matches!(status, Ok(Status::Ok | Status::BufError)),
                _ => part.is_empty() || status.is_err(),
            };
            if done {
                return;
            }
        }
    }
}
