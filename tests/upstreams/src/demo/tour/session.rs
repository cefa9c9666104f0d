//! A client's session, through whichever library its protocol has.

use anyhow::{Context as _, Result};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use tidegate_demo_upstreams::{DATABASE, Protocol, USERS};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// What the tour does in a session.
pub(super) trait Session: Sized {
    const PROTOCOL: Protocol;
    /// Asks for the name of the server.
    const WHO: &str;

    /// Logs in as one of [`USERS`].
    async fn connect(port: u16, user: &str) -> Result<Self>;

    /// The one value that a query answers.
    async fn value(&mut self, text: &str) -> Result<String>;

    /// The same, by a prepared statement.
    async fn prepared_value(&mut self, text: &str) -> Result<String>;

    /// Carries out a statement that has no rows.
    async fn run(&mut self, text: &str) -> Result<()>;

    /// Adds a row to the table `visits`, by a prepared statement with a parameter.
    async fn insert_visit(&mut self, visitor: &str) -> Result<()>;

    async fn leave(self) -> Result<()>;
}

impl Session for Conn {
    const PROTOCOL: Protocol = Protocol::MySql;
    const WHO: &str = "SELECT @@hostname";

    async fn connect(port: u16, user: &str) -> Result<Self> {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(port)
            .user(Some(user))
            .pass(Some(password(user)))
            .db_name(Some(DATABASE))
            .prefer_socket(false);
        Self::new(options).await.with_context(|| format!("{user} cannot log in"))
    }

    async fn value(&mut self, text: &str) -> Result<String> {
        let value: Option<String> = self.query_first(text).await.context(text.to_owned())?;
        value.with_context(|| format!("{text}: no row"))
    }

    async fn prepared_value(&mut self, text: &str) -> Result<String> {
        let value: Option<String> = self.exec_first(text, ()).await.context(text.to_owned())?;
        value.with_context(|| format!("{text}: no row"))
    }

    async fn run(&mut self, text: &str) -> Result<()> {
        self.query_drop(text).await.context(text.to_owned())
    }

    async fn insert_visit(&mut self, visitor: &str) -> Result<()> {
        Ok(self.exec_drop("INSERT INTO visits (visitor) VALUES (?)", (visitor,)).await?)
    }

    async fn leave(self) -> Result<()> {
        Ok(self.disconnect().await?)
    }
}

/// Its library has a client, and a task that does the client's reading and writing.
pub(super) struct PostgresSession {
    client: Client,
    connection: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Session for PostgresSession {
    const PROTOCOL: Protocol = Protocol::Postgres;
    const WHO: &str = "SELECT current_setting('cluster_name')";

    async fn connect(port: u16, user: &str) -> Result<Self> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(port);
        config.user(user).password(password(user)).dbname(DATABASE);
        let connected = config.connect(NoTls).await;
        let (client, connection) = connected.with_context(|| format!("{user} cannot log in"))?;
        Ok(Self { client, connection: tokio::spawn(connection) })
    }

    async fn value(&mut self, text: &str) -> Result<String> {
        let messages = self.client.simple_query(text).await.context(text.to_owned())?;
        let value = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        value.map(str::to_owned).with_context(|| format!("{text}: no row"))
    }

    async fn prepared_value(&mut self, text: &str) -> Result<String> {
        let row = self.client.query_one(text, &[]).await.context(text.to_owned())?;
        Ok(row.try_get(0)?)
    }

    async fn run(&mut self, text: &str) -> Result<()> {
        self.client.batch_execute(text).await.context(text.to_owned())
    }

    async fn insert_visit(&mut self, visitor: &str) -> Result<()> {
        self.client.execute("INSERT INTO visits (visitor) VALUES ($1)", &[&visitor]).await?;
        Ok(())
    }

    async fn leave(self) -> Result<()> {
        drop(self.client);
        Ok(self.connection.await??)
    }
}

/// Of one of [`USERS`].
pub(super) fn password(user: &str) -> &'static str {
    let found = USERS.iter().find(|(name, _)| *name == user);
    found.map(|(_, password)| *password).unwrap_or_default()
}
