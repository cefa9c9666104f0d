//! Every method by which a client can prove itself, with clients that are none of ours.
//!
//! The users are those of the configuration, so that the method at our door is another one than that
//! of the server behind it; what servers store is in `auth_accounts`.

use std::process::Output;

use mysql_async::{Conn, Error, Opts};
use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, mariadb, python};
use tidegate_tests::raw::{RawClient, login_packet};
use tidegate_tests::{MariaDb, MariaDbPair, Setup, Tidegate};

use crate::support::{assert_unharmed, options, server_error, try_connect, value};

/// What servers store for `apppw`.
const SHA2: &str = "$A$005$tidegate-tests-salt15yYbud2xcwF/sCnzcUnExhUbLOxD04doQuLHeIkFE.7";
const SHA256: &str = "$5$tidegate-tests-salt1$5yYbud2xcwF/sCnzcUnExhUbLOxD04doQuLHeIkFE.7";
/// SHA512 of it.
const SHA512: &str = "887f5ef911ba69e1b6f33d80f99441dbc2256a79bbc5b2bd782de3833330551cda873840a6f3a0aa6c976afe6d68aec597ee0fb82707c935f0dbe329ab23efa8";

const NATIVE: &str = "mysql_native_password";

fn primary() -> &'static MariaDb {
    &MariaDbPair::shared().primary
}

/// One user `app`, in front of a server that knows it by `mysql_native_password`.
fn setup(user: &str) -> Setup {
    let users = format!("[{{ name = \"app\", {user} }}]");
    Setup::single(primary()).auth(&format!("{{ source = \"config\", users = {users} }}"))
}

fn start(user: &str) -> Tidegate {
    Tidegate::start(setup(user).client_tls("prefer"))
}

fn app(tidegate: &Tidegate) -> Login<'static> {
    Login::app(tidegate.port(), "")
}

fn wrong(login: Login<'_>) -> Login<'_> {
    Login { password: "hunter2", ..login }
}

/// What the command line says after a login.
fn whoami(login: Login<'_>) -> Output {
    mariadb(login, "select current_user()")
}

#[track_caller]
fn is_let_in(login: Login<'_>) {
    let output = whoami(login);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "app@%", "{output:?}");
}

#[track_caller]
fn is_denied(login: Login<'_>) {
    let output = whoami(login);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("ERROR 1045 (28000): Access denied for user 'app'@"), "{message}");
    assert!(message.contains("(using password: YES)"), "{message}");
}

async fn is_let_in_by_mysql_async(login: Login<'_>) {
    let mut connection = try_connect(login).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");
}

async fn is_denied_by_mysql_async(login: Login<'_>) {
    assert_eq!(server_error(&try_connect(login).await.unwrap_err()).0, 1045);
}

/// Everything that can be done by every client, by a method that works without TLS.
async fn is_complete(login: Login<'_>) {
    for login in [login, login.with_tls()] {
        is_denied(wrong(login));
        is_denied_by_mysql_async(wrong(login)).await;
        is_let_in(login);
        is_let_in_by_mysql_async(login).await;
        assert_eq!(python("who.py", login).trim(), "app@%");
    }
}

#[tokio::test]
async fn caching_sha2_password_takes_the_full_path_over_rsa() {
    let user = format!("verifier = {SHA2:?}");
    // Each is the first who shows the password, so that nothing was learned before.
    let tidegate = start(&user);
    is_denied(wrong(app(&tidegate)));
    is_let_in(app(&tidegate));
    let tidegate = start(&user);
    is_denied_by_mysql_async(wrong(app(&tidegate))).await;
    is_let_in_by_mysql_async(app(&tidegate)).await;
    let tidegate = start(&user);
    assert_eq!(python("who.py", app(&tidegate)).trim(), "app@%");
    is_complete(app(&tidegate)).await;
}

/// Up to the request for the password itself, without TLS.
fn asked_for_the_password(tidegate: &Tidegate) -> (RawClient, u8) {
    let mut client = RawClient::connect(tidegate.port()).unwrap();
    let native = login_packet("app", &[7; 32]);
    let packet = &native[..native.len() - NATIVE.len() - 1];
    client.send(1, &[packet, b"caching_sha2_password\0"].concat()).unwrap();
    let answer = client.read().unwrap();
    assert_eq!(answer.payload, [1, 4], "a proof that nobody can check asks for the password");
    (client, answer.sequence + 1)
}

#[test]
fn the_key_of_the_configuration_is_the_one_that_clients_get() {
    let (private, public) = Certificates::shared().rsa();
    let setup = setup(&format!("verifier = {SHA2:?}")).listener(&format!("rsa_key = {private:?}"));
    let tidegate = Tidegate::start(setup);
    let (mut client, sequence) = asked_for_the_password(&tidegate);
    client.send(sequence, &[2]).unwrap();
    let key = client.read().unwrap();
    let expected = std::fs::read_to_string(public).unwrap();
    let plain = |pem: &str| pem.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    assert_eq!(plain(&String::from_utf8_lossy(&key.payload[1..])), plain(&expected));
    is_let_in(app(&tidegate));
}

#[tokio::test]
async fn what_was_not_encrypted_with_our_key_is_a_wrong_password() {
    let tidegate = start(&format!("verifier = {SHA2:?}"));
    // In clear, cut, too long, and as long as it should be.
    for nonsense in [&b"apppw\0"[..], b"", &[9; 255], &[9; 256], &[0xff; 256], &[9; 5000]] {
        let (mut client, sequence) = asked_for_the_password(&tidegate);
        client.send(sequence, nonsense).unwrap();
        assert_eq!(client.read().unwrap().error_code(), Some(1045));
    }
    assert_unharmed(&tidegate).await;
}

#[tokio::test]
async fn sha256_password_sends_the_password_over_tls_or_rsa() {
    for user in [
        format!("verifier = {SHA256:?}"),
        "password = \"apppw\", method = \"sha256_password\"".to_owned(),
    ] {
        let tidegate = start(&user);
        for login in [app(&tidegate), app(&tidegate).with_tls()] {
            is_denied(wrong(login));
            is_let_in(login);
            assert_eq!(python("who.py", login).trim(), "app@%");
        }
    }
}

#[tokio::test]
async fn client_ed25519_signs_for_who_holds_the_password_or_half_of_it() {
    for user in [
        format!("verifier = {SHA512:?}"),
        "password = \"apppw\", method = \"client_ed25519\"".to_owned(),
    ] {
        let server = MariaDb::start_with(&["--plugin-load-add=auth_ed25519"]);
        server.execute("alter user app@'%' identified via ed25519 using password('apppw')");
        let users = format!("[{{ name = \"app\", {user} }}]");
        let setup = Setup::single(&server)
            .auth(&format!("{{ source = \"config\", users = {users} }}"))
            .client_tls("prefer");
        is_complete(app(&Tidegate::start(setup))).await;
    }
}

#[tokio::test]
async fn parsec_signs_for_who_holds_the_password() {
    let tidegate = start("password = \"apppw\", method = \"parsec\"");
    for login in [app(&tidegate), app(&tidegate).with_tls()] {
        is_denied_by_mysql_async(wrong(login)).await;
        is_let_in_by_mysql_async(login).await;
    }
}

async fn try_in_clear(login: Login<'_>) -> Result<Conn, Error> {
    Conn::new(Opts::from(options(login).enable_cleartext_plugin(true))).await
}

#[tokio::test]
async fn mysql_clear_password_is_taken_over_tls_and_the_servers_check_it() {
    let tidegate = start("check = \"servers\"");
    let login = app(&tidegate).with_tls();
    is_let_in(login);
    assert_eq!(python("who.py", login).trim(), "app@%");
    let mut connection = try_in_clear(login).await.unwrap();
    assert_eq!(value::<String>(&mut connection, "select current_user()").await, "app@%");
    // There are connections in the pool by now, which prove nothing about this password.
    is_denied(wrong(login));
    assert_eq!(server_error(&try_in_clear(wrong(login)).await.unwrap_err()).0, 1045);
    assert_eq!(value::<u8>(&mut connection, "select 1").await, 1);
}

#[tokio::test]
async fn no_client_is_asked_for_a_clear_password_without_tls() {
    let tidegate = start("check = \"servers\"");
    let refusal = try_in_clear(app(&tidegate)).await.unwrap_err();
    let (code, message) = server_error(&refusal);
    assert_eq!(code, 1045);
    assert!(message.contains("needs a TLS connection"), "{message}");
    let somebody = Login { user: "somebody", ..app(&tidegate) };
    assert_eq!(server_error(&try_in_clear(somebody).await.unwrap_err()).0, 1045);
}

/// All that the proxy says to a client that answers everything with nonsense.
fn said_to_a_stranger(tidegate: &Tidegate, user: &str, method: &str) -> Vec<Vec<u8>> {
    let mut client = RawClient::connect(tidegate.port()).unwrap();
    let native = login_packet(user, &[]);
    let packet = &native[..native.len() - NATIVE.len() - 1];
    client.send(1, &[packet, method.as_bytes(), b"\0"].concat()).unwrap();
    let mut said = Vec::new();
    loop {
        let Ok(frame) = client.read() else { return said };
        let payload = match frame.payload.as_slice() {
            // Nonces and keys differ each time, and salts between users.
            [0xfe, name @ ..] => name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            [1, b'P', ..] => b"parameters".to_vec(),
            other => String::from_utf8_lossy(other).replace(user, "USER").into_bytes(),
        };
        let answer: &[u8] = match payload.as_slice() {
            b"parsec" => &[],
            b"parameters" => &[9; 96],
            b"client_ed25519" => &[9; 64],
            b"sha256_password" => &[1],
            [1, 4] => &[2],
            _ => &[9; 32],
        };
        said.push(payload);
        if frame.error_code().is_some() {
            return said;
        }
        drop(client.send(frame.sequence + 1, answer));
    }
}

#[test]
fn a_stranger_is_told_nothing_by_any_method() {
    for user in [
        "password = \"apppw\"".to_owned(),
        format!("verifier = {SHA2:?}"),
        format!("verifier = {SHA256:?}"),
        format!("verifier = {SHA512:?}"),
        "password = \"apppw\", method = \"client_ed25519\"".to_owned(),
        "password = \"apppw\", method = \"parsec\"".to_owned(),
        "check = \"servers\"".to_owned(),
    ] {
        let tidegate = start(&user);
        for method in [NATIVE, "caching_sha2_password", "client_ed25519", "parsec", "dialog"] {
            let known = said_to_a_stranger(&tidegate, "app", method);
            let unknown = said_to_a_stranger(&tidegate, "nobody", method);
            assert_eq!(known, unknown, "{user} and {method}");
            assert_eq!(known, said_to_a_stranger(&tidegate, "app", method), "always the same");
        }
    }
}

#[test]
fn nobody_is_somebody_by_one_of_the_methods_that_are_in_use() {
    let users = format!(
        "[{{ name = \"app\", password = \"x\", method = \"mysql_native_password\" }}, \
         {{ name = \"apq\", verifier = {SHA2:?} }}]"
    );
    let setup = Setup::single(primary())
        .auth(&format!("{{ source = \"config\", users = {users} }}"))
        .client_tls("prefer");
    let methods = |tidegate: &Tidegate| -> Vec<Vec<u8>> {
        let names = (0..40).map(|number| format!("user{number}"));
        names.map(|name| said_to_a_stranger(tidegate, &name, NATIVE).remove(0)).collect()
    };
    let first = methods(&Tidegate::start(setup.clone()));
    let asked = first.iter().filter(|said| *said == b"caching_sha2_password").count();
    assert!((1..40).contains(&asked), "{asked} of 40 are asked for another method");
    assert_eq!(methods(&Tidegate::start(setup)), first, "after a restart as before");
}

#[test]
fn no_secret_of_any_method_is_logged() {
    for user in [
        format!("verifier = {SHA2:?}"),
        format!("verifier = {SHA256:?}"),
        "password = \"apppw\", method = \"client_ed25519\"".to_owned(),
        "check = \"servers\"".to_owned(),
    ] {
        let setup = setup(&user).client_tls("prefer").top("[log]\nlevel = \"trace\"\n");
        let tidegate = Tidegate::start(setup);
        let login = app(&tidegate);
        is_let_in(login.with_tls());
        is_denied(wrong(login.with_tls()));
        if !user.contains("check") {
            is_let_in(login);
            is_denied(wrong(login));
        }
        let log = tidegate.log().join("\n");
        for secret in ["apppw", "hunter2", &SHA2[27..]] {
            assert!(!log.contains(secret), "{secret} is in the log of {user}");
        }
    }
}
