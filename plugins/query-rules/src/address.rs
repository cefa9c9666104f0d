//! `client_addr`: an address, or how addresses begin.

use std::net::IpAddr;

/// Compared as text, as rules write it.
#[derive(Debug, PartialEq)]
pub(crate) enum AddressPattern {
    Exact(String),
    Prefix(String),
}

impl AddressPattern {
    /// `192.0.2.7`, `192.0.2.%`, `2001:db8:%` or `%`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('%') {
            Some((prefix, "")) => Ok(Self::Prefix(prefix.to_owned())),
            Some(_) => {
                Err("a \"%\" stands for the rest of an address, and so can only end it".to_owned())
            }
            None => match text.parse::<IpAddr>() {
                Ok(address) => Ok(Self::Exact(address.to_canonical().to_string())),
                Err(_) => Err(format!(
                    "want an address such as \"192.0.2.7\" or \"192.0.2.%\", found {text:?}"
                )),
            },
        }
    }

    /// A client without an address is from nowhere, which only `%` means too.
    pub(crate) fn matches(&self, client: &str) -> bool {
        match self {
            Self::Exact(address) => client == address,
            Self::Prefix(prefix) => client.starts_with(prefix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_stands_for_the_rest() {
        let matches =
            |pattern: &str, client| AddressPattern::parse(pattern).unwrap().matches(client);
        assert!(matches("192.0.2.7", "192.0.2.7") && !matches("192.0.2.7", "192.0.2.70"));
        assert!(matches("192.0.2.%", "192.0.2.70") && !matches("192.0.2.%", "192.0.20.7"));
        assert!(matches("%", "2001:db8::1") && matches("%", ""));
        assert!(matches("2001:db8:%", "2001:db8::1") && matches("::FFFF:1.2.3.4", "1.2.3.4"));
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in ["", "localhost", "192.0.2", "192.%.2", "%%", "192.0.2.0/24"] {
            assert!(AddressPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
