//! The keys of the barrier, as one immutable value, and how the root key wraps them.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::seal::{VaultId, random};

/// Bytes of each key.
const KEY_LEN: usize = 32;
/// First byte of an encoded keyring, and of a wrapped one.
const FORMAT: u8 = 1;
/// Data keys that a keyring may have.
const DATA_KEYS_MAX: usize = 4096;

/// The data keys (the last one seals, the others still open), the search key and the set key.
#[derive(Debug)]
pub struct Keyring {
    data: Vec<(u32, KeyMaterial)>,
    search: KeyMaterial,
    set: KeyMaterial,
}

/// A keyring under a root key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKeyring(pub Vec<u8>);

/// Why a keyring could not be unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringError {
    /// It was written by a newer release.
    NewerFormat {
        /// The format found.
        found: u8,
    },
    /// The root key is another one, or the bytes were altered.
    NotAuthentic,
    /// What the root key opened is not a keyring.
    Malformed,
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerFormat { found } => write!(f, "it has format {found}, which a newer release wrote"),
            Self::NotAuthentic => write!(f, "it belongs to another root key, or it was altered"),
            Self::Malformed => write!(f, "it is damaged"),
        }
    }
}

impl Keyring {
    /// New keys, from the system's random generator.
    pub fn generate() -> Self {
        Self { data: vec![(1, random_key())], search: random_key(), set: random_key() }
    }

    /// The same keyring with a new data key, which will seal from now on.
    #[must_use]
    pub fn with_new_data_key(&self) -> Self {
        let number = self.data.last().map_or(1, |(number, _)| number + 1);
        let mut data: Vec<_> = self.data.iter().map(|(number, key)| (*number, key.duplicate())).collect();
        data.push((number, random_key()));
        Self { data, search: self.search.duplicate(), set: self.set.duplicate() }
    }

    pub(super) fn data_keys(&self) -> &[(u32, KeyMaterial)] {
        &self.data
    }

    pub(super) fn search_key(&self) -> &KeyMaterial {
        &self.search
    }

    pub(super) fn set_key(&self) -> &KeyMaterial {
        &self.set
    }

    /// Wraps the keyring: format (1), nonce (12), AES-256-GCM of the encoded keyring with its tag (16). The vault's id is
    /// associated data.
    pub fn wrap(&self, vault: VaultId, root: &KeyMaterial) -> Result<WrappedKeyring, KeyringError> {
        let mut content = self.encode();
        let key =
            RandomizedNonceKey::new(&AES_256_GCM, root.as_bytes()).map_err(|_| KeyringError::Malformed)?;
        // The nonce is random; a root key wraps a keyring a handful of times in its life.
        let (nonce, tag) = key
            .seal_in_place_separate_tag(Aad::from(associated_data(vault)), &mut content)
            .map_err(|_| KeyringError::Malformed)?;
        let mut wrapped = Vec::with_capacity(1 + NONCE_LEN + content.len() + 16);
        wrapped.push(FORMAT);
        wrapped.extend_from_slice(nonce.as_ref());
        wrapped.extend_from_slice(&content);
        wrapped.extend_from_slice(tag.as_ref());
        Ok(WrappedKeyring(wrapped))
    }

    /// The reverse of [`Keyring::wrap`].
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn unwrap(
        wrapped: &WrappedKeyring,
        vault: VaultId,
        root: &KeyMaterial,
    ) -> Result<Self, KeyringError> {
        let (&format, rest) = wrapped.0.split_first().ok_or(KeyringError::Malformed)?;
        if format != FORMAT {
            return Err(KeyringError::NewerFormat { found: format });
        }
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(KeyringError::Malformed)?;
        let key =
            RandomizedNonceKey::new(&AES_256_GCM, root.as_bytes()).map_err(|_| KeyringError::Malformed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyringError::Malformed)?;
        let mut content = Zeroizing::new(body.to_vec());
        let plain = key
            .open_in_place(nonce, Aad::from(associated_data(vault)), &mut content)
            .map_err(|_| KeyringError::NotAuthentic)?;
        Self::decode(plain).ok_or(KeyringError::Malformed)
    }

    /// Number of data keys (4), then number (4) and key (32) of each in ascending order, search key (32), set key (32).
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 + self.data.len() * (4 + KEY_LEN) + 2 * KEY_LEN));
        bytes.extend_from_slice(&(self.data.len() as u32).to_be_bytes());
        for (number, key) in &self.data {
            bytes.extend_from_slice(&number.to_be_bytes());
            bytes.extend_from_slice(key.as_bytes());
        }
        bytes.extend_from_slice(self.search.as_bytes());
        bytes.extend_from_slice(self.set.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (count, mut rest) = bytes.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_be_bytes(*count))
            .ok()
            .filter(|count| (1..=DATA_KEYS_MAX).contains(count))?;
        let mut data: Vec<(u32, KeyMaterial)> = Vec::with_capacity(count);
        for _ in 0..count {
            let (number, after) = rest.split_first_chunk::<4>()?;
            let (key, after) = after.split_first_chunk::<KEY_LEN>()?;
            let number = u32::from_be_bytes(*number);
            if data.last().is_some_and(|(last, _)| *last >= number) {
                return None;
            }
            data.push((number, KeyMaterial::new(key)));
            rest = after;
        }
        let (search, set) = rest.split_first_chunk::<KEY_LEN>()?;
        let set: &[u8; KEY_LEN] = set.try_into().ok()?;
        Some(Self { data, search: KeyMaterial::new(search), set: KeyMaterial::new(set) })
    }
}

fn associated_data(vault: VaultId) -> [u8; 32] {
    let mut data = [0; 32];
    data[..16].copy_from_slice(b"strongroom-keys1");
    data[16..].copy_from_slice(&vault.0.0);
    data
}

pub(crate) fn random_key() -> KeyMaterial {
    let mut bytes = Zeroizing::new(vec![0; KEY_LEN]);
    random(&mut bytes);
    KeyMaterial::from_zeroizing(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RecordId;

    const VAULT: VaultId = VaultId(RecordId([9; 16]));

    #[test]
    fn a_wrapped_keyring_unwraps_with_its_root_key_and_vault_only() {
        let root = random_key();
        let keyring = Keyring::generate().with_new_data_key();
        let wrapped = keyring.wrap(VAULT, &root).unwrap();
        let again = Keyring::unwrap(&wrapped, VAULT, &root).unwrap();
        assert_eq!(again.data, keyring.data);
        assert_eq!(again.search, keyring.search);
        assert_eq!(again.set, keyring.set);
        assert_eq!(Keyring::unwrap(&wrapped, VAULT, &random_key()).unwrap_err(), KeyringError::NotAuthentic);
        let other = VaultId(RecordId([8; 16]));
        assert_eq!(Keyring::unwrap(&wrapped, other, &root).unwrap_err(), KeyringError::NotAuthentic);
    }

    #[test]
    fn a_new_data_key_comes_last_and_keeps_the_others() {
        let keyring = Keyring::generate();
        let rotated = keyring.with_new_data_key();
        assert_eq!(rotated.data[0], keyring.data[0]);
        assert_eq!(rotated.data[1].0, 2);
    }

    #[test]
    fn every_altered_byte_of_a_wrapped_keyring_is_noticed() {
        let root = random_key();
        let wrapped = Keyring::generate().wrap(VAULT, &root).unwrap();
        for at in 0..wrapped.0.len() {
            let mut altered = wrapped.clone();
            altered.0[at] ^= 1;
            assert!(Keyring::unwrap(&altered, VAULT, &root).is_err(), "byte {at}");
        }
    }
}
