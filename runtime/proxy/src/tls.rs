//! TLS on either side, from the configuration to what rustls wants.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use thiserror::Error;
use tidegate_config::{ClientTls, ServerTls, ServerTlsMode};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::conn::Stream;
use crate::protocol::Protocol;

/// What is wrong with the files that TLS needs.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("{}: {reason}; expected PEM", .path.display())]
    File { path: PathBuf, reason: String },
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    #[error("{0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("{name:?} is no name that a certificate can have; set tls.server_name")]
    Name { name: String },
}

/// TLS towards clients.
#[derive(Clone)]
pub(crate) struct Acceptor {
    acceptor: TlsAcceptor,
    /// What clients can bind their logins to.
    end_point: Option<Arc<[u8]>>,
}

impl Acceptor {
    pub(crate) fn new<P: Protocol>(tls: &ClientTls) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let builder = match &tls.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let roots = Arc::new(roots(ca)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
            }
        };
        let chain = certificates(&tls.certificate)?;
        let end_point = chain.first().and_then(|own| end_point(own)).map(Into::into);
        let mut config = builder.with_single_cert(chain, key(&tls.key)?)?;
        config.alpn_protocols = P::ALPN.iter().map(|name| name.to_vec()).collect();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), end_point })
    }

    pub(crate) fn end_point(&self) -> Option<Arc<[u8]>> {
        self.end_point.clone()
    }

    pub(crate) async fn accept(&self, socket: TcpStream) -> io::Result<Stream> {
        Ok(Stream::Accepted(Box::new(self.acceptor.accept(socket).await?)))
    }
}

/// TLS towards a server.
#[derive(Clone)]
pub(crate) struct Dialler {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Dialler {
    /// `None` when TLS is disabled. `host` is the server's name unless the configuration has one.
    pub(crate) fn new<P: Protocol>(tls: &ServerTls, host: &str) -> Result<Option<Self>, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        let verifier: Arc<dyn ServerCertVerifier> = match (tls.mode, &tls.ca) {
            (ServerTlsMode::Disable, _) => return Ok(None),
            (ServerTlsMode::VerifyCa, Some(ca)) => {
                Arc::new(Lenient { chain: Some(web_pki(ca)?), provider: provider() })
            }
            (ServerTlsMode::VerifyFull, Some(ca)) => web_pki(ca)?,
            _ => Arc::new(Lenient { chain: None, provider: provider() }),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(private)) => {
                builder.with_client_auth_cert(certificates(certificate)?, key(private)?)?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = P::ALPN.iter().map(|name| name.to_vec()).collect();
        let name = tls.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| TlsError::Name { name: name.to_owned() })?;
        Ok(Some(Self { connector: TlsConnector::from(Arc::new(config)), name }))
    }

    pub(crate) async fn dial(&self, socket: TcpStream) -> io::Result<Stream> {
        let stream = self.connector.connect(self.name.clone(), socket).await?;
        Ok(Stream::Dialled(Box::new(stream)))
    }
}

/// The hash that a login is bound to a certificate by: with the hash function of its signature, or
/// SHA-256 where that is MD5 or SHA-1. `None` for a signature that has none.
///
/// <https://www.rfc-editor.org/rfc/rfc5929#section-4>
pub(crate) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    // Of RSA and ECDSA; the last number says which hash.
    const SHA256: [&str; 5] = [
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.2.840.113549.1.1.11",
        "1.2.840.10045.4.1",
        "1.2.840.10045.4.3.2",
    ];
    const SHA384: [&str; 2] = ["1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"];
    const SHA512: [&str; 2] = ["1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"];
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let algorithm = parsed.signature_algorithm.algorithm.to_id_string();
    let is_of = |known: &[&str]| known.contains(&algorithm.as_str());
    match () {
        () if is_of(&SHA256) => Some(Sha256::digest(certificate).to_vec()),
        () if is_of(&SHA384) => Some(Sha384::digest(certificate).to_vec()),
        () if is_of(&SHA512) => Some(Sha512::digest(certificate).to_vec()),
        () => None,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn at(path: &Path) -> impl Fn(rustls::pki_types::pem::Error) -> TlsError + '_ {
    move |error| TlsError::File { path: path.to_owned(), reason: error.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).map_err(at(path))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(at(path))?;
    if found.is_empty() {
        return Err(TlsError::File { path: path.to_owned(), reason: "no certificate".to_owned() });
    }
    Ok(found)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(at(path))
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn web_pki(ca: &Path) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let roots = Arc::new(roots(ca)?);
    Ok(WebPkiServerVerifier::builder_with_provider(roots, provider()).build()?)
}

/// For the modes that do not verify everything.
#[derive(Debug)]
struct Lenient {
    /// `verify-ca`: the chain must be right, the name may be any. Without it, whoever answers will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
