//! Ending what runs on a connection: a request on a connection of its own.

use std::sync::Arc;

use bytes::BytesMut;
use tidegate_config::ServerTlsMode;
use tidegate_postgres_wire::cancel_key::CancelKey;
use tidegate_postgres_wire::startup::{ENCRYPTION_ACCEPTED, request_cancel, request_tls};
use tokio::time::timeout;

use super::dial::answer;
use super::{DialError, Route, Server};

/// A connection on which something runs.
#[derive(Clone, Debug)]
pub(crate) struct Victim(pub(crate) Arc<CancelKey>);

/// Has a server end what runs on one of its connections, and waits until it has taken note. Whether
/// something did run nobody is told.
pub(crate) async fn cancel(server: &Server, victim: &Victim) -> Result<(), DialError> {
    let route = &server.route;
    let limit = route.timeout;
    timeout(limit, ask(route, victim)).await.unwrap_or(Err(DialError::TimedOut(limit)))
}

async fn ask(route: &Route, Victim(key): &Victim) -> Result<(), DialError> {
    let mut conn = route.connect().await?;
    let mut out = BytesMut::new();
    if route.tls_mode != ServerTlsMode::Disable {
        let encrypted = match route.options.direct_tls {
            true => true,
            false => {
                request_tls(&mut out);
                conn.send(&out).await.map_err(DialError::Lost)?;
                out.clear();
                answer(&mut conn).await? == ENCRYPTION_ACCEPTED
            }
        };
        match (encrypted, route.tls_mode) {
            (true, _) => route.upgrade(&mut conn).await?,
            (false, ServerTlsMode::Prefer) => {}
            (false, _) => {
                use tidegate_postgres_wire::upstream::LoginError;
                return Err(DialError::Login(LoginError::TlsUnavailable));
            }
        }
    }
    request_cancel(key, &mut out);
    conn.send(&out).await.map_err(DialError::Lost)?;
    // The server answers by closing, once it has sent the signal.
    while conn.fill().await.is_ok_and(|count| count > 0) {
        conn.inbox.clear();
    }
    Ok(())
}
