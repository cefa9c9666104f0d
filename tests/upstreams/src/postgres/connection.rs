//! A client's socket, in messages.

use std::net::TcpStream;

use bytes::BytesMut;
use tidegate_postgres_wire::frame::{self, Message};
use tidegate_postgres_wire::startup;
use tidegate_wire::Violation;

use crate::socket::{MESSAGE_MAX, Socket};

/// Reads messages whole and keeps replies until they are complete.
pub(super) struct Connection {
    socket: Socket,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> anyhow::Result<Self> {
        Socket::new(stream).map(|socket| Self { socket })
    }

    /// The payload of the next of the packets that begin it, or `None` when the client has gone.
    pub(super) fn read_packet(&mut self) -> anyhow::Result<Option<BytesMut>> {
        self.next(|input| frame::next_packet(input, startup::PACKET_MAX))
    }

    /// The next message, or `None` when the client has gone.
    pub(super) fn read(&mut self) -> anyhow::Result<Option<Message>> {
        self.next(|input| frame::next_message(input, MESSAGE_MAX))
    }

    fn next<T>(
        &mut self,
        cut: impl Fn(&mut BytesMut) -> Result<Option<T>, Violation>,
    ) -> anyhow::Result<Option<T>> {
        loop {
            let next = cut(&mut self.socket.input)?;
            if next.is_some() || !self.socket.fill()? {
                return Ok(next);
            }
        }
    }

    /// What has come behind the last packet, and where the answer to it goes.
    pub(super) fn unread_and_out(&mut self) -> (&[u8], &mut BytesMut) {
        (&self.socket.input, &mut self.socket.out)
    }

    /// Where replies go.
    pub(super) fn out(&mut self) -> &mut BytesMut {
        &mut self.socket.out
    }

    /// Sends the replies.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        self.socket.flush()
    }
}
