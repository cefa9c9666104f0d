//! What a statement needs to find on its connection, and what it leaves behind there. Pure.

use std::sync::Arc;

use tidegate_mysql_wire::command::Command;
use tidegate_sql::effects::{Effects, effects};
use tidegate_sql::set::{Set, set};
use tidegate_sql::{Dialect, Kind, Token, TokenKind, tokens};
use tidegate_telemetry::PinReason;

use crate::pool::mysql::{DATABASE, Entry};

/// What a statement will have done to the session once the server has accepted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Trace {
    #[default]
    None,
    /// It can be said again on another connection. The database is the current one from now on.
    Said { entry: Arc<Entry>, database: Option<Arc<str>> },
    /// It lives on this connection only.
    Pins(Arc<[Pin]>),
    /// What lived on this connection only is gone.
    Unpins(Arc<Pin>),
    /// It shapes the next transaction, which must be on this connection.
    NextTransaction,
    /// A routine has run, and nobody saw what it has left behind.
    Unseen,
    /// It has changed the session for its own time only.
    Undone,
    /// The statement that follows may ask how many rows there would have been.
    CountsRows,
    /// It says itself what `LAST_INSERT_ID()` answers from then on.
    SaysInsertId,
}

/// State that lives on one connection only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pin {
    /// The tables that a statement names, as it names them.
    TemporaryTables(Vec<Box<[u8]>>),
    TableLock,
    /// A lock by its name; `None` for all, or for a name that is computed.
    UserLock(Option<Box<[u8]>>),
    UserVariable,
    SessionVariable,
    /// By its name; `None` for all.
    PreparedStatement(Option<Box<[u8]>>),
    XaTransaction,
    /// The server says that something was changed, by a routine or a trigger.
    Routine,
}

impl Pin {
    pub(super) fn reason(&self) -> PinReason {
        match self {
            Self::TemporaryTables(_) => PinReason::TemporaryTable,
            Self::TableLock => PinReason::TableLock,
            Self::UserLock(_) => PinReason::UserLock,
            Self::UserVariable => PinReason::UserVariable,
            Self::SessionVariable => PinReason::SessionVariable,
            Self::PreparedStatement(_) => PinReason::PreparedStatement,
            Self::XaTransaction => PinReason::XaTransaction,
            Self::Routine => PinReason::Routine,
        }
    }

    /// The same, of what nobody will see the end of.
    fn unnamed(self) -> Self {
        match self {
            Self::TemporaryTables(_) => Self::TemporaryTables(Vec::new()),
            Self::UserLock(_) => Self::UserLock(None),
            Self::PreparedStatement(_) => Self::PreparedStatement(None),
            pin => pin,
        }
    }
}

/// What a statement needs to find on its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Follows {
    #[default]
    Nothing,
    /// The warnings of the statement before.
    Warnings,
    /// Asks for nothing but `FOUND_ROWS()`.
    FoundRows,
    /// Asks for nothing but `ROW_COUNT()`.
    RowCount,
    /// One of these counts, among other things.
    Counts,
    /// Asks for nothing but `CONNECTION_ID()`.
    ConnectionId,
    /// What the last change left there: the number of an inserted row.
    LastChange,
}

/// What is known of a text besides its effects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) kind: Kind,
    /// It holds several statements.
    pub(super) multiple: bool,
    /// There is more of it.
    pub(super) truncated: bool,
}

/// What a statement of the client needs, and what it will leave behind.
pub(super) fn trace(text: &[u8], reading: Reading) -> (Follows, Trace) {
    let effects = effects(text, Dialect::Mysql);
    (follows(text, reading, effects), left(text, reading, effects))
}

fn follows(text: &[u8], reading: Reading, effects: Effects) -> Follows {
    if effects.contains(Effects::LAST_INSERT_ID) {
        return Follows::LastChange;
    }
    if effects.contains(Effects::FUNCTION_ACTS)
        && nth_word(text, 1).as_ref() == b"CONNECTION_ID"
        && is_only_call(text)
    {
        return Follows::ConnectionId;
    }
    // A later statement of the same text asks about an earlier one.
    if !effects.contains(Effects::DIAGNOSTICS) || reading.multiple {
        return Follows::Nothing;
    }
    let mut words = code(text).filter(|token| token.kind == TokenKind::Word);
    let is = |token: Token<'_>, name: &[u8]| token.bytes.eq_ignore_ascii_case(name);
    let asked = words.find(|word| is(*word, b"FOUND_ROWS") || is(*word, b"ROW_COUNT"));
    match asked {
        Some(word) if !is_only_call(text) => {
            // `SQL_CALC_FOUND_ROWS` is another word.
            debug_assert!(word.kind == TokenKind::Word);
            Follows::Counts
        }
        Some(word) if is(word, b"FOUND_ROWS") => Follows::FoundRows,
        Some(_) => Follows::RowCount,
        None if code(text).any(|token| is(token, b"SQL_CALC_FOUND_ROWS")) => Follows::Nothing,
        None => Follows::Warnings,
    }
}

/// `SELECT name()`, perhaps with a name for the column.
fn is_only_call(text: &[u8]) -> bool {
    let words: Vec<Token<'_>> = code(text).take(8).collect();
    let plain = |token: &Token<'_>| matches!(token.kind, TokenKind::Word | TokenKind::QuotedName);
    let [select, _, open, close, rest @ ..] = words.as_slice() else {
        return false;
    };
    let end = [Token { kind: TokenKind::Punctuation, bytes: b";" }];
    let named = match rest.strip_suffix(&end).unwrap_or(rest) {
        [] => true,
        [name] => plain(name),
        [word, name] => word.bytes.eq_ignore_ascii_case(b"AS") && plain(name),
        _ => false,
    };
    select.bytes.eq_ignore_ascii_case(b"SELECT")
        && open.bytes == b"("
        && close.bytes == b")"
        && named
}

fn left(text: &[u8], reading: Reading, effects: Effects) -> Trace {
    let setting = effects.contains(Effects::SESSION_STATE);
    // A setting among other statements, or one that is not seen whole, cannot be said again alone.
    if reading.multiple || reading.truncated {
        let unseen = reading.truncated && matches!(reading.kind, Kind::Call | Kind::Unknown);
        let mut pins = pinned(text, effects);
        if setting || unseen {
            pins.push(Pin::SessionVariable);
        }
        return match pins_or_none(pins.into_iter().map(Pin::unnamed).collect()) {
            // Only the first of several statements was looked at closely.
            Trace::None if reading.multiple => Trace::Unseen,
            trace => trace,
        };
    }
    if setting {
        return said(text, effects);
    }
    if let Some(unpinned) = unpinned(text, effects) {
        return Trace::Unpins(Arc::new(unpinned));
    }
    if counts_rows(text, effects) {
        return Trace::CountsRows;
    }
    let routine = reading.kind == Kind::Call || effects.contains(Effects::FUNCTION_UNKNOWN);
    match pins_or_none(pinned(text, effects)) {
        Trace::None if routine => Trace::Unseen,
        Trace::None if says_insert_id(text, effects) => Trace::SaysInsertId,
        trace => trace,
    }
}

/// Is `LAST_INSERT_ID()` called with an argument?
fn says_insert_id(text: &[u8], effects: Effects) -> bool {
    let mut words = code(text);
    effects.contains(Effects::LAST_INSERT_ID)
        && std::iter::from_fn(|| {
            words.find(|token| is_word(*token, b"LAST_INSERT_ID"))?;
            Some([words.next(), words.next()])
        })
        .any(|after| matches!(after, [Some(open), Some(next)] if open.bytes == b"(" && next.bytes != b")"))
}

fn pins_or_none(pins: Vec<Pin>) -> Trace {
    if pins.is_empty() { Trace::None } else { Trace::Pins(pins.into()) }
}

fn counts_rows(text: &[u8], effects: Effects) -> bool {
    effects.contains(Effects::DIAGNOSTICS)
        && code(text).any(|token| token.bytes.eq_ignore_ascii_case(b"SQL_CALC_FOUND_ROWS"))
}

/// `USE` and `SET`.
fn said(text: &[u8], effects: Effects) -> Trace {
    if let Some(database) = used_database(text) {
        return used(Command::Query, text, database);
    }
    match set(text) {
        Set::Repeatable { names, constant } => {
            let argument = text.into();
            let entry = Entry { command: Command::Query, argument, names, constant };
            Trace::Said { entry: Arc::new(entry), database: None }
        }
        Set::NextTransaction => Trace::NextTransaction,
        Set::Elsewhere => match pins_or_none(pinned(text, effects)) {
            Trace::None => Trace::Undone,
            trace => trace,
        },
        Set::Unrepeatable => {
            let mut pins = pinned(text, effects);
            if pins.is_empty() {
                pins.push(Pin::SessionVariable);
            }
            pins_or_none(pins)
        }
    }
}

/// A command that makes a database the current one.
pub(super) fn used(command: Command, argument: &[u8], database: Arc<str>) -> Trace {
    let names = vec![DATABASE.into()];
    let entry = Entry { command, argument: argument.into(), names, constant: true };
    Trace::Said { entry: Arc::new(entry), database: Some(database) }
}

fn pinned(text: &[u8], effects: Effects) -> Vec<Pin> {
    let mut pins = Vec::new();
    if effects.contains(Effects::TEMPORARY_TABLE) {
        pins.push(Pin::TemporaryTables(temporary_tables(text)));
    }
    if effects.contains(Effects::TABLE_LOCK) {
        pins.push(Pin::TableLock);
    }
    if effects.contains(Effects::NAMED_LOCK)
        && let Some(name) = lock_name(text, b"GET_LOCK")
    {
        pins.push(Pin::UserLock(name));
    }
    if effects.contains(Effects::SQL_PREPARE) {
        pins.push(Pin::PreparedStatement(Some(nth_word(text, 1))));
    }
    if effects.contains(Effects::XA) {
        pins.push(Pin::XaTransaction);
    }
    if effects.contains(Effects::SETS_VARIABLE) {
        pins.push(Pin::UserVariable);
    }
    pins
}

/// What a statement ends that an earlier one began.
fn unpinned(text: &[u8], effects: Effects) -> Option<Pin> {
    let verb = nth_word(text, 0);
    match &*verb {
        b"DROP" if effects.contains(Effects::TEMPORARY_TABLE) => {
            Some(Pin::TemporaryTables(temporary_tables(text)))
        }
        b"UNLOCK" => Some(Pin::TableLock),
        b"DEALLOCATE" => Some(Pin::PreparedStatement(Some(nth_word(text, 2)))),
        b"DROP" if *nth_word(text, 1) == *b"PREPARE" => {
            Some(Pin::PreparedStatement(Some(nth_word(text, 2))))
        }
        b"XA" if matches!(&*nth_word(text, 1), b"COMMIT" | b"ROLLBACK") => Some(Pin::XaTransaction),
        b"SELECT" | b"DO" if effects.contains(Effects::NAMED_LOCK) => {
            if lock_name(text, b"GET_LOCK").is_some() {
                return None;
            }
            if lock_name(text, b"RELEASE_ALL_LOCKS").is_some() {
                return Some(Pin::UserLock(None));
            }
            lock_name(text, b"RELEASE_LOCK").flatten().map(|name| Pin::UserLock(Some(name)))
        }
        _ => None,
    }
}

/// The tables of `CREATE` and `DROP TEMPORARY TABLE`, without their quotes.
fn temporary_tables(text: &[u8]) -> Vec<Box<[u8]>> {
    let mut words = code(text).skip_while(|token| !is_word(*token, b"TABLE")).skip(1).peekable();
    let listed = nth_word(text, 0).as_ref() == b"DROP";
    let mut tables: Vec<Box<[u8]>> = Vec::new();
    let mut name: Vec<u8> = Vec::new();
    while let Some(token) = words.next() {
        match token.kind {
            TokenKind::Word
                if name.is_empty()
                    && [&b"IF"[..], b"NOT", b"EXISTS"].iter().any(|word| is_word(token, word)) => {}
            TokenKind::Word => name.extend_from_slice(token.bytes),
            TokenKind::QuotedName => name.extend_from_slice(&unquoted(token.bytes)),
            TokenKind::Punctuation if token.bytes == b"." => name.push(b'.'),
            TokenKind::Punctuation if token.bytes == b"," && listed => {
                tables.push(std::mem::take(&mut name).into());
            }
            _ => break,
        }
        let qualified = words.peek().is_some_and(|next| next.bytes == b".") || name.ends_with(b".");
        if !listed && !name.is_empty() && !qualified {
            break;
        }
    }
    if !name.is_empty() {
        tables.push(name.into());
    }
    tables
}

/// Whether a function of locks is called; within, its argument if that is one string and the only
/// one.
fn lock_name(text: &[u8], function: &[u8]) -> Option<Option<Box<[u8]>>> {
    let mut words = code(text).skip_while(|token| !is_word(*token, function));
    words.next()?;
    let (open, name, after) = (words.next()?, words.next()?, words.next());
    let literal = open.bytes == b"("
        && name.kind == TokenKind::String
        && after.is_some_and(|after| matches!(after.bytes, b"," | b")"));
    let again = words.any(|token| is_word(token, function));
    Some((literal && !again).then(|| name.bytes.into()))
}

/// A word of the text in upper case; empty if there is none.
fn nth_word(text: &[u8], nth: usize) -> Box<[u8]> {
    let word = code(text).nth(nth).map(|token| token.bytes.to_ascii_uppercase());
    word.unwrap_or_default().into()
}

fn is_word(token: Token<'_>, word: &[u8]) -> bool {
    token.kind == TokenKind::Word && token.bytes.eq_ignore_ascii_case(word)
}

/// The tokens that are no comments, also of code for certain versions.
fn code(text: &[u8]) -> impl Iterator<Item = Token<'_>> {
    tokens(text, Dialect::Mysql).filter(|token| {
        !matches!(
            token.kind,
            TokenKind::Comment | TokenKind::ConditionalStart | TokenKind::ConditionalEnd
        )
    })
}

/// The database that a `USE` names.
fn used_database(text: &[u8]) -> Option<Arc<str>> {
    let mut words = code(text);
    if !is_word(words.next()?, b"USE") {
        return None;
    }
    let name = words.next()?;
    let bytes = match name.kind {
        TokenKind::QuotedName => unquoted(name.bytes),
        _ => name.bytes.to_vec(),
    };
    Some(String::from_utf8(bytes).ok()?.into())
}

fn unquoted(name: &[u8]) -> Vec<u8> {
    let inner = name.strip_prefix(b"`").and_then(|name| name.strip_suffix(b"`")).unwrap_or(name);
    let mut plain = Vec::with_capacity(inner.len());
    let mut quote = false;
    for byte in inner {
        quote = *byte == b'`' && !quote;
        if !quote {
            plain.push(*byte);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, truncated: bool) -> (Follows, Trace) {
        let analysis = tidegate_sql::analyze(text.as_bytes(), Dialect::Mysql);
        let reading = Reading { kind: analysis.kind, multiple: analysis.multiple, truncated };
        trace(text.as_bytes(), reading)
    }

    fn traced(text: &str) -> Trace {
        read(text, false).1
    }

    fn tables(trace: &Trace) -> Option<Vec<String>> {
        let pin = match trace {
            Trace::Pins(pins) => pins.first()?,
            Trace::Unpins(pin) => pin,
            _ => return None,
        };
        let Pin::TemporaryTables(names) = pin else { return None };
        Some(names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    #[test]
    fn settings_are_said_again_and_reads_leave_nothing() {
        for text in ["SET NAMES utf8mb4", "set session sql_mode = ''", "SET @a = 1"] {
            assert!(matches!(traced(text), Trace::Said { .. }), "{text}: {:?}", traced(text));
        }
        for text in [
            "SELECT * FROM t WHERE a = 1",
            "INSERT INTO t VALUES (1)",
            "SELECT @a",
            "SELECT IS_FREE_LOCK('a')",
        ] {
            assert_eq!(traced(text), Trace::None, "{text}");
        }
        for text in ["SET GLOBAL max_connections = 5", "SET STATEMENT a = 1 FOR DELETE FROM t"] {
            assert_eq!(traced(text), Trace::Undone, "{text}");
        }
        for text in ["CALL p(1)", "SELECT my_function(1)"] {
            assert_eq!(traced(text), Trace::Unseen, "{text}");
        }
        for text in ["SELECT LAST_INSERT_ID(5)", "SELECT LAST_INSERT_ID(), last_insert_id(id + 1)"]
        {
            assert_eq!(traced(text), Trace::SaysInsertId, "{text}");
        }
        for text in ["SELECT LAST_INSERT_ID()", "SELECT @@last_insert_id, (1)"] {
            assert_eq!(traced(text), Trace::None, "{text}");
        }
        assert_eq!(traced("SET TRANSACTION READ ONLY"), Trace::NextTransaction);
        assert_eq!(traced("SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 1"), Trace::CountsRows);
    }

    #[test]
    fn what_is_asked_of_the_last_statement_is_told_apart() {
        let follows = |text: &str| read(text, false).0;
        assert_eq!(follows("SELECT a FROM t"), Follows::Nothing);
        assert_eq!(follows("SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 1"), Follows::Nothing);
        assert_eq!(follows("SELECT FOUND_ROWS()"), Follows::FoundRows);
        assert_eq!(follows("select found_rows() as `n`;"), Follows::FoundRows);
        assert_eq!(follows("SELECT ROW_COUNT() n"), Follows::RowCount);
        assert_eq!(follows("SELECT ROW_COUNT() + 1"), Follows::Counts);
        assert_eq!(follows("INSERT INTO log VALUES (FOUND_ROWS())"), Follows::Counts);
        assert_eq!(follows("SHOW WARNINGS"), Follows::Warnings);
        assert_eq!(follows("SELECT @@warning_count"), Follows::Warnings);
        assert_eq!(follows("SELECT LAST_INSERT_ID()"), Follows::LastChange);
        assert_eq!(follows("UPDATE t SET a = 1; SELECT ROW_COUNT()"), Follows::Nothing);
    }

    #[test]
    fn the_database_is_followed() {
        for (text, name) in
            [("use shop", "shop"), ("USE `a``b`", "a`b"), ("/* x */ USE  db ;", "db")]
        {
            match traced(text) {
                Trace::Said { database: Some(database), .. } => {
                    assert_eq!(&*database, name, "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_lives_on_one_connection_pins() {
        for (text, reason) in [
            ("CREATE TEMPORARY TABLE t (a INT)", PinReason::TemporaryTable),
            ("LOCK TABLES t WRITE", PinReason::TableLock),
            ("SELECT GET_LOCK('a', 1)", PinReason::UserLock),
            ("SET @a = NOW()", PinReason::UserVariable),
            ("SET insert_id = 5", PinReason::SessionVariable),
            ("SELECT 1; SET NAMES latin1", PinReason::SessionVariable),
            ("PREPARE s FROM 'SELECT 1'", PinReason::PreparedStatement),
            ("XA START 'x'", PinReason::XaTransaction),
            ("CALL p(@out)", PinReason::UserVariable),
        ] {
            match traced(text) {
                Trace::Pins(pins) => assert_eq!(pins[0].reason(), reason, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_seen_whole_is_not_said_again() {
        assert!(matches!(read("SET NAMES utf8mb4", true).1, Trace::Pins(_)));
        assert!(matches!(read("CALL p(", true).1, Trace::Pins(_)));
        assert_eq!(read("INSERT INTO t VALUES (1", true).1, Trace::None);
    }

    #[test]
    fn what_ends_a_pin_is_seen() {
        assert_eq!(
            tables(&traced("CREATE TEMPORARY TABLE IF NOT EXISTS `a``b` (c INT)")).unwrap(),
            ["a`b"]
        );
        assert_eq!(tables(&traced("create temporary table d.t select 1 as x")).unwrap(), ["d.t"]);
        assert!(matches!(traced("DROP TEMPORARY TABLE t"), Trace::Unpins(_)));
        assert_eq!(
            tables(&traced("DROP TEMPORARY TABLE IF EXISTS a, d.b, `c`")).unwrap(),
            ["a", "d.b", "c"]
        );
        for (text, pin) in [
            ("UNLOCK TABLES", Pin::TableLock),
            ("DEALLOCATE PREPARE s", Pin::PreparedStatement(Some(b"S"[..].into()))),
            ("DROP PREPARE s", Pin::PreparedStatement(Some(b"S"[..].into()))),
            ("XA COMMIT 'x'", Pin::XaTransaction),
            ("SELECT RELEASE_LOCK('a')", Pin::UserLock(Some(b"'a'"[..].into()))),
            ("DO RELEASE_ALL_LOCKS()", Pin::UserLock(None)),
        ] {
            assert_eq!(traced(text), Trace::Unpins(Arc::new(pin)), "{text}");
        }
        assert_eq!(traced("SELECT RELEASE_LOCK(@a)"), Trace::None);
    }
}
