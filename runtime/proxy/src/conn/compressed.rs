//! A stream that is compressed on its way: whoever reads and writes it sees plain bytes.
//!
//! While nothing is on the way it holds no buffer; the working memory of the algorithms belongs to
//! the worker.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tidegate_mysql_wire::compression::{Algorithm, Codec, Engines};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Inbox, Stream, poll_fill};

/// So many bytes are compressed at once. More would hardly get shorter, and would hold up the
/// worker's other sessions.
const PIECE_MAX: usize = 128 << 10;

/// A longer buffer is not kept for the next piece.
const SPARE_MAX: usize = 2 * PIECE_MAX;

/// What the compressed streams of a worker share.
#[derive(Default)]
struct Workshop {
    engines: Engines,
    /// A buffer for what is to be sent, while no stream needs it.
    spare: Vec<u8>,
}

thread_local! {
    static WORKSHOP: RefCell<Workshop> = RefCell::default();
}

/// A stream and the compression inside it.
#[derive(Debug)]
pub(crate) struct Compressed {
    stream: Stream,
    codec: Codec,
    /// As it came.
    received: Inbox,
    /// As it goes out, and how much of it has gone.
    unsent: Vec<u8>,
    sent: usize,
}

impl Compressed {
    pub(super) fn new(stream: Stream, algorithm: Algorithm) -> Self {
        Self {
            stream,
            codec: Codec::new(algorithm),
            received: Inbox::default(),
            unsent: Vec::new(),
            sent: 0,
        }
    }

    /// The number of the next compressed packet.
    pub(super) fn sequence(&self) -> u8 {
        self.codec.sequence()
    }

    /// What carries the compressed bytes.
    pub(super) fn under(&self) -> &Stream {
        &self.stream
    }

    /// Unpacks into `buffer` what was received. Returns the number of plain bytes.
    fn unpack(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
        let progress = WORKSHOP.with_borrow_mut(|workshop| {
            let (received, room) = (self.received.as_slice(), buffer.initialize_unfilled());
            self.codec.decompress(&mut workshop.engines, received, room)
        });
        let progress = progress.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        self.received.consume(progress.taken);
        buffer.advance(progress.given);
        Ok(progress.given)
    }

    /// Packs a part of something that should not be cut. It is sent when its end has come.
    pub(super) fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(cx))?;
        Poll::Ready(Ok(self.pack(bytes, Codec::compress_part)))
    }

    /// Packs so many of the bytes as is good at once.
    fn pack(
        &mut self,
        bytes: &[u8],
        compress: impl FnOnce(&mut Codec, &mut Engines, &[u8], &mut Vec<u8>),
    ) -> usize {
        let piece = &bytes[..bytes.len().min(PIECE_MAX)];
        WORKSHOP.with_borrow_mut(|workshop| {
            if self.unsent.is_empty() {
                self.unsent = std::mem::take(&mut workshop.spare);
            }
            compress(&mut self.codec, &mut workshop.engines, piece, &mut self.unsent);
        });
        piece.len()
    }

    /// Sends what is packed, and returns the buffer. What is not whole stays.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() || self.codec.is_open() {
            return Poll::Ready(Ok(()));
        }
        while let Some(rest @ [_, ..]) = self.unsent.get(self.sent..) {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
        }
        let mut buffer = std::mem::take(&mut self.unsent);
        self.sent = 0;
        buffer.clear();
        WORKSHOP.with_borrow_mut(|workshop| {
            if (workshop.spare.capacity()..SPARE_MAX).contains(&buffer.capacity()) {
                workshop.spare = buffer;
            }
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Compressed {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // What was received may hold no plain byte yet; none at all would be the end.
        while this.unpack(buffer)? == 0 {
            let received = poll_fill(&mut this.stream, &mut this.received, cx, usize::MAX);
            if ready!(received)? == 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Compressed {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Poll::Ready(Ok(this.pack(bytes, Codec::compress)))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::conn::Conn;

    /// A compressed connection, and the socket at its other end.
    async fn pair(algorithm: Algorithm) -> (Conn, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut conn = Conn::new(listener.accept().await.unwrap().0);
        conn.compress(algorithm);
        (conn, client)
    }

    fn compressed(conn: &Conn) -> &Compressed {
        match conn.stream() {
            Stream::Compressed(stream) => stream,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_goes_through_is_plain_on_this_side_and_nothing_is_kept() {
        for algorithm in [Algorithm::Zlib, Algorithm::Zstd { level: 3 }] {
            let (mut conn, mut client) = pair(algorithm).await;
            let (mut far, mut engines) = (Codec::new(algorithm), Engines::default());
            let said = b"a row that is much like another row, ".repeat(10_000);
            let (mut packed, mut plain) = (Vec::new(), Vec::new());
            far.compress(&mut engines, &said, &mut packed);
            let sent = tokio::spawn(async move {
                client.write_all(&packed).await.unwrap();
                client
            });
            while plain.len() < said.len() {
                assert!(conn.fill().await.unwrap() > 0);
                plain.extend_from_slice(conn.inbox.as_slice());
                conn.inbox.clear();
            }
            assert_eq!((plain == said, conn.next_sequence(77)), (true, 1));

            let mut client = sent.await.unwrap();
            let echoed = tokio::spawn(async move {
                let (mut received, mut plain, mut taken) = (Vec::new(), Vec::new(), 0);
                let mut output = vec![0; 1 << 20];
                while plain.len() < 370_000 {
                    let progress = far.decompress(&mut engines, &received[taken..], &mut output);
                    let progress = progress.unwrap();
                    taken += progress.taken;
                    plain.extend_from_slice(&output[..progress.given]);
                    if progress.given == 0 {
                        assert!(client.read_buf(&mut received).await.unwrap() > 0);
                    }
                }
                (plain, received.len())
            });
            conn.send(&plain).await.unwrap();
            let (back, on_the_wire) = echoed.await.unwrap();
            assert!(back == said && on_the_wire < said.len() / 20, "{on_the_wire}");
            assert_eq!(conn.traffic(), (370_000, 370_000));

            let stream = compressed(&conn);
            assert!(stream.received.holds_nothing() && stream.unsent.capacity() == 0);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_unpacked_is_a_violation_of_the_peer() {
        let (mut conn, mut client) = pair(Algorithm::Zlib).await;
        client.write_all(b"\x05\0\0\0\x09\0\0hello").await.unwrap();
        let error = conn.fill().await.unwrap_err();
        let violation: Option<&tidegate_wire::Violation> =
            error.get_ref().and_then(|inner| inner.downcast_ref());
        assert!(violation.is_some(), "{error:?}");
    }
}
