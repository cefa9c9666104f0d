//! What is understood, and with which defaults.

use std::time::Duration;

use super::*;
use crate::{
    Auth, AuthMethod, Balance, ClientTlsMode, Compression, Listener, ListenerProtocol, LogFormat,
    MysqlListener, Pool, PostgresAuth, PostgresListener, PostgresUpstream, Probe, Protocol,
    ReadAfterWrite, Role, Runtime, Secret, Server, ServerRsa, ServerTls, ServerTlsMode,
    UpstreamProtocol, UserSecret, load, load_users,
};

#[test]
fn the_least_has_all_defaults() {
    let config = Place::new().parse(LEAST).unwrap();
    assert_eq!((&config.admin, &config.plugins), (&None, &None));
    assert_eq!(config.runtime, Runtime::default());
    assert!(config.runtime.workers >= 1);
    assert_eq!(config.runtime.shutdown, Duration::from_secs(30));
    assert_eq!((config.log.level.as_str(), config.log.format), ("info", LogFormat::Text));
    assert_eq!(config.warnings, []);
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.balance, Balance::LeastConnections);
    assert_eq!((upstream.max_lag, upstream.read_after_write), (None, ReadAfterWrite::None));
    assert_eq!(upstream.tls, ServerTls::default());
    assert_eq!(upstream.tls.mode, ServerTlsMode::Disable);
    assert_eq!(upstream.protocol, UpstreamProtocol::Mysql { rsa: ServerRsa::Refuse });
    assert_eq!(upstream.pool, Pool::default());
    assert_eq!(upstream.probe, Probe::default());
    let listener = &config.listeners[0];
    assert_eq!(listener.bind.to_string(), "127.0.0.1:3306");
    assert_eq!((&listener.tls, &listener.plugins, &listener.query_log), (&None, &None, &None));
    assert_eq!(listener.auth, Auth::Server { query: None });
    assert_eq!((listener.max_sessions, listener.max_packet), (10_000, 64 << 20));
    assert_eq!((listener.login_timeout, listener.idle_timeout), (Duration::from_secs(10), None));
    let own = mysql(listener);
    assert_eq!(own.default_auth, AuthMethod::MysqlNativePassword);
    assert_eq!((&own.server_version, &own.rsa_key), (&None, &None));
    assert_eq!(own.compression, [Compression::Zstd, Compression::Zlib]);
}

fn mysql(listener: &Listener) -> &MysqlListener {
    match &listener.protocol {
        ListenerProtocol::Mysql(own) => own,
        other => panic!("{other:?}"),
    }
}

/// The same configuration for PostgreSQL.
fn postgres() -> String {
    LEAST.replace("\"mysql\"", "\"postgres\"")
}

#[test]
fn what_postgres_has_by_default() {
    let place = Place::new();
    let config = place.parse(&postgres()).unwrap();
    let own = PostgresUpstream { direct_tls: false, account_database: "postgres".to_owned() };
    assert_eq!(config.upstreams[0].protocol, UpstreamProtocol::Postgres(own));
    let own = PostgresListener { default_auth: PostgresAuth::ScramSha256 };
    assert_eq!(config.listeners[0].protocol, ListenerProtocol::Postgres(own));
}

#[test]
fn what_only_postgres_has() {
    let place = Place::new();
    let text = with_upstream(
        "read_after_write = 'lsn'\ntls = { mode = 'require', negotiation = 'direct' }",
    );
    let text = text.replace("\"mysql\"", "\"postgres\"");
    let upstream = &place.parse(&text).unwrap().upstreams[0];
    assert!(matches!(&upstream.protocol, UpstreamProtocol::Postgres(own) if own.direct_tls));
    assert!(matches!(upstream.read_after_write, ReadAfterWrite::Position { .. }));
    let auth = |auth: &str| {
        let text = with_listener("default_auth = 'md5'").replace("\"mysql\"", "\"postgres\"");
        let at = text.find("auth = {").unwrap();
        let end = at + text[at..].find('\n').unwrap();
        let text = format!("{}auth = {auth}{}", &text[..at], &text[end..]);
        place.parse(&text).unwrap().listeners.remove(0)
    };
    place.write("userlist.txt", "\"app\" \"x\"\n");
    let list = auth("{ source = 'file', file = 'userlist.txt' }");
    assert!(matches!(&list.auth, Auth::UserList { path } if path.ends_with("userlist.txt")));
    let own = PostgresListener { default_auth: PostgresAuth::Md5 };
    assert_eq!(list.protocol, ListenerProtocol::Postgres(own));
    for verifier in ["md50123456789abcdef0123456789abcdef", "SCRAM-SHA-256$4096:c2FsdA==$a:b"] {
        let users = format!("[{{ name = 'app', verifier = '{verifier}' }}]");
        let listener = auth(&format!("{{ source = 'config', users = {users} }}"));
        let Auth::Users(users) = listener.auth else { panic!("users") };
        assert_eq!(users[0].secret, UserSecret::Verifier(Secret::new(verifier.to_owned())));
    }
}

#[test]
fn users_who_show_certificates() {
    let place = Place::new();
    let tls = "{ certificate = 'tidegate.pem', key = 'tidegate.key', client_ca = 'clients.pem' }";
    let text = with_listener(&format!("tls = {tls}")).replace("\"mysql\"", "\"postgres\"");
    let at = text.find("auth = {").unwrap();
    let end = at + text[at..].find('\n').unwrap();
    let users = "[{ name = 'a', check = 'certificate' }, \
                 { name = 'b', check = 'certificate', password = 'x' }]";
    let auth = format!("auth = {{ source = 'config', users = {users} }}");
    let text = format!("{}{auth}{}", &text[..at], &text[end..]);
    let Auth::Users(users) = place.parse(&text).unwrap().listeners.remove(0).auth else {
        panic!("users")
    };
    assert_eq!(users[0].secret, UserSecret::Certificate { password: None });
    let password = Some(Secret::new("x".to_owned()));
    assert_eq!(users[1].secret, UserSecret::Certificate { password });
}

#[test]
fn compression_can_be_switched_off() {
    let config = Place::new().parse(&with_listener("compression = []")).unwrap();
    assert_eq!(mysql(&config.listeners[0]).compression, []);
}

#[test]
fn everything_that_is_said_is_kept() {
    let place = Place::new();
    let config = place.parse(documentation::COMPLETE).unwrap();
    let text = format!("{config:#?}");
    for shown in [
        "9090",
        "shutdown: 20s",
        "tidegate_proxy=debug",
        "Json",
        "RoundRobin",
        "max_lag: Some(\n                10s",
        "wait: 250ms",
        "VerifyFull",
        "Pinned",
        "rsa.pem",
        "Parsec",
        "Servers",
        "Replica",
        "max: 80",
        "wait: 500ms",
        "queue: 200",
        "idle: 60s",
        "age: 1800s",
        "connect: 1s",
        "interval: 2s",
        "timeout: 750ms",
        "failures: 3",
        "Require",
        "max_sessions: 5000",
        "login_timeout: 5s",
        "28800s",
        "max_packet: 16777216",
        "8.0.36-tidegate",
        "CachingSha2Password",
        "Zstd",
        "read-write-split",
        "db.example.com",
    ] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
}

#[test]
fn paths_start_at_the_directory_of_the_file() {
    let place = Place::new();
    let text = with_upstream(r#"tls = { ca = "ca.pem" }"#);
    let config = place.parse(&text).unwrap();
    assert_eq!(config.upstreams[0].tls.mode, ServerTlsMode::VerifyFull, "safe unless said");
    assert_eq!(config.upstreams[0].tls.ca.as_deref(), Some(&*place.path().join("ca.pem")));
}

#[test]
fn servers_are_addresses_or_tables() {
    let text =
        with_servers(r#"["[::1]:3306", { address = "db.example.com:3307", role = "replica" }]"#);
    let text = text.replace(r#""[::1]:3306""#, r#"{ address = "[::1]:3306", role = "primary" }"#);
    let config = Place::new().parse(&text).unwrap();
    let server = |address: &str, role| Server { address: address.to_owned(), role };
    let expected =
        [server("[::1]:3306", Role::Primary), server("db.example.com:3307", Role::Replica)];
    assert_eq!(config.upstreams[0].servers, expected);
}

#[test]
fn a_server_that_is_alone_is_the_primary() {
    let role = |text: &str| Place::new().parse(text).unwrap().upstreams[0].servers[0].role;
    assert_eq!(role(&with_servers(r#"["db:3306"]"#)), Role::Primary);
    assert_eq!(role(LEAST), Role::Primary, "with an account too");
    let replica = with_servers(r#"[{ address = "db:3306", role = "replica" }]"#);
    assert_eq!(role(&replica), Role::Replica, "unless it is said to be none");
    let two = LEAST.replace(r#"["10.0.0.1:3306"]"#, r#"["a:3306", "b:3306"]"#);
    assert_eq!(role(&two), Role::Discover);
}

#[test]
fn a_replica_is_given_some_time_to_catch_up() {
    let said = |lines: &str| {
        let config = Place::new().parse(&with_upstream(lines)).unwrap();
        config.upstreams[0].read_after_write
    };
    let gtid = |wait| ReadAfterWrite::Position { wait: Duration::from_millis(wait) };
    assert_eq!(said("read_after_write = 'gtid'"), gtid(100));
    assert_eq!(said("read_after_write_wait = '0s'\nread_after_write = 'gtid'"), gtid(0));
    assert_eq!(said("read_after_write = 'primary'"), ReadAfterWrite::Primary);
}

#[test]
fn secrets_come_from_the_text_a_file_or_the_environment() {
    let place = Place::new();
    let password = |value: &str| {
        let text = LEAST.replace("password = \"secret\"", &format!("password = {value}"));
        let config = place.parse(&text).unwrap();
        config.upstreams[0].account.as_ref().unwrap().password.expose().to_owned()
    };
    assert_eq!(password("'plain'"), "plain");
    assert_eq!(password("{ file = 'tidegate.secret' }"), "s3cret", "without its line feed");
    assert_eq!(password("{ env = 'APP_PASSWORD' }"), "from the environment");
    assert_eq!(password("''"), "", "some accounts have none");
}

#[test]
fn secrets_are_never_shown() {
    let config = Place::new().parse(LEAST).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("password: …") && !shown.contains("secret"), "{shown}");
}

#[test]
fn a_secret_that_everybody_may_read_is_worth_a_warning() {
    let place = Place::new();
    place.chmod("tidegate.secret", 0o644);
    let text = LEAST.replace("\"secret\"", "{ file = 'tidegate.secret' }");
    let config = place.parse(&text).unwrap();
    let warning =
        config.warnings[0].to_string().replace(&format!("{}/", place.path().display()), "@");
    assert_eq!(
        warning,
        "@tidegate.toml:6:52: upstream.account.password.file: \
         everybody may use \"@tidegate.secret\" (mode 0644); 0640 is enough"
    );
}

#[test]
fn plugins_may_come_later() {
    let place = Place::new();
    let config = place.parse(&format!("[plugins]\ndir = 'soon'\n{LEAST}")).unwrap();
    assert_eq!(config.plugins.unwrap().dir, place.path().join("soon"));
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn users_have_passwords_or_verifiers_or_are_left_to_the_servers() {
    let native = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
    let sha2 = format!("$A$005${}{}", "s".repeat(20), "h".repeat(43));
    let hex: String = sha2.bytes().map(|byte| format!("{byte:02X}")).collect();
    let pbkdf2 = format!("$B$00A${}{}", "s".repeat(20), "h".repeat(88));
    let sha256 = format!("$5${}${}", "s".repeat(20), "h".repeat(43));
    let ed25519 = "k".repeat(43);
    let parsec = format!("P0:{}:{}", "s".repeat(24), "k".repeat(43));
    let secret = "0a".repeat(64);
    let verifiers = [native, &sha2, &pbkdf2, &sha256, &ed25519, &parsec, &secret];
    let listed: String = (0..)
        .zip(verifiers)
        .map(|(n, verifier)| format!("{{ name = 'v{n}', verifier = '{verifier}' }}, "))
        .collect();
    let users = format!(
        "{{ source = 'config', users = [ {{ name = 'a', password = {{ env = 'APP_PASSWORD' }} }}, \
         {{ name = 'b', password = 'x', method = 'client_ed25519' }}, \
         {{ name = 'c', check = 'servers' }}, {listed} {{ name = 'd', verifier = '0x{hex}' }} ] }}"
    );
    let config = Place::new().parse(&with_auth(&users)).unwrap();
    let Auth::Users(users) = &config.listeners[0].auth else {
        panic!("users of the configuration")
    };
    let secrets: Vec<_> = users.iter().map(|user| user.secret.clone()).collect();
    let password = |text: &str, method| UserSecret::Password {
        password: Secret::new(text.to_owned()),
        method,
    };
    let verifier = |text: &str| UserSecret::Verifier(Secret::new(text.to_owned()));
    let mut expected = vec![
        password("from the environment", None),
        password("x", Some(AuthMethod::ClientEd25519)),
        UserSecret::Servers,
    ];
    expected.extend(verifiers.map(verifier));
    expected.push(verifier(&sha2));
    assert_eq!(secrets, expected);
}

#[test]
fn keys_of_servers_are_refused_pinned_or_taken_as_they_come() {
    let place = Place::new();
    let rsa = |table: &str| {
        let text = with_upstream(&format!("rsa = {table}"));
        match place.parse(&text).unwrap().upstreams.remove(0).protocol {
            UpstreamProtocol::Mysql { rsa } => rsa,
            other => panic!("{other:?}"),
        }
    };
    let pinned = ServerRsa::Pinned(place.path().join("ca.pem"));
    assert_eq!(rsa("{ keys = 'ca.pem' }"), pinned);
    assert_eq!(rsa("{ mode = 'pinned', keys = 'ca.pem' }"), pinned);
    assert_eq!(rsa("{ mode = 'any' }"), ServerRsa::Any);
    assert_eq!(rsa("{ mode = 'refuse' }"), ServerRsa::Refuse);
}

#[test]
fn a_users_file_is_read_with_the_configuration() {
    let config = Place::new().parse(&with_servers(r#"["db:3306"]"#)).unwrap();
    let Auth::File { path, users } = &config.listeners[0].auth else { panic!("a users file") };
    assert!(path.ends_with("users.toml"));
    assert_eq!(users[0].name, "app");
}

#[test]
fn files_are_loaded_from_disk() {
    let place = Place::new();
    place.write("tidegate.toml", LEAST);
    assert_eq!(load(&place.path().join("tidegate.toml")), place.parse(LEAST));
    place.write("users.toml", "[[user]]\nname = 'app'\npassword = 'x'\n");
    let users = load_users(&place.path().join("users.toml"), Protocol::Mysql).unwrap();
    assert_eq!(users.len(), 1);
}

#[test]
fn tls_towards_clients_prefers_unless_said() {
    let line = r#"tls = { certificate = "tidegate.pem", key = "tidegate.key" }"#;
    let config = Place::new().parse(&with_listener(line)).unwrap();
    assert_eq!(config.listeners[0].tls.as_ref().unwrap().mode, ClientTlsMode::Prefer);
}

#[test]
fn two_listeners_may_both_let_the_system_choose_their_port() {
    let text = LEAST.replace("127.0.0.1:3306", "127.0.0.1:0");
    let second = text.split("\n\n").last().unwrap().replace("name = \"orders\"", "name = \"b\"");
    assert_eq!(Place::new().parse(&format!("{text}\n{second}")).unwrap().listeners.len(), 2);
}
