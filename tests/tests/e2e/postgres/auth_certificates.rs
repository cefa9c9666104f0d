//! Clients who are known by their certificates, and tidegate by its own.

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::{Login, psql_with_certificate};
use tidegate_tests::server::users;
use tidegate_tests::{Postgres, Setup, Tidegate};

use super::auth::{login, who};

/// The common name in the certificate of the tests' client.
const CLIENT: &str = "a client";

fn with_certificate(login: Login<'_>) -> Result<String, String> {
    let output = psql_with_certificate(login.with_tls(), "select current_user");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn start(server: &Postgres, users: &str) -> Tidegate {
    let certificates = Certificates::shared();
    let (certificate, key) = (certificates.certificate(), certificates.key());
    let ca = certificates.ca();
    let (client, client_key) = certificates.client();
    let setup = Setup::single(server)
        .listener(&format!(
            "tls = {{ certificate = {certificate:?}, key = {key:?}, client_ca = {ca:?} }}"
        ))
        .upstream(&format!(
            "tls = {{ ca = {ca:?}, certificate = {client:?}, key = {client_key:?} }}"
        ))
        .auth(&format!("{{ source = \"config\", users = [{users}] }}"));
    Tidegate::start(setup)
}

#[test]
fn a_certificate_lets_in_whom_it_names() {
    let server = Postgres::start();
    server.execute(&format!("create user \"{CLIENT}\" password 'secret'"));
    let by =
        |name: &str, more: &str| format!("{{ name = {name:?}, check = \"certificate\"{more} }}");
    let others = format!(
        "{}, {{ name = \"ro\", password = \"ropw\" }}",
        by("app", ", password = \"apppw\"")
    );
    let known = by(CLIENT, ", password = \"secret\"");
    let tidegate = start(&server, &format!("{known}, {others}"));
    assert_eq!(with_certificate(login(&tidegate, (CLIENT, ""))).as_deref(), Ok(CLIENT));
    for stranger in [
        who(login(&tidegate, (CLIENT, "secret")).with_tls()),
        who(login(&tidegate, (CLIENT, "secret"))),
        with_certificate(login(&tidegate, users::APP)),
        with_certificate(login(&tidegate, (users::READER.0, "wrong"))),
        with_certificate(login(&tidegate, ("nobody", "x"))),
    ] {
        let refusal = stranger.unwrap_err();
        assert!(refusal.contains("password authentication failed"), "{refusal}");
    }
    assert_eq!(with_certificate(login(&tidegate, users::READER)).as_deref(), Ok("ro"));
    // Without a password, a server that asks for one cannot be logged in to.
    let tidegate = start(&server, &by(CLIENT, ""));
    let refusal = with_certificate(login(&tidegate, (CLIENT, ""))).unwrap_err();
    assert!(refusal.contains("which is not known here"), "{refusal}");
}

#[test]
fn a_server_may_know_tidegate_by_its_certificate() {
    let server = Postgres::start();
    let user = users::CERTIFICATE;
    let known = format!("{{ name = {user:?}, password = \"for tidegate alone\" }}");
    let tidegate = start(&server, &known);
    let login = login(&tidegate, (user, "for tidegate alone"));
    assert_eq!(who(login).as_deref(), Ok(user));
    who(Login { password: "wrong", ..login }).unwrap_err();
}
