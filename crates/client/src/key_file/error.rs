//! Why a private key could not be opened.

use std::fmt;

/// Why a private key could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There is no private key in the file. Holds the PEM labels that are.
    NoPrivateKey(Vec<String>),
    /// A PEM block does not end, or its body is not base64.
    Malformed,
    /// The key is encrypted and no password was given.
    PasswordNeeded,
    /// The password does not open the key.
    WrongPassword,
    /// The key is encrypted in a way that is not read here. Holds the method's name or object identifier.
    UnsupportedEncryption(String),
    /// The system's random generator failed; only when a key is being encrypted.
    Random,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrivateKey(labels) if labels.is_empty() => {
                f.write_str("it holds no private key in PEM form")
            }
            Self::NoPrivateKey(labels) => {
                write!(f, "it holds no private key, only {}", labels.join(", "))
            }
            Self::Malformed => f.write_str("the PEM text is damaged"),
            Self::PasswordNeeded => {
                f.write_str("the key is encrypted; write its password into ssl/password.txt")
            }
            Self::WrongPassword => f.write_str("the password does not open the key"),
            Self::UnsupportedEncryption(method) => write!(
                f,
                "the key is encrypted with {method}, which is not supported; convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc"
            ),
            Self::Random => f.write_str("the system's random generator failed"),
        }
    }
}

impl std::error::Error for KeyFileError {}
