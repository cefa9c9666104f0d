//! Users as the servers of the upstream know them, read by its service account.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use thiserror::Error;
use tidegate_mysql_wire::auth::{Flow, Verifier};
use tidegate_mysql_wire::packet::ErrPacket;
use tracing::debug;
use zeroize::Zeroizing;

use crate::locked;
use crate::pool::{DialError, Rows, ServerConn, ServerLost, Upstream, service};

/// What was read is good for so long; a wrong password has it read again sooner.
const FRESH: Duration = Duration::from_secs(30);
/// A wrong password has a user read again, but not more often than this.
const REREAD: Duration = Duration::from_secs(1);
/// Names are made up by whoever knocks; no more than this are remembered.
const KNOWN_MAX: usize = 10_000;

/// The servers could not be asked.
#[derive(Debug, Error)]
pub(crate) enum Unavailable {
    #[error("the upstream has no account to read its users with")]
    NoAccount,
    #[error("no server of the upstream is alive")]
    NoServer,
    #[error("{0}")]
    Dial(#[from] DialError),
    #[error("{0}")]
    Lost(#[from] ServerLost),
    #[error("the account may not read mysql.user: {0}")]
    Refused(ErrPacket),
}

pub(crate) struct ServerUsers {
    upstream: Arc<Upstream>,
    flow: Flow,
    known: Mutex<HashMap<String, Known>>,
    /// One connection to ask over, kept between logins.
    connection: tokio::sync::Mutex<Option<ServerConn>>,
}

struct Known {
    accounts: Arc<Vec<Account>>,
    read: Instant,
}

/// A row of `mysql.user`.
struct Account {
    host: String,
    plugin: String,
    stored: Zeroizing<Vec<u8>>,
}

impl ServerUsers {
    pub(super) fn new(upstream: Arc<Upstream>, flow: Flow) -> Self {
        let (known, connection) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { upstream, flow, known, connection }
    }

    pub(super) async fn find(
        &self,
        user: &str,
        peer: Option<SocketAddr>,
    ) -> Result<Verifier, Unavailable> {
        let accounts = match self.fresh(user) {
            Some(accounts) => accounts,
            None => self.read(user).await?,
        };
        let Some(account) = best(&accounts, peer) else {
            return Ok(Verifier::Unknown(self.flow));
        };
        Ok(Verifier::parse_stored(&account.plugin, &account.stored).unwrap_or_else(|why| {
            debug!(user, "a user cannot log in through tidegate: {why}");
            Verifier::Unknown(self.flow)
        }))
    }

    pub(super) fn forget(&self, user: &str) {
        let mut known = locked(&self.known);
        if known.get(user).is_some_and(|known| known.read.elapsed() >= REREAD) {
            known.remove(user);
        }
    }

    fn fresh(&self, user: &str) -> Option<Arc<Vec<Account>>> {
        let known = locked(&self.known);
        let known = known.get(user).filter(|known| known.read.elapsed() < FRESH)?;
        Some(Arc::clone(&known.accounts))
    }

    async fn read(&self, user: &str) -> Result<Arc<Vec<Account>>, Unavailable> {
        let rows = self.ask(&question(user)).await?;
        let accounts: Vec<Account> = rows.into_iter().filter_map(account).collect();
        let accounts = Arc::new(accounts);
        let mut known = locked(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        let entry = Known { accounts: Arc::clone(&accounts), read: Instant::now() };
        known.insert(user.to_owned(), entry);
        Ok(accounts)
    }

    async fn ask(&self, question: &str) -> Result<Rows, Unavailable> {
        let mut slot = self.connection.lock().await;
        if let Some(mut connection) = slot.take()
            && let Ok(answer) = connection.query(question).await
        {
            *slot = Some(connection);
            return answer.map_err(Unavailable::Refused);
        }
        let mut connection = self.connect().await?;
        let answer = connection.query(question).await?;
        *slot = Some(connection);
        answer.map_err(Unavailable::Refused)
    }

    async fn connect(&self) -> Result<ServerConn, Unavailable> {
        let account = self.upstream.account.as_ref().ok_or(Unavailable::NoAccount)?;
        let (identity, credential) = service(account);
        let mut failure = Unavailable::NoServer;
        for server in self.upstream.servers.iter().filter(|server| server.is_up()) {
            match server.dial(&identity, &credential).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }
}

/// The name goes in as hexadecimal digits, so that it cannot be anything but a name.
fn question(user: &str) -> String {
    let digits: String = user.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "SELECT host, plugin, authentication_string FROM mysql.user \
         WHERE user = CONVERT(X'{digits}' USING utf8mb4)"
    )
}

fn account(row: Vec<Option<Vec<u8>>>) -> Option<Account> {
    let [host, plugin, stored]: [Option<Vec<u8>>; 3] = row.try_into().ok()?;
    Some(Account {
        host: String::from_utf8(host?).ok()?,
        plugin: String::from_utf8(plugin.unwrap_or_default()).ok()?,
        stored: Zeroizing::new(stored.unwrap_or_default()),
    })
}

/// The account that a server would take for a client from there: the most specific host.
fn best(accounts: &[Account], peer: Option<SocketAddr>) -> Option<&Account> {
    let address = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
    let local = peer.is_some_and(|peer| peer.ip().is_loopback());
    let rank = |account: &&Account| match account.host.as_str() {
        host if host == address => 0,
        "localhost" if local => 1,
        host if matches(host, &address) && host != "%" => 2,
        "%" | "" => 3,
        _ => 4,
    };
    accounts.iter().min_by_key(rank).filter(|account| rank(account) < 4)
}

/// A pattern like `10.0.%`.
fn matches(pattern: &str, address: &str) -> bool {
    pattern.strip_suffix('%').is_some_and(|prefix| address.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(host: &str) -> Account {
        Account { host: host.to_owned(), plugin: String::new(), stored: Zeroizing::default() }
    }

    #[test]
    fn the_most_specific_host_wins() {
        let accounts = ["%", "10.1.%", "10.1.2.3", "localhost"].map(account);
        let host = |peer: &str| best(&accounts, Some(peer.parse().unwrap())).unwrap().host.clone();
        assert_eq!(host("10.1.2.3:1"), "10.1.2.3");
        assert_eq!(host("10.1.9.9:1"), "10.1.%");
        assert_eq!(host("10.2.9.9:1"), "%");
        assert_eq!(host("127.0.0.1:1"), "localhost");
        assert!(best(&accounts[1..], Some("192.168.0.1:1".parse().unwrap())).is_none());
    }

    #[test]
    fn a_name_cannot_be_anything_but_a_name() {
        assert!(question("a' OR 1=1 -- ").contains("X'6127204f5220313d31202d2d20'"));
    }
}
