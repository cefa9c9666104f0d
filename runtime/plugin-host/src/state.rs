//! What stands behind the imports of one instance: the host's side of its store.

use std::sync::Arc;

use tidegate_hook::{Annotations, Rejection, Reply, SessionContext, Targets};
use tracing::Level;

use crate::failure::refused;
use crate::limits::MemoryLimit;
use crate::overrun::Overrun;
use crate::plugin::Plugin;
use crate::printed::{LineBuffer, Stream};
use crate::user_metrics::{Series, UserMetric};

/// The data of an instance's store.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) targets: Arc<Targets>,
    /// The `[config]` of the sidecar file.
    pub(crate) config: Arc<serde_json::Value>,
    /// The session in hand; between calls an empty one, whose id is 0.
    pub(crate) session: Box<SessionContext>,
    /// The bytes of the statement in hand, if the component can ask for them.
    pub(crate) statement: Vec<u8>,
    /// What is attached to the statement in hand, likewise.
    pub(crate) attributes: Vec<(String, String)>,
    /// What the hook has said so far. `None` costs nothing, and most hooks say nothing here.
    pub(crate) draft: Option<Box<Draft>>,
    pub(crate) limit: MemoryLimit,
    pub(crate) overrun: Overrun,
    /// The series that this instance has registered, by their number less 1.
    pub(crate) metrics: Vec<(Series, UserMetric)>,
    out: LineBuffer,
    error: LineBuffer,
}

/// The texts of the decision being made; thrown away when the hook fails.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) rewrite: Option<String>,
    pub(crate) reject: Option<Rejection>,
    pub(crate) reply: Option<Reply>,
    pub(crate) annotations: Annotations,
}

impl State {
    pub(crate) fn new(
        plugin: Arc<Plugin>,
        targets: Arc<Targets>,
        config: Arc<serde_json::Value>,
        limit: MemoryLimit,
    ) -> Self {
        Self {
            plugin,
            targets,
            config,
            session: Box::default(),
            statement: Vec::new(),
            attributes: Vec::new(),
            draft: None,
            limit,
            overrun: Overrun::default(),
            metrics: Vec::new(),
            out: LineBuffer::default(),
            error: LineBuffer::default(),
        }
    }

    /// The session that the plugin asks about, if that is the one in hand.
    pub(crate) fn session(&mut self, id: u64) -> wasmtime::Result<&mut SessionContext> {
        let in_hand = self.session.id;
        if in_hand == 0 {
            return Err(refused(format!("asked about session {id} while none was in hand")));
        }
        if id != in_hand {
            let why = format!("asked about session {id} while session {in_hand} was in hand");
            return Err(refused(why));
        }
        Ok(&mut self.session)
    }

    /// What the hook has said so far, to be added to.
    pub(crate) fn draft(&mut self) -> &mut Draft {
        self.draft.get_or_insert_default()
    }

    /// Logs what the plugin printed, by line.
    pub(crate) fn printed(&mut self, stream: Stream, bytes: &[u8]) {
        let plugin = &self.plugin;
        match stream {
            Stream::Out => self.out.push(bytes, |line| plugin.log(Level::INFO, line)),
            Stream::Error => self.error.push(bytes, |line| plugin.log(Level::WARN, line)),
        }
    }

    /// Logs what was printed without an end of line, since the instance will print no more.
    pub(crate) fn flush_printed(&mut self) {
        let plugin = &self.plugin;
        self.out.flush(|line| plugin.log(Level::INFO, line));
        self.error.flush(|line| plugin.log(Level::WARN, line));
    }
}
