//! The keys of one tablespace: one for each version of the master key that its pages name (scheme 1, `encryption_scheme`).

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use strongroom_cipher::pages::PageKey;
use strongroom_cipher::{AesEncrypt, Iv, ecb};
use zeroize::Zeroizing;

use super::crypt_data::CryptData;
use crate::codec::CodecError;
use crate::keys::MasterKeySource;

/// Keys of a tablespace, each fetched when a page first names its version.
pub(super) struct TablespaceKeys {
    source: Arc<dyn MasterKeySource>,
    pub(super) key_id: u32,
    seed: Iv,
    known: RwLock<BTreeMap<u32, Arc<PageKey>>>,
}

impl TablespaceKeys {
    pub(super) fn new(source: Arc<dyn MasterKeySource>, data: &CryptData) -> Self {
        Self { source, key_id: data.key_id, seed: data.seed, known: RwLock::default() }
    }

    /// The key for a version; nothing where the keyring does not have it.
    ///
    /// # Errors
    /// [`CodecError::Source`], [`CodecError::Cipher`] for a master key of a length that AES does not have.
    pub(super) fn of(&self, version: u32) -> Result<Option<Arc<PageKey>>, CodecError> {
        if let Some(key) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&version) {
            return Ok(Some(Arc::clone(key)));
        }
        let Some(master) = self.source.mariadb_key(self.key_id, version).map_err(CodecError::Source)? else {
            return Ok(None);
        };
        let mut own = Zeroizing::new(self.seed);
        ecb::encrypt_blocks(&AesEncrypt::new(master.as_bytes())?, &mut *own)?;
        let key = Arc::new(PageKey::new(&*own)?);
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(version, Arc::clone(&key));
        Ok(Some(key))
    }

    /// The latest version.
    ///
    /// # Errors
    /// [`CodecError::Source`], [`CodecError::KeyAbsent`].
    pub(super) fn latest(&self) -> Result<u32, CodecError> {
        let latest = self.source.mariadb_latest_version(self.key_id).map_err(CodecError::Source)?;
        latest.ok_or(CodecError::KeyAbsent { key_id: self.key_id })
    }
}

/// The initialisation vector of a page: its tablespace, its number and its log sequence number, least byte first.
pub(super) fn page_iv(space_id: u32, number: u32, lsn: u64) -> Iv {
    let mut iv = Iv::default();
    iv[..4].copy_from_slice(&space_id.to_le_bytes());
    iv[4..8].copy_from_slice(&number.to_le_bytes());
    iv[8..].copy_from_slice(&lsn.to_le_bytes());
    iv
}
