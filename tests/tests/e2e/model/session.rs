//! What must hold in a session, according to what its client has said.

use std::collections::BTreeMap;

/// The rows of a table: number and tag.
pub(super) type Table = BTreeMap<u64, String>;

#[derive(Debug)]
pub(super) struct Session {
    /// `@a`, `@b`, `@c`.
    pub(super) variables: [Option<String>; 3],
    /// Variables that were set, and what they must answer.
    pub(super) settings: BTreeMap<&'static str, String>,
    /// As many times something was set that shapes prepared statements.
    pub(super) shape: u32,
    pub(super) character_set: &'static str,
    pub(super) collation: &'static str,
    /// Which of the client's two databases is the current one.
    pub(super) database: Option<usize>,
    pub(super) autocommit: bool,
    /// What the client sees in a transaction.
    pub(super) work: Option<[Table; 2]>,
    /// It has stored something, and so must find it wherever it reads.
    pub(super) wrote: bool,
    pub(super) insert_id: u64,
    /// Temporary tables by database and name.
    pub(super) temporary: BTreeMap<String, Vec<String>>,
    /// How often it holds each lock.
    pub(super) locks: [u32; 3],
    /// It has tried to get a lock that another one has.
    pub(super) tried: bool,
    /// SQL `PREPARE`d, with what it answers.
    pub(super) named: Option<String>,
    /// Something holds the connection until a reset.
    pub(super) lasting: bool,
    pub(super) prepared: Vec<Prepared>,
    /// As many operations it holds a connection.
    pub(super) held: usize,
}

/// A prepared statement of the protocol.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) id: u32,
    /// Which of the texts.
    pub(super) text: usize,
    /// The database where it was prepared, and the shape.
    pub(super) database: Option<usize>,
    pub(super) shape: u32,
    /// The server has heard the types of its parameters.
    pub(super) executed: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            variables: Default::default(),
            settings: BTreeMap::new(),
            shape: 0,
            character_set: "utf8mb4",
            collation: "utf8mb4_general_ci",
            database: None,
            autocommit: true,
            work: None,
            wrote: false,
            insert_id: 0,
            temporary: BTreeMap::new(),
            locks: [0; 3],
            tried: false,
            named: None,
            lasting: false,
            prepared: Vec::new(),
            held: 0,
        }
    }
}

impl Session {
    /// It needs the connection that it has.
    pub(super) fn is_holding(&self) -> bool {
        self.work.is_some()
            || !self.autocommit
            || !self.temporary.is_empty()
            || self.locks != [0; 3]
            || self.tried
            || self.named.is_some()
            || self.lasting
    }
}
