//! MySQL's statements, carried out by the store.

use rusqlite::types::Value;
use tidegate_mysql_wire::error_code;
use tidegate_mysql_wire::packet::ColumnDefinition;
use tidegate_mysql_wire::status::StatusFlags;

use super::answer::{self, Answer, Refusal};
use super::dialect::{self, Request};
use super::show::{self, Shown};
use super::variables;
use crate::DATABASE;
use crate::server::Server;
use crate::sql;
use crate::store::Store;

/// The data, and what is told about the server that has it.
pub(super) struct Database {
    store: Store,
    server: Server,
}

/// What is known of a statement before it runs.
pub(super) struct Prepared {
    pub(super) text: String,
    pub(super) parameters: usize,
    pub(super) columns: Vec<ColumnDefinition>,
}

impl Database {
    /// Opens the file for the session of `user`.
    pub(super) fn open(server: &Server, user: &str, session: u32) -> rusqlite::Result<Self> {
        let store = Store::open(server)?;
        add_functions(&store, server, user, session)?;
        Ok(Self { store, server: server.clone() })
    }

    /// What every reply repeats.
    pub(super) fn status(&self) -> StatusFlags {
        match self.store.is_in_transaction() {
            true => StatusFlags::AUTOCOMMIT | StatusFlags::IN_TRANSACTION,
            false => StatusFlags::AUTOCOMMIT,
        }
    }

    /// Rolls back what is open.
    pub(super) fn reset(&self) -> Result<Answer, Refusal> {
        self.end_transaction("ROLLBACK")
    }

    /// Looks at a statement without running it.
    pub(super) fn prepare(&self, text: &str) -> Result<Prepared, Refusal> {
        let mut prepared = Prepared { text: text.to_owned(), parameters: 0, columns: Vec::new() };
        if dialect::request(text) == Request::Sqlite {
            let description = self.store.describe(&dialect::translate(text))?;
            prepared.parameters = description.parameters;
            let columns = description.columns.into_iter();
            prepared.columns = columns.map(answer::column_definition).collect();
        }
        Ok(prepared)
    }

    /// Runs one statement.
    pub(super) fn run(&self, text: &str, parameters: &[Value]) -> Result<Answer, Refusal> {
        match dialect::request(text) {
            Request::Begin => self.begin(),
            Request::Commit => self.end_transaction("COMMIT"),
            Request::Rollback => self.end_transaction("ROLLBACK"),
            Request::Set => Ok(Answer::DONE),
            Request::Use => use_database(sql::words(text).nth(1).unwrap_or_default()),
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
        self.store.end_transaction(how)?;
        Ok(Answer::DONE)
    }

    fn run_sqlite(&self, text: &str, parameters: &[Value]) -> Result<Answer, Refusal> {
        Ok(self.store.run(&dialect::translate(text), parameters)?.into())
    }
}

/// There is only one database to use.
pub(super) fn use_database(name: &str) -> Result<Answer, Refusal> {
    match name {
        DATABASE => Ok(Answer::DONE),
        _ => Err(Refusal::new(error_code::ER_BAD_DB, format!("Unknown database '{name}'"))),
    }
}

/// What MySQL's clients call and SQLite does not have.
fn add_functions(store: &Store, server: &Server, user: &str, session: u32) -> rusqlite::Result<()> {
    let constants = [
        ("database", DATABASE.to_owned()),
        ("schema", DATABASE.to_owned()),
        ("version", variables::VERSION.to_owned()),
        ("user", format!("{user}@localhost")),
        ("current_user", format!("{user}@%")),
    ];
    for (name, value) in constants {
        store.define(name, 0, move |_| Ok(value.clone()))?;
    }
    store.define("connection_id", 0, move |_| Ok(session))?;
    let server = server.clone();
    store.define(dialect::VARIABLE, 1, move |call| {
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
