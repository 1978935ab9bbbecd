//! Encrypted PKCS#8 (RFC 5958 §3) under PBES2 (RFC 8018 §6.2).

use aws_lc_rs::rand;
use pkcs8::der::pem::LineEnding;
use pkcs8::der::{Decode, Reader, SliceReader};
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use super::error::KeyFileError;
use super::is_one_sequence;

/// Rounds of PBKDF2-HMAC-SHA-256 in what is written here. The password usually lies in the same directory, for a database that
/// must start without anyone at the keyboard, so more rounds would cost each start and protect nothing.
const ROUNDS: u32 = 100_000;

/// Opens an `EncryptedPrivateKeyInfo`.
pub(super) fn decrypt(der: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|_| match foreign_scheme(der) {
        Some(oid) => KeyFileError::UnsupportedEncryption(oid),
        None => KeyFileError::Malformed,
    })?;
    // The scheme decrypts in place, so that the clear key is only ever in a buffer that is wiped.
    let mut buffer = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
    let length = info.encryption_algorithm.decrypt_in_place(password, &mut buffer).map_err(fault)?.len();
    buffer.truncate(length);
    if is_one_sequence(&buffer) { Ok(buffer) } else { Err(KeyFileError::WrongPassword) }
}

/// A PKCS#8 key in the clear, encrypted with a password (PBKDF2-HMAC-SHA-256, AES-256-CBC), as PEM text.
///
/// # Errors
/// [`KeyFileError::Malformed`] when `pkcs8_der` is no PKCS#8 key, [`KeyFileError::Random`] when there is no randomness.
pub fn encrypt(pkcs8_der: &[u8], password: &[u8]) -> Result<Zeroizing<String>, KeyFileError> {
    let key = PrivateKeyInfoRef::try_from(pkcs8_der).map_err(|_| KeyFileError::Malformed)?;
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rand::fill(&mut salt).map_err(|_| KeyFileError::Random)?;
    rand::fill(&mut iv).map_err(|_| KeyFileError::Random)?;
    let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv).map_err(fault)?;
    key.encrypt_with_params(scheme, password)
        .and_then(|document| Ok(document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?))
        .map_err(|_| KeyFileError::Malformed)
}

/// The object identifier of a scheme that is not of PKCS#5, such as those of PKCS#12.
fn foreign_scheme(der: &[u8]) -> Option<String> {
    SliceReader::new(der)
        .ok()?
        .sequence(|reader| {
            let scheme = AlgorithmIdentifierRef::decode(reader)?;
            reader.read_slice(reader.remaining_len())?;
            Ok::<_, pkcs8::der::Error>(scheme.oid.to_string())
        })
        .ok()
}

fn fault(error: pkcs5::Error) -> KeyFileError {
    match error {
        pkcs5::Error::UnsupportedAlgorithm { oid } | pkcs5::Error::AlgorithmParametersInvalid { oid } => {
            KeyFileError::UnsupportedEncryption(oid.to_string())
        }
        pkcs5::Error::NoPbes1CryptSupport => KeyFileError::UnsupportedEncryption("PBES1".into()),
        // `EncryptFailed` is what some schemes say of noise that has no valid padding.
        _ => KeyFileError::WrongPassword,
    }
}
