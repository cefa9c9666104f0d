//! Where the verifiers of users come from: the configuration, a file, or the servers themselves.

mod file;
mod learned;
mod server;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tidegate_config::{Auth, User, UserSecret};
use tidegate_mysql_wire::auth::{Credential, Flow, UnusableVerifier, Verifier};

use self::file::UsersFile;
use self::learned::Learned;
use self::server::ServerUsers;
use crate::pool::Upstream;

pub(crate) use server::Unavailable;

/// Finds what is needed to check a user's password.
pub(crate) struct Verifiers {
    source: Source,
    learned: Learned,
}

enum Source {
    Users(Users),
    File(UsersFile),
    Server(Box<ServerUsers>),
}

impl Verifiers {
    pub(crate) fn new(auth: &Auth, upstream: &Arc<Upstream>, flow: Flow) -> Self {
        let source = match auth {
            Auth::Users(users) => Source::Users(Users::new(users.clone(), flow)),
            Auth::File { path, users } => Source::File(UsersFile::new(path, users.clone(), flow)),
            Auth::Server => Source::Server(Box::new(ServerUsers::new(Arc::clone(upstream), flow))),
        };
        Self { source, learned: Learned::default() }
    }

    /// The verifier of a user; for one that does not exist, one that denies every password.
    pub(crate) async fn find(
        &self,
        user: &str,
        peer: Option<SocketAddr>,
    ) -> Result<Verifier, Unavailable> {
        let verifier = match &self.source {
            Source::Users(users) => users.find(user),
            Source::File(file) => file.find(user),
            Source::Server(server) => server.find(user, peer).await?,
        };
        Ok(self.learned.recall(user, verifier))
    }

    /// A password matched.
    pub(crate) fn accepted(&self, user: &str, verifier: &Verifier, credential: &Credential) {
        self.learned.learn(user, verifier, credential);
    }

    /// A password did not match: what is known of the user may be out of date.
    pub(crate) fn denied(&self, user: &str) {
        match &self.source {
            Source::Users(_) => {}
            Source::File(file) => file.recheck(),
            Source::Server(server) => server.forget(user),
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
