//! A key of the server's, and what both sides do with it.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey,
};
use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

fn key() -> &'static PrivateDecryptingKey {
    static KEY: OnceLock<PrivateDecryptingKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap())
}

pub(super) fn public_key() -> Arc<str> {
    let der = key().public_key().as_der().unwrap();
    let text = Base64::encode_string(der.as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n").into()
}

pub(super) fn encrypt(plaintext: &[u8]) -> Vec<u8> {
    let key = OaepPublicEncryptingKey::new(key().public_key()).unwrap();
    let mut ciphertext = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut ciphertext, None).unwrap();
    ciphertext
}

pub(super) fn decrypt(ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = OaepPrivateDecryptingKey::new(key().clone()).unwrap();
    let mut plaintext = vec![0; key.min_output_size()];
    let plaintext = key.decrypt(&OAEP_SHA1_MGF1SHA1, ciphertext, &mut plaintext, None).ok()?;
    Some(Zeroizing::new(plaintext.to_vec()))
}
