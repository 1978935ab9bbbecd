//! Pages of either family, encrypted and decrypted in runs.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use strongroom_cipher::CipherError;

use crate::keys::KeySourceError;
use crate::page::{Fault, Geometry, PageFault, PageType, Policy};

/// Encrypts, decrypts and checks the pages of one tablespace. It is shared by threads, each with runs of its own.
///
/// A *run* is a part of the file that begins with page `first` and holds whole pages, at most the last one cut short by the
/// end of the file. Runs of some hundred pages are fastest: CBC encryption works on many pages at the same time.
///
/// Page 0 is never encrypted. What it says about encryption is changed by the family's own functions
/// ([`mysql::head`](crate::mysql::head), [`mariadb`](crate::mariadb)).
pub trait PageCodec: Send + Sync {
    /// Page sizes.
    fn geometry(&self) -> Geometry;

    /// What a page is, told from its header without decrypting it.
    fn classify(&self, number: u32, page: &[u8]) -> PageClass;

    /// Checks a page that is not encrypted: its checksum, expanded first where it is page-compressed, its number, its
    /// tablespace and its type. Pages of zeros are good.
    ///
    /// # Errors
    /// What is wrong first.
    fn check(&self, number: u32, page: &[u8]) -> Result<(), Fault>;

    /// Decrypts the pages of a run that are encrypted and checks all of them. Page-compressed pages stay compressed.
    ///
    /// Pages that are named in what is returned hold nothing of use afterwards and must not be written anywhere.
    ///
    /// # Errors
    /// [`CodecError`]: the run is then in an unknown state.
    fn decrypt(&self, first: u32, run: &mut [u8]) -> Result<Vec<PageFault>, CodecError>;

    /// Checks the pages of a run, which are not encrypted, and encrypts them: all but page 0, pages of zeros and those that
    /// the server never encrypts. Pages that are named in what is returned are not encrypted.
    ///
    /// # Errors
    /// [`CodecError`]: the run is then in an unknown state.
    fn encrypt(&self, first: u32, run: &mut [u8]) -> Result<Vec<PageFault>, CodecError>;

    /// Expands the page-compressed pages of a run that is not encrypted.
    fn expand(&self, first: u32, run: &mut [u8]) -> Vec<PageFault>;
}

/// How a [`PageCodec`] judges pages.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which checksums pass.
    pub checksums: Policy,
    /// Pages of the system tablespace that hold the doublewrite buffer: copies of pages of any tablespace, which are
    /// neither checked nor changed. See [`doublewrite_pages`](crate::mysql::head::doublewrite_pages).
    pub doublewrite: Vec<Range<u32>>,
}

impl Options {
    /// Whether a page is part of the doublewrite buffer.
    #[must_use]
    pub fn is_doublewrite(&self, number: u32) -> bool {
        self.doublewrite.iter().any(|pages| pages.contains(&number))
    }
}

/// What a page is, as its header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageClass {
    /// Encrypted, plain, …
    pub state: PageState,
    /// Whether it is page-compressed.
    pub page_compressed: bool,
    /// Its type when decrypted and expanded, where the header tells it.
    pub page_type: Option<PageType>,
}

/// Whether a page is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageState {
    /// Nothing but zeros: never written.
    Zero,
    /// Not encrypted.
    Plain,
    /// Encrypted.
    Encrypted {
        /// With this version of the key; 0 for MySQL, which has one key for all pages.
        key_version: u32,
    },
    /// A copy in the doublewrite buffer.
    Doublewrite,
}

/// Why a run could not be processed at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// The tablespace has no key to encrypt with.
    NoKey,
    /// The keyring could not be asked for a key version.
    Source(KeySourceError),
    /// The keyring has no version of the key to encrypt with (MariaDB).
    KeyAbsent {
        /// Id of the key.
        key_id: u32,
    },
    /// A key has a length that no cipher takes.
    Cipher(CipherError),
}

impl From<CipherError> for CodecError {
    fn from(error: CipherError) -> Self {
        Self::Cipher(error)
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("the tablespace has no key to encrypt with"),
            Self::Source(error) => error.fmt(f),
            Self::KeyAbsent { key_id } => write!(f, "the keyring has no version of key {key_id}"),
            Self::Cipher(error) => error.fmt(f),
        }
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Source(error) => Some(error),
            Self::Cipher(error) => Some(error),
            Self::NoKey | Self::KeyAbsent { .. } => None,
        }
    }
}
