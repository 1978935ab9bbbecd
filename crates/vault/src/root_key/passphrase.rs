//! A key from a passphrase: Argon2id, RFC 9106.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::{KEY_LEN, SlotError};
use crate::barrier::random;

/// Bytes of a passphrase at least.
pub const PASSPHRASE_LEN_MIN: usize = 8;

/// Memory, passes and lanes of RFC 9106 §4, second recommendation, with one lane: 64 MiB, 3, 1.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// A damaged or hostile `vault.json` must not make the vault allocate without bound.
const MEMORY_KIB_MAX: u32 = 4 * 1024 * 1024;
const SALT_LEN: usize = 16;

/// How the passphrase becomes a key; stored with the slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derivation {
    /// Memory used, in KiB.
    memory_kib: u32,
    /// Passes over the memory.
    passes: u32,
    /// Parallel lanes.
    lanes: u32,
    #[serde(with = "super::slot::base64_bytes")]
    salt: Vec<u8>,
}

impl Derivation {
    /// Today's parameters and a new salt.
    pub(super) fn new() -> Self {
        let mut salt = vec![0; SALT_LEN];
        random(&mut salt);
        Self { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt }
    }

    /// The key for this passphrase. Takes about a tenth of a second and 64 MiB.
    pub(super) fn derive(&self, passphrase: &[u8]) -> Result<KeyMaterial, SlotError> {
        if self.memory_kib > MEMORY_KIB_MAX {
            return Err(SlotError::Damaged);
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_LEN))
            .map_err(|_| SlotError::Damaged)?;
        let mut key = Zeroizing::new(vec![0; KEY_LEN]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &self.salt, &mut key)
            .map_err(|_| SlotError::Derivation)?;
        Ok(KeyMaterial::from_zeroizing(key))
    }

    /// The bytes that the slot's check covers.
    pub(super) fn describe(&self, out: &mut Vec<u8>) {
        for number in [self.memory_kib, self.passes, self.lanes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.salt);
    }
}
