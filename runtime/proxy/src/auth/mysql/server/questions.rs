//! What is asked of a server about its users, by the tables that it has.

use std::time::{Duration, Instant, SystemTime};

use tidegate_mysql_wire::auth::{Flow, Verifier};
use tidegate_mysql_wire::packet::ErrPacket;

use super::super::account::Account;
use crate::pool::ServerLost;
use crate::pool::mysql::{Rows, ServerConn};

/// Errors of a server that lacks a table or a column, or lets the account not read it.
const LACKING: [u16; 5] = [1044, 1054, 1142, 1143, 1146];

/// A connection to ask over.
pub(super) struct Interrogator {
    connection: ServerConn,
    tables: Tables,
    since: Instant,
}

/// Where a server keeps its users. What comes first tells more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tables {
    /// `mysql.global_priv` of MariaDB since 10.4.
    Documents,
    /// `mysql.user` of MariaDB.
    MariaDb,
    /// `mysql.user` of MySQL since 8.0.14.
    MySql,
    /// The same before.
    OldMySql,
}

impl Tables {
    fn of(version: &str) -> Self {
        match version.contains("MariaDB") {
            true => Self::Documents,
            false => Self::MySql,
        }
    }

    fn less(self) -> Option<Self> {
        match self {
            Self::Documents => Some(Self::MariaDb),
            Self::MySql => Some(Self::OldMySql),
            Self::MariaDb | Self::OldMySql => None,
        }
    }

    fn account(self, row: super::super::account::Row) -> Option<Account> {
        match self {
            Self::Documents => Account::from_document(row, now()),
            _ => Account::from_columns(row),
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or_default()
}

impl Interrogator {
    pub(super) fn new(connection: ServerConn) -> Self {
        let tables = Tables::of(connection.session.plain_version());
        Self { connection, tables, since: Instant::now() }
    }

    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// The accounts of all users of this name.
    pub(super) async fn accounts(
        &mut self,
        user: &str,
    ) -> Result<Result<Vec<Account>, ErrPacket>, ServerLost> {
        loop {
            match self.connection.query(&question(self.tables, user)).await? {
                Ok(rows) => {
                    let accounts = rows.into_iter().filter_map(|row| self.tables.account(row));
                    return Ok(Ok(accounts.collect()));
                }
                Err(error) => match self.tables.less() {
                    Some(less) if LACKING.contains(&error.code) => self.tables = less,
                    _ => return Ok(Err(error)),
                },
            }
        }
    }

    /// Which flows the users of the server have; none if it does not tell.
    pub(super) async fn flows(&mut self) -> Result<Vec<Flow>, ServerLost> {
        let rows: Rows = self.connection.query(METHODS).await?.unwrap_or_default();
        let verifier = |row: Vec<Option<Vec<u8>>>| {
            let [plugin, stored] = row.try_into().ok()?;
            let plugin = String::from_utf8(Option::unwrap_or_default(plugin)).ok()?;
            let stored = Option::unwrap_or_default(stored);
            Verifier::parse_stored(&plugin, &stored).ok().filter(|_| !stored.is_empty())
        };
        Ok(rows.into_iter().filter_map(verifier).map(|verifier| verifier.flow()).collect())
    }
}

/// One that is stored stands for all of its method.
const METHODS: &str = "SELECT plugin, MAX(authentication_string) FROM mysql.user GROUP BY plugin";

/// The name goes in as hexadecimal digits, so that it cannot be anything but a name.
fn question(tables: Tables, user: &str) -> String {
    let digits: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    let user = format!("user = CONVERT(X'{digits}' USING utf8mb4)");
    let demands = "ssl_type, ssl_cipher, x509_issuer, x509_subject";
    let expired = "password_expired = 'Y' OR (password_lifetime > 0 AND \
                   password_last_changed + INTERVAL password_lifetime DAY < NOW())";
    match tables {
        Tables::Documents => format!("SELECT host, priv FROM mysql.global_priv WHERE {user}"),
        Tables::MariaDb => format!(
            "SELECT host, plugin, authentication_string, NULL, {demands}, 'N', password_expired \
             FROM mysql.user WHERE is_role = 'N' AND {user}"
        ),
        Tables::MySql => format!(
            "SELECT host, plugin, authentication_string, \
             user_attributes->>'$.additional_password', {demands}, account_locked, {expired} \
             FROM mysql.user WHERE {user}"
        ),
        Tables::OldMySql => format!(
            "SELECT host, plugin, authentication_string, NULL, {demands}, account_locked, \
             {expired} FROM mysql.user WHERE {user}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_anything_but_a_name() {
        for tables in [Tables::Documents, Tables::MariaDb, Tables::MySql, Tables::OldMySql] {
            let question = question(tables, "a' OR 1=1 -- ");
            assert!(question.contains("X'6127204f5220313d31202d2d20'"), "{question}");
        }
    }

    #[test]
    fn a_server_is_asked_for_less_until_it_can_answer() {
        assert_eq!(Tables::of("10.11.6-MariaDB-0+deb12u1"), Tables::Documents);
        assert_eq!(Tables::Documents.less(), Some(Tables::MariaDb));
        assert_eq!(Tables::of("9.7.0"), Tables::MySql);
        assert_eq!(Tables::MySql.less().and_then(Tables::less), None);
    }
}
