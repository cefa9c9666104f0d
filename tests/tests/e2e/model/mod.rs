//! Many clients on few connections, each with a model of what it must find: whatever it reads of
//! another client is a failure.
//!
//! `TIDEGATE_TEST_MODEL_SEED` repeats what clients choose, though not who comes first;
//! `TIDEGATE_TEST_MODEL_SECONDS` says for how long they do it.

mod client;
mod disruptions;
mod last;
mod operations;
mod pins;
mod prepared;
mod random;
mod rows;
mod session;
mod settings;
mod wire;
mod world;

use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_tests::{MariaDbPair, Setup, Tidegate};

use self::client::Client;
use self::world::World;
use crate::routing::split_config;

const CLIENTS: usize = 24;
const POOL: &str = "{ mode = \"transaction\", max = 6, wait = \"2s\", statements = 4 }";

/// The proxy ends a statement that says so after a while.
const LIMIT: &str = "deadline = \"1s\"\n[config]\n\
    [[config.rules]]\nrule_id = 1\nmatch_pattern = \"'limited'\"\ntimeout = \"40ms\"\n";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Two databases of its own for each client, in which everything has the same name.
fn prepare_servers(pair: &MariaDbPair) {
    // Nobody waits for ever for a lock that somebody has left behind.
    let mut text = "set global lock_wait_timeout = 6;
        grant all on *.* to nopw@'%'; revoke super, read_only admin on *.* from nopw@'%';
        create database common; create table common.counter (n bigint) engine=InnoDB;
        insert into common.counter values (0);
        create procedure common.echo(in x varchar(60), out y varchar(60)) set y = x;"
        .to_owned();
    for client in 0..CLIENTS {
        for (database, letter) in ["a", "b"].iter().enumerate() {
            let first = rows::first_number(client, database);
            let _ = write!(
                text,
                "create database m{client}{letter}; create table m{client}{letter}.stored
                 (id bigint unsigned auto_increment primary key, tag varchar(60))
                 engine=InnoDB auto_increment={first};"
            );
        }
    }
    pair.primary.execute(&text);
    pair.wait_for_replica();
}

fn start(pair: &MariaDbPair) -> Tidegate {
    let setup = Setup::pair(pair)
        .account()
        .pool(POOL)
        .upstream("read_after_write = \"gtid\"")
        .sidecar("10-query-rules", LIMIT)
        .sidecar("20-read-write-split", &format!("deadline = \"1s\"\n{}", split_config("0s")));
    let plugins = [("10-query-rules", "query-rules"), ("20-read-write-split", "read-write-split")];
    Tidegate::start_with_plugins(setup, &plugins)
}

#[test]
fn each_of_many_clients_reads_only_what_it_must() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("TIDEGATE_TEST_MODEL_SEED").unwrap_or(now.as_secs());
    let seconds = number("TIDEGATE_TEST_MODEL_SECONDS").unwrap_or(15);
    eprintln!("TIDEGATE_TEST_MODEL_SEED={seed} TIDEGATE_TEST_MODEL_SECONDS={seconds}");
    let pair = MariaDbPair::start();
    prepare_servers(&pair);
    let tidegate = start(&pair);
    let until = Instant::now() + Duration::from_secs(seconds);
    let world = Arc::new(World::new(pair, tidegate.port(), until, CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let world = Arc::clone(&world);
            thread::spawn(move || Client::new(number, world, seed).live())
        })
        .collect();
    let ended: Vec<_> = clients.into_iter().map(thread::JoinHandle::join).collect();
    for (what, count) in world.counts() {
        eprintln!("{count:>8} {what}");
    }
    for outcome in ended {
        if let Err(wrong) = outcome.expect("a client does not panic") {
            panic!("TIDEGATE_TEST_MODEL_SEED={seed}: {wrong}");
        }
    }
    let panicked = tidegate.log().into_iter().find(|line| line.contains("panicked"));
    assert_eq!(panicked, None);
}
