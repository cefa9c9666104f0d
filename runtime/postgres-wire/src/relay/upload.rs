//! Following the data of a COPY from a client, so that its bytes can be forwarded as they came.

use tidegate_wire::Violation;

use crate::frame::{HEADER_LEN, Header};
use crate::message::tag::frontend;

/// Follows what a client sends while a server waits for data. A new one is needed for each COPY.
#[derive(Clone, Debug, Default)]
pub struct Upload {
    /// Bytes of the message at hand that have not come yet.
    remaining: usize,
    ended: bool,
}

/// How far the data has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// More bytes are needed.
    More,
    /// The client has said that this was all, or that it gives up.
    End,
    /// Before a message that is none of a COPY: the client has broken the protocol, or goes.
    Other,
}

impl Upload {
    /// Looks at the bytes that were not forwarded yet. So many of them are for the server.
    ///
    /// # Errors
    /// A violation if a length cannot be. The stream is lost then.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<(usize, Uploaded), Violation> {
        let mut at = 0;
        loop {
            let piece = self.remaining.min(bytes.len() - at);
            self.remaining -= piece;
            at += piece;
            if self.remaining > 0 {
                return Ok((at, Uploaded::More));
            }
            if self.ended {
                return Ok((at, Uploaded::End));
            }
            let Some(header) = bytes[at..].first_chunk() else {
                return Ok((at, Uploaded::More));
            };
            let Header { tag, len } = Header::decode(*header)?;
            match tag {
                // Servers pass over the others, which clients send without a look at the statement.
                frontend::COPY_DATA | frontend::FLUSH | frontend::SYNC => {}
                frontend::COPY_DONE | frontend::COPY_FAIL => self.ended = true,
                _ => return Ok((at, Uploaded::Other)),
            }
            self.remaining = HEADER_LEN + len;
        }
    }
}
