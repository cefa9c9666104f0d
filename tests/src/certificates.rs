//! A certificate authority and a server certificate, fresh for every run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

use crate::Scratch;

/// PEM files for `localhost` and `127.0.0.1`, readable by every user of this machine.
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
        Ok(certificates)
    }
}

fn authority(name: &str) -> anyhow::Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(fs::write(path, text)?)
}
