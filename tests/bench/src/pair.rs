//! A client's connection and its server's, joined.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::epoll::{Epoll, Interest};

/// Two sockets; what is read from one is written to the other.
pub(crate) struct Pair {
    ends: [End; 2],
}

struct End {
    socket: TcpStream,
    /// Bytes that the socket did not take. While there are any, the other end is not read.
    backlog: Vec<u8>,
    watched: Interest,
    token: u64,
}

/// Whether a pair goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Open,
    Closed,
}

impl Pair {
    /// Joins two sockets. Their events carry `token` and `token + 1`.
    pub(crate) fn new(
        client: TcpStream,
        server: TcpStream,
        token: u64,
        epoll: &Epoll,
    ) -> io::Result<Self> {
        let ends = [End::new(client, token)?, End::new(server, token + 1)?];
        for end in &ends {
            epoll.add(&end.socket, end.token, end.watched)?;
        }
        Ok(Self { ends })
    }

    /// Moves what one end has to give or can take. `buffer` is scratch space.
    pub(crate) fn handle(
        &mut self,
        second: bool,
        buffer: &mut [u8],
        epoll: &Epoll,
    ) -> io::Result<Progress> {
        let [a, b] = &mut self.ends;
        let (ready, other) = if second { (b, a) } else { (a, b) };
        if !ready.backlog.is_empty() {
            ready.flush()?;
        }
        if other.backlog.is_empty() && ready.forward(other, buffer)? == Progress::Closed {
            return Ok(Progress::Closed);
        }
        ready.watch(other.backlog.is_empty(), epoll)?;
        other.watch(ready.backlog.is_empty(), epoll)?;
        Ok(Progress::Open)
    }
}

impl End {
    fn new(socket: TcpStream, token: u64) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, backlog: Vec::new(), watched: Interest::READ, token })
    }

    /// Reads once and writes once.
    fn forward(&mut self, to: &mut Self, buffer: &mut [u8]) -> io::Result<Progress> {
        let count = match self.socket.read(buffer) {
            Ok(0) => return Ok(Progress::Closed),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Open),
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..count];
        let taken = to.write(bytes)?;
        to.backlog.extend_from_slice(&bytes[taken..]);
        Ok(Progress::Open)
    }

    fn flush(&mut self) -> io::Result<()> {
        let backlog = std::mem::take(&mut self.backlog);
        let taken = self.write(&backlog)?;
        self.backlog.extend_from_slice(&backlog[taken..]);
        Ok(())
    }

    /// How many of the bytes the socket took.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.socket.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Asks for what this end waits for, if that has changed.
    fn watch(&mut self, may_read: bool, epoll: &Epoll) -> io::Result<()> {
        let wanted = Interest { read: may_read, write: !self.backlog.is_empty() };
        if wanted != self.watched {
            epoll.change(&self.socket, self.token, wanted)?;
            self.watched = wanted;
        }
        Ok(())
    }
}
