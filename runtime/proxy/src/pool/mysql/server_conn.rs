//! A connection to a server that has logged in, and the short exchanges that tidegate has with it
//! on its own account.

use std::io;
use std::time::Instant;

use bytes::{BufMut, BytesMut};
use tidegate_hook::current_worker;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::frame::{self, HEADER_LEN, Header};
use tidegate_mysql_wire::lenenc;
use tidegate_mysql_wire::packet::{ColumnDefinition, ErrPacket, QueryAttributes};
use tidegate_mysql_wire::upstream::Session;
use tidegate_wire::{Reader, Violation};

use super::Statements;
use super::settings::Settings;
use crate::conn::Conn;
use crate::pool::ServerLost;
use crate::protocol::Connection;

/// No packet of a server's reply to a command of our own is longer than this.
const PACKET_MAX: usize = 1 << 20;

/// Nor are all packets of it together.
const REPLY_MAX: usize = 4 << 20;

/// A report on the progress is an ERR packet with an impossible code.
const PROGRESS: [u8; 3] = [0xff; 3];

/// Rows as text; `None` is NULL.
pub(crate) type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// What a query of our own has found.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Rows,
}

impl Table {
    /// Where a column stands that has one of these names.
    pub(crate) fn position(&self, names: &[&str]) -> Option<usize> {
        self.columns.iter().position(|column| names.contains(&column.as_str()))
    }
}

/// A logged-in connection.
#[derive(Debug)]
pub(crate) struct ServerConn {
    pub(crate) conn: Conn,
    pub(crate) session: Session,
    born: Instant,
    /// What has been said on it since it was new.
    pub(crate) heard: Settings,
    /// The prepared statements that the server knows on it.
    pub(crate) statements: Statements,
    /// Commands without a reply, to go out with the next one that has.
    pub(crate) pending: BytesMut,
    /// What has the server tell changes of the session.
    tracking: Option<&'static str>,
    /// The worker whose runtime watches the socket.
    home: usize,
}

impl ServerConn {
    pub(crate) fn new(conn: Conn, session: Session) -> Self {
        Self {
            conn,
            session,
            born: Instant::now(),
            heard: Settings::default(),
            statements: Statements::default(),
            pending: BytesMut::new(),
            tracking: None,
            home: current_worker(),
        }
    }

    /// Has the server tell changes of the session, if it can.
    pub(super) async fn track(&mut self, statement: &'static str) -> Result<(), ServerLost> {
        let accepted = self.exchange(&[(Command::Query, statement.as_bytes())]).await?;
        self.tracking = accepted.is_ok().then_some(statement);
        Ok(())
    }

    /// What has to be said again after a reset.
    pub(super) fn tracking(&self) -> Option<&'static str> {
        self.tracking
    }

    /// Has statements closed with the next command that has a reply.
    pub(crate) fn close_statements(&mut self, ids: &[u32]) {
        for id in ids {
            write_command(&mut self.pending, Command::StmtClose, b"", &id.to_le_bytes());
        }
    }

    /// What stands before the argument of a command of our own.
    fn attributes(&self, command: Command) -> &'static [u8] {
        let named = self.session.capabilities.contains(Capabilities::QUERY_ATTRIBUTES);
        if named && command == Command::Query { &QueryAttributes::NONE } else { b"" }
    }

    /// Sends commands in one write and reads one OK or ERR for each; the first ERR is returned.
    pub(crate) async fn exchange(
        &mut self,
        commands: &[(Command, &[u8])],
    ) -> Result<Result<(), ErrPacket>, ServerLost> {
        let mut out = std::mem::take(&mut self.pending);
        for (command, argument) in commands {
            write_command(&mut out, *command, self.attributes(*command), argument);
        }
        self.conn.send(&out).await?;
        let mut outcome = Ok(());
        for _ in commands {
            let reply = self.reply().await?;
            outcome = outcome.and(reply);
        }
        Ok(outcome)
    }

    /// Reads one reply of a single packet, which must be OK, EOF or ERR.
    pub(crate) async fn reply(&mut self) -> Result<Result<(), ErrPacket>, ServerLost> {
        let payload = self.packet().await?;
        let outcome = match payload.first() {
            Some(0x00 | 0xfe) => Ok(()),
            Some(0xff) => Err(ErrPacket::decode(&payload)?),
            _ => return Err(Violation::Unexpected { what: "a result to a plain command" }.into()),
        };
        Ok(outcome)
    }

    /// Runs a query of our own and collects its rows, as text. `Err` is the server's refusal.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<Result<Rows, ErrPacket>, ServerLost> {
        let [table] = self.query_all([sql]).await?;
        Ok(table.map(|table| table.rows))
    }

    /// Sends queries in one write and collects what each has found.
    pub(crate) async fn query_all<const N: usize>(
        &mut self,
        queries: [&str; N],
    ) -> Result<[Result<Table, ErrPacket>; N], ServerLost> {
        let mut out = std::mem::take(&mut self.pending);
        for sql in queries {
            write_command(
                &mut out,
                Command::Query,
                self.attributes(Command::Query),
                sql.as_bytes(),
            );
        }
        self.conn.send(&out).await?;
        let mut tables = queries.map(|_| Ok(Table::default()));
        for table in &mut tables {
            *table = self.table().await?;
        }
        Ok(tables)
    }

    async fn table(&mut self) -> Result<Result<Table, ErrPacket>, ServerLost> {
        let first = self.packet().await?;
        let columns = match first.first() {
            Some(0x00) => return Ok(Ok(Table::default())),
            Some(0xff) => return Ok(Err(ErrPacket::decode(&first)?)),
            Some(&columns @ 1..=250) => usize::from(columns),
            _ => return Err(Violation::Unexpected { what: "a reply to a query" }.into()),
        };
        let capabilities = self.session.capabilities;
        let mut table = Table::default();
        for _ in 0..columns {
            let column = ColumnDefinition::decode(&self.packet().await?, capabilities)?;
            table.columns.push(column.name);
        }
        if !capabilities.contains(Capabilities::DEPRECATE_EOF) {
            self.packet().await?;
        }
        let mut room = REPLY_MAX;
        loop {
            let packet = self.packet().await?;
            let len = packet.len();
            room = room.checked_sub(len).ok_or_else(|| too_long(REPLY_MAX + len, REPLY_MAX))?;
            match packet.first() {
                Some(0xfe) => return Ok(Ok(table)),
                Some(0xff) => return Ok(Err(ErrPacket::decode(&packet)?)),
                _ => table.rows.push(row(&packet, columns)?),
            }
        }
    }

    /// Runs a query of our own that answers one number.
    pub(crate) async fn query_number(&mut self, sql: &str) -> Result<u64, ServerLost> {
        let rows = self.query(sql).await?.unwrap_or_default();
        let digits = rows.first().and_then(|row| row.first()?.as_deref());
        let number = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        Ok(number.ok_or(Violation::Unexpected { what: "a query for a number" })?)
    }

    /// Reads one packet whole. Reports of MariaDB on its progress are passed over.
    pub(crate) async fn packet(&mut self) -> Result<BytesMut, ServerLost> {
        loop {
            let packet = self.any_packet().await?;
            let reports = self.session.capabilities.contains(Capabilities::PROGRESS);
            if !reports || !packet.starts_with(&PROGRESS) {
                return Ok(packet);
            }
        }
    }

    async fn any_packet(&mut self) -> Result<BytesMut, ServerLost> {
        self.conn.fill_to(HEADER_LEN).await.map_err(lost)?;
        let header = self.conn.inbox.as_slice().first_chunk::<HEADER_LEN>();
        let len = header.map_or(0, |header| Header::decode(*header).len);
        if len > PACKET_MAX {
            return Err(too_long(len, PACKET_MAX).into());
        }
        self.conn.fill_to(HEADER_LEN + len).await.map_err(lost)?;
        let payload = BytesMut::from(&self.conn.inbox.as_slice()[HEADER_LEN..HEADER_LEN + len]);
        self.conn.inbox.consume(HEADER_LEN + len);
        Ok(payload)
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
        &self.session.server_version
    }
}

/// Appends a command packet with sequence number 0: `attributes` stand between the code and the
/// text of a query. Returns the number of its reply's first packet.
pub(crate) fn write_command(
    out: &mut BytesMut,
    command: Command,
    attributes: &[u8],
    argument: &[u8],
) -> u8 {
    let mut sequence = 0;
    let len = 1 + attributes.len() + argument.len();
    if len < frame::PAYLOAD_MAX {
        out.reserve(HEADER_LEN + len);
        out.put_slice(&Header { len, sequence }.encode());
        out.put_u8(command as u8);
        out.put_slice(attributes);
        out.put_slice(argument);
        sequence = 1;
    } else {
        let payload = [&[command as u8], attributes, argument].concat();
        frame::write(out, &mut sequence, &payload);
    }
    sequence
}

fn row(packet: &[u8], columns: usize) -> Result<Vec<Option<Vec<u8>>>, Violation> {
    let mut reader = Reader::new(packet, "a row");
    let mut row = Vec::with_capacity(columns);
    for _ in 0..columns {
        row.push(lenenc::read_nullable(&mut reader)?.map(<[u8]>::to_vec));
    }
    Ok(row)
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
