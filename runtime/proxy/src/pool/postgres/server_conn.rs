//! A connection to a server that has logged in, and the short exchanges that tidegate has with it
//! on its own account.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::BytesMut;
use tidegate_hook::current_worker;
use tidegate_postgres_wire::cancel_key::CancelKey;
use tidegate_postgres_wire::frame::{HEADER_LEN, Header};
use tidegate_postgres_wire::message::tag::backend;
use tidegate_postgres_wire::message::{
    DataRow, ErrorResponse, ParameterStatus, ReadyForQuery, Target, TransactionStatus, query,
};
use tidegate_postgres_wire::parameters::Parameters;
use tidegate_postgres_wire::relay::Scanner;
use tidegate_postgres_wire::upstream::Session;
use tidegate_wire::Violation;

use super::Statements;
use super::settings::Settings;
use crate::conn::Conn;
use crate::pool::ServerLost;
use crate::protocol::Connection;

/// No message of a server's reply to a query of our own is longer than this.
const MESSAGE_MAX: usize = 1 << 20;

/// Nor are all rows of it together.
const REPLY_MAX: usize = 4 << 20;

/// Keyed by chance: clients choose what is hashed.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Rows as text; `None` is NULL.
pub(crate) type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// What sessions are told where connections differ. What its servers are, a client is told at its
/// login.
const CHANGING: [&[u8]; 10] = [
    b"application_name",
    b"client_encoding",
    b"DateStyle",
    b"default_transaction_read_only",
    b"IntervalStyle",
    b"is_superuser",
    b"search_path",
    b"session_authorization",
    b"standard_conforming_strings",
    b"TimeZone",
];

/// Settings that a server has told, or a client was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    parameters: Parameters,
    /// Of those that sessions are told.
    fingerprint: u64,
}

impl Shown {
    fn new(parameters: Parameters) -> Self {
        let mut shown = Self { parameters, fingerprint: 0 };
        shown.summarise();
        shown
    }

    /// # Errors
    /// A violation if there are more of them than makes sense.
    pub(crate) fn set(&mut self, status: &ParameterStatus<'_>) -> Result<(), Violation> {
        self.parameters.set(status)?;
        self.summarise();
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.parameters.get(name)
    }

    /// A backslash in a string is a backslash.
    pub(crate) fn has_standard_strings(&self) -> bool {
        self.get("standard_conforming_strings") != Some(b"off")
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ParameterStatus<'_>> {
        self.parameters.iter()
    }

    /// What a client must be told that knows these, of a connection that says `now`.
    pub(crate) fn changed_to<'n>(
        &self,
        now: &'n Self,
    ) -> impl Iterator<Item = ParameterStatus<'n>> + use<'_, 'n> {
        let known = |status: &ParameterStatus<'_>| {
            let name = std::str::from_utf8(status.name).unwrap_or_default();
            self.parameters.get(name) == Some(status.value)
        };
        now.iter().filter(move |status| CHANGING.contains(&status.name) && !known(status))
    }

    fn summarise(&mut self) {
        let told = self.parameters.iter().filter(|status| CHANGING.contains(&status.name));
        let hashed = told.map(|status| HASHER.hash_one((status.name, status.value)));
        self.fingerprint = hashed.fold(0, |sum, hash| sum ^ hash);
    }
}

/// A logged-in connection.
#[derive(Debug)]
pub(crate) struct ServerConn {
    pub(crate) conn: Conn,
    pub(crate) scanner: Scanner,
    /// What the server has told of its settings.
    pub(crate) shown: Shown,
    pub(crate) cancel_key: Option<Arc<CancelKey>>,
    /// The server has asked for a proof.
    pub(crate) has_asked: bool,
    /// What has been said on it since it was new.
    pub(crate) heard: Settings,
    /// The prepared statements that the server knows on it.
    pub(crate) statements: Statements,
    /// Requests that the next batch begins with; the client does not know of them.
    pending: BytesMut,
    closing: usize,
    /// The number of the last statement that was prepared on it.
    last_statement: u32,
    version: String,
    born: Instant,
    home: usize,
}

impl ServerConn {
    pub(super) fn new(conn: Conn, session: Session) -> Self {
        let version = session.parameters.get("server_version").unwrap_or_default();
        Self {
            conn,
            scanner: Scanner::new(session.status),
            version: String::from_utf8_lossy(version).into_owned(),
            shown: Shown::new(session.parameters),
            cancel_key: session.cancel_key.map(Arc::new),
            has_asked: session.has_asked,
            heard: Settings::default(),
            statements: Statements::default(),
            pending: BytesMut::new(),
            closing: 0,
            last_statement: 0,
            born: Instant::now(),
            home: current_worker(),
        }
    }

    /// A number for a statement that is prepared now.
    pub(crate) fn next_statement(&mut self) -> u32 {
        self.last_statement = self.last_statement.wrapping_add(1);
        self.last_statement
    }

    /// Has statements closed with what is sent next.
    pub(crate) fn close_statements(&mut self, ids: &[u32]) {
        for id in ids {
            Target::Statement(statement_name(*id).as_bytes()).close(&mut self.pending);
            self.closing += 1;
        }
    }

    /// What the next requests must begin with, and how many requests that is: the client does not
    /// know of them.
    pub(crate) fn take_pending(&mut self) -> (BytesMut, usize) {
        (std::mem::take(&mut self.pending), std::mem::take(&mut self.closing))
    }

    /// The server has nothing more to say, and no transaction is open.
    pub(crate) fn is_clean(&self) -> bool {
        self.scanner.is_idle() && self.scanner.status() == TransactionStatus::Idle
    }

    /// Makes the connection as good as new; `false` if that cannot be done.
    pub(super) async fn reset(&mut self) -> bool {
        if !self.scanner.is_idle() {
            return false;
        }
        if self.scanner.status() != TransactionStatus::Idle
            && !matches!(self.query("ROLLBACK").await, Ok(Ok(_)))
        {
            return false;
        }
        self.forget_statements();
        self.heard = Settings::default();
        matches!(self.query("DISCARD ALL").await, Ok(Ok(_)))
    }

    /// The server knows no statement any more.
    pub(crate) fn forget_statements(&mut self) {
        self.pending.clear();
        self.closing = 0;
        self.statements.clear();
    }

    /// Runs a query of our own and collects its rows, as text. `Err` is the server's refusal.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
    ) -> Result<Result<Rows, ErrorResponse>, ServerLost> {
        let mut out = BytesMut::new();
        query(&mut out, sql.as_bytes());
        self.exchange(&out).await
    }

    /// Sends requests of our own of which the last ends with a `ReadyForQuery`, and collects the rows
    /// that they answer.
    pub(crate) async fn exchange(
        &mut self,
        requests: &[u8],
    ) -> Result<Result<Rows, ErrorResponse>, ServerLost> {
        self.conn.send(requests).await?;
        let (mut rows, mut refusal, mut room) = (Rows::new(), None, REPLY_MAX);
        loop {
            let Header { tag, len } = self.message().await?;
            room = room.checked_sub(len).ok_or_else(|| too_long(len, REPLY_MAX))?;
            let payload = self.conn.inbox.as_slice().get(HEADER_LEN..HEADER_LEN + len);
            let payload = payload.unwrap_or_default();
            let mut ready = None;
            match tag {
                backend::DATA_ROW => rows.push(row(payload)?),
                backend::ERROR_RESPONSE => refusal = Some(ErrorResponse::decode(payload)?),
                backend::PARAMETER_STATUS => {
                    self.shown.set(&ParameterStatus::decode(payload)?)?;
                }
                backend::READY_FOR_QUERY => ready = Some(ReadyForQuery::decode(payload)?.0),
                _ => {}
            }
            self.conn.inbox.consume(HEADER_LEN + len);
            match (ready, refusal.as_ref()) {
                (Some(status), _) => {
                    self.scanner = Scanner::new(status);
                    return Ok(refusal.map_or(Ok(rows), Err));
                }
                (None, Some(error)) if error.is_fatal() => return Err(ServerLost::Closed),
                _ => {}
            }
        }
    }

    /// Waits for the next message whole.
    async fn message(&mut self) -> Result<Header, ServerLost> {
        self.conn.fill_to(HEADER_LEN).await.map_err(lost)?;
        let Some(header) = self.conn.inbox.as_slice().first_chunk::<HEADER_LEN>() else {
            return Err(ServerLost::Closed);
        };
        let header = Header::decode(*header)?;
        if header.len > MESSAGE_MAX {
            return Err(too_long(header.len, MESSAGE_MAX).into());
        }
        self.conn.fill_to(HEADER_LEN + header.len).await.map_err(lost)?;
        Ok(header)
    }
}

impl Connection for ServerConn {
    fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    fn home(&mut self) -> &mut usize {
        &mut self.home
    }

    fn born(&self) -> Instant {
        self.born
    }

    fn state(&self) -> u64 {
        self.heard.fingerprint()
    }

    fn version(&self) -> &str {
        &self.version
    }
}

/// The name that a statement has at its server.
pub(crate) fn statement_name(id: u32) -> String {
    format!("tidegate_{id}")
}

fn row(payload: &[u8]) -> Result<Vec<Option<Vec<u8>>>, Violation> {
    DataRow::new(payload)?.map(|cell| Ok(cell?.map(<[u8]>::to_vec))).collect()
}

fn too_long(len: usize, max: usize) -> Violation {
    Violation::TooLong { what: "reply", len: len as u64, max: max as u64 }
}

fn lost(error: io::Error) -> ServerLost {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ServerLost::Closed,
        _ => ServerLost::Io(error),
    }
}
