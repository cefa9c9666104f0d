//! Why a call into a plugin did not give an answer.

use std::fmt;

use wasmtime::Trap;

/// What went wrong, as logs and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// It panicked, or did what WebAssembly forbids.
    Trap,
    /// It ran past its deadline.
    Deadline,
    /// It wanted more memory than its cap.
    Memory,
    /// It asked for something that it may not have: another session, a file, the network.
    Refused,
    /// The host could not carry the call out.
    HostError,
}

impl FailureKind {
    /// Every kind, in the order of its number.
    pub(crate) const ALL: [Self; 5] =
        [Self::Trap, Self::Deadline, Self::Memory, Self::Refused, Self::HostError];

    /// The word that logs and metrics use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Refused => "refused",
            Self::HostError => "host_error",
        }
    }

    /// Its position in [`Self::ALL`].
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Trap => 0,
            Self::Deadline => 1,
            Self::Memory => 2,
            Self::Refused => 3,
            Self::HostError => 4,
        }
    }
}

/// One failed call, in one line.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.kind.as_str())
    }
}

/// A host import's answer to what a plugin may not do. It ends the call.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(String);

/// The error that a host import returns to refuse.
pub(crate) fn refused(why: impl Into<String>) -> wasmtime::Error {
    wasmtime::Error::new(Refused(why.into()))
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Reads an error that came out of a call. `memory_denied`: the cap was hit during it, which
    /// a guest answers with a panic of its own.
    pub(crate) fn of_call(error: &wasmtime::Error, memory_denied: bool) -> Self {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Self::new(FailureKind::Refused, refused.to_string());
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::new(FailureKind::Deadline, "ran past its deadline"),
            Some(_) if memory_denied => Self::new(FailureKind::Memory, "ran out of its memory cap"),
            Some(Trap::UnreachableCodeReached) => Self::new(FailureKind::Trap, "panicked"),
            Some(trap) => Self::new(FailureKind::Trap, one_line(trap)),
            None if memory_denied => Self::new(FailureKind::Memory, one_line(error.root_cause())),
            None => Self::new(FailureKind::HostError, one_line(error.root_cause())),
        }
    }
}

/// A message without line breaks, as the log wants it.
pub(crate) fn one_line(message: impl fmt::Display) -> String {
    let text = message.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}
