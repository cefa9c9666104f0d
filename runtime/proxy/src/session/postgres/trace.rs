//! What a statement leaves behind in its session. Pure.

use std::sync::Arc;

use tidegate_sql::effects::{Effects, effects};
use tidegate_sql::postgres::{Discard, Object, Setting, Which, object, setting, statements};
use tidegate_sql::{Dialect, Kind, Token, TokenKind, tokens};

use super::pins::Pin;

/// What one statement will have done to the session once the server has accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// It can be said again on another connection.
    Set {
        name: Box<str>,
        statement: Box<str>,
    },
    /// A name has what the login gave it.
    Reset {
        name: Box<str>,
    },
    ResetAll,
    /// `DISCARD ALL`.
    Discard,
    /// A prepared statement is gone, or all are.
    Deallocate(Option<Box<[u8]>>),
    /// Something lives on this connection only.
    Pin(Pin),
    /// What lived on this connection only is gone.
    Unpin(Pin),
    /// What statements mean that were prepared before may be something else now.
    Schema,
    /// A transaction begins, perhaps.
    Begins,
    /// What was set in the transaction is not.
    RollsBack,
    /// To a savepoint: what was set before is perhaps not.
    RollsBackTo,
    /// `currval`, `lastval`: it asks what only the connection knows that a sequence was used on. Leaves
    /// nothing.
    AsksSequence,
    /// A function has run, and nobody saw what it has left behind.
    Unseen,
}

/// What all statements of a text leave behind, in their order. Most leave nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces(Option<Arc<[Trace]>>);

impl std::ops::Deref for Traces {
    type Target = [Trace];

    fn deref(&self) -> &[Trace] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// What a text of this kind leaves behind. `whole`: there is no more of it.
pub(super) fn traces(text: &[u8], kind: Kind, whole: bool) -> Traces {
    let effects = effects(text, Dialect::Postgres);
    if whole && effects.is_empty() && matches!(kind, Kind::Read | Kind::Write | Kind::Begin) {
        return Traces::default();
    }
    let mut left = Vec::new();
    match whole {
        false => left.push(Trace::Pin(Pin::SessionVariable)),
        true => {
            for range in statements(text) {
                trace(text.get(range).unwrap_or_default(), &mut left);
            }
        }
    }
    // Code that nobody looks into is run by these.
    if kind == Kind::Call && !left.contains(&Trace::Unseen) {
        left.push(Trace::Unseen);
    }
    if left.is_empty() { Traces::default() } else { Traces(Some(left.into())) }
}

fn trace(text: &[u8], left: &mut Vec<Trace>) {
    let effects = effects(text, Dialect::Postgres);
    let pins_before = left.len();
    if effects.contains(Effects::SESSION_STATE) {
        settings(text, left);
    }
    if let Some(object) = object(text) {
        objects(object, left);
    }
    // What the view shows is set by changing it.
    let names_view = |token: Token<'_>| token.bytes.eq_ignore_ascii_case(b"pg_settings");
    if effects.contains(Effects::WRITES) && code(text).any(names_view) {
        left.push(Trace::Pin(Pin::SessionVariable));
    }
    if starts_with(text, b"ROLLBACK") || starts_with(text, b"ABORT") {
        match tidegate_sql::analyze(text, Dialect::Postgres).kind {
            Kind::Rollback => undo(left),
            _ => left.push(Trace::RollsBackTo),
        }
    }
    if starts_with(text, b"BEGIN") || starts_with(text, b"START") {
        left.push(Trace::Begins);
    }
    if effects.contains(Effects::NAMED_LOCK) {
        locks(text, left);
    }
    let pinned = left.len() > pins_before;
    let lasting = [
        (Effects::TEMPORARY_TABLE, Pin::TemporaryTable(None)),
        (Effects::HELD_CURSOR, Pin::Cursor(None)),
        (Effects::SQL_PREPARE, Pin::PreparedStatement(None)),
        (Effects::LISTEN, Pin::Listen(None)),
        (Effects::LOADS_LIBRARY, Pin::SessionVariable),
        (Effects::SESSION_FUNCTION, Pin::SessionVariable),
    ];
    for (effect, pin) in lasting {
        // What is known by its name was noted by it.
        let noted = pinned && !matches!(pin, Pin::SessionVariable);
        if effects.contains(effect) && !noted && !is_dropping(text) {
            left.push(Trace::Pin(pin));
        }
    }
    if effects.contains(Effects::LAST_INSERT_ID) {
        left.push(Trace::AsksSequence);
    }
    if effects.contains(Effects::FUNCTION_UNKNOWN) {
        left.push(Trace::Unseen);
    }
    if changes_schema(text, effects) {
        left.push(Trace::Schema);
    }
}

/// What was set since the transaction began is not, and what was dropped is still there.
fn undo(left: &mut Vec<Trace>) {
    let begun = left.iter().rposition(|trace| *trace == Trace::Begins);
    let mut at = begun.unwrap_or_default();
    while let Some(trace) = left.get(at) {
        match trace {
            Trace::Set { .. } | Trace::Reset { .. } | Trace::ResetAll => drop(left.remove(at)),
            Trace::Unpin(pin) if pin.is_transactional() => drop(left.remove(at)),
            _ => at += 1,
        }
    }
    left.push(Trace::RollsBack);
}

fn settings(text: &[u8], left: &mut Vec<Trace>) {
    let unrepeatable = Trace::Pin(Pin::SessionVariable);
    let name = |name: &[u8]| std::str::from_utf8(name).ok().map(Box::<str>::from);
    match (setting(text), std::str::from_utf8(text)) {
        (Setting::Set { names, .. }, Ok(statement)) => match names.as_slice() {
            [only] => left.push(match name(only) {
                Some(name) => Trace::Set { name, statement: statement.into() },
                None => unrepeatable,
            }),
            // Who the session acts for; or the characteristics of transactions, which go together.
            [first, others @ ..] => {
                for other in others {
                    left.extend(name(other).map(|name| Trace::Reset { name }));
                }
                left.extend(
                    name(first).map(|name| Trace::Set { name, statement: statement.into() }),
                );
                if !first.starts_with(b"session_authorization") {
                    left.push(unrepeatable);
                }
            }
            [] => left.push(unrepeatable),
        },
        (Setting::Reset(names), _) => {
            left.extend(names.iter().filter_map(|n| name(n)).map(|name| Trace::Reset { name }));
        }
        (Setting::ResetAll, _) => left.push(Trace::ResetAll),
        (Setting::Discard(Discard::All), _) => left.push(Trace::Discard),
        (Setting::Discard(Discard::Temporary), _) => {
            left.push(Trace::Unpin(Pin::TemporaryTable(None)));
        }
        (Setting::Discard(Discard::Plans | Discard::Sequences) | Setting::Transaction, _) => {}
        (Setting::Set { .. } | Setting::Unrepeatable, _) => left.push(unrepeatable),
    }
}

fn objects(object: Object, left: &mut Vec<Trace>) {
    let which = |which: Which| match which {
        Which::All => None,
        Which::One(name) => Some(name.name),
    };
    match object {
        Object::Prepare(name) => {
            left.push(Trace::Pin(Pin::PreparedStatement(Some(name.name))));
        }
        Object::Deallocate(one) => left.push(Trace::Deallocate(which(one))),
        Object::Declare { cursor, held: true } => {
            left.push(Trace::Pin(Pin::Cursor(Some(cursor.name))));
        }
        Object::Close(one) => left.push(Trace::Unpin(Pin::Cursor(which(one)))),
        Object::Listen(name) => left.push(Trace::Pin(Pin::Listen(Some(name.name)))),
        Object::Unlisten(one) => left.push(Trace::Unpin(Pin::Listen(which(one)))),
        Object::CreateTemporary { name, until_commit: false } => {
            left.push(Trace::Pin(Pin::TemporaryTable(Some(name.name))));
        }
        Object::Drop(names) => left.extend(
            names.into_iter().map(|name| Trace::Unpin(Pin::TemporaryTable(Some(name.name)))),
        ),
        Object::Execute(_)
        | Object::Declare { held: false, .. }
        | Object::CreateTemporary { until_commit: true, .. } => {}
    }
}

/// It names what it ends, and begins nothing.
fn is_dropping(text: &[u8]) -> bool {
    const VERBS: [&[u8]; 6] =
        [b"DROP", b"DEALLOCATE", b"UNLISTEN", b"CLOSE", b"EXECUTE", b"DECLARE"];
    VERBS.iter().any(|verb| starts_with(text, verb))
        || matches!(object(text), Some(Object::CreateTemporary { .. }))
}

/// `pg_advisory_lock(…)` and what lets go of one.
fn locks(text: &[u8], left: &mut Vec<Trace>) {
    let mut words = code(text);
    while let Some(word) = words.next() {
        let is = |name: &[u8]| word.bytes.eq_ignore_ascii_case(name);
        let starts = |name: &[u8]| {
            word.bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        if is(b"pg_advisory_unlock_all") {
            left.push(Trace::Unpin(Pin::AdvisoryLock(None)));
        } else if starts(b"pg_advisory_unlock") {
            match key(&mut words) {
                Some(key) => left.push(Trace::Unpin(Pin::AdvisoryLock(Some(key)))),
                // It stays pinned by what it may still hold.
                None => left.push(Trace::Pin(Pin::AdvisoryLock(None))),
            }
        } else if starts(b"pg_advisory_lock") || starts(b"pg_try_advisory_lock") {
            left.push(Trace::Pin(Pin::AdvisoryLock(key(&mut words))));
        }
    }
}

/// The arguments of a lock, if they are numbers.
fn key<'a>(words: &mut impl Iterator<Item = Token<'a>>) -> Option<Box<[u8]>> {
    let mut key = Vec::new();
    if words.next()?.bytes != b"(" {
        return None;
    }
    for token in words {
        match (token.kind, token.bytes) {
            (_, b")") => return (!key.is_empty()).then(|| key.into()),
            (TokenKind::Number, digits) => key.extend_from_slice(digits),
            (TokenKind::Punctuation, sign @ (b"," | b"-")) => key.extend_from_slice(sign),
            _ => return None,
        }
    }
    None
}

/// Whether statements that are prepared may mean something else behind this one.
fn changes_schema(text: &[u8], effects: Effects) -> bool {
    const VERBS: [&[u8]; 4] = [b"CREATE", b"ALTER", b"DROP", b"IMPORT"];
    if effects.contains(Effects::TEMPORARY_TABLE) {
        return false;
    }
    VERBS.iter().any(|verb| starts_with(text, verb)) || effects.contains(Effects::INTO)
}

fn starts_with(text: &[u8], verb: &[u8]) -> bool {
    code(text).next().is_some_and(|word| word.bytes.eq_ignore_ascii_case(verb))
}

fn code(text: &[u8]) -> impl Iterator<Item = Token<'_>> {
    tokens(text, Dialect::Postgres).filter(|token| token.kind != TokenKind::Comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(text: &str) -> Vec<Trace> {
        let kind = tidegate_sql::analyze(text.as_bytes(), Dialect::Postgres).kind;
        traces(text.as_bytes(), kind, true).to_vec()
    }

    fn name(name: &str) -> Option<Box<[u8]>> {
        Some(name.as_bytes().into())
    }

    #[test]
    fn what_only_reads_or_writes_rows_leaves_nothing() {
        for text in [
            "SELECT * FROM t WHERE id = $1",
            "INSERT INTO t VALUES (1)",
            "COMMIT",
            "SET LOCAL work_mem = '1MB'",
            "SELECT count(*), lower(a) FROM t",
            "DECLARE c CURSOR FOR SELECT 1",
        ] {
            assert_eq!(left(text), [], "{text}");
        }
    }

    #[test]
    fn settings_can_be_said_again() {
        let set = |name: &str, statement: &str| Trace::Set {
            name: name.into(),
            statement: statement.into(),
        };
        assert_eq!(left("SET x.y TO 1"), [set("x.y", "SET x.y TO 1")]);
        let two = left("SET a.a = 1; SET a.b = 2");
        assert_eq!(two, [set("a.a", "SET a.a = 1"), set("a.b", "SET a.b = 2")]);
        assert_eq!(left("RESET search_path"), [Trace::Reset { name: "search_path".into() }]);
        assert_eq!(left("RESET ALL"), [Trace::ResetAll]);
        assert_eq!(left("DISCARD ALL"), [Trace::Discard]);
        assert_eq!(left("SET x.y FROM CURRENT"), [Trace::Pin(Pin::SessionVariable)]);
        assert_eq!(
            left("SELECT set_config('a.b', 'c', false)"),
            [Trace::Pin(Pin::SessionVariable)]
        );
        assert_eq!(left("SELECT set_config('a.b', 'c', true)"), []);
    }

    #[test]
    fn what_is_set_and_perhaps_undone_is_not_said_again() {
        assert_eq!(left("BEGIN; SET x.y = 1; ROLLBACK"), [Trace::Begins, Trace::RollsBack]);
        let found = left("SET a.b = 0; BEGIN; SET x.y = 1; ROLLBACK; SET c.d = 2");
        let sets = found.iter().filter(|trace| matches!(trace, Trace::Set { .. })).count();
        assert_eq!(sets, 2, "{found:?}");
        assert_eq!(left("ROLLBACK TO a"), [Trace::RollsBackTo]);
    }

    #[test]
    fn what_lives_on_the_connection_pins() {
        for (text, pin) in [
            ("CREATE TEMP TABLE a (b int)", Pin::TemporaryTable(name("a"))),
            ("PREPARE p AS SELECT 1", Pin::PreparedStatement(name("p"))),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Pin::Cursor(name("c"))),
            ("LISTEN a", Pin::Listen(name("a"))),
            ("SELECT pg_advisory_lock(7)", Pin::AdvisoryLock(name("7"))),
            ("SELECT pg_try_advisory_lock(1, 2)", Pin::AdvisoryLock(name("1,2"))),
            ("SELECT pg_advisory_lock($1)", Pin::AdvisoryLock(None)),
            ("LOAD 'x'", Pin::SessionVariable),
        ] {
            let found = left(text);
            assert!(found.contains(&Trace::Pin(pin.clone())), "{text}: {found:?}");
            assert!(!found.iter().any(|trace| matches!(trace, Trace::Pin(other) if *other != pin)));
        }
    }

    #[test]
    fn what_ends_unpins() {
        for (text, trace) in [
            ("DROP TABLE a", Trace::Unpin(Pin::TemporaryTable(name("a")))),
            ("DEALLOCATE p", Trace::Deallocate(name("p"))),
            ("DEALLOCATE ALL", Trace::Deallocate(None)),
            ("CLOSE c", Trace::Unpin(Pin::Cursor(name("c")))),
            ("UNLISTEN *", Trace::Unpin(Pin::Listen(None))),
            ("SELECT pg_advisory_unlock(7)", Trace::Unpin(Pin::AdvisoryLock(name("7")))),
            ("SELECT pg_advisory_unlock_all()", Trace::Unpin(Pin::AdvisoryLock(None))),
        ] {
            let found = left(text);
            assert!(found.contains(&trace), "{text}: {found:?}");
            assert!(!found.iter().any(|trace| matches!(trace, Trace::Pin(_))), "{text}: {found:?}");
        }
    }

    #[test]
    fn the_schema_changes_and_functions_act_unseen() {
        assert_eq!(left("ALTER TABLE t ADD c int"), [Trace::Schema]);
        assert_eq!(left("SELECT f()"), [Trace::Unseen]);
        assert_eq!(left("SELECT nextval('s')"), []);
        assert_eq!(left("SELECT currval('s')"), [Trace::AsksSequence]);
        assert_eq!(left("CALL p()"), [Trace::Unseen]);
        assert_eq!(left("DO $$ BEGIN END $$"), [Trace::Unseen]);
    }
}
