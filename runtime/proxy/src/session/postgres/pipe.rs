//! Moving bytes between a client and a server in both directions at once.
//!
//! Neither side waits for the other: a client may send on while the answers to what it has sent before
//! are still coming, and must not be kept from reading them by what it has not sent yet.

use std::io;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};

use crate::conn::Conn;

/// More than this does not wait for a client.
const WAITING_MAX: usize = 64 << 10;

/// What is on its way between a client and a server.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Goes to the client before anything else.
    pub(super) to_client: BytesMut,
    /// So many bytes at the front of the server's inbox go to the client behind that, as they are.
    pub(super) forward: usize,
    /// Goes to the server before anything else.
    pub(super) to_server: BytesMut,
    /// So many bytes at the front of the client's inbox go to the server behind that, as they are.
    pub(super) upload: usize,
    /// So many bytes more of what the client sends follow them, as they come.
    pub(super) rest: usize,
    /// What goes to the client is kept until more is known.
    pub(super) held: bool,
    /// What goes to the client goes with what the server says next, in one write.
    pub(super) joins: bool,
    /// The server takes nothing more; it may still have something to say.
    pub(super) deaf: bool,
    unflushed: bool,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// Bytes have come from the client, or all that it had sent has gone to the server.
    Client,
    /// Bytes have come from the server, or all that it had sent has gone to the client.
    Server,
}

/// A side that is lost.
#[derive(Debug)]
pub(super) enum Broken {
    Client(io::Error),
    /// It has closed, between two messages or not.
    ClientClosed,
    Server(io::Error),
    ServerClosed,
}

impl Pipe {
    /// Nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.to_client.is_empty()
            && self.to_server.is_empty()
            && self.forward == 0
            && self.upload == 0
            && self.rest == 0
            && !self.unflushed
    }

    /// Puts what was to be forwarded as it is with what goes to the client before, so that something
    /// of ours can follow.
    pub(super) fn stage(&mut self, server: &mut Conn) {
        if self.forward > 0 {
            let bytes = server.inbox.as_slice().get(..self.forward).unwrap_or_default();
            self.to_client.extend_from_slice(bytes);
            server.inbox.consume(self.forward);
            self.forward = 0;
        }
    }

    /// Moves what can be moved, and waits for what comes next. `reads_client`: what the client sends
    /// now can be made use of.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Conn,
        server: Option<&mut Conn>,
        reads_client: bool,
    ) -> Poll<Result<Moved, Broken>> {
        let Some(server) = server else {
            return self.poll_alone(cx, client, reads_client);
        };
        let waited = !self.to_server.is_empty();
        if self.poll_to_server(cx, client, server).is_ready() {
            return Poll::Ready(Ok(Moved::Client));
        }
        // Who does not read on because of it can go on.
        if waited && self.to_server.is_empty() && !reads_client {
            return Poll::Ready(Ok(Moved::Client));
        }
        match self.poll_to_client(cx, client, Some(server)) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Ok(Moved::Server)),
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Client(error))),
            _ => {}
        }
        // A client that does not take what is there is not sent more.
        if (self.held || self.forward == 0 && self.to_client.len() < WAITING_MAX)
            && let Poll::Ready(filled) = server.poll_fill(cx)
        {
            self.joins = false;
            return Poll::Ready(match filled {
                Ok(0) => Err(Broken::ServerClosed),
                Ok(_) => Ok(Moved::Server),
                Err(error) => Err(Broken::Server(error)),
            });
        }
        self.poll_client(cx, client, (reads_client || self.rest > 0) && self.upload == 0)
    }

    fn poll_alone(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Conn,
        reads_client: bool,
    ) -> Poll<Result<Moved, Broken>> {
        if let Poll::Ready(Err(error)) = self.poll_to_client(cx, client, None) {
            return Poll::Ready(Err(Broken::Client(error)));
        }
        self.poll_client(cx, client, reads_client)
    }

    fn poll_client(
        &self,
        cx: &mut Context<'_>,
        client: &mut Conn,
        reads_client: bool,
    ) -> Poll<Result<Moved, Broken>> {
        if !reads_client {
            return Poll::Pending;
        }
        client.poll_fill(cx).map(|filled| match filled {
            Ok(0) => Err(Broken::ClientClosed),
            Ok(_) => Ok(Moved::Client),
            Err(error) => Err(Broken::Client(error)),
        })
    }

    /// Ready when what came from the client has gone, and there was something.
    fn poll_to_server(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Conn,
        server: &mut Conn,
    ) -> Poll<()> {
        while !self.to_server.is_empty() {
            match server.poll_send(cx, &self.to_server) {
                _ if self.deaf => self.to_server.clear(),
                Poll::Ready(Ok(count)) => self.to_server.advance(count),
                Poll::Ready(Err(_)) => self.deaf = true,
                Poll::Pending => return Poll::Pending,
            }
            if self.to_server.is_empty() {
                self.to_server = BytesMut::new();
                self.unflushed = true;
            }
        }
        let had = self.upload + self.rest > 0 && !client.inbox.is_empty();
        while self.more_to_upload(client) {
            let piece = client.inbox.as_slice().get(..self.upload).unwrap_or_default();
            let count = match server.poll_send(cx, piece) {
                _ if self.deaf => self.upload,
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(_)) => {
                    self.deaf = true;
                    continue;
                }
                Poll::Pending => return Poll::Pending,
            };
            client.inbox.consume(count);
            self.upload -= count;
            self.unflushed = true;
        }
        if self.unflushed && (self.deaf || server.poll_flush(cx).is_ready()) {
            self.unflushed = false;
        }
        if had { Poll::Ready(()) } else { Poll::Pending }
    }

    fn more_to_upload(&mut self, client: &Conn) -> bool {
        if self.upload == 0 {
            self.upload = self.rest.min(client.inbox.len());
            self.rest -= self.upload;
        }
        self.upload > 0
    }

    /// Sends to the client what can be sent at once.
    pub(super) fn try_send(&mut self, client: &mut Conn, server: &mut Conn) {
        let mut cx = Context::from_waker(Waker::noop());
        // What has gone wrong shows again when somebody waits for it.
        let _ = self.poll_to_client(&mut cx, client, Some(server));
    }

    /// Ready when nothing is left; whether there was something.
    fn poll_to_client(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Conn,
        server: Option<&mut Conn>,
    ) -> Poll<io::Result<bool>> {
        let waits = self.joins && self.forward == 0 && self.to_client.len() < WAITING_MAX;
        if self.held || waits && server.is_some() {
            return Poll::Pending;
        }
        let mut sent = false;
        while !self.to_client.is_empty() {
            match client.poll_send(cx, &self.to_client)? {
                Poll::Ready(count) => self.to_client.advance(count),
                Poll::Pending => return Poll::Pending,
            }
            sent = true;
            if self.to_client.is_empty() {
                self.to_client = BytesMut::new();
            }
        }
        if let Some(server) = server {
            while self.forward > 0 {
                let bytes = server.inbox.as_slice().get(..self.forward).unwrap_or_default();
                match client.poll_send(cx, bytes)? {
                    Poll::Ready(count) => {
                        server.inbox.consume(count);
                        self.forward -= count;
                    }
                    Poll::Pending => return Poll::Pending,
                }
                sent = true;
            }
        }
        // TLS keeps what the socket does not take, and sends it with what follows.
        if sent || client.is_encrypted() {
            ready!(client.poll_flush(cx))?;
        }
        Poll::Ready(Ok(sent))
    }
}
