//! Users as the servers of the upstream know them, read by its service account.

mod questions;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate_mysql_wire::auth::Verifier;
use tidegate_mysql_wire::packet::ErrPacket;

use self::questions::Interrogator;
use super::account::Account;
use super::host::rank;
use super::{Decoys, Found, Rules, Unavailable, ask};
use crate::locked;
use crate::pool::mysql::Upstream;

/// What was read is good for so long; a wrong password has it read again sooner.
const FRESH: Duration = Duration::from_secs(30);
/// A wrong password has a user read again, but not more often than this.
const REREAD: Duration = Duration::from_secs(1);
/// What methods are in use changes rarely.
const METHODS_FRESH: Duration = Duration::from_secs(300);
/// Names are made up by whoever knocks; no more than this are remembered.
const KNOWN_MAX: usize = 10_000;

pub(crate) struct ServerUsers {
    upstream: Arc<Upstream>,
    known: Mutex<HashMap<String, Known>>,
    /// One connection to ask over, kept between logins.
    connection: tokio::sync::Mutex<Option<Interrogator>>,
}

#[derive(Clone)]
struct Known {
    accounts: Arc<Vec<Account>>,
    read: Instant,
}

impl ServerUsers {
    pub(super) fn new(upstream: Arc<Upstream>) -> Self {
        let (known, connection) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { upstream, known, connection }
    }

    pub(super) async fn find(
        &self,
        user: &str,
        peer: Option<SocketAddr>,
        decoys: &Decoys,
    ) -> Result<Found, Unavailable> {
        let known = match self.known(user).filter(|known| known.read.elapsed() < FRESH) {
            Some(known) => known,
            None => self.read(user, decoys).await?,
        };
        Ok(known.found(user, peer, decoys))
    }

    /// Reads a user again whose password did not match; `None` if it was read a moment ago.
    pub(super) async fn find_again(
        &self,
        user: &str,
        peer: Option<SocketAddr>,
        decoys: &Decoys,
    ) -> Result<Option<Found>, Unavailable> {
        if self.known(user).is_some_and(|known| known.read.elapsed() < REREAD) {
            return Ok(None);
        }
        Ok(Some(self.read(user, decoys).await?.found(user, peer, decoys)))
    }

    pub(super) fn forget(&self, user: &str) {
        locked(&self.known).remove(user);
    }

    fn known(&self, user: &str) -> Option<Known> {
        locked(&self.known).get(user).cloned()
    }

    async fn read(&self, user: &str, decoys: &Decoys) -> Result<Known, Unavailable> {
        let accounts = Arc::new(self.ask(user, decoys).await?);
        let entry = Known { accounts, read: Instant::now() };
        let mut known = locked(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(user.to_owned(), entry.clone());
        Ok(entry)
    }

    async fn ask(&self, user: &str, decoys: &Decoys) -> Result<Vec<Account>, Unavailable> {
        let mut slot = self.connection.lock().await;
        if let Some(mut connection) = slot.take()
            && connection.age() < METHODS_FRESH
            && let Ok(answer) = connection.accounts(user).await
        {
            *slot = Some(connection);
            return answer.map_err(refused);
        }
        let mut connection = Interrogator::new(ask::connect(&self.upstream).await?);
        decoys.set(connection.flows().await?);
        let answer = connection.accounts(user).await?;
        *slot = Some(connection);
        answer.map_err(refused)
    }
}

fn refused(error: ErrPacket) -> Unavailable {
    Unavailable::Refused(error.to_string())
}

impl Known {
    /// The account that a server would take for a client from there.
    fn found(&self, user: &str, peer: Option<SocketAddr>, decoys: &Decoys) -> Found {
        let address = peer.map(|peer| peer.ip());
        let ranked = self.accounts.iter().filter_map(|one| Some((rank(&one.host, address)?, one)));
        let account = ranked.min_by_key(|(rank, _)| *rank).map(|(_, account)| account);
        match account.and_then(|account| Some((account.verifier.clone()?, account))) {
            Some((verifier, account)) => Found { verifier, rules: account.rules.clone() },
            None => {
                Found { verifier: Verifier::Unknown(decoys.nobody(user)), rules: Rules::default() }
            }
        }
    }
}
