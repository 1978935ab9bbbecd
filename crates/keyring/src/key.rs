//! What a keyring keeps.

use std::fmt;
use std::str::FromStr;

use strongroom_secret::KeyMaterial;

use crate::error::Error;
use crate::name::KeyName;

/// The longest secret, in bytes: that of MySQL's keyring services.
pub const MAX_SECRET_BYTES: usize = 16_384;

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// An AES key of 16, 24 or 32 bytes.
    Aes,
    /// Any bytes, up to [`MAX_SECRET_BYTES`] of them. MySQL's users store secrets of no bytes too.
    Secret,
}

/// A key with its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its kind.
    pub kind: KeyKind,
    /// Its bytes.
    pub material: KeyMaterial,
}

/// What is known of a key without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The key.
    pub name: KeyName,
    /// Its kind.
    pub kind: KeyKind,
    /// Its length in bytes.
    pub bytes: usize,
    /// Its identifier in the back end.
    pub identifier: String,
}

impl KeyKind {
    /// Refuses a length that a key of this kind cannot have.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn check(self, bytes: usize) -> Result<(), Error> {
        let possible = match self {
            Self::Aes => matches!(bytes, 16 | 24 | 32),
            Self::Secret => bytes <= MAX_SECRET_BYTES,
        };
        if possible { Ok(()) } else { Err(Error::Length { kind: self, bytes }) }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aes => "AES",
            Self::Secret => "SECRET",
        })
    }
}

impl FromStr for KeyKind {
    type Err = Error;

    /// Reads `AES` or `SECRET`, in upper case as MySQL writes them. RSA and DSA are MySQL's too, and are not kept.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "AES" => Ok(Self::Aes),
            "SECRET" => Ok(Self::Secret),
            other => Err(Error::TypeNotKept(other.into())),
        }
    }
}
