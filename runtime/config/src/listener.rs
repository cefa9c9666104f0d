//! `[[listener]]`: an address where clients connect.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::name;
use crate::process::Admin;
use crate::table::{Seen, Table, all, hint};
use crate::upstream::{Outline, PROTOCOLS, Protocol};
use crate::users::{self, AuthMethod, User, UserSecret};
use crate::value::Value;

/// Drivers read the greeting's version into small buffers, in bytes.
const LONGEST_VERSION: usize = 60;

/// An address where clients connect, with one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub name: String,
    pub protocol: ListenerProtocol,
    /// Port 0 lets the system choose.
    pub bind: SocketAddr,
    /// Where statements go unless a plugin says otherwise; the name of an upstream that is there.
    pub upstream: String,
    /// `None`: clients cannot use TLS.
    pub tls: Option<ClientTls>,
    pub auth: Auth,
    /// The plugins of this listener in their order; `None` for all that are loaded.
    pub plugins: Option<Vec<String>>,
    pub query_log: Option<QueryLog>,
    /// Clients beyond this many are turned away.
    pub max_sessions: usize,
    /// From accepting a client to the end of its login.
    pub login_timeout: Duration,
    /// How long a client may say nothing; `None` for ever.
    pub idle_timeout: Option<Duration>,
    /// The longest packet that a client may send, in bytes.
    pub max_packet: usize,
}

/// What the clients of a listener speak, and what only clients of that protocol need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerProtocol {
    Mysql(MysqlListener),
    Postgres(PostgresListener),
}

/// How clients of MySQL and MariaDB are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MysqlListener {
    /// What clients are told; `None` for what the upstream's servers say.
    pub server_version: Option<String>,
    /// The method that the greeting proposes.
    pub default_auth: AuthMethod,
    /// What clients may have their connection compressed with.
    pub compression: Vec<Compression>,
    /// The private key that clients without TLS encrypt passwords for; `None` for one that is made
    /// when it is needed.
    pub rsa_key: Option<PathBuf>,
}

/// How clients of PostgreSQL are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresListener {
    /// How clients prove a password that is known in clear, and those of users that do not exist.
    pub default_auth: PostgresAuth,
}

/// How clients of PostgreSQL prove their passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostgresAuth {
    #[default]
    ScramSha256,
    Md5,
    /// They tell them, over TLS only.
    Cleartext,
}

/// Encryption towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub mode: ClientTlsMode,
    /// The authority that clients' certificates must come from, where they show one.
    pub client_ca: Option<PathBuf>,
}

/// Whether a client may go without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientTlsMode {
    #[default]
    Prefer,
    Require,
}

/// Where it is known who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The upstream's servers are asked, with the upstream's account; by this query where there is
    /// one.
    Server { query: Option<String> },
    /// A users file, as it was read with the configuration.
    File { path: PathBuf, users: Vec<User> },
    /// PgBouncer's list of users.
    UserList { path: PathBuf },
    /// The configuration itself.
    Users(Vec<User>),
}

/// What a connection is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Zstd,
    Zlib,
}

/// Where statements are written down, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryLog {
    pub path: PathBuf,
}

pub(crate) fn read(
    table: &mut Table<'_>,
    seen: &mut Seen,
    upstreams: &[Outline<'_>],
    admin: Option<&Admin>,
) -> Option<Listener> {
    let name = table.required("name", |value| {
        let name = name::read(value)?;
        seen.claim(value, &name);
        Some(name)
    });
    let protocol = table.required("protocol", |value| value.choice(&PROTOCOLS));
    let bind = table.required("bind", |value| bind(value, seen, admin));
    let upstream = table.required("upstream", |value| upstream(value, upstreams, protocol));
    let tls = table.optional("tls", tls);
    let auth = table
        .required("auth", |value| value.table(|auth_table| auth(auth_table, upstream, protocol)));
    certificates_are_asked_for(table, auth.as_ref(), tls.as_ref());
    let plugins = table.optional("plugins", plugins);
    let query_log = table.optional("query_log", query_log);
    let own = own(table, protocol);
    let limits = limits(table);
    Some(Listener {
        name: name?,
        protocol: own?,
        bind: bind?,
        upstream: upstream?.name.to_owned(),
        tls,
        auth: auth?,
        plugins,
        query_log,
        max_sessions: limits.max_sessions,
        login_timeout: limits.login_timeout,
        idle_timeout: limits.idle_timeout,
        max_packet: limits.max_packet,
    })
}

/// Users who are known by their certificates can come in only where clients show them.
fn certificates_are_asked_for(table: &Table<'_>, auth: Option<&Auth>, tls: Option<&ClientTls>) {
    let (Some(Auth::Users(users) | Auth::File { users, .. }), has_authority) =
        (auth, tls.is_some_and(|tls| tls.client_ca.is_some()))
    else {
        return;
    };
    let by_certificate = |user: &&User| matches!(user.secret, UserSecret::Certificate { .. });
    if let Some(user) = users.iter().find(by_certificate).filter(|_| !has_authority) {
        let why = format!("the certificate of `{}` needs `tls.client_ca`", user.name);
        table.fail::<()>("auth", why);
    }
}

/// What only listeners of this protocol have.
fn own(table: &mut Table<'_>, protocol: Option<Protocol>) -> Option<ListenerProtocol> {
    let of_mysql = Protocol::Mysql;
    let server_version = table.optional_of("server_version", protocol, of_mysql, server_version);
    let compression = table.optional_of("compression", protocol, of_mysql, compression);
    let rsa_key = table.optional_of("rsa_key", protocol, of_mysql, Value::readable);
    match protocol {
        Some(Protocol::Mysql) => Some(ListenerProtocol::Mysql(MysqlListener {
            server_version,
            default_auth: table.optional("default_auth", default_auth).unwrap_or_default(),
            // Only clients that ask for it get it, and only they pay for it.
            compression: compression.unwrap_or_else(|| vec![Compression::Zstd, Compression::Zlib]),
            rsa_key,
        })),
        Some(Protocol::Postgres) => Some(ListenerProtocol::Postgres(PostgresListener {
            default_auth: table.optional("default_auth", postgres_auth).unwrap_or_default(),
        })),
        None => {
            // What may stand there is not known.
            let _ = table.get("default_auth");
            None
        }
    }
}

struct Limits {
    max_sessions: usize,
    login_timeout: Duration,
    idle_timeout: Option<Duration>,
    max_packet: usize,
}

fn limits(table: &mut Table<'_>) -> Limits {
    let max_sessions = table.optional("max_sessions", |value| value.count(1..=1_000_000));
    let login_timeout = table.optional("login_timeout", Value::duration);
    let idle_timeout = table.optional("idle_timeout", Value::duration);
    let max_packet = table.optional("max_packet", |value| value.size(1 << 10..=1 << 30));
    Limits {
        max_sessions: max_sessions.unwrap_or(10_000),
        login_timeout: login_timeout.unwrap_or(Duration::from_secs(10)),
        idle_timeout,
        max_packet: max_packet.unwrap_or(64 << 20),
    }
}

fn bind(value: &Value<'_>, seen: &mut Seen, admin: Option<&Admin>) -> Option<SocketAddr> {
    let address = value.bind()?;
    if address.port() != 0 {
        if admin.is_some_and(|admin| admin.bind == address) {
            return value.fail(format!("`{address}` is taken by `admin.bind`"));
        }
        seen.claim(value, &address.to_string());
    }
    Some(address)
}

fn upstream<'u, 'd>(
    value: &Value<'_>,
    known: &'u [Outline<'d>],
    protocol: Option<Protocol>,
) -> Option<&'u Outline<'d>> {
    let name = value.text()?;
    if let Some(upstream) = known.iter().find(|upstream| upstream.name == name) {
        return match protocol.zip(upstream.protocol) {
            Some((own, its)) if own != its => value.fail(format!(
                "`{name}` speaks `{}`, and the listener `{}`",
                its.name(),
                own.name()
            )),
            _ => Some(upstream),
        };
    }
    let names: Vec<_> = known.iter().map(|upstream| upstream.name).collect();
    value.fail(format!("there is no upstream `{name}`; {}", hint(name, &names)))
}

fn tls(value: &Value<'_>) -> Option<ClientTls> {
    value.table(|table| {
        let certificate = table.required("certificate", Value::readable);
        let key = table.required("key", Value::readable);
        let mode = table.optional("mode", |value| {
            value.choice(&[("prefer", ClientTlsMode::Prefer), ("require", ClientTlsMode::Require)])
        });
        let client_ca = table.optional("client_ca", Value::readable);
        Some(ClientTls {
            certificate: certificate?,
            key: key?,
            mode: mode.unwrap_or_default(),
            client_ca,
        })
    })
}

#[derive(Clone, Copy)]
enum Source {
    Server,
    File,
    Config,
}

fn auth(
    table: &mut Table<'_>,
    upstream: Option<&Outline<'_>>,
    protocol: Option<Protocol>,
) -> Option<Auth> {
    let source = table.required("source", |value| {
        value.choice(&[
            ("server", Source::Server),
            ("file", Source::File),
            ("config", Source::Config),
        ])
    });
    let Some(source) = source else {
        // Which of these belong here is not known.
        let _ = (table.get("file"), table.get("users"), table.get("query"));
        return None;
    };
    match source {
        Source::Server => server_auth(table, upstream, protocol),
        Source::File => table.required("file", |file| users_file(file, protocol)),
        Source::Config => {
            table.required("users", |users| users::array(users, protocol)).map(Auth::Users)
        }
    }
}

fn server_auth(
    table: &mut Table<'_>,
    upstream: Option<&Outline<'_>>,
    protocol: Option<Protocol>,
) -> Option<Auth> {
    let query = table.optional_of("query", protocol, Protocol::Postgres, query);
    match upstream {
        Some(upstream) if !upstream.has_account => table.fail(
            "source",
            format!(
                "users are read from the servers with an account, and the upstream `{}` has none",
                upstream.name
            ),
        ),
        _ => Some(Auth::Server { query }),
    }
}

/// A query that answers a name and what is stored about it, of the user in its parameter.
fn query(value: &Value<'_>) -> Option<String> {
    let query = value.text()?;
    if !query.contains("$1") {
        return value.fail("must ask for the user `$1`");
    }
    Some(query.to_owned())
}

fn users_file(value: &Value<'_>, protocol: Option<Protocol>) -> Option<Auth> {
    let path = value.readable()?;
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    if protocol == Some(Protocol::Postgres) && !is_toml {
        return Some(Auth::UserList { path });
    }
    match crate::load_users_with(&path, value.document().environment(), protocol) {
        Ok(users) => Some(Auth::File { path, users }),
        Err(errors) => {
            value.document().fail_with(errors);
            None
        }
    }
}

fn plugins(value: &Value<'_>) -> Option<Vec<String>> {
    let mut seen = Seen::default();
    let items = value.items()?;
    all(items.iter().map(|item| {
        let name = item.text()?;
        seen.claim(item, name);
        Some(name.to_owned())
    }))
}

fn query_log(value: &Value<'_>) -> Option<QueryLog> {
    value.table(|table| {
        let path = table.required("path", Value::path);
        Some(QueryLog { path: path? })
    })
}

fn server_version(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if text.len() > LONGEST_VERSION || !text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return value.fail(format!("must be at most {LONGEST_VERSION} printable ASCII characters"));
    }
    Some(text.to_owned())
}

fn default_auth(value: &Value<'_>) -> Option<AuthMethod> {
    value.choice(&[
        ("mysql_native_password", AuthMethod::MysqlNativePassword),
        ("caching_sha2_password", AuthMethod::CachingSha2Password),
    ])
}

fn postgres_auth(value: &Value<'_>) -> Option<PostgresAuth> {
    value.choice(&[
        ("scram-sha-256", PostgresAuth::ScramSha256),
        ("md5", PostgresAuth::Md5),
        ("cleartext", PostgresAuth::Cleartext),
    ])
}

fn compression(value: &Value<'_>) -> Option<Vec<Compression>> {
    let mut seen = Seen::default();
    let items = value.items()?;
    all(items.iter().map(|item| {
        let algorithm = item.choice(&[("zstd", Compression::Zstd), ("zlib", Compression::Zlib)])?;
        seen.claim(item, item.as_str().unwrap_or_default());
        Some(algorithm)
    }))
}
