//! What servers tell clients of their version, before anybody has logged in.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::{DialError, Server, Upstream, dial};
use crate::route::Role;

/// A client waits no longer for what a server says of its version.
const GREETING_TIMEOUT: Duration = Duration::from_secs(1);

impl Server {
    /// Finds out what the server tells clients of its version, without logging in.
    async fn ask_version(&self) -> Result<(), DialError> {
        let limit = self.route.timeout.min(GREETING_TIMEOUT);
        self.note_version(&dial::version(&self.route, limit).await?);
        Ok(())
    }
}

impl Upstream {
    /// The version that its servers tell clients: the primary's, if that is known.
    ///
    /// The first one who wants to know has a server asked, where no login has shown it yet.
    pub(crate) async fn version(&self) -> Option<Arc<str>> {
        if let Some(version) = self.known_version() {
            return Some(version);
        }
        let ask = || async {
            for server in &self.servers {
                match server.ask_version().await {
                    Ok(()) => break,
                    Err(error) => debug!(server = %server.address, "no version: {error}"),
                }
            }
        };
        self.version_asked.get_or_init(ask).await;
        self.known_version()
    }

    fn known_version(&self) -> Option<Arc<str>> {
        let primary = self.servers.iter().find(|server| server.role() == Role::Primary);
        let known = || self.servers.iter().find_map(|server| server.version());
        primary.and_then(|primary| primary.version()).or_else(known)
    }
}
