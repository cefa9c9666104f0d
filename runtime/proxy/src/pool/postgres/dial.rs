//! Connecting to a server and logging in as a client's user.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tidegate_config::ServerTlsMode;
use tidegate_postgres_wire::auth::{Credential, scram};
use tidegate_postgres_wire::frame::{Message, next_message};
use tidegate_postgres_wire::upstream::{self, Dial, MESSAGE_MAX, ServerTls, Step};
use tidegate_postgres_wire::version::ProtocolVersion;
use zeroize::Zeroize as _;

use super::{DialError, Route, ServerConn};
use crate::conn::Conn;

/// What must be equal for a connection to serve another session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: Arc<str>,
    pub(crate) database: Arc<str>,
    /// Settings of the login: what a `RESET` leads back to.
    pub(crate) parameters: Arc<[(String, String)]>,
    /// Of the password: a login with another one is another login.
    pub(crate) stamp: u64,
}

/// Connects and logs in.
pub(super) async fn dial(
    route: &Route,
    identity: &Identity,
    credential: &Credential,
) -> Result<ServerConn, DialError> {
    let mut conn = route.connect().await?;
    let (mut pending, mut out) = (BytesMut::new(), BytesMut::new());
    let mut step = upstream::start(wanted(route, identity, credential)?, &mut out);
    loop {
        step = match step {
            Step::AskedForTls(next) => {
                conn.send(&out).await.map_err(DialError::Lost)?;
                out.clear();
                let answer = answer(&mut conn).await?;
                next.on_byte(answer, conn.inbox.as_slice(), &mut out).map_err(DialError::Login)?
            }
            Step::UpgradeTls(next) => {
                route.upgrade(&mut conn).await?;
                let end_point = conn.stream().peer_end_point();
                Step::Continue(next.resume(end_point.as_deref().unwrap_or_default(), &mut out))
            }
            Step::Continue(next) => {
                let sent = conn.send(&out).await;
                // The password may be in it.
                out.as_mut().zeroize();
                sent.map_err(DialError::Lost)?;
                out.clear();
                let message = receive(&mut conn, &mut pending).await?;
                next.on_message(message, &mut out).map_err(DialError::Login)?
            }
            Step::Ready(session) => return Ok(ServerConn::new(conn, session)),
        };
    }
}

fn wanted(
    route: &Route,
    identity: &Identity,
    credential: &Credential,
) -> Result<Dial, getrandom::Error> {
    let mut nonce = [0; scram::NONCE_LEN];
    getrandom::fill(&mut nonce)?;
    Ok(Dial {
        version: ProtocolVersion::NEWEST,
        user: identity.user.to_string(),
        database: identity.database.to_string(),
        parameters: identity.parameters.to_vec(),
        credential: credential.clone(),
        tls: match route.tls_mode {
            ServerTlsMode::Disable => ServerTls::Off,
            ServerTlsMode::Prefer => ServerTls::Prefer,
            _ if route.options.direct_tls => ServerTls::Direct,
            _ => ServerTls::Require,
        },
        nonce,
    })
}

/// The byte that answers a request for TLS; what follows it belongs to TLS and stays in the socket.
pub(super) async fn answer(conn: &mut Conn) -> Result<u8, DialError> {
    conn.fill_at_most(1).await.map_err(DialError::Lost)?;
    let answer = conn.inbox.as_slice().first().copied();
    conn.inbox.clear();
    answer.ok_or_else(|| DialError::Lost(io::ErrorKind::UnexpectedEof.into()))
}

async fn receive(conn: &mut Conn, pending: &mut BytesMut) -> Result<Message, DialError> {
    loop {
        if let Some(message) = next_message(pending, MESSAGE_MAX)? {
            return Ok(message);
        }
        if conn.fill().await.map_err(DialError::Lost)? == 0 {
            return Err(DialError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        pending.extend_from_slice(conn.inbox.as_slice());
        conn.inbox.clear();
    }
}
