//! `answer`: the texts of a decision. They are kept in a draft that is thrown away on failure.
//!
//! What is too long is left out with a warning rather than refused: its length may depend on what
//! a client sent, and a client must not be able to make a plugin fail.

use std::time::Duration;

use tidegate_hook::{Column, DELAY_MAX, Rejection, Reply, Rows};
use tracing::Level;

use crate::bindings::tidegate::plugin::{answer, types};
use crate::decision;
use crate::failure::refused;
use crate::state::State;

/// Of a trace id and of an idempotency key.
const ID_BYTES_MAX: usize = 256;
const TAGS_MAX: usize = 16;
/// Of a tag, key and value together.
const TAG_BYTES_MAX: usize = 512;

impl answer::Host for State {
    fn rewrite(&mut self, text: String) -> wasmtime::Result<()> {
        self.draft().rewrite = Some(text);
        Ok(())
    }

    fn reject(&mut self, why: types::Rejection) -> wasmtime::Result<()> {
        let types::Rejection { code, sqlstate, message } = why;
        self.draft().reject = Some(Rejection { code, sqlstate, message });
        Ok(())
    }

    fn reply_done(
        &mut self,
        affected: u64,
        last_insert_id: u64,
        info: String,
    ) -> wasmtime::Result<()> {
        self.draft().reply = Some(Reply::Done { affected, last_insert_id, info });
        Ok(())
    }

    fn reply_rows(&mut self, reply: answer::Rows) -> wasmtime::Result<()> {
        let columns = reply.columns.len();
        if let Some(row) = reply.rows.iter().find(|row| row.len() != columns) {
            let why = format!("it replied a row of {} values for {columns} columns", row.len());
            return Err(refused(why));
        }
        let column = |c: answer::Column| Column { name: c.name, type_name: c.type_name };
        let columns = reply.columns.into_iter().map(column).collect();
        self.draft().reply = Some(Reply::Rows(Rows { columns, rows: reply.rows }));
        Ok(())
    }

    fn trace_id(&mut self, id: String) -> wasmtime::Result<()> {
        if self.fits("trace id", id.len(), ID_BYTES_MAX) {
            self.draft().annotations.trace_id = Some(id);
        }
        Ok(())
    }

    fn idempotency_key(&mut self, key: String) -> wasmtime::Result<()> {
        if self.fits("idempotency key", key.len(), ID_BYTES_MAX) {
            self.draft().annotations.idempotency_key = Some(key);
        }
        Ok(())
    }

    fn tag(&mut self, key: String, value: String) -> wasmtime::Result<()> {
        if !self.fits("tag", key.len() + value.len(), TAG_BYTES_MAX) {
            return Ok(());
        }
        let tags = &mut self.draft().annotations.tags;
        tags.retain(|(known, _)| *known != key);
        if tags.len() < TAGS_MAX {
            tags.push((key, value));
        } else {
            self.plugin.log(Level::WARN, "more than 16 tags: one was left out");
        }
        Ok(())
    }

    fn delay(&mut self, ms: u32) -> wasmtime::Result<()> {
        let delay = Duration::from_millis(ms.into()).min(DELAY_MAX);
        self.draft().annotations.delay = (ms > 0).then_some(delay);
        Ok(())
    }

    fn mirror(&mut self, target: types::Target) -> wasmtime::Result<()> {
        let target = decision::target(target, &self.targets);
        self.draft().annotations.mirror = target.map_err(|failure| refused(failure.message))?;
        Ok(())
    }
}

impl State {
    fn fits(&self, what: &str, len: usize, max: usize) -> bool {
        if len > max {
            let message = format!("a {what} of {len} bytes was left out: at most {max}");
            self.plugin.log(Level::WARN, &message);
        }
        len <= max
    }
}
