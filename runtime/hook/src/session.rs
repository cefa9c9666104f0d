//! What is known about the client while a hook runs.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bitflags::bitflags;
use tidegate_sql::Dialect;

use crate::ConnectionAttributes;

/// The position of a listener in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub u16);

/// The protocol that the client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Mysql,
    Postgres,
}

impl Protocol {
    /// What its statements are written in.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Mysql => Dialect::Mysql,
            Self::Postgres => Dialect::Postgres,
        }
    }
}

bitflags! {
    /// What changes from statement to statement and is free to read.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SessionState: u8 {
        /// The client's connection is encrypted.
        const TLS = 1;
        /// A transaction is open, or autocommit is off.
        const IN_TRANSACTION = 1 << 1;
        /// The open transaction can only be rolled back (PostgreSQL).
        const TRANSACTION_FAILED = 1 << 2;
        /// The open transaction was declared read only.
        const READ_ONLY = 1 << 3;
        /// The session has changed data at least once.
        const WROTE = 1 << 4;
    }
}

/// A session holds no more attributes, nor longer ones, than this; the client's memory is ours.
const ATTRIBUTES_MAX: usize = 32;
const ATTRIBUTE_BYTES_MAX: usize = 1024;

/// The session has as many attributes as it may hold, or the text is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributesFull;

/// One client connection, as plugins see it.
#[derive(Clone, Debug, Default)]
pub struct SessionContext {
    /// Unique in this process. 0 is no session.
    pub id: u64,
    pub protocol: Protocol,
    pub listener: ListenerId,
    pub listener_name: Arc<str>,
    pub user: Arc<str>,
    pub database: Option<Arc<str>>,
    pub peer: Option<SocketAddr>,
    /// The port that the client connected to; 0 where it used none.
    pub local_port: u16,
    /// The subject of the client's certificate, where it showed one.
    pub tls_subject: Option<Arc<str>>,
    /// What the client said about itself; nobody has checked it.
    pub connection_attributes: ConnectionAttributes,
    pub state: SessionState,
    identity: u64,
    attributes: BTreeMap<String, String>,
    marks: Vec<(u32, u64)>,
}

impl SessionContext {
    /// A number that two sessions share if they have the same listener, user and database.
    ///
    /// It is keyed with a secret of this process, so that no client can choose a collision.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// To be called when listener, user or database have changed.
    pub fn refresh_identity(&mut self) {
        static KEYS: OnceLock<RandomState> = OnceLock::new();
        self.identity = KEYS.get_or_init(RandomState::new).hash_one((
            self.listener,
            &self.user,
            &self.database,
        ));
    }

    /// The client has logged in anew, as this user: what plugins have noted was about another one.
    pub fn change_user(&mut self, user: &str, database: Option<&str>) {
        self.user = user.into();
        self.database = database.map(Into::into);
        self.attributes.clear();
        self.marks.clear();
        self.refresh_identity();
    }

    /// What a plugin has noted about this session under `key`.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    /// Notes or, with `None`, forgets an attribute.
    ///
    /// # Errors
    /// [`AttributesFull`] when there would be more than 32, or one longer than 1 KiB.
    pub fn set_attribute(&mut self, key: &str, value: Option<&str>) -> Result<(), AttributesFull> {
        let Some(value) = value else {
            self.attributes.remove(key);
            return Ok(());
        };
        let full = self.attributes.len() >= ATTRIBUTES_MAX && !self.attributes.contains_key(key);
        if full || key.len() + value.len() > ATTRIBUTE_BYTES_MAX {
            return Err(AttributesFull);
        }
        self.attributes.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// The number that this plugin keeps with the session; 0 before it has set one.
    #[must_use]
    pub fn mark(&self, plugin: u32) -> u64 {
        self.marks.iter().find(|(owner, _)| *owner == plugin).map_or(0, |(_, mark)| *mark)
    }

    /// Sets the number that this plugin keeps with the session.
    pub fn set_mark(&mut self, plugin: u32, mark: u64) {
        match self.marks.iter_mut().find(|(owner, _)| *owner == plugin) {
            Some((_, slot)) => *slot = mark,
            None => self.marks.push((plugin, mark)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_bounded() {
        let mut session = SessionContext::default();
        for n in 0..ATTRIBUTES_MAX {
            session.set_attribute(&n.to_string(), Some("v")).unwrap();
        }
        assert_eq!(session.set_attribute("more", Some("v")), Err(AttributesFull));
        session.set_attribute("0", Some("changed")).unwrap();
        assert_eq!(session.attribute("0"), Some("changed"));
        session.set_attribute("0", None).unwrap();
        assert_eq!(session.set_attribute("0", Some(&"x".repeat(2000))), Err(AttributesFull));
    }

    #[test]
    fn identity_follows_user_and_database() {
        let session = |user: &str, database: Option<&str>| {
            let mut session = SessionContext {
                user: user.into(),
                database: database.map(Into::into),
                ..SessionContext::default()
            };
            session.refresh_identity();
            session.identity()
        };
        assert_eq!(session("a", Some("b")), session("a", Some("b")));
        assert_ne!(session("a", Some("b")), session("a", None));
        assert_ne!(session("ab", None), session("a", Some("b")));
    }

    #[test]
    fn another_user_starts_without_notes() {
        let mut session = SessionContext::default();
        session.change_user("ann", Some("shop"));
        let of_ann = session.identity();
        session.set_mark(1, 10);
        session.set_attribute("tenant", Some("blue")).unwrap();
        session.change_user("bob", Some("shop"));
        assert_eq!((session.mark(1), session.attribute("tenant")), (0, None));
        assert_ne!(session.identity(), of_ann);
        session.change_user("ann", Some("shop"));
        assert_eq!(session.identity(), of_ann);
    }

    #[test]
    fn each_plugin_has_its_own_mark() {
        let mut session = SessionContext::default();
        session.set_mark(1, 10);
        session.set_mark(2, 20);
        session.set_mark(1, 11);
        assert_eq!((session.mark(1), session.mark(2), session.mark(3)), (11, 20, 0));
    }
}
