//! The kinds of PostgreSQL's statements.

use super::{Kind, SELECT, SELECT_LENGTH};
use crate::chunk::{self, key};
use crate::lexer::{Lexeme, Lexer, Postgres, TokenKind};

keys! {
    ABORT = "abort", ALTER = "alter", ANALYSE = "analyse", ANALYZE = "analyze", AS = "as",
    BEGIN = "begin", CALL = "call", CLOSE = "close", CLUSTER = "cluster", COMMENT = "comment",
    COMMIT = "commit", COPY = "copy", CREATE = "create", DECLARE = "declare", DELETE = "delete",
    DISCARD = "discard", DO = "do", DROP = "drop", END = "end", EXPLAIN = "explain",
    FALSE = "false", FETCH = "fetch", FOR = "for", FROM = "from", GRANT = "grant", IMPORT = "import",
    INSERT = "insert", INTO = "into", JOIN = "join", KEY = "key", LISTEN = "listen", LOAD = "load", LOCK = "lock",
    MERGE = "merge", MOVE = "move", NOTIFY = "notify", OFF = "off", PREPARE = "prepare",
    REFRESH = "refresh", REINDEX = "reindex", RELEASE = "release", RESET = "reset",
    REVOKE = "revoke", SET = "set", SHOW = "show", START = "start", TABLE = "table", TO = "to",
    UPDATE = "update", VACUUM = "vacuum", VALUES = "values", VERBOSE = "verbose", WITH = "with",
}

// A punctuation is packed as its byte, which is no word.
const OPEN: u64 = b'(' as u64;
const CLOSING: u64 = b')' as u64;
const COMMA: u64 = b',' as u64;
const DOT: u64 = b'.' as u64;
const SEMICOLON: u64 = b';' as u64;

/// The kind of the first statement of a text. `into`: the word stands somewhere in the text.
#[inline]
pub(crate) fn classify(text: &[u8], into: bool) -> Kind {
    // By far the most frequent start is told by a look, without a lexer.
    let select =
        text.get(SELECT_LENGTH) == Some(&b' ') && chunk::packed(text, 0, SELECT_LENGTH) == SELECT;
    let kind = if select { Kind::Read } else { first_kind(text) };
    if into && kind == Kind::Read && selects_into(text) { Kind::Ddl } else { kind }
}

fn first_kind(text: &[u8]) -> Kind {
    let mut lexer = Lexer::new(text);
    match first_code(&mut lexer) {
        Some(first) if first.kind == TokenKind::Word => verb(&mut lexer, &first),
        _ => Kind::Unknown,
    }
}

/// The first token of the first statement that is neither a comment nor an opening parenthesis.
fn first_code(lexer: &mut Lexer<'_, Postgres>) -> Option<Lexeme> {
    loop {
        let lexeme = lexer.next_code()?;
        // Empty statements are passed over.
        if !matches!(lexeme.packed, OPEN | SEMICOLON) {
            return Some(lexeme);
        }
    }
}

/// Does the first statement, which reads, create a table of what it reads?
fn selects_into(text: &[u8]) -> bool {
    let mut lexer = Lexer::<Postgres>::new(text);
    let mut label = false;
    let _ = first_code(&mut lexer);
    while let Some(lexeme) = lexer.next_code() {
        match (lexeme.kind, lexeme.packed) {
            (TokenKind::Punctuation, SEMICOLON) => return false,
            (TokenKind::Word, INTO) if !label => return true,
            _ => {}
        }
        // Behind these even a reserved word is the name of a column.
        label = lexeme.packed == DOT || lexeme.packed == AS;
    }
    false
}

/// What the word that a statement starts with says of it.
fn verb(lexer: &mut Lexer<'_, Postgres>, word: &Lexeme) -> Kind {
    match word.packed {
        0 => long_verb(lexer, word),
        SELECT | TABLE | VALUES => Kind::Read,
        INSERT | UPDATE | DELETE | MERGE | NOTIFY => Kind::Write,
        CREATE | ALTER | DROP | GRANT | REVOKE | COMMENT | REINDEX | VACUUM | ANALYZE | ANALYSE
        | CLUSTER | REFRESH | IMPORT => Kind::Ddl,
        BEGIN => Kind::Begin,
        COMMIT | END => settled(lexer, Kind::Commit),
        ABORT => Kind::Rollback,
        SET | RESET | DISCARD | LISTEN | LOAD | LOCK | DECLARE | FETCH | MOVE | CLOSE | RELEASE => {
            Kind::SessionState
        }
        CALL | DO => Kind::Call,
        SHOW => Kind::Admin,
        START => start(lexer),
        WITH => after_with(lexer),
        COPY => copy(lexer),
        PREPARE => prepare(lexer),
        EXPLAIN => explain(lexer),
        _ => Kind::Unknown,
    }
}

/// The same for words of eight letters and more, which the lexer does not pack.
fn long_verb(lexer: &mut Lexer<'_, Postgres>, word: &Lexeme) -> Kind {
    let bytes = lexer.bytes(word);
    let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
    match () {
        () if is("rollback") => rollback(lexer),
        () if is("savepoint") || is("deallocate") || is("unlisten") => Kind::SessionState,
        () if is("truncate") || is("security") || is("reassign") => Kind::Ddl,
        () if is("checkpoint") => Kind::Admin,
        () => Kind::Unknown,
    }
}

fn next_is(lexer: &mut Lexer<'_, Postgres>, word: &str) -> bool {
    let next = lexer.next_code();
    next.is_some_and(|next| lexer.bytes(&next).eq_ignore_ascii_case(word.as_bytes()))
}

/// `COMMIT PREPARED` and `ROLLBACK PREPARED` settle a transaction that belongs to no session.
fn settled(lexer: &mut Lexer<'_, Postgres>, kind: Kind) -> Kind {
    if next_is(lexer, "prepared") { Kind::Write } else { kind }
}

fn rollback(lexer: &mut Lexer<'_, Postgres>) -> Kind {
    let mut ahead = lexer.clone();
    if next_is(&mut ahead, "work") || next_is(&mut lexer.clone(), "transaction") {
        *lexer = ahead;
    }
    if next_is(&mut lexer.clone(), "to") {
        return Kind::SessionState;
    }
    settled(lexer, Kind::Rollback)
}

fn start(lexer: &mut Lexer<'_, Postgres>) -> Kind {
    if next_is(lexer, "transaction") { Kind::Begin } else { Kind::Unknown }
}

/// `PREPARE TRANSACTION` ends the session's transaction; any other gives a statement a name.
fn prepare(lexer: &mut Lexer<'_, Postgres>) -> Kind {
    let transaction = next_is(lexer, "transaction");
    // `PREPARE transaction AS …`: the word is not reserved.
    let string = lexer.next_code().is_some_and(|next| next.kind == TokenKind::String);
    if transaction && string { Kind::Commit } else { Kind::SessionState }
}

/// `COPY … TO` reads, unless what it copies is made by a statement that writes.
fn copy(lexer: &mut Lexer<'_, Postgres>) -> Kind {
    let mut ahead = lexer.clone();
    let query = ahead.next_code().is_some_and(|next| next.packed == OPEN);
    let source = if query { read_or_write(&mut ahead) } else { Kind::Read };
    let mut depth = 0_u32;
    while let Some(lexeme) = lexer.next_code() {
        match (lexeme.kind, lexeme.packed) {
            (TokenKind::Punctuation, OPEN) => depth += 1,
            (TokenKind::Punctuation, CLOSING) => depth = depth.saturating_sub(1),
            (TokenKind::Punctuation, SEMICOLON) => return Kind::Unknown,
            (TokenKind::Word, FROM) if depth == 0 => return Kind::Write,
            (TokenKind::Word, TO) if depth == 0 => return source,
            _ => {}
        }
    }
    Kind::Unknown
}

/// `EXPLAIN` shows a plan, unless told to run the statement.
fn explain(lexer: &mut Lexer<'_, Postgres>) -> Kind {
    let Some(next) = lexer.next_code().filter(|next| next.packed != SEMICOLON) else {
        return Kind::Unknown;
    };
    let mut run = matches!(next.packed, ANALYZE | ANALYSE);
    if next.packed == OPEN {
        let mut options = lexer.clone();
        match explain_options(&mut options) {
            Some(true) => (run, *lexer) = (true, options),
            Some(false) | None => return Kind::Admin,
        }
    }
    if !run {
        return Kind::Admin;
    }
    let mut ahead = lexer.clone();
    if ahead.next_code().is_some_and(|next| next.packed == VERBOSE) {
        *lexer = ahead;
    }
    read_or_write(lexer)
}

/// Reads the options in parentheses and tells whether the statement is to be run. `None`: these are
/// the parentheses of a statement.
fn explain_options(lexer: &mut Lexer<'_, Postgres>) -> Option<bool> {
    let mut run = false;
    let mut analyze = false;
    loop {
        let lexeme = lexer.next_code()?;
        match (lexeme.kind, lexeme.packed) {
            (TokenKind::Word, SELECT | WITH | VALUES | TABLE) => return None,
            (TokenKind::Punctuation, OPEN | SEMICOLON) => return None,
            (TokenKind::Punctuation, CLOSING) => return Some(run | analyze),
            (TokenKind::Punctuation, COMMA) => {
                run |= std::mem::take(&mut analyze);
            }
            (TokenKind::Word, FALSE | OFF) => analyze = false,
            (TokenKind::Number, _) if lexer.bytes(&lexeme) == b"0" => analyze = false,
            // A quoted name is not looked into: `"analyze"` would run the statement.
            (TokenKind::Word, ANALYZE | ANALYSE) | (TokenKind::QuotedName, _) => analyze = true,
            _ => {}
        }
    }
}

/// The first token of a statement inside another one that is no opening parenthesis.
fn behind_parentheses(lexer: &mut Lexer<'_, Postgres>) -> Option<Lexeme> {
    loop {
        let lexeme = lexer.next_code()?;
        if lexeme.packed != OPEN {
            return Some(lexeme);
        }
    }
}

/// The kind of a statement inside another one, which runs it.
fn read_or_write(lexer: &mut Lexer<'_, Postgres>) -> Kind {
    let Some(first) = behind_parentheses(lexer) else { return Kind::Unknown };
    match first.packed {
        SELECT | TABLE | VALUES | INSERT | UPDATE | DELETE | MERGE | WITH | CREATE | REFRESH
        | DECLARE => verb(lexer, &first),
        _ => Kind::Unknown,
    }
}

/// The statement behind the common table expressions, which stand in parentheses; a write if one of
/// them is.
fn after_with(lexer: &mut Lexer<'_, Postgres>) -> Kind {
    let mut depth = 0_u32;
    let mut before = WITH;
    while let Some(lexeme) = lexer.next_code() {
        match (lexeme.kind, lexeme.packed) {
            // Behind the last of the expressions, a query in parentheses.
            (TokenKind::Punctuation, OPEN) if depth == 0 && before == CLOSING => return Kind::Read,
            (TokenKind::Punctuation, OPEN) => depth += 1,
            (TokenKind::Punctuation, CLOSING) => depth = depth.saturating_sub(1),
            (TokenKind::Punctuation, SEMICOLON) => return Kind::Unknown,
            (TokenKind::Word, INSERT | UPDATE | DELETE | MERGE) if !names(before) => {
                return Kind::Write;
            }
            (TokenKind::Word, SELECT | TABLE) if depth == 0 => return Kind::Read,
            // Elsewhere it may be the name of an expression.
            (TokenKind::Word, VALUES) if depth == 0 && before == CLOSING => return Kind::Read,
            _ => {}
        }
        before = lexeme.packed;
    }
    Kind::Unknown
}

/// Behind this token a verb is the name of something, or says what is locked.
fn names(before: u64) -> bool {
    matches!(before, WITH | SELECT | FROM | TABLE | JOIN | AS | FOR | KEY | COMMA | DOT)
}

#[cfg(test)]
mod tests;
