//! Statements that a test makes up, judged by the same code that judges the real ones.

use tidegate_sql::{Dialect, analyze};

use crate::sql::Statement;
use crate::statement::{BYTES_MAX, StatementTraits};

/// No more of a statement than this is handed to a hook as text, in bytes.
const TEXT_MAX: usize = 16 << 10;

/// A statement, with kind, digest and traits as the runtime would find them.
///
/// ```
/// use tidegate_sdk::{mock, sql::Kind};
///
/// assert_eq!(mock::statement("UPDATE orders SET paid = 1").kind(), Kind::Write);
/// ```
#[must_use]
pub fn statement(sql: impl AsRef<[u8]>) -> Statement {
    statement_in(Dialect::Mysql, sql)
}

/// The same, prepared.
///
/// ```
/// use tidegate_sdk::mock;
///
/// assert!(mock::prepared("SELECT * FROM orders WHERE id = ?").is_prepared());
/// ```
#[must_use]
pub fn prepared(sql: impl AsRef<[u8]>) -> Statement {
    prepared_in(Dialect::Mysql, sql)
}

/// A statement of a session whose dialect is not MySQL's.
///
/// ```
/// use tidegate_sdk::{mock, sql::Kind, sql_text::Dialect};
///
/// let statement = mock::statement_in(Dialect::Postgres, "COPY orders FROM STDIN");
/// assert_eq!(statement.kind(), Kind::Write);
/// ```
#[must_use]
pub fn statement_in(dialect: Dialect, sql: impl AsRef<[u8]>) -> Statement {
    with_traits(dialect, sql.as_ref(), StatementTraits::default())
}

/// The same, prepared.
///
/// ```
/// use tidegate_sdk::{mock, sql_text::Dialect};
///
/// let statement = mock::prepared_in(Dialect::Postgres, "SELECT * FROM orders WHERE id = $1");
/// assert!(statement.is_prepared());
/// ```
#[must_use]
pub fn prepared_in(dialect: Dialect, sql: impl AsRef<[u8]>) -> Statement {
    let traits = StatementTraits { prepared: true, ..StatementTraits::default() };
    with_traits(dialect, sql.as_ref(), traits)
}

fn with_traits(dialect: Dialect, sql: &[u8], traits: StatementTraits) -> Statement {
    let analysis = analyze(sql, dialect);
    let text = cut(sql);
    let held = sql.get(..BYTES_MAX as usize).unwrap_or(sql);
    let traits = StatementTraits {
        truncated: text.len() < sql.len(),
        not_utf8: str::from_utf8(text).is_err(),
        multiple: analysis.multiple,
        partial: held.len() < sql.len(),
        ..traits
    };
    let text = String::from_utf8_lossy(text).into_owned();
    Statement::new(text, analysis.kind, traits, analysis.digest).with_bytes(held.to_owned())
}

/// As much as a hook gets, and no half character at its end.
fn cut(sql: &[u8]) -> &[u8] {
    let Some((text, _)) = sql.split_at_checked(TEXT_MAX).filter(|(_, rest)| !rest.is_empty())
    else {
        return sql;
    };
    match str::from_utf8(text) {
        Err(error) if error.error_len().is_none() => {
            text.get(..error.valid_up_to()).unwrap_or(text)
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let long = format!("SELECT '{}é'", "x".repeat(TEXT_MAX - 9));
        let statement = statement(&long);
        assert!(statement.is_truncated() && statement.is_utf8());
        assert_eq!(statement.text().len(), TEXT_MAX - 1);
        assert_eq!(statement.bytes(), long.as_bytes());
    }

    #[test]
    fn what_is_not_utf8_keeps_its_bytes() {
        let statement = statement(b"SELECT '\xff'");
        assert_eq!(statement.text(), "SELECT '\u{fffd}'");
        assert!(!statement.is_utf8());
        assert_eq!(statement.bytes(), b"SELECT '\xff'");
    }
}
