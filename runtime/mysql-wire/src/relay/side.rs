//! What is true of one side of a reply.

use crate::capabilities::Capabilities;

/// What replies are laid out by.
const SHAPING: Capabilities = Capabilities::DEPRECATE_EOF
    .union(Capabilities::SESSION_TRACK)
    .union(Capabilities::LOCAL_FILES)
    .union(Capabilities::PROGRESS)
    .union(Capabilities::EXTENDED_METADATA)
    .union(Capabilities::CACHE_METADATA);

/// What changes the packets themselves where only one side has it.
const REWRITING: Capabilities = Capabilities::DEPRECATE_EOF
    .union(Capabilities::EXTENDED_METADATA)
    .union(Capabilities::CACHE_METADATA);

/// One side of a reply: the client's, or the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    capabilities: Capabilities,
    sequence: u8,
    compressed: bool,
}

impl Side {
    /// A side that has agreed on `capabilities`. `sequence` is the number of the reply's first
    /// packet: as many as the command had frames there.
    #[must_use]
    pub fn new(capabilities: Capabilities, sequence: u8) -> Self {
        Self { capabilities: capabilities & SHAPING, sequence, compressed: false }
    }

    /// The same inside compression. A server sends each result on its own then and numbers it from
    /// the compressed packet, and some clients insist on it.
    #[must_use]
    pub fn compressed(self, compressed: bool) -> Self {
        Self { compressed, ..self }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    pub(super) fn has(&self, capability: Capabilities) -> bool {
        self.capabilities.contains(capability)
    }

    pub(super) fn sequence(&self) -> u8 {
        self.sequence
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Whether this client can be sent what that server sends, byte for byte, but for what is told
    /// of the session.
    pub(super) fn takes_as_is(&self, server: &Self) -> bool {
        let differing = self.capabilities.symmetric_difference(server.capabilities);
        let progress = server.has(Capabilities::PROGRESS) && !self.has(Capabilities::PROGRESS);
        !self.compressed
            && self.sequence == server.sequence
            && !differing.intersects(REWRITING)
            && !progress
    }

    /// Only one of the two is told what changes in the session.
    pub(super) fn tracks_unlike(&self, other: &Self) -> bool {
        self.has(Capabilities::SESSION_TRACK) != other.has(Capabilities::SESSION_TRACK)
    }
}
