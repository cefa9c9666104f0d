//! One client, from its first byte to its last: messages in, replies out.

use std::net::TcpStream;

use anyhow::Context as _;
use tidegate_postgres_wire::cancel_key::CancelKey;
use tidegate_postgres_wire::frame::{self, Message};
use tidegate_postgres_wire::message::{
    self, Authentication, CommandComplete, ErrorResponse, ParameterStatus, ReadyForQuery, tag,
};
use tidegate_postgres_wire::sqlstate::FEATURE_NOT_SUPPORTED;

use super::bind::Formats;
use super::columns;
use super::connection::Connection;
use super::database::{Answer, Database};
use super::error::{broken, error};
use super::extended::Prepared;
use super::settings::Settings;
use super::{Sessions, login, request, types};
use crate::server::Server;

/// Serves one client until it leaves.
pub(crate) fn serve(
    client: TcpStream,
    id: u32,
    server: &Server,
    sessions: &Sessions,
) -> anyhow::Result<()> {
    let mut connection = Connection::new(client)?;
    let Some(login) = login::log_in(&mut connection, sessions)? else {
        return Ok(());
    };
    let settings = Settings::new(server, &login.user, &login.parameters);
    let database = Database::open(server, id, settings).context("cannot open the database")?;
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    let key = CancelKey::generate(login.version, id, &random);
    let _presence = sessions.enter(key.clone(), database.interrupt_handle());
    Authentication::Ok.encode(connection.out());
    let told = Vec::new();
    let mut session = Session { connection, database, prepared: Prepared::default(), told };
    session.report_settings();
    key.encode(session.connection.out());
    session.ready();
    session.connection.flush()?;
    session.run()
}

struct Session {
    connection: Connection,
    database: Database,
    prepared: Prepared,
    /// Settings, as the client was told of them last.
    told: Vec<(&'static str, String)>,
}

impl Session {
    fn run(&mut self) -> anyhow::Result<()> {
        // After an error, what was sent along with its cause is passed over.
        let mut skipping = false;
        while let Some(Message { tag, payload }) = self.connection.read()? {
            match tag {
                tag::frontend::TERMINATE => break,
                tag::frontend::SYNC => {
                    skipping = false;
                    self.ready();
                }
                _ if skipping => continue,
                tag::frontend::FLUSH => {}
                tag::frontend::QUERY => {
                    let result = self.query(&payload);
                    self.tell(result);
                    self.ready();
                }
                tag::frontend::FUNCTION_CALL => {
                    let message = "calls by number are not part of this server";
                    self.tell(Err(error(FEATURE_NOT_SUPPORTED, message)));
                    self.ready();
                }
                _ => {
                    let out = self.connection.out();
                    let result = self.prepared.receive(tag, &payload, &mut self.database, out);
                    skipping = result.is_err();
                    self.tell(result);
                    if !skipping {
                        // It waits for what ends it.
                        continue;
                    }
                }
            }
            self.connection.flush()?;
        }
        Ok(())
    }

    /// Runs the statements of a `Query` until one fails.
    fn query(&mut self, payload: &[u8]) -> Result<(), ErrorResponse> {
        let text = message::read_query(payload).map_err(broken)?;
        let statements = request::statements(types::utf8(text)?);
        if statements.is_empty() {
            frame::write_empty(self.connection.out(), tag::backend::EMPTY_QUERY_RESPONSE);
        }
        for statement in statements {
            let answer = self.database.run(statement, &[])?;
            self.write(answer)?;
        }
        Ok(())
    }

    fn write(&mut self, answer: Answer) -> Result<(), ErrorResponse> {
        let out = self.connection.out();
        if let Some(warning) = answer.warning {
            warning.encode_notice(out);
        }
        if let Some(forgotten) = answer.forgotten {
            self.prepared.forget(forgotten);
        }
        if let Some(rows) = answer.rows {
            columns::describe(&rows.columns, &Formats::TEXT, out);
            for row in &rows.values {
                columns::write_row(&rows.columns, &Formats::TEXT, row, out)?;
            }
        }
        CommandComplete(answer.tag.as_bytes()).encode(out);
        Ok(())
    }

    /// Ends what has no transaction of its own, and says that more may come.
    fn ready(&mut self) {
        let ended = self.database.end_implicit();
        self.tell(ended);
        let status = self.database.status();
        self.prepared.end_portals(status);
        self.report_settings();
        ReadyForQuery(status).encode(self.connection.out());
    }

    /// Tells of settings that have changed.
    fn report_settings(&mut self) {
        let now = self.database.settings().reported();
        for setting @ (name, value) in &now {
            if !self.told.contains(setting) {
                let status = ParameterStatus { name: name.as_bytes(), value: value.as_bytes() };
                status.encode(self.connection.out());
            }
        }
        self.told = now;
    }

    fn tell(&mut self, result: Result<(), ErrorResponse>) {
        if let Err(error) = result {
            self.database.fail();
            error.encode(self.connection.out());
        }
    }
}
