//! What an account demands beside the password, at the server and so at our door.

use tidegate_mysql_wire::error_code::{
    ER_ACCESS_DENIED, ER_ACCOUNT_HAS_BEEN_LOCKED, ER_ACCOUNT_IS_LOCKED,
};
use tidegate_mysql_wire::packet::ErrPacket;

use super::certificate::{cipher, names};
use crate::conn::Stream;

/// Demands of one account. The default demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(super) tls: TlsRule,
    pub(super) locked: Option<Locked>,
    /// Servers say themselves what that means; but they must be asked.
    pub(crate) expired: bool,
}

/// What comes behind `REQUIRE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum TlsRule {
    #[default]
    None,
    /// `SSL`.
    Any,
    /// `X509`.
    Certificate,
    /// `SUBJECT`, `ISSUER`, `CIPHER`; what is empty may be any.
    Specified { subject: String, issuer: String, cipher: String },
}

/// Who says that the account is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    MySql,
    MariaDb,
}

impl Rules {
    /// Whether a client that knows the password may come in over this connection. Its password was
    /// right, so it is told what is missing.
    pub(crate) fn check(&self, user: &str, host: &str, client: &Stream) -> Result<(), ErrPacket> {
        match self.locked {
            None => {}
            Some(Locked::MySql) => {
                let message =
                    format!("Access denied for user '{user}'@'{host}'. Account is locked.");
                return Err(ErrPacket::new(ER_ACCOUNT_HAS_BEEN_LOCKED, message));
            }
            Some(Locked::MariaDb) => {
                let message = "Access denied, this account is locked";
                return Err(ErrPacket::new(ER_ACCOUNT_IS_LOCKED, message));
            }
        }
        self.tls.missing(client).map_or(Ok(()), |missing| {
            let message = format!("Access denied for user '{user}'@'{host}': {missing}");
            Err(ErrPacket::new(ER_ACCESS_DENIED, message))
        })
    }
}

impl TlsRule {
    fn missing(&self, client: &Stream) -> Option<String> {
        let Some(tls) = client.tls() else {
            return match self {
                Self::None => None,
                _ => Some("the account may only be used over TLS".to_owned()),
            };
        };
        match self {
            Self::None | Self::Any => None,
            Self::Certificate => names(tls).is_none().then(|| {
                "the account needs a client certificate, of the authority `tls.client_ca` of the \
                 listener"
                    .to_owned()
            }),
            Self::Specified { subject, issuer, cipher: wanted } => {
                let names = names(tls);
                let found = |of: fn(&super::certificate::Names) -> &str| {
                    names.as_ref().map_or("", of).to_owned()
                };
                let parts = [
                    ("subject", subject, found(|names| &names.subject)),
                    ("issuer", issuer, found(|names| &names.issuer)),
                    ("cipher", wanted, cipher(tls).unwrap_or_default().to_owned()),
                ];
                let different = |(_, wanted, found): &(_, &String, String)| {
                    !wanted.is_empty() && *wanted != found
                };
                parts.into_iter().find(different).map(|(what, wanted, found)| match what {
                    "cipher" => format!("the account needs the cipher {wanted:?}, not {found:?}"),
                    _ if found.is_empty() => {
                        format!("the account needs a client certificate with the {what} {wanted:?}")
                    }
                    _ => format!(
                        "the account needs a client certificate with the {what} {wanted:?}, not \
                         {found:?}"
                    ),
                })
            }
        }
    }
}
