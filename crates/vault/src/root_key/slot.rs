//! One slot as `vault.json` keeps it.

use std::path::PathBuf;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::passphrase::Derivation;
use super::{KEY_LEN, SlotError};
use crate::barrier::VaultId;

/// The root key under the key of one slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Where the slot's key comes from.
    #[serde(rename = "key")]
    pub kind: SlotKind,
    /// Nonce (12), then AES-256-GCM of the root key with its tag (16). The vault's id is associated data.
    #[serde(with = "base64_bytes")]
    wrapped: Vec<u8>,
    /// SHA-256 of the rest of the slot: tells a damaged slot from a wrong passphrase. It protects nothing.
    #[serde(with = "base64_bytes")]
    check: Vec<u8>,
}

/// Where a slot's key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum SlotKind {
    /// A passphrase.
    Passphrase(Derivation),
    /// A file.
    File {
        /// Where the file was when the slot was made.
        path: PathBuf,
    },
}

impl Slot {
    pub(super) fn wrap(
        vault: VaultId,
        kind: SlotKind,
        key: &KeyMaterial,
        root: &KeyMaterial,
    ) -> Result<Self, SlotError> {
        let mut content = Zeroizing::new(root.as_bytes().to_vec());
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.as_bytes()).map_err(|_| SlotError::Damaged)?;
        // The nonce is random, and each slot's key wraps one root key only.
        let (nonce, tag) = key
            .seal_in_place_separate_tag(Aad::from(vault.0.0), &mut content)
            .map_err(|_| SlotError::Damaged)?;
        let wrapped = [&nonce.as_ref()[..], &content[..], tag.as_ref()].concat();
        let mut slot = Self { kind, wrapped, check: Vec::new() };
        slot.check = slot.computed_check();
        Ok(slot)
    }

    /// The root key, when `key` is the slot's.
    pub(super) fn unwrap(&self, vault: VaultId, key: &KeyMaterial) -> Option<KeyMaterial> {
        let (nonce, body) = self.wrapped.split_at_checked(NONCE_LEN)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.as_bytes()).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut content = Zeroizing::new(body.to_vec());
        let root = key.open_in_place(nonce, Aad::from(vault.0.0), &mut content).ok()?;
        (root.len() == KEY_LEN).then(|| KeyMaterial::new(root))
    }

    /// Whether the slot is as it was made.
    pub(super) fn check(&self) -> Result<(), SlotError> {
        if self.check == self.computed_check() { Ok(()) } else { Err(SlotError::Damaged) }
    }

    fn computed_check(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match &self.kind {
            SlotKind::Passphrase(derivation) => {
                bytes.push(1);
                derivation.describe(&mut bytes);
            }
            // The path is advice, and may be edited when the file moves.
            SlotKind::File { .. } => bytes.push(2),
        }
        bytes.extend_from_slice(&self.wrapped);
        digest::digest(&digest::SHA256, &bytes).as_ref().to_vec()
    }

    #[cfg(test)]
    pub(super) fn damage(&mut self) {
        self.wrapped[20] ^= 1;
    }
}

/// Bytes as base64 text in JSON.
pub(crate) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
