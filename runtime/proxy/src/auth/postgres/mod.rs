//! Users of PostgreSQL.

mod certificate;
mod server;
mod users;

use std::path::Path;
use std::sync::Arc;

use tidegate_config::{Auth, Listener, PostgresAuth, PostgresListener};
use tidegate_postgres_wire::auth::{Credential, DecoyKey, Flow, Verifier, scram};
use tidegate_postgres_wire::message::{ErrorResponse, Severity};
use tidegate_postgres_wire::sqlstate::{INVALID_AUTHORIZATION_SPECIFICATION, INVALID_PASSWORD};
use tidegate_postgres_wire::upstream::LoginError;
use tracing::warn;

use self::certificate::common_name;
use self::server::ServerUsers;
use self::users::{Making, Users};
use super::watched_file::WatchedFile;
use super::{ask, decoys};
use crate::conn::Stream;
use crate::pool::postgres::{Identity, Postgres, Upstream};

pub use users::UsersError;

type Decoys = decoys::Decoys<Flow>;
pub(crate) type NotTaken = super::NotTaken<Postgres>;
pub(crate) type Unavailable = ask::Unavailable<Postgres>;

/// Finds what is needed to check a user's password.
pub(crate) struct Verifiers {
    source: Source,
    upstream: Arc<Upstream>,
    decoys: Decoys,
    making: Making,
}

enum Source {
    Users(Users),
    File(WatchedFile<Users>, fn(&Path) -> Result<Users, UsersError>),
    Server(Box<ServerUsers>),
}

/// What is known of who wants to log in.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// For a user that does not exist, one that denies every password.
    pub(crate) verifier: Verifier,
    /// What logs in to servers, of a user who shows nothing that could.
    pub(crate) credential: Option<Credential>,
    /// Servers do not let everyone in who has a password.
    may_login: bool,
}

impl Found {
    fn new(verifier: Verifier) -> Self {
        Self { verifier, credential: None, may_login: true }
    }

    /// Whether a client that knows the password may come in. It is told in a server's words.
    pub(crate) fn check(&self, user: &str) -> Result<(), ErrorResponse> {
        if self.may_login {
            return Ok(());
        }
        let message = format!("role \"{user}\" is not permitted to log in");
        let code = INVALID_AUTHORIZATION_SPECIFICATION;
        Err(ErrorResponse::new(Severity::Fatal, code, message))
    }
}

impl Verifiers {
    pub(crate) fn new(
        listener: &Listener,
        own: &PostgresListener,
        upstream: &Arc<Upstream>,
    ) -> Result<Self, UsersError> {
        let flow = flow(own.default_auth);
        let source = match &listener.auth {
            Auth::Users(users) => Source::Users(Users::new(users.clone())),
            Auth::File { path, users } => {
                let users = Users::new(users.clone());
                Source::File(WatchedFile::new(path, users), Users::of_file)
            }
            Auth::UserList { path } => {
                let users = Users::of_list(path)?;
                Source::File(WatchedFile::new(path, users), Users::of_list)
            }
            Auth::Server { query } => {
                let users = ServerUsers::new(Arc::clone(upstream), query.clone());
                Source::Server(Box::new(users))
            }
        };
        let decoys = source.decoys(flow, upstream);
        let making = Making { flow, key: DecoyKey(*decoys.key()) };
        Ok(Self { source, upstream: Arc::clone(upstream), decoys, making })
    }

    pub(crate) fn decoy_key(&self) -> DecoyKey {
        self.making.key.clone()
    }

    pub(crate) async fn find(&self, user: &str, client: &Stream) -> Result<Found, Unavailable> {
        let shown = common_name(client);
        let found = match &self.source {
            Source::Users(users) => users.find(user, shown.as_deref(), &self.making).await,
            Source::File(file, _) => {
                self.recheck();
                file.contents().find(user, shown.as_deref(), &self.making).await
            }
            Source::Server(server) => Ok(server.find(user, &self.making, &self.decoys).await?),
        };
        Ok(self.or_nobody(user, found.map_err(Unavailable::Aside)?))
    }

    /// What is known now of a user whose password did not match; `None` if that is nothing new.
    pub(crate) async fn find_again(
        &self,
        user: &str,
        before: &Found,
    ) -> Result<Option<Found>, Unavailable> {
        let found = match &self.source {
            Source::Users(_) => return Ok(None),
            Source::File(file, _) => {
                self.recheck();
                let users = file.contents();
                users.find(user, None, &self.making).await.map_err(Unavailable::Aside)?
            }
            Source::Server(server) => server.find_again(user, &self.making, &self.decoys).await?,
        };
        let stamp =
            |found: &Found| (found.verifier.flow(), found.verifier.stamp(&self.making.key.0));
        let found = self.or_nobody(user, found);
        Ok(Some(found).filter(|found| stamp(found) != stamp(before)))
    }

    fn or_nobody(&self, user: &str, found: Option<Found>) -> Found {
        found.unwrap_or_else(|| Found::new(Verifier::Unknown(self.decoys.nobody(user))))
    }

    /// Reads the users again where they are in a file that has changed.
    fn recheck(&self) {
        if let Source::File(file, read) = &self.source {
            file.recheck(|path: &Path| {
                let users = read(path)?;
                self.decoys.set(users.flows(self.making.flow));
                Ok::<_, UsersError>(users)
            });
        }
    }

    /// A proof did not match that cannot be judged again: for the next one, what is known of the user
    /// must not be out of date.
    pub(crate) fn mismatched(&self, user: &str) {
        if let Source::Server(server) = &self.source {
            server.forget_old(user);
        }
    }

    /// A server did not take what was right here: what is known of the user may be out of date.
    pub(crate) fn forget(&self, user: &str) {
        if let Source::Server(server) = &self.source {
            server.forget(user);
        }
    }

    /// What must be equal for another login to be as good as this one.
    pub(crate) fn stamp(&self, found: &Found, credential: &Credential) -> u64 {
        let key = &self.making.key.0;
        let stamp = found.verifier.stamp(key).or_else(|| {
            let password = credential.known_password()?.to_vec().into();
            Verifier::Password { password, stored: None }.stamp(key)
        });
        stamp.unwrap_or_default()
    }

    /// Asks a server whether it takes this password. One that asks for none takes every password,
    /// which proves nothing.
    pub(crate) async fn check(
        &self,
        identity: &Identity,
        credential: &Credential,
    ) -> Result<(), NotTaken> {
        let is_denial = |error: &LoginError| is_denial(error);
        let connection = ask::check(&self.upstream, identity, credential, is_denial).await?;
        if connection.has_asked {
            return Ok(());
        }
        warn!(user = %identity.user, "a server lets the user in without a password: nobody is let in");
        Err(NotTaken::Denied)
    }
}

impl Source {
    /// What strangers are shown, by what nobody else knows and how users are led.
    fn decoys(&self, flow: Flow, upstream: &Upstream) -> Decoys {
        let users = match self {
            Self::Users(users) => users,
            Self::File(file, _) => &*file.contents(),
            Self::Server(_) => {
                let account = upstream.account.as_ref();
                let secret = account.map(|account| account.password.expose().as_bytes());
                return Decoys::new(secret.into_iter(), flow);
            }
        };
        let decoys = Decoys::new(users.secrets().into_iter(), flow);
        decoys.set(users.flows(flow));
        decoys
    }
}

/// Whether a server wants another proof than what was right here: the password may have been changed.
pub(crate) fn is_unproved(error: &LoginError) -> bool {
    is_denial(error)
        || matches!(error, LoginError::OtherSalt | LoginError::UnsupportedMethod { .. })
}

/// Whether a server has said that the password is wrong, the user unknown, or not welcome from here.
fn is_denial(error: &LoginError) -> bool {
    let LoginError::Refused(error) = error else { return false };
    [INVALID_PASSWORD, INVALID_AUTHORIZATION_SPECIFICATION].contains(&error.sqlstate())
}

fn flow(configured: PostgresAuth) -> Flow {
    match configured {
        PostgresAuth::ScramSha256 => Flow::Scram { iterations: scram::ITERATIONS_DEFAULT },
        PostgresAuth::Md5 => Flow::Md5,
        PostgresAuth::Cleartext => Flow::Cleartext,
    }
}
