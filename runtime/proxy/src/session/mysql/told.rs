//! What a server tells of the session with its replies.

use tidegate_mysql_wire::gtid::GtidSet;
use tidegate_mysql_wire::packet::{SessionChange, SessionChanges};
use tidegate_wire::Violation;

/// MariaDB tells the number of a transaction as a variable.
const LAST_GTID: &[u8] = b"last_gtid";

/// What one reply has told.
#[derive(Debug, Default)]
pub(super) struct Told {
    state: bool,
    schema: bool,
    /// What was committed.
    pub(super) committed: Option<GtidSet>,
}

impl Told {
    /// Something was changed that a new session would not have.
    ///
    /// A server that goes to another database for a routine, or a prepared statement, and comes
    /// back, tells that as a change too: then it is not known.
    pub(super) fn is_changed(&self) -> bool {
        self.state && !self.schema
    }

    /// # Errors
    /// A violation if the changes cannot be read.
    pub(super) fn add(&mut self, changes: &[u8]) -> Result<(), Violation> {
        for change in SessionChanges::new(changes) {
            match change? {
                SessionChange::State(changed) => self.state |= changed,
                SessionChange::Schema(_) => self.schema = true,
                SessionChange::Gtids(gtids) => self.commit(gtids),
                SessionChange::SystemVariable { name: LAST_GTID, value } => self.commit(value),
                _ => {}
            }
        }
        Ok(())
    }

    /// What cannot be read is not told: the session asks when it wants to know.
    fn commit(&mut self, gtids: &[u8]) {
        let read = std::str::from_utf8(gtids).ok().and_then(|text| GtidSet::parse(text).ok());
        if let Some(gtids) = read.filter(|gtids| !gtids.is_empty()) {
            self.committed.get_or_insert_default().merge(gtids);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn told(changes: &[SessionChange<'_>]) -> Told {
        let mut bytes = BytesMut::new();
        for change in changes {
            change.encode(&mut bytes);
        }
        let mut told = Told::default();
        told.add(&bytes).unwrap();
        told
    }

    #[test]
    fn both_kinds_of_servers_are_understood() {
        let uuid = b"3E11FA47-71CA-11E1-9E33-C80AA9429562:23";
        let mysql = told(&[SessionChange::State(true), SessionChange::Gtids(uuid)]);
        assert!(mysql.is_changed());
        assert!(mysql.committed.unwrap().to_string().ends_with(":23"));
        let variable = |value| SessionChange::SystemVariable { name: LAST_GTID, value };
        let mariadb = told(&[variable(b"0-1-7"), variable(b"0-1-9"), variable(b"")]);
        assert!(!mariadb.is_changed());
        assert_eq!(mariadb.committed.unwrap().to_string(), "0-1-9");
    }

    #[test]
    fn other_changes_tell_nothing() {
        let other = SessionChange::SystemVariable { name: b"autocommit", value: b"OFF" };
        let state = SessionChange::State(true);
        let there_and_back =
            [other, state, SessionChange::Schema(b"shop"), SessionChange::Gtids(b"?")];
        let told = told(&there_and_back);
        assert!(!told.is_changed() && told.committed.is_none());
        assert!(Told::default().add(b"\x02").is_err());
    }
}
