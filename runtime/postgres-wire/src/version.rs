//! Versions of the protocol.

use std::fmt;

/// A version; the minor one is negotiated, the major one is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion {
    pub major: u16,
    pub minor: u16,
}

impl ProtocolVersion {
    /// What every server and every client knows.
    pub const V3_0: Self = Self { major: 3, minor: 0 };
    /// Keys for cancelling may be longer than 4 bytes; PostgreSQL since 18.
    pub const V3_2: Self = Self { major: 3, minor: 2 };
    /// The newest that is known here.
    pub const NEWEST: Self = Self::V3_2;

    #[must_use]
    pub fn from_u32(code: u32) -> Self {
        let [a, b, c, d] = code.to_be_bytes();
        Self { major: u16::from_be_bytes([a, b]), minor: u16::from_be_bytes([c, d]) }
    }

    #[must_use]
    pub fn to_u32(self) -> u32 {
        u32::from(self.major) << 16 | u32::from(self.minor)
    }

    /// Whether a key for cancelling may be longer than 4 bytes. Older clients break off over one.
    #[must_use]
    pub fn has_long_keys(self) -> bool {
        self >= Self::V3_2
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers_in_one() {
        assert_eq!(ProtocolVersion::from_u32(196_608), ProtocolVersion::V3_0);
        assert_eq!(ProtocolVersion::from_u32(196_610), ProtocolVersion::V3_2);
        assert_eq!(ProtocolVersion::V3_2.to_u32(), 196_610);
        assert_eq!(ProtocolVersion::from_u32(80_877_103).to_string(), "1234.5679");
    }

    #[test]
    fn long_keys_came_with_3_2() {
        assert!(!ProtocolVersion::V3_0.has_long_keys());
        assert!(!ProtocolVersion { major: 3, minor: 1 }.has_long_keys());
        assert!(ProtocolVersion::V3_2.has_long_keys());
    }
}
