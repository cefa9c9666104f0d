//! A MySQL or MariaDB client's session.
//!
//! [`login`] lets the client in; [`Session::run`] takes its commands one by one; [`query`] and
//! [`execute`] carry out statements: ask the plugins, choose a server, send, relay the reply.

mod attributes;
mod bulk;
mod command;
mod counted;
mod execute;
mod farewell;
mod insert_id;
mod kill;
mod leases;
mod login;
mod mirror;
mod pins;
mod prepared;
mod query;
mod relay;
mod reply;
mod state;
mod statement;
mod told;
mod trace;
mod written;

use std::sync::Arc;

use bytes::BytesMut;
use tidegate_hook::{SessionContext, SessionState, Target};
use tidegate_mysql_wire::auth::Credential;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::error_code::{
    CR_SERVER_LOST, ER_CONNECTION_KILLED, ER_SERVER_SHUTDOWN, ER_UNKNOWN_COM,
};
use tidegate_mysql_wire::packet::{ErrPacket, NONCE_LEN};
use tidegate_mysql_wire::relay::Expect;
use tidegate_mysql_wire::status::StatusFlags;
use tokio::net::TcpStream;
use tracing::{debug, info};

use self::command::{ClientLost, Head};
use self::insert_id::InsertId;
use self::leases::Leases;
use self::pins::Pins;
use self::prepared::Prepared;
use self::state::Counts;
use self::trace::Trace;
use self::written::AllWritten;
use crate::conn::Conn;
use crate::pool::mysql::Mysql;
use crate::pool::mysql::{Identity, Settings};
use crate::route::{Bonds, Place};
use crate::stop::{Interrupted, Stop};

type Counted = crate::listener::Counted<Mysql>;
type Listed = crate::sessions::Listed<Mysql>;
type Listener = crate::listener::Listener<Mysql>;

/// Why a session has ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The client said so, or closed between two commands.
    #[error("the client left")]
    Quit,
    #[error("{0}")]
    Client(#[from] ClientLost),
    /// What bound the session to a server went with the server. The client was told.
    #[error("the session lost its server: {0}")]
    Server(String),
    #[error("tidegate is shutting down")]
    Stopped,
    #[error("idle for too long")]
    Idle,
    #[error("killed")]
    Killed,
    /// The client was told why it cannot be somebody else.
    #[error("the client could not log in anew: {0}")]
    Login(String),
}

impl From<Interrupted> for End {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Stopped => Self::Stopped,
            Interrupted::Idle => Self::Idle,
            Interrupted::Killed => Self::Killed,
        }
    }
}

/// A client that has logged in, and all that it holds.
pub(crate) struct Session {
    listener: Arc<Listener>,
    client: Conn,
    context: Box<SessionContext>,
    listed: Listed,
    /// What client and tidegate have agreed on.
    capabilities: Capabilities,
    identity: Arc<Identity>,
    credential: Credential,
    /// Where statements go that nobody routes elsewhere.
    default: Target,
    leases: Leases,
    bonds: Bonds,
    /// Where the last statement ran, and the last one that changed something.
    last: Option<Place>,
    last_change: Option<Place>,
    /// Statements have run that nobody looked at: what state they left is unknown.
    opaque: bool,
    settings: Settings,
    prepared: Prepared,
    pins: Pins,
    /// The flags of a session that has said nothing yet.
    fresh_status: StatusFlags,
    /// What lasts of the flags that the server has sent last.
    status: StatusFlags,
    /// `SET TRANSACTION` shapes the transaction that follows.
    next_transaction: bool,
    /// The connection that holds the warnings, or the count of rows, of the last statement.
    diagnostics: Option<Place>,
    insert_id: InsertId,
    counts: Counts,
    written: AllWritten,
    /// Of the handshake: what a client proves its password with, also when it changes the user.
    nonce: [u8; NONCE_LEN],
    /// So many changes of the user were refused, one after the other.
    refused: u8,
    /// The number of the next reply's first packet: as many as its command had frames.
    reply_sequence: u8,
}

/// Serves one client from its first byte to its last; `counted` is dropped then.
///
/// The login has a task of its own, which is larger than that of a session and short-lived: the next
/// login finds its memory free, and sessions, which stay, lie side by side.
pub(crate) async fn serve(
    listener: Arc<Listener>,
    socket: TcpStream,
    stop: Arc<Stop>,
    counted: Counted,
) {
    if let Some(mut session) = login::login(&listener, socket, &stop).await {
        tokio::spawn(async move {
            let end = session.run(&stop).await;
            Box::pin(session.close(&end)).await;
            drop(counted);
        });
    }
}

impl Session {
    async fn run(&mut self, stop: &Stop) -> End {
        loop {
            if let Err(end) = self.next(stop).await {
                return end;
            }
        }
    }

    async fn next(&mut self, stop: &Stop) -> Result<(), End> {
        if self.client.inbox.is_empty() {
            let limit = self.listener.config().idle_timeout;
            // An open transaction is let finish, as long as the worker waits.
            let may_stop = self.bonds.transaction.is_none();
            let killed = || self.listed.is_killed();
            let idle = stop.idle(self.client.fill(), limit, may_stop, killed).await;
            match idle? {
                Ok(0) => return Err(End::Quit),
                Ok(_) => {}
                Err(error) => return Err(ClientLost::from(error).into()),
            }
        }
        // A command that came with the kill is not carried out.
        if self.listed.is_killed() {
            return Err(End::Killed);
        }
        let head = Head::read(&mut self.client, self.listener.config().max_packet).await?;
        self.reply_sequence = self.client.next_sequence(1);
        self.command(head).await
    }

    /// Statements are carried out in place. What is rarer is boxed, or each idle session would
    /// be as large as the largest of them.
    async fn command(&mut self, head: Head) -> Result<(), End> {
        match head.command {
            Some(Command::Query) => self.query(head).await,
            Some(Command::StmtExecute | Command::StmtBulkExecute) => self.execute(head).await,
            Some(Command::StmtPrepare) => Box::pin(self.prepare(head)).await,
            Some(Command::StmtSendLongData) => Box::pin(self.long_data(head)).await,
            Some(Command::StmtReset) => Box::pin(self.reset_statement(head)).await,
            Some(Command::StmtFetch) => Box::pin(self.fetch(head)).await,
            Some(Command::StmtClose) => Box::pin(self.close_statement(head)).await,
            Some(Command::InitDb) => Box::pin(self.init_db(head)).await,
            Some(Command::Ping) => self.ping(head).await,
            Some(Command::ResetConnection) => Box::pin(self.reset(head)).await,
            Some(Command::ChangeUser) => Box::pin(self.change_user(head)).await,
            Some(Command::FieldList) => Box::pin(self.plain(head, Expect::Columns)).await,
            Some(Command::ProcessKill) => Box::pin(self.process_kill(head)).await,
            Some(Command::SetOption) => Box::pin(self.set_option(head)).await,
            Some(Command::Statistics) => Box::pin(self.plain(head, Expect::Text)).await,
            Some(Command::Quit) => Err(End::Quit),
            _ => Box::pin(self.unknown(head)).await,
        }
    }

    async fn ping(&mut self, head: Head) -> Result<(), End> {
        self.discard(head).await?;
        self.send_ok().await
    }

    async fn reset(&mut self, head: Head) -> Result<(), End> {
        self.discard(head).await?;
        let database = self.context.database.clone();
        self.forget();
        if let Some(database) =
            database.filter(|name| Some(name) != self.identity.database.as_ref())
        {
            self.keep_database(database);
        }
        self.send_ok().await
    }

    /// The current database outlives a reset, on servers too.
    fn keep_database(&mut self, database: Arc<str>) {
        if let Trace::Said { entry, .. } =
            trace::used(Command::InitDb, database.as_bytes(), Arc::clone(&database))
            && self.settings.push(entry).is_ok()
        {
            self.set_database(Some(database));
        }
    }

    /// Everything that the session has said is forgotten, as it would be by a server.
    fn forget(&mut self) {
        self.give_back_all();
        self.bonds = Bonds::default();
        self.opaque = false;
        self.settings = Settings::default();
        self.prepared.clear();
        self.pins.clear();
        self.status = self.fresh_status;
        self.next_transaction = false;
        self.diagnostics = None;
        self.insert_id = InsertId::default();
        self.counts = Counts::default();
        self.written.clear();
        self.context.state &= SessionState::TLS;
        self.set_database(self.identity.database.clone());
    }

    async fn unknown(&mut self, head: Head) -> Result<(), End> {
        self.discard(head).await?;
        let name = head.command.map_or("an unknown command", Command::name);
        let message = format!("tidegate does not carry {name} (0x{:02x})", head.code);
        self.send_error(self.reply_sequence, &ErrPacket::new(ER_UNKNOWN_COM, message)).await
    }

    async fn discard(&mut self, head: Head) -> Result<(), End> {
        let max = self.listener.config().max_packet;
        self.reply_sequence = command::discard(&mut self.client, &head, max).await?;
        Ok(())
    }

    async fn send_ok(&mut self) -> Result<(), End> {
        let mut out = BytesMut::new();
        reply::ok(&mut out, self.reply_sequence, self.capabilities, self.status);
        self.send(&out).await
    }

    async fn send_error(&mut self, sequence: u8, error: &ErrPacket) -> Result<(), End> {
        let mut out = BytesMut::new();
        reply::error(&mut out, sequence, self.capabilities, error);
        self.send(&out).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.client.send(bytes).await.map_err(|error| ClientLost::Io(error).into())
    }

    /// Says farewell where the client can still hear it, and gives everything back.
    async fn close(&mut self, end: &End) {
        let farewell = match end {
            End::Client(ClientLost::Violation(violation)) => Some(farewell::violation(violation)),
            End::Stopped => {
                Some(ErrPacket::new(ER_SERVER_SHUTDOWN, "tidegate is shutting down; connect again"))
            }
            End::Idle => {
                Some(ErrPacket::new(CR_SERVER_LOST, "closed: the session was idle for too long"))
            }
            End::Killed => Some(ErrPacket::new(ER_CONNECTION_KILLED, "Connection was killed")),
            End::Quit | End::Client(_) | End::Server(_) | End::Login(_) => None,
        };
        if let Some(error) = farewell {
            // Whether it arrives changes nothing any more.
            drop(self.send_error(farewell::sequence(end), &error).await);
        }
        match end {
            End::Quit | End::Stopped | End::Idle | End::Killed => {
                debug!(session = self.context.id, "{end}")
            }
            _ => info!(
                session = self.context.id,
                listener = %self.context.listener_name,
                user = %self.context.user,
                "session ended: {end}"
            ),
        }
        if let Some(failure) = farewell::failure(end) {
            self.listener.metrics().session_failed(failure);
        }
        self.give_back_all();
        self.listener.closed(&mut self.context, self.client.traffic());
    }
}
