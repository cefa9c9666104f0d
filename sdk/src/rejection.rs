//! The error that a plugin wants the client to see.

/// An error that the client is shown in the answer's place.
///
/// A text alone is one; the code and the SQLSTATE are then the host's default.
///
/// ```
/// use tidegate_sdk::sql::*;
///
/// let _ = Verdict::reject("come back at noon");
/// let _ = Verdict::reject(Rejection::new("you may not drop tables").code(1142).sqlstate("42000"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// What went wrong, for the client's eyes.
    pub message: String,
    /// The protocol's error code; 0 for the host's default.
    pub code: u32,
    /// Five characters; empty for the host's default.
    pub sqlstate: String,
}

impl Rejection {
    /// An error with this text, and the host's default code and SQLSTATE.
    ///
    /// ```
    /// # use tidegate_sdk::Rejection;
    /// assert_eq!(Rejection::new("no"), Rejection::from("no"));
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 0, sqlstate: String::new() }
    }

    /// With this code of the client's protocol.
    ///
    /// ```
    /// # use tidegate_sdk::Rejection;
    /// assert_eq!(Rejection::new("no").code(1142).code, 1142);
    /// ```
    #[must_use]
    pub fn code(mut self, code: u32) -> Self {
        self.code = code;
        self
    }

    /// With this SQLSTATE, of five characters.
    ///
    /// ```
    /// # use tidegate_sdk::Rejection;
    /// assert_eq!(Rejection::new("no").sqlstate("42000").sqlstate, "42000");
    /// ```
    #[must_use]
    pub fn sqlstate(mut self, sqlstate: impl Into<String>) -> Self {
        self.sqlstate = sqlstate.into();
        self
    }
}

impl From<&str> for Rejection {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Rejection {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}
