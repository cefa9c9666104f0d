//! Sessions that a test makes up.

use std::ops::Deref;

use tidegate_sql::Dialect;

use super::state::{self, SessionData};
use crate::Session;
use crate::session::State;

/// A session as a test wants it; a hook takes it by reference like a real one.
///
/// ```
/// use tidegate_sdk::mock;
///
/// let session = mock::session("app").with_database("shop").with_tls().begin();
/// assert_eq!(session.user(), "app");
/// assert!(session.tls() && session.in_transaction());
/// ```
#[derive(Debug)]
pub struct MockSession(Session);

/// A session of this user: without a database, TLS or transaction, from a port of the local host, with
/// MySQL's protocol.
///
/// ```
/// use tidegate_sdk::mock;
///
/// assert_eq!(mock::session("app").database(), None);
/// ```
#[must_use]
pub fn session(user: &str) -> MockSession {
    let data = SessionData {
        user: user.to_owned(),
        peer: "127.0.0.1:40000".to_owned(),
        listener: "test".to_owned(),
        ..SessionData::default()
    };
    let id = state::with(|state| {
        state.sessions.push(data);
        u64::try_from(state.sessions.len()).expect("a test makes less than 2^64 sessions")
    });
    MockSession(Session::new(id, 0, State::default()))
}

impl Deref for MockSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl MockSession {
    fn data(self, change: impl FnOnce(&mut SessionData)) -> Self {
        state::with(|state| change(state.session(self.0.id())));
        self
    }

    fn state(mut self, change: impl FnOnce(&mut State)) -> Self {
        change(self.0.state_mut());
        self
    }

    /// It uses this database.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("app").with_database("shop").database().as_deref(), Some("shop"));
    /// ```
    #[must_use]
    pub fn with_database(self, name: &str) -> Self {
        self.data(|data| data.database = Some(name.to_owned()))
    }

    /// It comes from this address and port; "" for nowhere.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("app").with_peer("").peer(), None);
    /// ```
    #[must_use]
    pub fn with_peer(self, address: &str) -> Self {
        self.data(|data| data.peer = address.to_owned())
    }

    /// It came in by this listener.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("app").with_listener("orders").listener(), "orders");
    /// ```
    #[must_use]
    pub fn with_listener(self, name: &str) -> Self {
        self.data(|data| data.listener = name.to_owned())
    }

    /// It came to this port.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("app").with_local_port(3307).local_port(), 3307);
    /// ```
    #[must_use]
    pub fn with_local_port(self, port: u16) -> Self {
        self.data(|data| data.local_port = port)
    }

    /// The client said this about itself.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("app").with_connection_attribute("_os", "Linux");
    /// assert_eq!(session.connection_attribute("_os").as_deref(), Some("Linux"));
    /// ```
    #[must_use]
    pub fn with_connection_attribute(self, key: &str, value: &str) -> Self {
        self.data(|data| {
            data.connection_attributes.insert(key.to_owned(), value.to_owned());
        })
    }

    /// Its statements are written in this dialect, by the protocol that its client speaks.
    ///
    /// ```
    /// # use tidegate_sdk::{mock, sql_text::Dialect};
    /// let session = mock::session("app").with_dialect(Dialect::Postgres);
    /// assert_eq!(session.dialect(), Dialect::Postgres);
    /// ```
    #[must_use]
    pub fn with_dialect(self, dialect: Dialect) -> Self {
        self.state(|state| state.dialect = dialect)
    }

    /// It is encrypted.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("app").with_tls().tls());
    /// ```
    #[must_use]
    pub fn with_tls(self) -> Self {
        self.state(|state| state.tls = true)
    }

    /// It is encrypted, and the client showed a certificate of this subject.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("app").with_tls_subject("CN=app").tls());
    /// ```
    #[must_use]
    pub fn with_tls_subject(self, subject: &str) -> Self {
        self.data(|data| data.tls_subject = Some(subject.to_owned())).with_tls()
    }

    /// A plugin has noted this about it.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// let session = mock::session("app").with_attribute("tenant", "blue");
    /// assert_eq!(session.attribute("tenant").as_deref(), Some("blue"));
    /// ```
    #[must_use]
    pub fn with_attribute(self, key: &str, value: &str) -> Self {
        self.0.set_attribute(key, value);
        self
    }

    /// The plugin has set this mark on it.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert_eq!(mock::session("app").with_mark(7).mark(), 7);
    /// ```
    #[must_use]
    pub fn with_mark(self, mark: u64) -> Self {
        self.0.set_mark(mark);
        self
    }

    /// It has changed data.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("app").with_write().wrote());
    /// ```
    #[must_use]
    pub fn with_write(self) -> Self {
        self.state(|state| state.wrote = true)
    }

    /// It has opened a transaction.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("app").begin().in_transaction());
    /// ```
    #[must_use]
    pub fn begin(self) -> Self {
        self.state(|state| state.in_transaction = true)
    }

    /// It has opened a transaction that was declared read only.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(mock::session("app").begin_read_only().read_only());
    /// ```
    #[must_use]
    pub fn begin_read_only(self) -> Self {
        self.begin().state(|state| state.read_only = true)
    }

    /// It has ended its transaction.
    ///
    /// ```
    /// # use tidegate_sdk::mock;
    /// assert!(!mock::session("app").begin().commit().in_transaction());
    /// ```
    #[must_use]
    pub fn commit(self) -> Self {
        self.state(|state| {
            state.in_transaction = false;
            state.transaction_failed = false;
            state.read_only = false;
        })
    }
}
