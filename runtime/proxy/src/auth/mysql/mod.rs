//! Users of MySQL and MariaDB.

mod account;
mod certificate;
mod host;
mod learned;
mod rules;
mod seal;
mod server;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tidegate_config::{
    Auth, AuthMethod, Errors, Listener, MysqlListener, Protocol, User, UserSecret, load_users,
};
use tidegate_mysql_wire::auth::{Credential, Flow, Method, UnusableVerifier, Verifier};
use tidegate_mysql_wire::downstream::DecoyKey;
use tidegate_mysql_wire::packet::ErrPacket;

use self::learned::Learned;
use self::server::ServerUsers;
use super::ask;
use super::decoys;
use super::watched_file::WatchedFile;
use crate::pool::mysql::{Identity, LoginError, Mysql, Upstream};
use crate::rsa::SharedKey;

pub(crate) use self::rules::Rules;

type Decoys = decoys::Decoys<Flow>;
pub(crate) type NotTaken = super::NotTaken<Mysql>;
pub(crate) type Unavailable = ask::Unavailable<Mysql>;

/// What servers say of a password that is wrong: 1045, and 1698 where none was given.
const DENIED: [u16; 2] = [1045, 1698];

/// Finds what is needed to check a user's password.
pub(crate) struct Verifiers {
    source: Source,
    upstream: Arc<Upstream>,
    learned: Learned,
    decoys: Decoys,
    key: Option<SharedKey>,
}

enum Source {
    Users(Users),
    File(WatchedFile<Users>),
    Server(Box<ServerUsers>),
}

/// What is known of who wants to log in.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// For a user that does not exist, one that denies every password.
    pub(crate) verifier: Verifier,
    pub(crate) rules: Rules,
}

impl Verifiers {
    pub(crate) fn new(
        listener: &Listener,
        own: &MysqlListener,
        upstream: &Arc<Upstream>,
        key: Option<SharedKey>,
    ) -> Self {
        let flow = Flow::Only(method(own.default_auth));
        let decoys = Decoys::new(secrets(&listener.auth, upstream), flow);
        let source = match &listener.auth {
            Auth::Users(users) => Source::Users(Users::new(users.clone(), &decoys)),
            Auth::File { path, users } => {
                Source::File(WatchedFile::new(path, Users::new(users.clone(), &decoys)))
            }
            // What only PostgreSQL has is refused by the configuration.
            Auth::Server { .. } | Auth::UserList { .. } => {
                Source::Server(Box::new(ServerUsers::new(Arc::clone(upstream))))
            }
        };
        Self { source, upstream: Arc::clone(upstream), learned: Learned::new(), decoys, key }
    }

    /// The key that clients without TLS encrypt passwords for, if there can be such clients.
    pub(crate) fn key(&self) -> Option<&SharedKey> {
        self.key.as_ref()
    }

    pub(crate) fn decoy_key(&self) -> DecoyKey {
        DecoyKey(*self.decoys.key())
    }

    pub(crate) async fn find(
        &self,
        user: &str,
        peer: Option<SocketAddr>,
    ) -> Result<Found, Unavailable> {
        let found = match &self.source {
            Source::Users(users) => users.find(user, &self.decoys),
            Source::File(file) => {
                self.recheck(file);
                file.contents().find(user, &self.decoys)
            }
            Source::Server(server) => server.find(user, peer, &self.decoys).await?,
        };
        Ok(self.recall(user, found))
    }

    /// What is known now of a user that could not be let in; `None` if that is nothing new.
    pub(crate) async fn find_again(
        &self,
        user: &str,
        peer: Option<SocketAddr>,
        before: &Found,
    ) -> Result<Option<Found>, Unavailable> {
        let found = match &self.source {
            Source::Users(_) => None,
            Source::File(file) => {
                self.recheck(file).then(|| file.contents().find(user, &self.decoys))
            }
            Source::Server(server) => server.find_again(user, peer, &self.decoys).await?,
        };
        let is_new =
            |found: &Found| found.rules != before.rules || !self.is_same_password(found, before);
        Ok(found.filter(is_new).map(|found| self.recall(user, found)))
    }

    fn recheck(&self, file: &WatchedFile<Users>) -> bool {
        file.recheck(|path: &Path| -> Result<Users, Errors> {
            Ok(Users::new(load_users(path, Protocol::Mysql)?, &self.decoys))
        })
    }

    pub(crate) fn is_same_password(&self, one: &Found, other: &Found) -> bool {
        let (one, other) = (&one.verifier, &other.verifier);
        one.flow() == other.flow() && self.stamp(one) == self.stamp(other)
    }

    fn recall(&self, user: &str, found: Found) -> Found {
        Found { verifier: self.learned.recall(user, found.verifier), ..found }
    }

    /// A password matched. Returns what must be equal for another login to be as good as this one:
    /// it changes with the password, and when that expires.
    pub(crate) fn accepted(&self, user: &str, found: &Found, credential: &Credential) -> u64 {
        self.learned.learn(user, &found.verifier, credential);
        let stamp = self.stamp(&found.verifier).or_else(|| {
            let password = Verifier::password(credential.known_password()?);
            self.stamp(&password)
        });
        stamp.unwrap_or_default().wrapping_add(found.rules.expired.into())
    }

    fn stamp(&self, verifier: &Verifier) -> Option<u64> {
        verifier.stamp(self.decoys.key())
    }

    /// A server did not take what was right here: what is known of the user may be out of date.
    pub(crate) fn forget(&self, user: &str) {
        if let Source::Server(server) = &self.source {
            server.forget(user);
        }
    }

    /// Asks a server whether it takes this password.
    pub(crate) async fn check(
        &self,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<(), NotTaken> {
        let is_denial = |error: &LoginError| error.refused().is_some_and(is_denial);
        ask::check(&self.upstream, identity, credential, is_denial).await.map(drop)
    }
}

/// Whether a server has said that the password is wrong, or the user unknown.
pub(crate) fn is_denial(error: &ErrPacket) -> bool {
    DENIED.contains(&error.code)
}

fn secrets<'a>(auth: &'a Auth, upstream: &'a Upstream) -> impl Iterator<Item = &'a [u8]> {
    let account = upstream.account.as_ref().filter(|_| matches!(auth, Auth::Server { .. }));
    let account = account.map(|account| account.password.expose().as_bytes());
    let users = match auth {
        Auth::Users(users) | Auth::File { users, .. } => users.as_slice(),
        Auth::Server { .. } | Auth::UserList { .. } => &[],
    };
    let users = users.iter().filter_map(|user| match &user.secret {
        UserSecret::Password { password, .. } => Some(password.expose().as_bytes()),
        UserSecret::Verifier(verifier) => Some(verifier.expose().as_bytes()),
        UserSecret::Servers | UserSecret::Certificate { .. } => None,
    });
    account.into_iter().chain(users)
}

/// Users that are known by name.
pub(crate) struct Users(HashMap<String, UserSecret>);

impl Users {
    fn new(users: Vec<User>, decoys: &Decoys) -> Self {
        let by_name: HashMap<_, _> =
            users.into_iter().map(|user| (user.name, user.secret)).collect();
        let verifiers = by_name.values().filter_map(|secret| verifier(secret).ok());
        let with_password = verifiers.filter(|verifier| !matches!(verifier, Verifier::Empty));
        decoys.set(with_password.map(|verifier| verifier.flow()));
        Self(by_name)
    }

    fn find(&self, user: &str, decoys: &Decoys) -> Found {
        let known = self.0.get(user).map(verifier).and_then(Result::ok);
        let verifier = known.unwrap_or_else(|| Verifier::Unknown(decoys.nobody(user)));
        Found { verifier, rules: Rules::default() }
    }
}

fn verifier(secret: &UserSecret) -> Result<Verifier, UnusableVerifier> {
    match secret {
        UserSecret::Password { password, method: how } => {
            let flow = how.map_or(Flow::Any, |how| Flow::Only(method(how)));
            Ok(Verifier::password_by(password.expose().as_bytes(), flow))
        }
        UserSecret::Verifier(stored) => Verifier::parse_unlabelled(stored.expose()),
        UserSecret::Servers => Ok(Verifier::Server),
        // Of another protocol, and refused by the configuration.
        UserSecret::Certificate { .. } => {
            Err(UnusableVerifier::Method { method: "certificate".to_owned() })
        }
    }
}

/// A method of the configuration in the words of the protocol.
pub(crate) fn method(configured: AuthMethod) -> Method {
    match configured {
        AuthMethod::MysqlNativePassword => Method::NativePassword,
        AuthMethod::CachingSha2Password => Method::CachingSha2Password,
        AuthMethod::Sha256Password => Method::Sha256Password,
        AuthMethod::ClientEd25519 => Method::Ed25519,
        AuthMethod::Parsec => Method::Parsec,
        AuthMethod::MysqlClearPassword => Method::ClearPassword,
    }
}
