//! The class of a statement: read off its first word, and off the words behind it where the first
//! one only announces what follows.

use crate::chunk::{self, key};
use crate::lexer::{Lexeme, Lexer, Mysql, TokenKind};

/// What a statement does, as far as its first words tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `SELECT`, `TABLE`, `VALUES`, in parentheses and behind `WITH` too. Reads by its first word
    /// only: what else it may do, such as locking rows, is told by [`crate::effects`].
    Read,
    /// Changes rows: `INSERT`, `UPDATE`, `DELETE`, `REPLACE`, `LOAD`, also behind `WITH`. In PostgreSQL
    /// also `MERGE`, `COPY … FROM`, `NOTIFY`, a `WITH` in which something writes, and what settles a
    /// prepared transaction.
    Write,
    /// Changes what is stored beside rows: `CREATE`, `ALTER`, `DROP`, `GRANT`, `ANALYZE TABLE`, … In
    /// MySQL it ends an open transaction. In PostgreSQL `SELECT … INTO` is of this kind too.
    Ddl,
    /// Opens a transaction.
    Begin,
    /// Ends a transaction: `COMMIT`; in PostgreSQL `END` and `PREPARE TRANSACTION` too.
    Commit,
    /// Ends a transaction; `ROLLBACK TO` a savepoint does not.
    Rollback,
    /// Changes what the session carries: `SET`, `USE`, `PREPARE`, `LOCK TABLES`, `HANDLER`,
    /// `SAVEPOINT` and what leads back to one, `XA END` and `XA PREPARE`. In PostgreSQL also `RESET`,
    /// `DISCARD`, `LISTEN`, `LOAD`, `LOCK`, and cursors: `DECLARE`, `FETCH`, `MOVE`, `CLOSE`.
    SessionState,
    /// Runs code whose effects the text does not tell: `CALL`, `DO`.
    Call,
    /// Asks about, or acts on, the server: `SHOW`, `DESCRIBE`, `EXPLAIN` (not `EXPLAIN ANALYZE`,
    /// which is of the kind that it runs), `KILL`, `SET GLOBAL`, … Those that only show something
    /// show it of this very server or session, so that they are not reads that may go elsewhere.
    Admin,
    /// Anything else: nothing at all, what comes prepared (`EXECUTE`), what only some servers would
    /// run (`/*!…*/` beside other code), what is not known.
    #[default]
    Unknown,
}

const SELECT_LENGTH: usize = "select".len();

/// Gives keywords their packed value under their own name.
macro_rules! keys {
    ($($name:ident = $word:literal),+ $(,)?) => {
        $(const $name: u64 = key($word);)+
    };
}

pub(crate) mod postgres;

keys! {
    ALL = "all", ALTER = "alter", ANALYZE = "analyze", BACKUP = "backup", BEGIN = "begin",
    BINLOG = "binlog", CACHE = "cache", CALL = "call", CHANGE = "change", CHECK = "check",
    CLONE = "clone", COMMIT = "commit", CREATE = "create", DEFAULT = "default", DELETE = "delete",
    DESC = "desc", DO = "do", DROP = "drop", END = "end", EXPLAIN = "explain", FLUSH = "flush",
    FORMAT = "format", GET = "get", GLOBAL = "global", GRANT = "grant", HANDLER = "handler",
    HELP = "help", IMPORT = "import", INSERT = "insert", INSTALL = "install", KILL = "kill",
    LOAD = "load", LOCAL = "local", LOCK = "lock", PERSIST = "persist",
    PREPARE = "prepare", PURGE = "purge", RECOVER = "recover", RELEASE = "release",
    RENAME = "rename", REPAIR = "repair", REPLACE = "replace", REPLICA = "replica",
    RESET = "reset", RESTART = "restart", REVOKE = "revoke", SELECT = "select", SET = "set",
    SHOW = "show", SLAVE = "slave", START = "start", STOP = "stop", TABLE = "table",
    TABLES = "tables", TO = "to", UNLOCK = "unlock", UPDATE = "update", USE = "use",
    VALUES = "values", WITH = "with", WORK = "work", XA = "xa",
}

/// The kind of the first statement of a text.
#[inline]
pub(crate) fn classify(text: &[u8]) -> Kind {
    // By far the most frequent start is told by a look, without a lexer.
    if text.get(SELECT_LENGTH) == Some(&b' ') && chunk::packed(text, 0, SELECT_LENGTH) == SELECT {
        return Kind::Read;
    }
    let mut lexer = Lexer::new(text);
    let Some(first) = first_code(&mut lexer) else { return Kind::Unknown };
    match first.kind {
        TokenKind::Word => verb(&mut lexer, &first),
        TokenKind::ConditionalStart => conditional(lexer),
        _ => Kind::Unknown,
    }
}

/// The first token that is neither a comment nor an opening parenthesis.
fn first_code(lexer: &mut Lexer<'_, Mysql>) -> Option<Lexeme> {
    loop {
        let lexeme = lexer.next_code()?;
        if lexeme.packed != u64::from(b'(') {
            return Some(lexeme);
        }
    }
}

/// A statement inside `/*! … */`, where nothing stands outside; else it depends on the server's
/// version what the statement is.
fn conditional(mut lexer: Lexer<'_, Mysql>) -> Kind {
    let kind = match first_code(&mut lexer) {
        Some(first) if first.kind == TokenKind::Word => verb(&mut lexer.clone(), &first),
        _ => Kind::Unknown,
    };
    let ended = |lexeme: &Lexeme| lexeme.kind == TokenKind::ConditionalEnd;
    while lexer.next_code().is_some_and(|lexeme| !ended(&lexeme)) {}
    match lexer.next_code() {
        None => kind,
        Some(lexeme) if lexeme.packed == u64::from(b';') => kind,
        Some(_) => Kind::Unknown,
    }
}

/// What the word that a statement starts with says of it.
fn verb(lexer: &mut Lexer<'_, Mysql>, word: &Lexeme) -> Kind {
    match word.packed {
        0 => long_verb(lexer, word),
        SELECT | TABLE | VALUES => Kind::Read,
        INSERT | UPDATE | DELETE | REPLACE | LOAD | BINLOG => Kind::Write,
        CREATE | ALTER | RENAME | GRANT | REVOKE | REPAIR | IMPORT | INSTALL => Kind::Ddl,
        COMMIT => Kind::Commit,
        USE | PREPARE | LOCK | UNLOCK | HANDLER | RELEASE => Kind::SessionState,
        CALL | DO => Kind::Call,
        SHOW | HELP | KILL | RESET | PURGE | CHANGE | STOP | RESTART | CLONE | CACHE | CHECK
        | BACKUP | GET => Kind::Admin,
        SET => set(lexer),
        BEGIN => begin(lexer),
        START => start(lexer),
        WITH => after_with(lexer),
        XA => xa(lexer),
        DROP if next_word(lexer) == PREPARE => Kind::SessionState,
        DROP => Kind::Ddl,
        FLUSH if matches!(next_word(lexer), TABLE | TABLES) => Kind::SessionState,
        FLUSH => Kind::Admin,
        EXPLAIN | DESC => explain(lexer),
        ANALYZE => analyze(lexer),
        _ => Kind::Unknown,
    }
}

/// The same for words of eight letters and more, which the lexer does not pack.
fn long_verb(lexer: &mut Lexer<'_, Mysql>, word: &Lexeme) -> Kind {
    let bytes = lexer.bytes(word);
    let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
    match () {
        () if is("rollback") => rollback(lexer),
        () if is("describe") => explain(lexer),
        () if is("savepoint") || is("deallocate") => Kind::SessionState,
        () if is("truncate") || is("optimize") || is("uninstall") => Kind::Ddl,
        () if is("checksum") || is("shutdown") => Kind::Admin,
        () => Kind::Unknown,
    }
}

/// The next token, packed; 0 if it is no short word or there is none.
fn next_word(lexer: &mut Lexer<'_, Mysql>) -> u64 {
    match lexer.next_code() {
        Some(lexeme) if lexeme.kind == TokenKind::Word => lexeme.packed,
        _ => 0,
    }
}

fn set(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    let Some(next) = lexer.next_code() else {
        return Kind::Unknown;
    };
    let bytes = lexer.bytes(&next);
    let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
    match (next.kind, next.packed) {
        (TokenKind::Word, GLOBAL | PERSIST | DEFAULT) => Kind::Admin,
        (TokenKind::Word, _) if is("password") || is("persist_only") || is("resource") => {
            Kind::Admin
        }
        // `SET STATEMENT … FOR` runs the statement that follows (MariaDB).
        (TokenKind::Word, _) if is("statement") => Kind::Unknown,
        (TokenKind::SystemVariable, _) if is_of_server(bytes) => Kind::Admin,
        (TokenKind::Word | TokenKind::SystemVariable | TokenKind::UserVariable, _)
        | (TokenKind::QuotedName, _) => Kind::SessionState,
        _ => Kind::Unknown,
    }
}

/// Is this `@@global.…` or `@@persist….…`?
fn is_of_server(variable: &[u8]) -> bool {
    [&b"@@global."[..], b"@@persist.", b"@@persist_only."]
        .iter()
        .any(|scope| variable.get(..scope.len()).is_some_and(|v| v.eq_ignore_ascii_case(scope)))
}

/// `BEGIN NOT ATOMIC` opens a block of code (MariaDB).
fn begin(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    match lexer.next_code() {
        None => Kind::Begin,
        Some(lexeme) if lexeme.packed == WORK || lexeme.packed == u64::from(b';') => Kind::Begin,
        Some(_) => Kind::Unknown,
    }
}

fn start(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    let Some(next) = lexer.next_code() else {
        return Kind::Unknown;
    };
    let bytes = lexer.bytes(&next);
    match next.packed {
        SLAVE | REPLICA | ALL => Kind::Admin,
        _ if bytes.eq_ignore_ascii_case(b"transaction") => Kind::Begin,
        _ if bytes.eq_ignore_ascii_case(b"group_replication") => Kind::Admin,
        _ => Kind::Unknown,
    }
}

fn xa(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    let Some(next) = lexer.next_code() else {
        return Kind::Unknown;
    };
    match next.packed {
        START | BEGIN => Kind::Begin,
        COMMIT => Kind::Commit,
        END | PREPARE => Kind::SessionState,
        RECOVER => Kind::Admin,
        _ if lexer.bytes(&next).eq_ignore_ascii_case(b"rollback") => Kind::Rollback,
        _ => Kind::Unknown,
    }
}

fn rollback(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    match next_word(lexer) {
        TO => Kind::SessionState,
        WORK if next_word(lexer) == TO => Kind::SessionState,
        _ => Kind::Rollback,
    }
}

/// `EXPLAIN` and its synonyms show a plan, unless told to run the statement.
fn explain(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    match next_word(lexer) {
        ANALYZE => executed(lexer),
        _ => Kind::Admin,
    }
}

/// `ANALYZE TABLE` stores statistics; MariaDB's `ANALYZE` before a statement runs it.
fn analyze(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    match next_word(&mut lexer.clone()) {
        TABLE | TABLES | LOCAL | 0 => Kind::Ddl,
        _ => executed(lexer),
    }
}

/// The kind of the statement that is run in order to be explained.
fn executed(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    let mut first = first_code(lexer);
    if first.is_some_and(|lexeme| lexeme.packed == FORMAT) {
        // `FORMAT = JSON`
        let _ = (lexer.next_code(), lexer.next_code());
        first = first_code(lexer);
    }
    match first.map_or(0, |lexeme| lexeme.packed) {
        WITH => after_with(lexer),
        word => data_verb(word).unwrap_or(Kind::Unknown),
    }
}

/// The statement behind the common table expressions, which stand in parentheses.
fn after_with(lexer: &mut Lexer<'_, Mysql>) -> Kind {
    let mut depth = 0u32;
    while let Some(lexeme) = lexer.next_code() {
        match (lexeme.kind, lexeme.packed) {
            (TokenKind::ConditionalStart, _) => return Kind::Unknown,
            (TokenKind::Punctuation, b) if b == u64::from(b'(') => depth += 1,
            (TokenKind::Punctuation, b) if b == u64::from(b')') => depth = depth.saturating_sub(1),
            (TokenKind::Punctuation, b) if b == u64::from(b';') => return Kind::Unknown,
            (TokenKind::Word, word) if depth == 0 => {
                if let Some(kind) = data_verb(word) {
                    return kind;
                }
            }
            _ => {}
        }
    }
    Kind::Unknown
}

fn data_verb(word: u64) -> Option<Kind> {
    match word {
        SELECT | TABLE | VALUES => Some(Kind::Read),
        INSERT | UPDATE | DELETE | REPLACE => Some(Kind::Write),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
