//! The loop: wait, accept, move.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::Context;

use crate::epoll::{Epoll, Interest};
use crate::pair::{Pair, Progress};

const LISTENER: u64 = u64::MAX;
const BUFFER: usize = 64 * 1024;

/// Every pair stands at `pairs[token / 2]`; an odd token is its server's end.
pub(crate) struct Relay {
    listener: TcpListener,
    upstream: SocketAddr,
    epoll: Epoll,
    pairs: Vec<Option<Pair>>,
    free: Vec<usize>,
    buffer: Box<[u8]>,
}

impl Relay {
    pub(crate) fn new(listener: TcpListener, upstream: SocketAddr) -> anyhow::Result<Self> {
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new().context("cannot create an epoll instance")?;
        epoll.add(&listener, LISTENER, Interest::READ)?;
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Ok(Self { listener, upstream, epoll, pairs: Vec::new(), free: Vec::new(), buffer })
    }

    /// Serves until the process is ended.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        let mut closed = Vec::new();
        loop {
            let count = match self.epoll.wait() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            };
            for event in 0..count {
                match self.epoll.token(event) {
                    Some(LISTENER) => self.accept(),
                    Some(token) => closed.extend(self.relay(token)?),
                    None => break,
                }
            }
            // A place is given away after its last event: a later one may still be in this batch.
            self.free.append(&mut closed);
        }
    }

    /// A client that cannot be served is dropped; the others go on.
    fn accept(&mut self) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        match self.join(place) {
            Ok(pair) => self.pairs[place] = Some(pair),
            Err(error) => {
                self.free.push(place);
                report(&error);
            }
        }
    }

    /// Connecting blocks, which is over at once on the loopback interface.
    fn join(&self, place: usize) -> io::Result<Pair> {
        let (client, _) = self.listener.accept()?;
        let server = TcpStream::connect(self.upstream)?;
        Pair::new(client, server, 2 * place as u64, &self.epoll)
    }

    /// Moves bytes for one event. The place of the pair, where that closed it.
    fn relay(&mut self, token: u64) -> anyhow::Result<Option<usize>> {
        let place = usize::try_from(token / 2)?;
        let Some(pair) = self.pairs.get_mut(place).and_then(Option::as_mut) else {
            return Ok(None);
        };
        match pair.handle(token % 2 == 1, &mut self.buffer, &self.epoll) {
            Ok(Progress::Open) => return Ok(None),
            Ok(Progress::Closed) => {}
            Err(error) => report(&error),
        }
        self.pairs[place] = None;
        Ok(Some(place))
    }
}

fn report(error: &io::Error) {
    // A client that leaves without a word is no news.
    if !matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::WouldBlock
    ) {
        eprintln!("relay: {error}");
    }
}
