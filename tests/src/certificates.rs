//! A certificate authority and a server certificate, fresh for every run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
};

use crate::Scratch;

/// PEM files for `localhost` and `127.0.0.1`, readable by every user of this machine but for the
/// client's key.
#[derive(Debug)]
pub struct Certificates {
    folder: Scratch,
}

impl Certificates {
    /// The certificates of this test process.
    #[must_use]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Certificates> = OnceLock::new();
        SHARED.get_or_init(|| Self::write().expect("certificates can be made"))
    }

    /// The authority that signed [`Self::certificate`].
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// The server's private key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("server.key")
    }

    /// A client's certificate, and its private key.
    #[must_use]
    pub fn client(&self) -> (PathBuf, PathBuf) {
        let at = |file| self.folder.path().join(file);
        (at("client.pem"), at("client.key"))
    }

    /// A private RSA key, and the file with its public half.
    #[must_use]
    pub fn rsa(&self) -> (PathBuf, PathBuf) {
        let at = |file| self.folder.path().join(file);
        (at("rsa.key"), at("rsa.pem"))
    }

    /// An authority that has signed nothing that is in use.
    #[must_use]
    pub fn stranger(&self) -> PathBuf {
        self.folder.path().join("stranger.pem")
    }

    fn write() -> anyhow::Result<Self> {
        let certificates = Self { folder: Scratch::new() };
        let authority = authority("tidegate tests")?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        write(&certificates.ca(), &authority.pem())?;
        write(&certificates.certificate(), &certificate.pem())?;
        write(&certificates.key(), &key.serialize_pem())?;
        write(&certificates.stranger(), &self::authority("a stranger")?.pem())?;
        let (certificate, key) = certificates.client();
        let pair = KeyPair::generate()?;
        write(&certificate, &client()?.signed_by(&pair, &authority)?.pem())?;
        write(&key, &pair.serialize_pem())?;
        // Clients of PostgreSQL take no key that others might read.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let (private, public) = certificates.rsa();
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        write(&private, &pair.serialize_pem())?;
        write(&public, &pair.public_key_pem())?;
        Ok(certificates)
    }
}

/// The subject of [`Certificates::client`] and its issuer, as accounts of servers have them.
pub const CLIENT_SUBJECT: &str = "/C=SE/O=tidegate/CN=a client";
pub const ISSUER: &str = "/CN=tidegate tests";

fn client() -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "SE");
    params.distinguished_name.push(DnType::OrganizationName, "tidegate");
    params.distinguished_name.push(DnType::CommonName, "a client");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn authority(name: &str) -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(fs::write(path, text)?)
}
