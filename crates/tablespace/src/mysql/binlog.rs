//! Encrypted binary and relay logs (`binlog_encryption`, MySQL 8.0.14 on).
//!
//! | at | bytes | meaning |
//! |---|---|---|
//! | 0 | 4 | `fd 62 69 6e` |
//! | 4 | 1 | version, 1 |
//! | 5 | | fields, each a type byte and its value; zeros fill up to 512 |
//!
//! | type | value |
//! |---|---|
//! | 1 | id of the master key: a length byte and the text, `MySQLReplicationKey_<server uuid>_<number>` |
//! | 2 | file password under the master key, 32 bytes, AES-256-CBC without padding |
//! | 3 | initialisation vector of that, 16 bytes |
//!
//! SHA-512 of the file password gives the key (its first 32 bytes) and the nonce (the next 8) of AES-256-CTR. The counter
//! block is the nonce and a 64-bit big-endian block number from 0. Everything from byte 512 on is encrypted; it is a binary
//! log as it would be without encryption, which begins with `fe 62 69 6e`. That tells whether the key is right.

use std::error::Error;
use std::fmt;

use sha2::{Digest, Sha512};
use strongroom_cipher::ctr::Ctr;
use strongroom_cipher::pages::{self, Page, PageKey, Rule};
use strongroom_cipher::{BLOCK_BYTES, Buffer, Iv};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use crate::keys::{KeySourceError, MasterKeySource};

/// Bytes in front of the encrypted part.
pub const HEADER_BYTES: usize = 512;
/// What the ids of master keys of binary logs begin with.
pub const MASTER_KEY_PREFIX: &str = "MySQLReplicationKey_";

const MAGIC_ENCRYPTED: [u8; 4] = [0xFD, b'b', b'i', b'n'];
const MAGIC_PLAIN: [u8; 4] = [0xFE, b'b', b'i', b'n'];
const VERSION: u8 = 1;
const PASSWORD_BYTES: usize = 32;
const MASTER_KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 8;

const KEY_ID: u8 = 1;
const PASSWORD: u8 = 2;
const PASSWORD_IV: u8 = 3;

/// Whether the start of a file is that of an encrypted binary log of MariaDB: an event that says so follows the first one, and
/// both are plain.
#[must_use]
pub fn is_mariadb_encrypted(start: &[u8]) -> bool {
    const EVENT_TYPE: usize = 4;
    const EVENT_BYTES: usize = 9;
    const START_ENCRYPTION: u8 = 164;
    let Some(first) = start.strip_prefix(&MAGIC_PLAIN) else { return false };
    let Some(len) = first.get(EVENT_BYTES..).and_then(<[u8]>::first_chunk) else { return false };
    let second = usize::try_from(u32::from_le_bytes(*len)).ok().and_then(|len| first.get(len..));
    second.and_then(|event| event.get(EVENT_TYPE)) == Some(&START_ENCRYPTION)
}

/// Whether a file begins as a binary or relay log, encrypted or not; `None` for another file.
#[must_use]
pub fn is_encrypted(head: &[u8]) -> Option<bool> {
    match head.first_chunk() {
        Some(&MAGIC_ENCRYPTED) => Some(true),
        Some(&MAGIC_PLAIN) => Some(false),
        _ => None,
    }
}

/// The header of an encrypted binary log. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinlogHeader {
    key_id: String,
    password: [u8; PASSWORD_BYTES],
    iv: Iv,
}

/// Why bytes are no header of an encrypted binary log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BinlogFault {
    /// The file is shorter than the header.
    Short {
        /// Bytes that are there.
        bytes: usize,
    },
    /// It begins with other bytes.
    Magic,
    /// The version is not 1.
    Version(u8),
    /// A field has an unknown type.
    Field(u8),
    /// A field is missing, there twice, or cut off.
    Incomplete,
    /// The key id is not text.
    KeyId,
}

/// Why a binary log cannot be decrypted.
#[derive(Debug)]
#[non_exhaustive]
pub enum BinlogError {
    /// The keyring was asked and does not have the master key.
    Absent {
        /// Its id.
        key_id: String,
    },
    /// The keyring has a key of that id, and what it gives is no binary log: it is another key, or the file is damaged.
    WrongMasterKey {
        /// Its id.
        key_id: String,
    },
    /// The key of that id is not 32 bytes long.
    Length {
        /// Its id.
        key_id: String,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The keyring could not be asked.
    Source(KeySourceError),
}

impl BinlogHeader {
    /// Reads the header from the first [`HEADER_BYTES`] of a file.
    ///
    /// # Errors
    /// [`BinlogFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BinlogFault> {
        let header = bytes.get(..HEADER_BYTES).ok_or(BinlogFault::Short { bytes: bytes.len() })?;
        let (magic, rest) = header.split_at(MAGIC_ENCRYPTED.len());
        if magic != MAGIC_ENCRYPTED {
            return Err(BinlogFault::Magic);
        }
        let (version, mut rest) = rest.split_first().ok_or(BinlogFault::Incomplete)?;
        if *version != VERSION {
            return Err(BinlogFault::Version(*version));
        }
        let (mut key_id, mut password, mut iv) = (None, None, None);
        while let Some((kind, value)) = rest.split_first() {
            rest = match *kind {
                0 => break,
                KEY_ID if key_id.is_none() => {
                    let (length, value) = value.split_first().ok_or(BinlogFault::Incomplete)?;
                    let (text, rest) =
                        value.split_at_checked(usize::from(*length)).ok_or(BinlogFault::Incomplete)?;
                    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty());
                    key_id = Some(text.ok_or(BinlogFault::KeyId)?.to_owned());
                    rest
                }
                PASSWORD if password.is_none() => {
                    let (value, rest) = value.split_first_chunk().ok_or(BinlogFault::Incomplete)?;
                    password = Some(*value);
                    rest
                }
                PASSWORD_IV if iv.is_none() => {
                    let (value, rest) = value.split_first_chunk().ok_or(BinlogFault::Incomplete)?;
                    iv = Some(*value);
                    rest
                }
                KEY_ID | PASSWORD | PASSWORD_IV => return Err(BinlogFault::Incomplete),
                other => return Err(BinlogFault::Field(other)),
            };
        }
        match (key_id, password, iv) {
            (Some(key_id), Some(password), Some(iv)) => Ok(Self { key_id, password, iv }),
            _ => Err(BinlogFault::Incomplete),
        }
    }

    /// Id of the master key in the keyring.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Takes the file password out, with the master key from `keys`. `start` is what follows the header in the file; its
    /// first four bytes tell whether the key is right. Fewer prove nothing: a log of which no more was written is good.
    ///
    /// # Errors
    /// [`BinlogError`].
    pub fn unlock(&self, keys: &dyn MasterKeySource, start: &[u8]) -> Result<BinlogKey, BinlogError> {
        let master = keys.mysql_key(&self.key_id).map_err(BinlogError::Source)?;
        let absent = || BinlogError::Absent { key_id: self.key_id.clone() };
        self.unlock_with(&master.ok_or_else(absent)?, start)
    }

    /// Takes the file password out with a master key at hand; see [`unlock`](Self::unlock).
    ///
    /// # Errors
    /// [`BinlogError::Length`], [`BinlogError::WrongMasterKey`].
    pub fn unlock_with(&self, master: &KeyMaterial, start: &[u8]) -> Result<BinlogKey, BinlogError> {
        let mut password = Zeroizing::new(self.password);
        crypt(master, self.iv, &mut *password, pages::decrypt)
            .ok_or_else(|| BinlogError::Length { key_id: self.key_id.clone(), bytes: master.len() })?;
        let key = BinlogKey(KeyMaterial::new(&*password));
        let mut start = start[..start.len().min(MAGIC_PLAIN.len())].to_vec();
        key.apply(0, &mut start);
        if !MAGIC_PLAIN.starts_with(&start) {
            return Err(BinlogError::WrongMasterKey { key_id: self.key_id.clone() });
        }
        Ok(key)
    }

    /// A header for the same file under another master key, with a new initialisation vector: 16 random bytes. `None` when
    /// the master key is not 32 bytes long, or its id too long for the header.
    #[must_use]
    pub fn wrap(key: &BinlogKey, key_id: &str, master: &KeyMaterial, iv: Iv) -> Option<Self> {
        let mut password = [0; PASSWORD_BYTES];
        password.copy_from_slice(key.0.as_bytes());
        crypt(master, iv, &mut password, pages::encrypt)?;
        let fits = (1..=255).contains(&key_id.len());
        fits.then(|| Self { key_id: key_id.to_owned(), password, iv })
    }

    /// The header as it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut fields = Vec::with_capacity(HEADER_BYTES);
        fields.extend_from_slice(&MAGIC_ENCRYPTED);
        fields.extend_from_slice(&[VERSION, KEY_ID, self.key_id.len() as u8]);
        fields.extend_from_slice(self.key_id.as_bytes());
        fields.push(PASSWORD);
        fields.extend_from_slice(&self.password);
        fields.push(PASSWORD_IV);
        fields.extend_from_slice(&self.iv);
        let mut bytes = [0; HEADER_BYTES];
        bytes[..fields.len()].copy_from_slice(&fields);
        bytes
    }
}

/// The password of one binary log file.
#[derive(Debug)]
pub struct BinlogKey(KeyMaterial);

impl BinlogKey {
    /// A new password for a new file, from `fill`, which must be a cryptographic random generator.
    ///
    /// # Errors
    /// What `fill` returns.
    pub fn generate<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        KeyMaterial::try_fill(PASSWORD_BYTES, fill).map(Self)
    }

    /// Encrypts or decrypts `data`, which begins `offset` bytes behind the header. Both directions are the same.
    pub fn apply(&self, offset: u64, data: &mut [u8]) {
        let derived = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(self.0.as_bytes())));
        let (key, rest) = derived.split_at(MASTER_KEY_BYTES);
        let mut counter: Iv = [0; BLOCK_BYTES];
        counter[..NONCE_BYTES].copy_from_slice(&rest[..NONCE_BYTES]);
        counter[NONCE_BYTES..].copy_from_slice(&(offset / BLOCK_BYTES as u64).to_be_bytes());
        let mut skipped = [0; BLOCK_BYTES];
        let skipped = &mut skipped[..(offset % BLOCK_BYTES as u64) as usize];
        let done = Ctr::new(key, &counter)
            .and_then(|mut ctr| ctr.update_in_place(skipped).and_then(|()| ctr.update_in_place(data)));
        debug_assert!(done.is_ok(), "32 bytes are an AES key, and counter mode takes any length");
    }
}

type Batch = fn(Rule, &mut [Page<'_>]) -> Result<(), strongroom_cipher::CipherError>;

fn crypt(master: &KeyMaterial, iv: Iv, data: &mut [u8], work: Batch) -> Option<()> {
    let key = PageKey::new(master.as_bytes()).ok().filter(|_| master.len() == MASTER_KEY_BYTES)?;
    work(Rule::WholeBlocks, &mut [Page { key: &key, iv, data: Buffer::InPlace(data) }]).ok()
}

impl fmt::Display for BinlogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { bytes } => {
                write!(
                    f,
                    "an encrypted binary log has {HEADER_BYTES} bytes of header, and this file has {bytes}"
                )
            }
            Self::Magic => f.write_str("not an encrypted binary log"),
            Self::Version(version) => {
                write!(f, "an encrypted binary log of an unknown version, {version}")
            }
            Self::Field(kind) => write!(f, "the header has a field of an unknown type, {kind}"),
            Self::Incomplete => f.write_str("a field of the header is missing, there twice, or cut off"),
            Self::KeyId => f.write_str("the key id in the header is not text"),
        }
    }
}

impl Error for BinlogFault {}

impl fmt::Display for BinlogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { key_id } => write!(f, "the keyring does not have the master key: {key_id}"),
            Self::WrongMasterKey { key_id } => write!(
                f,
                "what the keyring's {key_id} decrypts is no binary log: another key, or a damaged file"
            ),
            Self::Length { key_id, bytes } => {
                write!(f, "the keyring's {key_id} has {bytes} bytes, and a master key has {MASTER_KEY_BYTES}")
            }
            Self::Source(error) => error.fmt(f),
        }
    }
}

impl Error for BinlogError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "MySQLReplicationKey_00000000-0000-4000-8000-000000000000_1";

    fn log() -> Vec<u8> {
        let mut log = MAGIC_PLAIN.to_vec();
        log.extend((0..5000_u32).flat_map(u32::to_be_bytes));
        log
    }

    fn encrypted() -> (BinlogHeader, Vec<u8>, KeyMaterial) {
        let master = KeyMaterial::new(&[9; 32]);
        let key = BinlogKey::generate(|bytes| {
            bytes.fill(0x5A);
            Ok::<(), ()>(())
        });
        let key = key.expect("filled");
        let header = BinlogHeader::wrap(&key, ID, &master, [3; 16]).expect("a key of 32 bytes");
        let mut body = log();
        key.apply(0, &mut body);
        (header, body, master)
    }

    /// As MariaDB writes one with `encrypt_binlog`, and one without.
    #[test]
    fn an_encrypted_log_of_mariadb_is_told_by_its_second_event() {
        let log = |second: u8| {
            let event = |kind: u8, len: u32| {
                let mut event = vec![0; len as usize];
                event[4] = kind;
                event[9..13].copy_from_slice(&len.to_le_bytes());
                event
            };
            [&MAGIC_PLAIN[..], &event(15, 252), &event(second, 40)].concat()
        };
        assert!(is_mariadb_encrypted(&log(164)));
        assert!(!is_mariadb_encrypted(&log(163)));
        for len in 0..260 {
            assert!(!is_mariadb_encrypted(&log(164)[..len]), "{len}");
        }
    }

    #[test]
    fn a_log_is_decrypted_from_its_header_and_from_any_offset() {
        let (header, body, master) = encrypted();
        let header = BinlogHeader::parse(&header.to_bytes()).expect("a header");
        assert_eq!(header.key_id(), ID);
        let key = header.unlock_with(&master, &body).expect("the right key");
        for offset in [0, 1, 15, 16, 17, 4096, 20_003, 20_004] {
            let mut part = body[offset..].to_vec();
            key.apply(offset as u64, &mut part);
            assert_eq!(part, log()[offset..]);
        }
    }

    #[test]
    fn another_master_key_and_a_missing_one_are_different_errors() {
        let (header, body, _) = encrypted();
        let wrong = header.unlock_with(&KeyMaterial::new(&[8; 32]), &body);
        assert!(matches!(wrong, Err(BinlogError::WrongMasterKey { .. })));
        let short = header.unlock_with(&KeyMaterial::new(&[8; 16]), &body);
        assert!(matches!(short, Err(BinlogError::Length { bytes: 16, .. })));
        let absent = header.unlock(&crate::KeysInMemory::new(), &body);
        assert!(matches!(absent, Err(BinlogError::Absent { .. })));
    }

    #[test]
    fn every_header_cut_or_changed_is_an_error_or_another_header() {
        let (header, _, _) = encrypted();
        let bytes = header.to_bytes();
        for length in 0..HEADER_BYTES {
            assert_eq!(BinlogHeader::parse(&bytes[..length]), Err(BinlogFault::Short { bytes: length }));
        }
        for at in 0..5 + 2 + ID.len() + 33 + 17 {
            for flip in [0x01, 0x80, 0xFF] {
                let mut bytes = bytes;
                bytes[at] ^= flip;
                assert_ne!(BinlogHeader::parse(&bytes).as_ref(), Ok(&header), "{at}");
            }
        }
    }
}
