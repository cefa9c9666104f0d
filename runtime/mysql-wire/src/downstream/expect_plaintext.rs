//! The client has sent its password, encrypted with our key.

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::Auth;
use super::exchange::{Evidence, Exchange};
use crate::auth::Verifier;

/// The caller, who has the private key, must decrypt the password.
#[derive(Debug)]
pub struct ExpectPlaintext {
    exchange: Exchange,
    ciphertext: Zeroizing<Vec<u8>>,
    verifier: Verifier,
}

impl ExpectPlaintext {
    pub(super) fn new(
        exchange: Exchange,
        ciphertext: Zeroizing<Vec<u8>>,
        verifier: Verifier,
    ) -> Self {
        Self { exchange, ciphertext, verifier }
    }

    /// To be decrypted by RSA with OAEP padding and SHA-1, as clients have it.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    /// Goes on with what was decrypted; `None` if it was not encrypted with our key. May take
    /// milliseconds.
    pub fn decrypted(self, plaintext: Option<Zeroizing<Vec<u8>>>, out: &mut BytesMut) -> Auth {
        let Self { exchange, verifier, .. } = self;
        let Some(mut password) = plaintext else {
            return Auth::Denied(exchange.deny(true));
        };
        // The nonce goes into it, so that what was sent once is of no use later.
        for (byte, nonce) in password.iter_mut().zip(exchange.nonce.iter().cycle()) {
            *byte ^= nonce;
        }
        match password.pop() {
            Some(0) => exchange.judge(Evidence::Password(password), verifier, out),
            _ => Auth::Denied(exchange.deny(true)),
        }
    }
}
