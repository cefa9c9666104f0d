//! Why a session must keep its connection, until the reason ends.

use tidegate_telemetry::PinReason;

use super::trace::Pin;

/// More names than this are not followed: the session then stays pinned until it is reset.
const NAMES_MAX: usize = 64;

/// All that lives on the session's connection only.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// With their database.
    temporary_tables: Vec<Box<[u8]>>,
    /// As often as they were taken.
    user_locks: Vec<Box<[u8]>>,
    prepared: Vec<Box<[u8]>>,
    table_lock: bool,
    xa_transaction: bool,
    /// Reasons that only a reset ends.
    lasting: Option<PinReason>,
}

impl Pins {
    pub(super) fn is_empty(&self) -> bool {
        self.reason().is_none()
    }

    /// One of the reasons.
    pub(super) fn reason(&self) -> Option<PinReason> {
        let reasons = [
            (!self.temporary_tables.is_empty(), PinReason::TemporaryTable),
            (!self.user_locks.is_empty(), PinReason::UserLock),
            (!self.prepared.is_empty(), PinReason::PreparedStatement),
            (self.table_lock, PinReason::TableLock),
            (self.xa_transaction, PinReason::XaTransaction),
        ];
        let found = reasons.into_iter().find_map(|(there, reason)| there.then_some(reason));
        self.lasting.or(found)
    }

    /// `database` is the current one.
    pub(super) fn add(&mut self, pin: &Pin, database: Option<&str>) {
        let reason = pin.reason();
        let full = match pin {
            Pin::TemporaryTables(names) => {
                names.is_empty()
                    || names.iter().any(|name| {
                        let name = qualified(name, database);
                        self.temporary_tables.retain(|known| *known != name);
                        !note(&mut self.temporary_tables, name)
                    })
            }
            Pin::UserLock(Some(name)) => !note(&mut self.user_locks, name.clone()),
            Pin::PreparedStatement(Some(name)) => {
                self.prepared.retain(|known| known != name);
                !note(&mut self.prepared, name.clone())
            }
            Pin::TableLock => return self.table_lock = true,
            Pin::XaTransaction => return self.xa_transaction = true,
            Pin::UserLock(None)
            | Pin::PreparedStatement(None)
            | Pin::UserVariable
            | Pin::SessionVariable
            | Pin::Routine => true,
        };
        if full {
            self.lasting.get_or_insert(reason);
        }
    }

    pub(super) fn remove(&mut self, pin: &Pin, database: Option<&str>) {
        match pin {
            Pin::TemporaryTables(names) => {
                for name in names {
                    let name = qualified(name, database);
                    self.temporary_tables.retain(|known| *known != name);
                }
            }
            Pin::UserLock(Some(name)) => {
                if let Some(at) = self.user_locks.iter().position(|known| known == name) {
                    self.user_locks.swap_remove(at);
                }
            }
            Pin::UserLock(None) => {
                self.user_locks.clear();
                if self.lasting == Some(PinReason::UserLock) {
                    self.lasting = None;
                }
            }
            Pin::PreparedStatement(Some(name)) => self.prepared.retain(|known| known != name),
            Pin::TableLock => self.table_lock = false,
            Pin::XaTransaction => self.xa_transaction = false,
            Pin::PreparedStatement(None)
            | Pin::UserVariable
            | Pin::SessionVariable
            | Pin::Routine => {}
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// `false`: there is no room.
fn note(names: &mut Vec<Box<[u8]>>, name: Box<[u8]>) -> bool {
    let room = names.len() < NAMES_MAX;
    if room {
        names.push(name);
    }
    room
}

fn qualified(name: &[u8], database: Option<&str>) -> Box<[u8]> {
    match database {
        Some(database) if !name.contains(&b'.') => {
            [database.as_bytes(), b".", name].concat().into()
        }
        _ => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(names: &[&str]) -> Pin {
        Pin::TemporaryTables(names.iter().map(|name| name.as_bytes().into()).collect())
    }

    #[test]
    fn a_table_of_another_database_is_another_table() {
        let mut pins = Pins::default();
        pins.add(&tables(&["t"]), Some("a"));
        pins.add(&tables(&["t"]), Some("b"));
        pins.add(&tables(&["t"]), Some("b"));
        pins.remove(&tables(&["t"]), Some("b"));
        assert_eq!(pins.reason(), Some(PinReason::TemporaryTable));
        pins.remove(&tables(&["a.t"]), Some("b"));
        assert!(pins.is_empty());
    }

    #[test]
    fn a_lock_is_released_as_often_as_it_was_taken() {
        let lock = |name: &str| Pin::UserLock(Some(name.as_bytes().into()));
        let mut pins = Pins::default();
        for name in ["a", "a", "b"] {
            pins.add(&lock(name), None);
        }
        for name in ["a", "b", "c"] {
            pins.remove(&lock(name), None);
        }
        assert_eq!(pins.reason(), Some(PinReason::UserLock));
        pins.remove(&lock("a"), None);
        assert!(pins.is_empty());
        pins.add(&Pin::UserLock(None), None);
        pins.remove(&lock("a"), None);
        assert!(!pins.is_empty());
        pins.remove(&Pin::UserLock(None), None);
        assert!(pins.is_empty());
    }

    #[test]
    fn what_cannot_be_followed_lasts() {
        let mut pins = Pins::default();
        for n in 0..=NAMES_MAX {
            pins.add(&Pin::PreparedStatement(Some(n.to_string().as_bytes().into())), None);
        }
        for n in 0..=NAMES_MAX {
            pins.remove(&Pin::PreparedStatement(Some(n.to_string().as_bytes().into())), None);
        }
        assert_eq!(pins.reason(), Some(PinReason::PreparedStatement));
        pins.clear();
        assert!(pins.is_empty());
    }
}
