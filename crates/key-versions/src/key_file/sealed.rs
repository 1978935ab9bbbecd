//! The encrypted form of a key file, as `openssl enc -aes-256-cbc` writes it.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `Salted__` |
//! | 8 | salt |
//! | rest | AES-256-CBC with PKCS#7 padding; key (32 bytes) and initialisation vector (16) are derived from the secret and the salt |
//!
//! The form has no integrity check: a wrong secret is noticed by the padding, or once in about 256 times only by the text
//! that comes out.

use aws_lc_rs::{digest, hmac, rand};
use strongroom_cipher::cbc::{CbcDecrypt, CbcEncrypt, Ending};
use strongroom_cipher::{BLOCK_BYTES, Iv};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"Salted__";
const SALT_BYTES: usize = 8;
const HEADER_BYTES: usize = MAGIC.len() + SALT_BYTES;
const KEY_BYTES: usize = 32;
const DERIVED_BYTES: usize = KEY_BYTES + BLOCK_BYTES;

/// The digest that the key is derived with; `openssl enc -md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Digest {
    /// SHA-1, the only one before MariaDB 12.0.
    #[default]
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How key and initialisation vector come from the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Derivation {
    /// The digest.
    pub digest: Digest,
    /// The rounds of PBKDF2 (RFC 8018 §5.2); 0 for one round of OpenSSL's older way, `EVP_BytesToKey`.
    pub pbkdf2_rounds: u32,
}

/// Why the text does not come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongKey;

/// Whether these bytes begin like an encrypted file. MariaDB wants at least one byte more than the mark.
#[must_use]
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.len() > MAGIC.len() && bytes.starts_with(MAGIC)
}

/// The text of an encrypted file.
///
/// # Errors
/// [`WrongKey`]: another secret, another derivation, or a damaged file.
pub fn open(bytes: &[u8], secret: &[u8], derivation: Derivation) -> Result<Zeroizing<Vec<u8>>, WrongKey> {
    let (header, sealed) = bytes.split_at_checked(HEADER_BYTES).ok_or(WrongKey)?;
    let derived = derivation.derive(secret, &header[MAGIC.len()..]);
    let (key, iv) = derived.split_at(KEY_BYTES);
    let iv: &Iv = iv.try_into().map_err(|_| WrongKey)?;
    let mut cbc = CbcDecrypt::new(key, iv, Ending::Padded).map_err(|_| WrongKey)?;
    let mut text = Zeroizing::new(vec![0; sealed.len() + BLOCK_BYTES]);
    let written = cbc.update(sealed, &mut text).map_err(|_| WrongKey)?;
    let last = cbc.finish(&mut text[written..]).map_err(|_| WrongKey)?;
    text.truncate(written + last);
    Ok(text)
}

/// An encrypted file with this text, under a new salt.
///
/// # Errors
/// The system's random generator failed.
pub fn seal(
    text: &[u8],
    secret: &[u8],
    derivation: Derivation,
) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    let mut salt = [0; SALT_BYTES];
    rand::fill(&mut salt)?;
    seal_with(text, secret, derivation, salt)
}

fn seal_with(
    text: &[u8],
    secret: &[u8],
    derivation: Derivation,
    salt: [u8; SALT_BYTES],
) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
    let derived = derivation.derive(secret, &salt);
    let (key, iv) = derived.split_at(KEY_BYTES);
    let iv: &Iv = iv.try_into().map_err(|_| aws_lc_rs::error::Unspecified)?;
    let mut sealed = Vec::with_capacity(HEADER_BYTES + text.len() + BLOCK_BYTES);
    sealed.extend_from_slice(MAGIC);
    sealed.extend_from_slice(&salt);
    sealed.resize(HEADER_BYTES + text.len() + BLOCK_BYTES, 0);
    // Key and room have the lengths that the cipher wants.
    let mut cbc = CbcEncrypt::new(key, iv, Ending::Padded).map_err(|_| aws_lc_rs::error::Unspecified)?;
    let body = &mut sealed[HEADER_BYTES..];
    let written = cbc.update(text, body).map_err(|_| aws_lc_rs::error::Unspecified)?;
    let last = cbc.finish(&mut body[written..]).map_err(|_| aws_lc_rs::error::Unspecified)?;
    sealed.truncate(HEADER_BYTES + written + last);
    Ok(sealed)
}

impl Digest {
    const fn plain(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    const fn keyed(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => hmac::HMAC_SHA224,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl Derivation {
    /// Key and initialisation vector, one after the other.
    fn derive(self, secret: &[u8], salt: &[u8]) -> Zeroizing<[u8; DERIVED_BYTES]> {
        let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
        if self.pbkdf2_rounds == 0 {
            self.bytes_to_key(secret, salt, &mut *derived);
        } else {
            self.pbkdf2(secret, salt, &mut *derived);
        }
        derived
    }

    /// `EVP_BytesToKey` with one round: each digest covers the one before it, the secret and the salt.
    fn bytes_to_key(self, secret: &[u8], salt: &[u8], derived: &mut [u8]) {
        let mut before: Option<digest::Digest> = None;
        let step = self.digest.plain().output_len();
        for piece in derived.chunks_mut(step) {
            let mut context = digest::Context::new(self.digest.plain());
            if let Some(before) = &before {
                context.update(before.as_ref());
            }
            context.update(secret);
            context.update(salt);
            let block = context.finish();
            piece.copy_from_slice(&block.as_ref()[..piece.len()]);
            before = Some(block);
        }
    }

    /// PBKDF2. The library's own lacks SHA-224.
    fn pbkdf2(self, secret: &[u8], salt: &[u8], derived: &mut [u8]) {
        let key = hmac::Key::new(self.digest.keyed(), secret);
        let step = self.digest.plain().output_len();
        for (number, piece) in (1_u32..).zip(derived.chunks_mut(step)) {
            let mut context = hmac::Context::with_key(&key);
            context.update(salt);
            context.update(&number.to_be_bytes());
            let mut round = context.sign();
            let len = piece.len();
            piece.copy_from_slice(&round.as_ref()[..len]);
            for _ in 1..self.pbkdf2_rounds {
                round = hmac::sign(&key, round.as_ref());
                for (out, byte) in piece.iter_mut().zip(round.as_ref()) {
                    *out ^= byte;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    const DIGESTS: [(Digest, &str); 5] = [
        (Digest::Sha1, "sha1"),
        (Digest::Sha224, "sha224"),
        (Digest::Sha256, "sha256"),
        (Digest::Sha384, "sha384"),
        (Digest::Sha512, "sha512"),
    ];

    /// `openssl enc` on its standard input and output; `None` where there is no such command.
    fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        let mut child = Command::new("openssl")
            .args(["enc", "-aes-256-cbc", "-pass", "pass:open sesame"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Some(output.stdout)
    }

    #[test]
    fn openssl_reads_what_we_write_and_we_read_what_it_writes() {
        let text: Vec<u8> = (0..1000_u32).flat_map(|i| format!("{i};x\n").into_bytes()).collect();
        for (digest, name) in DIGESTS {
            for rounds in [0, 1, 2, 1000] {
                let derivation = Derivation { digest, pbkdf2_rounds: rounds };
                let rounds_text = rounds.to_string();
                let mut arguments = vec!["-md", name];
                if rounds > 0 {
                    arguments.extend(["-pbkdf2", "-iter", &rounds_text]);
                }
                for text in [&text[..], b"", b"0123456789abcdef"] {
                    let Some(theirs) = openssl(&arguments, text) else {
                        strongroom_testkit::skip!("the openssl command is not installed");
                    };
                    assert!(is_sealed(&theirs));
                    assert_eq!(*open(&theirs, b"open sesame", derivation).unwrap(), text, "{arguments:?}");
                    let ours = seal(text, b"open sesame", derivation).unwrap();
                    let decrypt = [&arguments[..], &["-d"]].concat();
                    assert_eq!(openssl(&decrypt, &ours).unwrap(), text, "{arguments:?}");
                }
            }
        }
    }

    /// `openssl enc -pbkdf2` without `-iter` means 10000.
    #[test]
    fn the_default_of_openssl_is_ten_thousand_rounds() {
        let Some(theirs) = openssl(&["-pbkdf2"], b"text") else {
            strongroom_testkit::skip!("the openssl command is not installed");
        };
        let derivation = Derivation { digest: Digest::Sha256, pbkdf2_rounds: 10_000 };
        assert_eq!(*open(&theirs, b"open sesame", derivation).unwrap(), b"text");
    }

    #[test]
    fn another_secret_or_derivation_or_a_cut_file_is_a_wrong_key() {
        let derivation = Derivation::default();
        let sealed =
            seal_with(b"1;00112233445566778899aabbccddeeff\n", b"secret", derivation, *b"pepperpt").unwrap();
        assert_eq!(open(&sealed, b"secreT", derivation).unwrap_err(), WrongKey);
        let other = Derivation { digest: Digest::Sha256, ..derivation };
        assert_eq!(open(&sealed, b"secret", other).unwrap_err(), WrongKey);
        let other = Derivation { pbkdf2_rounds: 1, ..derivation };
        assert_eq!(open(&sealed, b"secret", other).unwrap_err(), WrongKey);
        for len in 0..sealed.len() {
            assert_eq!(open(&sealed[..len], b"secret", derivation).unwrap_err(), WrongKey, "{len}");
        }
    }

    #[test]
    fn the_mark_needs_a_byte_behind_it() {
        assert!(!is_sealed(b"Salted__"));
        assert!(is_sealed(b"Salted__x"));
        assert!(!is_sealed(b"salted__12345678"));
    }
}
