//! The extended protocol: statements that are prepared, and portals that run them.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY>

use std::collections::HashMap;
use std::rc::Rc;
use std::vec;

use bytes::{BufMut as _, BytesMut};
use rusqlite::types::Value;
use tidegate_postgres_wire::frame;
use tidegate_postgres_wire::message::{
    Bind, CommandComplete, ErrorResponse, Execute, Parse, Target, TransactionStatus, tag,
};
use tidegate_postgres_wire::sqlstate::{
    DUPLICATE_PREPARED_STATEMENT, FEATURE_NOT_SUPPORTED, INVALID_CURSOR_NAME,
    INVALID_SQL_STATEMENT_NAME,
};

use super::bind::{self, Formats};
use super::columns::{self, Column};
use super::database::{Answer, Database, Description, Forgotten};
use super::error::{SYNTAX_ERROR, broken, error};
use super::request;
use super::types::{self, Type};

/// What one session has prepared.
#[derive(Default)]
pub(super) struct Prepared {
    statements: HashMap<Vec<u8>, Rc<Statement>>,
    portals: HashMap<Vec<u8>, Portal>,
}

struct Statement {
    /// Empty if there is nothing to run.
    text: String,
    parameters: Vec<Type>,
    columns: Option<Vec<Column>>,
}

struct Portal {
    statement: Rc<Statement>,
    parameters: Vec<Value>,
    formats: Formats,
    run: Option<Run>,
}

/// A portal that has begun to run.
struct Run {
    rows: vec::IntoIter<Vec<Value>>,
    tag: String,
}

impl Prepared {
    /// Does what a message asks for, and leaves the reply in `out`.
    pub(super) fn receive(
        &mut self,
        tag: u8,
        payload: &[u8],
        database: &mut Database,
        out: &mut BytesMut,
    ) -> Result<(), ErrorResponse> {
        match tag {
            tag::frontend::PARSE => {
                self.parse(&Parse::decode(payload).map_err(broken)?, database)?;
                frame::write_empty(out, tag::backend::PARSE_COMPLETE);
            }
            tag::frontend::BIND => {
                self.bind(payload)?;
                frame::write_empty(out, tag::backend::BIND_COMPLETE);
            }
            tag::frontend::DESCRIBE => match Target::decode(payload).map_err(broken)? {
                Target::Statement(name) => self.statement(name)?.describe(out),
                Target::Portal(name) => {
                    let portal = self.portal(name)?;
                    describe_rows(portal.statement.columns.as_deref(), &portal.formats, out);
                }
            },
            tag::frontend::EXECUTE => {
                let Execute { portal, max_rows } = Execute::decode(payload).map_err(broken)?;
                let forgotten = self.portal(portal)?.execute(max_rows, database, out)?;
                forgotten.into_iter().for_each(|forgotten| self.forget(forgotten));
            }
            tag::frontend::CLOSE => {
                match Target::decode(payload).map_err(broken)? {
                    Target::Statement(name) => drop(self.statements.remove(name)),
                    Target::Portal(name) => drop(self.portals.remove(name)),
                }
                frame::write_empty(out, tag::backend::CLOSE_COMPLETE);
            }
            other => {
                let message = format!("the message '{}' is not part of this server", other as char);
                return Err(error(FEATURE_NOT_SUPPORTED, message));
            }
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, what: Forgotten) {
        match what {
            Forgotten::One(name) => drop(self.statements.remove(name.as_bytes())),
            Forgotten::All => self.statements.clear(),
        }
    }

    /// Portals live as long as their transaction.
    pub(super) fn end_portals(&mut self, status: TransactionStatus) {
        if status == TransactionStatus::Idle {
            self.portals.clear();
        }
    }

    fn parse(&mut self, parse: &Parse<'_>, database: &Database) -> Result<(), ErrorResponse> {
        if !parse.name.is_empty() && self.statements.contains_key(parse.name) {
            let name = String::from_utf8_lossy(parse.name);
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(error(DUPLICATE_PREPARED_STATEMENT, message));
        }
        let statements = request::statements(types::utf8(parse.statement)?);
        let (text, Description { parameters, columns }) = match statements.as_slice() {
            [] => ("", Description { parameters: 0, columns: None }),
            [text] => (*text, database.describe(text)?),
            _ => {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(error(SYNTAX_ERROR, message));
            }
        };
        let mut kinds: Vec<_> = parse.types().map(Type::of_parameter).collect();
        kinds.resize(kinds.len().max(parameters), Type::TEXT);
        let statement = Statement { text: text.to_owned(), parameters: kinds, columns };
        self.statements.insert(parse.name.to_vec(), Rc::new(statement));
        Ok(())
    }

    fn bind(&mut self, payload: &[u8]) -> Result<(), ErrorResponse> {
        let head = Bind::decode_head(payload).map_err(broken)?;
        let statement = Rc::clone(self.statement(head.statement)?);
        let (parameters, formats) = bind::read(&payload[head.head_len()..], &statement.parameters)?;
        let portal = Portal { statement, parameters, formats, run: None };
        self.portals.insert(head.portal.to_vec(), portal);
        Ok(())
    }

    fn statement(&self, name: &[u8]) -> Result<&Rc<Statement>, ErrorResponse> {
        self.statements.get(name).ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            let message = format!("prepared statement \"{name}\" does not exist");
            error(INVALID_SQL_STATEMENT_NAME, message)
        })
    }

    fn portal(&mut self, name: &[u8]) -> Result<&mut Portal, ErrorResponse> {
        self.portals.get_mut(name).ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            error(INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
        })
    }
}

impl Statement {
    fn describe(&self, out: &mut BytesMut) {
        frame::write_with(out, tag::backend::PARAMETER_DESCRIPTION, |out| {
            out.put_u16(u16::try_from(self.parameters.len()).unwrap_or(u16::MAX));
            self.parameters.iter().for_each(|kind| out.put_u32(kind.0));
        });
        describe_rows(self.columns.as_deref(), &Formats::TEXT, out);
    }
}

impl Portal {
    /// Runs it, or goes on where it was suspended.
    fn execute(
        &mut self,
        max_rows: u32,
        database: &mut Database,
        out: &mut BytesMut,
    ) -> Result<Option<Forgotten>, ErrorResponse> {
        if self.statement.text.is_empty() {
            frame::write_empty(out, tag::backend::EMPTY_QUERY_RESPONSE);
            return Ok(None);
        }
        let (run, forgotten) = match self.run.take() {
            Some(run) => (run, None),
            None => {
                let answer = database.run(&self.statement.text, &self.parameters)?;
                let Answer { tag, rows, warning, forgotten } = answer;
                warning.into_iter().for_each(|warning| warning.encode_notice(out));
                let rows = rows.map(|rows| rows.values).unwrap_or_default();
                (Run { rows: rows.into_iter(), tag }, forgotten)
            }
        };
        let Run { rows, tag } = self.run.insert(run);
        let columns = self.statement.columns.as_deref().unwrap_or_default();
        let max = if max_rows == 0 { usize::MAX } else { max_rows as usize };
        for row in rows.take(max) {
            columns::write_row(columns, &self.formats, &row, out)?;
        }
        match rows.len() {
            0 => CommandComplete(tag.as_bytes()).encode(out),
            _ => frame::write_empty(out, tag::backend::PORTAL_SUSPENDED),
        }
        Ok(forgotten)
    }
}

fn describe_rows(columns: Option<&[Column]>, formats: &Formats, out: &mut BytesMut) {
    match columns {
        Some(columns) => columns::describe(columns, formats, out),
        None => frame::write_empty(out, tag::backend::NO_DATA),
    }
}
