//! What PostgreSQL's clients call and SQLite does not have.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::Value;
use rusqlite::{Error, functions::Context};

use super::settings::{self, Settings};
use crate::DATABASE;
use crate::server::{Role, Server};
use crate::store::{self, Store};

/// Makes them known to the statements of one session.
pub(super) fn define(
    store: &Store,
    server: &Server,
    process_id: u32,
    settings: Arc<Mutex<Settings>>,
) -> rusqlite::Result<()> {
    let version = format!("PostgreSQL {}", settings::VERSION);
    for (name, value) in [("version", version), ("current_database", DATABASE.to_owned())] {
        store.define(name, 0, move |_| Ok(value.clone()))?;
    }
    store.define("pg_backend_pid", 0, move |_| Ok(process_id))?;
    let role = server.role;
    store.define("pg_is_in_recovery", 0, move |_| Ok(role == Role::Replica))?;
    for name in ["pg_current_wal_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_flush_lsn"] {
        store.define(name, 0, move |_| match role {
            Role::Primary => Ok(position()),
            Role::Replica => Err(failure("recovery is in progress")),
        })?;
    }
    for name in ["pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn"] {
        store.define(name, 0, move |_| Ok((role == Role::Replica).then(position)))?;
    }
    store.define("current_setting", -1, move |call| current_setting(call, &settings))
}

/// `current_setting(name)`, or `current_setting(name, true)`, which is NULL for an unknown one.
fn current_setting(call: &Context<'_>, settings: &Mutex<Settings>) -> rusqlite::Result<Value> {
    let name: String = call.get(0)?;
    let settings = settings.lock().unwrap_or_else(PoisonError::into_inner);
    match settings.get(&name) {
        Ok(value) => Ok(Value::Text(value.to_owned())),
        Err(_) if call.len() == 2 && call.get(1)? => Ok(Value::Null),
        Err(error) => Err(failure(&error.message())),
    }
}

fn failure(message: &str) -> Error {
    Error::UserFunctionError(message.into())
}

/// Where the log of a new server begins, and what a write adds to it: about as much as in a real one.
const LOG_START: u64 = 0x100_0000;
const LOG_WRITE: u64 = 0x40;

/// The end of the log, in the form of `pg_lsn`.
fn position() -> String {
    let position = LOG_START + LOG_WRITE * store::writes();
    format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)
}
