//! What is shown with PostgreSQL alone.

use std::io;

use anyhow::{Context as _, Result, bail};
use tidegate_demo_upstreams::DATABASE;
use tokio::process::Command;

use super::session::{PostgresSession, Session as _, password};
use super::{Expected, chapter, check};
use crate::proxy::{Listener, Ports};

/// PostgreSQL's own client, if it is installed: one session, each statement by itself.
pub(super) async fn psql(ports: Ports) -> Result<()> {
    chapter("the same by psql, in one session");
    let who = PostgresSession::WHO;
    let statements = [
        (who, Some(Expected::AnyReplica)),
        ("BEGIN", None),
        (who, Some(Expected::Primary)),
        ("INSERT INTO visits (visitor) VALUES ('psql')", None),
        ("SELECT count(*) FROM visits", Some(Expected::Exactly("2"))),
        ("ROLLBACK", None),
    ];
    let mut command = Command::new("psql");
    let port = ports.of(Listener::ByStatement).to_string();
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", "app", "-d", DATABASE]);
    command.env("PGPASSWORD", password("app"));
    // Rows alone, and an end at the first error.
    command.args(["--no-psqlrc", "--quiet", "-At", "-v", "ON_ERROR_STOP=1"]);
    for (text, _) in statements {
        command.args(["-c", text]);
    }
    let output = match command.output().await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("  psql is not installed here");
            return Ok(());
        }
        output => output.context("cannot start psql")?,
    };
    if !output.status.success() {
        bail!("psql failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let answers = String::from_utf8(output.stdout)?;
    let mut answers = answers.lines();
    for (text, expected) in statements {
        match expected {
            None => super::say("psql", text, "ok"),
            Some(expected) => {
                let answer = answers.next().with_context(|| format!("{text}: no row"))?;
                check("psql", text, answer.to_owned(), expected)?;
            }
        }
    }
    Ok(())
}
