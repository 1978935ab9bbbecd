//! The key of one tablespace, of the redo log, or of a transfer: what the master key wraps.

use std::fmt;

use strongroom_cipher::Iv;
use strongroom_cipher::pages::PageKey;
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

/// Bytes of a master key, of a tablespace key and of the initialisation vector stored with it.
pub const KEY_BYTES: usize = 32;
/// Bytes of a key and its initialisation vector.
pub const PAIR_BYTES: usize = 2 * KEY_BYTES;

/// A tablespace key and its initialisation vector, in the clear: 32 bytes each. Pages use the first 16 of the vector, all of
/// them the same.
pub struct TablespaceKey(KeyMaterial);

impl TablespaceKey {
    /// A new key, from `fill`, which must be a cryptographic random generator.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn generate<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        KeyMaterial::try_fill(PAIR_BYTES, fill).map(Self)
    }

    /// The key in these 64 bytes: 32 of key, 32 of initialisation vector.
    #[must_use]
    pub fn new(pair: &[u8; PAIR_BYTES]) -> Self {
        Self(KeyMaterial::new(pair))
    }

    /// The 64 bytes. Keep the borrow short and copy nothing out of it that is not wiped.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// A second copy.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    /// The key, expanded for pages, and their initialisation vector.
    pub(crate) fn expand(&self) -> (PageKey, Iv) {
        let mut iv = [0; 16];
        iv.copy_from_slice(&self.as_bytes()[KEY_BYTES..KEY_BYTES + 16]);
        match PageKey::new(&self.as_bytes()[..KEY_BYTES]) {
            Ok(key) => (key, iv),
            Err(_) => unreachable!("32 bytes are an AES key"),
        }
    }

    /// CRC-32C of the 64 bytes, by which a wrong master key is told.
    pub(crate) fn crc(&self) -> u32 {
        crc32c::crc32c(self.as_bytes())
    }

    /// The 64 bytes under `master`: AES-256, block by block.
    pub(crate) fn wrap(&self, master: &KeyMaterial) -> Option<[u8; PAIR_BYTES]> {
        let aes = strongroom_cipher::AesEncrypt::new(master.as_bytes()).ok()?;
        let mut pair = Zeroizing::new([0; PAIR_BYTES]);
        pair.copy_from_slice(self.as_bytes());
        strongroom_cipher::ecb::encrypt_blocks(&aes, &mut *pair).ok()?;
        (master.len() == KEY_BYTES).then_some(*pair)
    }

    /// What 64 bytes under `master` are.
    pub(crate) fn unwrap(wrapped: &[u8; PAIR_BYTES], master: &KeyMaterial) -> Option<Self> {
        if master.len() != KEY_BYTES {
            return None;
        }
        let aes = strongroom_cipher::AesEncrypt::new(master.as_bytes()).ok()?.inverse();
        let mut pair = Zeroizing::new(*wrapped);
        strongroom_cipher::ecb::decrypt_blocks(&aes, &mut *pair).ok()?;
        Some(Self::new(&pair))
    }
}

impl fmt::Debug for TablespaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TablespaceKey")
    }
}
