//! In front of a primary and its replica: how the proxy is set up, and who answers what.

use std::time::Instant;

use tidegate_tests::setup::UPSTREAM;
use tidegate_tests::{PATIENCE, Postgres, PostgresPair, Setup, Tidegate, wait_for};
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::support::value;

/// Fewer connections than some tests have sessions.
pub(crate) const TRANSACTION: &str = "{ mode = \"transaction\", max = 6, wait = \"5s\" }";

/// The column that says which server answers.
pub(crate) const SERVER: &str = "current_setting('cluster_name')";

/// In front of the pair that tests share, with transaction pooling.
pub(crate) fn shared() -> Setup {
    Setup::pair(PostgresPair::shared()).pool(TRANSACTION)
}

/// With the plugin `read-write-split`, and more lines for its configuration.
pub(crate) fn split(setup: Setup, config: &str) -> Tidegate {
    let setup = setup.sidecar("read-write-split", &split_config("0s", config));
    Tidegate::start_with_plugins(setup, &[("read-write-split", "read-write-split")])
}

/// A busy machine gets more time for each decision than the default.
pub(crate) fn split_config(sticky: &str, more: &str) -> String {
    format!(
        "deadline = \"2s\"\n[config]\nupstream = \"{UPSTREAM}\"\nsticky = \"{sticky}\"\n{more}\n"
    )
}

/// Has every statement sent to a replica.
pub(crate) fn read_replicas(setup: Setup) -> Tidegate {
    let sidecar = format!("deadline = \"2s\"\n[config]\ntarget = \"{UPSTREAM}/replica\"\n");
    let setup = setup.sidecar("route-all", &sidecar);
    Tidegate::start_with_plugins(setup, &[("route-all", "route-all")])
}

/// The number of the server that answers a read now.
pub(crate) async fn answered_by(client: &Client) -> u32 {
    let text: String = value(client, &format!("select {SERVER}")).await;
    text.parse().unwrap()
}

/// As [`answered_by`], by the simple protocol, of a statement whose first column is [`SERVER`].
pub(crate) async fn server_of(client: &Client, statement: &str) -> u32 {
    let first = try_first(client, statement).await;
    let first = first.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    first.unwrap_or_else(|| panic!("{statement}: no row")).parse().unwrap()
}

/// The first column of the last row that statements answer, by the simple protocol.
pub(crate) async fn try_first(client: &Client, statement: &str) -> Result<Option<String>, Error> {
    let messages = client.simple_query(statement).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(rows.last())
}

/// Asks in one session until a server answers.
pub(crate) async fn until_answered_by(client: &Client, server: u32) {
    let started = Instant::now();
    while answered_by(client).await != server {
        assert!(started.elapsed() < PATIENCE, "server {server} never answers");
    }
}

/// The replica gets what its primary writes, and shows nothing of it until [`resume`].
pub(crate) fn pause(replica: &Postgres) {
    replica.execute("select pg_wal_replay_pause()");
    wait_for("the replica to pause", || {
        let state = replica.query("select pg_get_wal_replay_pause_state()");
        (state.trim() == "paused").then_some(())
    });
}

pub(crate) fn resume(replica: &Postgres) {
    replica.execute("select pg_wal_replay_resume()");
}

/// The label that a server has in the metrics.
pub(crate) fn label(server: &Postgres) -> String {
    format!("server=\"{}\"", server.address())
}

pub(crate) fn wait_for_promotion(tidegate: &Tidegate, server: &Postgres) {
    let primary = "tidegate_server_primary";
    tidegate.admin().wait_for_metric(primary, &[&label(server)], |primary| primary > 0.5);
}

/// Statements that were sent to a server.
pub(crate) fn sent_to(tidegate: &Tidegate, server: &Postgres) -> f64 {
    tidegate.admin().metric("tidegate_server_statements_total", &[&label(server)])
}
