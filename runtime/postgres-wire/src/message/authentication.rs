//! What a server asks of a client that wants to log in, and what it makes of the answer.

use bytes::{BufMut, BytesMut};
use tidegate_wire::{Reader, Violation};

use super::tag;
use crate::{frame, text};

const OK: u32 = 0;
const CLEARTEXT_PASSWORD: u32 = 3;
const MD5_PASSWORD: u32 = 5;
const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;

/// One of the `Authentication…` messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    Ok,
    CleartextPassword,
    Md5Password {
        salt: [u8; 4],
    },
    /// Begin with one of these.
    Sasl(Mechanisms<'a>),
    SaslContinue(&'a [u8]),
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI, or what is newer than this.
    Other {
        code: u32,
    },
}

impl<'a> Authentication<'a> {
    /// # Errors
    /// A violation if it is cut short, or longer than it may be.
    pub fn decode(payload: &'a [u8]) -> Result<Self, Violation> {
        let mut reader = Reader::new(payload, "a request for authentication");
        let request = match reader.u32_be()? {
            OK => Self::Ok,
            CLEARTEXT_PASSWORD => Self::CleartextPassword,
            MD5_PASSWORD => Self::Md5Password { salt: reader.array()? },
            SASL => {
                let list = reader.peek();
                while !reader.until_nul()?.is_empty() {}
                Self::Sasl(Mechanisms(list))
            }
            SASL_CONTINUE => Self::SaslContinue(reader.rest()),
            SASL_FINAL => Self::SaslFinal(reader.rest()),
            code => return Ok(Self::Other { code }),
        };
        text::end(&reader).map(|()| request)
    }

    pub fn encode(&self, out: &mut BytesMut) {
        let (code, data): (u32, &[u8]) = match self {
            Self::Ok => (OK, b""),
            Self::CleartextPassword => (CLEARTEXT_PASSWORD, b""),
            Self::Md5Password { salt } => (MD5_PASSWORD, salt),
            Self::Sasl(mechanisms) => (SASL, mechanisms.0),
            Self::SaslContinue(data) => (SASL_CONTINUE, data),
            Self::SaslFinal(data) => (SASL_FINAL, data),
            Self::Other { code } => (*code, b""),
        };
        frame::write_with(out, tag::backend::AUTHENTICATION, |out| {
            out.put_u32(code);
            out.put_slice(data);
        });
    }
}

/// Names of methods, each with its NUL, and another one behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mechanisms<'a>(pub(crate) &'a [u8]);

impl<'a> Mechanisms<'a> {
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.0.split(|byte| *byte == 0).take_while(|name| !name.is_empty())
    }

    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|mechanism| mechanism == name.as_bytes())
    }
}

/// Writes what a client answers: a `PasswordMessage` without its NUL, or a `SASLResponse`.
pub fn write_response(out: &mut BytesMut, response: &[u8]) {
    frame::write_with(out, tag::frontend::PASSWORD, |out| out.put_slice(response));
}

#[cfg(test)]
mod tests {
    use super::super::written::payload;
    use super::*;

    #[test]
    fn every_request_comes_back() {
        let requests: [(Authentication<'_>, &[u8]); 7] = [
            (Authentication::Ok, b"\0\0\0\0"),
            (Authentication::CleartextPassword, b"\0\0\0\x03"),
            (Authentication::Md5Password { salt: *b"salt" }, b"\0\0\0\x05salt"),
            (
                Authentication::Sasl(Mechanisms(b"SCRAM-SHA-256\0\0")),
                b"\0\0\0\x0aSCRAM-SHA-256\0\0",
            ),
            (Authentication::SaslContinue(b"r=x"), b"\0\0\0\x0br=x"),
            (Authentication::SaslFinal(b"v=x"), b"\0\0\0\x0cv=x"),
            (Authentication::Other { code: 7 }, b"\0\0\0\x07"),
        ];
        for (request, bytes) in requests {
            assert_eq!(payload(|out| request.encode(out)), bytes);
            assert_eq!(Authentication::decode(bytes), Ok(request));
        }
    }

    #[test]
    fn mechanisms_are_a_list_with_an_end() {
        let list = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        let Ok(Authentication::Sasl(mechanisms)) = Authentication::decode(list) else {
            panic!("it is a request for SASL");
        };
        let names: Vec<&[u8]> = mechanisms.iter().collect();
        assert_eq!(names, [&b"SCRAM-SHA-256-PLUS"[..], b"SCRAM-SHA-256"]);
        assert!(mechanisms.contains("SCRAM-SHA-256") && !mechanisms.contains("SCRAM"));
        assert!(Authentication::decode(&list[..list.len() - 1]).is_err());
        assert!(Authentication::decode(&[&list[..], b"x"].concat()).is_err());
    }

    #[test]
    fn what_is_cut_or_too_long_is_refused() {
        for wrong in [&b""[..], b"\0\0\0", b"\0\0\0\0x", b"\0\0\0\x05sal", b"\0\0\0\x05salt!"] {
            assert!(Authentication::decode(wrong).is_err(), "{wrong:?}");
        }
    }
}
