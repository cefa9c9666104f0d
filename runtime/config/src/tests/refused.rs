//! What is wrong, and how it is said.

use super::*;
use crate::{Protocol, load, load_users};

/// Checks the exact text of the errors, without the path of the file.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let errors = Place::new().errors(text).replace("@tidegate.toml:", "");
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn unknown_keys_name_the_nearest_one() {
    refused(
        &LEAST.replace("bind =", "bnid ="),
        &[
            "8:1: listener.bind: is missing",
            "11:1: listener.bnid: unknown key; did you mean `bind`?",
        ],
    );
    refused(
        &format!("[admn]\nbind = '127.0.0.1:1'\n{LEAST}"),
        &["1:2: admn: unknown key; did you mean `admin`?"],
    );
    refused(
        &with_upstream("colour = 'blue'"),
        &[
            "7:1: upstream.colour: unknown key; known are `name`, `protocol`, `servers`, `balance`, \
           `tls`, `rsa`, `pool`, `account`, `max_lag`, `read_after_write`, `read_after_write_wait`, `probe`",
        ],
    );
    refused(
        &with_upstream("pool = { colour = 'blue' }"),
        &["7:10: upstream.pool.colour: unknown key; \
           known are `mode`, `max`, `wait`, `queue`, `idle`, `age`, `connect`, `statements`"],
    );
}

#[test]
fn wrong_types() {
    refused(
        &with_upstream("pool = { max = '50' }"),
        &["7:16: upstream.pool.max: must be an integer, not a string"],
    );
    refused(
        &with_upstream("pool = { wait = 2 }"),
        &["7:17: upstream.pool.wait: must be a string, not an integer"],
    );
    refused(&with_upstream("pool = 50"), &["7:8: upstream.pool: must be a table, not an integer"]);
    refused(&with_upstream("tls = true"), &["7:7: upstream.tls: must be a table, not a boolean"]);
    refused(&with_upstream("probe = 1.5"), &["7:9: upstream.probe: must be a table, not a float"]);
    refused(
        &with_upstream("balance = 2026-01-01"),
        &["7:11: upstream.balance: must be a string, not a date"],
    );
    refused(
        &with_listener("plugins = 'all'"),
        &["14:11: listener.plugins: must be an array, not a string"],
    );
    refused(
        &with_listener("plugins = [1]"),
        &["14:12: listener.plugins: must be a string, not an integer"],
    );
    refused(
        &with_listener("query_log = 'queries.log'"),
        &["14:13: listener.query_log: must be a table, not a string"],
    );
    refused(
        &LEAST.replace("[[upstream]]", "[upstream]"),
        &["2:1: upstream: may be there several times: write `[[upstream]]`"],
    );
}

#[test]
fn what_must_be_there() {
    refused(
        "",
        &[
            "1:1: upstream: is missing; at least one `[[upstream]]` is needed",
            "1:1: listener: is missing; at least one `[[listener]]` is needed",
        ],
    );
    refused(
        "upstream = []\nlistener = []",
        &["1:12: upstream: must not be empty", "2:12: listener: must not be empty"],
    );
    refused(
        "[[upstream]]\n[[listener]]\n[admin]\n[plugins]",
        &[
            "1:1: upstream.name: is missing",
            "1:1: upstream.protocol: is missing",
            "1:1: upstream.servers: is missing",
            "2:1: listener.name: is missing",
            "2:1: listener.protocol: is missing",
            "2:1: listener.bind: is missing",
            "2:1: listener.upstream: is missing",
            "2:1: listener.auth: is missing",
            "3:1: admin.bind: is missing",
            "4:1: plugins.dir: is missing",
        ],
    );
    refused(
        &LEAST.replace(r#"{ user = "tidegate", password = "secret" }"#, "{}"),
        &["6:11: upstream.account.user: is missing", "6:11: upstream.account.password: is missing"],
    );
    refused(&with_auth("{}"), &["13:8: listener.auth.source: is missing"]);
    refused(&with_auth("{ source = 'file' }"), &["13:8: listener.auth.file: is missing"]);
    refused(&with_auth("{ source = 'config' }"), &["13:8: listener.auth.users: is missing"]);
    refused(
        &with_auth("{ source = 'config', users = [] }"),
        &["13:37: listener.auth.users: must not be empty"],
    );
    refused(&with_listener("query_log = {}"), &["14:13: listener.query_log.path: is missing"]);
    refused(
        &with_listener("tls = {}"),
        &["14:7: listener.tls.certificate: is missing", "14:7: listener.tls.key: is missing"],
    );
}

#[test]
fn words_that_are_not_known() {
    refused(
        &LEAST.replacen("\"mysql\"", "\"mysqk\"", 1),
        &["4:12: upstream.protocol: `mysqk` is unknown; did you mean `mysql`?"],
    );
    refused(
        &with_upstream("balance = 'fair'"),
        &["7:11: upstream.balance: `fair` is unknown; \
           known are `least-connections`, `round-robin`, `random`"],
    );
    refused(
        &with_upstream("tls = { mode = 'verify-ful', ca = 'ca.pem' }"),
        &["7:16: upstream.tls.mode: `verify-ful` is unknown; did you mean `verify-full`?"],
    );
    refused(
        &with_upstream("")
            .replace(r#"["10.0.0.1:3306"]"#, "[{ address = 'db:1', role = 'master' }]"),
        &[
            "5:39: upstream.servers.role: `master` is unknown; known are `discover`, `primary`, `replica`",
        ],
    );
    refused(
        &with_listener("default_auth = 'sha256_password'"),
        &["14:16: listener.default_auth: `sha256_password` is unknown; \
           known are `mysql_native_password`, `caching_sha2_password`"],
    );
    refused(
        &with_listener("compression = ['zstd', 'lz4']"),
        &["14:24: listener.compression: `lz4` is unknown; known are `zstd`, `zlib`"],
    );
    refused(
        &with_listener("compression = ['zlib', 'zlib']"),
        &["14:24: listener.compression: `zlib` is taken by line 14"],
    );
    refused(
        &with_listener(
            "tls = { certificate = 'tidegate.pem', key = 'tidegate.key', mode = 'required' }",
        ),
        &["14:68: listener.tls.mode: `required` is unknown; did you mean `require`?"],
    );
    refused(
        &with_auth("{ source = 'ldap', file = 'users.toml' }"),
        &["13:19: listener.auth.source: `ldap` is unknown; known are `server`, `file`, `config`"],
    );
    refused(
        &format!("[log]\nformat = 'xml'\nlevel = 'tidegate_proxy=debugg'\n{LEAST}"),
        &[
            "2:10: log.format: `xml` is unknown; known are `text`, `json`",
            "3:9: log.level: `debugg` is no level; did you mean `debug`?",
        ],
    );
    refused(
        &format!("[log]\nlevel = 'info,tide gate=debug'\n{LEAST}"),
        &["2:9: log.level: `tide gate` is no module, such as `tidegate_proxy`"],
    );
}

#[test]
fn numbers_times_and_sizes() {
    refused(
        &with_upstream("pool = { max = 0, queue = -1, wait = '2', idle = '0s', age = '400d' }"),
        &[
            "7:16: upstream.pool.max: must be from 1 to 65535",
            "7:27: upstream.pool.queue: must be from 0 to 1000000",
            "7:38: upstream.pool.wait: `2` is not a time such as `500ms`, `2s`, `5m`, `1h` or `7d`",
            "7:50: upstream.pool.idle: must be more than nothing",
            "7:62: upstream.pool.age: `400d` is longer than 365d",
        ],
    );
    refused(
        &with_upstream("pool = { max = 99999999999999999999999999999999999999999 }"),
        &["7:16: upstream.pool.max: must be from 1 to 65535"],
    );
    refused(
        &with_listener("max_packet = '64MB'"),
        &[
            "14:14: listener.max_packet: `64MB` is not a size such as `512B`, `64KiB`, `16MiB` or `1GiB`",
        ],
    );
    refused(
        &with_listener("max_packet = '2GiB'"),
        &["14:14: listener.max_packet: must be from 1KiB to 1GiB"],
    );
    refused(
        &format!("[runtime]\nworkers = 0\n{LEAST}"),
        &["2:11: runtime.workers: must be from 1 to 1024"],
    );
}

#[test]
fn names_and_addresses() {
    refused(
        &LEAST.replacen("name = \"orders\"", "name = \"or/ders\"", 1),
        &[
            "3:8: upstream.name: may have only letters, digits, `-`, `_` and `.`",
            "12:12: listener.upstream: there is no upstream `orders`; did you mean `or/ders`?",
        ],
    );
    refused(
        &LEAST
            .replacen("name = \"orders\"", &format!("name = \"{}\"", "x".repeat(65)), 1)
            .replace("upstream = \"orders\"", &format!("upstream = \"{}\"", "x".repeat(65))),
        &["3:8: upstream.name: is longer than 64 characters"],
    );
    refused(
        &LEAST.replace("\"127.0.0.1:3306\"", "\"localhost:3306\""),
        &[
            "11:8: listener.bind: `localhost:3306` is not an IP address with a port, such as `127.0.0.1:3306`",
        ],
    );
    refused(
        &with_servers(r#"["10.0.0.1"]"#),
        &["5:12: upstream.servers: `10.0.0.1` is not a host with a port, such as `10.0.0.1:3306`"],
    );
    refused(
        &with_servers(r#"["::1:3306", "db:0", "db:99999", "a b:1"]"#),
        &[
            "5:12: upstream.servers: `::1:3306` is not a host with a port, such as `10.0.0.1:3306`",
            "5:24: upstream.servers: `db:0` is not a host with a port, such as `10.0.0.1:3306`",
            "5:32: upstream.servers: `db:99999` is not a host with a port, such as `10.0.0.1:3306`",
            "5:44: upstream.servers: `a b:1` is not a host with a port, such as `10.0.0.1:3306`",
        ],
    );
    refused(&with_servers("[]"), &["5:11: upstream.servers: must not be empty"]);
}

#[test]
fn what_must_be_unique() {
    let (upstream, listener) = LEAST.split_at(LEAST.find("[[listener]]").unwrap());
    refused(
        &format!("{upstream}{upstream}{listener}"),
        &["10:8: upstream.name: `orders` is taken by line 3"],
    );
    refused(
        &format!("{upstream}{listener}{listener}"),
        &[
            "15:8: listener.name: `orders` is taken by line 9",
            "17:8: listener.bind: `127.0.0.1:3306` is taken by line 11",
        ],
    );
    refused(
        &format!("[admin]\nbind = '127.0.0.1:3306'\n{LEAST}"),
        &["13:8: listener.bind: `127.0.0.1:3306` is taken by `admin.bind`"],
    );
    refused(
        &LEAST.replace(r#"["10.0.0.1:3306"]"#, r#"["db:1", "db:1"]"#),
        &["5:20: upstream.servers: `db:1` is taken by line 5"],
    );
    refused(
        &with_listener("plugins = ['a', 'a']"),
        &["14:17: listener.plugins: `a` is taken by line 14"],
    );
    refused(
        &with_auth(
            "{ source = 'config', users = [{ name = 'a', password = 'x' }, { name = 'a', password = 'y' }] }",
        ),
        &["13:79: listener.auth.users.name: `a` is taken by line 13"],
    );
    refused(
        &LEAST
            .replace("name = \"orders\"\nprotocol", "name = \"orders\"\nname = \"b\"\nprotocol")
            .replacen("name = \"b\"\n", "", 1),
        &["10:1: duplicate key"],
    );
}

#[test]
fn references_that_lead_nowhere() {
    refused(
        &LEAST.replace("upstream = \"orders\"", "upstream = \"order\""),
        &["12:12: listener.upstream: there is no upstream `order`; did you mean `orders`?"],
    );
    refused(
        &with_auth("{ source = 'file', file = 'user.toml' }"),
        &["13:34: listener.auth.file: cannot read \"@user.toml\": there is no such file"],
    );
    refused(
        &LEAST.replace("\"secret\"", "{ file = 'plugins' }"),
        &[
            "6:52: upstream.account.password.file: cannot read \"@plugins\": Is a directory (os error 21)",
        ],
    );
    refused(
        &LEAST.replace("\"secret\"", "{ file = 'nowhere' }"),
        &["6:52: upstream.account.password.file: cannot read \"@nowhere\": there is no such file"],
    );
    refused(
        &LEAST.replace("\"secret\"", "{ env = 'NOWHERE' }"),
        &["6:51: upstream.account.password.env: the environment has no variable `NOWHERE`"],
    );
    refused(
        &LEAST.replace("\"secret\"", "{ env = 'BINARY' }"),
        &["6:51: upstream.account.password.env: the variable `BINARY` is not UTF-8"],
    );
    refused(
        &format!("[plugins]\ndir = 'ca.pem'\n{LEAST}"),
        &["2:7: plugins.dir: \"@ca.pem\" is not a directory"],
    );
    refused(
        &with_upstream("tls = { ca = 'plugins' }"),
        &["7:14: upstream.tls.ca: \"@plugins\" is a directory"],
    );
}

#[test]
fn secrets_from_two_places_or_none() {
    for secret in ["{}", "{ env = 'APP_PASSWORD', file = 'tidegate.secret' }"] {
        let text = LEAST.replace("\"secret\"", secret);
        let errors = Place::new().errors(&text);
        assert!(
            errors.ends_with("upstream.account.password.file: give either `file` or `env`"),
            "{errors}"
        );
    }
    let place = Place::new();
    place.write("tidegate.secret", &"x".repeat(65 << 10));
    let errors = place.errors(&LEAST.replace("\"secret\"", "{ file = 'tidegate.secret' }"));
    assert!(errors.ends_with("it is longer than 64KiB"), "{errors}");
}

#[test]
fn users() {
    let user = |user: &str| with_auth(&format!("{{ source = 'config', users = [{user}] }}"));
    refused(
        &user("{ name = 'a' }"),
        &["13:38: listener.auth.users.password: give one of `password`, `verifier` and `check`"],
    );
    refused(
        &user("{ name = 'a', password = 'x', verifier = 'y' }"),
        &["13:63: listener.auth.users.password: give one of `password`, `verifier` and `check`"],
    );
    refused(
        &user("{ name = 'a', check = 'ldap' }"),
        &["13:60: listener.auth.users.check: `ldap` is unknown; known are `servers`"],
    );
    refused(
        &user("{ name = 'a', password = 'x', check = 'servers' }"),
        &["13:63: listener.auth.users.password: give one of `password`, `verifier` and `check`"],
    );
    refused(
        &user("{ name = 'a', check = 'servers', method = 'parsec' }"),
        &["13:80: listener.auth.users.method: goes with a `password`"],
    );
    refused(
        &user("{ name = 'a', password = 'x', method = 'authentication_kerberos' }"),
        &["13:77: listener.auth.users.method: `authentication_kerberos` is unknown; known are \
           `mysql_native_password`, `caching_sha2_password`, `sha256_password`, `client_ed25519`, \
           `parsec`, `mysql_clear_password`"],
    );
    let wrong = "listener.auth.users.verifier: is of no form that servers store, such as `*` with \
                 40 hexadecimal digits or `$A$005$` with salt and hash";
    let parsec = format!("P4:{}:{}", "s".repeat(24), "k".repeat(43));
    let longer = "k".repeat(44);
    for verifier in [
        "",
        "*",
        "*2470",
        "0x2",
        "0x2A",
        "$A$005$short",
        "$5$short",
        "$C$005$",
        "$",
        "P0:",
        "P0:a:b",
        "plain text",
        "0xÿÿ",
        &parsec,
        &longer,
    ] {
        refused(
            &user(&format!("{{ name = 'a', verifier = '{verifier}' }}")),
            &[&format!("13:63: {wrong}")],
        );
    }
    refused(
        &user(&format!("{{ name = '{}', password = 'x' }}", "n".repeat(81))),
        &["13:47: listener.auth.users.name: is longer than 80 characters"],
    );
}

#[test]
fn errors_of_a_users_file_name_that_file() {
    let place = Place::new();
    place.write("users.toml", "[[user]]\nnam = 'app'\npassword = 'x'\n");
    assert_eq!(
        place.errors(
            &with_auth("{ source = 'file', file = 'users.toml' }").replace("bind =", "bnid =")
        ),
        "@tidegate.toml:8:1: listener.bind: is missing\n\
         @tidegate.toml:11:1: listener.bnid: unknown key; did you mean `bind`?\n\
         @users.toml:1:1: user.name: is missing\n\
         @users.toml:2:1: user.nam: unknown key; did you mean `name`?"
    );
}

#[test]
fn tls_that_does_not_fit_together() {
    refused(
        &with_upstream("tls = { mode = 'verify-ca' }"),
        &["7:7: upstream.tls.ca: is missing; without it no certificate can be verified"],
    );
    refused(
        &with_upstream("tls = {}"),
        &["7:7: upstream.tls.ca: is missing; without it no certificate can be verified"],
    );
    refused(
        &with_upstream("tls = { mode = 'require', ca = 'ca.pem' }"),
        &["7:32: upstream.tls.ca: needs the mode `verify-ca` or `verify-full`"],
    );
    refused(
        &with_upstream("tls = { mode = 'require', certificate = 'tidegate.pem' }"),
        &["7:7: upstream.tls.key: is missing; the `certificate` needs it"],
    );
    refused(
        &with_upstream("tls = { mode = 'require', key = 'tidegate.key' }"),
        &["7:7: upstream.tls.certificate: is missing; the `key` belongs to one"],
    );
}

#[test]
fn keys_of_servers_that_do_not_fit_together() {
    refused(
        &with_upstream("rsa = {}"),
        &["7:7: upstream.rsa.keys: is missing; it names the file with the servers' public keys"],
    );
    for mode in ["any", "refuse"] {
        refused(
            &with_upstream(&format!("rsa = {{ keys = 'ca.pem', mode = '{mode}' }}")),
            &["7:16: upstream.rsa.keys: needs the mode `pinned`"],
        );
    }
    refused(
        &with_upstream("rsa = { keys = 'nowhere.pem' }"),
        &["7:16: upstream.rsa.keys: cannot read \"@nowhere.pem\": there is no such file"],
    );
}

#[test]
fn accounts_and_roles_that_do_not_fit_together() {
    let account = "account = { user = \"tidegate\", password = \"secret\" }\n";
    refused(
        &LEAST.replace(account, ""),
        &["12:19: listener.auth.source: users are read from the servers with an account, \
           and the upstream `orders` has none"],
    );
    refused(
        &with_servers(r#"["a:1", "b:1"]"#),
        &["5:11: upstream.servers: roles are discovered with the `account`, which is missing; \
           add it or give each server a `role`"],
    );
    refused(
        &with_servers(
            "[{ address = 'a:1', role = 'primary' }, { address = 'b:1', role = 'primary' }]",
        ),
        &["5:11: upstream.servers: only one server can have the role `primary`"],
    );
    refused(
        &with_auth("{ source = 'server', file = 'users.toml' }"),
        &["13:29: listener.auth.file: unknown key; known are `source`, `query`"],
    );
}

#[test]
fn limits_of_lag_that_nothing_comes_of() {
    let no_account = with_servers(r#"["db:3306"]"#);
    refused(
        &no_account.replace("\n\n[[listener]]", "\nmax_lag = '10s'\n\n[[listener]]"),
        &["6:11: upstream.max_lag: lag is asked for with the `account`, which is missing"],
    );
    refused(
        &with_upstream("max_lag = '0s'"),
        &["7:11: upstream.max_lag: must be more than nothing"],
    );
    for line in [
        "read_after_write_wait = '1s'",
        "read_after_write_wait = '1s'\nread_after_write = 'primary'",
    ] {
        refused(
            &with_upstream(line),
            &["7:25: upstream.read_after_write_wait: needs `read_after_write = \"gtid\"`"],
        );
    }
}

#[test]
fn what_is_not_toml() {
    refused("[[upstream]\n", &["1:12: unclosed array table, expected `]`"]);
    refused("a = \"x\nb = 1\n", &["1:7: invalid basic string, expected `\"`"]);
}

#[test]
fn a_broken_upstream_is_still_known_to_its_listeners() {
    refused(
        &LEAST.replace("account = {", "acount = {"),
        &[
            "6:1: upstream.acount: unknown key; did you mean `account`?",
            "13:19: listener.auth.source: users are read from the servers with an account, \
             and the upstream `orders` has none",
        ],
    );
    refused(
        &with_upstream("balance = 'fair'").replace("[\"10.0.0.1:3306\"]", "[]"),
        &[
            "5:11: upstream.servers: must not be empty",
            "7:11: upstream.balance: `fair` is unknown; \
             known are `least-connections`, `round-robin`, `random`",
        ],
    );
}

#[test]
fn versions_that_no_driver_could_read() {
    refused(
        &with_listener("server_version = '8.0\t1'"),
        &["14:18: listener.server_version: must be at most 60 printable ASCII characters"],
    );
}

#[test]
fn what_belongs_to_another_protocol() {
    refused(
        &with_upstream("tls = { mode = 'require', negotiation = 'direct' }"),
        &["7:41: upstream.tls.negotiation: is for the protocol `postgres` only"],
    );
    refused(
        &with_listener("compression = []").replace("\"mysql\"", "\"postgres\""),
        &["14:15: listener.compression: is for the protocol `mysql` only"],
    );
    refused(
        &with_upstream("read_after_write = 'gtid'").replace("\"mysql\"", "\"postgres\""),
        &["7:20: upstream.read_after_write: `gtid` is unknown; known are `none`, `lsn`, `primary`"],
    );
    refused(
        &LEAST.replacen("\"mysql\"", "\"postgres\"", 1),
        &["12:12: listener.upstream: `orders` speaks `postgres`, and the listener `mysql`"],
    );
}

#[test]
fn users_of_postgres() {
    let user = |user: &str| {
        let text = with_auth(&format!("{{ source = 'config', users = [{user}] }}"));
        text.replace("\"mysql\"", "\"postgres\"")
    };
    refused(
        &user("{ name = 'a', check = 'certificate' }"),
        &["13:8: listener.auth: the certificate of `a` needs `tls.client_ca`"],
    );
    refused(
        &user("{ name = 'a', check = 'ldap' }"),
        &[
            "13:60: listener.auth.users.check: `ldap` is unknown; known are `servers`, `certificate`",
        ],
    );
    refused(
        &user("{ name = 'a', verifier = 'md5', check = 'certificate' }"),
        &["13:38: listener.auth.users.password: give one of `password`, `verifier` and `check`"],
    );
    refused(
        &user("{ name = 'a', check = 'certificate' }").replace("\"postgres\"", "\"mysql\""),
        &["13:60: listener.auth.users.check: `certificate` is unknown; known are `servers`"],
    );
}

#[test]
fn files_that_cannot_be_read() {
    let place = Place::new();
    let path = place.path().join("nowhere.toml");
    let shown = format!("{}: cannot be read: there is no such file", path.display());
    assert_eq!(load(&path).unwrap_err().to_string(), shown);
    assert_eq!(load_users(&path, Protocol::Mysql).unwrap_err().to_string(), shown);
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(load(&path).unwrap_err().to_string().ends_with("cannot be read: it is not UTF-8"));
}
