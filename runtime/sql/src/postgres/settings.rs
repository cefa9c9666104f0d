//! What `SET`, `RESET` and `DISCARD` do to the settings of a session, and whether saying it again on
//! another connection comes to the same.

use super::name;
use crate::lexer::TokenKind;
use crate::{Dialect, Token, tokens};

/// What a statement does to the settings of its session. If its transaction is rolled back, it was
/// never said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Said again on another connection, it leaves the same state there.
    Set {
        /// What is set, in lower case: `search_path`, `timezone`, `app.user_id`, `client_encoding`,
        /// `role`, `session_authorization`, …
        names: Vec<Box<[u8]>>,
        /// It comes to the same whatever else is set. Who a session acts for is not of this sort:
        /// `session_authorization` forgets `role`, and either decides what may be set.
        constant: bool,
    },
    /// What these were when the session began: `RESET name`, `SET name TO DEFAULT`.
    Reset(Vec<Box<[u8]>>),
    /// `RESET ALL`: all but `role`, `session_authorization`, and what belongs to the transaction.
    ResetAll,
    /// `DISCARD …`
    Discard(Discard),
    /// It lasts to the end of the transaction, and leaves nothing behind where none is open: `SET
    /// LOCAL`, `SET TRANSACTION`, `SET CONSTRAINTS`, `SET transaction_read_only`.
    Transaction,
    /// It sets something to what only this connection knows, or it is no such statement, or one that
    /// is not understood.
    Unrepeatable,
}

/// What a session is to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// Everything: settings, prepared statements, temporary tables, cursors, advisory locks, what it
    /// listens to, what its sequences have given.
    All,
    Plans,
    Sequences,
    /// Temporary tables.
    Temporary,
}

/// What belongs to the transaction at hand.
const OF_TRANSACTION: [&[u8]; 3] =
    [b"transaction_isolation", b"transaction_read_only", b"transaction_deferrable"];

/// Reads a text that is one statement; any that is not about settings is [`Setting::Unrepeatable`].
///
/// ```
/// use tidegate_sql::postgres::{Setting, setting};
///
/// let names = vec![Box::from(&b"app.user_id"[..])];
/// assert_eq!(setting(b"SET App.User_Id = '7'"), Setting::Set { names, constant: true });
/// assert_eq!(setting(b"SET LOCAL app.user_id = '7'"), Setting::Transaction);
/// ```
#[must_use]
pub fn setting(text: &[u8]) -> Setting {
    let tokens: Vec<Token<'_>> = tokens(text, Dialect::Postgres)
        .filter(|token| token.kind != TokenKind::Comment)
        .take_while(|token| !is_sign(*token, b';'))
        .collect();
    let read = match tokens.split_first() {
        Some((verb, rest)) if is(*verb, "SET") => set(rest),
        Some((verb, rest)) if is(*verb, "RESET") => reset(rest),
        Some((verb, [what])) if is(*verb, "DISCARD") => discard(*what),
        _ => None,
    };
    read.unwrap_or(Setting::Unrepeatable)
}

fn is(token: Token<'_>, word: &str) -> bool {
    token.kind == TokenKind::Word && token.bytes.eq_ignore_ascii_case(word.as_bytes())
}

fn is_sign(token: Token<'_>, sign: u8) -> bool {
    token.kind == TokenKind::Punctuation && token.bytes == [sign]
}

/// Are these the first words? Then what follows them.
fn behind<'t, 'a>(tokens: &'t [Token<'a>], words: &[&str]) -> Option<&'t [Token<'a>]> {
    let (start, rest) = tokens.split_at_checked(words.len())?;
    start.iter().zip(words).all(|(token, word)| is(*token, word)).then_some(rest)
}

fn names<const N: usize>(names: [&str; N]) -> Vec<Box<[u8]>> {
    names.map(|name| name.as_bytes().into()).to_vec()
}

fn set(tokens: &[Token<'_>]) -> Option<Setting> {
    if let Some(local) = behind(tokens, &["LOCAL"]) {
        return assign(local).map(|_| Setting::Transaction);
    }
    if behind(tokens, &["TRANSACTION"]).or_else(|| behind(tokens, &["CONSTRAINTS"])).is_some() {
        return Some(Setting::Transaction);
    }
    if let Some(modes) = behind(tokens, &["SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"]) {
        return characteristics(modes);
    }
    // `SET SESSION AUTHORIZATION` needs the word, `SET SESSION name` does not.
    match behind(tokens, &["SESSION"]) {
        Some(session) if behind(tokens, &["SESSION", "AUTHORIZATION"]).is_none() => assign(session),
        _ => assign(tokens),
    }
}

/// The defaults of later transactions.
fn characteristics(modes: &[Token<'_>]) -> Option<Setting> {
    const MODES: [(&str, &str); 3] = [
        ("ISOLATION", "default_transaction_isolation"),
        ("READ", "default_transaction_read_only"),
        ("DEFERRABLE", "default_transaction_deferrable"),
    ];
    // `ISOLATION LEVEL READ COMMITTED` holds a word that is a mode elsewhere.
    let is_mode = |at: usize, word: &str| {
        let level = at.checked_sub(1).and_then(|at| modes.get(at));
        is(modes[at], word) && !level.is_some_and(|level| is(*level, "LEVEL"))
    };
    let set: Vec<Box<[u8]>> = (0..modes.len())
        .flat_map(|at| MODES.iter().filter(move |(word, _)| is_mode(at, word)))
        .map(|(_, name)| name.as_bytes().into())
        .collect();
    (!set.is_empty()).then_some(Setting::Set { names: set, constant: true })
}

/// What follows `SET`, `SET SESSION` and `SET LOCAL`.
fn assign(tokens: &[Token<'_>]) -> Option<Setting> {
    let fixed: [(&[&str], &str); 5] = [
        (&["TIME", "ZONE"], "timezone"),
        (&["NAMES"], "client_encoding"),
        (&["SCHEMA"], "search_path"),
        (&["ROLE"], "role"),
        (&["XML", "OPTION"], "xmloption"),
    ];
    if let Some(value) = behind(tokens, &["SESSION", "AUTHORIZATION"]) {
        return assigned(names(["session_authorization", "role"]), value, false);
    }
    for (words, name) in fixed {
        match behind(tokens, words) {
            // `SET names = …` sets what is called so, which nothing is.
            Some([next, ..]) if is_sign(*next, b'=') || is(*next, "TO") => {}
            Some([]) if name == "client_encoding" => return Some(Setting::Reset(names([name]))),
            Some([value]) if name == "timezone" && is(*value, "LOCAL") => {
                return Some(Setting::Reset(names([name])));
            }
            Some(value) => return assigned(names([name]), value, name != "role"),
            None => {}
        }
    }
    let (name, rest) = dotted(tokens)?;
    let (sign, value) = rest.split_first()?;
    if !is_sign(*sign, b'=') && !is(*sign, "TO") {
        return None;
    }
    let constant = !matches!(&*name, b"role" | b"session_authorization");
    if OF_TRANSACTION.contains(&&*name) {
        return Some(Setting::Transaction);
    }
    // Setting it starts a sequence of random numbers anew.
    if &*name == b"seed" {
        return None;
    }
    assigned(vec![name], value, constant)
}

/// The setting of these to a value, which is a list of constants.
fn assigned(names: Vec<Box<[u8]>>, value: &[Token<'_>], constant: bool) -> Option<Setting> {
    if let [only] = value
        && is(*only, "DEFAULT")
    {
        return Some(Setting::Reset(names));
    }
    let is_constant = |token: &Token<'_>| match token.kind {
        TokenKind::Word | TokenKind::QuotedName | TokenKind::String | TokenKind::Number => true,
        _ => matches!(token.bytes, b"," | b"-" | b"+"),
    };
    let repeatable = !value.is_empty() && value.iter().all(is_constant);
    repeatable.then_some(Setting::Set { names, constant })
}

/// A name with dots in it, in lower case even if quoted, as all settings are known; and what follows.
fn dotted<'t, 'a>(mut tokens: &'t [Token<'a>]) -> Option<(Box<[u8]>, &'t [Token<'a>])> {
    let mut dotted = Vec::new();
    loop {
        let (first, rest) = tokens.split_first()?;
        dotted.extend(name(first.kind, first.bytes)?.to_ascii_lowercase());
        match rest.split_first() {
            Some((dot, rest)) if is_sign(*dot, b'.') => {
                dotted.push(b'.');
                tokens = rest;
            }
            _ => return Some((dotted.into(), rest)),
        }
    }
}

fn reset(tokens: &[Token<'_>]) -> Option<Setting> {
    match tokens {
        [what] if is(*what, "ALL") => return Some(Setting::ResetAll),
        [time, zone] if is(*time, "TIME") && is(*zone, "ZONE") => {
            return Some(Setting::Reset(names(["timezone"])));
        }
        [session, what] if is(*session, "SESSION") && is(*what, "AUTHORIZATION") => {
            return Some(Setting::Reset(names(["session_authorization", "role"])));
        }
        [transaction, ..] if is(*transaction, "TRANSACTION") => return Some(Setting::Transaction),
        _ => {}
    }
    match dotted(tokens)? {
        (name, []) if OF_TRANSACTION.contains(&&*name) => Some(Setting::Transaction),
        (name, []) if &*name == b"session_authorization" => {
            Some(Setting::Reset(names(["session_authorization", "role"])))
        }
        (name, []) => Some(Setting::Reset(vec![name])),
        _ => None,
    }
}

fn discard(what: Token<'_>) -> Option<Setting> {
    let kinds = [
        ("ALL", Discard::All),
        ("PLANS", Discard::Plans),
        ("SEQUENCES", Discard::Sequences),
        ("TEMP", Discard::Temporary),
        ("TEMPORARY", Discard::Temporary),
    ];
    let found = kinds.iter().find(|(word, _)| is(what, word));
    found.map(|(_, kind)| Setting::Discard(*kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Setting {
        setting(text.as_bytes())
    }

    #[test]
    fn settings_are_known_by_their_names() {
        for (text, expected) in [
            ("SET search_path = a, \"$user\", public", &["search_path"][..]),
            ("set SESSION Search_Path to 'a'; SELECT 1", &["search_path"]),
            ("SET \"Work_Mem\" = '64MB'", &["work_mem"]),
            ("SET app.user_id = '7' /* c */", &["app.user_id"]),
            ("SET App . \"User\" . id TO 7", &["app.user.id"]),
            ("SET geqo_seed = -0.5", &["geqo_seed"]),
            ("SET TIME ZONE 'UTC'", &["timezone"]),
            ("SET TIME ZONE -7", &["timezone"]),
            ("SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE", &["timezone"]),
            ("SET SESSION TIME ZONE UTC", &["timezone"]),
            ("SET timezone TO 'UTC'", &["timezone"]),
            ("SET NAMES 'UTF8'", &["client_encoding"]),
            ("SET SCHEMA 'a'", &["search_path"]),
            ("SET XML OPTION DOCUMENT", &["xmloption"]),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
                &["default_transaction_isolation"],
            ),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, NOT DEFERRABLE",
                &["default_transaction_read_only", "default_transaction_deferrable"],
            ),
        ] {
            let expected = expected.iter().map(|name| name.as_bytes().into()).collect();
            assert_eq!(of(text), Setting::Set { names: expected, constant: true }, "{text}");
        }
    }

    #[test]
    fn who_a_session_acts_for_keeps_its_place() {
        for (text, expected) in [
            ("SET ROLE a", names(["role"])),
            ("SET ROLE NONE", names(["role"])),
            ("SET SESSION ROLE 'a'", names(["role"])),
            ("SET role = a", names(["role"])),
            ("SET SESSION AUTHORIZATION a", names(["session_authorization", "role"])),
            ("SET SESSION SESSION AUTHORIZATION a", names(["session_authorization", "role"])),
        ] {
            assert_eq!(of(text), Setting::Set { names: expected, constant: false }, "{text}");
        }
    }

    #[test]
    fn what_is_forgotten_is_named() {
        for (text, expected) in [
            ("RESET Search_Path", names(["search_path"])),
            ("RESET app.user_id;", names(["app.user_id"])),
            ("RESET ROLE", names(["role"])),
            ("RESET TIME ZONE", names(["timezone"])),
            ("RESET SESSION AUTHORIZATION", names(["session_authorization", "role"])),
            ("SET SESSION AUTHORIZATION DEFAULT", names(["session_authorization", "role"])),
            ("SET a TO DEFAULT", names(["a"])),
            ("SET TIME ZONE LOCAL", names(["timezone"])),
            ("SET TIME ZONE DEFAULT", names(["timezone"])),
            ("SET NAMES", names(["client_encoding"])),
        ] {
            assert_eq!(of(text), Setting::Reset(expected), "{text}");
        }
        assert_eq!(of("RESET ALL"), Setting::ResetAll);
        for (text, expected) in [
            ("DISCARD ALL", Discard::All),
            ("discard plans", Discard::Plans),
            ("DISCARD SEQUENCES", Discard::Sequences),
            ("DISCARD TEMP;", Discard::Temporary),
            ("DISCARD TEMPORARY", Discard::Temporary),
        ] {
            assert_eq!(of(text), Setting::Discard(expected), "{text}");
        }
    }

    #[test]
    fn what_lasts_for_a_transaction_is_told_apart() {
        for text in [
            "SET LOCAL search_path = a",
            "SET LOCAL app.user_id TO DEFAULT",
            "SET LOCAL ROLE a",
            "SET LOCAL TIME ZONE 'UTC'",
            "SET LOCAL SESSION AUTHORIZATION a",
            "SET TRANSACTION READ ONLY",
            "SET TRANSACTION SNAPSHOT 'a'",
            "SET transaction_isolation = 'serializable'",
            "SET SESSION transaction_read_only TO on",
            "SET CONSTRAINTS ALL DEFERRED",
        ] {
            assert_eq!(of(text), Setting::Transaction, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_said_again_is_seen() {
        for text in [
            "",
            "SET",
            "SET a",
            "SET a =",
            "SET a = $1",
            "SET a = b(c)",
            "SET a FROM CURRENT",
            "SET SESSION a FROM CURRENT",
            "SET U&\"a\" = 1",
            "SET seed = 0.5",
            "SET SESSION CHARACTERISTICS AS TRANSACTION",
            "SET CATALOG 'a'",
            "RESET",
            "RESET a b",
            "DISCARD",
            "DISCARD ALL TEMP",
            "SELECT 1",
        ] {
            assert_eq!(of(text), Setting::Unrepeatable, "{text}");
        }
    }
}
