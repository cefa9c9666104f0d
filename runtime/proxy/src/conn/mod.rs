//! A connection: a socket, encrypted or not, and the bytes that were read from it.

mod buffer;
mod compressed;
mod stream;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tidegate_mysql_wire::compression::Algorithm;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use self::compressed::Compressed;

pub(crate) use buffer::Inbox;
pub(crate) use stream::Stream;

/// One side of a session.
#[derive(Debug)]
pub(crate) struct Conn {
    stream: Stream,
    pub(crate) inbox: Inbox,
    bytes_in: u64,
    bytes_out: u64,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), inbox: Inbox::default(), bytes_in: 0, bytes_out: 0 }
    }

    /// Replaces the plain socket by an encrypted one. Nothing may have been read ahead: bytes that
    /// came before encryption must not be taken for bytes that came through it.
    pub(crate) async fn upgrade<F>(
        &mut self,
        handshake: impl FnOnce(TcpStream) -> F,
    ) -> io::Result<()>
    where
        F: Future<Output = io::Result<Stream>>,
    {
        if !self.inbox.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "bytes before the TLS handshake",
            ));
        }
        match std::mem::replace(&mut self.stream, Stream::Closed) {
            Stream::Plain(stream) => {
                self.stream = handshake(stream).await?;
                Ok(())
            }
            _ => Err(io::Error::other("a second TLS handshake")),
        }
    }

    /// From here on both directions are compressed. Whatever TLS there is stays around it.
    pub(crate) fn compress(&mut self, algorithm: Algorithm) {
        let stream = std::mem::replace(&mut self.stream, Stream::Closed);
        self.stream = Stream::Compressed(Box::new(Compressed::new(stream, algorithm)));
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Accepted(_) | Stream::Dialled(_))
    }

    pub(crate) fn is_compressed(&self) -> bool {
        matches!(self.stream, Stream::Compressed(_))
    }

    /// The number of the first packet of what is said next, to a command that had so many frames.
    /// Compressed, its packets are numbered on from the compressed ones: servers do so, and some
    /// clients insist on it.
    pub(crate) fn next_sequence(&self, frames: u8) -> u8 {
        match &self.stream {
            Stream::Compressed(stream) => stream.sequence(),
            _ => frames,
        }
    }

    /// The first byte that a plain socket has to read, which stays there; `None` if it was closed.
    pub(crate) async fn peek(&mut self) -> io::Result<Option<u8>> {
        let Stream::Plain(socket) = &self.stream else { return Ok(None) };
        let mut first = [0];
        let count = socket.peek(&mut first).await?;
        Ok((count > 0).then_some(first[0]))
    }

    /// The address of the other side.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.stream.socket()?.peer_addr().ok()
    }

    /// The port on our side.
    pub(crate) fn local_port(&self) -> Option<u16> {
        Some(self.stream.socket()?.local_addr().ok()?.port())
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Moves a plain socket to the runtime of this thread, so that its events wake no other worker.
    /// An encrypted one stays where it is and is woken across.
    pub(crate) fn settle_here(&mut self) -> io::Result<()> {
        if let Stream::Plain(_) = self.stream
            && let Stream::Plain(socket) = std::mem::replace(&mut self.stream, Stream::Closed)
        {
            self.stream = Stream::Plain(TcpStream::from_std(socket.into_std()?)?);
        }
        Ok(())
    }

    /// Bytes received and sent so far, before they were encrypted or compressed.
    pub(crate) fn traffic(&self) -> (u64, u64) {
        (self.bytes_in, self.bytes_out)
    }

    /// Waits for more bytes and puts them behind those in the inbox. `Ok(0)` is the end.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// As [`Self::fill`]; while nothing comes, an empty inbox holds no buffer.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_fill_at_most(cx, usize::MAX)
    }

    fn poll_fill_at_most(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let polled = poll_fill(&mut self.stream, &mut self.inbox, cx, most);
        if let Poll::Ready(Ok(count)) = polled {
            self.bytes_in += count as u64;
        }
        polled
    }

    /// As [`Self::fill`], and takes no more than `most` bytes from the socket.
    pub(crate) async fn fill_at_most(&mut self, most: usize) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill_at_most(cx, most)).await
    }

    /// Fills until at least `count` bytes are there.
    pub(crate) async fn fill_to(&mut self, count: usize) -> io::Result<()> {
        while self.inbox.len() < count {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Whether an idle peer has closed the connection or said something unasked. Costs no call to
    /// the kernel unless it has.
    pub(crate) fn is_stale(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        !self.inbox.is_empty() || self.poll_fill(&mut cx).is_ready()
    }

    /// Sends as many of the bytes as can be sent now. They are on their way once
    /// [`Self::poll_flush`] is ready.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.bytes_out += sent as u64;
        Poll::Ready(Ok(sent))
    }

    /// Has encryption pass on what it still holds; costs nothing without.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Says, where there is TLS, that nothing follows.
    pub(crate) async fn shut_down(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await
    }

    /// Sends all the bytes and flushes.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        send(&mut self.stream, bytes).await?;
        self.bytes_out += bytes.len() as u64;
        Ok(())
    }

    /// Sends all the bytes. Those behind the first `whole` are a part of a packet that should not
    /// be cut: inside compression they wait for its end.
    pub(crate) async fn send_whole(&mut self, bytes: &[u8], whole: usize) -> io::Result<()> {
        let (whole, mut part) = bytes.split_at(whole.min(bytes.len()));
        if part.is_empty() || !self.is_compressed() {
            return self.send(bytes).await;
        }
        if !whole.is_empty() {
            self.send(whole).await?;
        }
        self.bytes_out += part.len() as u64;
        while let Stream::Compressed(stream) = &mut self.stream
            && !part.is_empty()
        {
            let count = poll_fn(|cx| stream.poll_part(cx, part)).await?;
            part = &part[count..];
        }
        Ok(())
    }

    /// Sends the first `count` bytes of another connection's inbox, and consumes them there.
    pub(crate) async fn forward(&mut self, from: &mut Self, count: usize) -> io::Result<()> {
        if count > 0 {
            self.send(&from.inbox.as_slice()[..count]).await?;
            from.inbox.consume(count);
        }
        Ok(())
    }
}

/// Reads at most `most` bytes behind those in the inbox; while nothing comes, an empty one holds no
/// buffer.
fn poll_fill(
    stream: &mut Stream,
    inbox: &mut Inbox,
    cx: &mut Context<'_>,
    most: usize,
) -> Poll<io::Result<usize>> {
    let room = inbox.room();
    let most = most.min(room.len());
    let mut room = ReadBuf::new(&mut room[..most]);
    let polled = Pin::new(stream).poll_read(cx, &mut room);
    let count = room.filled().len();
    inbox.filled(count);
    if inbox.is_empty() {
        inbox.clear();
    }
    polled.map_ok(|()| count)
}

async fn send(stream: &mut Stream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
    }
    poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await
}
