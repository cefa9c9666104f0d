//! The server has sent the key that the password is to be encrypted with.

use std::fmt;

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::ExpectVerdict;

/// The caller, who knows RSA and which keys it trusts, must encrypt the password.
pub struct ExpectCiphertext {
    next: ExpectVerdict,
    key: Vec<u8>,
    plaintext: Zeroizing<Vec<u8>>,
}

impl ExpectCiphertext {
    pub(super) fn new(next: ExpectVerdict, key: &[u8], plaintext: Zeroizing<Vec<u8>>) -> Self {
        Self { next, key: key.to_vec(), plaintext }
    }

    /// What the server says is its key: PEM, or anything.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// To be encrypted by RSA with OAEP padding and SHA-1.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        &self.plaintext
    }

    /// Writes what was made of it.
    pub fn encrypted(self, ciphertext: &[u8], out: &mut BytesMut) -> ExpectVerdict {
        self.next.send(ciphertext, out)
    }
}

impl fmt::Debug for ExpectCiphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectCiphertext").finish_non_exhaustive()
    }
}
