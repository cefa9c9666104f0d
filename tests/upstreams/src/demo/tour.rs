//! A tour through real clients: every step shows a decision, and fails if it was another one.

mod mysql;
mod postgres;
mod session;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mysql_async::Conn;
use tokio::time::{Instant, sleep};

use self::session::{PostgresSession, Session};
use crate::plugins::{self, Plugins};
use crate::proxy::{Listener, Ports, Proxy};
use crate::servers::{PRIMARY, REPLICAS, Servers, name};

/// How long a change may take to be seen; a second is promised, slow machines are given more.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// What must have been answered.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Primary,
    AnyReplica,
    Exactly(&'static str),
}

impl Expected {
    fn allows(self, host: &str) -> bool {
        match self {
            Self::Primary => host == PRIMARY,
            Self::AnyReplica => REPLICAS.contains(&host),
            Self::Exactly(name) => host == name,
        }
    }
}

/// Walks through every chapter.
pub(crate) async fn run(
    proxy: &Proxy,
    mysql_servers: &Servers,
    postgres_servers: &Servers,
    plugins: &Plugins,
) -> Result<()> {
    println!("MySQL, by mysql_async\n");
    users::<Conn>(proxy.mysql).await?;
    statements::<Conn>(proxy.mysql).await?;
    mysql::run(proxy).await?;
    swap::<Conn>(proxy.mysql, mysql_servers, plugins).await?;

    println!("\nPostgreSQL, by tokio-postgres\n");
    users::<PostgresSession>(proxy.postgres).await?;
    statements::<PostgresSession>(proxy.postgres).await?;
    postgres::psql(proxy.postgres).await?;
    swap::<PostgresSession>(proxy.postgres, postgres_servers, plugins).await
}

/// The plugin `user-router`: it is asked once, when a client has logged in.
async fn users<S: Session>(ports: Ports) -> Result<()> {
    chapter("user-router: who is there decides");
    let port = ports.of(Listener::ByUser);
    let mut boss = S::connect(port, "boss").await?;
    ask(&mut boss, "boss", S::WHO, Expected::Primary).await?;
    boss.run("CREATE TABLE visits (id INTEGER PRIMARY KEY, visitor TEXT)").await?;
    say("boss", "CREATE TABLE visits (…)", "done, as only the primary does it");

    let mut first = S::connect(port, "app").await?;
    let mut second = S::connect(port, "app").await?;
    let one = ask(&mut first, "app", S::WHO, Expected::AnyReplica).await?;
    let other = ask(&mut second, "app", S::WHO, Expected::AnyReplica).await?;
    if one == other {
        bail!("two sessions at once are both on {one}: the replicas are not balanced");
    }
    for session in [boss, first, second] {
        session.leave().await?;
    }
    Ok(())
}

/// The plugin `read-write-split`: it is asked before each statement.
async fn statements<S: Session>(ports: Ports) -> Result<()> {
    chapter("read-write-split: what is asked decides, in one session");
    let mut app = S::connect(ports.of(Listener::ByStatement), "app").await?;
    ask(&mut app, "app", S::WHO, Expected::AnyReplica).await?;
    let host = app.prepared_value(S::WHO).await?;
    check("app", &format!("{} (prepared)", S::WHO), host, Expected::AnyReplica)?;

    say_step(&mut app, "BEGIN").await?;
    ask(&mut app, "app", S::WHO, Expected::Primary).await?;
    say_step(&mut app, "COMMIT").await?;
    ask(&mut app, "app", S::WHO, Expected::AnyReplica).await?;

    app.insert_visit("app").await?;
    say("app", "INSERT INTO visits …", "done, as only the primary does it");
    ask(&mut app, "app", S::WHO, Expected::Primary).await?;
    let host = wait_for(&mut app, S::WHO, Expected::AnyReplica).await?;
    say("app", S::WHO, &format!("{host}, some time after the write"));
    ask(&mut app, "app", "SELECT count(*) FROM visits", Expected::Exactly("1")).await?;
    let hinted = format!("/* tidegate: route=primary */ {}", S::WHO);
    ask(&mut app, "app", &hinted, Expected::Primary).await?;
    app.leave().await
}

/// Plugins come, change and go; the client's connection stays.
async fn swap<S: Session>(ports: Ports, servers: &Servers, plugins: &Plugins) -> Result<()> {
    chapter("live: a plugin is dropped, changed and removed under one open connection");
    let plugin = "route-all";
    let upstream = format!("{}-shop", name(S::PROTOCOL));
    let to_primary = plugins::route_all(S::PROTOCOL, &format!("{upstream}/primary"));
    let mut app = S::connect(ports.of(Listener::ByStatement), "app").await?;
    ask(&mut app, "app", S::WHO, Expected::AnyReplica).await?;

    plugins.install(S::PROTOCOL, plugin, &to_primary)?;
    let dropped = format!("{}-{plugin}.wasm dropped", name(S::PROTOCOL));
    see_change(&mut app, &dropped, Expected::Primary).await?;

    let [_, second] = servers.replicas;
    let to_second = plugins::route_all(S::PROTOCOL, &format!("{upstream}@{second}"));
    plugins.configure(S::PROTOCOL, plugin, &to_second)?;
    let [_, second] = REPLICAS;
    see_change(&mut app, "its sidecar changed", Expected::Exactly(second)).await?;

    plugins.configure(S::PROTOCOL, plugin, &to_primary)?;
    see_change(&mut app, "and changed back", Expected::Primary).await?;

    plugins.remove(S::PROTOCOL, plugin)?;
    see_change(&mut app, "and removed", Expected::AnyReplica).await?;
    app.leave().await
}

async fn see_change<S: Session>(app: &mut S, what: &str, expected: Expected) -> Result<()> {
    let started = Instant::now();
    let host = wait_for(app, S::WHO, expected).await.with_context(|| what.to_owned())?;
    let after = started.elapsed().as_millis();
    say("app", S::WHO, &format!("{host}  ({what} {after} ms ago)"));
    Ok(())
}

/// Asks until the answer comes from the expected server. No answer may be an error.
async fn wait_for<S: Session>(app: &mut S, text: &str, expected: Expected) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let host = app.value(text).await?;
        if expected.allows(&host) {
            return Ok(host);
        }
        if Instant::now() > deadline {
            bail!("{text}: still answered by {host}, expected {expected:?}");
        }
        sleep(PAUSE).await;
    }
}

async fn ask<S: Session>(
    session: &mut S,
    user: &str,
    text: &str,
    expected: Expected,
) -> Result<String> {
    let host = session.value(text).await?;
    check(user, text, host, expected)
}

fn check(user: &str, text: &str, host: String, expected: Expected) -> Result<String> {
    say(user, text, &host);
    if !expected.allows(&host) {
        bail!("{text}: answered by {host}, expected {expected:?}");
    }
    Ok(host)
}

/// Carries out a statement that has no rows.
async fn say_step<S: Session>(session: &mut S, text: &str) -> Result<()> {
    session.run(text).await?;
    say("app", text, "ok");
    Ok(())
}

fn chapter(title: &str) {
    println!("{title}");
}

fn say(user: &str, text: &str, answer: &str) {
    println!("  {user:<5} {text:<50} → {answer}");
}
