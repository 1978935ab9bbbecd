//! Sealing and opening one record.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::{Keyring, SetDelta};
use crate::store::{RecordId, RecordKind, RecordVersion, StoredTerm, WalletId};

/// First byte of every sealed record.
const FORMAT: u8 = 1;
/// Format (1), data key number (4), nonce (12).
const HEADER_LEN: usize = 1 + 4 + NONCE_LEN;
/// GCM's tag.
const TAG_LEN: usize = 16;

/// Records that one data key may seal: 2^32 with random 96-bit nonces (SP 800-38D §8.3).
const SEALS_PER_KEY_MAX: u64 = 1 << 32;
/// From here on, the next unsealing begins a new data key.
pub(crate) const SEALS_PER_KEY_AIM: u64 = 1 << 31;

/// Identifies a vault for as long as it lives; part of what every seal binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultId(pub RecordId);

/// Fills `bytes` from the system's random generator.
///
/// # Panics
/// When the generator fails: nothing that needs randomness may go on without it.
pub fn random(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the system's random generator works");
}

/// The content of a record outside the store: wiped on drop, no `Debug` of its bytes.
pub struct Opened(Zeroizing<Vec<u8>>);

impl Opened {
    /// Takes over the bytes.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The content without its last `N` bytes, and these; nothing when there are fewer.
    pub(super) fn split_last_chunk<const N: usize>(mut self) -> Option<(Self, [u8; N])> {
        let (rest, last) = self.0.split_last_chunk::<N>()?;
        let (len, last) = (rest.len(), *last);
        self.0.truncate(len);
        Some((self, last))
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.0.len())
    }
}

/// The content of a record as the store keeps it. Only the barrier makes one from an [`Opened`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// What a store read back. Nothing is checked before it is opened.
    pub fn from_store(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a seal binds a record to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordAddress {
    /// What the record is.
    pub kind: RecordKind,
    /// Which one.
    pub id: RecordId,
    /// Where it belongs.
    pub wallet: WalletId,
    /// Which version of it.
    pub version: RecordVersion,
}

impl RecordAddress {
    /// Vault id (16), kind (1), id (16), wallet (16), version (8, big-endian).
    fn associated_data(&self, vault: VaultId) -> [u8; 57] {
        let mut data = [0; 57];
        data[..16].copy_from_slice(&vault.0.0);
        data[16] = self.kind.0;
        data[17..33].copy_from_slice(&self.id.0);
        data[33..49].copy_from_slice(&self.wallet.0.0);
        data[49..].copy_from_slice(&self.version.0.to_be_bytes());
        data
    }
}

/// Why a record could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The sealed bytes are too short, or of a format that is not ours.
    Malformed,
    /// The record was sealed by a data key that the keyring lacks.
    UnknownKey {
        /// The number of the data key.
        number: u32,
    },
    /// The bytes, or the record's place, were altered.
    NotAuthentic,
    /// The data key has sealed as much as it may.
    Exhausted,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "its sealed form is not one that this release knows"),
            Self::UnknownKey { number } => {
                write!(f, "it was sealed by data key {number}, which the keyring lacks")
            }
            Self::NotAuthentic => write!(f, "it was altered, or put in another record's place"),
            Self::Exhausted => {
                write!(
                    f,
                    "the data key has sealed as many records as is safe; restart the vault to begin a new one"
                )
            }
        }
    }
}

impl std::error::Error for SealError {}

/// A data key, ready for use.
struct DataKey {
    number: u32,
    key: RandomizedNonceKey,
}

/// Seals and opens records. Made by unsealing; shared by all threads.
pub struct Barrier {
    vault: VaultId,
    /// Ordered by number; the last one seals.
    keys: Vec<DataKey>,
    search: hmac::Key,
    set: hmac::Key,
    /// Seals made by the last key.
    seals: AtomicU64,
}

impl Barrier {
    /// A barrier with the keys of `keyring`.
    ///
    /// # Errors
    /// [`SealError::Malformed`] when the keyring has no data key of the right length.
    pub fn new(vault: VaultId, keyring: &Keyring) -> Result<Self, SealError> {
        let mut keys = Vec::with_capacity(keyring.data_keys().len());
        for (number, material) in keyring.data_keys() {
            let key = RandomizedNonceKey::new(&AES_256_GCM, material.as_bytes())
                .map_err(|_| SealError::Malformed)?;
            keys.push(DataKey { number: *number, key });
        }
        if keys.is_empty() {
            return Err(SealError::Malformed);
        }
        Ok(Self {
            vault,
            keys,
            search: hmac::Key::new(hmac::HMAC_SHA256, keyring.search_key().as_bytes()),
            set: hmac::Key::new(hmac::HMAC_SHA256, keyring.set_key().as_bytes()),
            seals: AtomicU64::new(0),
        })
    }

    /// The vault that this barrier belongs to.
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// How many records the current data key has sealed.
    pub fn seals(&self) -> u64 {
        self.seals.load(Ordering::Relaxed)
    }

    /// The number of the data key that seals.
    pub(super) fn current_key(&self) -> u32 {
        self.keys.last().map_or(0, |key| key.number)
    }

    /// Says how many records the current data key had sealed when the vault was last open.
    pub(crate) fn resume(&self, seals: u64) {
        self.seals.store(seals, Ordering::Relaxed);
    }

    /// Seals `opened` for `address` under the current data key.
    ///
    /// # Errors
    /// [`SealError::Exhausted`].
    pub fn seal(&self, address: &RecordAddress, opened: &Opened) -> Result<Sealed, SealError> {
        if self.seals.fetch_add(1, Ordering::Relaxed) >= SEALS_PER_KEY_MAX {
            return Err(SealError::Exhausted);
        }
        let current = self.keys.last().ok_or(SealError::Malformed)?;
        let plain = opened.as_bytes();
        let mut bytes = Vec::with_capacity(HEADER_LEN + plain.len() + TAG_LEN);
        bytes.push(FORMAT);
        bytes.extend_from_slice(&current.number.to_be_bytes());
        bytes.extend_from_slice(&[0; NONCE_LEN]);
        bytes.extend_from_slice(plain);
        // The nonce is 96 random bits, drawn anew for every seal; SEALS_PER_KEY_MAX keeps collisions improbable.
        let aad = Aad::from(address.associated_data(self.vault));
        let (nonce, tag) = current
            .key
            .seal_in_place_separate_tag(aad, &mut bytes[HEADER_LEN..])
            .map_err(|_| SealError::Exhausted)?;
        bytes[HEADER_LEN - NONCE_LEN..HEADER_LEN].copy_from_slice(nonce.as_ref());
        bytes.extend_from_slice(tag.as_ref());
        Ok(Sealed(bytes))
    }

    /// Opens what was sealed for `address`.
    ///
    /// # Errors
    /// Any but [`SealError::Exhausted`].
    pub fn open(&self, address: &RecordAddress, sealed: &Sealed) -> Result<Opened, SealError> {
        let (header, body) = sealed.0.split_at_checked(HEADER_LEN).ok_or(SealError::Malformed)?;
        let (number, nonce) = header[1..].split_first_chunk::<4>().ok_or(SealError::Malformed)?;
        let number = u32::from_be_bytes(*number);
        if header[0] != FORMAT || body.len() < TAG_LEN {
            return Err(SealError::Malformed);
        }
        // Nearly every record is under the current key, which is last.
        let key = self.keys.iter().rev().find(|key| key.number == number);
        let key = key.ok_or(SealError::UnknownKey { number })?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Malformed)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let aad = Aad::from(address.associated_data(self.vault));
        let len = key.key.open_in_place(nonce, aad, &mut plain).map_err(|_| SealError::NotAuthentic)?.len();
        plain.truncate(len);
        Ok(Opened(plain))
    }

    /// The keyed hash under which a value of `field` is found among the records of a kind and wallet.
    pub fn term(&self, kind: RecordKind, wallet: WalletId, field: &str, value: &[u8]) -> StoredTerm {
        let mut context = hmac::Context::with_key(&self.search);
        context.update(&[kind.0]);
        context.update(&wallet.0.0);
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field.as_bytes());
        context.update(value);
        let mut term = [0; 16];
        term.copy_from_slice(&context.sign().as_ref()[..16]);
        StoredTerm(term)
    }

    /// What a record contributes to the sum over the set.
    pub fn element(&self, kind: RecordKind, id: RecordId, version: RecordVersion) -> SetDelta {
        SetDelta::element(&self.set, kind, id, version)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier({} data keys)", self.keys.len())
    }
}
