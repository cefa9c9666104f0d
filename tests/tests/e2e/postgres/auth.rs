//! Who may log in, how it is proved, and what a stranger learns.

use std::time::Duration;

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, postgres_program, psql, succeed};
use tidegate_tests::raw_postgres::{Message, RawPostgres, VERSION, startup};
use tidegate_tests::server::users;
use tidegate_tests::wait::becomes_true;
use tidegate_tests::{Postgres, PostgresPair, Setup, Tidegate, wait_for};

fn primary() -> &'static Postgres {
    &PostgresPair::shared().primary
}

/// What `psql` answers, or the message with which it fails.
pub(super) fn ask(login: Login<'_>, statements: &str) -> Result<String, String> {
    let output = psql(login, statements);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Who it is at the server.
pub(super) fn who(login: Login<'_>) -> Result<String, String> {
    ask(login, "select current_user")
}

pub(super) fn login<'a>(tidegate: &Tidegate, (user, password): (&'a str, &'a str)) -> Login<'a> {
    Login { user, password, ..Login::app(tidegate.port(), "app") }
}

/// In front of a server that is reached by TLS.
pub(super) fn encrypted(server: &Postgres, auth: &str) -> Setup {
    let ca = Certificates::shared().ca();
    let setup = Setup::single(server).account().client_tls("prefer");
    setup.server_tls("verify-full", Some(&ca)).auth(auth)
}

const SERVER: &str = "{ source = \"server\" }";

#[test]
fn passwords_of_the_configuration_go_with_every_method_on_either_side() {
    let everybody = [users::APP, users::MD5, users::CLEARTEXT];
    let known =
        everybody.map(|(name, password)| format!("{{ name = {name:?}, password = {password:?} }}"));
    let auth = format!("{{ source = \"config\", users = [{}] }}", known.join(", "));
    for method in ["scram-sha-256", "md5", "cleartext"] {
        let method_line = format!("default_auth = {method:?}");
        let tidegate = Tidegate::start(encrypted(primary(), &auth).listener(&method_line));
        for user in everybody {
            let login = login(&tidegate, user).with_tls();
            assert_eq!(who(login).as_deref(), Ok(user.0), "{method}");
            let refusal = who(Login { password: "wrong", ..login }).unwrap_err();
            let words = format!("password authentication failed for user \"{}\"", user.0);
            assert!(refusal.contains(&words), "{method}: {refusal}");
        }
        let plain = who(login(&tidegate, users::APP));
        assert_eq!(plain.is_ok(), method != "cleartext", "{plain:?}");
    }
}

#[test]
fn what_servers_store_is_enough() {
    let tidegate = Tidegate::start(encrypted(primary(), SERVER));
    for user in [users::APP, users::READER, users::MD5] {
        for login in [login(&tidegate, user), login(&tidegate, user).with_tls()] {
            assert_eq!(who(login).as_deref(), Ok(user.0));
            who(Login { password: "wrong", ..login }).unwrap_err();
            who(Login { password: "", ..login }).unwrap_err();
        }
    }
    let bound = login(&tidegate, users::APP).with_tls();
    let mut program = postgres_program("psql", bound);
    program.env("PGCHANNELBINDING", "require").args(["-XAtc", "select current_user"]);
    assert_eq!(succeed(&mut program).trim(), "app");
    let mut program = postgres_program("psql", login(&tidegate, users::APP));
    program.env("PGCHANNELBINDING", "require").args(["-XAtc", "select 1"]);
    assert!(!program.output().unwrap().status.success(), "there is nothing to bind to");
}

#[test]
fn a_changed_password_is_good_at_the_next_login() {
    let server = Postgres::start();
    let (scram, md5) = ("scram-sha-256", "md5");
    for ((user, password), kind, method) in
        [(users::APP, scram, scram), (users::APP, scram, "cleartext"), (users::MD5, md5, scram)]
    {
        let change = |password: &str| {
            let change = format!("alter user {user} password '{password}'");
            server.execute(&format!("set password_encryption = '{kind}'; {change}"));
        };
        change(password);
        let setup = encrypted(&server, SERVER).listener(&format!("default_auth = {method:?}"));
        let tidegate = Tidegate::start(setup);
        let old = login(&tidegate, (user, password)).with_tls();
        assert_eq!(who(old).as_deref(), Ok(user));
        change("changed");
        let new = Login { password: "changed", ..old };
        let limit = Duration::from_millis(1500);
        assert!(becomes_true(limit, || who(new).is_ok()), "{method}, {kind}: {:?}", who(new));
        assert!(who(old).is_err(), "the old one is good no longer");
        server.execute("create user newcomer password 'newpw'");
        let newcomer = Login { user: "newcomer", password: "newpw", ..old };
        assert_eq!(who(newcomer).as_deref(), Ok("newcomer"));
        server.execute("drop user newcomer");
    }
}

#[test]
fn a_user_that_may_not_log_in_at_the_server_may_not_here() {
    let server = Postgres::start();
    server.execute(
        "create role asleep password 'x' nologin;
         create user expired password 'x' valid until '2001-01-01';
         create user current password 'x' valid until '2999-01-01';
         create user passwordless;",
    );
    let tidegate = Tidegate::start(encrypted(&server, SERVER));
    let refusal =
        |user: &'static str, password| who(login(&tidegate, (user, password))).unwrap_err();
    let asleep = refusal("asleep", "x");
    assert!(asleep.contains("role \"asleep\" is not permitted to log in"), "{asleep}");
    assert!(refusal("asleep", "wrong").contains("password authentication failed"));
    for user in ["expired", "passwordless"] {
        assert!(refusal(user, "x").contains("password authentication failed"), "{user}");
    }
    assert_eq!(who(login(&tidegate, ("current", "x"))).as_deref(), Ok("current"));
    // A connection of the user's lies idle in the pool.
    server.execute("alter role current nologin");
    let barred = || who(login(&tidegate, ("current", "x"))).is_err();
    assert!(becomes_true(Duration::from_secs(2), barred), "the pool lets nobody in");
}

#[test]
fn a_query_finds_users_for_an_account_that_may_not_read_them() {
    let server = Postgres::start();
    server.execute(
        "create user pooler password 'poolerpw';
         create function public.find_user(wanted text, out name text, out secret text)
             language sql security definer set search_path = pg_catalog
             as $$ select usename, passwd from pg_shadow where usename = wanted $$;
         revoke all on function public.find_user(text) from public;
         grant execute on function public.find_user(text) to pooler;",
    );
    let query = "SELECT name, secret FROM public.find_user($1)";
    let account =
        "account = { user = \"pooler\", password = \"poolerpw\", database = \"postgres\" }";
    let start = |auth: &str| Tidegate::start(Setup::single(&server).upstream(account).auth(auth));
    let tidegate = start(&format!("{{ source = \"server\", query = {query:?} }}"));
    for user in [users::APP, users::MD5] {
        assert_eq!(who(login(&tidegate, user)).as_deref(), Ok(user.0));
        let refusal = who(login(&tidegate, (user.0, "wrong"))).unwrap_err();
        assert!(refusal.contains("password authentication failed"), "{refusal}");
    }
    for stranger in ["nobody", "a' or ''='"] {
        let refusal = who(login(&tidegate, (stranger, "x"))).unwrap_err();
        assert!(refusal.contains("password authentication failed"), "{refusal}");
    }
    // Without the query it may read nothing, and the client is told no more than it needs to know.
    let tidegate = start(SERVER);
    let refusal = who(login(&tidegate, users::APP)).unwrap_err();
    assert!(refusal.contains("57P03") || refusal.contains("cannot check users"), "{refusal}");
    assert!(!refusal.contains("pg_authid"), "{refusal}");
    tidegate.wait_for_log(&["the account may not read the users", "pg_authid"]);
}

#[test]
fn a_list_of_pgbouncer_is_read_as_it_is_and_again_when_it_has_changed() {
    let stored = |user: &str| {
        let stored = format!("select rolpassword from pg_authid where rolname = '{user}'");
        primary().query(&stored).trim().to_owned()
    };
    let list = format!(
        "; from another pooler\n\"app\" \"{}\"\n\"md5user\" \"{}\" \"x\"\n\"ro\" \"ropw\"\n",
        stored("app"),
        stored("md5user")
    );
    let setup = Setup::single(primary())
        .auth("{ source = \"file\", file = \"userlist.txt\" }")
        .file("userlist.txt", &list);
    let tidegate = Tidegate::start(setup);
    for user in [users::APP, users::MD5, users::READER] {
        assert_eq!(who(login(&tidegate, user)).as_deref(), Ok(user.0));
        who(login(&tidegate, (user.0, "wrong"))).unwrap_err();
    }
    let path = tidegate.folder().join("userlist.txt");
    std::fs::write(&path, list.replace("; from", "from")).unwrap();
    let refused = wait_for("the list to be looked at", || {
        assert_eq!(who(login(&tidegate, users::APP)).as_deref(), Ok("app"), "nothing has changed");
        tidegate.log().into_iter().find(|line| line.contains("the users stay as they were"))
    });
    assert!(refused.contains("line 1: a user's name in double quotes is expected"), "{refused}");
    std::fs::write(&path, list.replace("\"ro\" \"ropw\"\n", "")).unwrap();
    wait_for("the user to be gone", || who(login(&tidegate, users::READER)).err());
    assert_eq!(who(login(&tidegate, users::APP)).as_deref(), Ok("app"));
}

#[test]
fn a_server_with_another_salt_is_logged_in_to_with_the_password_only() {
    let server = Postgres::start();
    server.execute("alter user app password 'apppw'");
    let stored = primary().query("select rolpassword from pg_authid where rolname = 'app'");
    let users = format!("[{{ name = \"app\", verifier = {:?} }}]", stored.trim());
    let auth = format!("{{ source = \"config\", users = {users} }}");
    let tidegate = Tidegate::start(encrypted(&server, &auth));
    let refusal = who(login(&tidegate, users::APP).with_tls()).unwrap_err();
    assert!(refusal.contains("with another salt"), "{refusal}");
    assert!(!refusal.contains("SCRAM-SHA-256$"), "{refusal}");
    let setup = encrypted(&server, &auth).listener("default_auth = \"cleartext\"");
    let tidegate = Tidegate::start(setup);
    assert_eq!(who(login(&tidegate, users::APP).with_tls()).as_deref(), Ok("app"));
    who(login(&tidegate, ("app", "wrong")).with_tls()).unwrap_err();
}

#[test]
fn servers_check_passwords_that_nobody_else_can() {
    let users = ["app", "plainuser", "nopw"]
        .map(|name| format!("{{ name = {name:?}, check = \"servers\" }}"));
    let auth = format!("{{ source = \"config\", users = [{}] }}", users.join(", "));
    let tidegate = Tidegate::start(encrypted(primary(), &auth));
    for user in [users::APP, users::CLEARTEXT] {
        assert_eq!(who(login(&tidegate, user).with_tls()).as_deref(), Ok(user.0));
        let refusal = who(login(&tidegate, (user.0, "wrong")).with_tls()).unwrap_err();
        assert!(refusal.contains("password authentication failed"), "{refusal}");
        let refusal = who(login(&tidegate, user)).unwrap_err();
        assert!(refusal.contains("needs a TLS connection"), "{refusal}");
    }
    // The server trusts tidegate: that says nothing about the client.
    let refusal = who(login(&tidegate, ("nopw", "anything")).with_tls()).unwrap_err();
    assert!(refusal.contains("password authentication failed"), "{refusal}");
    tidegate.wait_for_log(&["a server lets the user in without a password"]);
}

#[test]
fn clients_must_use_tls_where_it_is_required() {
    let tidegate = Tidegate::start(Setup::single(primary()).client_tls("require"));
    let refusal = who(login(&tidegate, users::APP)).unwrap_err();
    assert!(refusal.contains("connections without TLS are not allowed here"), "{refusal}");
    assert_eq!(who(login(&tidegate, users::APP).with_tls()).as_deref(), Ok("app"));
}

/// Everything that a client hears who begins with SCRAM and cannot prove anything.
fn heard(port: u16, user: &str) -> Vec<Message> {
    let mut client = RawPostgres::connect(port).unwrap();
    let parameters = [("user", user), ("database", "app")];
    client.send_bytes(&startup(VERSION, &parameters)).unwrap();
    let mut messages = vec![client.read().unwrap()];
    let first = b"n,,n=,r=abcdefghijklmnopqrstuvwx";
    let length = u32::try_from(first.len()).unwrap().to_be_bytes();
    client.send(b'p', &[b"SCRAM-SHA-256\0", &length[..], first].concat()).unwrap();
    let challenge = client.read().unwrap();
    let text = String::from_utf8(challenge.body[4..].to_vec()).unwrap();
    let nonce = text.split(',').next().unwrap().to_owned();
    messages.push(challenge);
    let proof = "A".repeat(43) + "=";
    client.send(b'p', format!("c=biws,{nonce},p={proof}").as_bytes()).unwrap();
    messages.push(client.read().unwrap());
    assert!(client.read().is_err(), "the connection is closed");
    messages
}

/// The salt and the number of iterations of a challenge.
fn salt(messages: &[Message]) -> String {
    let text = String::from_utf8(messages[1].body[4..].to_vec()).unwrap();
    text.split_once(',').unwrap().1.to_owned()
}

#[test]
fn a_stranger_cannot_tell_who_exists() {
    let users = "[{ name = \"app\", password = \"apppw\" }]";
    for auth in [SERVER.to_owned(), format!("{{ source = \"config\", users = {users} }}")] {
        let start = || Tidegate::start(Setup::single(primary()).account().auth(&auth));
        let (tidegate, another) = (start(), start());
        let (known, unknown) = (heard(tidegate.port(), "app"), heard(tidegate.port(), "apq"));
        let tags = |messages: &[Message]| messages.iter().map(|it| it.tag).collect::<Vec<_>>();
        assert_eq!(tags(&known), b"RRE");
        assert_eq!(tags(&unknown), b"RRE");
        assert_eq!(known[0], unknown[0], "the methods");
        let (known_salt, unknown_salt) = (salt(&known), salt(&unknown));
        assert_eq!(known_salt.len(), unknown_salt.len());
        for salt in [&known_salt, &unknown_salt] {
            assert!(salt.ends_with(",i=4096"), "{salt}");
        }
        assert_eq!(salt(&heard(tidegate.port(), "apq")), unknown_salt, "always the same");
        assert_eq!(salt(&heard(another.port(), "apq")), unknown_salt, "wherever it is asked");
        assert_ne!(salt(&heard(tidegate.port(), "apr")), unknown_salt, "another name");
        let words = String::from_utf8_lossy(&unknown[2].body).replace("apq", "app");
        assert_eq!(String::from_utf8_lossy(&known[2].body), words);
        assert_eq!(known[2].state().as_deref(), Some("28P01"));
    }
}

#[test]
fn no_secret_is_ever_logged() {
    let setup = encrypted(primary(), SERVER).top("[log]\nlevel = \"trace\"\n");
    let tidegate = Tidegate::start(setup.listener("default_auth = \"cleartext\""));
    let login = login(&tidegate, users::APP).with_tls();
    assert!(who(login).is_ok());
    assert!(who(Login { password: "hunter2", ..login }).is_err());
    let stored = primary().query("select rolpassword from pg_authid where rolname = 'app'");
    let (_, keys) = stored.trim().rsplit_once('$').unwrap();
    let log = tidegate.log().join("\n");
    for secret in ["apppw", "hunter2", "monpw", keys] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
