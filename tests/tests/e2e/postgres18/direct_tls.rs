//! TLS without a request for it, and the newer protocol, which clients have since PostgreSQL 17 and 18.

use std::process::Command;

use tidegate_tests::certificates::Certificates;
use tidegate_tests::clients::succeed;
use tidegate_tests::server::{Installation as _, Postgres18Pair, Unpacked18, users};
use tidegate_tests::{Setup, Tidegate};

fn ask(tidegate: &Tidegate, options: &str, statement: &str) -> String {
    let (user, password) = users::APP;
    let ca = Certificates::shared().ca();
    let target = format!(
        "host=127.0.0.1 port={} user={user} password={password} dbname=app sslmode=verify-full \
         sslrootcert={} {options}",
        tidegate.port(),
        ca.display()
    );
    let mut psql = Command::new(Unpacked18::program("psql"));
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname", &target]);
    succeed(psql.arg(format!("--command={statement}")))
}

#[test]
fn both_sides_begin_with_tls_at_once_and_speak_the_newer_protocol() {
    let pair = Postgres18Pair::shared();
    let ca = Certificates::shared().ca();
    for negotiation in ["request", "direct"] {
        let tls = format!(
            "tls = {{ mode = \"verify-full\", ca = {ca:?}, negotiation = \"{negotiation}\" }}"
        );
        let tidegate = Tidegate::start(Setup::pair(pair).client_tls("require").upstream(&tls));
        for options in [
            "sslnegotiation=postgres",
            "sslnegotiation=direct",
            "sslnegotiation=direct min_protocol_version=3.2 max_protocol_version=latest",
        ] {
            let is_encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
            let answer = ask(&tidegate, options, is_encrypted);
            assert_eq!(answer.trim(), "t", "{negotiation} {options}");
        }
        let newer = "sslnegotiation=direct min_protocol_version=3.2";
        let told = ask(&tidegate, newer, "\\conninfo");
        assert!(told.contains("Protocol Version|3.2"), "{told}");
    }
}
