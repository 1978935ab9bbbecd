//! The encryption information: a tablespace key wrapped by a master key, and which master key that is. It stands on page
//! 0 of an encrypted tablespace and in the header of an encrypted redo log (InnoDB `os0enc.h`). All numbers are big-endian.
//!
//! | bytes | `lCC` (MySQL 8.0 on) | `lCB` (5.7.12 on) | `lCA` (5.7.11) |
//! |---|---|---|---|
//! | 3 | magic | magic | magic |
//! | 4 | number of the master key | the same | the same |
//! | 4 | absent | zero; absent where the server had 32 bits | the same |
//! | 36 | uuid of the server | the same | absent |
//! | 64 | tablespace key and initialisation vector, wrapped | the same | the same |
//! | 4 | CRC-32C of those 64 bytes in the clear | the same | the same |
//!
//! The master key's id in the keyring is `INNODBKey-<uuid>-<number>`, and `INNODBKey-<server id>-<number>` for `lCA`, which
//! does not say the server id. Number 0 is no key of a keyring: a server that has no keyring yet wraps with a constant that
//! everybody knows, and does so anew when it has one.
//!
//! A clone sends the redo log's information with its key in the clear; the checksum fits the stored bytes then.
//!
//! The checksum is of what only the right master key brings to light. It tells a wrong master key from damage only
//! together with the checksum of the page around it.

use std::fmt;

use strongroom_secret::KeyMaterial;

use super::fault::{InformationFault, UnlockError};
use super::key::{PAIR_BYTES, TablespaceKey};
pub use super::master_key::MASTER_KEY_PREFIX;
use super::master_key::{MasterKeyId, ServerUuid, UUID_BYTES, default_master_key};
use crate::keys::MasterKeySource;

/// Most bytes that encryption information takes.
pub const INFORMATION_BYTES_MAX: usize = MAGIC_BYTES + 4 + 4 + UUID_BYTES + PAIR_BYTES + 4;
pub(super) const MAGIC_BYTES: usize = 3;

/// Layout of encryption information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `lCA`, MySQL 5.7.11: the master key is named by the server id.
    V1,
    /// `lCB`, MySQL 5.7.12 on: the master key is named by the server's uuid.
    V2,
    /// `lCC`, MySQL 8.0 on.
    V3,
}

impl Version {
    const ALL: [Self; 3] = [Self::V1, Self::V2, Self::V3];

    fn magic(self) -> &'static [u8; MAGIC_BYTES] {
        match self {
            Self::V1 => b"lCA",
            Self::V2 => b"lCB",
            Self::V3 => b"lCC",
        }
    }
}

/// Encryption information as it is stored: nothing in it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Information {
    version: Version,
    /// Whether the zero word of a 64-bit server of MySQL 5.7 stands behind the number.
    wide: bool,
    master_key: MasterKeyId,
    /// What stands in the place of the uuid where there is no master key to name.
    unused_uuid: [u8; UUID_BYTES],
    wrapped: [u8; PAIR_BYTES],
    crc: u32,
}

/// What page 0 says about encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// The wrapped key, or why there is none although there should be.
    pub information: Result<Information, InformationFault>,
    /// Whether the flags say so too. They do not where a decryption by the server was interrupted.
    pub flag: bool,
    /// How far the server came that was interrupted while it encrypted or decrypted the tablespace.
    pub progress: Option<Progress>,
}

/// How far a server came with `ALTER TABLESPACE … ENCRYPTION` when it was interrupted. It goes on when it is started again; what
/// pages are encrypted is told by each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Encrypting.
    Encrypting {
        /// Last page that is done.
        page: u32,
    },
    /// Decrypting.
    Decrypting {
        /// Last page that is done.
        page: u32,
    },
}

impl Information {
    /// Reads encryption information from the start of `bytes`; `None` where there is none, which is where the magic would be
    /// there are zeros.
    ///
    /// # Errors
    /// [`InformationFault`].
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, InformationFault> {
        let short = InformationFault::Short { bytes: bytes.len() };
        let (magic, rest) = bytes.split_first_chunk::<MAGIC_BYTES>().ok_or(short)?;
        if *magic == [0; MAGIC_BYTES] {
            return Ok(None);
        }
        let version = Version::ALL
            .into_iter()
            .find(|version| version.magic() == magic)
            .ok_or(InformationFault::Magic(*magic))?;
        let (number, rest) = rest.split_first_chunk().ok_or(short)?;
        let number = u32::from_be_bytes(*number);
        // A uuid does not begin with zeros, and a wrapped key does once in four thousand million.
        let wide = version != Version::V3 && rest.first_chunk() == Some(&[0; 4]);
        let rest = if wide { &rest[4..] } else { rest };
        let (uuid, rest) = match version {
            Version::V1 => (None, rest),
            Version::V2 | Version::V3 => {
                let (uuid, rest) = rest.split_first_chunk::<UUID_BYTES>().ok_or(short)?;
                (Some(uuid), rest)
            }
        };
        let master_key = match (number, uuid) {
            (0, _) => MasterKeyId::Default,
            (number, None) => MasterKeyId::ServerId { number },
            (number, Some(uuid)) => {
                MasterKeyId::Uuid { uuid: ServerUuid::new(uuid).ok_or(InformationFault::Uuid)?, number }
            }
        };
        let (wrapped, rest) = rest.split_first_chunk().ok_or(short)?;
        let crc = rest.first_chunk().ok_or(short)?;
        Ok(Some(Self {
            version,
            wide,
            master_key,
            unused_uuid: uuid.copied().filter(|_| number == 0).unwrap_or([0; UUID_BYTES]),
            wrapped: *wrapped,
            crc: u32::from_be_bytes(*crc),
        }))
    }

    /// Wraps `key` for the server that has `master`. The layout is that of MySQL 8.0 on; [`rewrap`](Self::rewrap)
    /// keeps an older one. `None` when `master` is not 32 bytes long.
    #[must_use]
    pub fn wrap(key: &TablespaceKey, master_key: MasterKeyId, master: &KeyMaterial) -> Option<Self> {
        let wrapped = key.wrap(master)?;
        Some(Self {
            version: Version::V3,
            wide: false,
            master_key,
            unused_uuid: [0; UUID_BYTES],
            wrapped,
            crc: key.crc(),
        })
    }

    /// The same tablespace key under another master key, in the layout that the server which wrote this reads. `None` when
    /// `master` is not 32 bytes long.
    #[must_use]
    pub fn rewrap(&self, key: &TablespaceKey, master_key: MasterKeyId, master: &KeyMaterial) -> Option<Self> {
        let version = match (&master_key, self.version) {
            // The oldest layout has no room for a uuid.
            (MasterKeyId::Uuid { .. }, Version::V1) => Version::V2,
            (_, version) => version,
        };
        Some(Self { version, wide: self.wide, ..Self::wrap(key, master_key, master)? })
    }

    /// Layout.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Which master key wraps the tablespace key.
    #[must_use]
    pub fn master_key(&self) -> &MasterKeyId {
        &self.master_key
    }

    /// Whether the key is not wrapped at all, as in the redo log of a clone that was not started yet.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        crc32c::crc32c(&self.wrapped) == self.crc
    }

    /// Takes the tablespace key out, with the master key from `keys`.
    ///
    /// # Errors
    /// [`UnlockError`].
    pub fn unlock(&self, keys: &dyn MasterKeySource) -> Result<TablespaceKey, UnlockError> {
        if self.is_in_the_clear() {
            return Ok(TablespaceKey::new(&self.wrapped));
        }
        let key_id = match (&self.master_key, self.master_key.key_id()) {
            (MasterKeyId::Default, _) => return self.unlock_with(&default_master_key()),
            (_, Some(key_id)) => key_id,
            (_, None) => return self.unlock_with_any_server(keys),
        };
        let master = keys.mysql_key(&key_id).map_err(UnlockError::Source)?;
        let absent = || UnlockError::Absent { key: self.master_key.clone() };
        self.unlock_with(&master.ok_or_else(absent)?)
    }

    /// Takes the tablespace key out with a master key at hand.
    ///
    /// # Errors
    /// [`UnlockError::WrongMasterKey`], [`UnlockError::Length`].
    pub fn unlock_with(&self, master: &KeyMaterial) -> Result<TablespaceKey, UnlockError> {
        let Some(key) = TablespaceKey::unwrap(&self.wrapped, master) else {
            return Err(UnlockError::Length { key: self.master_key.clone(), bytes: master.len() });
        };
        if key.crc() != self.crc {
            return Err(UnlockError::WrongMasterKey { key: self.master_key.clone() });
        }
        Ok(key)
    }

    /// The server id is not told, so every key of that number is tried; the checksum says which is right.
    fn unlock_with_any_server(&self, keys: &dyn MasterKeySource) -> Result<TablespaceKey, UnlockError> {
        let ending = format!("-{}", self.master_key.number());
        let mut fault = UnlockError::Absent { key: self.master_key.clone() };
        for key_id in keys.mysql_key_ids(MASTER_KEY_PREFIX).map_err(UnlockError::Source)? {
            if !key_id.ends_with(&ending) {
                continue;
            }
            let Some(master) = keys.mysql_key(&key_id).map_err(UnlockError::Source)? else { continue };
            match self.unlock_with(&master) {
                Ok(key) => return Ok(key),
                Err(wrong) => fault = wrong,
            }
        }
        Err(fault)
    }

    /// The bytes as they are stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(INFORMATION_BYTES_MAX);
        bytes.extend_from_slice(self.version.magic());
        bytes.extend_from_slice(&self.master_key.number().to_be_bytes());
        if self.wide {
            bytes.extend_from_slice(&[0; 4]);
        }
        if self.version != Version::V1 {
            match &self.master_key {
                MasterKeyId::Uuid { uuid, .. } => bytes.extend_from_slice(uuid.as_str().as_bytes()),
                MasterKeyId::Default | MasterKeyId::ServerId { .. } => {
                    bytes.extend_from_slice(&self.unused_uuid);
                }
            }
        }
        bytes.extend_from_slice(&self.wrapped);
        bytes.extend_from_slice(&self.crc.to_be_bytes());
        bytes
    }
}

impl fmt::Debug for Information {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Information")
            .field("version", &self.version)
            .field("master_key", &self.master_key)
            .finish_non_exhaustive()
    }
}
