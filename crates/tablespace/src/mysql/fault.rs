//! What can be wrong with a wrapped key.

use std::error::Error;
use std::fmt;

use super::information::MAGIC_BYTES;
use super::key::KEY_BYTES;
use super::master_key::MasterKeyId;
use crate::keys::KeySourceError;

/// Why bytes are no encryption information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InformationFault {
    /// There is none, and the flags say that the tablespace is encrypted.
    Missing,
    /// They begin with none of the three magics.
    Magic([u8; MAGIC_BYTES]),
    /// They end too early.
    Short {
        /// Bytes that are there.
        bytes: usize,
    },
    /// The server's uuid is not one.
    Uuid,
}

/// Why a tablespace key could not be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum UnlockError {
    /// The keyring was asked and does not have the master key.
    Absent {
        /// Which one.
        key: MasterKeyId,
    },
    /// The keyring has a key of that name, and it is not the one that wraps this tablespace key.
    WrongMasterKey {
        /// Which one.
        key: MasterKeyId,
    },
    /// The key of that name is not 32 bytes long.
    Length {
        /// Which one.
        key: MasterKeyId,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The keyring could not be asked.
    Source(KeySourceError),
}

impl fmt::Display for InformationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => {
                f.write_str("the tablespace is marked as encrypted and has no encryption information")
            }
            Self::Magic(magic) => {
                write!(f, "the encryption information begins with unknown bytes: {}", magic.escape_ascii())
            }
            Self::Short { bytes } => write!(f, "the encryption information is cut off after {bytes} bytes"),
            Self::Uuid => {
                f.write_str("the encryption information names a server by something that is not a uuid")
            }
        }
    }
}

impl Error for InformationFault {}

impl fmt::Display for UnlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { key } => write!(f, "the keyring does not have the master key: {key}"),
            Self::WrongMasterKey { key } => {
                write!(f, "the keyring's {key} is not the master key that this file was encrypted under")
            }
            Self::Length { key, bytes } => {
                write!(f, "the keyring's {key} has {bytes} bytes, and a master key has {KEY_BYTES}")
            }
            Self::Source(error) => error.fmt(f),
        }
    }
}

impl Error for UnlockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            _ => None,
        }
    }
}
