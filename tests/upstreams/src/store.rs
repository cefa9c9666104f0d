//! The data: one SQLite file, as one session of one server may use it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, InterruptHandle, OpenFlags, Statement, ToSql};

use crate::server::{Role, Server};

/// How long a statement waits for another one's transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the file, in the mode that lets readers go on beside a writer.
pub(crate) fn create(path: &Path) -> rusqlite::Result<()> {
    Connection::open(path)?.pragma_update(None, "journal_mode", "WAL")
}

/// How many statements have written, in this process. All servers of a file read the same one, so
/// that no replica is ever behind its primary.
static WRITES: AtomicU64 = AtomicU64::new(0);

pub(crate) fn writes() -> u64 {
    WRITES.load(Ordering::Relaxed)
}

/// The file, opened by a session.
pub(crate) struct Store {
    sqlite: Connection,
    role: Role,
}

/// How a statement ended well.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has no rows to give.
    Done {
        changed_rows: u64,
        /// 0 if nothing was inserted.
        last_insert_id: u64,
    },
    Rows(Rows),
}

#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Column>,
    pub(crate) values: Vec<Vec<Value>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// In SQLite each value has a type of its own, elsewhere a column has one: that which fits all.
    pub(crate) kind: Kind,
}

/// The types that SQLite has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Real,
    Text,
    Blob,
}

/// What is known of a statement before it runs.
pub(crate) struct Description {
    pub(crate) parameters: usize,
    /// None if it has no rows to give.
    pub(crate) columns: Vec<Column>,
}

/// Why a statement was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It writes, and this is a replica.
    ReadOnly,
    /// In SQLite's words, which say more than its numbers.
    Sqlite(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(match error {
            // Its other words repeat the statement.
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            other => other.to_string(),
        })
    }
}

impl Store {
    pub(crate) fn open(server: &Server) -> rusqlite::Result<Self> {
        let flags = match server.role {
            Role::Primary => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Role::Replica => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let sqlite = Connection::open_with_flags(&server.path, flags)?;
        sqlite.busy_timeout(PATIENCE)?;
        Ok(Self { sqlite, role: server.role })
    }

    /// Gives statements a function to call; `arguments` of them, or any number if that is -1.
    pub(crate) fn define<T: ToSql>(
        &self,
        name: &str,
        arguments: i32,
        function: impl Fn(&Context<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8;
        self.sqlite.create_scalar_function(name, arguments, flags, move |call| function(call))
    }

    /// What breaks off the statement that runs, from another thread.
    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.sqlite.get_interrupt_handle()
    }

    pub(crate) fn is_in_transaction(&self) -> bool {
        !self.sqlite.is_autocommit()
    }

    /// Ends the transaction by this statement, if one is open.
    pub(crate) fn end_transaction(&self, how: &str) -> Result<(), Failure> {
        match self.is_in_transaction() {
            true => self.run(how, &[]).map(|_| ()),
            false => Ok(()),
        }
    }

    /// Looks at a statement without doing what it does.
    pub(crate) fn describe(&self, text: &str) -> Result<Description, Failure> {
        let mut statement = self.sqlite.prepare(text)?;
        let mut kinds: Vec<_> =
            statement.columns().map(|column| declared_kind(column.decl_type())).collect();
        if statement.readonly() && kinds.contains(&None) {
            kinds = first_row(&mut statement, &kinds)?;
        }
        let columns = columns(&statement, &kinds);
        Ok(Description { parameters: statement.parameter_count(), columns })
    }

    /// Runs one statement.
    pub(crate) fn run(&self, text: &str, parameters: &[Value]) -> Result<Outcome, Failure> {
        let mut statement = self.sqlite.prepare(text)?;
        let writes = !statement.readonly();
        if writes && self.role == Role::Replica {
            return Err(Failure::ReadOnly);
        }
        let outcome = match statement.column_count() {
            0 => self.execute(&mut statement, parameters)?,
            _ => query(&mut statement, parameters).map(Outcome::Rows)?,
        };
        WRITES.fetch_add(writes.into(), Ordering::Relaxed);
        Ok(outcome)
    }

    fn execute(
        &self,
        statement: &mut Statement<'_>,
        parameters: &[Value],
    ) -> rusqlite::Result<Outcome> {
        let changes = statement.execute(rusqlite::params_from_iter(parameters))?;
        let id = if changes > 0 { self.sqlite.last_insert_rowid() } else { 0 };
        Ok(Outcome::Done {
            changed_rows: changes as u64,
            last_insert_id: u64::try_from(id).unwrap_or_default(),
        })
    }
}

fn query(statement: &mut Statement<'_>, parameters: &[Value]) -> rusqlite::Result<Rows> {
    let mut kinds = vec![None; statement.column_count()];
    let mut values = Vec::new();
    let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(kinds.len());
        for (at, kind) in kinds.iter_mut().enumerate() {
            let value = row.get_ref(at)?;
            *kind = common_kind(*kind, kind_of(value));
            cells.push(Value::try_from(value)?);
        }
        values.push(cells);
    }
    drop(rows);
    Ok(Rows { columns: columns(statement, &kinds), values })
}

/// Kinds that are not known are those of the first row, with no value for any parameter.
fn first_row(
    statement: &mut Statement<'_>,
    known: &[Option<Kind>],
) -> rusqlite::Result<Vec<Option<Kind>>> {
    let nulls = vec![Value::Null; statement.parameter_count()];
    let mut rows = statement.query(rusqlite::params_from_iter(nulls))?;
    let Some(row) = rows.next()? else { return Ok(known.to_vec()) };
    let kind = |(at, kind): (usize, &Option<Kind>)| match kind {
        Some(kind) => Ok(Some(*kind)),
        None => row.get_ref(at).map(kind_of),
    };
    known.iter().enumerate().map(kind).collect()
}

/// What nothing is known about may as well be text.
fn columns(statement: &Statement<'_>, kinds: &[Option<Kind>]) -> Vec<Column> {
    let column = |(name, kind): (&str, &Option<Kind>)| Column {
        name: name.to_owned(),
        kind: kind.unwrap_or(Kind::Text),
    };
    statement.column_names().zip(kinds).map(column).collect()
}

/// What values a column takes that was declared so.
///
/// <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>
fn declared_kind(declared: Option<&str>) -> Option<Kind> {
    let declared = declared?.to_ascii_uppercase();
    let (_, kind) = AFFINITIES.iter().find(|(part, _)| declared.contains(part))?;
    Some(*kind)
}

const AFFINITIES: [(&str, Kind); 8] = [
    ("INT", Kind::Integer),
    ("CHAR", Kind::Text),
    ("CLOB", Kind::Text),
    ("TEXT", Kind::Text),
    ("BLOB", Kind::Blob),
    ("REAL", Kind::Real),
    ("FLOA", Kind::Real),
    ("DOUB", Kind::Real),
];

/// `None` for NULL, which is of any type.
fn kind_of(value: ValueRef<'_>) -> Option<Kind> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(_) => Some(Kind::Integer),
        ValueRef::Real(_) => Some(Kind::Real),
        ValueRef::Text(_) => Some(Kind::Text),
        ValueRef::Blob(_) => Some(Kind::Blob),
    }
}

fn common_kind(so_far: Option<Kind>, next: Option<Kind>) -> Option<Kind> {
    let is_number = |kind| matches!(kind, Kind::Integer | Kind::Real);
    match (so_far, next) {
        (None, kind) | (kind, None) => kind,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(a), Some(b)) if is_number(a) && is_number(b) => Some(Kind::Real),
        (Some(Kind::Blob), _) | (_, Some(Kind::Blob)) => Some(Kind::Blob),
        _ => Some(Kind::Text),
    }
}
