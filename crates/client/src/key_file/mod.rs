//! Private keys in PEM files, in every form that a database's administrator is likely to have.
//!
//! | label | form | where it comes from |
//! |---|---|---|
//! | `PRIVATE KEY` | PKCS#8 (RFC 5958) | `openssl genpkey`, our own enrolment |
//! | `ENCRYPTED PRIVATE KEY` | PKCS#8 under PBES2 (RFC 8018), with AES or triple DES | `openssl pkcs8`, `openssl rsa -des3` of OpenSSL 3 |
//! | `RSA PRIVATE KEY` | PKCS#1 (RFC 8017), plain or with a `DEK-Info` header | `openssl rsa -traditional` |
//! | `EC PRIVATE KEY` | SEC1 (RFC 5915), plain or with a `DEK-Info` header | `openssl ecparam -genkey` |
//!
//! This module opens keys; it does not judge whether the key fits a certificate, and it touches no file.

mod dek_info;
mod encrypted;
mod error;
mod pem;

use std::fmt;

use rustls_pki_types::PrivateKeyDer;
use zeroize::{Zeroize, Zeroizing};

pub use encrypted::encrypt;
pub use error::KeyFileError;

/// A private key in the clear: wiped on drop, redacted in `Debug`.
pub struct PrivateKey(PrivateKeyDer<'static>);

impl PrivateKey {
    /// Reads the first private key of a PEM text. `password` is used only where the key is encrypted.
    ///
    /// # Errors
    /// [`KeyFileError`]; a wrong password is an error of its own.
    pub fn from_pem(text: &[u8], password: Option<&[u8]>) -> Result<Self, KeyFileError> {
        let block = pem::first_private_key(text)?;
        let needed = || password.ok_or(KeyFileError::PasswordNeeded);
        let der = match (block.label, &block.dek_info) {
            (pem::Label::Pkcs8, _) => PrivateKeyDer::Pkcs8(bytes(block.body).into()),
            (pem::Label::EncryptedPkcs8, _) => {
                PrivateKeyDer::Pkcs8(bytes(encrypted::decrypt(&block.body, needed()?)?).into())
            }
            (pem::Label::Pkcs1, None) => PrivateKeyDer::Pkcs1(bytes(block.body).into()),
            (pem::Label::Sec1, None) => PrivateKeyDer::Sec1(bytes(block.body).into()),
            (pem::Label::Pkcs1, Some(info)) => {
                PrivateKeyDer::Pkcs1(bytes(dek_info::decrypt(info, &block.body, needed()?)?).into())
            }
            (pem::Label::Sec1, Some(info)) => {
                PrivateKeyDer::Sec1(bytes(dek_info::decrypt(info, &block.body, needed()?)?).into())
            }
        };
        Ok(Self(der))
    }

    /// The key, for rustls. The copy that rustls takes is its own to keep.
    #[must_use]
    pub fn der(&self) -> &PrivateKeyDer<'static> {
        &self.0
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// Hands the bytes over without a copy; [`PrivateKey`] wipes them from now on.
fn bytes(mut der: Zeroizing<Vec<u8>>) -> Vec<u8> {
    std::mem::take(&mut *der)
}

/// Whether `der` is one DER SEQUENCE and nothing after it, as every private key is.
///
/// A wrong password gives noise that once in some hundred times has valid padding; this is what tells it from a key.
fn is_one_sequence(der: &[u8]) -> bool {
    let Some((0x30, rest)) = der.split_first().map(|(tag, rest)| (*tag, rest)) else { return false };
    match rest {
        [short @ 0..=0x7f, body @ ..] => body.len() == usize::from(*short),
        [0x81, a, body @ ..] => body.len() == usize::from(*a),
        [0x82, a, b, body @ ..] => body.len() == usize::from(u16::from_be_bytes([*a, *b])),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
