//! The same client with compression.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use super::{Frame, RawClient, capability, login_packet_with};

/// How the connection is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Zlib,
    /// With this level, which the server is told.
    Zstd(u8),
}

impl Packing {
    fn pack(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Zlib => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(plain)?;
                encoder.finish()
            }
            Self::Zstd(level) => zstd::bulk::compress(plain, level.into()),
        }
    }

    fn unpack(self, packed: &[u8], len: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Zlib => {
                let mut plain = Vec::new();
                flate2::read::ZlibDecoder::new(packed).read_to_end(&mut plain)?;
                Ok(plain)
            }
            Self::Zstd(_) => zstd::bulk::decompress(packed, len),
        }
    }
}

/// A connection that is compressed from its login on.
#[derive(Debug)]
pub struct PackedClient {
    stream: TcpStream,
    packing: Packing,
    /// The number of the next compressed packet.
    sequence: u8,
    /// Plain bytes that were received and not read.
    plain: Vec<u8>,
}

impl PackedClient {
    /// Connects and logs in as a user without a password.
    ///
    /// # Errors
    /// When that is refused, or the server does not offer this compression.
    pub fn login(port: u16, user: &str, packing: Packing) -> io::Result<Self> {
        let mut client = RawClient::connect(port)?;
        let (capability, level) = match packing {
            Packing::Zlib => (capability::COMPRESS, None),
            Packing::Zstd(level) => (capability::ZSTD_COMPRESSION, Some(level)),
        };
        if offered(&client.greeting) & capability == 0 {
            return Err(io::Error::other("this compression is not offered"));
        }
        let mut packet = login_packet_with(capability, user, &[]);
        packet.extend(level);
        client.send(1, &packet)?;
        let answer = client.read()?;
        if answer.is_ok() {
            Ok(Self { stream: client.stream, packing, sequence: 0, plain: Vec::new() })
        } else {
            Err(io::Error::other(answer.text()))
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a piece of the stream in a compressed packet of its own.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_packed(&mut self, plain: &[u8]) -> io::Result<()> {
        let packed = self.packing.pack(plain)?;
        self.send_claiming(plain.len(), &packed)
    }

    /// Sends a compressed packet that says it becomes so many bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send_claiming(&mut self, len: usize, packed: &[u8]) -> io::Result<()> {
        let ([a, b, c, ..], [x, y, z, ..]) = (packed.len().to_le_bytes(), len.to_le_bytes());
        let header = [a, b, c, self.sequence, x, y, z];
        self.sequence = self.sequence.wrapping_add(1);
        self.send_bytes(&[&header[..], packed].concat())
    }

    /// Begins a command: its compressed packets are numbered from 0.
    pub fn begin(&mut self) {
        self.sequence = 0;
    }

    /// Sends a command in a frame, and that in a compressed packet, and reads the first frame of
    /// its answer.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn ask(&mut self, code: u8, body: &[u8]) -> io::Result<Frame> {
        let [a, b, c, ..] = (body.len() + 1).to_le_bytes();
        self.begin();
        self.send_packed(&[&[a, b, c, 0, code], body].concat())?;
        self.read()
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer has closed; when its compressed packets are out of order.
    pub fn read(&mut self) -> io::Result<Frame> {
        loop {
            if let Some([a, b, c, sequence]) = self.plain.first_chunk().copied() {
                let end = 4 + usize::from(a) + (usize::from(b) << 8) + (usize::from(c) << 16);
                if self.plain.len() >= end {
                    let payload = self.plain.drain(..end).skip(4).collect();
                    return Ok(Frame { sequence, payload });
                }
            }
            self.receive()?;
        }
    }

    /// Reads until the peer closes.
    ///
    /// # Errors
    /// When it neither speaks nor closes in time, or its packets are out of order.
    pub fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.receive() {
                Ok(()) => {}
                Err(error) => {
                    return match error.kind() {
                        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                            Ok(std::mem::take(&mut self.plain))
                        }
                        _ => Err(error),
                    };
                }
            }
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut header = [0; 7];
        self.stream.read_exact(&mut header)?;
        let [a, b, c, sequence, x, y, z] = header;
        if sequence != self.sequence {
            let told = format!("compressed packet {sequence} instead of {}", self.sequence);
            return Err(io::Error::other(told));
        }
        self.sequence = sequence.wrapping_add(1);
        let int3 = |a, b, c| usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        let (len, plain_len) = (int3(a, b, c), int3(x, y, z));
        let mut packed = vec![0; len];
        self.stream.read_exact(&mut packed)?;
        if plain_len == 0 {
            self.plain.append(&mut packed);
            return Ok(());
        }
        let plain = self.packing.unpack(&packed, plain_len)?;
        if plain.len() != plain_len {
            return Err(io::Error::other("a length that is not true"));
        }
        self.plain.extend(plain);
        Ok(())
    }
}

/// The capabilities of a greeting, which stand behind the version, the connection's number and a
/// part of the nonce.
fn offered(greeting: &[u8]) -> u32 {
    let version = greeting.iter().skip(1).position(|byte| *byte == 0).unwrap_or_default();
    let at = 1 + version + 1 + 4 + 8 + 1;
    let byte = |at: usize| greeting.get(at).copied().unwrap_or_default();
    u32::from_le_bytes([byte(at), byte(at + 1), byte(at + 5), byte(at + 6)])
}
