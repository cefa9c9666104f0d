//! What a statement is to somebody who splits reads from writes, told by its text alone.

use tidegate_sdk::sql::{Kind, Statement};
use tidegate_sdk::sql_text::effects::{Effects, effects};
use tidegate_sdk::sql_text::{Dialect, Token, TokenKind, tokens};

use crate::functions::Functions;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Any server may answer it.
    SafeRead,
    /// `START TRANSACTION READ ONLY`
    ReadOnlyTransaction,
    /// A `SET` or `USE` that can be repeated elsewhere.
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
    .union(Effects::FUNCTION_ACTS);

impl Functions {
    pub(crate) fn class(&self, statement: &Statement) -> Class {
        let text = statement.text().as_bytes();
        match statement.kind() {
            _ if statement.is_multiple() => Class::Write,
            Kind::Read if statement.is_truncated() => Class::Other,
            Kind::Read => self.class_of_read(text),
            Kind::Begin if is_read_only(text) => Class::ReadOnlyTransaction,
            Kind::SessionState if is_setting(text) => Class::Setting,
            Kind::Admin if effects(text, Dialect::Mysql).contains(Effects::DIAGNOSTICS) => {
                Class::AboutTheLast
            }
            Kind::Write | Kind::Ddl | Kind::Call | Kind::Unknown => Class::Write,
            _ => Class::Other,
        }
    }

    fn class_of_read(&self, text: &[u8]) -> Class {
        let found = effects(text, Dialect::Mysql);
        if found.contains(Effects::WRITES) || self.may_write(text, found) {
            Class::Write
        } else if found.intersects(NEEDS_PRIMARY) || is_conditional(text) {
            Class::Other
        } else if found.contains(Effects::DIAGNOSTICS) {
            Class::AboutTheLast
        } else {
            Class::SafeRead
        }
    }
}

/// The tokens that the server runs.
pub(crate) fn code(text: &[u8]) -> impl Iterator<Item = Token<'_>> {
    let beside = [TokenKind::Comment, TokenKind::ConditionalStart, TokenKind::ConditionalEnd];
    tokens(text, Dialect::Mysql).filter(move |token| !beside.contains(&token.kind))
}

/// Has it parts that some servers run and others take for a comment (`/*!50100 … */`)?
fn is_conditional(text: &[u8]) -> bool {
    tokens(text, Dialect::Mysql).any(|token| token.kind == TokenKind::ConditionalStart)
}

fn is_read_only(text: &[u8]) -> bool {
    let is = |token: Token<'_>, word: &[u8]| token.bytes.eq_ignore_ascii_case(word);
    code(text).zip(code(text).skip(1)).any(|(one, next)| is(one, b"READ") && is(next, b"ONLY"))
}

/// Can tidegate repeat it on other connections? A switch of autocommit opens or ends a transaction,
/// which is no setting.
fn is_setting(text: &[u8]) -> bool {
    let found = effects(text, Dialect::Mysql);
    found.contains(Effects::SESSION_STATE)
        && (Effects::SESSION_STATE | Effects::SYSTEM_VARIABLE).contains(found)
        && !code(text).any(|token| is_autocommit(token.bytes))
}

fn is_autocommit(name: &[u8]) -> bool {
    const AUTOCOMMIT: &[u8] = b"autocommit";
    let name = name.strip_suffix(b"`").unwrap_or(name);
    let start = name.len().saturating_sub(AUTOCOMMIT.len());
    name.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(AUTOCOMMIT))
}
