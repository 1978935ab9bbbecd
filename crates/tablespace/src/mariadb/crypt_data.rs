//! What page 0 says about encryption (InnoDB `fil_space_crypt_t`).
//!
//! | at | bytes | meaning |
//! |---|---|---|
//! | 0 | 6 | magic: `73 0E 0C 52 45 74` |
//! | 6 | 1 | scheme: 0 not encrypted, 1 encrypted |
//! | 7 | 1 | bytes of what follows: 16 |
//! | 8 | 16 | random bytes that the tablespace's own key is made from |
//! | 24 | 4 | lowest key version that a page may have; 0 where some are not encrypted yet |
//! | 28 | 4 | key id |
//! | 32 | 1 | table option `ENCRYPTED`: 0 as the server's setting, 1 `YES`, 2 `NO` |
//!
//! There is no wrapped key: a page names a version of the key `key id`, and its own key is the 16 random bytes encrypted
//! with that, so that every tablespace has another (`scheme 1`).

use std::fmt;

use strongroom_cipher::Iv;

use crate::page::header;

/// Bytes of crypt data.
pub const CRYPT_DATA_BYTES: usize = 33;

const MAGIC: [u8; 6] = [0x73, 0x0E, 0x0C, 0x52, 0x45, 0x74];
const SCHEME: usize = 6;
const SEED_BYTES: usize = 7;
const SEED: usize = 8;
const MIN_KEY_VERSION: usize = 24;
const KEY_ID: usize = 28;
const OPTION: usize = 32;

/// The table option `ENCRYPTED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableOption {
    /// Not given: `innodb_encrypt_tables` decides.
    Default,
    /// `YES`.
    Yes,
    /// `NO`.
    No,
}

/// Crypt data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptData {
    /// Whether pages may be encrypted (scheme 1).
    pub encrypted: bool,
    /// What the tablespace's own key is made from.
    pub seed: Iv,
    /// Lowest key version that a page may have; 0 where some are not encrypted yet.
    pub min_key_version: u32,
    /// Key id.
    pub key_id: u32,
    /// The table option.
    pub option: TableOption,
}

/// Why crypt data cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptDataFault {
    /// The scheme is not known.
    Scheme(u8),
    /// The random bytes are not as many as the scheme has.
    SeedBytes(u8),
    /// The table option is not known.
    Option(u8),
}

impl CryptData {
    /// A tablespace whose pages are all encrypted with `version` of key `key_id`, as `ENCRYPTED=YES` makes it. `seed` must
    /// be random.
    #[must_use]
    pub fn new(key_id: u32, version: u32, seed: Iv) -> Self {
        Self { encrypted: true, seed, min_key_version: version, key_id, option: TableOption::Yes }
    }

    /// Reads crypt data from where it begins on page 0. Nothing where there is none.
    ///
    /// # Errors
    /// [`CryptDataFault`].
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, CryptDataFault> {
        let Some(bytes) = bytes.first_chunk::<CRYPT_DATA_BYTES>() else { return Ok(None) };
        if bytes[..MAGIC.len()] != MAGIC {
            return Ok(None);
        }
        let encrypted = match bytes[SCHEME] {
            0 => false,
            1 => true,
            other => return Err(CryptDataFault::Scheme(other)),
        };
        let mut seed = Iv::default();
        if usize::from(bytes[SEED_BYTES]) != seed.len() {
            return Err(CryptDataFault::SeedBytes(bytes[SEED_BYTES]));
        }
        seed.copy_from_slice(&bytes[SEED..MIN_KEY_VERSION]);
        let option = match bytes[OPTION] {
            0 => TableOption::Default,
            1 => TableOption::Yes,
            2 => TableOption::No,
            other => return Err(CryptDataFault::Option(other)),
        };
        Ok(Some(Self {
            encrypted,
            seed,
            min_key_version: header::u32_at(bytes, MIN_KEY_VERSION),
            key_id: header::u32_at(bytes, KEY_ID),
            option,
        }))
    }

    /// The bytes on page 0.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; CRYPT_DATA_BYTES] {
        let mut bytes = [0; CRYPT_DATA_BYTES];
        header::put(&mut bytes, 0, &MAGIC);
        bytes[SCHEME] = u8::from(self.encrypted);
        bytes[SEED_BYTES] = self.seed.len() as u8;
        header::put(&mut bytes, SEED, &self.seed);
        header::put(&mut bytes, MIN_KEY_VERSION, &self.min_key_version.to_be_bytes());
        header::put(&mut bytes, KEY_ID, &self.key_id.to_be_bytes());
        bytes[OPTION] = match self.option {
            TableOption::Default => 0,
            TableOption::Yes => 1,
            TableOption::No => 2,
        };
        bytes
    }
}

impl fmt::Display for CryptDataFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => {
                write!(f, "page 0 names an encryption scheme that is not known, {scheme}")
            }
            Self::SeedBytes(bytes) => write!(f, "the crypt data on page 0 has {bytes} random bytes, not 16"),
            Self::Option(option) => {
                write!(f, "the crypt data on page 0 has a table option that is not known, {option}")
            }
        }
    }
}

impl std::error::Error for CryptDataFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for option in [TableOption::Default, TableOption::Yes, TableOption::No] {
            let data = CryptData { option, ..CryptData::new(77, 9, [0xA5; 16]) };
            assert_eq!(CryptData::parse(&data.to_bytes()), Ok(Some(data)));
        }
    }

    #[test]
    fn what_no_server_writes_is_named() {
        let bytes = CryptData::new(1, 1, [1; 16]).to_bytes();
        let with = |at: usize, value: u8| {
            let mut bytes = bytes;
            bytes[at] = value;
            CryptData::parse(&bytes)
        };
        assert_eq!(with(0, 0), Ok(None));
        assert_eq!(with(6, 2), Err(CryptDataFault::Scheme(2)));
        assert_eq!(with(7, 32), Err(CryptDataFault::SeedBytes(32)));
        assert_eq!(with(32, 3), Err(CryptDataFault::Option(3)));
        assert_eq!(CryptData::parse(&bytes[..32]), Ok(None));
    }
}
