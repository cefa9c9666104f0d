//! Users of PostgreSQL.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_config::{Auth, Listener, PostgresAuth, PostgresListener, User, UserSecret};
use tidegate_postgres_wire::auth::{DecoyKey, Flow, Verifier, scram};

use crate::pool::postgres::Upstream;

/// Finds what is needed to check a user's password.
pub(crate) struct Verifiers {
    users: HashMap<String, UserSecret>,
    flow: Flow,
    key: DecoyKey,
}

/// What is known of who wants to log in.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// For a user that does not exist, one that denies every password.
    pub(crate) verifier: Verifier,
}

impl Verifiers {
    pub(crate) fn new(
        listener: &Listener,
        own: &PostgresListener,
        _upstream: &Arc<Upstream>,
    ) -> Self {
        let users = match &listener.auth {
            Auth::Users(users) | Auth::File { users, .. } => users.as_slice(),
            _ => &[],
        };
        let by_name = users.iter().map(|user: &User| (user.name.clone(), user.secret.clone()));
        let mut key = [0; 32];
        let _ = getrandom::fill(&mut key);
        Self { users: by_name.collect(), flow: flow(own.default_auth), key: DecoyKey(key) }
    }

    pub(crate) fn decoy_key(&self) -> DecoyKey {
        self.key.clone()
    }

    pub(crate) fn find(&self, user: &str) -> Found {
        let verifier = match self.users.get(user) {
            Some(UserSecret::Password { password, .. }) => {
                Verifier::password(password.expose().as_bytes(), user, self.flow, &self.key)
            }
            Some(UserSecret::Verifier(stored)) => {
                Verifier::parse_stored(stored.expose()).unwrap_or(Verifier::Unknown(self.flow))
            }
            Some(UserSecret::Servers) => Verifier::Server,
            None => Verifier::Unknown(self.flow),
        };
        Found { verifier }
    }

    /// What must be equal for another login to be as good as this one.
    pub(crate) fn stamp(&self, found: &Found) -> u64 {
        found.verifier.stamp(&self.key.0).unwrap_or_default()
    }
}

fn flow(configured: PostgresAuth) -> Flow {
    match configured {
        PostgresAuth::ScramSha256 => Flow::Scram { iterations: scram::ITERATIONS_DEFAULT },
        PostgresAuth::Md5 => Flow::Md5,
        PostgresAuth::Cleartext => Flow::Cleartext,
    }
}
