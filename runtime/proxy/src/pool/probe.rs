//! Watching the servers of an upstream: are they alive, and which is the primary.
//!
//! Needs the upstream's account. Without one, a server is judged by the sessions that use it, and
//! roles are those of the configuration: a connection that is opened and closed without a login
//! would count against us at the server (`max_connect_errors`).

use std::sync::Arc;
use std::time::Instant;

use tidegate_config as config;
use tidegate_mysql_wire::auth::Credential;
use tidegate_mysql_wire::capabilities::Capabilities;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;
use zeroize::Zeroizing;

use super::dial::Identity;
use super::server::Server;
use super::server_conn::{ServerConn, ServerLost};
use super::upstream::Upstream;
use crate::route::Role;

/// Says what the server is: `read_only` counts for all but a few privileged users.
const ROLE_QUERY: &str = "SELECT @@global.read_only";

/// The collation utf8mb4_general_ci.
const COLLATION: u8 = 45;

/// Who the service account of an upstream is, and how it logs in.
pub(crate) fn service(account: &config::Account) -> (Identity, Credential) {
    let identity = Identity {
        user: account.user.as_str().into(),
        database: None,
        collation: COLLATION,
        capabilities: Capabilities::DEPRECATE_EOF | Capabilities::PLUGIN_AUTH,
    };
    let password = Zeroizing::new(account.password.expose().as_bytes().to_vec());
    let credential =
        if password.is_empty() { Credential::Empty } else { Credential::Password(password) };
    (identity, credential)
}

/// Probes one server for as long as the process lives, and closes what was idle for too long.
pub(crate) async fn probe_forever(upstream: Arc<Upstream>, server: Arc<Server>, discover: bool) {
    let service = upstream.account.as_ref().map(service);
    let mut connection = None;
    let mut ticks = interval(upstream.probe.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        server.reap(Instant::now());
        let Some((identity, credential)) = &service else {
            continue;
        };
        if connection.is_none() {
            match server.dial(identity, credential).await {
                Ok(dialled) => connection = Some(dialled),
                Err(error) if error.is_server_fault() => server.failed(&error),
                Err(error) => debug!(server = %server.address, "cannot probe: {error}"),
            }
        }
        let Some(probe) = &mut connection else {
            continue;
        };
        match timeout(upstream.probe.timeout, role(probe)).await {
            Ok(Ok(role)) => {
                if discover {
                    server.set_role(role);
                }
                server.succeeded();
            }
            Ok(Err(error)) => {
                connection = None;
                server.failed(&error);
            }
            Err(_) => {
                connection = None;
                server.failed(&"no answer to a probe in time");
            }
        }
    }
}

async fn role(connection: &mut ServerConn) -> Result<Role, ServerLost> {
    let rows = connection.query(ROLE_QUERY).await?.unwrap_or_default();
    let read_only = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
    Ok(match read_only {
        Some(b"0" | b"OFF") => Role::Primary,
        Some(_) => Role::Replica,
        None => Role::Unknown,
    })
}
