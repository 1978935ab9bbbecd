//! The secret that a cache is sealed with.
//!
//! It is the content of a file, whatever that is: a credential that systemd has decrypted (with the TPM, where it was encrypted so), or a
//! file on another file system.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::CacheError;

/// The fewest bytes that a secret may have.
pub(super) const BYTES_MIN: usize = 32;
/// The most.
pub(super) const BYTES_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct SealKey(KeyMaterial);

impl SealKey {
    pub(super) fn read(path: &Path) -> Result<Self, CacheError> {
        let failed = |error| CacheError::SealKey { path: path.to_path_buf(), error };
        let file = OpenOptions::new()
            .read(true)
            // A pipe without a writer is not waited for.
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(path)
            .map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(CacheError::NotRegular(path.to_path_buf()));
        }
        if metadata.permissions().mode() & 0o007 != 0 {
            return Err(CacheError::SealKeyOpen(path.to_path_buf()));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX + 1));
        file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::new(&bytes).ok_or_else(|| CacheError::SealKeyLength(path.to_path_buf(), bytes.len()))
    }

    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        (BYTES_MIN..=BYTES_MAX).contains(&bytes.len()).then(|| Self(KeyMaterial::new(bytes)))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
