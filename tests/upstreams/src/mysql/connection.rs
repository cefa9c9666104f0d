//! A client's socket, in packets.

use std::net::TcpStream;

use bytes::BytesMut;
use tidegate_mysql_wire::frame::{self, Packets};

use crate::socket::{MESSAGE_MAX, Socket};

/// Reads packets whole and keeps replies until they are complete.
pub(super) struct Connection {
    socket: Socket,
    packets: Packets,
    /// Of the next packet that is written.
    sequence: u8,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> anyhow::Result<Self> {
        let packets = Packets::new(MESSAGE_MAX);
        Ok(Self { socket: Socket::new(stream)?, packets, sequence: 0 })
    }

    /// The next packet, or `None` when the client has gone.
    pub(super) fn read(&mut self) -> anyhow::Result<Option<BytesMut>> {
        loop {
            if let Some(packet) = self.packets.next(&mut self.socket.input)? {
                self.sequence = packet.sequence.wrapping_add(1);
                return Ok(Some(packet.payload));
            }
            if !self.socket.fill()? {
                return Ok(None);
            }
        }
    }

    /// Adds one packet to the reply.
    pub(super) fn write(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        frame::write_with(&mut self.socket.out, &mut self.sequence, encode);
    }

    /// For replies of many packets: where they go, and the number of the next.
    pub(super) fn reply(&mut self) -> (&mut BytesMut, &mut u8) {
        (&mut self.socket.out, &mut self.sequence)
    }

    /// Sends the reply.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.socket.flush()
    }
}
