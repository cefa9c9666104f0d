//! The form of a password that is hashed, so that it does not matter how it was typed.
//!
//! <https://www.rfc-editor.org/rfc/rfc4013>

use zeroize::Zeroizing;

/// As servers and clients of PostgreSQL do it: what cannot be prepared is taken as it is.
pub(super) fn prepare(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let prepared = std::str::from_utf8(password).ok().and_then(|text| {
        let prepared = stringprep::saslprep(text).ok().filter(|prepared| !prepared.is_empty());
        prepared.map(|prepared| Zeroizing::new(prepared.into_owned().into_bytes()))
    });
    prepared.unwrap_or_else(|| Zeroizing::new(password.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_brought_to_one_form() {
        for (typed, prepared) in [
            ("secret", "secret"),
            // The examples of RFC 4013.
            ("I\u{ad}X", "IX"),
            ("USER", "USER"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            // A space is a space.
            ("a\u{a0}b", "a b"),
        ] {
            assert_eq!(prepare(typed.as_bytes()).as_slice(), prepared.as_bytes());
        }
    }

    #[test]
    fn what_cannot_be_prepared_is_taken_as_it_is() {
        let right_to_left = "\u{627}1".as_bytes();
        for password in [&b"\x07"[..], right_to_left, b"caf\xe9", "\u{ad}".as_bytes(), b""] {
            assert_eq!(prepare(password).as_slice(), password);
        }
    }
}
