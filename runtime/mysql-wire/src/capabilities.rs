//! What client and server can do, as the handshake negotiates it.

use bitflags::bitflags;

bitflags! {
    /// The low 32 bits are the `CLIENT_*` flags of MySQL, the high 32 MariaDB's extended ones.
    ///
    /// Bits without a name here are kept when decoded and never asked for.
    /// <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>,
    /// <https://mariadb.com/kb/en/connection/#capabilities>
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Capabilities: u64 {
        /// MariaDB calls it `CLIENT_MYSQL`: a peer without it knows the extended capabilities.
        const LONG_PASSWORD = 1;
        const FOUND_ROWS = 1 << 1;
        const LONG_FLAG = 1 << 2;
        const CONNECT_WITH_DB = 1 << 3;
        const NO_SCHEMA = 1 << 4;
        const COMPRESS = 1 << 5;
        const ODBC = 1 << 6;
        const LOCAL_FILES = 1 << 7;
        const IGNORE_SPACE = 1 << 8;
        const PROTOCOL_41 = 1 << 9;
        const INTERACTIVE = 1 << 10;
        const SSL = 1 << 11;
        const IGNORE_SIGPIPE = 1 << 12;
        const TRANSACTIONS = 1 << 13;
        const RESERVED = 1 << 14;
        const SECURE_CONNECTION = 1 << 15;
        const MULTI_STATEMENTS = 1 << 16;
        const MULTI_RESULTS = 1 << 17;
        const PS_MULTI_RESULTS = 1 << 18;
        const PLUGIN_AUTH = 1 << 19;
        const CONNECT_ATTRS = 1 << 20;
        const PLUGIN_AUTH_LENENC = 1 << 21;
        const CAN_HANDLE_EXPIRED_PASSWORDS = 1 << 22;
        const SESSION_TRACK = 1 << 23;
        const DEPRECATE_EOF = 1 << 24;
        const OPTIONAL_RESULTSET_METADATA = 1 << 25;
        const ZSTD_COMPRESSION = 1 << 26;
        const QUERY_ATTRIBUTES = 1 << 27;
        const MULTI_FACTOR_AUTHENTICATION = 1 << 28;
        const CAPABILITY_EXTENSION = 1 << 29;
        const SSL_VERIFY_SERVER_CERT = 1 << 30;
        const REMEMBER_OPTIONS = 1 << 31;

        const PROGRESS = 1 << 32;
        const COM_MULTI = 1 << 33;
        const STMT_BULK_OPERATIONS = 1 << 34;
        const EXTENDED_METADATA = 1 << 35;
        const CACHE_METADATA = 1 << 36;
        const BULK_UNIT_RESULTS = 1 << 37;
    }
}

/// What tidegate offers to clients before it has chosen a server. [`Capabilities::SSL`] is added
/// where the listener has a certificate, and what compresses where its configuration says so.
///
/// Absent on purpose: optional metadata, which changes what a reply looks like.
pub const SUPPORTED_BY_CLIENT_SIDE: Capabilities = Capabilities::LONG_PASSWORD
    .union(Capabilities::FOUND_ROWS)
    .union(Capabilities::LONG_FLAG)
    .union(Capabilities::CONNECT_WITH_DB)
    .union(Capabilities::LOCAL_FILES)
    .union(Capabilities::IGNORE_SPACE)
    .union(Capabilities::PROTOCOL_41)
    .union(Capabilities::INTERACTIVE)
    .union(Capabilities::TRANSACTIONS)
    .union(Capabilities::SECURE_CONNECTION)
    .union(Capabilities::MULTI_STATEMENTS)
    .union(Capabilities::MULTI_RESULTS)
    .union(Capabilities::PS_MULTI_RESULTS)
    .union(Capabilities::PLUGIN_AUTH)
    .union(Capabilities::CONNECT_ATTRS)
    .union(Capabilities::PLUGIN_AUTH_LENENC)
    .union(Capabilities::CAN_HANDLE_EXPIRED_PASSWORDS)
    .union(Capabilities::SESSION_TRACK)
    .union(Capabilities::QUERY_ATTRIBUTES)
    .union(Capabilities::DEPRECATE_EOF);

/// The same where the servers are MariaDBs: clients then use what only those can do.
///
/// Absent on purpose: cached metadata, because connections are not the client's own.
pub const SUPPORTED_WITH_MARIADB: Capabilities = SUPPORTED_BY_CLIENT_SIDE
    .difference(Capabilities::LONG_PASSWORD)
    .union(Capabilities::PROGRESS)
    .union(Capabilities::STMT_BULK_OPERATIONS)
    .union(Capabilities::EXTENDED_METADATA);

impl Capabilities {
    /// From the two halves as they stand in the packets. MariaDB's half counts only where
    /// [`Self::LONG_PASSWORD`] is absent: elsewhere its bytes are reserved.
    #[must_use]
    pub fn from_halves(low: u32, extended: u32) -> Self {
        let low = Self::from_bits_retain(u64::from(low));
        match low.contains(Self::LONG_PASSWORD) {
            true => low,
            false => low.union(Self::from_bits_retain(u64::from(extended) << 32)),
        }
    }

    /// The bytes of MySQL's half.
    #[must_use]
    pub fn low_bytes(self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.bits().to_le_bytes();
        [a, b, c, d]
    }

    /// The bytes of MariaDB's half; zero where [`Self::LONG_PASSWORD`] says that they are reserved.
    #[must_use]
    pub fn extended_bytes(self) -> [u8; 4] {
        let [.., a, b, c, d] = self.bits().to_le_bytes();
        match self.contains(Self::LONG_PASSWORD) {
            true => [0; 4],
            false => [a, b, c, d],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extended_half_needs_a_mariadb_peer() {
        let both = Capabilities::PROTOCOL_41 | Capabilities::STMT_BULK_OPERATIONS;
        assert_eq!(both.extended_bytes(), [4, 0, 0, 0]);
        assert_eq!(Capabilities::from_halves(0x200, 4), both);

        let mysql = both | Capabilities::LONG_PASSWORD;
        assert_eq!(mysql.extended_bytes(), [0; 4]);
        assert!(!Capabilities::from_halves(0x201, 4).contains(Capabilities::STMT_BULK_OPERATIONS));
    }

    #[test]
    fn unknown_bits_survive() {
        let all = Capabilities::from_halves(!1, u32::MAX);
        assert_eq!(all.low_bytes(), [0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(all.extended_bytes(), [0xff; 4]);
    }
}
