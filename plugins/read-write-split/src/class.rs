//! What a statement is to somebody who splits reads from writes, told by its text alone.

use tidegate_sdk::sql::{Kind, Statement};
use tidegate_sdk::sql_text::effects::{Effects, effects};
use tidegate_sdk::sql_text::postgres::{self, Setting, setting};
use tidegate_sdk::sql_text::{Dialect, Token, TokenKind, analyze, tokens};

use crate::functions::Functions;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Any server may answer it.
    SafeRead,
    /// `START TRANSACTION READ ONLY`, `BEGIN READ ONLY`
    ReadOnlyTransaction,
    /// A `SET`, `RESET` or `USE` that can be repeated elsewhere.
    Setting,
    /// Asks what the statement before it left on its connection: `FOUND_ROWS()`, `SHOW WARNINGS`.
    AboutTheLast,
    /// Changes data, or may.
    Write,
    /// Changes no data, but only the primary will do.
    Other,
}

/// What a read may not do if any server is to answer it.
const NEEDS_PRIMARY: Effects = Effects::LOCKS
    .union(Effects::INTO)
    .union(Effects::USER_VARIABLE)
    .union(Effects::NAMED_LOCK)
    .union(Effects::TABLE_LOCK)
    .union(Effects::TEMPORARY_TABLE)
    .union(Effects::SQL_PREPARE)
    .union(Effects::SESSION_STATE)
    .union(Effects::LAST_INSERT_ID)
    .union(Effects::FUNCTION_ACTS)
    .union(Effects::TRANSACTION_LOCK)
    .union(Effects::LISTEN)
    .union(Effects::CURSOR)
    .union(Effects::COPY)
    .union(Effects::LOADS_LIBRARY)
    .union(Effects::SESSION_FUNCTION);

impl Functions {
    pub(crate) fn class(&self, statement: &Statement, dialect: Dialect) -> Class {
        let text = statement.text().as_bytes();
        match statement.kind() {
            _ if statement.is_multiple() && statement.is_truncated() => Class::Write,
            _ if statement.is_multiple() && !are_reads(text, dialect) => Class::Write,
            Kind::Read if statement.is_truncated() => Class::Other,
            Kind::Read => self.class_of_read(text, dialect),
            Kind::Begin if is_read_only(text, dialect) => Class::ReadOnlyTransaction,
            Kind::SessionState if is_setting(text, dialect) => Class::Setting,
            Kind::Admin if effects(text, dialect).contains(Effects::DIAGNOSTICS) => {
                Class::AboutTheLast
            }
            Kind::Write | Kind::Ddl | Kind::Call | Kind::Unknown => Class::Write,
            _ => Class::Other,
        }
    }

    fn class_of_read(&self, text: &[u8], dialect: Dialect) -> Class {
        let found = effects(text, dialect);
        if found.contains(Effects::WRITES) || self.may_write(text, found, dialect) {
            Class::Write
        } else if found.intersects(NEEDS_PRIMARY) || is_conditional(text, dialect) {
            Class::Other
        } else if found.contains(Effects::DIAGNOSTICS) {
            Class::AboutTheLast
        } else {
            Class::SafeRead
        }
    }
}

/// Are all statements of the text reads, by their first words? They then share what is read off the
/// whole text. MySQL's client libraries send several only where they were told to, and procedures have
/// semicolons too: there the answer is no.
fn are_reads(text: &[u8], dialect: Dialect) -> bool {
    match dialect {
        Dialect::Mysql => false,
        Dialect::Postgres => postgres::statements(text)
            .all(|range| analyze(&text[range], Dialect::Postgres).kind == Kind::Read),
    }
}

/// The tokens that the server runs.
pub(crate) fn code(text: &[u8], dialect: Dialect) -> impl Iterator<Item = Token<'_>> {
    let beside = [TokenKind::Comment, TokenKind::ConditionalStart, TokenKind::ConditionalEnd];
    tokens(text, dialect).filter(move |token| !beside.contains(&token.kind))
}

/// Has it parts that some servers run and others take for a comment (`/*!50100 … */`)?
fn is_conditional(text: &[u8], dialect: Dialect) -> bool {
    tokens(text, dialect).any(|token| token.kind == TokenKind::ConditionalStart)
}

/// The last word on it counts.
fn is_read_only(text: &[u8], dialect: Dialect) -> bool {
    let is = |token: Token<'_>, word: &[u8]| token.bytes.eq_ignore_ascii_case(word);
    // A hot standby has no such transactions.
    if code(text, dialect).any(|token| is(token, b"SERIALIZABLE")) {
        return false;
    }
    let pairs = code(text, dialect).zip(code(text, dialect).skip(1));
    let modes = pairs.filter(|(one, _)| is(*one, b"READ")).map(|(_, mode)| mode);
    modes
        .filter(|mode| is(*mode, b"ONLY") || is(*mode, b"WRITE"))
        .last()
        .is_some_and(|last| is(last, b"ONLY"))
}

/// Can tidegate repeat it on other connections?
fn is_setting(text: &[u8], dialect: Dialect) -> bool {
    let found = effects(text, dialect);
    found.contains(Effects::SESSION_STATE)
        && (Effects::SESSION_STATE | Effects::SYSTEM_VARIABLE).contains(found)
        && match dialect {
            // A switch of autocommit opens or ends a transaction, which is no setting.
            Dialect::Mysql => !code(text, dialect).any(|token| is_autocommit(token.bytes)),
            Dialect::Postgres => setting(text) != Setting::Unrepeatable,
        }
}

fn is_autocommit(name: &[u8]) -> bool {
    const AUTOCOMMIT: &[u8] = b"autocommit";
    let name = name.strip_suffix(b"`").unwrap_or(name);
    let start = name.len().saturating_sub(AUTOCOMMIT.len());
    name.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(AUTOCOMMIT))
}
