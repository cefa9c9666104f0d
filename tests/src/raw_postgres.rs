//! A PostgreSQL client without manners: it sends what it is told and shows what comes back.
//!
//! Written apart from the product's codecs on purpose, so that they do not share a mistake.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use crate::clients::Login;

/// Requests that come in the place of a version.
pub mod request {
    pub const CANCEL: u32 = 1234 << 16 | 5678;
    pub const TLS: u32 = 1234 << 16 | 5679;
    pub const GSS: u32 = 1234 << 16 | 5680;
}

/// Version 3.0 of the protocol.
pub const VERSION: u32 = 3 << 16;

/// A message: its type and what follows its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub tag: u8,
    pub body: Vec<u8>,
}

impl Message {
    /// A field of an error or a notice: `C` is its SQLSTATE, `S` its severity, `M` its message.
    #[must_use]
    pub fn field(&self, name: u8) -> Option<String> {
        let mut fields = self.body.split(|byte| *byte == 0);
        let found = fields.find_map(|field| field.strip_prefix(&[name]))?;
        Some(String::from_utf8_lossy(found).into_owned())
    }

    /// The SQLSTATE, if it is an error.
    #[must_use]
    pub fn state(&self) -> Option<String> {
        (self.tag == b'E').then(|| self.field(b'C')).flatten()
    }
}

/// A TCP connection that speaks in messages.
#[derive(Debug)]
pub struct RawPostgres {
    stream: TcpStream,
    /// Process id and secret, as a request to cancel has them.
    pub key: Vec<u8>,
}

impl RawPostgres {
    /// Connects, and says nothing.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { stream, key: Vec::new() })
    }

    /// Connects and logs in by SCRAM, without TLS.
    ///
    /// # Errors
    /// When that is refused.
    pub fn login(login: Login<'_>) -> io::Result<Self> {
        let mut client = Self::connect(login.port)?;
        client
            .send_bytes(&startup(VERSION, &[("user", login.user), ("database", login.database)]))?;
        client.prove(login.password)?;
        for message in client.read_answer()? {
            match message.tag {
                b'K' => client.key = message.body,
                b'E' => return Err(io::Error::other(message.field(b'M').unwrap_or_default())),
                _ => {}
            }
        }
        Ok(client)
    }

    fn prove(&mut self, password: &str) -> io::Result<()> {
        let binding = ChannelBinding::unsupported();
        let mut scram = ScramSha256::new(password.as_bytes(), binding);
        loop {
            let message = self.read()?;
            let kind = message.body.first_chunk().map(|kind| u32::from_be_bytes(*kind));
            let rest = message.body.get(4..).unwrap_or_default();
            match (message.tag, kind) {
                (b'R', Some(0)) => return Ok(()),
                (b'R', Some(10)) => {
                    let first = scram.message();
                    let length = u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes();
                    self.send(b'p', &[b"SCRAM-SHA-256\0", &length[..], first].concat())?;
                }
                (b'R', Some(11)) => {
                    scram.update(rest)?;
                    let last = scram.message().to_vec();
                    self.send(b'p', &last)?;
                }
                (b'R', Some(12)) => scram.finish(rest)?,
                _ => return Err(io::Error::other(format!("{message:?}"))),
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, tag: u8, body: &[u8]) -> io::Result<()> {
        self.send_bytes(&message(tag, body))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a simple query and reads its answer.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn query(&mut self, statements: &str) -> io::Result<Vec<Message>> {
        self.send(b'Q', &[statements.as_bytes(), b"\0"].concat())?;
        self.read_answer()
    }

    /// Reads one message.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer has closed, `WouldBlock` when it says nothing.
    pub fn read(&mut self) -> io::Result<Message> {
        let mut header = [0; 5];
        self.stream.read_exact(&mut header)?;
        let [tag, length @ ..] = header;
        let length = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
        let mut body = Vec::new();
        let read = (&mut self.stream).take(length).read_to_end(&mut body)?;
        if u64::try_from(read).is_ok_and(|read| read == length) {
            Ok(Message { tag, body })
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    /// Reads messages up to the next `ReadyForQuery`, or to the close behind a fatal error.
    ///
    /// # Errors
    /// When the connection is gone before either.
    pub fn read_answer(&mut self) -> io::Result<Vec<Message>> {
        let mut messages = Vec::new();
        loop {
            let message = self.read()?;
            let is_last = message.tag == b'Z'
                || message.tag == b'E' && message.field(b'V').as_deref() == Some("FATAL");
            messages.push(message);
            if is_last {
                return Ok(messages);
            }
        }
    }

    /// Reads one byte, as requests for encryption are answered.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn read_byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
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

/// A message of any type but the first.
///
/// # Panics
/// When it is longer than messages can be.
#[must_use]
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag], &packet(body)[..]].concat()
}

/// What has a length and no type.
///
/// # Panics
/// When it is longer than packets can be.
#[must_use]
pub fn packet(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a packet that fits its length");
    [&length.to_be_bytes()[..], body].concat()
}

/// The first packet of a client: a version and its parameters.
#[must_use]
pub fn startup(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    packet(&body)
}

/// Asks, on a connection of its own, to cancel what the session of a key does, and waits for the close.
///
/// # Errors
/// When nobody listens, or the peer does not close.
pub fn cancel(port: u16, key: &[u8]) -> io::Result<Vec<u8>> {
    let mut client = RawPostgres::connect(port)?;
    client.send_bytes(&packet(&[&request::CANCEL.to_be_bytes()[..], key].concat()))?;
    client.read_to_close()
}

/// The messages of the extended protocol.
pub mod extended {
    use super::message;

    /// `Parse`, without types of parameters.
    #[must_use]
    pub fn parse(statement: &str, text: &str) -> Vec<u8> {
        message(b'P', &[statement.as_bytes(), b"\0", text.as_bytes(), b"\0\0\0"].concat())
    }

    /// `Bind`, with parameters as texts.
    ///
    /// # Panics
    /// When there are more parameters, or longer ones, than a message can have.
    #[must_use]
    pub fn bind(portal: &str, statement: &str, parameters: &[&str]) -> Vec<u8> {
        let count = u16::try_from(parameters.len()).expect("few parameters").to_be_bytes();
        let mut body = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0", &count].concat();
        for parameter in parameters {
            let length = u32::try_from(parameter.len()).expect("a short parameter");
            body.extend(length.to_be_bytes());
            body.extend(parameter.as_bytes());
        }
        body.extend([0, 0]);
        message(b'B', &body)
    }

    /// `Describe` of a statement.
    #[must_use]
    pub fn describe(statement: &str) -> Vec<u8> {
        message(b'D', &[b"S", statement.as_bytes(), b"\0"].concat())
    }

    /// `Execute` up to so many rows; 0 are all.
    #[must_use]
    pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
        message(b'E', &[portal.as_bytes(), b"\0", &rows.to_be_bytes()].concat())
    }

    /// `Close` of a statement.
    #[must_use]
    pub fn close(statement: &str) -> Vec<u8> {
        message(b'C', &[b"S", statement.as_bytes(), b"\0"].concat())
    }

    #[must_use]
    pub fn sync() -> Vec<u8> {
        message(b'S', b"")
    }

    #[must_use]
    pub fn flush() -> Vec<u8> {
        message(b'H', b"")
    }
}
