//! Why a session must keep its connection, until the reason ends.

use tidegate_telemetry::PinReason;

/// More names than this are not followed: the session then stays pinned until it is reset.
const NAMES_MAX: usize = 64;

/// State that lives on one connection only. Without a name it is any, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    TemporaryTable(Option<Box<[u8]>>),
    /// A lock by the text of its key.
    AdvisoryLock(Option<Box<[u8]>>),
    /// `WITH HOLD`.
    Cursor(Option<Box<[u8]>>),
    Listen(Option<Box<[u8]>>),
    PreparedStatement(Option<Box<[u8]>>),
    SessionVariable,
    /// It speaks the protocol of replication.
    Replication,
    /// Something was changed by a function, without anybody seeing it.
    Routine,
}

impl Pin {
    pub(super) fn reason(&self) -> PinReason {
        match self {
            Self::TemporaryTable(_) => PinReason::TemporaryTable,
            Self::AdvisoryLock(_) => PinReason::UserLock,
            Self::Cursor(_) => PinReason::Cursor,
            Self::Listen(_) => PinReason::Listen,
            Self::PreparedStatement(_) => PinReason::PreparedStatement,
            Self::SessionVariable => PinReason::SessionVariable,
            Self::Routine => PinReason::Routine,
            Self::Replication => PinReason::Replication,
        }
    }

    /// It comes and goes with the transaction.
    pub(super) fn is_transactional(&self) -> bool {
        matches!(self, Self::TemporaryTable(_) | Self::Listen(_) | Self::Cursor(_))
    }

    fn name(&self) -> Option<&[u8]> {
        match self {
            Self::TemporaryTable(name)
            | Self::AdvisoryLock(name)
            | Self::Cursor(name)
            | Self::Listen(name)
            | Self::PreparedStatement(name) => name.as_deref(),
            Self::SessionVariable | Self::Routine | Self::Replication => None,
        }
    }
}

/// All that lives on the session's connection only.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// By reason and name; a lock as often as it was taken.
    named: Vec<(PinReason, Box<[u8]>)>,
    /// Reasons of which no name is known.
    lasting: Vec<PinReason>,
}

impl Pins {
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.lasting.is_empty()
    }

    pub(super) fn add(&mut self, pin: &Pin) {
        let reason = pin.reason();
        match pin.name() {
            Some(name) if self.named.len() < NAMES_MAX => {
                let known = self.named.iter().any(|(of, known)| *of == reason && **known == *name);
                if !known || reason == PinReason::UserLock {
                    self.named.push((reason, name.into()));
                }
            }
            _ if self.lasting.contains(&reason) => {}
            _ => self.lasting.push(reason),
        }
    }

    pub(super) fn remove(&mut self, pin: &Pin) {
        let reason = pin.reason();
        match pin.name() {
            Some(name) => {
                let at = |(of, known): &(PinReason, Box<[u8]>)| *of == reason && **known == *name;
                if let Some(at) = self.named.iter().position(at) {
                    self.named.swap_remove(at);
                }
            }
            None => {
                self.named.retain(|(of, _)| *of != reason);
                self.lasting.retain(|of| *of != reason);
            }
        }
    }

    pub(super) fn has_temporary_tables(&self) -> bool {
        self.has(PinReason::TemporaryTable)
    }

    fn has(&self, reason: PinReason) -> bool {
        self.lasting.contains(&reason) || self.named.iter().any(|(of, _)| *of == reason)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(name: &str) -> Pin {
        Pin::AdvisoryLock(Some(name.as_bytes().into()))
    }

    #[test]
    fn locks_are_counted_and_the_others_are_there_or_not() {
        let mut pins = Pins::default();
        for pin in [lock("1"), lock("1"), Pin::Listen(Some(b"a"[..].into()))] {
            pins.add(&pin);
            pins.add(&Pin::Listen(Some(b"a"[..].into())));
        }
        pins.remove(&lock("1"));
        pins.remove(&Pin::Listen(Some(b"a"[..].into())));
        assert!(!pins.is_empty());
        pins.remove(&lock("1"));
        assert!(pins.is_empty());
    }

    #[test]
    fn what_has_no_name_ends_only_with_all() {
        let mut pins = Pins::default();
        pins.add(&Pin::AdvisoryLock(None));
        pins.remove(&lock("1"));
        assert!(!pins.is_empty());
        pins.remove(&Pin::AdvisoryLock(None));
        assert!(pins.is_empty());
        for n in 0..=NAMES_MAX {
            pins.add(&lock(&n.to_string()));
        }
        for n in 0..=NAMES_MAX {
            pins.remove(&lock(&n.to_string()));
        }
        assert!(!pins.is_empty());
    }
}
