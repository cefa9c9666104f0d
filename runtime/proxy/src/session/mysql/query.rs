//! `COM_QUERY`, and the other commands that are sent on as they are.

use tidegate_hook::StatementTraits;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::relay::Expect;
use tidegate_sql::Kind;

use super::attributes;
use super::command::Head;
use super::kill::kill;
use super::reply::Form;
use super::statement::{Asked, Outgoing, Packet};
use super::trace::{Follows, Trace, used};
use super::{End, Session};
use crate::pool::mysql::Entry;

impl Session {
    pub(super) async fn query(&mut self, mut head: Head) -> Result<(), End> {
        self.find_text(&mut head)?;
        let mut traits = StatementTraits::empty();
        traits.set(StatementTraits::TRUNCATED, !head.is_whole());
        let asked = self.ask_client(head, traits);
        self.hold_back(&asked).await;
        if let Some(answer) = &asked.verdict.answer {
            self.discard(head).await?;
            return self.answer(&asked, answer, Form::Text).await;
        }
        // Where nobody looks at statements, their first letter has to do.
        if (asked.kind == Kind::Admin || self.opaque && self.may_kill(head))
            && let Some(kill) = kill(head.argument(&self.client.inbox))
        {
            self.discard(head).await?;
            return Box::pin(self.kill(kill)).await;
        }
        if let Some(counted) = self.counted(asked.follows) {
            self.discard(head).await?;
            return self.answer(&asked, &counted, Form::Text).await;
        }
        let mut outgoing = match &asked.verdict.rewrite {
            None => {
                if head.is_whole() {
                    self.mirror(&asked, head.argument(&self.client.inbox));
                }
                Outgoing::Frames(head)
            }
            Some(text) => {
                self.mirror(&asked, text.as_bytes());
                let attributes = head.attributes(&self.client.inbox);
                let packet = Packet::new(Command::Query, attributes, text.as_bytes());
                self.discard(head).await?;
                Outgoing::Packet(packet)
            }
        };
        self.carry_out(&asked, &mut outgoing, Expect::Results).await
    }

    /// `COM_INIT_DB`: as `USE`, and nobody is asked.
    pub(super) async fn init_db(&mut self, head: Head) -> Result<(), End> {
        let argument = head.argument(&self.client.inbox);
        let name = String::from_utf8_lossy(argument).into_owned();
        let trace = used(Command::InitDb, argument, name.into());
        let asked = Asked::unasked(Kind::SessionState, trace);
        self.carry_out(&asked, &mut Outgoing::Frames(head), Expect::Simple).await
    }

    /// `COM_SET_OPTION`: whether a text may hold several statements.
    pub(super) async fn set_option(&mut self, head: Head) -> Result<(), End> {
        let argument = head.argument(&self.client.inbox).into();
        let names = vec![b"multi statements"[..].into()];
        let entry = Entry { command: Command::SetOption, argument, names, constant: true };
        let trace = Trace::Said { entry: std::sync::Arc::new(entry), database: None };
        let asked = Asked::unasked(Kind::SessionState, trace);
        self.carry_out(&asked, &mut Outgoing::Frames(head), Expect::Simple).await
    }

    /// A command that leaves nothing behind.
    pub(super) async fn plain(&mut self, head: Head, expect: Expect) -> Result<(), End> {
        let asked = Asked::unasked(Kind::Admin, Trace::None);
        self.carry_out(&asked, &mut Outgoing::Frames(head), expect).await
    }

    /// Chooses a connection, sends, relays, and takes note of how it went.
    pub(super) async fn carry_out(
        &mut self,
        asked: &Asked,
        outgoing: &mut Outgoing,
        expect: Expect,
    ) -> Result<(), End> {
        let place = match self.place_ready(asked).await {
            Ok(place) => place,
            Err(error) => {
                self.drain(outgoing).await?;
                return self.refuse(asked, &error).await;
            }
        };
        if let Some(done) = self.run_at(place, outgoing, expect, asked).await? {
            self.settle(place, asked.kind, &asked.trace, &done);
            self.finish_done(asked, place, &done);
        }
        Ok(())
    }

    fn may_kill(&self, head: Head) -> bool {
        let text = head.argument(&self.client.inbox).trim_ascii_start();
        matches!(text.first(), Some(b'k' | b'K'))
    }

    /// A plugin wants the statement, or its answer, to come later.
    pub(super) async fn hold_back(&mut self, asked: &Asked) {
        if let Some(delay) = asked.verdict.delay() {
            Box::pin(tokio::time::sleep(delay)).await;
        }
    }

    /// Looks at the text of a command that is still in the client's inbox.
    pub(super) fn ask_client(&mut self, head: Head, traits: StatementTraits) -> Asked {
        // The inbox is lent out for the time of the question; it holds the text.
        let inbox = std::mem::take(&mut self.client.inbox);
        let asked = self.ask(head.argument(&inbox), traits, &attributes::of_query(head, &inbox));
        self.client.inbox = inbox;
        asked
    }
}

impl Asked {
    /// For what plugins are not asked about.
    pub(super) fn unasked(kind: Kind, trace: Trace) -> Self {
        Self {
            started: std::time::Instant::now(),
            kind,
            digest: 0,
            verdict: tidegate_hook::Verdict::default(),
            follows: Follows::Nothing,
            trace,
            logged: None,
        }
    }
}
