//! The client connection that a hook is called for.

use std::cell::Cell;
use std::net::SocketAddr;

use tidegate_sql::Dialect;

use crate::host;

/// What changes from statement to statement; it comes with every hook and is free to read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    pub(crate) tls: bool,
    pub(crate) in_transaction: bool,
    pub(crate) transaction_failed: bool,
    pub(crate) read_only: bool,
    pub(crate) wrote: bool,
    pub(crate) dialect: Dialect,
}

/// One client connection.
///
/// What returns a number or a `bool` is free. Everything else asks the host, which costs 50 to 150 ns:
/// nothing for a new session, worth a thought for each statement. What a plugin finds out once it can
/// keep in the [`mark`](Self::mark).
///
/// ```
/// use tidegate_sdk::{mock, sql::*};
///
/// fn may_write(session: &Session) -> bool {
///     session.user() == "admin" && session.tls()
/// }
///
/// assert!(!may_write(&mock::session("admin")));
/// assert!(may_write(&mock::session("admin").with_tls()));
/// ```
#[derive(Debug)]
pub struct Session {
    id: u64,
    mark: Cell<u64>,
    state: State,
}

impl Session {
    pub(crate) fn new(id: u64, mark: u64, state: State) -> Self {
        Self { id, mark: Cell::new(mark), state }
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Unique among the sessions of a running tidegate.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_ne!(mock::session("ann").id(), mock::session("ann").id());
    /// ```
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name under which the client was authenticated.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("ann").user(), "ann");
    /// ```
    #[must_use]
    pub fn user(&self) -> String {
        host::session::user(self.id)
    }

    /// The current database, where one is chosen.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann").with_database("shop");
    /// assert_eq!(session.database().as_deref(), Some("shop"));
    /// ```
    #[must_use]
    pub fn database(&self) -> Option<String> {
        host::session::database(self.id)
    }

    /// The client's address, where it has one.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann").with_peer("192.0.2.7:40000");
    /// assert!(session.peer().is_some_and(|peer| peer.ip().is_ipv4()));
    /// ```
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        host::session::peer(self.id).parse().ok()
    }

    /// The name of the listener that the client came in by.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("ann").with_listener("orders").listener(), "orders");
    /// ```
    #[must_use]
    pub fn listener(&self) -> String {
        host::session::listener(self.id)
    }

    /// The port that the client connected to; 0 where it used none.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("ann").with_local_port(3306).local_port(), 3306);
    /// ```
    #[must_use]
    pub fn local_port(&self) -> u16 {
        host::session::local_port(self.id)
    }

    /// What the client said about itself when it logged in, under its own name: `program_name`,
    /// `_client_name`. Nobody has checked it.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann").with_connection_attribute("program_name", "shop");
    /// assert_eq!(session.connection_attribute("program_name").as_deref(), Some("shop"));
    /// ```
    #[must_use]
    pub fn connection_attribute(&self, key: &str) -> Option<String> {
        host::session::connection_attribute(self.id, key)
    }

    /// Whose SQL the client's statements are written in, for [`sql_text`](crate::sql_text).
    ///
    /// ```
    /// # use tidegate_sdk::{mock, sql_text::{Dialect, digest_text}};
    /// let session = mock::session("ann");
    /// assert_eq!(session.dialect(), Dialect::Mysql);
    /// assert_eq!(digest_text(b"SELECT 1", session.dialect()), "select ?");
    /// ```
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.state.dialect
    }

    /// Is the client's connection encrypted?
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("ann").with_tls().tls());
    /// ```
    #[must_use]
    pub fn tls(&self) -> bool {
        self.state.tls
    }

    /// The subject of the client's certificate, where it showed one.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann").with_tls_subject("CN=ann");
    /// assert_eq!(session.tls_subject().as_deref(), Some("CN=ann"));
    /// ```
    #[must_use]
    pub fn tls_subject(&self) -> Option<String> {
        host::session::tls_subject(self.id)
    }

    /// Is a transaction open? True as well while autocommit is off.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("ann").begin().in_transaction());
    /// ```
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.state.in_transaction
    }

    /// Can the open transaction only be rolled back? (PostgreSQL)
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(!mock::session("ann").begin().transaction_failed());
    /// ```
    #[must_use]
    pub fn transaction_failed(&self) -> bool {
        self.state.transaction_failed
    }

    /// Was the open transaction declared read only?
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("ann").begin_read_only().read_only());
    /// ```
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.state.read_only
    }

    /// Has the session changed data at least once?
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("ann").with_write().wrote());
    /// ```
    #[must_use]
    pub fn wrote(&self) -> bool {
        self.state.wrote
    }

    /// A number of the plugin's own: what it [set](Self::set_mark), 0 before.
    ///
    /// It comes with every hook of the session, free of charge, survives a reload of the plugin, and is 0
    /// again when the client logs in anew as another user.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann");
    /// assert_eq!(session.mark(), 0);
    /// session.set_mark(7);
    /// assert_eq!(session.mark(), 7);
    /// ```
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.mark.get()
    }

    /// Sets the number that [`mark`](Self::mark) gives back.
    ///
    /// ```
    /// use tidegate_sdk::connection::*;
    ///
    /// const PRIVILEGED: u64 = 1;
    ///
    /// struct Marker;
    /// impl ConnectionPlugin for Marker {
    ///     fn on_authenticated(&self, session: &Session) -> Admission {
    ///         if session.user().starts_with("admin") {
    ///             session.set_mark(PRIVILEGED);
    ///         }
    ///         Admission::next()
    ///     }
    /// }
    /// ```
    pub fn set_mark(&self, mark: u64) {
        host::session::set_mark(self.id, mark);
        self.mark.set(mark);
    }

    /// What a plugin of the chain has noted about this session.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann").with_attribute("tenant", "blue");
    /// assert_eq!(session.attribute("tenant").as_deref(), Some("blue"));
    /// ```
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<String> {
        host::session::attribute(self.id, key)
    }

    /// Notes something about this session, for every plugin of the chain.
    ///
    /// A session holds 32 attributes of 1 KiB each; what is too much is dropped, and the log says so. They
    /// stay when the hook fails afterwards, and go when the client logs in anew as another user.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann");
    /// session.set_attribute("tenant", "blue");
    /// assert_eq!(session.attribute("tenant").as_deref(), Some("blue"));
    /// ```
    pub fn set_attribute(&self, key: &str, value: &str) {
        host::session::set_attribute(self.id, key, Some(value));
    }

    /// Forgets an attribute.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("ann").with_attribute("tenant", "blue");
    /// session.remove_attribute("tenant");
    /// assert_eq!(session.attribute("tenant"), None);
    /// ```
    pub fn remove_attribute(&self, key: &str) {
        host::session::set_attribute(self.id, key, None);
    }
}
