//! Users that are known by name: of the configuration, of a file, of a server's answer.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use thiserror::Error;
use tidegate_config::{self as config, Errors, Protocol, Secret, UserSecret, load_users};
use tidegate_postgres_wire::auth::userlist::{self, ListError};
use tidegate_postgres_wire::auth::{Credential, DecoyKey, Flow, Stored, Verifier};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::Found;
use crate::auth::aside::aside;

/// A file of users cannot be understood. What stands in it is not shown.
#[derive(Debug, Error)]
pub enum UsersError {
    #[error("{0}")]
    Toml(#[from] Errors),
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("{0}")]
    List(#[from] ListError),
}

/// How passwords that are known in clear are made into what clients are checked by.
#[derive(Clone, Debug)]
pub(super) struct Making {
    pub(super) flow: Flow,
    pub(super) key: DecoyKey,
}

/// By their names.
pub(super) struct Users(HashMap<String, User>);

impl Users {
    pub(super) fn new(users: Vec<config::User>) -> Self {
        let known = users.into_iter().filter_map(|user| Some((user.name, User::new(user.secret)?)));
        Self(known.collect())
    }

    /// From a users file, in TOML.
    pub(super) fn of_file(path: &Path) -> Result<Self, UsersError> {
        Ok(Self::new(load_users(path, Protocol::Postgres)?))
    }

    /// From PgBouncer's list.
    pub(super) fn of_list(path: &Path) -> Result<Self, UsersError> {
        let text = Zeroizing::new(std::fs::read_to_string(path)?);
        let entries = userlist::parse(&text)?.into_iter();
        // The last time that a name is there counts, even if nobody can log in by it.
        let entries: HashMap<_, _> = entries.map(|entry| (entry.user, entry.secret)).collect();
        let known = entries.into_iter();
        let known = known.filter_map(|(name, secret)| Some((name, User::unlabelled(&secret)?)));
        Ok(Self(known.collect()))
    }

    /// How its users are led, where those with passwords in clear are led by `flow`.
    pub(super) fn flows(&self, flow: Flow) -> impl Iterator<Item = Flow> {
        self.0.values().filter_map(move |user| user.flow(flow))
    }

    /// All that nobody else knows.
    pub(super) fn secrets(&self) -> Vec<&[u8]> {
        let mut secrets: Vec<_> = self.0.values().filter_map(User::secret).collect();
        // The order of a map is another one in each process.
        secrets.sort_unstable();
        secrets
    }

    pub(super) async fn find(
        &self,
        user: &str,
        shown: Option<&str>,
        making: &Making,
    ) -> io::Result<Option<Found>> {
        match self.0.get(user) {
            Some(known) => known.found(user, shown, making).await,
            None => Ok(None),
        }
    }
}

/// One user.
pub(super) struct User {
    held: Held,
    /// Of a password in clear, once that was needed: it takes milliseconds.
    made: OnceCell<Verifier>,
}

/// What is held about a user.
enum Held {
    Password(Secret),
    /// As servers store it, and as it was written.
    Stored(Stored, Secret),
    /// Nothing: the servers are asked.
    Servers,
    Certificate {
        password: Option<Secret>,
    },
}

impl User {
    /// `None` for one that nobody can log in as.
    fn new(secret: UserSecret) -> Option<Self> {
        let held = match secret {
            UserSecret::Password { password, .. } if password.expose().is_empty() => return None,
            UserSecret::Password { password, .. } => Held::Password(password),
            UserSecret::Verifier(text) => Held::Stored(Stored::parse(text.expose()).ok()?, text),
            UserSecret::Servers => Held::Servers,
            UserSecret::Certificate { password } => Held::Certificate { password },
        };
        Some(Self { held, made: OnceCell::new() })
    }

    /// From what a server stores.
    pub(super) fn stored(text: &str) -> Option<Self> {
        Self::new(UserSecret::Verifier(Secret::new(text.to_owned())))
    }

    /// From what a server stores, or a password.
    pub(super) fn unlabelled(text: &str) -> Option<Self> {
        let password = || Secret::new(text.to_owned());
        Self::stored(text)
            .or_else(|| Self::new(UserSecret::Password { password: password(), method: None }))
    }

    /// It has the same password, in clear: what was made of one is good for the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        matches!((&self.held, &other.held), (Held::Password(own), Held::Password(its)) if own == its)
    }

    /// `None` if it is led by none, as it shows a certificate.
    pub(super) fn flow(&self, flow: Flow) -> Option<Flow> {
        match &self.held {
            Held::Password(_) => Some(flow),
            Held::Stored(stored, _) => Some(stored.flow()),
            Held::Servers => Some(Flow::Cleartext),
            Held::Certificate { .. } => None,
        }
    }

    fn secret(&self) -> Option<&[u8]> {
        match &self.held {
            Held::Password(text) | Held::Stored(_, text) => Some(text.expose().as_bytes()),
            Held::Certificate { password } => Some(password.as_ref()?.expose().as_bytes()),
            Held::Servers => None,
        }
    }

    /// What a login as this user is checked by, of a client with a certificate by this name. `None`
    /// if there is nothing.
    pub(super) async fn found(
        &self,
        name: &str,
        shown: Option<&str>,
        making: &Making,
    ) -> io::Result<Option<Found>> {
        let verifier = match &self.held {
            Held::Password(password) => {
                let make = || {
                    let (password, name) = (password.clone(), name.to_owned());
                    let Making { flow, key } = making.clone();
                    aside(move || {
                        Verifier::password(password.expose().as_bytes(), &name, flow, &key)
                    })
                };
                self.made.get_or_try_init(make).await?.clone()
            }
            Held::Stored(stored, _) => Verifier::Stored(stored.clone()),
            Held::Servers => Verifier::Server,
            Held::Certificate { password } if shown == Some(name) => {
                let password = password.as_ref().map(|password| password.expose().as_bytes());
                let credential = password.map_or(Credential::Nothing, Credential::password);
                let found = Found::new(Verifier::Open);
                return Ok(Some(Found { credential: Some(credential), ..found }));
            }
            Held::Certificate { .. } => return Ok(None),
        };
        Ok(Some(Found::new(verifier)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tidegate_postgres_wire::auth::scram;

    use super::*;

    const MD5: &str = "md50123456789abcdef0123456789abcdef";
    const SCRAM: Flow = Flow::Scram { iterations: scram::ITERATIONS_DEFAULT };

    fn making() -> Making {
        Making { flow: SCRAM, key: DecoyKey([7; 32]) }
    }

    fn user(name: &str, secret: UserSecret) -> config::User {
        config::User { name: name.to_owned(), secret }
    }

    fn password(text: &str) -> UserSecret {
        UserSecret::Password { password: Secret::new(text.to_owned()), method: None }
    }

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("tidegate-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        path
    }

    async fn shown(users: &Users, name: &str) -> String {
        let found = users.find(name, None, &making()).await.unwrap();
        found.map_or_else(|| "nobody".to_owned(), |found| format!("{:?}", found.verifier))
    }

    #[tokio::test]
    async fn a_list_of_pgbouncer_has_passwords_and_what_servers_store() {
        let text = format!(
            "; users\n\"clear\" \"secret\"\n\"stored\" \"{MD5}\" x\n\"none\" \"\"\n\
             \"twice\" \"a\"\n\"twice\" \"\"\n"
        );
        let path = file("userlist.txt", &text);
        let users = Users::of_list(&path).unwrap();
        for (name, held) in [
            ("clear", "Password(..)"),
            ("stored", "Stored(..)"),
            ("none", "nobody"),
            ("twice", "nobody"),
            ("other", "nobody"),
        ] {
            assert_eq!(shown(&users, name).await, held, "{name}");
        }
        let mut flows: Vec<_> = users.flows(SCRAM).collect();
        flows.sort_by_key(|flow| format!("{flow:?}"));
        assert_eq!(flows, [Flow::Md5, SCRAM]);
        assert_eq!(users.secrets(), [MD5.as_bytes(), b"secret"]);
        fs::write(&path, "\"app\" secret").unwrap();
        let error = Users::of_list(&path).err().unwrap().to_string();
        assert_eq!(error, "line 1: a password in double quotes is expected behind the name");
        fs::remove_file(&path).unwrap();
        assert!(matches!(Users::of_list(&path), Err(UsersError::Unreadable(_))));
    }

    #[tokio::test]
    async fn a_users_file_has_what_the_configuration_has() {
        let text = format!(
            "[[user]]\nname = 'app'\nverifier = '{MD5}'\n\n[[user]]\nname = 'ldap'\ncheck = 'servers'\n"
        );
        let path = file("users.toml", &text);
        let users = Users::of_file(&path).unwrap();
        assert_eq!(shown(&users, "app").await, "Stored(..)");
        assert_eq!(shown(&users, "ldap").await, "Server");
        fs::write(&path, "[[user]]\nname = 'app'\n").unwrap();
        assert!(matches!(Users::of_file(&path), Err(UsersError::Toml(_))));
        fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn what_a_password_is_made_into_is_made_once() {
        let users = Users::new(vec![user("app", password("secret"))]);
        let stamp = |found: Option<Found>| found.unwrap().verifier.stamp(b"key");
        let first = users.find("app", None, &making()).await.unwrap();
        assert!(users.0["app"].made.initialized());
        let second = users.find("app", None, &making()).await.unwrap();
        assert_eq!(stamp(first), stamp(second));
        assert!(User::unlabelled("secret").unwrap().is_same(&users.0["app"]));
        assert!(!User::unlabelled("other").unwrap().is_same(&users.0["app"]));
        assert!(!User::stored(MD5).unwrap().is_same(&User::stored(MD5).unwrap()));
        assert!(User::stored("secret").is_none(), "no server lets anybody in with that");
        assert!(Users::new(vec![user("empty", password(""))]).0.is_empty());
    }

    #[tokio::test]
    async fn a_certificate_lets_in_whom_it_names() {
        let by = |password: Option<&str>| {
            let password = password.map(|text| Secret::new(text.to_owned()));
            user("app", UserSecret::Certificate { password })
        };
        let users = Users::new(vec![by(None)]);
        for stranger in [None, Some("other"), Some("APP")] {
            assert!(users.find("app", stranger, &making()).await.unwrap().is_none());
        }
        let found = users.find("app", Some("app"), &making()).await.unwrap().unwrap();
        assert!(matches!(found.verifier, Verifier::Open));
        assert_eq!(found.credential, Some(Credential::Nothing));
        let users = Users::new(vec![by(Some("secret")), user("other", password("x"))]);
        let found = users.find("app", Some("app"), &making()).await.unwrap().unwrap();
        assert_eq!(found.credential, Some(Credential::password(b"secret")));
        let other = users.find("other", Some("other"), &making()).await.unwrap().unwrap();
        assert!(!matches!(other.verifier, Verifier::Open), "it must prove its password");
        assert_eq!(users.flows(SCRAM).collect::<Vec<_>>(), [SCRAM]);
    }
}
