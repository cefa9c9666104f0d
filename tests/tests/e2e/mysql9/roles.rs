//! Roles that change and replicas that fall behind, with MySQL 9.

use tidegate_tests::{MySqlPair, Setup};

use crate::roles;

/// The account of the probes has a password that MySQL takes over TLS only.
fn setup(pair: &MySqlPair) -> Setup {
    Setup::discovering(pair).server_tls("require", None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switchover_under_load_loses_nothing_and_ends_no_session() {
    let mut pair = MySqlPair::start();
    let setup = setup(&pair);
    roles::switch_over_under_load(&mut pair, setup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_promoted_for_a_dead_primary_takes_the_writes() {
    let pair = MySqlPair::start();
    let tidegate = roles::with_all_plugins(setup(&pair));
    roles::promote_for_a_dead_primary(pair, tidegate).await;
}

#[tokio::test]
async fn sessions_move_to_the_new_primary_but_not_in_the_middle_of_a_transaction() {
    let mut pair = MySqlPair::start();
    let setup = setup(&pair);
    roles::move_between_transactions(&mut pair, setup).await;
}

#[tokio::test]
async fn a_replica_that_lags_serves_no_reads_until_it_has_caught_up() {
    let pair = MySqlPair::start();
    roles::leave_out_who_lags(&pair, setup(&pair)).await;
}

#[tokio::test]
async fn a_replica_that_does_not_replicate_is_the_last_to_be_read_from() {
    let pair = MySqlPair::start();
    let setup = setup(&pair);
    roles::leave_out_who_does_not_follow(pair, setup).await;
}
