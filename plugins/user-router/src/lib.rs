//! Sends each session to the target of its user, else to that of its database, else to a default.
//!
//! Two tables and a default are all there is to it: privileged users work on the primary, everybody
//! else is balanced over the replicas. Connections, authentication, balancing and failover are the
//! runtime's business.

use std::collections::BTreeMap;

use tidegate_sdk::{Config, ConfigError, connection::*, log};

struct UserRouter {
    users: BTreeMap<String, Target>,
    databases: BTreeMap<String, Target>,
    default: Option<Target>,
}

impl UserRouter {
    fn from_config(config: &Config) -> Result<Self, ConfigError> {
        config.deny_unknown(&["users", "databases", "default"])?;
        if config.keys().next().is_none() {
            log::warn(
                "no rules in the sidecar file: every session goes where it would have gone anyway",
            );
        }
        Ok(Self {
            users: config.get_or("users", BTreeMap::new())?,
            databases: config.get_or("databases", BTreeMap::new())?,
            default: config.get("default")?,
        })
    }
}

impl ConnectionPlugin for UserRouter {
    fn on_authenticated(&self, session: &Session) -> Admission {
        let by_database = || self.databases.get(&session.database()?);
        let target = self.users.get(&session.user()).or_else(by_database).or(self.default.as_ref());
        target.map_or_else(Admission::next, Admission::route)
    }
}

tidegate_sdk::export!(UserRouter: connection; init = UserRouter::from_config);

#[cfg(test)]
mod tests;
