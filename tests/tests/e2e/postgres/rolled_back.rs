//! Settings, and what else lives in a session, after transactions that were undone in one way or
//! another: many sessions share one connection, and none sees what another has set.

use tidegate_tests::{PostgresPair, Setup, Tidegate};
use tokio_postgres::Client;

use super::support::{connect, run, state, value};

fn start() -> Tidegate {
    let pool = "{ mode = \"transaction\", max = 1, wait = \"5s\" }";
    Tidegate::start(Setup::single(&PostgresPair::shared().primary).pool(pool))
}

async fn timezone(client: &Client) -> String {
    value(client, "show timezone").await
}

/// The connection goes from one session to the other and back, so that whatever is said again is.
async fn assert_timezones(one: &Client, two: &Client, wanted: &str, after: &str) {
    for _ in 0..2 {
        assert_eq!(timezone(one).await, wanted, "{after}");
        assert_eq!(timezone(two).await, "Asia/Tokyo", "{after}: of another session");
    }
}

#[tokio::test]
async fn what_is_undone_with_its_transaction_is_as_it_was() {
    let tidegate = start();
    let database = PostgresPair::shared().database("rolled_back");
    let one = connect(&tidegate, database).await;
    let two = connect(&tidegate, database).await;
    run(&one, "create table t (a int unique deferrable initially deferred)").await;
    run(&two, "set timezone = 'Asia/Tokyo'").await;
    run(&one, "set timezone = 'Asia/Kathmandu'").await;
    for undone in [
        &["begin", "set timezone = 'Europe/Oslo'", "rollback"][..],
        &["begin; set timezone = 'Europe/Oslo'; rollback"],
        &["begin", "set timezone = 'Europe/Oslo'; rollback"],
        &["begin; set timezone = 'Europe/Oslo'", "rollback; select 1"],
        &["begin", "set timezone = 'Europe/Oslo'", "select 1/0", "commit"],
        &["begin", "set timezone = 'Europe/Oslo'", "select 1/0", "rollback"],
        &["set timezone = 'Europe/Oslo'; select 1/0"],
        &["begin", "set timezone = 'Europe/Oslo'", "insert into t values (1), (1)", "commit"],
        &["begin", "set timezone = 'Europe/Oslo'", "rollback and chain", "commit"],
        &["begin", "reset timezone", "rollback"],
        &["begin", "reset all", "rollback"],
        &["begin", "set local timezone = 'Europe/Oslo'", "commit"],
        &[
            "begin",
            "set timezone = 'Europe/Oslo'",
            "prepare transaction 'gone'",
            "rollback prepared 'gone'",
            "set timezone = 'Asia/Kathmandu'",
        ],
        &["begin", "set timezone = 'Nowhere/Never'", "rollback"],
        &["set timezone = 'Nowhere/Never'"],
    ] {
        for statement in undone {
            drop(one.batch_execute(statement).await);
        }
        assert_timezones(&one, &two, "Asia/Kathmandu", &undone.join("; ")).await;
    }
    for (kept, wanted) in [
        (&["begin", "set timezone = 'Europe/Oslo'", "commit"][..], "Europe/Oslo"),
        (&["begin; set timezone = 'Europe/Rome'; commit"], "Europe/Rome"),
        (
            &["begin", "savepoint s", "set timezone = 'Europe/Paris'", "release s", "commit"],
            "Europe/Paris",
        ),
        (
            &[
                "begin",
                "set timezone = 'Europe/Oslo'",
                "commit and chain",
                "set timezone = 'Europe/Rome'",
                "rollback",
            ],
            "Europe/Oslo",
        ),
    ] {
        for statement in kept {
            drop(one.batch_execute(statement).await);
        }
        assert_timezones(&one, &two, wanted, &kept.join("; ")).await;
    }
}

/// What was set before a savepoint and what was set behind it is known to the connection only, which
/// the session keeps then.
#[tokio::test]
async fn what_is_undone_up_to_a_savepoint_is_as_it_was() {
    let pool = "{ mode = \"transaction\", max = 2, wait = \"5s\" }";
    let tidegate = Tidegate::start(Setup::single(&PostgresPair::shared().primary).pool(pool));
    let two = connect(&tidegate, "app").await;
    run(&two, "set timezone = 'Asia/Tokyo'").await;
    for (statements, wanted) in [
        (&["savepoint s", "set timezone = 'Europe/Oslo'", "rollback to s"][..], "Asia/Kathmandu"),
        (&["savepoint s; set timezone = 'Europe/Oslo'; rollback to s"], "Asia/Kathmandu"),
        (
            &["savepoint s", "set timezone = 'Europe/Oslo'", "select 1/0", "rollback to s"],
            "Asia/Kathmandu",
        ),
        (
            &["set timezone = 'Europe/Rome'", "savepoint s", "select 1/0", "rollback to s"],
            "Europe/Rome",
        ),
        (&["savepoint s", "set timezone = 'Europe/Rome'", "release s"], "Europe/Rome"),
    ] {
        let one = connect(&tidegate, "app").await;
        run(&one, "set timezone = 'Asia/Kathmandu'; begin").await;
        for statement in statements {
            drop(one.batch_execute(statement).await);
        }
        run(&one, "commit").await;
        assert_timezones(&one, &two, wanted, &statements.join("; ")).await;
        run(&one, "discard all").await;
        assert_ne!(timezone(&one).await, wanted);
    }
}

#[tokio::test]
async fn what_is_undone_has_not_ended_what_lives_on_the_connection() {
    let tidegate = Tidegate::start(
        Setup::single(&PostgresPair::shared().primary)
            .pool("{ mode = \"transaction\", max = 2, wait = \"5s\" }"),
    );
    let client = connect(&tidegate, "app").await;
    let other = connect(&tidegate, "app").await;
    run(&client, "create temp table mine as select 7 a").await;
    run(&client, "listen mine").await;
    for undone in [
        &["begin", "drop table mine", "unlisten *", "rollback"][..],
        &["begin; drop table mine; unlisten mine; rollback"],
        &["begin", "savepoint s", "drop table mine", "unlisten mine", "rollback to s", "commit"],
        &["begin", "discard temp", "rollback"],
    ] {
        for statement in undone {
            run(&client, statement).await;
        }
        // Others take what is free.
        run(&other, "begin; select 1").await;
        let left = client.query_one("select a from mine", &[]).await;
        let left = left.unwrap_or_else(|error| panic!("{undone:?}: {error:?}"));
        assert_eq!(left.get::<_, i32>(0), 7);
        let channels = "select count(*) from pg_listening_channels()";
        assert_eq!(value::<i64>(&client, channels).await, 1, "{undone:?}");
        run(&other, "commit").await;
    }
    run(&client, "drop table mine").await;
    assert_eq!(state(&client.batch_execute("select a from mine").await.unwrap_err()), "42P01");
}
