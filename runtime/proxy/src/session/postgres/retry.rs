//! Statements that a replica turns out not to take: they are sent again, to the primary, as long as the
//! client has heard nothing.

use bytes::Bytes;
use tidegate_hook::{Member, Target};
use tidegate_postgres_wire::relay::Reached;
use tracing::debug;

use super::replies::Retry;
use super::requests::HELD_MAX;
use super::statement::Asked;
use super::{End, Session};
use crate::pool::ServerLost;
use crate::route::{Place, Role};

impl Session {
    /// Where the plugins want a statement, or where it is known that it must go.
    pub(super) fn wished(&self, asked: &Asked) -> Option<Target> {
        let target = asked.verdict.target.and_then(|id| self.listener.targets().get(id))?;
        let upstream = self.listener.upstreams().get(target.upstream)?;
        let learned = target.member == Member::Replica
            && upstream.servers.first().is_some_and(|server| server.writes(asked.digest));
        Some(if learned { Target { member: Member::Primary, ..target } } else { target })
    }

    /// The requests in so many bytes of the client's inbox are all that is sent now. If they go to a
    /// replica, what is needed to send them elsewhere is kept.
    pub(super) fn arm_retry(
        &mut self,
        place: Place,
        wished: Option<Target>,
        digests: impl Iterator<Item = u64>,
        bytes: usize,
    ) {
        // Elsewhere goes only what a plugin has sent to some replica, and what can be told by its text.
        let is_for_replica = wished.is_some_and(|wished| wished.member == Member::Replica);
        if self.owed.retried
            || !is_for_replica
            || self.owed.sent() > 0
            || self.bound().is_some()
            || bytes > HELD_MAX
        {
            return;
        }
        let Some(held) = self.leases.at(place) else { return };
        if held.leased.server().role() != Role::Replica {
            return;
        }
        let digests: Vec<u64> = digests.collect();
        if digests.is_empty() || digests.contains(&0) {
            return;
        }
        let requests = self.client.inbox.as_slice().get(..bytes).unwrap_or_default();
        let requests = Bytes::copy_from_slice(requests);
        let before = self.pipe.to_client.len();
        self.owed.retry = Some(Retry { requests, digests, before });
        self.pipe.held = true;
    }

    /// A replica has refused to write. Its answer is dropped, and the client's requests are taken
    /// again.
    pub(super) async fn try_again(&mut self, place: Place) -> Result<(), End> {
        let Some(Retry { requests, digests, before }) = self.owed.retry.take() else {
            return Ok(());
        };
        let Some(held) = self.leases.at(place) else { return Ok(()) };
        for digest in digests {
            held.leased.server().learn_write(digest);
        }
        debug!(
            session = self.context.id,
            "a statement for a replica writes; it goes to the primary"
        );
        let connection = held.leased.connection();
        connection.conn.inbox.consume(std::mem::take(&mut self.pipe.forward));
        self.pipe.to_client.truncate(before);
        connection.scanner.discard();
        let dropped = drop_answers(connection).await;
        self.undo_unconfirmed(place);
        self.owes_nothing();
        self.owed.retried = true;
        self.client.inbox.put_back(&requests);
        match dropped {
            Ok(()) => self.rest(place).await.map(drop),
            Err(lost) => {
                debug!(session = self.context.id, "a replica was lost: {lost}");
                self.drop_at(place);
                Ok(())
            }
        }
    }
}

/// Reads what a server still says to what it was asked, for nobody.
async fn drop_answers(
    connection: &mut crate::pool::postgres::ServerConn,
) -> Result<(), ServerLost> {
    loop {
        let scan = connection.scanner.scan(connection.conn.inbox.as_slice())?;
        connection.conn.inbox.consume(scan.forward);
        match scan.reached {
            Reached::Answered => return Ok(()),
            Reached::Drop(count) => connection.conn.inbox.consume(count),
            Reached::More => {
                if connection.conn.fill().await? == 0 {
                    return Err(ServerLost::Closed);
                }
            }
            Reached::Error(_)
            | Reached::Ours(_)
            | Reached::CopyIn
            | Reached::CopyBoth
            | Reached::Ready => {}
        }
    }
}
