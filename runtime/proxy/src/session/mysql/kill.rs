//! `KILL` and `COM_PROCESS_KILL`: the numbers that clients know are sessions here, not connections
//! of a server.

use tidegate_mysql_wire::error_code::{ER_KILL_DENIED, ER_NO_SUCH_THREAD, ER_QUERY_INTERRUPTED};
use tidegate_mysql_wire::packet::ErrPacket;
use tidegate_mysql_wire::relay::Expect;
use tidegate_sql::{Dialect, Kind, Token, TokenKind, tokens};
use tracing::info;

use super::command::Head;
use super::statement::{Asked, Outgoing};
use super::trace::Trace;
use super::{End, Session};
use crate::pool::mysql::Identity;
use crate::sessions::FIRST_ID;

/// What to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kill {
    id: u32,
    /// The session goes on.
    only_query: bool,
}

/// Reads `KILL [HARD | SOFT] [CONNECTION | QUERY] number`, if the number is one of ours.
pub(super) fn kill(text: &[u8]) -> Option<Kill> {
    let mut words =
        tokens(text, Dialect::Mysql).filter(|token| token.kind != TokenKind::Comment).peekable();
    let is = |token: &Token<'_>, word: &[u8]| token.bytes.eq_ignore_ascii_case(word);
    words.next_if(|token| is(token, b"KILL"))?;
    words.next_if(|token| is(token, b"HARD") || is(token, b"SOFT"));
    let what = words.next_if(|token| is(token, b"CONNECTION") || is(token, b"QUERY"));
    let number = words.next()?;
    let id = std::str::from_utf8(number.bytes).ok()?.parse().ok()?;
    let only_query = what.is_some_and(|what| is(&what, b"QUERY"));
    (id >= FIRST_ID).then_some(Kill { id, only_query })
}

impl Session {
    pub(super) async fn process_kill(&mut self, head: Head) -> Result<(), End> {
        let argument = head.argument(&self.client.inbox).first_chunk();
        let id = argument.map(|id| u32::from_le_bytes(*id)).filter(|id| *id >= FIRST_ID);
        let Some(id) = id else {
            let asked = Asked::unasked(Kind::Admin, Trace::None);
            return self.carry_out(&asked, &mut Outgoing::Frames(head), Expect::Simple).await;
        };
        self.discard(head).await?;
        self.kill(Kill { id, only_query: false }).await
    }

    /// Ends what another session does, or that session, as far as this user may.
    pub(super) async fn kill(&mut self, kill: Kill) -> Result<(), End> {
        match self.killed(kill).await {
            Ok(()) => self.send_ok().await,
            Err(error) => self.send_error(self.reply_sequence, &error).await,
        }
    }

    async fn killed(&mut self, kill: Kill) -> Result<(), ErrPacket> {
        let Some(victim) = self.listener.open_sessions().get(kill.id) else {
            let message = format!("Unknown thread id: {}", kill.id);
            return Err(ErrPacket::new(ER_NO_SUCH_THREAD, message));
        };
        if victim.id == self.listed.id {
            if !kill.only_query {
                victim.kill();
            }
            return Err(ErrPacket::new(ER_QUERY_INTERRUPTED, "Query execution was interrupted"));
        }
        let aim = victim.aim();
        let own = victim.is_of(&self.context.user);
        match aim.running() {
            // The server knows whether this user may.
            Some((place, connection)) => {
                let what = if kill.only_query { "QUERY" } else { "CONNECTION" };
                let upstream = self.listener.upstreams().get(place.upstream);
                let server = upstream.and_then(|upstream| upstream.servers.get(place.server));
                let gone = || ErrPacket::new(ER_NO_SUCH_THREAD, "its server is gone");
                let server = server.ok_or_else(gone)?;
                let identity = Identity { database: None, ..(*self.identity).clone() };
                let lost = |error: &dyn std::fmt::Display| {
                    ErrPacket::new(ER_NO_SUCH_THREAD, format!("tidegate: cannot kill: {error}"))
                };
                let dialled = server.dial(&identity, &self.credential).await;
                let mut killer = dialled.map_err(|error| lost(&error))?;
                let said = killer.query(&format!("KILL {what} {connection}")).await;
                said.map_err(|error| lost(&error))??;
            }
            None if own => {}
            None => {
                let message = format!("You are not owner of thread {}", kill.id);
                return Err(ErrPacket::new(ER_KILL_DENIED, message));
            }
        }
        info!(session = self.context.id, killed = kill.id, only_query = kill.only_query, "killed");
        if !kill.only_query {
            victim.kill();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_kill() {
        let id = FIRST_ID + 7;
        let of = |text: &str| kill(text.replace('#', &id.to_string()).as_bytes());
        let found = |only_query| Some(Kill { id, only_query });
        assert_eq!(of("KILL #"), found(false));
        assert_eq!(of("kill query #"), found(true));
        assert_eq!(of("/* x */ KILL SOFT CONNECTION #"), found(false));
        assert_eq!(of("KILL 5"), None);
        assert_eq!(of("KILL USER app"), None);
        assert_eq!(of("KILL QUERY ID #"), None);
        assert_eq!(of("SELECT #"), None);
    }
}
