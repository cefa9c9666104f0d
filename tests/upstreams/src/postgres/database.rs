//! PostgreSQL's statements, carried out by the store, in transactions as PostgreSQL has them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::InterruptHandle;
use rusqlite::types::Value;
use tidegate_postgres_wire::message::{ErrorResponse, Severity, TransactionStatus};
use tidegate_postgres_wire::sqlstate::{IN_FAILED_SQL_TRANSACTION, SqlState};

use super::columns::Column;
use super::error::{ACTIVE_SQL_TRANSACTION, NO_ACTIVE_SQL_TRANSACTION, error, failed};
use super::functions;
use super::request::{self, Request};
use super::settings::Settings;
use super::types::Type;
use crate::server::Server;
use crate::store::{Outcome, Store};

/// The data, and how one session sees it.
pub(super) struct Database {
    store: Store,
    settings: Arc<Mutex<Settings>>,
    block: Block,
}

/// What statements belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    /// Ends with the query, or at the next `Sync`.
    Implicit,
    /// From `BEGIN` to its end.
    Open,
    /// The same, after an error.
    Failed,
}

/// What is known of a statement before it runs.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) parameters: usize,
    /// `None` if it has no rows to give.
    pub(super) columns: Option<Vec<Column>>,
}

/// How a statement ended well.
#[derive(Debug)]
pub(super) struct Answer {
    /// For `CommandComplete`.
    pub(super) tag: String,
    pub(super) rows: Option<Rows>,
    pub(super) warning: Option<ErrorResponse>,
    pub(super) forgotten: Option<Forgotten>,
}

/// Prepared statements that are to be forgotten.
#[derive(Debug)]
pub(super) enum Forgotten {
    One(String),
    All,
}

#[derive(Debug)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    pub(super) values: Vec<Vec<Value>>,
}

impl Answer {
    fn of(tag: &str) -> Self {
        Self { tag: tag.to_owned(), rows: None, warning: None, forgotten: None }
    }
}

impl Database {
    /// Opens the file for a session.
    pub(super) fn open(
        server: &Server,
        process_id: u32,
        settings: Settings,
    ) -> rusqlite::Result<Self> {
        let store = Store::open(server)?;
        let settings = Arc::new(Mutex::new(settings));
        functions::define(&store, server, process_id, Arc::clone(&settings))?;
        Ok(Self { store, settings, block: Block::None })
    }

    pub(super) fn interrupt_handle(&self) -> InterruptHandle {
        self.store.interrupt_handle()
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> TransactionStatus {
        match self.block {
            Block::None | Block::Implicit => TransactionStatus::Idle,
            Block::Open => TransactionStatus::Open,
            Block::Failed => TransactionStatus::Failed,
        }
    }

    /// Looks at a statement without running it.
    pub(super) fn describe(&self, text: &str) -> Result<Description, ErrorResponse> {
        let request = request::request(text)?;
        self.check_block(&request)?;
        match request {
            Request::Sqlite => {
                let known = self.store.describe(&request::translate(text)).map_err(failed)?;
                let columns: Vec<_> = known.columns.into_iter().map(Column::from).collect();
                let columns = Some(columns).filter(|columns| !columns.is_empty());
                Ok(Description { parameters: known.parameters, columns })
            }
            Request::Show(name) => {
                Ok(Description { parameters: 0, columns: Some(vec![shown(&name)]) })
            }
            _ => Ok(Description { parameters: 0, columns: None }),
        }
    }

    /// Runs one statement.
    pub(super) fn run(
        &mut self,
        text: &str,
        parameters: &[Value],
    ) -> Result<Answer, ErrorResponse> {
        let request = request::request(text)?;
        self.check_block(&request)?;
        self.ensure_block()?;
        match request {
            Request::Begin => Ok(self.begin()),
            Request::Commit if self.block == Block::Failed => self.finish("ROLLBACK"),
            Request::Commit => self.finish("COMMIT"),
            Request::Rollback => self.finish("ROLLBACK"),
            Request::RollbackTo => self.roll_back_to(text),
            Request::Set { name, value, local } => {
                self.settings().set(&name, value, local)?;
                Ok(Answer::of("SET"))
            }
            Request::Reset(name) => self.reset(name),
            Request::Show(name) => self.show(&name),
            Request::Deallocate(name) => Ok(deallocate(name)),
            Request::DiscardAll => self.discard(),
            Request::Sqlite => self.run_sqlite(text, parameters),
        }
    }

    /// A query has ended, or a `Sync` has come.
    pub(super) fn end_implicit(&mut self) -> Result<(), ErrorResponse> {
        match self.block {
            Block::Implicit => self.end("COMMIT"),
            _ => Ok(()),
        }
    }

    /// The client was told of an error.
    pub(super) fn fail(&mut self) {
        match self.block {
            Block::None | Block::Failed => {}
            // SQLite may have rolled back before, and there is nothing else to be done about it.
            Block::Implicit => drop(self.end("ROLLBACK")),
            Block::Open => self.block = Block::Failed,
        }
    }

    fn check_block(&self, request: &Request) -> Result<(), ErrorResponse> {
        let ends = matches!(request, Request::Commit | Request::Rollback | Request::RollbackTo);
        match self.block == Block::Failed && !ends {
            true => Err(error(
                IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            )),
            false => Ok(()),
        }
    }

    fn ensure_block(&mut self) -> Result<(), ErrorResponse> {
        if self.block == Block::None {
            self.store.run("BEGIN", &[]).map_err(failed)?;
            self.settings().begin();
            self.block = Block::Implicit;
        }
        Ok(())
    }

    /// What was done before in the same query belongs to it.
    fn begin(&mut self) -> Answer {
        let warning = (self.block == Block::Open)
            .then(|| warning(ACTIVE_SQL_TRANSACTION, "there is already a transaction in progress"));
        self.block = Block::Open;
        Answer { warning, ..Answer::of("BEGIN") }
    }

    fn finish(&mut self, how: &str) -> Result<Answer, ErrorResponse> {
        let warning = (self.block == Block::Implicit)
            .then(|| warning(NO_ACTIVE_SQL_TRANSACTION, "there is no transaction in progress"));
        self.end(how)?;
        Ok(Answer { warning, ..Answer::of(how) })
    }

    /// What has failed since the savepoint is forgotten.
    fn roll_back_to(&mut self, text: &str) -> Result<Answer, ErrorResponse> {
        let answer = self.run_sqlite(text, &[])?;
        if self.block == Block::Failed {
            self.block = Block::Open;
        }
        Ok(answer)
    }

    /// Ends whatever is open. A `COMMIT` that fails has rolled back.
    fn end(&mut self, how: &str) -> Result<(), ErrorResponse> {
        let ended = self.store.end_transaction(how);
        let rolled_back = how == "ROLLBACK" || ended.is_err();
        if rolled_back {
            // Already an error is on its way if this is another.
            drop(self.store.end_transaction("ROLLBACK"));
            self.settings().roll_back();
        } else {
            self.settings().commit();
        }
        self.block = Block::None;
        ended.map_err(failed)
    }

    fn reset(&self, name: Option<String>) -> Result<Answer, ErrorResponse> {
        match name {
            Some(name) => self.settings().set(&name, None, false)?,
            None => self.settings().reset(),
        }
        Ok(Answer::of("RESET"))
    }

    fn show(&self, name: &str) -> Result<Answer, ErrorResponse> {
        let value = Value::Text(self.settings().get(name)?.to_owned());
        let rows = Rows { columns: vec![shown(name)], values: vec![vec![value]] };
        Ok(Answer { rows: Some(rows), ..Answer::of("SHOW") })
    }

    fn discard(&self) -> Result<Answer, ErrorResponse> {
        if self.block == Block::Open {
            let message = "DISCARD ALL cannot run inside a transaction block";
            return Err(error(ACTIVE_SQL_TRANSACTION, message));
        }
        self.settings().reset();
        Ok(Answer { forgotten: Some(Forgotten::All), ..Answer::of("DISCARD ALL") })
    }

    fn run_sqlite(&mut self, text: &str, parameters: &[Value]) -> Result<Answer, ErrorResponse> {
        match self.store.run(&request::translate(text), parameters).map_err(failed)? {
            Outcome::Done { changed_rows, .. } => Ok(Answer::of(&request::tag(text, changed_rows))),
            Outcome::Rows(rows) => {
                let tag = request::tag(text, rows.values.len() as u64);
                let columns = rows.columns.into_iter().map(Column::from).collect();
                let rows = Some(Rows { columns, values: rows.values });
                Ok(Answer { rows, ..Answer::of(&tag) })
            }
        }
    }
}

fn shown(name: &str) -> Column {
    Column { name: name.to_owned(), kind: Type::TEXT }
}

fn deallocate(name: Option<String>) -> Answer {
    let (forgotten, tag) = match name {
        Some(name) => (Forgotten::One(name), "DEALLOCATE"),
        None => (Forgotten::All, "DEALLOCATE ALL"),
    };
    Answer { forgotten: Some(forgotten), ..Answer::of(tag) }
}

fn warning(code: SqlState, message: &str) -> ErrorResponse {
    ErrorResponse::new(Severity::Warning, code, message)
}
