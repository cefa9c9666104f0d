//! Asking the servers of an upstream: about their users, and whether they take a password.

use std::io;

use thiserror::Error;

use crate::pool::{DialError, ServerLost, Upstream};
use crate::protocol::Protocol;
use crate::route::Role;

/// It cannot be found out what is known of a user.
#[derive(Debug, Error)]
pub(crate) enum Unavailable<P: Protocol> {
    #[error("the upstream has no account to read its users with")]
    NoAccount,
    #[error("no server of the upstream is alive")]
    NoServer,
    #[error("{0}")]
    Dial(#[from] DialError<P>),
    #[error("{0}")]
    Lost(#[from] ServerLost),
    #[error("the account may not read the users: {0}")]
    Refused(String),
    #[error("a password cannot be hashed: {0}")]
    Aside(io::Error),
}

/// Why a server did not take a password.
#[derive(Debug)]
pub(crate) enum NotTaken<P: Protocol> {
    /// It is wrong, or there is no such user.
    Denied,
    /// The server has something else against it, or could not be asked.
    Failed(DialError<P>),
    NoServer,
}

/// A connection as the upstream's account, to the primary, or whoever there is: a replica may be
/// late.
pub(super) async fn connect<P: Protocol>(
    upstream: &Upstream<P>,
) -> Result<P::Connection, Unavailable<P>> {
    let account = upstream.account.as_ref().ok_or(Unavailable::NoAccount)?;
    let mut servers: Vec<_> = upstream.servers.iter().filter(|server| server.is_up()).collect();
    servers.sort_by_key(|server| server.role() != Role::Primary);
    let mut failure = Unavailable::NoServer;
    for server in servers {
        let (identity, credential) = server.service(account);
        match server.dial(&identity, &credential).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}

/// Logs in to a server with a password that nothing here can check.
pub(super) async fn check<P: Protocol>(
    upstream: &Upstream<P>,
    identity: &P::Identity,
    credential: &P::Credential,
    is_denial: impl Fn(&P::LoginError) -> bool,
) -> Result<P::Connection, NotTaken<P>> {
    let mut failure = NotTaken::NoServer;
    for server in upstream.servers.iter().filter(|server| server.is_up()) {
        match server.dial(identity, credential).await {
            Ok(connection) => return Ok(connection),
            Err(DialError::Login(error)) if is_denial(&error) => return Err(NotTaken::Denied),
            Err(error) if error.is_server_fault() => failure = NotTaken::Failed(error),
            Err(error) => return Err(NotTaken::Failed(error)),
        }
    }
    Err(failure)
}
