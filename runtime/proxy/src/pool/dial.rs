//! Connecting to a server and logging in as a client's user.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use thiserror::Error;
use tidegate_config::ServerTlsMode;
use tidegate_mysql_wire::auth::{Credential, parsec};
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::frame::{Packet, Packets};
use tidegate_mysql_wire::packet::Greeting;
use tidegate_mysql_wire::upstream::{self, Dial, LoginError, PACKET_MAX, ServerTls, Step};
use tidegate_wire::Violation;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroize as _;

use super::{ServerConn, ServerLost};
use crate::conn::Conn;
use crate::rsa::{KeyRefused, ServerKeys};
use crate::tls::Dialler;

/// What must be equal for a connection to serve another session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub(crate) user: Arc<str>,
    pub(crate) database: Option<Arc<str>>,
    pub(crate) collation: u8,
    /// What client and server must have agreed on, because it shapes the replies.
    pub(crate) capabilities: Capabilities,
    /// Of the password: a login with another one, or that has expired since, is another login.
    pub(crate) stamp: u64,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("the connection was lost while logging in: {0}")]
    Lost(io::Error),
    #[error("the server broke the protocol while logging in: {0}")]
    Violation(#[from] Violation),
    #[error("{0}")]
    Login(#[from] LoginError),
    #[error("the server asks for the password of this user, encrypted: {0}")]
    Key(#[from] KeyRefused),
    #[error("the system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl From<ServerLost> for DialError {
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

impl DialError {
    /// The server is to blame, not who wanted to log in.
    pub(crate) fn is_server_fault(&self) -> bool {
        match self {
            Self::Login(error) => {
                matches!(error, LoginError::Violation(_) | LoginError::TlsUnavailable)
            }
            Self::Key(_) | Self::Random(_) => false,
            _ => true,
        }
    }
}

/// How to reach one server.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) address: String,
    pub(crate) tls_mode: ServerTlsMode,
    pub(crate) dialler: Option<Dialler>,
    pub(crate) keys: Arc<ServerKeys>,
    pub(crate) timeout: Duration,
}

/// Connects and logs in, within the route's time limit.
pub(crate) async fn dial(
    route: &Route,
    identity: &Identity,
    credential: &Credential,
) -> Result<ServerConn, DialError> {
    timeout(route.timeout, connect(route, identity, credential))
        .await
        .unwrap_or(Err(DialError::TimedOut(route.timeout)))
}

async fn connect(
    route: &Route,
    identity: &Identity,
    credential: &Credential,
) -> Result<ServerConn, DialError> {
    let socket = TcpStream::connect(&route.address).await.map_err(DialError::Unreachable)?;
    socket.set_nodelay(true).map_err(DialError::Unreachable)?;
    let mut conn = Conn::new(socket);
    let mut packets = Packets::new(PACKET_MAX);
    let mut pending = BytesMut::new();
    let mut out = BytesMut::new();
    let greeting = next_packet(&mut conn, &mut packets, &mut pending).await?;
    let first =
        upstream::start(wanted(route, identity, credential)?).on_packet(greeting, &mut out)?;
    let mut step = match first {
        Step::UpgradeTls(next) => {
            conn.send(&out).await.map_err(DialError::Lost)?;
            upgrade(&mut conn, route).await?;
            out.clear();
            Step::Continue(next.resume(&pending, &mut out)?)
        }
        step => step,
    };
    loop {
        match step {
            Step::Continue(next) => {
                let sent = conn.send(&out).await;
                // The password may be in it.
                out.as_mut().zeroize();
                sent.map_err(DialError::Lost)?;
                out.clear();
                let packet = next_packet(&mut conn, &mut packets, &mut pending).await?;
                step = next.on_packet(packet, &mut out)?;
            }
            Step::Encrypt(next) => {
                let ciphertext = route.keys.encrypt(next.key(), next.plaintext())?;
                step = Step::Continue(next.encrypted(&ciphertext, &mut out));
            }
            Step::Ready(session) => {
                return Ok(ServerConn::new(conn, session));
            }
            Step::UpgradeTls(_) => {
                return Err(Violation::Unexpected { what: "second request for TLS" }.into());
            }
        }
    }
}

/// What a server says of its version to whoever connects.
pub(crate) async fn version(route: &Route, limit: Duration) -> Result<String, DialError> {
    let greeted = timeout(limit, async {
        let socket = TcpStream::connect(&route.address).await.map_err(DialError::Unreachable)?;
        let (mut packets, mut pending) = (Packets::new(PACKET_MAX), BytesMut::new());
        next_packet(&mut Conn::new(socket), &mut packets, &mut pending).await
    });
    let greeting = greeted.await.unwrap_or(Err(DialError::TimedOut(limit)))?;
    Ok(Greeting::decode(&greeting.payload)?.server_version)
}

fn wanted(
    route: &Route,
    identity: &Identity,
    credential: &Credential,
) -> Result<Dial, getrandom::Error> {
    let mut nonce = [0; parsec::NONCE_LEN];
    getrandom::fill(&mut nonce)?;
    Ok(Dial {
        user: identity.user.to_string(),
        database: identity.database.as_deref().map(str::to_owned),
        collation: identity.collation,
        // Who asks to be told is told; who does not costs nothing.
        capabilities: identity.capabilities | Capabilities::SESSION_TRACK,
        credential: credential.clone(),
        tls: match route.tls_mode {
            ServerTlsMode::Disable => ServerTls::Off,
            ServerTlsMode::Prefer => ServerTls::Prefer,
            _ => ServerTls::Require,
        },
        may_ask_for_key: route.keys.may_ask(),
        nonce,
        attributes: vec![("program_name".to_owned(), "tidegate".to_owned())],
    })
}

async fn upgrade(conn: &mut Conn, route: &Route) -> Result<(), DialError> {
    let dialler = route.dialler.as_ref();
    let dialler = dialler.ok_or(Violation::Unexpected { what: "request for TLS" })?;
    conn.upgrade(|socket| dialler.dial(socket)).await.map_err(DialError::Lost)
}

async fn next_packet(
    conn: &mut Conn,
    packets: &mut Packets,
    pending: &mut BytesMut,
) -> Result<Packet, DialError> {
    loop {
        if let Some(packet) = packets.next(pending)? {
            return Ok(packet);
        }
        if conn.fill().await.map_err(DialError::Lost)? == 0 {
            return Err(DialError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        pending.extend_from_slice(conn.inbox.as_slice());
        conn.inbox.clear();
    }
}
