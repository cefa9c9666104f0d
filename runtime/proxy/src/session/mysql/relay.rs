//! Bringing a server's reply to the client as it comes.

use std::pin::Pin;
use std::time::Duration;

use bytes::BytesMut;
use thiserror::Error;
use tidegate_mysql_wire::frame::{HEADER_LEN, Header};
use tidegate_mysql_wire::relay::{
    Expect, HELD_MAX, Reached, Scan, Scanner, Side, Summary, Translator, Upload,
};
use tidegate_wire::Violation;
use tokio::time::sleep;

use super::told::Told;
use crate::conn::{Conn, Inbox};
use crate::pool::ServerLost;

/// A reply that did not come to its end.
#[derive(Debug, Error)]
pub(super) enum RelayError {
    #[error("the client's connection was lost: {0}")]
    Client(std::io::Error),
    #[error("{source}")]
    Server {
        source: ServerLost,
        /// Where an ERR packet of our own can stand: the sequence number it must have.
        /// `None` in the middle of a packet.
        boundary: Option<u8>,
    },
}

/// How client and server see the same reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides {
    pub(super) client: Side,
    pub(super) server: Side,
}

/// One reply on its way: as it is, or translated.
enum Reply {
    AsIs(Scanner),
    Translated(Box<Translator>, BytesMut),
}

impl Reply {
    fn new(expect: Expect, sides: Sides) -> Self {
        let Sides { client, server } = sides;
        match Scanner::between(expect, client, server) {
            Some(scanner) => Self::AsIs(scanner),
            None => {
                let translator = Translator::new(expect, client, server);
                Self::Translated(Box::new(translator), BytesMut::new())
            }
        }
    }

    fn summary(&self) -> Summary {
        match self {
            Self::AsIs(scanner) => scanner.summary(),
            Self::Translated(translator, _) => translator.summary(),
        }
    }

    fn take_changes(&mut self) -> Vec<u8> {
        match self {
            Self::AsIs(scanner) => scanner.take_changes(),
            Self::Translated(translator, _) => translator.take_changes(),
        }
    }

    /// Where our own ERR packet could stand.
    fn boundary(&self) -> Option<u8> {
        match self {
            Self::AsIs(scanner) => scanner.at_boundary().then(|| scanner.sequence()),
            Self::Translated(reply, _) => reply.at_boundary().then(|| reply.sequence()),
        }
    }

    fn lost(&self, source: impl Into<ServerLost>) -> RelayError {
        RelayError::Server { source: source.into(), boundary: self.boundary() }
    }

    /// Sends on what can be sent of the server's inbox.
    async fn advance(
        &mut self,
        client: &mut Conn,
        server: &mut Conn,
    ) -> Result<Reached, RelayError> {
        let boundary = self.boundary();
        let broken =
            |violation| RelayError::Server { source: ServerLost::Violation(violation), boundary };
        let scan = match self {
            Self::AsIs(scanner) => loop {
                let scan = scanner.scan(server.inbox.as_slice()).map_err(broken)?;
                client.forward(server, scan.forward).await.map_err(RelayError::Client)?;
                if scan.reached != Reached::Changes {
                    break scan;
                }
                let mut out = BytesMut::new();
                let taken = scanner.strip(server.inbox.as_slice(), &mut out).map_err(broken)?;
                server.inbox.consume(taken);
                client.send(&out).await.map_err(RelayError::Client)?;
            },
            Self::Translated(translator, out) => loop {
                let scan = translator.translate(server.inbox.as_slice(), out).map_err(broken)?;
                server.inbox.consume(scan.forward);
                let whole = out.len().saturating_sub(translator.unfinished());
                client.send_whole(out, whole).await.map_err(RelayError::Client)?;
                out.clear();
                if scan.reached != Reached::NextResult {
                    break scan;
                }
                translator.number(client.next_sequence(translator.sequence()));
            },
        };
        bounded(scan, &server.inbox).map_err(broken)?;
        Ok(scan.reached)
    }

    /// The server has asked for a file: the client sends it, and then the server has the word again.
    async fn upload(&mut self, client: &mut Conn, server: &mut Conn) -> Result<(), RelayError> {
        let (told, asked) = match self {
            Self::AsIs(scanner) => (scanner.sequence(), scanner.sequence()),
            Self::Translated(reply, _) => (reply.sequence(), reply.server_sequence()),
        };
        let mut upload = Upload::new(told, asked, client.is_compressed());
        loop {
            let scan = upload.scan(client.inbox.as_mut_slice());
            let scan = scan.map_err(|why| RelayError::Client(std::io::Error::other(why)))?;
            // What the client still sends belongs to no command: the session cannot go on.
            let lost = |error| RelayError::Server { source: ServerLost::Io(error), boundary: None };
            server.forward(client, scan.forward).await.map_err(lost)?;
            if scan.reached == Reached::End {
                break;
            }
            if client.fill().await.map_err(RelayError::Client)? == 0 {
                let gone = std::io::ErrorKind::UnexpectedEof.into();
                return Err(RelayError::Client(gone));
            }
        }
        let answer = upload.server_sequence();
        match self {
            Self::AsIs(scanner) => scanner.resume(answer),
            Self::Translated(reply, _) => {
                let next = upload.client_sequence();
                reply.resume(next.unwrap_or_else(|| client.next_sequence(answer)), answer);
            }
        }
        Ok(())
    }
}

fn bounded(scan: Scan, inbox: &Inbox) -> Result<(), Violation> {
    if scan.reached != Reached::End && inbox.len() > HELD_MAX {
        let (len, max) = (inbox.len() as u64, HELD_MAX as u64);
        return Err(Violation::TooLong { what: "packet to be seen whole", len, max });
    }
    Ok(())
}

/// How a statement went that was sent.
pub(super) struct Done {
    pub(super) summary: Summary,
    pub(super) told: Told,
    /// tidegate ended it at its time limit.
    pub(super) killed: bool,
}

/// A time limit, and what to do when it has passed.
pub(super) struct TimeLimit {
    pub(super) after: Duration,
    /// Ends the statement at the server, which then answers with an error.
    pub(super) kill: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// A server that was told to end a statement is given so long to say that it has.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// Relays one reply to its end. With a limit, the statement is killed when it has passed.
pub(super) async fn relay(
    client: &mut Conn,
    server: &mut Conn,
    expect: Expect,
    sides: Sides,
    limit: Option<TimeLimit>,
) -> Result<Done, RelayError> {
    let mut reply = Reply::new(expect, sides);
    let (mut told, mut killed) = (Told::default(), false);
    if let Some(limit) = limit
        && server.inbox.is_empty()
    {
        killed = Box::pin(wait(server, limit)).await.map_err(|source| reply.lost(source))?;
    }
    loop {
        if !server.inbox.is_empty() {
            let reached = reply.advance(client, server).await?;
            let changes = reply.take_changes();
            if !changes.is_empty() {
                told.add(&changes).map_err(|violation| reply.lost(violation))?;
            }
            match reached {
                Reached::End => return Ok(Done { summary: reply.summary(), told, killed }),
                Reached::File => Box::pin(reply.upload(client, server)).await?,
                _ => {}
            }
        }
        match server.fill().await {
            Ok(0) => return Err(reply.lost(ServerLost::Closed)),
            Ok(_) => {}
            Err(error) => return Err(reply.lost(error)),
        }
    }
}

/// Waits for the first bytes of a reply under a time limit.
async fn wait(server: &mut Conn, limit: TimeLimit) -> Result<bool, ServerLost> {
    tokio::select! {
        biased;
        filled = server.fill() => return first(filled?).map(|()| false),
        () = sleep(limit.after) => {}
    }
    limit.kill.await;
    tokio::select! {
        biased;
        filled = server.fill() => first(filled?).map(|()| true),
        () = sleep(KILL_GRACE) => {
            Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
        }
    }
}

fn first(count: usize) -> Result<(), ServerLost> {
    if count == 0 { Err(ServerLost::Closed) } else { Ok(()) }
}

/// Waits for the whole first packet of a reply, which must be short, and shows its payload.
pub(super) async fn first_packet(server: &mut Conn) -> Result<&mut [u8], ServerLost> {
    let held = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => ServerLost::Closed,
        _ => ServerLost::Io(error),
    };
    server.fill_to(HEADER_LEN).await.map_err(held)?;
    let header = server.inbox.as_slice().first_chunk::<HEADER_LEN>();
    let len = header.map_or(0, |header| Header::decode(*header).len);
    if len > HELD_MAX {
        let (len, max) = (len as u64, HELD_MAX as u64);
        return Err(Violation::TooLong { what: "reply", len, max }.into());
    }
    server.fill_to(HEADER_LEN + len).await.map_err(held)?;
    Ok(server.inbox.as_mut_slice().get_mut(HEADER_LEN..HEADER_LEN + len).unwrap_or_default())
}
