//! What is shown with MySQL alone.

use anyhow::{Context as _, Result, bail};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error};
use tidegate_demo_upstreams::Protocol;
use tokio::time::{Instant, sleep};

use super::session::Session as _;
use super::{Expected, PATIENCE, PAUSE, ask, chapter, say};
use crate::proxy::{Listener, Proxy};

pub(super) async fn run(proxy: &Proxy) -> Result<()> {
    refusal(proxy).await?;
    rules(proxy).await?;
    trace(proxy).await
}

/// The plugin `example`: it rejects what the user may not do.
async fn refusal(proxy: &Proxy) -> Result<()> {
    chapter("example: what is asked, and by whom, decides");
    let mut app = connect(proxy).await?;
    say_refused(&mut app, "DROP TABLE visits").await?;
    ask(&mut app, "app", "SELECT count(*) FROM visits", Expected::Exactly("1")).await?;
    app.leave().await
}

/// The plugin `query-rules`, behind it: a text is replaced, another refused.
async fn rules(proxy: &Proxy) -> Result<()> {
    chapter("query-rules: what its rules say about a text decides");
    let mut app = connect(proxy).await?;
    ask(&mut app, "app", "SELECT count(*) FROM old_visits", Expected::Exactly("1")).await?;
    say_refused(&mut app, "DELETE FROM visits").await?;
    app.leave().await
}

/// The plugin `trace-id`, behind all: the query log knows which trace a statement belongs to.
async fn trace(proxy: &Proxy) -> Result<()> {
    chapter("trace-id: the query log knows the trace");
    let mut app = connect(proxy).await?;
    let text = "SELECT 7 /*trace_id='order-7'*/";
    ask(&mut app, "app", text, Expected::Exactly("7")).await?;
    app.leave().await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let queries = proxy.queries(Protocol::MySql);
        if queries.contains(r#""trace_id":"order-7""#) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the trace is not in the query log:\n{queries}");
        }
        sleep(PAUSE).await;
    }
}

async fn connect(proxy: &Proxy) -> Result<Conn> {
    Conn::connect(proxy.mysql.of(Listener::ByStatement), "app").await
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
