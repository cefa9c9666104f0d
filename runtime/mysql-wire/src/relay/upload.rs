//! The file that a client sends when a server has asked for one.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_local_infile_request.html>

use tidegate_wire::Violation;

use super::scan::{Reached, Scan};
use crate::frame::{HEADER_LEN, Header};

/// Follows the packets of a file up to the empty one that ends it, and numbers them as the server
/// expects. What is in them is not looked at.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The number of the client's next frame; `None` inside compression, where nobody looks.
    client: Option<u8>,
    server: u8,
    /// Bytes of the frame at hand that have not come yet.
    remaining: usize,
    /// The frame at hand is full, so the next one belongs to the same packet.
    continues: bool,
    ended: bool,
}

impl Upload {
    /// Behind a request for a file: `client` and `server` are the numbers of the next packet on
    /// either side, as the scanner of the reply tells.
    #[must_use]
    pub fn new(client: u8, server: u8, compressed: bool) -> Self {
        let client = (!compressed).then_some(client);
        Self { client, server, remaining: 0, continues: false, ended: false }
    }

    /// Looks at the client's bytes that were not forwarded yet, and writes the numbers anew. What
    /// it says can be forwarded goes to the server; at [`Reached::End`] its answer follows.
    ///
    /// # Errors
    /// A violation if the client's frames are out of order.
    pub fn scan(&mut self, bytes: &mut [u8]) -> Result<Scan, Violation> {
        let mut at = 0;
        loop {
            let skipped = self.remaining.min(bytes.len() - at);
            self.remaining -= skipped;
            at += skipped;
            if self.remaining > 0 {
                return Ok(Scan { forward: at, reached: Reached::More });
            }
            if self.ended {
                return Ok(Scan { forward: at, reached: Reached::End });
            }
            let Some(header) = bytes[at..].first_chunk_mut::<HEADER_LEN>() else {
                return Ok(Scan { forward: at, reached: Reached::More });
            };
            self.frame(header)?;
            at += HEADER_LEN;
        }
    }

    fn frame(&mut self, header: &mut [u8; HEADER_LEN]) -> Result<(), Violation> {
        let Header { len, sequence } = Header::decode(*header);
        if let Some(expected) = &mut self.client {
            if sequence != *expected {
                return Err(Violation::OutOfOrder { expected: *expected, got: sequence });
            }
            *expected = expected.wrapping_add(1);
        }
        let told = Header { len, sequence: self.server };
        *header = told.encode();
        self.server = self.server.wrapping_add(1);
        self.remaining = len;
        self.ended = len == 0 && !self.continues;
        self.continues = told.continues();
        Ok(())
    }

    /// The number of the client's next packet; inside compression the connection knows it.
    #[must_use]
    pub fn client_sequence(&self) -> Option<u8> {
        self.client
    }

    /// The number of the server's next packet, at the end that of its answer.
    #[must_use]
    pub fn server_sequence(&self) -> u8 {
        self.server
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::frame::{self, PAYLOAD_MAX};

    fn file(parts: &[&[u8]], mut sequence: u8) -> BytesMut {
        let mut out = BytesMut::new();
        for part in parts {
            frame::write(&mut out, &mut sequence, part);
        }
        frame::write(&mut out, &mut sequence, b"");
        out
    }

    #[test]
    fn a_file_is_followed_to_its_end_wherever_it_is_cut() {
        let parts: [&[u8]; 3] = [b"1,2\n", b"3,4\n5,6\n", &[b'x'; 300]];
        let (sent, expected) = (file(&parts, 254), file(&parts, 2));
        for cut in 0..=sent.len() {
            let mut bytes = sent.clone();
            let mut upload = Upload::new(254, 2, false);
            let first = upload.scan(&mut bytes[..cut]).unwrap();
            assert_eq!(first.reached == Reached::End, cut == sent.len(), "cut at {cut}");
            let second = upload.scan(&mut bytes[first.forward..]).unwrap();
            assert_eq!(second.reached, Reached::End);
            assert_eq!(first.forward + second.forward, sent.len());
            assert_eq!(bytes, expected);
            assert_eq!((upload.client_sequence(), upload.server_sequence()), (Some(2), 6));
        }
    }

    #[test]
    fn what_stands_behind_the_file_is_no_part_of_it() {
        let mut bytes = file(&[b"1"], 2);
        let len = bytes.len();
        bytes.extend_from_slice(b"\x01\0\0\0\x0e");
        let scan = Upload::new(2, 2, false).scan(&mut bytes).unwrap();
        assert_eq!(scan, Scan { forward: len, reached: Reached::End });
    }

    #[test]
    fn the_end_of_a_full_packet_is_not_the_end_of_the_file() {
        let mut bytes = file(&[&vec![7; PAYLOAD_MAX], b"8"], 2);
        let mut upload = Upload::new(2, 2, false);
        let scan = upload.scan(&mut bytes).unwrap();
        assert_eq!(scan, Scan { forward: bytes.len(), reached: Reached::End });
        assert_eq!(upload.server_sequence(), 6);
    }

    #[test]
    fn numbers_are_checked_where_they_mean_something() {
        let wrong = file(&[b"1"], 3);
        let refused = Upload::new(2, 2, false).scan(&mut wrong.clone());
        assert_eq!(refused, Err(Violation::OutOfOrder { expected: 2, got: 3 }));
        let mut bytes = wrong;
        assert!(Upload::new(2, 2, true).scan(&mut bytes).is_ok());
        assert_eq!(bytes, file(&[b"1"], 2));
    }
}
