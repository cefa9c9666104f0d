//! A client's socket: bytes in as they come, bytes out when a reply is complete.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::Context as _;
use bytes::BytesMut;

/// No longer packet or message is taken, in bytes.
pub(crate) const MESSAGE_MAX: usize = 16 << 20;

const READ_AT_ONCE: usize = 16 << 10;

pub(crate) struct Socket {
    stream: TcpStream,
    /// What has come, and was not taken yet.
    pub(crate) input: BytesMut,
    /// What is to be sent.
    pub(crate) out: BytesMut,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: BytesMut::new(), out: BytesMut::new() })
    }

    /// Waits for more. False when the client has gone.
    pub(crate) fn fill(&mut self) -> anyhow::Result<bool> {
        let mut bytes = [0; READ_AT_ONCE];
        let count = self.stream.read(&mut bytes).context("cannot read from the client")?;
        self.input.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// Sends what was written.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.out).context("cannot write to the client")?;
        self.out.clear();
        Ok(())
    }
}
