//! What a client is told of its settings, and whether a server takes it at all.

use std::sync::Arc;

use tidegate_hook::Target;
use tidegate_postgres_wire::downstream::Accepted;
use tidegate_postgres_wire::message::Severity;
use tidegate_telemetry::LoginResult;
use tracing::warn;

use super::super::{Listener, farewell};
use super::{LoginFailure, told};
use crate::auth::postgres::is_unproved;
use crate::pool::postgres::{
    Borrower, DialError, Identity, LeaseError, Leased, Settings, Shown, Upstream,
};

/// Makes sure that a server takes this user and database, while the client still expects to hear of
/// it, and learns what it says of its settings. The connection is free again at once, unless it
/// replicates: an idle session holds none.
///
/// Where a server has taken the very same login before, and has no connection to spare, nobody has to
/// wait for one.
pub(super) async fn welcome(
    listener: &Listener,
    target: Target,
    identity: &Arc<Identity>,
    accepted: &Accepted,
    initial: &Settings,
    is_replication: bool,
) -> Result<(Option<Leased>, Shown), LoginFailure> {
    let borrower =
        Borrower { identity, credential: &accepted.credential, state: initial.fingerprint() };
    let Some(upstream) = listener.upstreams().get(target.upstream) else {
        let error = LeaseError::NoServer { target: String::new() };
        return Err(refused(listener, identity, &error));
    };
    let idle = if is_replication { None } else { upstream.lease_idle(target.member, borrower) };
    let leased = match (idle, upstream.known_welcome(identity)) {
        (Some(leased), _) => Ok(leased),
        (None, Some(known)) if !is_replication => return Ok((None, known)),
        _ => Box::pin(upstream.lease_for_login(target.member, borrower)).await,
    };
    let leased = leased.map_err(|error| refused(listener, identity, &error))?;
    shown_by(upstream, leased, identity, initial, is_replication).await
}

async fn shown_by(
    upstream: &Upstream,
    mut leased: Leased,
    identity: &Arc<Identity>,
    initial: &Settings,
    is_replication: bool,
) -> Result<(Option<Leased>, Shown), LoginFailure> {
    match leased.bring(initial).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(told(error, LoginResult::ProxyError)),
        Err(why) => {
            let address = leased.server().address.to_string();
            let why = why.to_string();
            let consequence = "Nothing was carried out.";
            let error = farewell::server_lost(Severity::Fatal, &address, &why, consequence);
            return Err(told(error, LoginResult::ProxyError));
        }
    }
    let shown = leased.connection().shown.clone();
    if is_replication {
        return Ok((Some(leased), shown));
    }
    upstream.remember_welcome(identity, &shown);
    leased.give_back();
    Ok((None, shown))
}

fn refused(listener: &Listener, identity: &Identity, error: &LeaseError) -> LoginFailure {
    warn!(listener = listener.name(), user = %identity.user, "no server for a login: {error}");
    if let LeaseError::Dial { source: DialError::Login(why), .. } = error
        && is_unproved(why)
    {
        listener.verifiers().forget(&identity.user);
    }
    told(farewell::lease(error, Severity::Fatal), LoginResult::ProxyError)
}
