//! `[[upstream]]`: a group of servers that hold the same data, and how they are reached.

use std::path::PathBuf;
use std::time::Duration;

use crate::name;
use crate::secret::{self, Secret};
use crate::table::{Seen, Table, all};
use crate::value::Value;

/// What a listener or an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Mysql,
    Postgres,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }
}

/// What the servers of an upstream speak, and what only servers of that protocol need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    Mysql { rsa: ServerRsa },
    Postgres(PostgresUpstream),
}

/// How servers of PostgreSQL are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresUpstream {
    /// TLS begins at once, without a question.
    pub direct_tls: bool,
    /// The database that the account logs in to.
    pub account_database: String,
}

/// A named group of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub name: String,
    pub protocol: UpstreamProtocol,
    /// At least one; at most one is declared primary.
    pub servers: Vec<Server>,
    pub balance: Balance,
    /// A replica that is further behind serves no reads while another server can.
    pub max_lag: Option<Duration>,
    pub read_after_write: ReadAfterWrite,
    pub tls: ServerTls,
    pub pool: Pool,
    /// Who asks servers for their role, their health and their verifiers.
    pub account: Option<Account>,
    pub probe: Probe,
}

/// One member of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `host:port`.
    pub address: String,
    pub role: Role,
}

/// What a server is to its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The server is asked, with the upstream's account.
    Discover,
    Primary,
    Replica,
}

/// How one server is chosen among several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    #[default]
    LeastConnections,
    RoundRobin,
    /// The less busy of two that are drawn.
    Random,
}

/// Where a session that has written may read, of the statements that are for a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadAfterWrite {
    /// Wherever others may.
    #[default]
    None,
    /// From a replica that has executed what the session has written, by its GTIDs or its LSN. A
    /// replica is given so long for it, and then it is the primary.
    Position { wait: Duration },
    /// From the primary.
    Primary,
}

/// How long a replica is given where nothing is said.
const READ_AFTER_WRITE_WAIT: Duration = Duration::from_millis(100);

/// Encryption towards servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerTls {
    pub mode: ServerTlsMode,
    /// The authorities to trust; there with the two modes that verify.
    pub ca: Option<PathBuf>,
    /// tidegate's own certificate; always together with `key`.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// The name that the server's certificate must have, instead of its host's.
    pub server_name: Option<String>,
}

/// How much of TLS is demanded of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerTlsMode {
    #[default]
    Disable,
    /// If the server can; the certificate is not looked at.
    Prefer,
    /// Always; the certificate is not looked at.
    Require,
    /// The certificate must come from the authority.
    VerifyCa,
    /// It must also be made out to the server's name.
    VerifyFull,
}

impl ServerTlsMode {
    fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyFull)
    }
}

/// How long a session keeps its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolMode {
    /// From the first statement until it ends.
    #[default]
    Session,
    /// For a transaction, or as long as it has state that lives on one connection only.
    Transaction,
}

/// With which keys of servers a password is encrypted, where there is no TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerRsa {
    /// With none: without TLS, no password is sent.
    #[default]
    Refuse,
    /// With those in this file.
    Pinned(PathBuf),
    /// With whatever a server, or whoever stands between, says is its own.
    Any,
}

/// Limits of the connections to one server, for the whole process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub mode: PoolMode,
    /// Connections, idle ones included.
    pub max: usize,
    /// How long a session waits for a connection.
    pub wait: Duration,
    /// How many sessions may wait.
    pub queue: usize,
    /// How long a connection may lie idle before it is closed.
    pub idle: Duration,
    /// How old a connection may become.
    pub age: Duration,
    /// How long connecting and logging in may take.
    pub connect: Duration,
    /// Prepared statements that one connection keeps at its server.
    pub statements: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            mode: PoolMode::default(),
            max: 50,
            wait: Duration::from_secs(2),
            queue: 1000,
            idle: Duration::from_secs(300),
            age: Duration::from_secs(3600),
            connect: Duration::from_secs(3),
            statements: 200,
        }
    }
}

/// tidegate's own login at the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub password: Secret,
}

/// How servers are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    pub timeout: Duration,
    /// This many in a row take a server out.
    pub failures: u32,
}

impl Default for Probe {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), timeout: Duration::from_secs(1), failures: 2 }
    }
}

pub(crate) const PROTOCOLS: [(&str, Protocol); 2] =
    [("mysql", Protocol::Mysql), ("postgres", Protocol::Postgres)];

/// Where the account of an upstream of PostgreSQL logs in if nothing is said.
const ACCOUNT_DATABASE: &str = "postgres";

/// What listeners need to know of an upstream, even of one with errors.
pub(crate) struct Outline<'d> {
    pub(crate) name: &'d str,
    pub(crate) has_account: bool,
    /// `None` if it is wrong, which is told elsewhere.
    pub(crate) protocol: Option<Protocol>,
}

/// The outlines of all upstreams; what is wrong with them is reported by [`read`] alone.
pub(crate) fn outlines<'d>(root: &mut Table<'d>) -> Vec<Outline<'d>> {
    root.peek_tables("upstream", |table| {
        let name = table.get("name").and_then(|name| name.as_str())?;
        let said = table.get("protocol").and_then(|protocol| protocol.as_str());
        let known = PROTOCOLS.iter().find(|(name, _)| Some(*name) == said);
        let protocol = known.map(|(_, protocol)| *protocol);
        Some(Outline { name, has_account: table.get("account").is_some(), protocol })
    })
}

pub(crate) fn read(table: &mut Table<'_>, seen: &mut Seen) -> Option<Upstream> {
    let name = table.required("name", |value| {
        let name = name::read(value)?;
        seen.claim(value, &name);
        Some(name)
    });
    let protocol = table.required("protocol", |value| value.choice(&PROTOCOLS));
    let servers = table.required("servers", servers);
    let balance = table.optional("balance", |value| {
        value.choice(&[
            ("least-connections", Balance::LeastConnections),
            ("round-robin", Balance::RoundRobin),
            ("random", Balance::Random),
        ])
    });
    let tls = table.optional("tls", |value| tls(value, protocol));
    let rsa = table.optional_of("rsa", protocol, Protocol::Mysql, rsa);
    let pool = table.optional("pool", pool);
    let has_account = table.get("account").is_some();
    let account = table.optional("account", |value| account(value, protocol));
    let max_lag = table.optional("max_lag", |value| max_lag(value, has_account));
    let read_after_write = read_after_write(table, protocol);
    let probe = table.optional("probe", probe);
    let (tls, direct_tls) = tls.unwrap_or_default();
    let (account, account_database) = account.unzip();
    let protocol = match protocol? {
        Protocol::Mysql => UpstreamProtocol::Mysql { rsa: rsa.unwrap_or_default() },
        Protocol::Postgres => UpstreamProtocol::Postgres(PostgresUpstream {
            direct_tls,
            account_database: account_database.unwrap_or_else(|| ACCOUNT_DATABASE.to_owned()),
        }),
    };
    Some(Upstream {
        name: name?,
        protocol,
        servers: with_roles(table, servers?, has_account)?,
        balance: balance.unwrap_or_default(),
        max_lag,
        read_after_write: read_after_write.unwrap_or_default(),
        tls,
        pool: pool.unwrap_or_default(),
        account,
        probe: probe.unwrap_or_default(),
    })
}

fn servers(value: &Value<'_>) -> Option<Vec<Server>> {
    let items = value.items()?;
    if items.is_empty() {
        return value.fail("must not be empty");
    }
    let mut seen = Seen::default();
    let servers = all(items.iter().map(|item| server(item, &mut seen)))?;
    if servers.iter().filter(|server| server.role == Role::Primary).count() > 1 {
        return value.fail("only one server can have the role `primary`");
    }
    Some(servers)
}

/// Either `"host:port"` or `{ address = "host:port", role = "replica" }`.
fn server(item: &Value<'_>, seen: &mut Seen) -> Option<Server> {
    let mut address_of = |value: &Value<'_>| {
        let address = name::host_and_port(value)?;
        seen.claim(value, &address);
        Some(address)
    };
    if item.as_str().is_some() {
        return Some(Server { address: address_of(item)?, role: Role::Discover });
    }
    item.table(|table| {
        let address = table.required("address", address_of);
        let role = table.optional("role", |value| {
            value.choice(&[
                ("discover", Role::Discover),
                ("primary", Role::Primary),
                ("replica", Role::Replica),
            ])
        });
        Some(Server { address: address?, role: role.unwrap_or(Role::Discover) })
    })
}

fn max_lag(value: &Value<'_>, has_account: bool) -> Option<Duration> {
    if !has_account {
        return value.fail("lag is asked for with the `account`, which is missing");
    }
    value.duration()
}

fn read_after_write(table: &mut Table<'_>, protocol: Option<Protocol>) -> Option<ReadAfterWrite> {
    let position = match protocol {
        Some(Protocol::Postgres) => "lsn",
        Some(Protocol::Mysql) | None => "gtid",
    };
    let said = table.optional("read_after_write", |value| {
        value.choice(&[
            ("none", ReadAfterWrite::None),
            (position, ReadAfterWrite::Position { wait: READ_AFTER_WRITE_WAIT }),
            ("primary", ReadAfterWrite::Primary),
        ])
    });
    let waits = matches!(said, Some(ReadAfterWrite::Position { .. }));
    let wait = table.optional("read_after_write_wait", |value| match waits {
        true => value.duration_or_zero(),
        false => value.fail(format!("needs `read_after_write = {position:?}`")),
    });
    Some(match (said?, wait) {
        (ReadAfterWrite::Position { .. }, Some(wait)) => ReadAfterWrite::Position { wait },
        (said, _) => said,
    })
}

/// A role can only be discovered with an account; a server that is alone has nobody to lose it to.
fn with_roles(table: &Table<'_>, mut servers: Vec<Server>, account: bool) -> Option<Vec<Server>> {
    let unknown = servers.iter().any(|server| server.role == Role::Discover);
    match servers.as_mut_slice() {
        [alone] if unknown => alone.role = Role::Primary,
        [..] if unknown && !account => {
            return table.fail(
                "servers",
                "roles are discovered with the `account`, which is missing; \
                 add it or give each server a `role`",
            );
        }
        [..] => {}
    }
    Some(servers)
}

/// With whether it begins at once.
fn tls(value: &Value<'_>, protocol: Option<Protocol>) -> Option<(ServerTls, bool)> {
    value.table(|table| {
        let mode = table.optional("mode", |value| {
            value.choice(&[
                ("disable", ServerTlsMode::Disable),
                ("prefer", ServerTlsMode::Prefer),
                ("require", ServerTlsMode::Require),
                ("verify-ca", ServerTlsMode::VerifyCa),
                ("verify-full", ServerTlsMode::VerifyFull),
            ])
        });
        let has_ca = table.get("ca").is_some();
        let ca = table.optional("ca", Value::readable);
        let (certificate, key) = certificate_and_key(table);
        let server_name = table.optional("server_name", Value::text).map(str::to_owned);
        let direct = table.optional_of("negotiation", protocol, Protocol::Postgres, |value| {
            value.choice(&[("request", false), ("direct", true)])
        });
        let direct = direct.unwrap_or_default();
        let mode = mode.unwrap_or(ServerTlsMode::VerifyFull);
        if direct && matches!(mode, ServerTlsMode::Disable | ServerTlsMode::Prefer) {
            return table.fail("negotiation", "`direct` needs a mode that demands TLS");
        }
        if mode.verifies() && !has_ca {
            return table.fail("ca", "is missing; without it no certificate can be verified");
        }
        if has_ca && !mode.verifies() {
            return table.fail("ca", "needs the mode `verify-ca` or `verify-full`");
        }
        Some((ServerTls { mode, ca, certificate, key, server_name }, direct))
    })
}

/// tidegate's own certificate: both files or none.
fn certificate_and_key(table: &mut Table<'_>) -> (Option<PathBuf>, Option<PathBuf>) {
    let given = (table.get("certificate").is_some(), table.get("key").is_some());
    match given {
        (true, false) => table.fail::<()>("key", "is missing; the `certificate` needs it"),
        (false, true) => table.fail("certificate", "is missing; the `key` belongs to one"),
        _ => None,
    };
    (table.optional("certificate", Value::readable), table.optional("key", Value::readable))
}

#[derive(Clone, Copy, PartialEq)]
enum RsaMode {
    Refuse,
    Pinned,
    Any,
}

fn rsa(value: &Value<'_>) -> Option<ServerRsa> {
    value.table(|table| {
        let mode = table.optional("mode", |value| {
            value.choice(&[
                ("refuse", RsaMode::Refuse),
                ("pinned", RsaMode::Pinned),
                ("any", RsaMode::Any),
            ])
        });
        let has_keys = table.get("keys").is_some();
        let keys = table.optional("keys", Value::readable);
        match (mode.unwrap_or(RsaMode::Pinned), has_keys) {
            (RsaMode::Pinned, true) => keys.map(ServerRsa::Pinned),
            (RsaMode::Pinned, false) => {
                table.fail("keys", "is missing; it names the file with the servers' public keys")
            }
            (_, true) => table.fail("keys", "needs the mode `pinned`"),
            (RsaMode::Refuse, false) => Some(ServerRsa::Refuse),
            (RsaMode::Any, false) => Some(ServerRsa::Any),
        }
    })
}

fn pool(value: &Value<'_>) -> Option<Pool> {
    value.table(|table| {
        let default = Pool::default();
        let mode = table.optional("mode", |value| {
            value.choice(&[("session", PoolMode::Session), ("transaction", PoolMode::Transaction)])
        });
        let max = table.optional("max", |value| value.count(1..=65_535));
        let wait = table.optional("wait", Value::duration_or_zero);
        let queue = table.optional("queue", |value| value.count(0..=1_000_000));
        let idle = table.optional("idle", Value::duration);
        let age = table.optional("age", Value::duration);
        let connect = table.optional("connect", Value::duration);
        let statements = table.optional("statements", |value| value.count(1..=16_382));
        Some(Pool {
            mode: mode.unwrap_or(default.mode),
            max: max.unwrap_or(default.max),
            wait: wait.unwrap_or(default.wait),
            queue: queue.unwrap_or(default.queue),
            idle: idle.unwrap_or(default.idle),
            age: age.unwrap_or(default.age),
            connect: connect.unwrap_or(default.connect),
            statements: statements.unwrap_or(default.statements),
        })
    })
}

/// With the database that it logs in to.
fn account(value: &Value<'_>, protocol: Option<Protocol>) -> Option<(Account, String)> {
    value.table(|table| {
        let user = table.required("user", Value::text).map(str::to_owned);
        let password = table.required("password", secret::read);
        let database = table.optional_of("database", protocol, Protocol::Postgres, Value::text);
        let database = database.unwrap_or(ACCOUNT_DATABASE).to_owned();
        Some((Account { user: user?, password: password? }, database))
    })
}

fn probe(value: &Value<'_>) -> Option<Probe> {
    value.table(|table| {
        let default = Probe::default();
        let interval = table.optional("interval", Value::duration);
        let timeout = table.optional("timeout", Value::duration);
        let failures = table.optional("failures", |value| value.count(1..=1000));
        Some(Probe {
            interval: interval.unwrap_or(default.interval),
            timeout: timeout.unwrap_or(default.timeout),
            failures: failures.and_then(|n| n.try_into().ok()).unwrap_or(default.failures),
        })
    })
}
