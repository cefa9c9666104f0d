//! A socket with or without TLS and compression, without dynamic dispatch.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::ServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

use super::compressed::Compressed;
use crate::tls::end_point;

/// Where bytes come from and go to.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    /// We are the TLS server: a client's connection.
    Accepted(Box<server::TlsStream<TcpStream>>),
    /// We are the TLS client: a connection to a server.
    Dialled(Box<client::TlsStream<TcpStream>>),
    /// A client's connection, compressed inside TLS or without.
    Compressed(Box<Compressed>),
    /// A TLS handshake took the socket and failed.
    Closed,
}

impl Stream {
    /// The subject of the certificate that a client has shown, as RFC 4514 writes it.
    pub(crate) fn peer_subject(&self) -> Option<String> {
        let stream = match self {
            Self::Accepted(stream) => stream,
            Self::Compressed(stream) => return stream.under().peer_subject(),
            _ => return None,
        };
        let certificate = stream.get_ref().1.peer_certificates()?.first()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        Some(parsed.subject().to_string())
    }

    /// What a login can be bound to: the hash of the server's certificate.
    pub(crate) fn peer_end_point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Dialled(stream) => end_point(stream.get_ref().1.peer_certificates()?.first()?),
            _ => None,
        }
    }

    /// What a client has asked for by ALPN.
    pub(crate) fn chosen_protocol(&self) -> Option<&[u8]> {
        self.tls()?.alpn_protocol()
    }

    /// A client's TLS, if it uses it.
    pub(crate) fn tls(&self) -> Option<&ServerConnection> {
        match self {
            Self::Accepted(stream) => Some(stream.get_ref().1),
            Self::Compressed(stream) => stream.under().tls(),
            _ => None,
        }
    }

    pub(super) fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Accepted(stream) => Some(stream.get_ref().0),
            Self::Dialled(stream) => Some(stream.get_ref().0),
            Self::Compressed(stream) => stream.under().socket(),
            Self::Closed => None,
        }
    }
}

/// Runs the same expression on whichever stream it is.
macro_rules! each {
    ($self:ident, $stream:ident => $do:expr, closed: $closed:expr) => {
        match $self.get_mut() {
            Self::Plain($stream) => $do,
            Self::Accepted($stream) => $do,
            Self::Dialled($stream) => $do,
            Self::Compressed($stream) => $do,
            Self::Closed => $closed,
        }
    };
}

fn closed<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer), closed: closed())
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes), closed: closed())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx), closed: closed())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx), closed: closed())
    }
}
