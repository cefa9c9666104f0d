//! The client's prepared statements, by the names that it knows them by, so that any server can know
//! them.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_hook::Reply;
use tidegate_sql::Kind;

use super::trace::Traces;
use crate::pool::Content;

/// A client that forgets to close its statements is stopped here.
const STATEMENTS_MAX: usize = 16_384;
const BYTES_MAX: usize = 32 << 20;

/// One prepared statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// What stands behind the name in its `Parse`: the text, as it was sent to the server, and the
    /// types of parameters.
    pub(super) content: Content,
    pub(super) kind: Kind,
    pub(super) digest: u64,
    /// What an execution leaves behind.
    pub(super) traces: Traces,
    /// What a plugin has answered in the server's place when it was prepared.
    pub(super) own: Option<Arc<Reply>>,
}

impl Statement {
    /// The text, without the types.
    pub(super) fn text(&self) -> &[u8] {
        let content = &self.content.text;
        content.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

/// All statements of a session.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    statements: HashMap<Box<[u8]>, Arc<Statement>>,
    bytes: usize,
}

impl Prepared {
    /// No more can be prepared before some are closed.
    pub(super) fn is_full(&self, text: usize) -> bool {
        self.statements.len() >= STATEMENTS_MAX || self.bytes + text > BYTES_MAX
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Arc<Statement>> {
        self.statements.get(name)
    }

    pub(super) fn insert(&mut self, name: &[u8], statement: Arc<Statement>) {
        self.bytes += statement.content.text.len();
        if let Some(before) = self.statements.insert(name.into(), statement) {
            self.bytes -= before.content.text.len();
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Arc<Statement>> {
        let removed = self.statements.remove(name)?;
        self.bytes -= removed.content.text.len();
        Some(removed)
    }

    /// Forgets one by whichever name.
    pub(super) fn forget(&mut self, statement: &Arc<Statement>) {
        let is_it = |known: &Arc<Statement>| Arc::ptr_eq(known, statement);
        let name = self.statements.iter().find(|(_, known)| is_it(known)).map(|(name, _)| name);
        if let Some(name) = name.cloned() {
            self.remove(&name);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
