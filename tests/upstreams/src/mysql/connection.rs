//! A client's socket, in packets.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::Context as _;
use bytes::BytesMut;
use tidegate_mysql_wire::frame::{self, Packets};

/// No longer packet is taken, in bytes; what `@@max_allowed_packet` says.
const PACKET_MAX: usize = 16 << 20;

const READ_AT_ONCE: usize = 16 << 10;

/// Reads packets whole and keeps replies until they are complete.
pub(crate) struct Connection {
    stream: TcpStream,
    input: BytesMut,
    packets: Packets,
    /// Of the next packet that is written.
    pub(crate) sequence: u8,
    pub(crate) out: BytesMut,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        let packets = Packets::new(PACKET_MAX);
        let (input, out) = (BytesMut::new(), BytesMut::new());
        Ok(Self { stream, input, packets, sequence: 0, out })
    }

    /// The next packet, or `None` when the client has gone.
    pub(crate) fn read(&mut self) -> anyhow::Result<Option<BytesMut>> {
        loop {
            if let Some(packet) = self.packets.next(&mut self.input)? {
                self.sequence = packet.sequence.wrapping_add(1);
                return Ok(Some(packet.payload));
            }
            let mut bytes = [0; READ_AT_ONCE];
            match self.stream.read(&mut bytes).context("cannot read from the client")? {
                0 => return Ok(None),
                count => self.input.extend_from_slice(&bytes[..count]),
            }
        }
    }

    /// Adds one packet to the reply.
    pub(crate) fn write(&mut self, encode: impl FnOnce(&mut BytesMut)) {
        frame::write_with(&mut self.out, &mut self.sequence, encode);
    }

    /// Sends the reply.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.out).context("cannot write to the client")?;
        self.out.clear();
        Ok(())
    }
}
