//! One client, from its first byte to its last: commands in, replies out.

use std::collections::HashMap;
use std::net::TcpStream;
use std::str;

use anyhow::Context as _;
use rusqlite::types::Value;
use tidegate_mysql_wire::capabilities::Capabilities;
use tidegate_mysql_wire::command::Command;
use tidegate_mysql_wire::error_code::{self, ErrorCode};
use tidegate_mysql_wire::packet::{
    self, ColumnDefinition, ColumnType, ErrPacket, OkPacket, binary_result_set, result_set,
};
use tidegate_wire::{Reader, Violation};

use super::answer::{Answer, Refusal};
use super::connection::Connection;
use super::database::{self, Database, Prepared};
use super::login;
use super::parameters::{self, ParameterType};
use crate::server::Server;

/// Serves one client until it leaves.
pub(crate) fn serve(client: TcpStream, id: u32, server: &Server) -> anyhow::Result<()> {
    let mut connection = Connection::new(client)?;
    let Some(login) = login::log_in(&mut connection, id)? else {
        return Ok(());
    };
    let database = Database::open(server, &login.user, id).context("cannot open the database")?;
    let mut session = Session {
        connection,
        capabilities: login.capabilities,
        database,
        statements: HashMap::new(),
        last_statement: 0,
    };
    session.run()
}

struct Session {
    connection: Connection,
    capabilities: Capabilities,
    database: Database,
    statements: HashMap<u32, Statement>,
    last_statement: u32,
}

struct Statement {
    prepared: Prepared,
    types: Vec<ParameterType>,
}

/// How the rows of a reply are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Binary,
}

impl Session {
    fn run(&mut self) -> anyhow::Result<()> {
        while let Some(payload) = self.connection.read()? {
            let (code, body) = payload.split_first().context("a command without its code")?;
            match Command::from_u8(*code) {
                Some(Command::Quit) => break,
                Some(command) => self.command(command, body)?,
                None => self.reply(Err(unknown_command(*code)), Form::Text),
            }
            self.connection.flush()?;
        }
        Ok(())
    }

    fn command(&mut self, command: Command, body: &[u8]) -> anyhow::Result<()> {
        match command {
            Command::Ping => self.reply(Ok(Answer::DONE), Form::Text),
            Command::InitDb => {
                let used = text(body).and_then(database::use_database);
                self.reply(used, Form::Text);
            }
            Command::Query => {
                let result = text(body).and_then(|text| self.database.run(text, &[]));
                self.reply(result, Form::Text);
            }
            Command::StmtPrepare => self.prepare(body),
            Command::StmtExecute => {
                let result = self.execute(body);
                self.reply(result, Form::Binary);
            }
            Command::StmtReset => self.reply(Ok(Answer::DONE), Form::Text),
            // Has no reply.
            Command::StmtClose => {
                self.statements.remove(&Reader::new(body, "the end of a statement").u32_le()?);
            }
            Command::ResetConnection => {
                self.statements.clear();
                let result = self.database.reset();
                self.reply(result, Form::Text);
            }
            // Has no reply either, so that an error could not be told.
            Command::StmtSendLongData => anyhow::bail!("parameters in pieces are not supported"),
            other => self.reply(Err(unknown_command(other.code())), Form::Text),
        }
        Ok(())
    }

    fn prepare(&mut self, body: &[u8]) {
        let prepared = match text(body).and_then(|text| self.database.prepare(text)) {
            Ok(prepared) => prepared,
            Err(refusal) => return self.reply(Err(refusal), Form::Text),
        };
        self.last_statement = self.last_statement.wrapping_add(1);
        let parameter = ColumnDefinition::new("?", ColumnType::VAR_STRING);
        let (out, sequence) = self.connection.reply();
        packet::prepared(
            out,
            sequence,
            self.last_statement,
            &vec![parameter; prepared.parameters],
            &prepared.columns,
            self.capabilities,
            self.database.status(),
        );
        let statement = Statement { prepared, types: Vec::new() };
        self.statements.insert(self.last_statement, statement);
    }

    fn execute(&mut self, body: &[u8]) -> Result<Answer, Refusal> {
        let mut reader = Reader::new(body, "the execution of a statement");
        let id = reader.u32_le().map_err(broken)?;
        let statement = self.statements.get_mut(&id).ok_or_else(|| {
            let message = format!("Unknown prepared statement handler ({id}) given to execute");
            Refusal::new(error_code::ER_UNKNOWN_STMT_HANDLER, message)
        })?;
        let values = arguments(&mut reader, statement).map_err(broken)?;
        self.database.run(&statement.prepared.text, &values)
    }

    fn reply(&mut self, result: Result<Answer, Refusal>, form: Form) {
        let written = result.and_then(|answer| self.write(answer, form));
        if let Err(Refusal { code, message }) = written {
            let capabilities = self.capabilities;
            self.connection.write(|out| ErrPacket::new(code, message).encode(out, capabilities));
        }
    }

    fn write(&mut self, answer: Answer, form: Form) -> Result<(), Refusal> {
        let (capabilities, status) = (self.capabilities, self.database.status());
        let (out, sequence) = self.connection.reply();
        match answer {
            Answer::Done { affected_rows, last_insert_id } => {
                let ok = OkPacket { affected_rows, last_insert_id, status, ..OkPacket::default() };
                self.connection.write(|out| ok.encode(out, capabilities));
            }
            Answer::Rows(set) if form == Form::Binary => {
                binary_result_set(out, sequence, &set.columns, &set.rows, capabilities, status)
                    .map_err(|error| Refusal::new(error_code::ER_UNKNOWN, error.to_string()))?;
            }
            Answer::Rows(set) => {
                result_set(out, sequence, &set.columns, &set.rows, capabilities, status);
            }
        }
        Ok(())
    }
}

/// Passes over the flags and the number of iterations, which is always 1.
fn arguments(reader: &mut Reader<'_>, statement: &mut Statement) -> Result<Vec<Value>, Violation> {
    reader.take(5)?;
    parameters::read(reader, statement.prepared.parameters, &mut statement.types)
}

fn text(body: &[u8]) -> Result<&str, Refusal> {
    str::from_utf8(body).map_err(|_| Refusal::unsupported("a text that is not UTF-8"))
}

fn broken(violation: Violation) -> Refusal {
    Refusal::new(ErrorCode::of(&violation), violation.to_string())
}

fn unknown_command(code: u8) -> Refusal {
    Refusal::new(error_code::ER_UNKNOWN_COM, format!("Unknown command {code:#04x}"))
}
