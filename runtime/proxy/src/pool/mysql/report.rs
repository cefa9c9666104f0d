//! What servers of MySQL and MariaDB are asked about themselves, and what their answers mean. Pure.

use std::time::Duration;

use tidegate_mysql_wire::gtid::GtidSet;

use super::server_conn::Table;
use crate::pool::report::{Replication, Report};

/// What is asked where the questions of the server's kind are not understood.
pub(super) const LEAST: &str = "SELECT @@global.read_only";

/// The first MySQL that calls its replicas so.
const REPLICA_STATUS_SINCE: (u32, u32, u32) = (8, 0, 22);

/// Channels of this kind belong to a group, and are not one server following another.
const GROUP_CHANNEL: &[u8] = b"group_replication_";

/// What a probe asks in one go: about the server itself, and about its replication.
///
/// `super_read_only` need not be asked for: it sets `read_only` too. GTIDs can take many bytes, so
/// they are only asked for where somebody wants them, and MySQL's not if they are too many.
pub(super) fn questions(server_version: &str, gtids: bool) -> [&'static str; 2] {
    let is_mariadb = server_version.to_ascii_lowercase().contains("mariadb");
    let itself = match (is_mariadb, gtids) {
        (_, false) => "SELECT @@global.read_only, @@global.innodb_read_only",
        (true, true) => {
            "SELECT @@global.read_only, @@global.innodb_read_only, @@global.gtid_current_pos"
        }
        (false, true) => {
            "SELECT @@global.read_only, @@global.innodb_read_only, \
             IF(LENGTH(@@global.gtid_executed) <= 32768, @@global.gtid_executed, NULL)"
        }
    };
    let replication = match is_mariadb {
        true => "SHOW ALL SLAVES STATUS",
        false if number(server_version) < REPLICA_STATUS_SINCE => "SHOW SLAVE STATUS",
        false => "SHOW REPLICA STATUS",
    };
    [itself, replication]
}

/// The number that a version starts with; what is missing is 0.
fn number(version: &str) -> (u32, u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    let mut part = || parts.next().flatten().unwrap_or_default();
    (part(), part(), part())
}

/// Reads the answers; `None` for the replication is one that was refused.
pub(super) fn read(itself: &Table, replication: Option<&Table>) -> Report<GtidSet> {
    let cell = |column: usize| itself.rows.first()?.get(column)?.as_deref();
    let shares_storage = cell(1).is_some_and(is_on);
    let executed = cell(2).and_then(|text| std::str::from_utf8(text).ok());
    let replication = match replication.map(of_table) {
        None => Replication::Unknown,
        Some(Replication::None) if shares_storage => Replication::Shared,
        Some(replication) => replication,
    };
    Report {
        writable: cell(0).is_some_and(|read_only| !is_on(read_only)) && !shares_storage,
        replication,
        executed: executed.and_then(|text| GtidSet::parse(text).ok()),
    }
}

/// From a row for each server that is followed: all of them must be, and the slowest counts.
fn of_table(table: &Table) -> Replication {
    let channel = table.position(&["Channel_Name", "Connection_name"]);
    let is_of_group = |row: &&Vec<Option<Vec<u8>>>| {
        let name = channel.and_then(|channel| row.get(channel)?.as_deref());
        name.is_some_and(|name| name.starts_with(GROUP_CHANNEL))
    };
    let columns = Columns::of(table);
    let channels = table.rows.iter().filter(|row| !is_of_group(row));
    channels.map(|row| columns.read(row)).fold(Replication::None, |all, one| match (all, one) {
        (Replication::None, one) => one,
        (stopped @ Replication::Stopped { .. }, _) | (_, stopped @ Replication::Stopped { .. }) => {
            stopped
        }
        (Replication::Running { lag: one }, Replication::Running { lag: other }) => {
            Replication::Running { lag: one.zip(other).map(|(one, other)| one.max(other)) }
        }
        (all, _) => all,
    })
}

/// Where things stand in the rows about replication: names and order differ between versions.
struct Columns {
    receiving: Option<usize>,
    applying: Option<usize>,
    lag: Option<usize>,
    errors: [Option<usize>; 2],
}

impl Columns {
    fn of(table: &Table) -> Self {
        Self {
            receiving: table.position(&["Replica_IO_Running", "Slave_IO_Running"]),
            applying: table.position(&["Replica_SQL_Running", "Slave_SQL_Running"]),
            lag: table.position(&["Seconds_Behind_Source", "Seconds_Behind_Master"]),
            errors: ["Last_SQL_Errno", "Last_IO_Errno"].map(|name| table.position(&[name])),
        }
    }

    fn read(&self, row: &[Option<Vec<u8>>]) -> Replication {
        let cell = |column: Option<usize>| row.get(column?)?.as_deref();
        let seconds = |column| std::str::from_utf8(cell(column)?).ok()?.parse::<u64>().ok();
        let (Some(receiving), Some(applying)) = (cell(self.receiving), cell(self.applying)) else {
            return Replication::Unknown;
        };
        // While it connects anew, it has not lost its place.
        if receiving.eq_ignore_ascii_case(b"No") || !applying.eq_ignore_ascii_case(b"Yes") {
            let errors = self.errors.iter().filter_map(|column| seconds(*column));
            let error = errors.into_iter().find(|error| *error != 0).unwrap_or_default();
            return Replication::Stopped { error: error.try_into().unwrap_or_default() };
        }
        Replication::Running { lag: seconds(self.lag).map(Duration::from_secs) }
    }
}

/// A switch; MariaDB 12 has more than one word for on.
fn is_on(value: &[u8]) -> bool {
    !matches!(value, b"0" | b"OFF")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns and rows as text, with `NULL`.
    fn table(columns: &str, rows: &[&str]) -> Table {
        let cell = |text: &str| (text != "NULL").then(|| text.as_bytes().to_vec());
        Table {
            columns: columns.split(' ').map(str::to_owned).collect(),
            rows: rows.iter().map(|row| row.split(' ').map(cell).collect()).collect(),
        }
    }

    /// Some columns of `SHOW ALL SLAVES STATUS` of MariaDB 10.11.
    fn mariadb(rows: &[&str]) -> Replication {
        let columns = "Connection_name Slave_IO_Running Slave_SQL_Running Last_Errno \
                       Seconds_Behind_Master Last_IO_Errno Last_SQL_Errno";
        of_table(&table(columns, rows))
    }

    /// Some columns of `SHOW REPLICA STATUS` of MySQL 9.
    fn mysql(rows: &[&str]) -> Replication {
        let columns = "Replica_IO_State Replica_IO_Running Replica_SQL_Running \
                       Seconds_Behind_Source Last_IO_Errno Last_SQL_Errno Channel_Name";
        of_table(&table(columns, rows))
    }

    fn itself(row: &str) -> Report<GtidSet> {
        read(&table("a b c", &[row]), None)
    }

    const fn running(lag: u64) -> Replication {
        Replication::Running { lag: Some(Duration::from_secs(lag)) }
    }

    const LOST: Replication = Replication::Running { lag: None };

    #[test]
    fn versions_are_asked_what_they_understand() {
        let asked = |version| questions(version, true)[1];
        assert_eq!(asked("10.11.19-MariaDB-0+deb12u1"), "SHOW ALL SLAVES STATUS");
        for version in ["8.0.22", "8.4.3-commercial", "9.7.0", "10.1"] {
            assert_eq!(asked(version), "SHOW REPLICA STATUS", "{version}");
        }
        for version in ["8.0.21-log", "5.7.44", "8", "", "x.y"] {
            assert_eq!(asked(version), "SHOW SLAVE STATUS", "{version}");
        }
        assert!(questions("11.4.2-mariadb", true)[0].contains("gtid_current_pos"));
        assert!(questions("9.7.0", true)[0].contains("gtid_executed"));
        assert!(!questions("9.7.0", false)[0].contains("gtid"));
    }

    #[test]
    fn any_word_but_off_is_read_only() {
        for (row, writable) in [
            ("0 0 NULL", true),
            ("OFF OFF NULL", true),
            ("1 0 NULL", false),
            ("NO_LOCK_NO_ADMIN 0 NULL", false),
            ("0 1 NULL", false),
            ("NULL 0 NULL", false),
            ("0", true),
        ] {
            assert_eq!(itself(row).writable, writable, "{row}");
        }
        assert!(!read(&Table::default(), None).writable);
    }

    #[test]
    fn positions_are_kept_if_they_can_be_read() {
        let executed = |row| itself(row).executed.map(|executed| executed.to_string());
        assert_eq!(executed("0 0 0-1-270").as_deref(), Some("0-1-270"));
        assert_eq!(executed("0 0 NULL"), None);
        assert_eq!(executed("0 0 0-1"), None);
    }

    #[test]
    fn replication_is_recognised() {
        assert_eq!(mariadb(&[]), Replication::None);
        assert_eq!(mariadb(&[" Yes Yes 0 7 0 0"]), running(7));
        assert_eq!(mariadb(&[" Connecting Yes 0 NULL 2003 0"]), LOST);
        assert_eq!(mariadb(&[" Preparing Yes 0 NULL 0 0"]), LOST);
        assert_eq!(mariadb(&[" No Yes 0 NULL 0 0"]), Replication::Stopped { error: 0 });
        assert_eq!(mariadb(&[" Yes No 1062 NULL 0 1062"]), Replication::Stopped { error: 1062 });
        assert_eq!(mariadb(&[" No Yes 0 NULL 1236 0"]), Replication::Stopped { error: 1236 });
        assert_eq!(mysql(&["Waiting Yes Yes 3 0 0 "]), running(3));
        assert_eq!(mysql(&[" No No NULL 0 0 "]), Replication::Stopped { error: 0 });
        assert_eq!(of_table(&table("a", &["1"])), Replication::Unknown);
    }

    #[test]
    fn of_several_servers_all_must_be_followed_and_the_slowest_counts() {
        assert_eq!(mariadb(&["a Yes Yes 0 7 0 0", "b Yes Yes 0 9 0 0"]), running(9));
        assert_eq!(mariadb(&["a Yes Yes 0 7 0 0", "b Connecting Yes 0 NULL 0 0"]), LOST);
        let one_stopped = ["a Yes Yes 0 7 0 0", "b No No 0 NULL 0 0", "c Yes Yes 0 1 0 0"];
        assert_eq!(mariadb(&one_stopped), Replication::Stopped { error: 0 });
        assert_eq!(mysql(&[" No No NULL 0 0 group_replication_recovery"]), Replication::None);
    }

    #[test]
    fn shared_storage_is_followed_without_replication() {
        let none = table("a", &[]);
        let report = |row| read(&table("a b", &[row]), Some(&none)).replication;
        assert_eq!((report("1 1"), report("1 0")), (Replication::Shared, Replication::None));
    }
}
