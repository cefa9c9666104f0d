//! What a client has shown of itself by TLS, in the words of the servers' accounts.

use rustls::{CipherSuite, ServerConnection};
use x509_parser::asn1_rs::Any;
use x509_parser::x509::X509Name;

/// The attributes that OpenSSL has short names for, and that stand in certificates of people.
const SHORT_NAMES: [(&str, &str); 16] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// The names in a client's certificate, each on one line as OpenSSL writes it: `/C=SE/CN=app`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) subject: String,
    pub(super) issuer: String,
}

/// `None` if the client has shown no certificate. One that it has shown is of our authority, or
/// there would be no connection.
pub(super) fn names(tls: &ServerConnection) -> Option<Names> {
    of_certificate(tls.peer_certificates()?.first()?)
}

fn of_certificate(der: &[u8]) -> Option<Names> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(Names { subject: one_line(certificate.subject()), issuer: one_line(certificate.issuer()) })
}

fn one_line(name: &X509Name<'_>) -> String {
    let mut line = String::new();
    for attribute in name.iter_attributes() {
        let oid = attribute.attr_type().to_id_string();
        let short = SHORT_NAMES.iter().find(|(id, _)| *id == oid).map(|(_, name)| *name);
        line.push('/');
        line += short.unwrap_or(&oid);
        line.push('=');
        line += &value(attribute.attr_value());
    }
    line
}

/// Bytes that are not printable ASCII are shown as numbers.
fn value(value: &Any<'_>) -> String {
    let show = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        byte => format!("\\x{byte:02X}"),
    };
    value.data.iter().map(show).collect()
}

/// The cipher by the name that OpenSSL has for it.
pub(super) fn cipher(tls: &ServerConnection) -> Option<&'static str> {
    Some(match tls.negotiated_cipher_suite()?.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            "ECDHE-ECDSA-CHACHA20-POLY1305"
        }
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;

    #[test]
    fn names_are_written_as_openssl_does() {
        let name = |parts: &[(DnType, &str)]| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            for (kind, value) in parts {
                params.distinguished_name.push(kind.clone(), *value);
            }
            params
        };
        let mut authority = name(&[(DnType::CommonName, "the authority")]);
        authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let subject = name(&[
            (DnType::CountryName, "SE"),
            (DnType::OrganizationName, "a / b"),
            (DnType::OrganizationalUnitName, "ä"),
            (DnType::CommonName, "app"),
            (DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]), "app@example.com"),
            (DnType::CustomDnType(vec![1, 2, 3, 4]), "x"),
        ]);
        let key = KeyPair::generate().unwrap();
        let certificate = subject.signed_by(&key, &authority).unwrap();
        let names = of_certificate(certificate.der()).unwrap();
        assert_eq!(
            names.subject,
            "/C=SE/O=a / b/OU=\\xC3\\xA4/CN=app/emailAddress=app@example.com/1.2.3.4=x"
        );
        assert_eq!(names.issuer, "/CN=the authority");
        assert_eq!(of_certificate(b"no certificate"), None);
    }
}
