//! What a file is, told from its first page, and how its pages are read.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::codec::{Options, PageCodec};
use crate::keys::MasterKeySource;
use crate::mariadb::{self, CryptDataFault};
use crate::mysql::{self, InformationFault, UnlockError};
use crate::page::header::{self, FSP_FLAGS, FSP_SIZE, FSP_SPACE_ID, NEXT, NUMBER, PREVIOUS, SPACE_ID};
use crate::page::{Algorithm, Fault, Geometry, PageFault, PageType, Policy, checksum, is_zero};

/// Bytes of a file that [`Tablespace::detect`] wants to see: the largest page. Fewer are enough where the file is shorter.
pub const HEAD_BYTES: usize = 65536;
/// Fewest bytes that a first page can have.
const HEAD_BYTES_MIN: usize = 1024;
/// Versions of MySQL that name themselves on page 0.
const SERVER_VERSIONS: std::ops::RangeInclusive<u32> = 80000..=999_999;

/// Whose format a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// MySQL, Percona Server.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// Why a file is of its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Evidence {
    /// It has MySQL's encryption information, or its flag.
    MySqlEncryption,
    /// It holds serialised dictionary information, which MySQL began with 8.0.
    DictionaryInformation,
    /// It names the version of MySQL that made it, such as 80036.
    ServerVersion(u32),
    /// It has MariaDB's crypt data.
    CryptData,
    /// Its flags are those of MariaDB's `full_crc32`.
    FullCrc32,
    /// Its flags have other bits that only MariaDB sets.
    MariaDbFlags,
    /// Nothing: the two families write this file in the same way, and it is taken for MySQL's.
    Neither,
}

/// A tablespace, as its page 0 describes it.
#[derive(Debug, Clone)]
pub struct Tablespace {
    /// Whose format it has.
    pub family: Family,
    /// Why.
    pub evidence: Evidence,
    /// Page sizes.
    pub geometry: Geometry,
    /// Number of the tablespace.
    pub space_id: u32,
    /// Flags, as the family defines them.
    pub flags: u32,
    /// Pages that the tablespace has by its own account. The file may be longer; a system tablespace of several files has more
    /// than the first of them.
    pub pages: u32,
    /// The checksum algorithm of page 0, or what is wrong with page 0. Where something is, nothing else here can be
    /// relied on.
    pub head: Result<Algorithm, Fault>,
    /// What it says about encryption.
    pub encryption: Encryption,
}

/// What page 0 says about encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// Nothing.
    None,
    /// MySQL's tablespace key.
    MySql(mysql::Encryption),
    /// MariaDB's crypt data, of a tablespace whose pages may be encrypted.
    MariaDb(Result<mariadb::CryptData, CryptDataFault>),
}

impl Tablespace {
    /// Tells what a file is from its first bytes, of which [`HEAD_BYTES`] should be given where the file has them.
    ///
    /// A page 0 that is damaged but can still be read gives a description with `head` saying what is wrong.
    ///
    /// # Errors
    /// [`DetectError`] for what is not a tablespace, or only a later file of one.
    pub fn detect(bytes: &[u8]) -> Result<Self, DetectError> {
        if bytes.len() < HEAD_BYTES_MIN {
            return Err(DetectError::Short { bytes: bytes.len() });
        }
        if is_zero(bytes) {
            return Err(DetectError::Zero);
        }
        if let number @ 1.. = header::u32_at(bytes, NUMBER) {
            return Err(DetectError::Number { number });
        }
        if header::page_type(bytes) != PageType::SPACE_HEADER {
            return Err(DetectError::Type { found: header::page_type(bytes) });
        }
        match Self::mariadb(bytes)? {
            Some(space) => Ok(space),
            None => Self::mysql(bytes),
        }
    }

    /// Nothing where MySQL may have written the file.
    fn mariadb(bytes: &[u8]) -> Result<Option<Self>, DetectError> {
        let flags = header::u32_at(bytes, FSP_FLAGS);
        let only_mariadb_s = mariadb::flags::are_mariadb_s(flags);
        let Some(format) = mariadb::Format::parse(flags) else {
            return if only_mariadb_s { Err(DetectError::Flags { flags }) } else { Ok(None) };
        };
        let crypt_data = mariadb::head::crypt_data(format, bytes);
        let evidence = match &crypt_data {
            _ if format.is_full_crc32() => Evidence::FullCrc32,
            Ok(Some(_)) | Err(_) => Evidence::CryptData,
            Ok(None) if only_mariadb_s => Evidence::MariaDbFlags,
            Ok(None) => return Ok(None),
        };
        let head =
            bytes.get(..format.geometry.physical()).ok_or(DetectError::Short { bytes: bytes.len() })?;
        // Page 0 has the number twice, and every checksum covers the second one.
        let (first, second) = (header::u32_at(head, SPACE_ID), header::u32_at(head, FSP_SPACE_ID));
        let (space_id, verdict) = match mariadb::head::verify(format, head) {
            Ok(_) if first != second => (second, Err(Fault::SpaceId { found: first, expected: second })),
            Ok(algorithm) => (second, Ok(algorithm)),
            Err(fault) => (first, Err(fault)),
        };
        Ok(Some(Self {
            family: Family::MariaDb,
            evidence,
            geometry: format.geometry,
            space_id,
            flags,
            pages: header::u32_at(head, FSP_SIZE),
            head: verdict,
            encryption: match crypt_data {
                Ok(Some(data)) if data.encrypted => Encryption::MariaDb(Ok(data)),
                Ok(_) => Encryption::None,
                Err(fault) => Encryption::MariaDb(Err(fault)),
            },
        }))
    }

    /// The page sizes and layout, if MariaDB may have written the file: both families write some files in the same way.
    #[must_use]
    pub fn mariadb_format(&self) -> Option<mariadb::Format> {
        let shared = self.family == Family::MySql && self.evidence == Evidence::Neither;
        (self.family == Family::MariaDb || shared).then(|| mariadb::Format::parse(self.flags)).flatten()
    }

    /// What is missing of a file of `file_bytes`. A server refuses a file that is shorter than page 0 says. Of a system
    /// tablespace nothing is told: it may have several files.
    #[must_use]
    pub fn cut_off(&self, file_bytes: u64) -> Option<PageFault> {
        let there = file_bytes.div_ceil(self.geometry.physical() as u64);
        let pages = Some(self.missing_pages(file_bytes)).filter(|pages| *pages > 0)?;
        let told = self.space_id != 0 && self.head.is_ok();
        let (page, pages) = (u32::try_from(there).ok()?, u32::try_from(pages).ok()?);
        told.then_some(PageFault { page, fault: Fault::Missing { pages } })
    }

    /// Pages that the tablespace has by its own account and a file of `file_bytes` has not.
    #[must_use]
    pub fn missing_pages(&self, file_bytes: u64) -> u64 {
        u64::from(self.pages).saturating_sub(file_bytes.div_ceil(self.geometry.physical() as u64))
    }

    fn mysql(bytes: &[u8]) -> Result<Self, DetectError> {
        let flags = header::u32_at(bytes, FSP_FLAGS);
        let geometry = mysql::flags::geometry(flags).ok_or(DetectError::Flags { flags })?;
        let head = bytes.get(..geometry.physical()).ok_or(DetectError::Short { bytes: bytes.len() })?;
        let encryption = mysql::head::encryption(geometry, head);
        let version = header::u32_at(head, PREVIOUS);
        let evidence = if encryption.is_some() {
            Evidence::MySqlEncryption
        } else if flags & mysql::flags::DICTIONARY_INFORMATION != 0 {
            Evidence::DictionaryInformation
        } else if SERVER_VERSIONS.contains(&version) && header::u32_at(head, NEXT) < u32::MAX {
            Evidence::ServerVersion(version)
        } else {
            Evidence::Neither
        };
        // Page 0 has the number twice, and its checksum covers the second one.
        let (first, second) = (header::u32_at(head, SPACE_ID), header::u32_at(head, FSP_SPACE_ID));
        let (space_id, verdict) = match checksum::verify(geometry, head, Policy::Any) {
            Ok(_) if first != second => (second, Err(Fault::SpaceId { found: first, expected: second })),
            Ok(algorithm) => (second, Ok(algorithm)),
            Err(fault) => {
                // Either may be what is damaged; page 1 has the number too.
                let witness = bytes.get(geometry.physical()..).map(|next| header::u32_at(next, SPACE_ID));
                (if witness == Some(second) { second } else { first }, Err(fault))
            }
        };
        Ok(Self {
            family: Family::MySql,
            evidence,
            geometry,
            space_id,
            flags,
            pages: header::u32_at(head, FSP_SIZE),
            head: verdict,
            encryption: encryption.map_or(Encryption::None, Encryption::MySql),
        })
    }

    /// Reads its pages: with the master key that it names, taken from `keys`, or without one where it is not encrypted.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        &self,
        keys: &Arc<dyn MasterKeySource>,
        options: Options,
    ) -> Result<Box<dyn PageCodec>, OpenError> {
        let key = match &self.encryption {
            _ if self.family == Family::MariaDb => return self.open_mariadb(keys, options),
            Encryption::MySql(encryption) => Some(self.unlock(encryption, keys.as_ref())?),
            Encryption::None | Encryption::MariaDb(_) => None,
        };
        Ok(Box::new(mysql::Codec::new(self.geometry, self.space_id, key.as_ref(), options)))
    }

    fn open_mariadb(
        &self,
        keys: &Arc<dyn MasterKeySource>,
        options: Options,
    ) -> Result<Box<dyn PageCodec>, OpenError> {
        let data = match &self.encryption {
            Encryption::MariaDb(Ok(data)) => Some((data, keys)),
            Encryption::MariaDb(Err(fault)) => {
                return Err(match &self.head {
                    Err(damage) => OpenError::Damaged(damage.clone()),
                    Ok(_) => OpenError::CryptData(*fault),
                });
            }
            Encryption::None | Encryption::MySql(_) => None,
        };
        let Some(format) = self.mariadb_format() else {
            unreachable!("a file is MariaDB's because its flags are");
        };
        Ok(Box::new(mariadb::Codec::new(format, self.space_id, data, options)))
    }

    fn unlock(
        &self,
        encryption: &mysql::Encryption,
        keys: &dyn MasterKeySource,
    ) -> Result<mysql::TablespaceKey, OpenError> {
        // A damaged page 0 is the likelier cause of a key that does not fit.
        let damaged = |other: OpenError| match &self.head {
            Err(fault) => OpenError::Damaged(fault.clone()),
            Ok(_) => other,
        };
        let information =
            encryption.information.as_ref().map_err(|fault| damaged(OpenError::Information(*fault)))?;
        information.unlock(keys).map_err(|error| match error {
            UnlockError::Absent { .. } | UnlockError::WrongMasterKey { .. } => {
                damaged(OpenError::Unlock(error))
            }
            UnlockError::Length { .. } | UnlockError::Source(_) => OpenError::Unlock(error),
        })
    }
}

/// Why a file is not taken for a tablespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetectError {
    /// It is shorter than a page.
    Short {
        /// Bytes that are there.
        bytes: usize,
    },
    /// It begins with zeros: a file that a server has created and not yet written.
    Zero,
    /// Its first page is not page 0: it may be a later file of a system tablespace, or no tablespace.
    Number {
        /// The number that its first page has.
        number: u32,
    },
    /// Its first page is not a space header.
    Type {
        /// The type that it has.
        found: PageType,
    },
    /// Its flags are none that a server writes.
    Flags {
        /// The flags.
        flags: u32,
    },
}

/// Why the pages of a tablespace cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Page 0 is damaged, and what it says about the key leads nowhere.
    Damaged(Fault),
    /// The encryption information is not what a server writes, although page 0 is not damaged.
    Information(InformationFault),
    /// The tablespace key cannot be had.
    Unlock(UnlockError),
    /// MariaDB's crypt data is not what a server writes, although page 0 is not damaged.
    CryptData(CryptDataFault),
}

impl fmt::Display for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a tablespace of InnoDB: ")?;
        match self {
            Self::Short { bytes } => write!(f, "{bytes} bytes are less than a page"),
            Self::Zero => f.write_str("it begins with zeros"),
            Self::Number { number } => write!(
                f,
                "its first page is not page 0 but {number} (a system tablespace of several files begins in the first of them)"
            ),
            Self::Type { found } => write!(f, "its first page is not a space header but: {found}"),
            Self::Flags { flags } => write!(f, "its flags are none that a server writes: {flags:#x}"),
        }
    }
}

impl Error for DetectError {}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(fault) => write!(f, "page 0 is damaged: {fault}"),
            Self::Information(fault) => fault.fmt(f),
            Self::Unlock(error) => error.fmt(f),
            Self::CryptData(fault) => fault.fmt(f),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unlock(error) => Some(error),
            Self::Damaged(_) | Self::Information(_) | Self::CryptData(_) => None,
        }
    }
}
