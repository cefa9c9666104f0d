//! Reaching a server, and why that fails.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tidegate_config::ServerTlsMode;
use tidegate_wire::Violation;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::conn::Conn;
use crate::protocol::{Fault as _, Protocol};
use crate::tls::Dialler;

/// The connection is of no more use.
#[derive(Debug, Error)]
pub(crate) enum ServerLost {
    #[error("the connection to the server was lost: {0}")]
    Io(#[from] io::Error),
    #[error("the server broke the protocol: {0}")]
    Violation(#[from] Violation),
    #[error("the server closed the connection")]
    Closed,
    /// It is no fault of the server's.
    #[error("the connection cannot be made as good as new")]
    Unclean,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum DialError<P: Protocol> {
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the connection was lost while logging in: {0}")]
    Lost(io::Error),
    #[error("the server broke the protocol while logging in: {0}")]
    Violation(#[from] Violation),
    #[error("{0}")]
    Login(P::LoginError),
    #[error("the system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl<P: Protocol> From<ServerLost> for DialError<P> {
    fn from(lost: ServerLost) -> Self {
        match lost {
            ServerLost::Io(error) => Self::Lost(error),
            ServerLost::Violation(violation) => Self::Violation(violation),
            ServerLost::Closed | ServerLost::Unclean => {
                Self::Lost(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

impl<P: Protocol> DialError<P> {
    /// The server is to blame, not who wanted to log in.
    pub(crate) fn is_server_fault(&self) -> bool {
        match self {
            Self::Login(error) => error.is_server_fault(),
            Self::Random(_) => false,
            _ => true,
        }
    }
}

/// How to reach one server.
pub(crate) struct Route<P: Protocol> {
    pub(crate) address: String,
    pub(crate) tls_mode: ServerTlsMode,
    pub(crate) dialler: Option<Dialler>,
    pub(crate) timeout: Duration,
    pub(crate) options: P::Options,
}

impl<P: Protocol> Route<P> {
    /// Connects, without a word.
    pub(crate) async fn connect(&self) -> Result<Conn, DialError<P>> {
        let socket = TcpStream::connect(&self.address).await.map_err(DialError::Unreachable)?;
        socket.set_nodelay(true).map_err(DialError::Unreachable)?;
        Ok(Conn::new(socket))
    }

    /// Connects and logs in, within the time limit.
    pub(crate) async fn dial(
        &self,
        identity: &P::Identity,
        credential: &P::Credential,
    ) -> Result<P::Connection, DialError<P>> {
        timeout(self.timeout, P::dial(self, identity, credential))
            .await
            .unwrap_or(Err(DialError::TimedOut(self.timeout)))
    }

    /// Goes on with TLS.
    pub(crate) async fn upgrade(&self, conn: &mut Conn) -> Result<(), DialError<P>> {
        let dialler = self.dialler.as_ref();
        let dialler = dialler.ok_or(Violation::Unexpected { what: "request for TLS" })?;
        conn.upgrade(|socket| dialler.dial(socket)).await.map_err(DialError::Lost)
    }
}
