//! Who a client is by its certificate, as PostgreSQL's method `cert` has it.
//!
//! <https://www.postgresql.org/docs/current/auth-cert.html>

use crate::conn::Stream;

/// The common name in the certificate that a client has shown, which is of our authority, or there
/// would be no connection.
pub(super) fn common_name(client: &Stream) -> Option<String> {
    of_certificate(client.tls()?.peer_certificates()?.first()?)
}

fn of_certificate(der: &[u8]) -> Option<String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn shown(parts: &[(DnType, &str)]) -> Option<String> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        of_certificate(certificate.der())
    }

    #[test]
    fn the_common_name_is_who_it_is() {
        let organisation = (DnType::OrganizationName, "app");
        let named = shown(&[organisation.clone(), (DnType::CommonName, "jörg")]);
        assert_eq!(named.as_deref(), Some("jörg"));
        assert_eq!(shown(&[organisation]), None);
        assert_eq!(of_certificate(b"no certificate"), None);
    }
}
