//! Transfer files (`.cfp`): a tablespace key under a key of its own, with which `ALTER TABLE … IMPORT TABLESPACE` takes an
//! encrypted tablespace into another server.
//!
//! | at | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | 32, the length of a key |
//! | 4 | 32 | transfer key, in the clear |
//! | 36 | 32 | tablespace key under the transfer key, AES-256 block by block |
//! | 68 | 32 | initialisation vector, the same |
//!
//! Who has the tablespace and its transfer file can read it: no master key is needed. There is no checksum; whether the
//! key is right is told by the pages of the tablespace.

use std::error::Error;
use std::fmt;

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::key::{KEY_BYTES, PAIR_BYTES, TablespaceKey};

/// Bytes of a transfer file.
pub const TRANSFER_BYTES: usize = 4 + KEY_BYTES + PAIR_BYTES;

/// Why bytes are no transfer file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferFault {
    /// Another length than [`TRANSFER_BYTES`].
    Bytes(usize),
    /// The length of a key that it tells.
    KeyBytes(u32),
}

/// Takes the tablespace key out of a transfer file.
///
/// # Errors
/// [`TransferFault`].
pub fn read(bytes: &[u8]) -> Result<TablespaceKey, TransferFault> {
    let fault = TransferFault::Bytes(bytes.len());
    let (length, rest) = bytes.split_first_chunk().ok_or(fault)?;
    let (transfer_key, rest) = rest.split_first_chunk::<KEY_BYTES>().ok_or(fault)?;
    let wrapped: &[u8; PAIR_BYTES] = rest.try_into().map_err(|_| fault)?;
    let length = u32::from_be_bytes(*length);
    if length as usize != KEY_BYTES {
        return Err(TransferFault::KeyBytes(length));
    }
    TablespaceKey::unwrap(wrapped, &KeyMaterial::new(transfer_key)).ok_or(TransferFault::KeyBytes(length))
}

/// A transfer file for `key`, under `transfer_key`: 32 random bytes for this file alone. What is returned is as secret as
/// the tablespace. `None` when the transfer key has another length.
#[must_use]
pub fn write(key: &TablespaceKey, transfer_key: &KeyMaterial) -> Option<Zeroizing<Vec<u8>>> {
    let wrapped = key.wrap(transfer_key)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(TRANSFER_BYTES));
    bytes.extend_from_slice(&(KEY_BYTES as u32).to_be_bytes());
    bytes.extend_from_slice(transfer_key.as_bytes());
    bytes.extend_from_slice(&wrapped);
    Some(bytes)
}

impl fmt::Display for TransferFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => {
                write!(f, "a transfer file has {TRANSFER_BYTES} bytes, and this one has {bytes}")
            }
            Self::KeyBytes(bytes) => {
                write!(f, "a transfer file holds keys of {KEY_BYTES} bytes, and this one says {bytes}")
            }
        }
    }
}

impl Error for TransferFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let key = TablespaceKey::new(&std::array::from_fn(|at| at as u8));
        let bytes = write(&key, &KeyMaterial::new(&[7; 32])).expect("a key of 32 bytes");
        assert_eq!(bytes.len(), TRANSFER_BYTES);
        assert_eq!(read(&bytes).expect("a transfer file").as_bytes(), key.as_bytes());
        assert!(write(&key, &KeyMaterial::new(&[7; 16])).is_none());
    }

    #[test]
    fn other_lengths_are_refused() {
        let key = TablespaceKey::new(&[1; 64]);
        let mut bytes = write(&key, &KeyMaterial::new(&[7; 32])).expect("a key of 32 bytes").to_vec();
        for length in 0..TRANSFER_BYTES {
            assert_eq!(read(&bytes[..length]).unwrap_err(), TransferFault::Bytes(length));
        }
        bytes[3] = 16;
        assert_eq!(read(&bytes).unwrap_err(), TransferFault::KeyBytes(16));
        bytes.push(0);
        assert_eq!(read(&bytes).unwrap_err(), TransferFault::Bytes(101));
    }
}
