//! One session's view of the SQLite file.

use std::path::Path;
use std::time::Duration;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};
use tidegate_mysql_wire::error_code;
use tidegate_mysql_wire::packet::{Cell, ColumnDefinition, ColumnType};
use tidegate_mysql_wire::status::StatusFlags;

use crate::answer::{Answer, Refusal, RowSet};
use crate::dialect::{self, Request};
use crate::show::{self, Shown};
use crate::{DATABASE, Role, Server, variables};

/// How long a statement waits for another one's transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes the file, in the mode that lets readers go on beside a writer.
pub(crate) fn create(path: &Path) -> rusqlite::Result<()> {
    Connection::open(path)?.pragma_update(None, "journal_mode", "WAL")
}

/// An open file, and what is told about the server that has it open.
pub(crate) struct Database {
    sqlite: Connection,
    server: Server,
}

/// What is known of a statement before it runs.
pub(crate) struct Prepared {
    pub(crate) text: String,
    pub(crate) parameters: usize,
    /// By name; types are known when there are rows.
    pub(crate) columns: Vec<ColumnDefinition>,
}

impl Database {
    /// Opens the file for the session of `user`.
    pub(crate) fn open(server: &Server, user: &str, session: u32) -> rusqlite::Result<Self> {
        let flags = match server.role {
            Role::Primary => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Role::Replica => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let sqlite = Connection::open_with_flags(&server.path, flags)?;
        sqlite.busy_timeout(PATIENCE)?;
        add_functions(&sqlite, server, user, session)?;
        Ok(Self { sqlite, server: server.clone() })
    }

    /// What every reply repeats.
    pub(crate) fn status(&self) -> StatusFlags {
        match self.sqlite.is_autocommit() {
            true => StatusFlags::AUTOCOMMIT,
            false => StatusFlags::AUTOCOMMIT | StatusFlags::IN_TRANSACTION,
        }
    }

    /// Rolls back what is open.
    pub(crate) fn reset(&self) -> Result<Answer, Refusal> {
        self.end_transaction("ROLLBACK")
    }

    /// Looks at a statement without running it.
    pub(crate) fn prepare(&self, text: &str) -> Result<Prepared, Refusal> {
        let mut prepared = Prepared { text: text.to_owned(), parameters: 0, columns: Vec::new() };
        if dialect::request(text) == Request::Sqlite {
            let statement = self.statement(text)?;
            prepared.parameters = statement.parameter_count();
            let column = |name| ColumnDefinition::new(name, ColumnType::VAR_STRING);
            prepared.columns = names(&statement).into_iter().map(column).collect();
        }
        Ok(prepared)
    }

    /// Runs one statement.
    pub(crate) fn run(&self, text: &str, parameters: &[Value]) -> Result<Answer, Refusal> {
        match dialect::request(text) {
            Request::Begin => self.begin(),
            Request::Commit => self.end_transaction("COMMIT"),
            Request::Rollback => self.end_transaction("ROLLBACK"),
            Request::Set => Ok(Answer::DONE),
            Request::Use => use_database(dialect::words(text).nth(1).unwrap_or_default()),
            Request::Show => match show::show(text, &self.server)? {
                Shown::Rows(rows) => Ok(Answer::Rows(rows)),
                Shown::Query(query) => self.run_sqlite(&query, &[]),
            },
            Request::Sqlite => self.run_sqlite(text, parameters),
        }
    }

    /// As MySQL does, one that begins ends the one before.
    fn begin(&self) -> Result<Answer, Refusal> {
        self.end_transaction("COMMIT")?;
        self.run_sqlite("BEGIN", &[])
    }

    fn end_transaction(&self, how: &str) -> Result<Answer, Refusal> {
        match self.sqlite.is_autocommit() {
            true => Ok(Answer::DONE),
            false => self.run_sqlite(how, &[]),
        }
    }

    fn run_sqlite(&self, text: &str, parameters: &[Value]) -> Result<Answer, Refusal> {
        let mut statement = self.statement(text)?;
        if self.server.role == Role::Replica && !statement.readonly() {
            return Err(Refusal::new(
                error_code::ER_OPTION_PREVENTS_STATEMENT,
                "The server is running with the --read-only option so it cannot execute this statement",
            ));
        }
        let run = match statement.column_count() {
            0 => self.execute(&mut statement, parameters),
            _ => query(&mut statement, parameters).map(Answer::Rows),
        };
        run.map_err(|error| Refusal::of_sqlite(&error))
    }

    fn statement(&self, text: &str) -> Result<Statement<'_>, Refusal> {
        let text = dialect::translate(text);
        self.sqlite.prepare(&text).map_err(|error| Refusal::of_sqlite(&error))
    }

    fn execute(
        &self,
        statement: &mut Statement<'_>,
        parameters: &[Value],
    ) -> rusqlite::Result<Answer> {
        let changes = statement.execute(rusqlite::params_from_iter(parameters))?;
        let id = if changes > 0 { self.sqlite.last_insert_rowid() } else { 0 };
        Ok(Answer::Done {
            affected_rows: changes as u64,
            last_insert_id: u64::try_from(id).unwrap_or_default(),
        })
    }
}

/// There is only one database to use.
pub(crate) fn use_database(name: &str) -> Result<Answer, Refusal> {
    match name {
        DATABASE => Ok(Answer::DONE),
        _ => Err(Refusal::new(error_code::ER_BAD_DB, format!("Unknown database '{name}'"))),
    }
}

fn query(statement: &mut Statement<'_>, parameters: &[Value]) -> rusqlite::Result<RowSet> {
    let names = names(statement);
    let mut kinds = vec![None; names.len()];
    let mut cells = Vec::new();
    let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
    while let Some(row) = rows.next()? {
        let mut texts = Vec::with_capacity(kinds.len());
        for (at, kind) in kinds.iter_mut().enumerate() {
            let value = row.get_ref(at)?;
            *kind = common_kind(*kind, kind_of(value));
            texts.push(text(value));
        }
        cells.push(texts);
    }
    let column = |(name, kind): (String, Option<ColumnType>)| {
        ColumnDefinition::new(name, kind.unwrap_or(ColumnType::VAR_STRING))
    };
    Ok(RowSet { columns: names.into_iter().zip(kinds).map(column).collect(), rows: cells })
}

fn names(statement: &Statement<'_>) -> Vec<String> {
    statement.column_names().map(dialect::column_name).collect()
}

/// `None` for NULL, which is of any type.
fn kind_of(value: ValueRef<'_>) -> Option<ColumnType> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(_) => Some(ColumnType::LONGLONG),
        ValueRef::Real(_) => Some(ColumnType::DOUBLE),
        ValueRef::Text(_) => Some(ColumnType::VAR_STRING),
        ValueRef::Blob(_) => Some(ColumnType::BLOB),
    }
}

/// In SQLite each value has a type of its own, in MySQL a column has one: the one that fits all.
fn common_kind(so_far: Option<ColumnType>, next: Option<ColumnType>) -> Option<ColumnType> {
    let is_number = |kind| matches!(kind, ColumnType::LONGLONG | ColumnType::DOUBLE);
    match (so_far, next) {
        (None, kind) | (kind, None) => kind,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(a), Some(b)) if is_number(a) && is_number(b) => Some(ColumnType::DOUBLE),
        (Some(ColumnType::BLOB), _) | (_, Some(ColumnType::BLOB)) => Some(ColumnType::BLOB),
        _ => Some(ColumnType::VAR_STRING),
    }
}

fn text(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
        ValueRef::Real(number) => Some(number.to_string().into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
    }
}

/// What MySQL's clients call and SQLite does not have.
fn add_functions(
    sqlite: &Connection,
    server: &Server,
    user: &str,
    session: u32,
) -> rusqlite::Result<()> {
    let constants = [
        ("database", DATABASE.to_owned()),
        ("schema", DATABASE.to_owned()),
        ("version", variables::VERSION.to_owned()),
        ("user", format!("{user}@localhost")),
        ("current_user", format!("{user}@%")),
    ];
    let flags = FunctionFlags::SQLITE_UTF8;
    for (name, value) in constants {
        sqlite.create_scalar_function(name, 0, flags, move |_| Ok(value.clone()))?;
    }
    sqlite.create_scalar_function("connection_id", 0, flags, move |_| Ok(session))?;
    let server = server.clone();
    sqlite.create_scalar_function(dialect::VARIABLE, 1, flags, move |call| {
        let name: String = call.get(0)?;
        variables::get(&server, &name).map(number_or_text).ok_or_else(|| {
            rusqlite::Error::UserFunctionError(format!("Unknown system variable '{name}'").into())
        })
    })
}

/// `@@server_id` is a number where `@@hostname` is text.
fn number_or_text(value: String) -> Value {
    value.parse().map_or(Value::Text(value), Value::Integer)
}
