//! A tour through a real client library: every step shows a decision, and fails if it was another one.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use tokio::time::{Instant, sleep};

use crate::plugins::{self, Components};
use crate::proxy::{Listener, Proxy};
use crate::servers::{PRIMARY, REPLICAS, Servers};

const WHO: &str = "SELECT @@hostname";

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
pub(crate) async fn run(proxy: &Proxy, servers: &Servers, components: &Components) -> Result<()> {
    users(proxy).await?;
    statements(proxy).await?;
    refusal(proxy).await?;
    rules(proxy).await?;
    trace(proxy).await?;
    swap(proxy, servers, components).await
}

/// The plugin `user-router`: it is asked once, when a client has logged in.
async fn users(proxy: &Proxy) -> Result<()> {
    chapter("user-router: who is there decides");
    let mut boss = proxy.connect(Listener::ByUser, "boss").await?;
    ask(&mut boss, "boss", WHO, Expected::Primary).await?;
    boss.query_drop("CREATE TABLE visits (id INTEGER PRIMARY KEY, visitor TEXT)").await?;
    say("boss", "CREATE TABLE visits (…)", "done, as only the primary does it");

    let mut first = proxy.connect(Listener::ByUser, "app").await?;
    let mut second = proxy.connect(Listener::ByUser, "app").await?;
    let one = ask(&mut first, "app", WHO, Expected::AnyReplica).await?;
    let other = ask(&mut second, "app", WHO, Expected::AnyReplica).await?;
    if one == other {
        bail!("two sessions at once are both on {one}: the replicas are not balanced");
    }
    for session in [boss, first, second] {
        session.disconnect().await?;
    }
    Ok(())
}

/// The plugin `read-write-split`: it is asked before each statement.
async fn statements(proxy: &Proxy) -> Result<()> {
    chapter("read-write-split: what is asked decides, in one session");
    let mut app = proxy.connect(Listener::ByStatement, "app").await?;
    ask(&mut app, "app", WHO, Expected::AnyReplica).await?;
    ask_prepared(&mut app, "app", WHO, Expected::AnyReplica).await?;

    say_step(&mut app, "BEGIN").await?;
    ask(&mut app, "app", WHO, Expected::Primary).await?;
    say_step(&mut app, "COMMIT").await?;
    ask(&mut app, "app", WHO, Expected::AnyReplica).await?;

    app.exec_drop("INSERT INTO visits (visitor) VALUES (?)", ("app",)).await?;
    say("app", "INSERT INTO visits …", "done, as only the primary does it");
    ask(&mut app, "app", WHO, Expected::Primary).await?;
    let host = wait_for(&mut app, WHO, Expected::AnyReplica).await?;
    say("app", WHO, &format!("{host}, some time after the write"));
    let hinted = "/* tidegate: route=primary */ SELECT @@hostname";
    ask(&mut app, "app", hinted, Expected::Primary).await?;
    app.disconnect().await?;
    Ok(())
}

/// The plugin `example`, on the same listener: it rejects what the user may not do.
async fn refusal(proxy: &Proxy) -> Result<()> {
    chapter("example: what is asked, and by whom, decides");
    let mut app = proxy.connect(Listener::ByStatement, "app").await?;
    say_refused(&mut app, "DROP TABLE visits").await?;
    ask(&mut app, "app", "SELECT count(*) FROM visits", Expected::Exactly("1")).await?;
    app.disconnect().await?;
    Ok(())
}

/// The plugin `query-rules`, behind it: a text is replaced, another refused.
async fn rules(proxy: &Proxy) -> Result<()> {
    chapter("query-rules: what its rules say about a text decides");
    let mut app = proxy.connect(Listener::ByStatement, "app").await?;
    ask(&mut app, "app", "SELECT count(*) FROM old_visits", Expected::Exactly("1")).await?;
    say_refused(&mut app, "DELETE FROM visits").await?;
    app.disconnect().await?;
    Ok(())
}

/// The plugin `trace-id`, behind all: the query log knows which trace a statement belongs to.
async fn trace(proxy: &Proxy) -> Result<()> {
    chapter("trace-id: the query log knows the trace");
    let mut app = proxy.connect(Listener::ByStatement, "app").await?;
    let text = "SELECT 7 /*trace_id='order-7'*/";
    ask(&mut app, "app", text, Expected::Exactly("7")).await?;
    app.disconnect().await?;
    let deadline = Instant::now() + PATIENCE;
    while !proxy.queries().contains(r#""trace_id":"order-7""#) {
        if Instant::now() > deadline {
            bail!("the trace is not in the query log:\n{}", proxy.queries());
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

/// Plugins come, change and go; the client's connection stays.
async fn swap(proxy: &Proxy, servers: &Servers, components: &Components) -> Result<()> {
    chapter("live: a plugin is dropped, changed and removed under one open connection");
    let plugin = "route-all";
    let mut app = proxy.connect(Listener::ByStatement, "app").await?;
    ask(&mut app, "app", WHO, Expected::AnyReplica).await?;

    components.install(proxy, plugin, &plugins::route_all("shop/primary"))?;
    see_change(&mut app, "route-all.wasm dropped", Expected::Primary).await?;

    let [_, second] = servers.replicas;
    plugins::configure(proxy, plugin, &plugins::route_all(&format!("shop@{second}")))?;
    let [_, second] = REPLICAS;
    see_change(&mut app, "its sidecar changed", Expected::Exactly(second)).await?;

    plugins::configure(proxy, plugin, &plugins::route_all("shop/primary"))?;
    see_change(&mut app, "and changed back", Expected::Primary).await?;

    plugins::remove(proxy, plugin)?;
    see_change(&mut app, "and removed", Expected::AnyReplica).await?;
    app.disconnect().await?;
    Ok(())
}

async fn see_change(app: &mut Conn, what: &str, expected: Expected) -> Result<()> {
    let started = Instant::now();
    let host = wait_for(app, WHO, expected).await.with_context(|| what.to_owned())?;
    let after = started.elapsed().as_millis();
    say("app", WHO, &format!("{host}  ({what} {after} ms ago)"));
    Ok(())
}

/// Asks until the answer comes from the expected server. No answer may be an error.
async fn wait_for(app: &mut Conn, text: &str, expected: Expected) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let host = host(app, text).await?;
        if expected.allows(&host) {
            return Ok(host);
        }
        if Instant::now() > deadline {
            bail!("{text}: still answered by {host}, expected {expected:?}");
        }
        sleep(PAUSE).await;
    }
}

async fn ask(session: &mut Conn, user: &str, text: &str, expected: Expected) -> Result<String> {
    let host = host(session, text).await?;
    check(user, text, host, expected)
}

async fn ask_prepared(
    session: &mut Conn,
    user: &str,
    text: &str,
    expected: Expected,
) -> Result<String> {
    let row: Option<String> = session.exec_first(text, ()).await.context(text.to_owned())?;
    let host = row.with_context(|| format!("{text}: no row"))?;
    check(user, &format!("{text} (prepared)"), host, expected)
}

async fn host(session: &mut Conn, text: &str) -> Result<String> {
    let row: Option<String> = session.query_first(text).await.context(text.to_owned())?;
    row.with_context(|| format!("{text}: no row"))
}

fn check(user: &str, text: &str, host: String, expected: Expected) -> Result<String> {
    say(user, text, &host);
    if !expected.allows(&host) {
        bail!("{text}: answered by {host}, expected {expected:?}");
    }
    Ok(host)
}

/// A statement that some plugin must not let through.
async fn say_refused(session: &mut Conn, text: &str) -> Result<()> {
    match session.query_drop(text).await {
        Err(Error::Server(refused)) => say("app", text, &refused.to_string()),
        Err(other) => return Err(other).context(text.to_owned()),
        Ok(()) => bail!("{text}: nobody refused it"),
    }
    Ok(())
}

/// Carries out a statement that has no rows.
async fn say_step(session: &mut Conn, text: &str) -> Result<()> {
    session.query_drop(text).await.context(text.to_owned())?;
    say("app", text, "ok");
    Ok(())
}

fn chapter(title: &str) {
    println!("{title}");
}

fn say(user: &str, text: &str, answer: &str) {
    println!("  {user:<5} {text:<48} → {answer}");
}
