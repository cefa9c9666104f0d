//! The values that labels can take. Each is a small enum, so that a handle can be an array.

/// Declares an enum with the word that metrics and logs use for each variant.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The words for all of them, in their order.
            pub const WORDS: &[&'static str] = &[$($word,)+];

            /// The word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Its position among [`Self::WORDS`].
            #[inline]
            pub(crate) const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// What a statement does.
    KindLabel {
        Read = "read",
        Write = "write",
        Ddl = "ddl",
        Begin = "begin",
        Commit = "commit",
        Rollback = "rollback",
        SessionState = "session_state",
        Call = "call",
        Admin = "admin",
        Unknown = "unknown",
    }
}

label! {
    /// How a statement ended.
    OutcomeLabel {
        /// The server, or a plugin in its place, answered without an error.
        Ok = "ok",
        /// The server answered with an error.
        ServerError = "server_error",
        /// A plugin rejected it.
        Rejected = "rejected",
        /// It ran past its time limit.
        TimedOut = "timed_out",
        /// The client went away before the answer was complete.
        ClientGone = "client_gone",
        /// tidegate could not carry it out.
        ProxyError = "proxy_error",
    }
}

label! {
    /// How a login ended.
    LoginResult {
        Ok = "ok",
        /// Unknown user or wrong password; nobody is told which.
        Denied = "denied",
        /// A plugin turned the session away.
        Rejected = "rejected",
        /// TLS failed, or was required and not used.
        Tls = "tls",
        /// The client took too long.
        TimedOut = "timed_out",
        /// The client went away.
        ClientGone = "client_gone",
        /// The client broke the protocol.
        Violation = "violation",
        /// tidegate could not check it: no server, no verifier.
        ProxyError = "proxy_error",
    }
}

label! {
    /// Why a session ended otherwise than by the client's own farewell.
    SessionFailure {
        /// The login failed; `tidegate_logins_total` says how.
        Login = "login",
        /// The client closed the connection without a word, or it broke.
        ClientGone = "client_gone",
        /// The client broke the protocol.
        Violation = "violation",
        /// The client said nothing for too long.
        Idle = "idle",
        /// The server closed the connection in the middle of something.
        ServerGone = "server_gone",
        /// The process was stopping.
        Shutdown = "shutdown",
        /// Another session has killed it.
        Killed = "killed",
    }
}

label! {
    /// What the plugins decided about a statement.
    VerdictLabel {
        Next = "next",
        Route = "route",
        Rewrite = "rewrite",
        Reply = "reply",
        Reject = "reject",
    }
}

label! {
    /// Why a session must keep its server connection.
    PinReason {
        TemporaryTable = "temporary_table",
        TableLock = "table_lock",
        UserLock = "user_lock",
        UserVariable = "user_variable",
        SessionVariable = "session_variable",
        PreparedStatement = "prepared_statement",
        XaTransaction = "xa_transaction",
        Routine = "routine",
        Cursor = "cursor",
        Listen = "listen",
        Replication = "replication",
    }
}

label! {
    /// Why a session got no connection.
    WaitFailure {
        /// It waited as long as the pool allows.
        TimedOut = "timed_out",
        /// As many as the pool allows were waiting.
        QueueFull = "queue_full",
    }
}
