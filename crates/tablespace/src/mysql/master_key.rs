//! Names of InnoDB's master keys.

use std::fmt;

use strongroom_secret::KeyMaterial;

use super::key::KEY_BYTES;

/// Bytes of a server's uuid, as text.
pub const UUID_BYTES: usize = 36;
/// What the ids of master keys begin with.
pub const MASTER_KEY_PREFIX: &str = "INNODBKey-";
/// What wraps while there is no keyring, padded with zeros to the length of a key (`DEFAULT_MASTER_KEY`).
const DEFAULT_MASTER_KEY: &[u8; 16] = b"DefaultMasterKey";

/// Which master key wraps a tablespace key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MasterKeyId {
    /// None of a keyring: the constant of a server without one. The tablespace is encrypted and not protected.
    Default,
    /// A key of the server with this uuid.
    Uuid {
        /// The uuid as text, 36 characters.
        uuid: ServerUuid,
        /// Its number, from 1.
        number: u32,
    },
    /// A key of a server of MySQL 5.7.11 whose id is not told.
    ServerId {
        /// Its number, from 1.
        number: u32,
    },
}

impl MasterKeyId {
    /// Number of the key; 0 for the constant.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::Default => 0,
            Self::Uuid { number, .. } | Self::ServerId { number } => *number,
        }
    }

    /// The id in the keyring, where the file tells it.
    #[must_use]
    pub fn key_id(&self) -> Option<String> {
        match self {
            Self::Uuid { uuid, number } => Some(format!("{MASTER_KEY_PREFIX}{uuid}-{number}")),
            Self::Default | Self::ServerId { .. } => None,
        }
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the constant of a server without a keyring"),
            Self::Uuid { uuid, number } => write!(f, "{MASTER_KEY_PREFIX}{uuid}-{number}"),
            Self::ServerId { number } => write!(f, "{MASTER_KEY_PREFIX}<server id>-{number}"),
        }
    }
}

/// The uuid of a MySQL server: 36 characters, as in its `auto.cnf`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerUuid([u8; UUID_BYTES]);

impl ServerUuid {
    /// Takes 36 characters: hexadecimal digits in five groups, with hyphens between them.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let bytes: [u8; UUID_BYTES] = text.try_into().ok()?;
        let well_formed = |(at, byte): (usize, &u8)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        bytes.iter().enumerate().all(well_formed).then_some(Self(bytes))
    }

    /// The 36 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What wraps while there is no keyring.
pub(super) fn default_master_key() -> KeyMaterial {
    let mut key = [0; KEY_BYTES];
    key[..DEFAULT_MASTER_KEY.len()].copy_from_slice(DEFAULT_MASTER_KEY);
    KeyMaterial::new(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_hexadecimal_digits_in_five_groups() {
        let good = b"01234567-89ab-CDEF-0123-456789abcdef";
        assert!(ServerUuid::new(good).is_some_and(|uuid| uuid.as_str().as_bytes() == good));
        for at in 0..UUID_BYTES {
            let mut bad = *good;
            bad[at] = b'g';
            assert_eq!(ServerUuid::new(&bad), None);
        }
        assert_eq!(ServerUuid::new(&good[..35]), None);
    }

    #[test]
    fn ids_are_those_of_the_keyring() {
        let uuid = ServerUuid::new(b"01234567-89ab-cdef-0123-456789abcdef").expect("a uuid");
        let id = MasterKeyId::Uuid { uuid, number: 12 };
        assert_eq!(id.key_id().as_deref(), Some("INNODBKey-01234567-89ab-cdef-0123-456789abcdef-12"));
        assert_eq!(MasterKeyId::Default.key_id(), None);
    }
}
