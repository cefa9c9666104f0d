//! The hooks of a session. `use tidegate_sdk::connection::*` brings all that they need.

pub use crate::rejection::Rejection;
pub use crate::session::Session;
pub use crate::target::Target;

/// Is asked once for each session: when the client has proved who it is, and before any server is
/// chosen.
///
/// ```
/// use tidegate_sdk::{connection::*, mock};
///
/// struct Gate;
///
/// impl ConnectionPlugin for Gate {
///     fn on_authenticated(&self, session: &Session) -> Admission {
///         match session.user().as_str() {
///             "admin" if !session.tls() => Admission::reject("administrators come by TLS"),
///             "admin" => Admission::route("orders/primary"),
///             _ => Admission::next(),
///         }
///     }
/// }
///
/// let session = mock::session("admin").with_tls();
/// assert_eq!(Gate.on_authenticated(&session), Admission::route("orders/primary"));
/// ```
pub trait ConnectionPlugin {
    /// May the client come in, and where do its statements go unless one is sent elsewhere?
    fn on_authenticated(&self, session: &Session) -> Admission;
}

/// What a plugin answers about a new session.
///
/// ```
/// use tidegate_sdk::connection::*;
///
/// assert_eq!(Admission::route("orders"), Admission::Route(Target::from("orders")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// No opinion: the next plugin decides; after the last, the listener's upstream.
    Next,
    /// The session's statements go there, unless one of them is sent elsewhere.
    Route(Target),
    /// The client is shown this error, and the connection ends.
    Reject(Rejection),
}

impl Admission {
    /// No opinion.
    ///
    /// ```
    /// # use tidegate_sdk::connection::*;
    /// assert_eq!(Admission::next(), Admission::Next);
    /// ```
    pub fn next() -> Self {
        Self::Next
    }

    /// The session's statements go there, unless one of them is sent elsewhere.
    ///
    /// ```
    /// # use tidegate_sdk::connection::*;
    /// let admission = Admission::route("orders/replica");
    /// ```
    pub fn route(target: impl Into<Target>) -> Self {
        Self::Route(target.into())
    }

    /// The client is shown this error, and the connection ends.
    ///
    /// ```
    /// # use tidegate_sdk::connection::*;
    /// let admission = Admission::reject("not from this address");
    /// ```
    pub fn reject(why: impl Into<Rejection>) -> Self {
        Self::Reject(why.into())
    }
}

/// Is told when a session has ended.
///
/// ```
/// use tidegate_sdk::{connection::*, log};
///
/// struct Farewell;
///
/// impl ConnectionObserver for Farewell {
///     fn on_closed(&self, session: &Session, traffic: &Traffic) {
///         log::info(format_args!("{} took {} bytes", session.user(), traffic.bytes_out));
///     }
/// }
/// ```
pub trait ConnectionObserver {
    /// This session has ended, after so much traffic.
    fn on_closed(&self, session: &Session, traffic: &Traffic);
}

/// What a session has moved.
///
/// ```
/// use tidegate_sdk::connection::Traffic;
///
/// let traffic = Traffic { bytes_in: 120, bytes_out: 4096 };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes that the client sent.
    pub bytes_in: u64,
    /// Bytes that the client received.
    pub bytes_out: u64,
}
