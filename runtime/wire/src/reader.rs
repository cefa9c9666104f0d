//! A cursor over bytes that a peer sent.

use crate::Violation;

/// Reads a packet from its start to its end, and never past it.
///
/// Nothing is copied or allocated: a length that the peer claims is checked against what is there.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// `what` names the packet in the violations that reading it may raise.
    #[must_use]
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// # Errors
    /// [`Violation::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, Violation> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    /// # Errors
    /// [`Violation::Truncated`] with fewer than 2 bytes left.
    pub fn u16_le(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_le_bytes)
    }

    /// # Errors
    /// [`Violation::Truncated`] with fewer than 3 bytes left.
    pub fn u24_le(&mut self) -> Result<u32, Violation> {
        self.array().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// # Errors
    /// [`Violation::Truncated`] with fewer than 4 bytes left.
    pub fn u32_le(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_le_bytes)
    }

    /// # Errors
    /// [`Violation::Truncated`] with fewer than 2 bytes left.
    pub fn u16_be(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_be_bytes)
    }

    /// # Errors
    /// [`Violation::Truncated`] with fewer than 4 bytes left.
    pub fn u32_be(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_be_bytes)
    }

    /// # Errors
    /// [`Violation::Truncated`] with fewer than 8 bytes left.
    pub fn u64_le(&mut self) -> Result<u64, Violation> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next `N` bytes by value.
    ///
    /// # Errors
    /// [`Violation::Truncated`] with fewer than `N` bytes left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*head)
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`Violation::Truncated`] with fewer than `len` bytes left.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Violation> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(head)
    }

    /// The bytes before the next NUL, which is consumed and not returned.
    ///
    /// # Errors
    /// [`Violation::Truncated`] without a NUL.
    pub fn until_nul(&mut self) -> Result<&'a [u8], Violation> {
        let at = self.rest.iter().position(|byte| *byte == 0).ok_or_else(|| self.truncated())?;
        let text = self.take(at)?;
        self.take(1)?;
        Ok(text)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// What is left, without consuming it.
    #[must_use]
    pub fn peek(&self) -> &'a [u8] {
        self.rest
    }

    /// The number of bytes that are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The violation of a packet that ends here, for decoders that build on this reader.
    #[must_use]
    pub fn truncated(&self) -> Violation {
        Violation::Truncated { what: self.what }
    }

    /// The violation of a packet that holds no valid value, for decoders that build on this reader.
    #[must_use]
    pub fn malformed(&self) -> Violation {
        Violation::Malformed { what: self.what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Violation = Violation::Truncated { what: "a test" };

    fn reader(bytes: &[u8]) -> Reader<'_> {
        Reader::new(bytes, "a test")
    }

    #[test]
    fn integers_are_little_endian() {
        let mut r = reader(&[1, 2, 1, 3, 2, 1, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(r.u8(), Ok(1));
        assert_eq!(r.u16_le(), Ok(0x0102));
        assert_eq!(r.u24_le(), Ok(0x01_0203));
        assert_eq!(r.u32_le(), Ok(0x0102_0304));
        assert_eq!(r.u64_le(), Ok(0x0102_0304_0506_0708));
        assert!(r.is_empty());
    }

    #[test]
    fn integers_may_be_big_endian() {
        let mut r = reader(&[1, 2, 1, 2, 3, 4, 1]);
        assert_eq!(r.u16_be(), Ok(0x0102));
        assert_eq!(r.u32_be(), Ok(0x0102_0304));
        assert_eq!(r.u16_be(), Err(CUT));
        assert_eq!(r.u8(), Ok(1));
    }

    #[test]
    fn a_failed_read_consumes_nothing() {
        let mut r = reader(&[1, 2]);
        assert_eq!(r.u24_le(), Err(CUT));
        assert_eq!(r.take(3), Err(CUT));
        assert_eq!(r.until_nul(), Err(CUT));
        assert_eq!((r.remaining(), r.u16_le()), (2, Ok(0x0201)));
        assert_eq!(r.u8(), Err(CUT));
    }

    #[test]
    fn text_ends_at_its_nul() {
        let mut r = reader(b"root\0\0rest");
        assert_eq!(r.until_nul(), Ok(&b"root"[..]));
        assert_eq!(r.until_nul(), Ok(&b""[..]));
        assert_eq!(r.peek(), b"rest");
        assert_eq!((r.rest(), r.rest()), (&b"rest"[..], &b""[..]));
    }

    #[test]
    fn no_length_overflows() {
        assert_eq!(reader(b"abc").take(usize::MAX), Err(CUT));
    }
}
