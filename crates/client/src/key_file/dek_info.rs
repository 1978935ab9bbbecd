//! The old encrypted form: a `DEK-Info` header (RFC 1421 §4.6.1.3) over PKCS#1 or SEC1.
//!
//! The key is derived as OpenSSL always has for this form: MD5 over password and salt, once, where the salt is the first eight
//! bytes of the initialisation vector. That protects little, so the form is read and never written.

use aes::{Aes128, Aes192, Aes256};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use des::TdesEde3;
use md5::{Digest, Md5};
use zeroize::{Zeroize, Zeroizing};

use super::error::KeyFileError;
use super::is_one_sequence;

/// Opens `body` as the header `info` says, for example `DES-EDE3-CBC,9C1D2E3F4A5B6C7D`.
pub(super) fn decrypt(info: &str, body: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let (method, iv) = info.split_once(',').ok_or(KeyFileError::Malformed)?;
    let iv = hex(iv.trim()).ok_or(KeyFileError::Malformed)?;
    if iv.len() < SALT_BYTES {
        return Err(KeyFileError::Malformed);
    }
    match method.trim() {
        "DES-EDE3-CBC" => open::<Decryptor<TdesEde3>, 24>(&iv, body, password),
        "AES-128-CBC" => open::<Decryptor<Aes128>, 16>(&iv, body, password),
        "AES-192-CBC" => open::<Decryptor<Aes192>, 24>(&iv, body, password),
        "AES-256-CBC" => open::<Decryptor<Aes256>, 32>(&iv, body, password),
        other => Err(KeyFileError::UnsupportedEncryption(other.into())),
    }
}

const SALT_BYTES: usize = 8;

fn open<C: KeyIvInit + BlockModeDecrypt, const KEY_BYTES: usize>(
    iv: &[u8],
    body: &[u8],
    password: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let key = derive::<KEY_BYTES>(password, &iv[..SALT_BYTES]);
    let cipher = C::new_from_slices(&*key, iv).map_err(|_| KeyFileError::Malformed)?;
    let mut buffer = Zeroizing::new(body.to_vec());
    let length = cipher.decrypt_padded::<Pkcs7>(&mut buffer).map_err(|_| KeyFileError::WrongPassword)?.len();
    buffer[length..].zeroize();
    buffer.truncate(length);
    if is_one_sequence(&buffer) { Ok(buffer) } else { Err(KeyFileError::WrongPassword) }
}

/// `EVP_BytesToKey` with MD5 and one round.
fn derive<const KEY_BYTES: usize>(password: &[u8], salt: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let mut digest = Zeroizing::new([0_u8; 16]);
    for (i, part) in key.chunks_mut(16).enumerate() {
        let mut md5 = Md5::new();
        if i > 0 {
            md5.update(digest.as_slice());
        }
        md5.update(password);
        md5.update(salt);
        digest.copy_from_slice(&md5.finalize());
        part.copy_from_slice(&digest[..part.len()]);
    }
    key
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
