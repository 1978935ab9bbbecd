//! What can be wrong with one page.

use std::error::Error;
use std::fmt;

use super::{Algorithm, PageType};

/// A page, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageFault {
    /// Number of the page within the tablespace, from 0.
    pub page: u32,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The stored checksum fits no algorithm that is allowed. `computed` is what the algorithm gives that comes nearest:
    /// the one a server would use today.
    Checksum {
        /// What the page says, in its header.
        stored: u32,
        /// What its contents give.
        computed: u32,
        /// By which algorithm.
        algorithm: Algorithm,
    },
    /// The checksums in the header and in the trailer differ, and the first one is right.
    TrailerChecksum {
        /// What the trailer says.
        stored: u32,
        /// What it should say.
        computed: u32,
    },
    /// The low half of the log sequence number differs between header and trailer: only a part of the page was written.
    Torn {
        /// In the header.
        header: u32,
        /// In the trailer.
        trailer: u32,
    },
    /// The page says that it is another one.
    Number {
        /// The number in its header.
        found: u32,
    },
    /// The page says that it belongs to another tablespace.
    SpaceId {
        /// The number in its header.
        found: u32,
        /// The number of this tablespace.
        expected: u32,
    },
    /// The page has a type that it cannot have here.
    Type {
        /// The type in its header.
        found: PageType,
    },
    /// The page is encrypted, and its tablespace has no key.
    EncryptedWithoutKey,
    /// The page is encrypted already, and was to be encrypted.
    AlreadyEncrypted,
    /// Bytes of the header that are zero in a page of this type are not.
    HeaderNotZero,
    /// The page is page-compressed, and cannot be expanded.
    Compression(CompressionFault),
    /// The file ends within the page.
    Partial {
        /// Bytes that are there.
        bytes: usize,
    },
    /// The file ends before the page, which the tablespace has by its own account.
    Missing {
        /// Pages that are missing, with this one.
        pages: u32,
    },
    /// The page is encrypted with a version of a key that the keyring does not have (MariaDB).
    KeyAbsent {
        /// Id of the key.
        key_id: u32,
        /// Version of the key.
        version: u32,
    },
    /// The page is as it was written, and this version of the key does not decrypt it (MariaDB).
    WrongKey {
        /// Id of the key.
        key_id: u32,
        /// Version of the key.
        version: u32,
    },
}

/// What is wrong with a page-compressed page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionFault {
    /// The layout has a version that is not known.
    Version(u8),
    /// The algorithm is not known.
    Algorithm(u8),
    /// The algorithm is known, and this program does not have it.
    Unsupported(&'static str),
    /// The compressed bytes do not fit into the page.
    CompressedBytes(usize),
    /// The page would not have its size when expanded.
    ExpandedBytes(usize),
    /// The compressed bytes are damaged.
    Damaged,
    /// What follows the compressed bytes is not zero.
    PaddingNotZero,
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}: {}", self.page, self.fault)
    }
}

impl Error for PageFault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { stored, computed, algorithm } => write!(
                f,
                "the checksum is {stored:#010x}, and the contents give {computed:#010x} ({algorithm})"
            ),
            Self::TrailerChecksum { stored, computed } => {
                write!(f, "the checksum at the end is {stored:#010x}, and {computed:#010x} would be right")
            }
            Self::Torn { header, trailer } => write!(
                f,
                "only a part of the page was written: its log sequence number ends in {header:#010x} at the start and in {trailer:#010x} at the end"
            ),
            Self::Number { found } => write!(f, "the page says it is page {found}"),
            Self::SpaceId { found, expected } => {
                write!(f, "the page says it belongs to tablespace {found}, not {expected}")
            }
            Self::Type { found } => write!(f, "a page of this type cannot be here: {found}"),
            Self::EncryptedWithoutKey => f.write_str("the page is encrypted, and the tablespace has no key"),
            Self::AlreadyEncrypted => f.write_str("the page is encrypted already"),
            Self::HeaderNotZero => f.write_str("bytes of the header that must be zero are not"),
            Self::Compression(fault) => fault.fmt(f),
            Self::Partial { bytes } => write!(f, "the file ends after {bytes} bytes of the page"),
            Self::Missing { pages } => {
                write!(f, "the file is cut off: this page and all behind it are missing, {pages} in all")
            }
            Self::KeyAbsent { key_id, version } => {
                write!(f, "the keyring has no version {version} of key {key_id}")
            }
            Self::WrongKey { key_id, version } => write!(
                f,
                "version {version} of key {key_id} in the keyring is not the one that the page was encrypted with"
            ),
        }
    }
}

impl fmt::Display for CompressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "page compression of an unknown version, {version}"),
            Self::Algorithm(algorithm) => write!(f, "page compression by an unknown algorithm, {algorithm}"),
            Self::Unsupported(name) => {
                write!(f, "the page is compressed with {name}, which this program cannot expand")
            }
            Self::CompressedBytes(bytes) => {
                write!(f, "the page says it has {bytes} compressed bytes, which do not fit")
            }
            Self::ExpandedBytes(bytes) => {
                write!(f, "the page says it has {bytes} bytes when expanded, which is not its size")
            }
            Self::Damaged => f.write_str("the compressed bytes are damaged"),
            Self::PaddingNotZero => f.write_str("the bytes behind the compressed ones are not zero"),
        }
    }
}
