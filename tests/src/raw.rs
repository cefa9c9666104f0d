//! A MySQL client without manners: it sends what it is told and shows what comes back.
//!
//! Written apart from the product's codecs on purpose, so that they do not share a mistake.

mod packed;

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

pub use packed::{PackedClient, Packing};

/// Capabilities as the protocol numbers them.
pub mod capability {
    pub const LONG_PASSWORD: u32 = 1;
    pub const CONNECT_WITH_DB: u32 = 1 << 3;
    pub const COMPRESS: u32 = 1 << 5;
    pub const PROTOCOL_41: u32 = 1 << 9;
    pub const SSL: u32 = 1 << 11;
    pub const TRANSACTIONS: u32 = 1 << 13;
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    pub const MULTI_STATEMENTS: u32 = 1 << 16;
    pub const MULTI_RESULTS: u32 = 1 << 17;
    pub const PLUGIN_AUTH: u32 = 1 << 19;
    pub const DEPRECATE_EOF: u32 = 1 << 24;
    pub const ZSTD_COMPRESSION: u32 = 1 << 26;
    /// What any client of the last twenty years has.
    pub const COMMON: u32 = LONG_PASSWORD
        | PROTOCOL_41
        | TRANSACTIONS
        | SECURE_CONNECTION
        | MULTI_STATEMENTS
        | MULTI_RESULTS
        | PLUGIN_AUTH;
}

/// A frame: sequence number and payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub sequence: u8,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of an ERR packet.
    #[must_use]
    pub fn error_code(&self) -> Option<u16> {
        match *self.payload.as_slice() {
            [0xff, low, high, ..] => Some(u16::from_le_bytes([low, high])),
            _ => None,
        }
    }

    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.payload.first() == Some(&0)
    }

    /// The payload as text, for messages and searches.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// A TCP connection that speaks in frames.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    /// The greeting that was received.
    pub greeting: Vec<u8>,
}

impl RawClient {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// When there is none.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut client = Self { stream, greeting: Vec::new() };
        client.greeting = client.read()?.payload;
        Ok(client)
    }

    /// Connects and logs in as a user without a password.
    ///
    /// # Errors
    /// When that is refused.
    pub fn login(port: u16, user: &str) -> io::Result<Self> {
        let mut client = Self::connect(port)?;
        client.send(1, &login_packet(user, &[]))?;
        let answer = client.read()?;
        if answer.is_ok() { Ok(client) } else { Err(io::Error::other(answer.text())) }
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// When the connection is gone.
    ///
    /// # Panics
    /// When the payload does not fit a frame.
    pub fn send(&mut self, sequence: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).expect("a payload that fits a frame");
        let [a, b, c, _] = length.to_le_bytes();
        self.send_bytes(&[&[a, b, c, sequence], payload].concat())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a command in a frame with sequence number 0.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn command(&mut self, code: u8, body: &[u8]) -> io::Result<()> {
        self.send(0, &[&[code], body].concat())
    }

    /// Sends a command and reads the first frame of its answer.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn ask(&mut self, code: u8, body: &[u8]) -> io::Result<Frame> {
        self.command(code, body)?;
        self.read()
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer has closed, `WouldBlock` when it says nothing.
    pub fn read(&mut self) -> io::Result<Frame> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header)?;
        let [a, b, c, sequence] = header;
        let length = u32::from_le_bytes([a, b, c, 0]);
        let mut payload = Vec::new();
        let read = (&mut self.stream).take(length.into()).read_to_end(&mut payload)?;
        if u32::try_from(read).is_ok_and(|read| read == length) {
            Ok(Frame { sequence, payload })
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Reads until the peer closes, and returns what it had to say before.
    ///
    /// # Errors
    /// When it neither speaks nor closes in time.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            // The peer closed with bytes of ours unread; what it had said is still there.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(bytes),
            Err(error) => Err(error),
        }
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)
    }
}

/// The answer to a greeting: protocol 4.1, UTF-8, `mysql_native_password`.
#[must_use]
pub fn login_packet(user: &str, proof: &[u8]) -> Vec<u8> {
    login_packet_with(0, user, proof)
}

/// The same with more capabilities.
fn login_packet_with(more: u32, user: &str, proof: &[u8]) -> Vec<u8> {
    let mut packet = (capability::COMMON | more).to_le_bytes().to_vec();
    packet.extend((16_u32 << 20).to_le_bytes());
    packet.push(45);
    packet.extend([0; 23]);
    packet.extend(user.as_bytes());
    packet.push(0);
    packet.push(u8::try_from(proof.len()).unwrap_or(u8::MAX));
    packet.extend(proof);
    packet.extend(b"mysql_native_password\0");
    packet
}
