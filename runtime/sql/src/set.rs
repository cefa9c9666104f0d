//! What a `SET` statement of MySQL sets, and whether saying it again on another connection comes to the same.

use crate::{Dialect, Token, TokenKind, tokens};

/// What a `SET` statement of MySQL or MariaDB does to its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// Said again on another connection, it leaves the same state there.
    Repeatable {
        /// What is set, in lower case: `sql_mode`, `@name`, `names`, `role`,
        /// `transaction isolation level`, `transaction read`.
        names: Vec<Box<[u8]>>,
        /// The values depend on nothing else that is set.
        constant: bool,
    },
    /// It sets something to what only this connection, or only this moment, knows.
    Unrepeatable,
    /// It shapes the next transaction only.
    NextTransaction,
    /// It leaves nothing behind in the session: `SET GLOBAL`, `SET PASSWORD`.
    Elsewhere,
}

/// Functions whose value depends on nothing but their arguments, as far as settings use them.
const PURE: [&[u8]; 14] = [
    b"CONCAT",
    b"CONCAT_WS",
    b"REPLACE",
    b"TRIM",
    b"UPPER",
    b"LOWER",
    b"IF",
    b"IFNULL",
    b"NULLIF",
    b"COALESCE",
    b"CAST",
    b"CONVERT",
    b"GREATEST",
    b"LEAST",
];

/// Variables that change without being set, and so must not be read, or mean only the next statement.
const VOLATILE: [&[u8]; 12] = [
    b"identity",
    b"insert_id",
    b"last_insert_id",
    b"timestamp",
    b"rand_seed1",
    b"rand_seed2",
    b"warning_count",
    b"error_count",
    b"pseudo_thread_id",
    b"last_gtid",
    b"gtid_next",
    b"server_id",
];

/// Of these, only the unscoped form means the next transaction.
const TRANSACTION: [&[u8]; 4] =
    [b"transaction_isolation", b"tx_isolation", b"transaction_read_only", b"tx_read_only"];

/// Reads a text that is one `SET` statement; any other text is [`Set::Unrepeatable`].
///
/// ```
/// use tidegate_sql::set::{Set, set};
///
/// let names = vec![Box::from(&b"sql_mode"[..])];
/// assert_eq!(set(b"SET SESSION sql_mode = ''"), Set::Repeatable { names, constant: true });
/// ```
#[must_use]
pub fn set(text: &[u8]) -> Set {
    let mut words = tokens(text, Dialect::Mysql).filter(|token| {
        !matches!(
            token.kind,
            TokenKind::Comment | TokenKind::ConditionalStart | TokenKind::ConditionalEnd
        )
    });
    if !words.next().is_some_and(|first| is(first, b"SET")) {
        return Set::Unrepeatable;
    }
    let rest: Vec<Token<'_>> = words.take_while(|token| token.bytes != b";").collect();
    match rest.first() {
        Some(first) if is(*first, b"PASSWORD") => return Set::Elsewhere,
        Some(first) if is(*first, b"DEFAULT") => return Set::Elsewhere,
        // `SET STATEMENT … FOR …` ends with its statement, whose own effects are seen elsewhere.
        Some(first) if is(*first, b"STATEMENT") => return Set::Elsewhere,
        Some(first) if is(*first, b"ROLE") => return said([b"role"], true),
        _ => {}
    }
    let mut all = Reader::default();
    for assignment in split(&rest) {
        if let Some(set) = all.read(assignment) {
            return set;
        }
    }
    all.finish()
}

fn said<const N: usize>(names: [&[u8]; N], constant: bool) -> Set {
    Set::Repeatable { names: names.map(Box::from).to_vec(), constant }
}

fn is(token: Token<'_>, word: &[u8]) -> bool {
    token.kind == TokenKind::Word && token.bytes.eq_ignore_ascii_case(word)
}

/// The assignments of a list: at its commas, unless they are in parentheses.
fn split<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = &'t [Token<'a>]> {
    let mut depth = 0_usize;
    tokens.split(move |token| {
        match token.bytes {
            b"(" => depth += 1,
            b")" => depth = depth.saturating_sub(1),
            b"," if token.kind == TokenKind::Punctuation => return depth == 0,
            _ => {}
        }
        false
    })
}

/// What a name stands for.
enum Scope {
    Session,
    Global,
    Next,
}

#[derive(Default)]
struct Reader {
    names: Vec<Box<[u8]>>,
    depends: bool,
    global: bool,
}

impl Reader {
    /// One assignment. `Some`: it decides for all.
    fn read(&mut self, tokens: &[Token<'_>]) -> Option<Set> {
        let (first, rest) = tokens.split_first()?;
        if let Some(scope) = scope(*first) {
            return match rest.split_first() {
                Some((next, rest)) if is(*next, b"TRANSACTION") => {
                    self.characteristics(scope, rest)
                }
                Some((name, value)) => self.variable(&scope, name.bytes, value),
                None => Some(Set::Unrepeatable),
            };
        }
        if is(*first, b"TRANSACTION") {
            return Some(Set::NextTransaction);
        }
        // The second part of `SET SESSION TRANSACTION ISOLATION LEVEL …, READ ONLY`.
        if is(*first, b"READ") || is(*first, b"ISOLATION") {
            return self.characteristics(Scope::Session, tokens);
        }
        let charset = is(*first, b"CHARSET")
            || is(*first, b"CHARACTER") && rest.first().is_some_and(|next| is(*next, b"SET"));
        if is(*first, b"NAMES") || charset {
            self.names.push(Box::from(&b"names"[..]));
            // `SET CHARACTER SET` takes the collation of the database, whichever that is then.
            self.depends |= charset;
            return self.value(rest);
        }
        match first.kind {
            TokenKind::UserVariable => {
                self.names.push(first.bytes.to_ascii_lowercase().into());
                self.value(rest)
            }
            TokenKind::SystemVariable => {
                let (scope, name) = scoped(first.bytes);
                self.variable(&scope, name, rest)
            }
            TokenKind::Word | TokenKind::QuotedName => {
                let name = unquoted(first.bytes);
                self.variable(&unscoped(name), name, rest)
            }
            _ => Some(Set::Unrepeatable),
        }
    }

    fn characteristics(&mut self, scope: Scope, tokens: &[Token<'_>]) -> Option<Set> {
        match scope {
            Scope::Global => self.global = true,
            Scope::Next => return Some(Set::NextTransaction),
            Scope::Session => {
                let read = tokens.first().is_some_and(|token| is(*token, b"READ"));
                let name: &[u8] =
                    if read { b"transaction read" } else { b"transaction isolation level" };
                self.names.push(name.into());
            }
        }
        None
    }

    fn variable(&mut self, scope: &Scope, name: &[u8], value: &[Token<'_>]) -> Option<Set> {
        let name = unquoted(name).to_ascii_lowercase();
        // `default.key_buffer_size` and the like: a variable with a structure.
        let plain = value.first().is_some_and(|token| matches!(token.bytes, b"=" | b":"));
        match scope {
            Scope::Global => {
                self.global = true;
                return None;
            }
            Scope::Next => return Some(Set::NextTransaction),
            Scope::Session if !plain => return Some(Set::Unrepeatable),
            Scope::Session => {}
        }
        if VOLATILE.contains(&name.as_slice()) && name != b"timestamp" {
            return Some(Set::Unrepeatable);
        }
        self.names.push(canonical(&name).into());
        self.value(value)
    }

    fn value(&mut self, value: &[Token<'_>]) -> Option<Set> {
        for (at, token) in value.iter().enumerate() {
            match token.kind {
                TokenKind::Placeholder => return Some(Set::Unrepeatable),
                TokenKind::UserVariable => self.depends = true,
                TokenKind::SystemVariable => {
                    self.depends = true;
                    let (_, name) = scoped(token.bytes);
                    if VOLATILE.contains(&name.to_ascii_lowercase().as_slice()) {
                        return Some(Set::Unrepeatable);
                    }
                }
                TokenKind::Word if is(*token, b"FROM") => return Some(Set::Unrepeatable),
                TokenKind::Punctuation if token.bytes == b"(" && at > 0 => {
                    let name = value[at - 1];
                    let pure = PURE.iter().any(|pure| is(name, pure)) || is(name, b"SELECT");
                    if matches!(name.kind, TokenKind::Word | TokenKind::QuotedName) && !pure {
                        return Some(Set::Unrepeatable);
                    }
                }
                TokenKind::Word if current(*token) => return Some(Set::Unrepeatable),
                _ => {}
            }
        }
        None
    }

    fn finish(self) -> Set {
        match (self.global, self.names.is_empty()) {
            (true, true) => Set::Elsewhere,
            // The part that is of the whole server must not be said again.
            (true, false) | (false, true) => Set::Unrepeatable,
            (false, false) => Set::Repeatable { names: self.names, constant: !self.depends },
        }
    }
}

/// A value that is a function without parentheses.
fn current(token: Token<'_>) -> bool {
    let mark = token.bytes.get(..8);
    let current = mark.is_some_and(|mark| mark.eq_ignore_ascii_case(b"CURRENT_"));
    current
        || [&b"LOCALTIME"[..], b"LOCALTIMESTAMP", b"UTC_DATE", b"UTC_TIME", b"UTC_TIMESTAMP"]
            .iter()
            .any(|name| is(token, name))
}

fn scope(token: Token<'_>) -> Option<Scope> {
    if is(token, b"SESSION") || is(token, b"LOCAL") {
        return Some(Scope::Session);
    }
    let global = is(token, b"GLOBAL") || is(token, b"PERSIST") || is(token, b"PERSIST_ONLY");
    global.then_some(Scope::Global)
}

/// `@@name`, `@@session.name`, `@@global.name`.
fn scoped(variable: &[u8]) -> (Scope, &[u8]) {
    let name = variable.strip_prefix(b"@@").unwrap_or(variable);
    let Some(dot) = name.iter().position(|byte| *byte == b'.') else {
        let name = unquoted(name);
        return (unscoped(name), name);
    };
    let (scope, name) = (&name[..dot], unquoted(&name[dot + 1..]));
    match scope {
        scope if scope.eq_ignore_ascii_case(b"session") => (Scope::Session, name),
        scope if scope.eq_ignore_ascii_case(b"local") => (Scope::Session, name),
        _ => (Scope::Global, name),
    }
}

fn unscoped(name: &[u8]) -> Scope {
    let next = TRANSACTION.iter().any(|known| known.eq_ignore_ascii_case(name));
    if next { Scope::Next } else { Scope::Session }
}

fn unquoted(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"`").and_then(|name| name.strip_suffix(b"`")).unwrap_or(name)
}

/// The one name of what has several.
fn canonical(name: &[u8]) -> &[u8] {
    match name {
        b"tx_isolation" | b"transaction_isolation" => b"transaction isolation level",
        b"tx_read_only" | b"transaction_read_only" => b"transaction read",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<(Vec<String>, bool)> {
        match set(text.as_bytes()) {
            Set::Repeatable { names, constant } => {
                let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
                Some((names.iter().map(|name| text(name)).collect(), constant))
            }
            _ => None,
        }
    }

    #[test]
    fn settings_are_known_by_their_names() {
        for (text, expected) in [
            ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", &["names"][..]),
            ("set autocommit=0", &["autocommit"]),
            (
                "SET @@session.SQL_MODE := 'ANSI', @@local.time_zone = '+00:00'",
                &["sql_mode", "time_zone"],
            ),
            ("SET SESSION wait_timeout = 28800", &["wait_timeout"]),
            ("SET @A = 1, @b = 'x;y'", &["@a", "@b"]),
            (
                "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
                &["transaction isolation level", "transaction read"],
            ),
            (
                "SET SESSION transaction_isolation = 'SERIALIZABLE'",
                &["transaction isolation level"],
            ),
            ("SET ROLE reader", &["role"]),
            ("/*!40101 SET NAMES utf8 */", &["names"]),
        ] {
            let (found, constant) = names(text).unwrap_or_else(|| panic!("{text}"));
            assert!(found == expected && constant, "{text}: {found:?}");
        }
    }

    #[test]
    fn what_depends_on_other_settings_keeps_its_place() {
        for text in [
            "SET sql_mode = CONCAT(@@sql_mode, ',ANSI')",
            "SET sql_mode = (SELECT CONCAT(@@sql_mode, ',ANSI'))",
            "SET @old = @@character_set_client",
            "SET CHARACTER SET utf8",
        ] {
            assert_eq!(names(text).map(|(_, constant)| constant), Some(false), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_said_again_is_seen() {
        for text in [
            "SET @t = NOW()",
            "SET @t = current_timestamp",
            "SET @n = (SELECT COUNT(*) FROM t)",
            "SET @n = my_function(1)",
            "SET insert_id = 5",
            "SET @id = @@last_insert_id",
            "SET SESSION a = 1, GLOBAL b = 2",
            "SET @a = ?",
            "SET",
            "SELECT 1",
        ] {
            assert_eq!(set(text.as_bytes()), Set::Unrepeatable, "{text}");
        }
    }

    #[test]
    fn the_next_transaction_and_the_whole_server_are_told_apart() {
        for text in [
            "SET TRANSACTION READ ONLY",
            "SET transaction_isolation = 'READ-COMMITTED'",
            "SET @@tx_isolation = 'READ-COMMITTED'",
        ] {
            assert_eq!(set(text.as_bytes()), Set::NextTransaction, "{text}");
        }
        for text in
            ["SET GLOBAL a = 1", "SET @@global.a = 1", "SET PASSWORD = 'x'", "SET PERSIST a = 1"]
        {
            assert_eq!(set(text.as_bytes()), Set::Elsewhere, "{text}");
        }
    }
}
