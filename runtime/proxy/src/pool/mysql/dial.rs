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
use tidegate_mysql_wire::packet::{ErrPacket, Greeting};
use tidegate_mysql_wire::upstream::{self, Dial, PACKET_MAX, ServerTls, Step};
use tidegate_wire::Violation;
use tokio::time::timeout;
use zeroize::Zeroize as _;

use super::{DialError, Route, ServerConn};
use crate::conn::Conn;
use crate::protocol::Fault;
use crate::rsa::KeyRefused;

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

/// Why a server did not let us in.
#[derive(Debug, Error)]
pub(crate) enum LoginError {
    #[error("{0}")]
    Wire(#[from] upstream::LoginError),
    #[error("the server asks for the password of this user, encrypted: {0}")]
    Key(#[from] KeyRefused),
}

impl LoginError {
    /// What the server has said, if it has said no.
    pub(crate) fn refused(&self) -> Option<&ErrPacket> {
        match self {
            Self::Wire(upstream::LoginError::Refused(error)) => Some(error),
            _ => None,
        }
    }
}

impl Fault for LoginError {
    fn is_server_fault(&self) -> bool {
        use upstream::LoginError::{TlsUnavailable, Violation};
        matches!(self, Self::Wire(Violation(_) | TlsUnavailable))
    }
}

impl From<upstream::LoginError> for DialError {
    fn from(error: upstream::LoginError) -> Self {
        Self::Login(error.into())
    }
}

impl From<KeyRefused> for DialError {
    fn from(refused: KeyRefused) -> Self {
        Self::Login(refused.into())
    }
}

/// Connects and logs in.
pub(super) async fn dial(
    route: &Route,
    identity: &Identity,
    credential: &Credential,
) -> Result<ServerConn, DialError> {
    let mut conn = route.connect().await?;
    let mut packets = Packets::new(PACKET_MAX);
    let mut pending = BytesMut::new();
    let mut out = BytesMut::new();
    let greeting = next_packet(&mut conn, &mut packets, &mut pending).await?;
    let first =
        upstream::start(wanted(route, identity, credential)?).on_packet(greeting, &mut out)?;
    let mut step = match first {
        Step::UpgradeTls(next) => {
            conn.send(&out).await.map_err(DialError::Lost)?;
            route.upgrade(&mut conn).await?;
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
                let ciphertext = route.options.keys.encrypt(next.key(), next.plaintext())?;
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
pub(super) async fn version(route: &Route, limit: Duration) -> Result<String, DialError> {
    let greeted = timeout(limit, async {
        let (mut packets, mut pending) = (Packets::new(PACKET_MAX), BytesMut::new());
        next_packet(&mut route.connect().await?, &mut packets, &mut pending).await
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
        may_ask_for_key: route.options.keys.may_ask(),
        nonce,
        attributes: vec![("program_name".to_owned(), "tidegate".to_owned())],
    })
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
