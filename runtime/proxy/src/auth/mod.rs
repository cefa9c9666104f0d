//! Where the verifiers of users come from: the configuration, a file, or the servers themselves.

mod file;
mod server;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_config::{Auth, User, UserSecret};
use tidegate_mysql_wire::auth::{Flow, UnusableVerifier, Verifier};

use crate::pool::Upstream;

pub(crate) use server::Unavailable;

/// Finds what is needed to check a user's password.
pub(crate) enum Verifiers {
    Users(Users),
    File(file::UsersFile),
    Server(server::ServerUsers),
}

impl Verifiers {
    pub(crate) fn new(auth: &Auth, upstream: &Arc<Upstream>, flow: Flow) -> Self {
        match auth {
            Auth::Users(users) => Self::Users(Users::new(users.clone(), flow)),
            Auth::File { path, users } => {
                Self::File(file::UsersFile::new(path, users.clone(), flow))
            }
            Auth::Server => Self::Server(server::ServerUsers::new(Arc::clone(upstream), flow)),
        }
    }

    /// The verifier of a user; for one that does not exist, one that denies every password.
    pub(crate) async fn find(
        &self,
        user: &str,
        peer: Option<SocketAddr>,
    ) -> Result<Verifier, Unavailable> {
        match self {
            Self::Users(users) => Ok(users.find(user)),
            Self::File(file) => Ok(file.find(user)),
            Self::Server(server) => server.find(user, peer).await,
        }
    }

    /// A password did not match: what is known of the user may be out of date.
    pub(crate) fn denied(&self, user: &str) {
        match self {
            Self::Users(_) => {}
            Self::File(file) => file.recheck(),
            Self::Server(server) => server.forget(user),
        }
    }
}

/// Users that are known by name.
pub(crate) struct Users {
    by_name: HashMap<String, UserSecret>,
    /// How a login looks that has no user behind it.
    unknown: Flow,
}

impl Users {
    fn new(users: Vec<User>, flow: Flow) -> Self {
        let by_name: HashMap<_, _> =
            users.into_iter().map(|user| (user.name, user.secret)).collect();
        // An unknown user must look like most known ones.
        let unknown = by_name.values().next().and_then(|secret| verifier(secret).ok());
        let unknown = unknown.map_or(flow, |verifier| verifier.flow());
        Self { by_name, unknown }
    }

    fn find(&self, user: &str) -> Verifier {
        let known = self.by_name.get(user).map(verifier);
        known.and_then(Result::ok).unwrap_or(Verifier::Unknown(self.unknown))
    }
}

fn verifier(secret: &UserSecret) -> Result<Verifier, UnusableVerifier> {
    match secret {
        UserSecret::Password(password) => Ok(Verifier::password(password.expose().as_bytes())),
        UserSecret::Verifier(stored) => {
            let stored = stored.expose();
            let plugin = if stored.starts_with('$') { "caching_sha2_password" } else { "" };
            Verifier::parse_stored(plugin, stored.as_bytes())
        }
    }
}
